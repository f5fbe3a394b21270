"""Every shipped metric against its second formula, that of `bakeoff verify`, which shares no code with it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.evaluation.catalogue import shipped
from bakeoff.evaluation.measure import measure
from bakeoff.evaluation.metric import EvaluationInputs
from bakeoff.storage.store import StoredLists
from bakeoff.verify import formulas
from evaluation.made_inputs import at_random

KS = [1, 2, 5, 20]


def plain(inputs: EvaluationInputs) -> formulas.Inputs:
    """Return the same lists as plain Python values."""
    lists, train = inputs.lists, inputs.train
    part: Any = SimpleNamespace(
        train=SimpleNamespace(
            matrix=lambda: train.train,
            n_users=train.train.shape[0],
            n_items=train.train.shape[1],
            item_features=train.item_features,
        ),
        test=inputs.test,
        history=inputs.history,
        users=lists.users,
        held_out=False,
    )
    stored = StoredLists(lists.items, lists.scores, lists.above, lists.ties, inputs.predicted)
    return formulas.plain_inputs(part, stored, formulas.TrainCounts(part), max(KS))


@pytest.mark.parametrize("name", shipped())
@given(seed=st.integers(0, 10_000), levels=st.sampled_from([None, 3]), short=st.booleans())
@settings(max_examples=6, deadline=None)
def test_a_metric_is_its_second_formula_user_by_user(
    name: str, seed: int, levels: int | None, short: bool
) -> None:
    inputs, rng = at_random(seed, m=12, n_items=30, levels=levels, short=short), np.random.default_rng(seed)
    inputs.test.data[:] = rng.integers(1, 6, inputs.test.nnz)
    inputs = replace(inputs, predicted=rng.normal(3, 1, inputs.test.nnz).astype(np.float32))
    second, measured = plain(inputs), measure(inputs, {name: shipped()[name]}, KS)
    for k in KS if shipped()[name].cutoff else [None]:
        of_users, mean, error = formulas.recompute(second, name, k)
        assert measured.means.get((name, k), (None, None)) == pytest.approx((mean, error), abs=1e-11), k
        if of_users is not None and mean is not None:
            expected = [np.nan if value is None else value for value in of_users]
            assert measured.per_user[name, k] == pytest.approx(expected, abs=1e-11, nan_ok=True), k


def test_there_is_no_second_formula_of_another_metric() -> None:
    assert {*formulas.PER_USER, *formulas.OF_ALL} == set(shipped())
