from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from bakeoff.errors import ModelError, Unsupported
from bakeoff.evaluation.measure import measure
from bakeoff.evaluation.metric import EvaluationInputs, metric
from bakeoff.models.topk import FactorModel
from bakeoff.run.cell import Cell, build_model
from bakeoff.run.inference import evaluation_inputs, recommend
from bakeoff.tuning.objective import Objective
from bakeoff.tuning.sampling import derive_seed
from bakeoff.tuning.spec import TuningSpec
from tuning_studies import split_of

CHOICES = {"_target_": "optuna.distributions.CategoricalDistribution", "choices": [2, 3]}


@pytest.fixture
def als(cell: Cell) -> Cell:
    build = {"_target_": "bakeoff.models.implicit.ALS", "factors": 3, "iterations": 2}
    return replace(cell, model={"name": "als", "build": build, "space": {"iterations": CHOICES}})


def by_hand(cell: Cell, worth: Objective) -> float:
    """Fit, recommend with all ranks, measure."""
    validation = worth.validations[0]
    model = build_model(cell.model)
    model.fit(validation.inner.train, seed=derive_seed("trial", cell.seed, 0))
    inputs = evaluation_inputs(
        *recommend(model, validation.inner, cell.depth), validation.inner, validation.stats
    )
    goal = worth.goals[0]
    ks = () if goal.k is None else (goal.k,)
    return measure(inputs, {goal.name: goal.metric}, ks).means[goal.name, goal.k][0]


@pytest.mark.parametrize("sought", ["ndcg@5", "auc"])
def test_ranks_of_test_items_are_asked_for_only_where_a_metric_needs_them(als: Cell, sought: str) -> None:
    worth = Objective(als, split_of(als), TuningSpec(metric=sought))
    expected = by_hand(als, worth)
    with patch.object(FactorModel, "rank", autospec=True, side_effect=FactorModel.rank) as rank:
        assert worth({}) == (expected,)
    assert bool(rank.call_count) == (sought == "auc")


@metric()
def beaten(inputs: EvaluationInputs, ks: Sequence[int]) -> Any:
    """A metric with a cutoff that looks at ranks: the share of test items with fewer than k above them."""
    if inputs.lists.above is None:
        raise Unsupported("needs ranks")
    return np.array([[float(np.mean(inputs.lists.above < k))] * len(inputs.lists.users) for k in ks])


def test_a_metric_of_ones_own_that_has_a_cutoff_and_needs_ranks_gets_them(als: Cell) -> None:
    worth = Objective(als, split_of(als), TuningSpec(metric="tests.tuning.test_objective.beaten@3"))
    assert worth({}) == (by_hand(als, worth),)
    assert 0 < worth({})[0] < 1


def test_a_metric_that_a_model_cannot_have_fails_with_its_name_and_the_reason(cell: Cell) -> None:
    worth = Objective(cell, split_of(cell), TuningSpec(metric="auc"))
    with pytest.raises(ModelError, match=r"no auc: .*rank"):
        worth({"first": 3})
