"""The command line itself: help, names, exit codes, and what it does not load."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bakeoff import __version__, cli, config_files

SLOW_TO_LOAD = ("numpy", "scipy", "pandas", "hydra", "omegaconf", "rich")


def test_the_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"bakeoff {verb}" in shown for verb in cli.VERBS)


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_command_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([verb, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"bakeoff {verb}")


@pytest.mark.parametrize("verb", cli.HYDRA_VERBS)
def test_the_help_names_what_exists(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main([verb, "--help"])
    shown = capsys.readouterr().out
    assert all(
        name in shown for group in ("dataset", "split", "model") for name in config_files.options(group)
    )


def test_help_loads_no_library() -> None:
    code = (
        "import sys; from bakeoff.cli import main; main(['--help']); main(['run', '--help']); "
        f"sys.exit(','.join(m for m in {SLOW_TO_LOAD!r} if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == "" or done.stderr == "\n", done.stderr


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"bakeoff {__version__}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["repotr"], "report"),
        (["report"], "expected one name"),
        (["report", "x", "kk=3"], "is not an option"),
        (["report", "x", "k=[]"], "k=[] names none"),
        (["export", "x"], "--to DIR"),
        (["compare", "a", "b", "name=x", "--gate"], "gate= has no value"),
        (["compare", "a", "b", "name=x", "--gate="], "gate= has no value"),
        (["recommend", "x", "--items", " , "], "names no item"),
        (["report", "\x1b[31m\u202ex"], r"'\x1b[31m\u202ex'"),
    ],
)
def test_a_wrong_word_is_one_line_and_exit_code_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and said in shown.err and shown.err.count("\n") == 1
