"""A cell's final hyperparameters, taken to other cells and into a YAML."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from bakeoff.errors import UsageError
from bakeoff.queries.params_from import stored_cell, with_params_from, write
from bakeoff.run.cell import Cell
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.record import CellRequest, Record
from bakeoff.storage.store import Store
from conftest import Bakeoff

HOSTILE = "als\n<script>"


def a_cell(factors: int, **more: Any) -> Cell:
    return Cell(
        dataset={"_target_": "toys.Blocks", "name": HOSTILE},
        split={"_target_": "bakeoff.splits.per_user.Random", "name": "random"},
        model={
            "name": more.pop("name", "als"),
            "build": {"_target_": "bakeoff.models.implicit.ALS", "factors": factors},
            "space": {"factors": {"_target_": "optuna.distributions.IntDistribution", "low": 1, "high": 9}},
        },
        **more,
    )


def stored(results: Path, *cells: Cell, status: Any = "done") -> list[str]:
    for cell in cells:
        parameters = {"factors": cell.model_build["factors"] + 100, "alpha": 3.5}
        record = Record(cell.key, status, "", cell, parameters=parameters)
        Store(results / "store").write_record(record)
    Experiment("first").with_cells([CellRequest(c.key, c) for c in cells], "").write(results / "first")
    return [c.key for c in cells]


MINE = {"name": "als", "build": {"_target_": "bakeoff.models.implicit.ALS", "factors": 64, "alpha": 1.0}}


def test_the_final_values_take_the_place_of_the_configured_ones(tmp_path: Path) -> None:
    (key,) = stored(tmp_path, a_cell(7))
    build = with_params_from(MINE, key, tmp_path)["build"]
    assert build == {"_target_": "bakeoff.models.implicit.ALS", "factors": 107, "alpha": 3.5}
    assert with_params_from(MINE, key, tmp_path, given={"factors"})["build"]["factors"] == 64


def test_an_experiments_only_cell_of_a_model_needs_no_key(tmp_path: Path) -> None:
    keys = stored(tmp_path, a_cell(7), a_cell(8, name="other"))
    assert stored_cell("first/als", tmp_path, "params_from").key == keys[0]


def test_of_several_the_only_tuned_one_is_meant(tmp_path: Path) -> None:
    keys = stored(tmp_path, a_cell(7), a_cell(8, tune={"trials": 3}))
    assert stored_cell("first/als", tmp_path, "params_from").key == keys[1]


def test_what_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    keys = stored(tmp_path, a_cell(7), a_cell(8), a_cell(9, name="other"))
    (failed,) = stored(tmp_path / "failed", a_cell(7), status="failed")
    for reference, expected in {
        "c123": r"params_from=c123: no such cell",
        "first/als": rf"several cells: .*{keys[0]}.*{keys[1]}",
        "first/asl": r"model 'asl': did you mean 'als'",
        "frist/als": r"'frist' in .*did you mean 'first'",
    }.items():
        with pytest.raises(UsageError, match=expected):
            stored_cell(reference, tmp_path, "params_from")
    with pytest.raises(UsageError, match="the cell was failed"):
        stored_cell(failed, tmp_path / "failed", "params_from")
    warp = {"name": "warp", "build": {"_target_": "bakeoff.models.lightfm.LightFM", "loss": "warp"}}
    with pytest.raises(UsageError, match=r"'als' is a bakeoff\.models\.implicit\.ALS, and model 'warp' a"):
        with_params_from(warp, keys[0], tmp_path)


def test_a_preset_is_an_option_of_the_group_model(tmp_path: Path) -> None:
    (key,) = stored(tmp_path, a_cell(7))
    path = tmp_path / "my_conf" / "model" / "mine.yaml"
    write(key, path, tmp_path)
    text = path.read_text()
    assert yaml.safe_load(text) == {
        "name": "mine",
        "build": {"_target_": "bakeoff.models.implicit.ALS", "factors": 107, "alpha": 3.5},
        "space": dict(a_cell(7).model["space"]),
    }
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert key in comments[0] and json.dumps(HOSTILE) in comments[1]
    with pytest.raises(UsageError, match="the file exists"):
        write(key, path, tmp_path)
    with pytest.raises(UsageError, match=r"expected DIR/model/NAME\.yaml"):
        write(key, tmp_path / "mine.yaml", tmp_path)


TOY = ("dataset=blocks", "split=random", "baselines=[]", "k=[3]", "depth=10")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_tuned_values_by_key_by_hand_and_by_preset_are_one_cell(bakeoff: Bakeoff, tmp_path: Path) -> None:
    results = tmp_path / "results"
    done = bakeoff(
        "run", *TOY, "model=starts_at", "tune=optuna", "tune.trials=9", "tune.metric=ndcg@3", "name=t"
    )
    assert done.returncode == 0, done.stderr
    (tuned,) = rows(results / "t" / "cells.csv")
    first = json.loads(tuned["parameters"])["first"]
    assert first != 9

    assert bakeoff("run", *TOY, "model=starts_at", "params_from=t/starts_at", "name=a").returncode == 0
    (taken,) = rows(results / "a" / "cells.csv")
    values = json.loads(tuned["parameters"])
    by_hand = [f"model.build.{parameter}={values[parameter]}" for parameter in ("first", "noise")]
    assert bakeoff("run", *TOY, "model=starts_at", *by_hand, "name=b").returncode == 0
    (given,) = rows(results / "b" / "cells.csv")
    same = ("key", "variant", "parameters", "tune")
    assert [taken[c] for c in same] == [given[c] for c in same]
    assert f"first={first}" in taken["variant"] and taken["tune"] == "none"

    out = bakeoff("export", tuned["key"], "--preset", "mine/model/tuned_toy.yaml", "--trust")
    assert out.returncode == 0, out.stderr
    out = bakeoff("run", *TOY, "model=tuned_toy", f"hydra.searchpath=[file://{tmp_path}/mine]", "name=c")
    assert out.returncode == 0, out.stderr
    (preset,) = rows(results / "c" / "cells.csv")
    assert (preset["key"], preset["model"], preset["variant"]) == (taken["key"], "tuned_toy", "")
    measured = [{(r["metric"], r["value"]) for r in rows(results / n / "metrics.csv")} for n in "tac"]
    assert measured[0] == measured[1] == measured[2]

    wrong = bakeoff("run", *TOY, "model=by_item", f"params_from={tuned['key']}", "name=d")
    assert wrong.returncode == 2 and wrong.stderr.count("\n") == 1 and "toys.ByItem" in wrong.stderr
    unknown = bakeoff("run", *TOY, "model=starts_at", "params_from=c000", "name=d")
    assert unknown.returncode == 2 and "no such cell" in unknown.stderr
