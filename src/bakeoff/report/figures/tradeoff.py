"""Which models are on the Pareto front of two goals: numbers only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bakeoff.arrays import Array, Bools
from bakeoff.queries.tables import Column, Row, Table


@dataclass(frozen=True)
class Goal:
    """What is set against accuracy.

    Args:
        id: letters and hyphens.
        name, unit: for people.
        metric: a metric's name, or "" for a cost.
        cost: phase whose seconds count, "memory" for the peak, "" for a metric.
        higher: whether more of it is better.
    """

    id: str
    name: str
    unit: str
    metric: str
    cost: str
    higher: bool


GOALS = (
    Goal("coverage", "coverage", "share of the catalogue", "catalog_coverage", "", True),
    Goal("novelty", "novelty", "bits", "novelty", "", True),
    Goal("diversity", "diversity", "1 - mean cosine in a list", "diversity", "", True),
    Goal("popularity", "popularity bias", "mean users of an item", "mean_popularity", "", False),
    Goal("fit-time", "time to fit", "seconds", "", "fit", False),
    Goal("recommend-time", "time to recommend", "seconds for all users", "", "recommend", False),
    Goal("memory", "peak memory", "MB", "", "memory", False),
)


@dataclass(frozen=True)
class Tradeoff:
    """Accuracy against one goal on one table: the rows that have both.

    Args:
        column: the measure of accuracy.
        rows: positions in the table's rows.
        values: what each row has of the goal.
        front: whether no other row is at least as good in both and better in one; equals share the front.
    """

    goal: Goal
    column: Column
    rows: tuple[int, ...]
    values: tuple[float, ...]
    front: tuple[bool, ...]


def pareto(values: Array, higher: Sequence[bool]) -> Bools:
    """bool [n]: which rows of float64 [n, d] no other row dominates; equal rows stand or fall together.

    A row dominates another if it is at least as good in every column and better in one.

    >>> pareto(np.array([[1.0, 3.0], [2.0, 2.0], [1.0, 2.0], [2.0, 2.0]]), [True, True]).tolist()
    [True, True, False, True]
    """
    gains = np.where(np.asarray(higher), values, -np.asarray(values, dtype=np.float64))
    as_good = (gains[:, None] >= gains[None]).all(axis=2)
    better = (gains[:, None] > gains[None]).any(axis=2)
    return np.asarray(~(as_good & better).any(axis=0))


def tradeoff(
    table: Table, column: Column, accuracy_higher: bool, goal: Goal, k: int | None = None
) -> Tradeoff:
    """Set the means in one column against a goal; k is the goal's cutoff where the column has none."""
    found = [
        (at, row.values[column].mean, value)
        for at, row in enumerate(table.rows)
        if column in row.values and (value := goal_value(row, goal, column.k or k)) is not None
    ]
    front = pareto(np.array([f[1:] for f in found]).reshape(-1, 2), (accuracy_higher, goal.higher))
    return Tradeoff(
        goal, column, tuple(f[0] for f in found), tuple(f[2] for f in found), tuple(bool(f) for f in front)
    )


def goal_value(row: Row, goal: Goal, k: int | None) -> float | None:
    """What a row has of a goal at a cutoff; None where it was not measured."""
    if goal.metric:
        value = row.values.get(Column(goal.metric, k)) or row.values.get(Column(goal.metric, None))
        found = None if value is None else value.mean
    elif goal.cost == "memory":
        found = row.peak_mb
    else:
        found = row.seconds.get(goal.cost)
    return found if found is not None and math.isfinite(found) else None
