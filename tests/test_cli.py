"""The command line itself: help, options, and what it does not load. Refusals are in test_messages.py."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bakeoff import __version__, cli, commands, config_files
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


def record_calls(monkeypatch: pytest.MonkeyPatch, command: str) -> list[dict[str, Any]]:
    """What a command is called with, in place of the command."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(commands, command, lambda **options: calls.append(options) or 4)
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
    options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = record_calls(monkeypatch, "compare")
    assert cli.main(["compare", *LABELS, *options]) == 4
    (call,) = calls
    assert call["names"] == LABELS
    assert (call["name"], call["k"], call["results_dir"]) == ("lab", [5, 10], Path("r=s"))
    assert (call["test_config"].test, call["test_config"].seed) == ("randomization", 3)


def test_a_word_behind_two_dashes_is_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = record_calls(monkeypatch, "compare")
    assert cli.main(["compare", "name=lab", "--", "k=3", "-x"]) == 4
    assert (calls[0]["names"], calls[0]["name"]) == (("k=3", "-x"), "lab")


@pytest.mark.parametrize(
    "words",
    [
        ["--models", LABELS[0], "--models", "ease", "--user", "a=b"],
        [f"models={LABELS[0]},ease", "user=a=b"],
        [f"models=['{LABELS[0]}', ease]", "--user=a=b"],
    ],
)
def test_a_list_of_models_may_hold_labels(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    calls = record_calls(monkeypatch, "recommend")
    assert cli.main(["recommend", "lab", *words]) == 4
    models = calls[0]["cells"].models
    models = split_list(models, []) if isinstance(models, str) else models
    assert (calls[0]["name"], calls[0]["user"]) == ("lab", "a=b")
    assert [model.strip("'") for model in models] == [LABELS[0], "ease"]


def test_a_report_takes_names_and_values(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = record_calls(monkeypatch, "report")
    assert cli.main(["report", "--metrics", "ndcg,recall", "name=lab", "--k", "3", "fold=1"]) == 4
    (call,) = calls
    assert (call["name"], call["results_dir"], call["k"]) == ("lab", Path("results"), [3])
    assert list(call["metrics"]) == ["ndcg", "recall"]
    assert call["cells"].fold == 1 and call["test_config"].test == "t" and call["form"] == "table"


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
def test_options_become_overrides(words: list[str], overrides: list[str]) -> None:
    assert sorted(cli.command_line("plan", words).words) == sorted(overrides)


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
    def stop(**_: object) -> int:
        raise error

    stdout = sys.stdout
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(commands, "verify", stop)
    assert cli.main(["verify", "lab"]) == code
    if sys.stdout is not stdout:  # a broken pipe replaces it
        sys.stdout.close()
    assert line in capsys.readouterr().err


def test_an_error_of_the_system_without_a_file_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(**_: object) -> int:
        raise OSError("no such device")

    monkeypatch.setattr(commands, "verify", stop)
    with pytest.raises(OSError, match="no such device"):
        cli.main(["verify", "lab"])


# -- answers and messages ------------------------------------------------------------------------------

TINY = (
    *("dataset.n_users=40", "dataset.n_items=60", "dataset.n_rows=600", "depth=5", "k=[5]", "name=tiny"),
    *("model=ease", "metrics=[ndcg,gini]", "model.build.l2=1,2"),
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with a stored experiment; what its first run printed is in out and log."""
    folder = tmp_path_factory.mktemp("tiny")
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as out:
        assert cli.main(["run", *TINY, "--format", "json", "--log", "logs/run.txt"]) == 0
    (folder / "out").write_text(out.getvalue())
    return folder


@pytest.fixture
def answer(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., dict[str, Any]]:
    """Runs a command beside the stored experiment and returns its JSON document."""
    monkeypatch.chdir(tiny)

    def run(*words: str, code: int = 0) -> dict[str, Any]:
        assert cli.main([*words, "--format", "json"]) == code
        document = json.loads(capsys.readouterr().out)
        assert isinstance(document, dict)
        return document

    return run


def test_a_run_and_a_report_answer_with_the_rows_of_their_tables(
    tiny: Path, answer: Callable[..., dict[str, Any]]
) -> None:
    documents = json.loads((tiny / "out").read_text()), answer("report", "tiny", "--metrics", "ndcg,gini")
    for document in documents:
        for name in ("cells", "metrics"):
            with (tiny / "results" / "tiny" / f"{name}.csv").open(newline="") as file:
                rows = list(csv.DictReader(file))
            assert [list(row) for row in document[name]] == [["experiment", *row] for row in rows]
            assert [row["key"] for row in document[name]] == [row["key"] for row in rows]
        assert document["experiments"] == {"tiny": str(Path("results/tiny"))}
    assert {row["variant"] for row in documents[0]["cells"] if row["model"] == "ease"} == {"l2=1", "l2=2"}
    assert documents[0]["cells"][0]["parameters"]["l2"] in (1, 2)
    assert documents[0]["metrics"] == documents[1]["metrics"]
    means = [row["mean"] for row in documents[0]["leaderboard"] if row["metric"] == "ndcg"]
    assert len(means) == 4 and means == sorted(means, reverse=True)


def test_a_plan_answers_with_a_row_for_each_cell(answer: Callable[..., dict[str, Any]]) -> None:
    rows = answer("plan", *TINY[:6], "model=ease,itemknn_cosine", "seed=1,2")["cells"]
    status = {(row["model"], row["seed"]): row["status"] for row in rows}
    assert status["itemknn_cosine", 1] == "to run" and status["popularity", 2] == "stored"
    assert all(row["estimated_s"] is None for row in rows if row["status"] == "stored")


def test_other_commands_answer_with_one_document(answer: Callable[..., dict[str, Any]]) -> None:
    compared = answer("compare", "ease (l2=1)", "popularity", "gate=ndcg@5", "statistics.test=t")
    (comparison,) = compared["comparisons"]
    assert compared["answer"] == comparison["answer"] == "PROMOTED"
    ndcg = next(row for row in comparison["metrics"] if row["metric"] == "ndcg")
    assert ndcg["low"] < ndcg["difference"] == ndcg["candidate"] - ndcg["baseline"] < ndcg["high"]
    verdict = answer("verify", "tiny", "references=[]")
    assert verdict["agrees"] is True and verdict["n_cells"] == 4 and verdict["faults"] == []
    (description,) = answer("describe", *TINY)["datasets"]
    assert description["users"] == 40 and len(description["splits"]) == 1
    exported = answer("export", "tiny", "--to", "plain", "models=ease (l2=1)")["cells"]
    assert len(exported) == 1 and all(
        (Path(exported[0]["folder"]) / f).exists() for f in exported[0]["files"]
    )
    assert answer("list", "experiments")["experiments"][0]["name"] == "tiny"
    assert answer("show", "experiment", "tiny")["status"] == {"done": 4}


def test_what_was_exported_is_said(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tiny)
    assert cli.main(["export", "tiny", "--to", "tables"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and all("lists.parquet" in line for line in lines)
    assert {Path(line.split()[1].rstrip(":")) for line in lines} == set(Path("tables").iterdir())


def test_a_rerun_says_that_nothing_is_to_be_done(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tiny)
    assert cli.main(["run", *TINY]) == 0
    shown = capsys.readouterr()
    assert shown.err == "bakeoff: nothing to run: all 4 cells are stored\n"
    assert "ease (l2=1)" in shown.out
    assert cli.main(["run", *TINY, "--quiet"]) == 0
    quiet = capsys.readouterr()
    assert quiet.err == "" and quiet.out == shown.out
    assert cli.main(["run", *TINY, "-v"]) == 0
    assert capsys.readouterr().err.count("\n") > 1


def test_the_log_file_has_every_message_with_its_time(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (tiny / "logs" / "run.txt").read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO) ", line) for line in lines)
    assert len([line for line in lines if "DEBUG done: " in line]) == 4
    monkeypatch.chdir(tiny)
    assert cli.main(["report", "tiny", "k=[99]", "--log", "log.txt", "-q"]) == 2
    assert "ERROR k=99" in Path("log.txt").read_text()
    assert capsys.readouterr().err.count("\n") == 1
