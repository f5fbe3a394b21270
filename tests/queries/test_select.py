"""Cells are selected by names, labels, keys and seeds, in one language."""

from __future__ import annotations

from typing import Any

import pytest

from bakeoff.errors import UsageError
from bakeoff.queries.select import CellFilter, Result, one_cell, select
from bakeoff.run.cell import Cell
from bakeoff.storage.record import CellRequest, Record

TUNE = {"name": "optuna", "trials": 2}


def request(
    model: str, key: str, dataset: str = "blocks", fold: int | None = None, **more: Any
) -> CellRequest:
    split = {"_target_": "bakeoff.splits.per_user.Random", "name": "random"}
    cell = Cell(
        dataset={"_target_": "toys.Blocks", "name": dataset},
        split=split if fold is None else {**split, "name": "kfold", "fold": fold},
        model={"name": model, "build": {"_target_": "toys.Model"}},
        **more,
    )
    return CellRequest(key, cell)


CELLS = [
    request("als", "c1", variant="factors=8"),
    request("als", "c2", variant="factors=8", tune=TUNE),
    request("als", "c3", variant="factors=8", seed=2),
    request("ease", "c4", dataset="plays", dataset_variant="n_users=9"),
    request("ease", "c5", fold=1),
    request("ease", "c6", fold=2, split_seed=7),
]


@pytest.mark.parametrize(
    ("which", "keys"),
    [
        ({}, ["c1", "c2", "c3", "c4", "c5", "c6"]),
        ({"dataset": "plays"}, ["c4"]),
        ({"dataset": "plays (n_users=9)"}, ["c4"]),
        ({"split": "kfold"}, ["c5", "c6"]),
        ({"fold": 2}, ["c6"]),
        ({"split_seed": 7}, ["c6"]),
        ({"seed": 2}, ["c3"]),
        ({"tune": "none", "models": "als"}, ["c1", "c3"]),
        ({"tune": "optuna"}, ["c2"]),
        ({"models": "als (factors=8)"}, ["c1", "c3"]),
        ({"models": "als (factors=8, tune=optuna)"}, ["c2"]),
        ({"models": "ease, als (factors=8, tune=optuna)", "dataset": "blocks"}, ["c5", "c6", "c2"]),
        ({"models": ["c3", "als"]}, ["c3", "c1", "c2"]),
    ],
)
def test_a_filter_keeps_the_cells_that_have_all_of_its_values(which: dict[str, Any], keys: list[str]) -> None:
    assert [r.key for r in select(CELLS, CellFilter(**which))] == keys
    results = [Result(r, Record(key=r.key, status="done", reason="", cell=r.cell)) for r in CELLS]
    assert [r.request.key for r in select(results, CellFilter(**which))] == keys


@pytest.mark.parametrize(
    ("which", "offer"),
    [
        ({"dataset": "Plays"}, "did you mean 'plays'"),
        ({"split": "kfolds"}, "did you mean 'kfold'"),
        ({"models": "ALS"}, "'als (factors=8)', 'als (factors=8, tune=optuna)', 'ease'"),
        ({"seed": 3}, "choose one of: 1, 2"),
        ({"fold": 1, "dataset": "plays"}, "the cells have none"),
        ({"tune": "optna"}, "did you mean 'optuna'"),
    ],
)
def test_a_value_that_no_cell_has_is_answered_with_those_there_are(which: dict[str, Any], offer: str) -> None:
    with pytest.raises(UsageError) as error:
        select(CELLS, CellFilter(**which), "experiment 'lab'")
    assert offer in str(error.value) and str(error.value).startswith("experiment 'lab': ")


def test_one_cell_is_the_only_one_or_the_only_tuned_one() -> None:
    assert one_cell(CELLS, "als", "params_from").key == "c2"
    assert one_cell(CELLS[:1], "als", "params_from").key == "c1"
    with pytest.raises(UsageError, match=r"'als \(factors=8\)' \(cell c1\), .* \(cell c3\)"):
        one_cell(CELLS, "als (factors=8)", "params_from")
