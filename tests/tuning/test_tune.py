from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bakeoff import config_files
from bakeoff.errors import ModelError
from bakeoff.run.cell import Cell
from bakeoff.storage.store import Store
from bakeoff.tuning.objective import Objective
from bakeoff.tuning.spec import TuningSpec
from bakeoff.tuning.tune import tune
from toys import blocks
from tuning_studies import made, split_of, timeless, with_tuning


def test_the_first_trial_is_the_defaults_and_the_best_is_no_worse(cell: Cell, tmp_path: Path) -> None:
    record = tune(cell, split_of(cell), Store(tmp_path))
    assert record.trials[0].parameters == {"first": 9}
    assert (
        len(record.trials) == 8 == record.count("complete") + record.count("pruned") + record.count("failed")
    )
    assert record.best_value >= record.default
    json.dumps(msgspec.to_builtins(record), allow_nan=False)


def test_the_best_value_is_what_the_objective_gives_for_it(cell: Cell, tmp_path: Path) -> None:
    record = tune(cell, split_of(cell), Store(tmp_path))
    worth = Objective(cell, split_of(cell), TuningSpec.of(cell.tune or {}))
    assert worth(record.best_parameters) == (record.best_value,)


def test_the_test_part_cannot_reach_the_tuner(cell: Cell, tmp_path: Path) -> None:
    split = split_of(cell)
    planted = split.test.copy()
    planted.data[:] = 1e6  # recognisable by value, and below by place
    moved = replace(split, test=planted[:, ::-1].tocsr(), users=split.users[:3])
    honest = tune(cell, split, Store(tmp_path / "a"))
    leaking = tune(cell, moved, Store(tmp_path / "b"))
    assert timeless(honest) == timeless(leaking)


@pytest.mark.parametrize("model", ["als", "bpr"])
def test_users_and_items_of_test_alone_do_not_move_a_search(model: str, tmp_path: Path) -> None:
    rows = blocks()
    known = [
        f"{rows.user_ids.values[u]},{rows.item_ids.values[i]}"
        for u, i in zip(rows.users, rows.items, strict=True)
    ]
    cold = [f"new{n},{item}" for n in range(40) for item in ("i000", "x", "y", "z")]
    for name, lines in (("train", known[::2]), ("test", known[1::2]), ("cold", [*known[1::2], *cold])):
        (tmp_path / f"{name}.csv").write_text("\n".join(["user,item", *lines]) + "\n", encoding="utf-8")
    config = config_files.read(config_files.folder() / "model" / f"{model}.yaml")
    space = {k: v for k, v in config["space"].items() if k not in ("factors", "iterations")}
    dataset = {"_target_": "bakeoff.data.readers.Table", "name": "t", "path": str(tmp_path / "train.csv")}

    def search(test: str) -> Any:
        split = {
            "_target_": "bakeoff.splits.predefined.Predefined",
            "name": "predefined",
            "table": dataset,
            "test": str(tmp_path / test),
        }
        one = Cell(
            dataset=dataset,
            split=split,
            model={**config, "build": {**config["build"], "factors": 4, "iterations": 5}, "space": space},
            tune={"trials": 6, "metric": "ndcg@5", "sampler": "random"},
            depth=10,
        )
        return timeless(tune(one, split_of(one), Store(tmp_path / f"store of {test}")))

    assert search("test.csv") == search("cold.csv")


def test_the_inner_split_of_a_temporal_split_never_looks_ahead(cell: Cell) -> None:
    temporal = replace(cell, split={"_target_": "bakeoff.splits.temporal.Temporal", "name": "temporal"})
    split = split_of(temporal)
    worth = Objective(temporal, split, TuningSpec.of(temporal.tune or {}))
    inner = worth.validations[0].inner
    seen = inner.train
    assert seen.times is not None and split.train.times is not None
    outer = {
        (u, i) for u, i in zip(split.train.users, split.train.item_ids.values[split.train.items], strict=True)
    }
    held = inner.test.tocoo()
    names = inner.train.item_ids.values[held.col]
    time_of = {
        (u, i): t
        for u, i, t in zip(
            split.train.users, split.train.item_ids.values[split.train.items], split.train.times, strict=True
        )
    }
    assert all((u, i) in outer for u, i in zip(held.row, names, strict=True))
    assert min(time_of[u, i] for u, i in zip(held.row, names, strict=True)) > seen.times.max()


def test_parameters_tried_before_are_answered_from_memory_and_count(cell: Cell, tmp_path: Path) -> None:
    space = {"first": {**cell.model["space"]["first"], "low": 8, "high": 9}}
    small = replace(cell, model={**cell.model, "space": space})
    record = tune(small, split_of(small), Store(tmp_path))
    assert len(record.trials) == 8 and record.n_from_memory >= 6
    values: dict[str, set[Any]] = {}
    for trial in record.trials:
        values.setdefault(str(trial.parameters), set()).add(trial.value)
    assert all(len(v) == 1 for v in values.values())


def test_a_failing_trial_is_recorded_and_the_study_goes_on(cell: Cell, tmp_path: Path) -> None:
    failing = made(cell, fails_at=9)
    record = tune(failing, split_of(failing), Store(tmp_path))
    assert record.trials[0].state == "failed"
    assert record.trials[0].reason == "ValueError: diverged"
    assert record.default is None and record.count("complete") + record.count("pruned") >= 1


def test_a_study_without_a_value_fails_with_the_reasons(cell: Cell, tmp_path: Path) -> None:
    space = {"first": {**cell.model["space"]["first"], "low": 9, "high": 9}}
    broken = made(replace(cell, model={**cell.model, "space": space}), fails_at=9)
    with pytest.raises(ModelError, match="none of 8 trials has a value: ValueError: diverged"):
        tune(broken, split_of(broken), Store(tmp_path))


def test_a_finished_study_is_not_run_again(cell: Cell, tmp_path: Path) -> None:
    first = tune(cell, split_of(cell), Store(tmp_path))
    assert tune(cell, split_of(cell), Store(tmp_path)) == first


def test_the_storage_is_not_in_the_key_and_the_budget_is(cell: Cell) -> None:
    assert with_tuning(cell, storage="sqlite:///x.db").key == cell.key
    assert with_tuning(cell, trials=9).key != cell.key


def test_a_torn_last_line_of_the_journal_is_cut_off(cell: Cell, tmp_path: Path) -> None:
    first = tune(cell, split_of(cell), Store(tmp_path))
    journal = tmp_path / "studies" / f"{cell.key}.log"
    with journal.open("ab") as file:
        file.write(b'{"op_code": 4, "wor')
    assert tune(cell, split_of(cell), Store(tmp_path)) == first
    assert tune(cell, split_of(cell), Store(tmp_path)) == first


def test_a_budget_in_seconds_is_said_to_be_unrepeatable(cell: Cell, tmp_path: Path) -> None:
    timed = with_tuning(made(cell, wait=0.02), trials=None, seconds=0.1)
    record = tune(timed, split_of(timed), Store(tmp_path))
    assert record.notes == ("a budget in seconds is not repeatable",)
    assert record.seconds >= 0.1
