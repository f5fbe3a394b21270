from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from scipy import sparse

from bakeoff.run.cell import Cell
from bakeoff.storage.store import Store
from bakeoff.tuning import objective
from bakeoff.tuning.objective import PrecomputeCache, expected_fits, size
from bakeoff.tuning.space import parse
from bakeoff.tuning.spec import TuningSpec
from bakeoff.tuning.tune import tune
from tuning_studies import split_of, timeless
from tuning_toys import Shares

INT = "optuna.distributions.IntDistribution"
FLOAT = "optuna.distributions.FloatDistribution"
CHOICES = "optuna.distributions.CategoricalDistribution"
FIRST = {"_target_": INT, "low": 0, "high": 11}


@pytest.fixture(autouse=True)
def _nothing_shared_yet() -> None:
    Shares.prepared_with.clear()
    Shares.handed.clear()


def of(cell: Cell, target: str, space: dict[str, Any], trials: int = 8, **build: Any) -> Cell:
    model = {"name": "toy", "build": {"_target_": target, **build}, "space": space}
    return replace(cell, model=model, tune={**(cell.tune or {}), "trials": trials})


def test_one_preparation_serves_all_trials_that_may_share_it(cell: Cell, tmp_path: Path) -> None:
    noisy = {"first": FIRST, "noise": {"_target_": CHOICES, "choices": [0, 1]}}
    toy = of(cell, "tuning_toys.Shares", noisy, trials=12, first=13)
    record = tune(toy, split_of(toy), Store(tmp_path))
    assert sorted(Shares.prepared_with) == [(0, 13, 6), (1, 13, 6)]  # the largest: of the space or configured
    fitted = [t for t in record.trials if not t.from_memory]
    assert len(Shares.handed) == len(fitted)
    assert all(prepared is not None for prepared in Shares.handed)


def test_nothing_is_shared_where_another_axis_has_no_steps(cell: Cell, tmp_path: Path) -> None:
    endless = {"first": FIRST, "wait": {"_target_": FLOAT, "low": 0.0, "high": 0.001}}
    toy = of(cell, "tuning_toys.Shares", endless)
    tune(toy, split_of(toy), Store(tmp_path))
    assert Shares.prepared_with == []
    assert Shares.handed == [None] * len(Shares.handed)


def test_the_record_says_why_nothing_was_shared(cell: Cell, tmp_path: Path) -> None:
    toy = of(cell, "tuning_toys.Shares", {"first": FIRST}, too_large=True)
    record = tune(toy, split_of(toy), Store(tmp_path))
    assert record.notes == ("no work was shared between trials: there is no room for it",)
    assert record.count("complete") + record.count("pruned") == 8
    assert tune(toy, split_of(toy), Store(tmp_path)) == record


@pytest.mark.parametrize("target", ["bakeoff.models.neighbours.ItemKNN", "bakeoff.models.linear.EASE"])
def test_a_study_that_shares_is_the_study_that_does_not(cell: Cell, tmp_path: Path, target: str) -> None:
    axis = {"K": {"_target_": INT, "low": 2, "high": 12}}
    if target.endswith("EASE"):
        axis = {"l2": {"_target_": FLOAT, "low": 1.0, "high": 100.0, "log": True}}
    weights = {"_target_": CHOICES, "choices": ["none", "log1p"]}
    model = of(cell, target, {**axis, "weights": weights}, trials=12)
    sharing = tune(model, split_of(model), Store(tmp_path / "a"))
    with patch.object(objective, "expected_fits", return_value=1):
        plain = tune(model, split_of(model), Store(tmp_path / "b"))
    assert timeless(sharing) == timeless(plain)


def test_how_many_trials_may_share_follows_from_space_and_budget(cell: Cell) -> None:
    three = {"_target_": CHOICES, "choices": [0, 1, 2]}
    space = parse(of(cell, "tuning_toys.Shares", {"first": FIRST, "noise": three}).model)
    assert expected_fits(space, TuningSpec(trials=50), {"first": 4, "noise": 1}, ("first",)) == 16
    assert (
        expected_fits(space, TuningSpec(trials=50), {"first": 4, "noise": 7}, ("first",)) == 1
    )  # outside of the space
    assert expected_fits(space, TuningSpec(trials=2), {"first": 4, "noise": 1}, ("first",)) == 1
    assert (
        expected_fits(space, TuningSpec(trials=None, seconds=9.0), {"first": 4, "noise": 1}, ("first",)) == 2
    )
    assert expected_fits(space, TuningSpec(trials=72), {"first": 4, "noise": 1}, ("noise",)) == 6


def test_what_was_used_longest_ago_is_let_go_when_room_is_short(cell: Cell) -> None:
    noisy = {"first": FIRST, "noise": {"_target_": CHOICES, "choices": [0, 1, 2]}}
    toy = of(cell, "tuning_toys.Shares", noisy, trials=50)
    train, tuning = split_of(toy).train, TuningSpec.of(toy.tune or {})

    @dataclass
    class Free:
        available: float

    def ask(work: PrecomputeCache, noise: int) -> None:
        assert work.get(Shares(noise=noise), {"first": 1, "noise": noise}, 0, train)[0] is not None

    one = size(np.arange(train.n_items))
    for room, prepared in ((2.5 * one, [0, 1, 2, 1]), (99 * one, [0, 1, 2])):
        Shares.prepared_with.clear()
        work = PrecomputeCache(toy, parse(toy.model), tuning)
        with patch("psutil.virtual_memory", return_value=Free(room / objective._MEMORY_SHARE)):
            for noise in (0, 1, 0, 2, 0, 1):
                ask(work, noise)
        assert [noise for noise, *_ in Shares.prepared_with] == prepared


def test_size_is_that_of_the_arrays_inside() -> None:
    @dataclass
    class Holds:
        one: Any
        more: Any

    matrix = sparse.csr_matrix(np.eye(3, dtype=np.float32))
    whole = matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes
    assert size(matrix) == whole
    assert size(Holds(np.zeros(4), {"a": [matrix, "text"], "b": None})) == 32 + whole
