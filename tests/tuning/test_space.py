from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bakeoff.errors import ConfigError
from bakeoff.run.cell import Cell
from bakeoff.tuning.space import parse
from bakeoff.tuning.tune import check

INT = "optuna.distributions.IntDistribution"
FLOAT = "optuna.distributions.FloatDistribution"
CHOICE = "optuna.distributions.CategoricalDistribution"


def with_space(cell: Cell, **space: Any) -> Cell:
    return replace(cell, model={**cell.model, "space": space})


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        (
            {"first": {"_target_": INT, "low": 5, "high": 2}},
            r"model\.space\.first\.low=5: expected low <= high",
        ),
        ({"frist": {"_target_": INT, "low": 1, "high": 2}}, r"model\.space\.frist: .*did you mean 'first'"),
        (
            {"first": {"_target_": CHOICE, "choices": []}},
            r"first\.choices=\[\]: expected at least one choice",
        ),
        ({"first": {"_target_": INT, "low": 1, "hihg": 2}}, r"first\.hihg: .*no such parameter"),
        ({"first": {"_target_": INT, "low": "a", "high": 2}}, r"first\.low='a': expected a number"),
        ({"first": {"_target_": INT, "low": 0, "high": 2, "log": True}}, r"model\.space\.first: .*log"),
        ({"first": 3}, r"first=3: expected a distribution"),
        (
            {"first": {"_target_": INT, "low": 0, "high": 2, "when": {"nois": 1}}},
            r"first\.when\.nois: .*did you mean 'noise'",
        ),
        (
            {
                "first": {"_target_": INT, "low": 0, "high": 2, "when": {"noise": 1}},
                "noise": {"_target_": INT, "low": 0, "high": 2, "when": {"first": 1}},
            },
            "circle",
        ),
    ],
)
def test_a_wrong_space_is_refused_by_file_and_key(cell: Cell, axis: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        check(with_space(cell, **axis))
    assert str(caught.value).startswith("model/from.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("tune", "expected"),
    [
        ({"metric": "ndgc@10"}, r"tune\.metric='ndgc@10': .*did you mean 'ndcg'"),
        ({"metric": "ndcg"}, r"expected a cutoff from 1 to 10"),
        ({"metric": "ndcg@11"}, r"expected a cutoff from 1 to 10"),
        ({"metric": "auc@3"}, r"write tune\.metric=auc"),
        ({"trials": 0}, r"tune\.trials=0"),
        ({"trials": None}, r"expected a budget"),
        ({"sampler": "tpf"}, r"tune\.sampler='tpf': did you mean 'tpe'"),
        ({"sampler": "optuna.samplers.GridSampler2"}, r"did you mean 'GridSampler'"),
        ({"pruner": "mean"}, r"tune\.pruner='mean'"),
        ({"trails": 3}, r"tune\.trails: .*did you mean 'trials'"),
    ],
)
def test_a_wrong_word_of_tuning_is_refused(cell: Cell, tune: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        check(replace(cell, tune={**(cell.tune or {}), **tune}))


def test_a_default_outside_its_axis_is_told_as_the_nearest_end(cell: Cell) -> None:
    space = parse(with_space(cell, noise={"_target_": INT, "low": 2, "high": 8, "log": True}).model)
    assert space.nearest_to_defaults() == {"noise": 2}
    assert space.defaults == {"noise": 0}


def test_a_condition_leaves_an_axis_out(cell: Cell) -> None:
    from optuna.trial import FixedTrial

    space = parse(
        with_space(
            cell,
            first={"_target_": INT, "low": 0, "high": 5, "when": {"noise": 1}},
            noise={"_target_": INT, "low": 0, "high": 1},
        ).model
    )
    assert space.suggest(FixedTrial({"noise": 0, "first": 3})) == {"noise": 0}
    assert space.suggest(FixedTrial({"noise": 1, "first": 3})) == {"noise": 1, "first": 3}
