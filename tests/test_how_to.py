"""The how-to pages are true: the files of each are written, and its commands run in order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import commands

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "how-to").glob("*.md"))
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_every_command_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    ran = 0
    for language, name, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        if name:
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_text(text, encoding="utf-8")
        for line in text.splitlines() if language == "bash" else ():
            done = commands.run_line(line, work)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            ran += 1
    assert ran


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_files_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    written = {name for _, name, _ in BLOCK.findall(text)}
    for name in {*re.findall(r"\b(?:conf|constraints)/[\w./-]*\w", text)} - written:
        assert (ROOT / name).exists(), name
