"""The documentation site: `make docs` writes docs/_build/html."""

from __future__ import annotations

from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

project = "bakeoff"
author = copyright = "The bakeoff authors"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
suppress_warnings = ["myst.header", "myst.xref_missing", "misc.highlighting_failure"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "bakeoff"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": False}
napoleon_google_docstring = True
copybutton_exclude = ".linenos, .gp, .go"


def write_reference(*_: Any) -> None:
    """Write a page of every option and every knob, from what `bakeoff list` and `bakeoff show` print."""
    from click.testing import CliRunner

    from bakeoff import cli

    def output(*words: str) -> str:
        result = CliRunner().invoke(cli.command, list(words), env={"COLUMNS": "100"}, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output.rstrip()

    pages = ["# Options and knobs\n\nWhat `bakeoff list` and `bakeoff show` print.\n"]
    for group, one in (("models", "model"), ("splits", "split"), ("datasets", "dataset"), ("metrics", "metric")):
        listed = output("list", group)
        pages.append(f"## `bakeoff list {group}`\n\n```text\n{listed}\n```\n")
        if one != "metric":
            for name in (line.split()[0] for line in listed.splitlines()):
                pages.append(f"### `bakeoff show {one} {name}`\n\n```text\n{output('show', one, name)}\n```\n")
    pages.append(f"## `bakeoff show tune optuna`\n\n```text\n{output('show', 'tune', 'optuna')}\n```\n")
    verbs = [line.split()[0] for line in output("--help").split("Commands:\n")[1].split("\n\n")[0].splitlines()]
    for verb in verbs:
        pages.append(f"## `bakeoff {verb} --help`\n\n```text\n{output(verb, '--help')}\n```\n")
    text = "\n".join(pages)
    page = HERE / "reference" / "options.md"
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")


def setup(app: Any) -> None:
    app.connect("config-inited", write_reference)
