"""Trials averaged over inner splits and seeds, and validation users that a pruner looks at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bakeoff.run.cell import Cell, build_model
from bakeoff.run.inference import recommend
from bakeoff.splits.base import Split
from bakeoff.storage.store import Store
from bakeoff.tuning.objective import Objective
from bakeoff.tuning.spec import TuningSpec
from bakeoff.tuning.tune import tune
from tuning_studies import split_of

THREE = TuningSpec(metric="recall@5", repeats=3)


def recall(cell: Cell, inner: Split, first: int) -> float:
    """Mean share of a user's held-out items among the first five, by hand."""
    model = build_model(cell.model, first=first)
    model.fit(inner.train, seed=0)
    lists, _ = recommend(model, inner, 5)
    shares = []
    for user, items in zip(lists.users, lists.items, strict=True):
        held_out = set(inner.test[user].indices)
        shares.append(len(held_out & set(items.tolist())) / len(held_out))
    return float(np.mean(shares))


def test_a_trial_is_the_mean_over_inner_splits_that_differ(cell: Cell) -> None:
    worth = Objective(cell, split_of(cell), THREE)
    inners = [v.inner for v in worth.validations]
    assert len({inner.fingerprint for inner in inners}) == 3
    for first in (0, 7):
        expected = np.mean([recall(cell, inner, first) for inner in inners])
        assert worth({"first": first}) == (pytest.approx(expected),)


def test_the_first_repeat_is_the_split_without_repeats(cell: Cell) -> None:
    once = Objective(cell, split_of(cell), TuningSpec(metric="recall@5")).validations[0]
    assert once.inner.fingerprint == Objective(cell, split_of(cell), THREE).validations[0].inner.fingerprint


def test_with_repeats_nothing_is_pruned(cell: Cell, tmp_path: Path) -> None:
    options = {"trials": 14, "metric": "ndcg@5", "sampler": "random", "pruner": "median"}

    def pruned(root: str, **more: Any) -> int:
        variant = replace(cell, tune={**options, **more})
        return int(tune(variant, split_of(variant), Store(tmp_path / root)).count("pruned"))

    assert pruned("once") > 0
    assert pruned("thrice", repeats=3) == 0


def test_repeats_are_in_the_key(cell: Cell) -> None:
    assert replace(cell, tune={**(cell.tune or {}), "repeats": 2}).key != cell.key


def test_a_pruner_looks_at_a_fixed_sample_of_users_and_a_finished_trial_is_measured_on_all(
    cell: Cell, tmp_path: Path
) -> None:
    variant = replace(
        cell,
        tune={"trials": 4, "metric": "recall@5", "pruning_users": 6, "sampler": "random", "pruner": "median"},
    )
    split = split_of(variant)
    worth = Objective(variant, split, TuningSpec.of(variant.tune or {}))
    validation = worth.validations[0]
    again = Objective(variant, split, TuningSpec.of(variant.tune or {})).validations[0]
    assert validation.sample.users.tolist() == again.sample.users.tolist()
    assert len(validation.sample.users) == 6 < len(validation.inner.users)
    assert set(validation.sample.users) <= set(validation.inner.users)
    record = tune(variant, split, Store(tmp_path))
    for trial in record.trials[1:]:
        first = trial.parameters["first"]
        sampled = replace(validation.inner, users=validation.sample.users)
        assert trial.by_epoch[1] == pytest.approx(recall(variant, sampled, first))
        if trial.state == "complete":
            assert trial.value == pytest.approx(recall(variant, validation.inner, first))
