"""The documentation site builds without a warning, and describes every public name."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import bakeoff

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("sphinx") is None, reason="Sphinx is not installed: `make docs` installs it")
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "-b", "html"]
    built = subprocess.run([*command, DOCS, tmp_path], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    options = (tmp_path / "reference" / "options.html").read_text(encoding="utf-8")
    assert {"model.build.factors", "tune.pruner", "split.ratio", "--to"} <= set(_code(options))
    interface = (tmp_path / "reference" / "api.html").read_text(encoding="utf-8")
    for name in set(bakeoff.__all__) - {"run"}:
        assert f'id="bakeoff.{name}"' in interface, name


def _code(page: str) -> list[str]:
    return re.findall(r"[\w.-]+", re.sub(r"<[^>]*>", "", page))


def test_every_public_name_is_in_the_interface_page() -> None:
    page = (DOCS / "reference" / "api.md").read_text(encoding="utf-8")
    names = [line.rsplit(".", 1)[1] for line in page.splitlines() if line.startswith(".. auto")]
    assert sorted(names) == sorted(bakeoff.__all__)
