"""Every label that an output prints is read back by every command that takes a model."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

import bakeoff as bo
from bakeoff.cli import main
from bakeoff.errors import UsageError

TOYS = f"--config-dir={Path(__file__).parent / 'conf'}"
PLAIN = "als (factors=8,iterations=3)"
TUNED = "als (factors=8,iterations=3, tune=optuna)"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment with two rows of one model: as configured, and tuned."""
    folder = tmp_path_factory.mktemp("labels") / "results"
    parameters = ["model.build.factors=8", "model.build.iterations=3", "tune.trials=2", "tune.metric=ndcg@3"]
    tune = ["tune=none,optuna", "baselines=[popularity]", f"results_dir={folder}"]
    bo.run(
        TOYS, *parameters, *tune, dataset="blocks", model="als", k=[3], depth=8, name="lab", save_model=True
    )
    return folder


def rows(results: Path) -> dict[tuple[str, str], dict[str, str]]:
    text = (results / "lab" / "cells.csv").read_text(encoding="utf-8")
    return {(row["model"], row["tune"]): row for row in csv.DictReader(io.StringIO(text))}


def test_a_message_offers_labels_that_the_same_command_accepts(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["name=lab", f"results_dir={results}", "statistics.resamples=100"]
    assert main(["compare", "als", "popularity", *words]) == 2
    err = capsys.readouterr().err
    offered = re.findall(r"'(als \([^']*\))'", err)
    assert offered == [PLAIN, TUNED], err
    for label in offered:
        assert main(["compare", label, "popularity", *words]) == 0
        assert f"{label} against popularity" in capsys.readouterr().out
    key = rows(results)["als", "optuna"]["key"]
    assert main(["compare", key, PLAIN, *words]) == 0
    assert f"{TUNED} against {PLAIN}" in capsys.readouterr().out


@pytest.mark.parametrize("models", [TUNED, f"'{TUNED}'", TUNED.replace(", tune", ",tune")])
def test_recommend_takes_labels_and_lists_of_them(
    results: Path, models: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["recommend", "lab", "--user", "u001", "k=3", "--format", "json", f"results_dir={results}"]
    assert main([*words, f"models={models}"]) == 0
    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert (model["model"], model["key"]) == (TUNED, rows(results)["als", "optuna"]["key"])
    assert main([*words, f"models=popularity,{models}"]) == 0
    assert [m["model"] for m in json.loads(capsys.readouterr().out)["models"]] == ["popularity", TUNED]
    assert main([*words, "models=als"]) == 0
    assert [m["model"] for m in json.loads(capsys.readouterr().out)["models"]] == [PLAIN, TUNED]


def test_a_near_miss_in_letter_case_is_answered_with_the_label(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "ALS", "popularity", "name=lab", f"results_dir={results}"]) == 2
    assert "did you mean 'als'" in capsys.readouterr().err


def test_the_notebook_takes_labels(results: Path) -> None:
    run = bo.load(results / "lab")
    (row,) = run.compare(TUNED, "popularity", k=3).to_dict("records")
    assert (row["first"], row["second"]) == (TUNED, "popularity")
    assert set(run.compare("als", "popularity", k=3)["first"]) == {PLAIN, TUNED}
    assert set(run.lists(PLAIN)["key"]) == {rows(results)["als", "none"]["key"]}
    assert set(run.lists("als")["model"]) == {PLAIN, TUNED}
    assert set(run.lists(tune="optuna")["model"]) == {TUNED}
    with pytest.raises(UsageError, match="did you mean"):
        run.lists("als (factors=9,iterations=3)")


def test_report_verify_and_export_take_the_same_filter(results: Path, tmp_path: Path) -> None:
    from bakeoff import commands
    from bakeoff.queries.select import CellFilter

    only = CellFilter(models=TUNED)
    assert commands.export("lab", results, tmp_path / "out", only) == 0
    assert [p.name for p in (tmp_path / "out").iterdir()] == [rows(results)["als", "optuna"]["key"]]
    assert commands.verify("lab", results, [], only) == 0
    with pytest.raises(UsageError, match="choose one of"):
        commands.export("lab", results, tmp_path / "none", CellFilter(models="warp"))


def test_every_output_prints_the_same_label(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "lab", f"results_dir={results}"]) == 0
    terminal = capsys.readouterr().out.replace("\n", " ")
    assert "tune=optuna" in terminal and "tuned)" not in terminal
    for name in ("report.md", "report.html"):
        text = (results / "lab" / name).read_text(encoding="utf-8")
        assert "factors=8,iterations=3, tune=optuna" in text, name
        assert ",tune=optuna" not in text and ", tuned)" not in text, name


def test_params_from_takes_a_label(results: Path) -> None:
    from bakeoff.queries.params_from import stored_cell

    for label, tune in ((PLAIN, "none"), (TUNED, "optuna")):
        assert stored_cell(f"lab/{label}", results, "params_from").key == rows(results)["als", tune]["key"]
