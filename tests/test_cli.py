"""The command line itself: help, options, and what it does not load. Refusals are in test_messages.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bakeoff import __version__, cli, commands, config_files
from bakeoff.queries.compare import CompareRequest
from bakeoff.run.naming import split_list

COMMANDS = list(cli.bakeoff.commands)
HYDRA_COMMANDS = [name for name, c in cli.bakeoff.commands.items() if isinstance(c, cli.HydraCommand)]
SLOW_TO_LOAD = ("numpy", "scipy", "pandas", "hydra", "omegaconf", "rich")


def test_the_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    without_words = capsys.readouterr().out
    assert cli.main(["--help"]) == 0
    assert capsys.readouterr().out == without_words
    assert all(f"\n  {command} " in without_words for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_all_its_options(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert cli.main(["help", command]) == 0
    assert capsys.readouterr().out == shown
    assert all(
        flag in shown for p in cli.bakeoff.commands[command].params for flag in p.opts if flag[0] == "-"
    )


@pytest.mark.parametrize("command", HYDRA_COMMANDS)
def test_the_help_names_every_group_option_and_key(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main([command, "--help"])
    words = set(capsys.readouterr().out.replace(",", " ").split())
    assert words >= {option for group in config_files.groups() for option in config_files.options(group)}
    assert words >= {f"--{key.replace('_', '-')}" for key in config_files.scalars() if key != "statistics"}


def test_help_loads_no_library() -> None:
    code = (
        "import sys; from bakeoff.cli import main; main(['--help']); main(['run', '--help']); "
        f"sys.exit(','.join(m for m in {SLOW_TO_LOAD!r} if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"bakeoff {__version__}\n"


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[CompareRequest]:
    """What `compare` is called with, in place of a comparison."""
    calls: list[CompareRequest] = []

    def compare(request: CompareRequest) -> int:
        calls.append(request)
        return 4

    monkeypatch.setattr(commands, "compare", compare)
    return calls


LABELS = ("als (factors=8,iterations=3, tune=optuna)", 'it\'s "q" (a=[1; 2],b=x=y)')


@pytest.mark.parametrize(
    "options",
    [
        ["name=lab", "k=[5, 10]", "results_dir=r=s", "statistics.seed=3"],
        ["--name", "lab", "--k", "5,10", "--results-dir", "r=s", "--statistics.seed", "3"],
        ["--name=lab", "--k=5, 10", "--results_dir=r=s", "statistics.seed=3"],
    ],
)
def test_names_reach_the_command_whole_and_options_in_any_spelling(
    options: list[str], requests: list[CompareRequest]
) -> None:
    assert cli.main(["compare", *LABELS, *options]) == 4
    (request,) = requests
    assert (request.a, request.b) == LABELS
    assert (request.name, request.ks, request.results) == ("lab", (5, 10), Path("r=s"))
    assert (request.rules.test, request.rules.seed) == ("randomization", 3)


def test_a_word_behind_two_dashes_is_a_name(requests: list[CompareRequest]) -> None:
    assert cli.main(["compare", "name=lab", "--", "k=3", "-x"]) == 4
    assert (requests[0].a, requests[0].b, requests[0].name) == ("k=3", "-x", "lab")


@pytest.mark.parametrize(
    "words",
    [
        ["--models", LABELS[0], "--models", "ease", "--user", "a=b"],
        [f"models={LABELS[0]},ease", "user=a=b"],
        [f"models=['{LABELS[0]}', ease]", "--user=a=b"],
    ],
)
def test_a_list_of_models_may_hold_labels(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(commands, "recommend", lambda *arguments: calls.append(arguments) or 0)
    assert cli.main(["recommend", "lab", *words]) == 0
    name, _, question, cell_filter, *_ = calls[0]
    models = cell_filter.models
    models = split_list(models, []) if isinstance(models, str) else models
    assert (name, question.user) == ("lab", "a=b")
    assert [model.strip("'") for model in models] == [LABELS[0], "ease"]


def test_a_report_takes_names_and_values(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(commands, "report", lambda *arguments: calls.append(arguments) or 0)
    assert cli.main(["report", "--metrics", "ndcg,recall", "name=lab", "--k", "3"]) == 0
    assert calls[0][0] == "lab" and calls[0][2] == [3] and list(calls[0][3]) == ["ndcg", "recall"]


@pytest.mark.parametrize(
    ("words", "overrides"),
    [
        (["model=als", "-m", "k=[5]"], ["model=als", "k=[5]"]),
        (["--model", "als", "--model", "ease"], ["model=als,ease"]),
        (["--k", "5,10", "--k=[1,2]"], ["k=[1,2]"]),
        (["--name", "it's 1", "--split-seed", "1,2"], ["split_seed=1,2", r"name='it\'s 1'"]),
        (["~x", "+y=1", "--config-dir=conf", "seed=1"], ["--config-dir", "conf", "~x", "+y=1", "seed=1"]),
        (["--cfg", "job", "--resolve", "-p", "model"], ["--cfg", "job", "--package", "model", "--resolve"]),
    ],
)
def test_options_become_overrides(
    words: list[str], overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from bakeoff.config import compose

    calls: list[Any] = []
    monkeypatch.setattr(compose, "main", lambda command, words: calls.append((command, words)) or 0)
    assert cli.main(["plan", *words]) == 0
    command, given = calls[0]
    assert command == "plan" and sorted(given) == sorted(overrides)


def test_the_configuration_is_printed_as_by_any_hydra_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import yaml

    monkeypatch.chdir(tmp_path)
    assert cli.main(["run", "model=external", "model.path=x.csv", "seed=7", "--cfg", "job", "--resolve"]) == 0
    job = yaml.safe_load(capsys.readouterr().out)
    assert job["seed"] == 7 and job["model"]["build"]["path"] == "x.csv" and "hydra" not in job
    assert cli.main(["run", "-c", "hydra", "-p", "hydra.mode"]) == 0
    assert "MULTIRUN" in capsys.readouterr().out
    assert cli.main(["run", "--cfg", "job", "-p", "tune", "tune=optuna", "tune.trials=3"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["trials"] == 3
    assert list(tmp_path.iterdir()) == []


def test_control_characters_of_a_name_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", "\x1b[31m\u202ex"]) == 2
    shown = capsys.readouterr().err
    assert r"\x1b[31m\u202ex" in shown and shown.isprintable() is False and shown.count("\n") == 1
    assert "\x1b" not in shown and "\u202e" not in shown


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(28, "No space left on device", "store/x"), 2, "store/x: No space left on device"),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_what_stops_a_command_gives_its_exit_code(
    error: BaseException,
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(*_: object) -> int:
        raise error

    stdout = sys.stdout
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(commands, "verify", stop)
    assert cli.main(["verify", "lab"]) == code
    if sys.stdout is not stdout:  # a broken pipe replaces it
        sys.stdout.close()
    assert line in capsys.readouterr().err


def test_an_error_of_the_system_without_a_file_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> int:
        raise OSError("no such device")

    monkeypatch.setattr(commands, "verify", stop)
    with pytest.raises(OSError, match="no such device"):
        cli.main(["verify", "lab"])
