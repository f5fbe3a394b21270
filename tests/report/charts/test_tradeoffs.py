"""The Pareto front, against its definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bakeoff.queries.comparison import Column, comparison
from bakeoff.report.charts.tradeoffs import GOALS, goal_value, pareto, tradeoff


def dominates(a: Any, b: Any, higher: Any) -> bool:
    gains = [(x, y) if up else (-x, -y) for x, y, up in zip(a, b, higher, strict=True)]
    return all(x >= y for x, y in gains) and any(x > y for x, y in gains)


@pytest.mark.parametrize("higher", [(True, True), (True, False), (False, False)])
@pytest.mark.parametrize("seed", range(5))
def test_the_front_is_what_no_other_row_dominates(higher: Any, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 6, size=(30, 2)).astype(float)
    expected = [not any(dominates(b, a, higher) for b in values) for a in values]
    assert pareto(values, higher).tolist() == expected


def test_equal_models_stand_on_the_front_together() -> None:
    assert pareto(np.array([[1.0, 1.0], [1.0, 1.0], [0.5, 1.0]]), (True, True)).tolist() == [
        True,
        True,
        False,
    ]


def test_no_model_makes_an_empty_front() -> None:
    assert pareto(np.zeros((0, 2)), (True, True)).tolist() == []


def goal(name: str) -> Any:
    return next(g for g in GOALS if g.id == name)


def test_accuracy_stands_against_seconds_and_memory(make: Any, metrics: Any) -> None:
    results = [
        make("slow", {"ndcg": {"10": (0.4, None)}}, seconds={"fit": 9.0}, peak_mb=100.0),
        make("fast", {"ndcg": {"10": (0.3, None)}}, seconds={"fit": 1.0}, peak_mb=200.0),
        make("poor", {"ndcg": {"10": (0.2, None)}}, seconds={"fit": 2.0}, peak_mb=300.0),
        make("broken", status="failed"),
    ]
    (table,) = comparison(results, [10], metrics)
    names = [row.model for row in table.rows]
    got = tradeoff(table, Column("ndcg", 10), True, goal("fit_time"))
    front = {names[at]: on for at, on in zip(got.rows, got.front, strict=True)}
    assert front == {"slow": True, "fast": True, "poor": False}
    assert {names[at]: v for at, v in zip(got.rows, got.values, strict=True)} == {
        "slow": 9,
        "fast": 1,
        "poor": 2,
    }
    memory = tradeoff(table, Column("ndcg", 10), True, goal("memory"))
    assert [names[at] for at, on in zip(memory.rows, memory.front, strict=True) if on] == ["slow"]


def test_a_goal_is_taken_at_the_cutoff_that_is_asked_for(make: Any, metrics: Any) -> None:
    numbers = {"mean_popularity": {"5": (7.0, 1.0), "10": (8.0, 1.0)}, "auc": {"": (0.9, 0.1)}}
    (table,) = comparison([make("als", numbers)], [5, 10], metrics)
    assert goal_value(table.rows[0], goal("popularity"), 5) == 7.0
    assert tradeoff(table, Column("auc", None), True, goal("popularity"), 10).values == (8.0,)
    assert goal_value(table.rows[0], goal("novelty"), 5) is None
