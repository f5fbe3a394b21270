"""The README is true: its files are written, and its commands run in order in an empty folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import commands

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_every_command_of_the_readme_runs(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    ran = 0
    for language, name, text in BLOCKS:
        if name:
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_text(text, encoding="utf-8")
        elif language == "bash":
            for line in text.splitlines():
                done = commands.run_line(line, work)
                assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
                ran += 1
    assert ran >= 8
    assert list((work / "plain").glob("*/lists.parquet"))


def test_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"`make (\w+)`", README))
    assert {"demo", "test"} <= named <= targets


def test_files_that_the_readme_names_exist() -> None:
    for name in re.findall(r"`((?:conf|docs|constraints)/[\w./-]*)`", README):
        assert (ROOT / name).exists(), name
