"""Refusals, word for word: every command of messages.txt gives the line that stands below it there."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakeoff import cli

MESSAGES = Path(__file__).parent / "messages.txt"
LAB = (
    *("dataset.n_users=60", "dataset.n_items=100", "dataset.n_rows=1200", "depth=10", "k=[5,10]", "name=lab"),
    *("model=als", "model.build.factors=8", "model.build.iterations=3", "tune=none,optuna", "tune.trials=1"),
    "metrics=accuracy",
)


def pairs() -> list[tuple[str, str]]:
    """Return each command and its answer."""
    lines = [line for line in MESSAGES.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    commands = [at for at, line in enumerate(lines) if line.startswith("$ ")]
    ends = [*commands[1:], len(lines)]
    return [(lines[a][2:], "\n".join(lines[a + 1 : b])) for a, b in zip(commands, ends, strict=True)]


def prepare(folder: Path) -> None:
    """Fill the working directory that the commands are given in."""
    (folder / "plays.csv").write_text("user,item,plays\na,x,2\na,y,1\nb,x,1\nb,z,3\n", encoding="utf-8")
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        assert cli.main(["run", *LAB]) == 0


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("lab")
    prepare(folder)
    yield folder


@pytest.mark.parametrize(("command", "expected"), pairs())
def test_a_refusal_is_this_one_line_and_exit_code_2(
    command: str,
    expected: str,
    lab: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(lab)
    assert cli.main(shlex.split(command)[1:]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err == expected + "\n"


def write() -> None:
    """Write the answer of each command anew."""
    lines = [line for line in MESSAGES.read_text(encoding="utf-8").splitlines() if line[:8] != "bakeoff:"]
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        os.chdir(folder)
        for at, line in reversed(list(enumerate(lines))):
            if line.startswith("$ "):
                answer = io.StringIO()
                with contextlib.redirect_stderr(answer):
                    assert cli.main(shlex.split(line)[2:]) == 2, line
                lines.insert(at + 1, answer.getvalue().rstrip("\n"))
        os.chdir(MESSAGES.parent)
    MESSAGES.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(write())
