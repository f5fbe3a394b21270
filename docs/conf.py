"""Configuration of the documentation site: `make docs` writes docs/_build/html."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

project = "bakeoff"
author = "The bakeoff authors"
project_copyright = author
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_heading_anchors = 3
smartquotes = False  # docstrings hold code
html_theme = "furo"
html_title = "bakeoff"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 90
napoleon_google_docstring = True
napoleon_use_ivar = True


def option_pages() -> Iterator[str]:
    """Yield the sections of reference/options.md, made from the JSON of `bakeoff list` and `bakeoff show`."""
    yield "# Options and parameters\n"
    yield "The output of `bakeoff list`, `bakeoff show` and `bakeoff COMMAND --help`, as this version prints it.\n"
    groups = {"model": "Models", "dataset": "Data sets", "split": "Splits", "metric": "Metrics"}
    for kind, title in groups.items():
        names = _json("list", f"{kind}s")[f"{kind}s"]
        yield f"## {title}\n\n`bakeoff list {kind}s`\n"
        yield _table(("name", "description"), [(f"`{n['name']}`", n["description"]) for n in names])
        if kind != "metric":  # docs/metrics.md has their formulas
            yield from (_option(kind, n["name"]) for n in names)
    yield "## Tuning\n"
    yield _option("tune", "optuna")
    yield "## Presets\n\n`bakeoff list presets`\n"
    presets = _json("list", "presets")["presets"]
    yield _table(("name", "description"), [(f"`{p['name']}`", p["description"]) for p in presets])
    yield "## Commands\n"
    from bakeoff.cli import bakeoff

    for name in bakeoff.commands:
        yield f"### `bakeoff {name}`\n\n```text\n{_output(name, '--help')}\n```\n"


def _option(kind: str, name: str) -> str:
    option = _json("show", kind, name)
    rows = [
        (
            f"`{p['key']}`",
            _code(p["default"]),
            p["range"] or p["type"],
            _space(p["space"]),
            p["meaning"],
        )
        for p in option["parameters"]
    ]
    heads = ("key", "default", "range or type", "search space", "meaning")
    if not any(row[3] for row in rows):
        heads, rows = (*heads[:3], heads[4]), [(*row[:3], row[4]) for row in rows]
    table = _table(heads, rows) if rows else "It has no parameters.\n"
    return f"### `{kind}={name}`\n\n`bakeoff show {kind} {name}`\n\n{option['description']}\n\n{table}"


def _code(value: Any) -> str:
    """Return a default as it stands in YAML, or "" for none."""
    if value is None or value == "":
        return ""
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _space(space: dict[str, Any] | None) -> str:
    if space is None:
        return ""
    if "choices" in space:
        return " \\| ".join(map(str, space["choices"]))
    return f"{space['low']} to {space['high']}" + (", log" if space.get("log") else "")


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    cells = [[str(cell).replace("|", "\\|").replace("\\\\|", "\\|") for cell in row] for row in rows]
    lines = [heads, ["---"] * len(heads), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _json(*words: str) -> Any:
    return json.loads(_output(*words, "--format", "json"))


def _output(*words: str) -> str:
    from click.testing import CliRunner

    from bakeoff.cli import bakeoff

    result = CliRunner().invoke(bakeoff, list(words), prog_name="bakeoff", catch_exceptions=False)
    if result.exit_code:
        raise RuntimeError(f"bakeoff {' '.join(words)}: {result.output}")
    return result.output.rstrip()


def write_options(*_: Any) -> None:
    """Write reference/options.md if its text has changed."""
    page, text = HERE / "reference" / "options.md", "\n".join(option_pages())
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")


def setup(app: Any) -> None:
    app.connect("config-inited", write_options)
