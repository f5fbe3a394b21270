"""Several objectives: the trials that no other one beats, and the one of them that is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

Direction = Literal["maximize", "minimize"]
Values = Sequence[float]


def front(values: Sequence[Values], directions: Sequence[Direction]) -> list[int]:
    """Positions of the rows that no other row beats: as good everywhere, and better somewhere.

    Of equal rows the first stands for all.
    """
    rows = [_upward(row, directions) for row in values]
    return [
        at
        for at, row in enumerate(rows)
        if row not in rows[:at] and not any(_beats(other, row) for other in rows)
    ]


def picked(values: Sequence[Values], directions: Sequence[Direction], rule: Mapping[str, Any]) -> int:
    """Position of the row that a rule takes from the Pareto set; of equal ones the first.

    `tolerance`: of the rows whose first objective is at most this share of its best value away from it, the
    best in the second objective, then in the third, ..., at last in the first.
    `weights`: the highest weighted sum, each objective brought to 0 (its worst in the set) to 1 (its best).
    """
    rows = {at: _upward(values[at], directions) for at in front(values, directions)}
    if rule["rule"] == "weights":
        weighed = {at: _weighed(row, list(rows.values()), rule["weights"]) for at, row in rows.items()}
        return max(rows, key=lambda at: (weighed[at], -at))
    best = max(row[0] for row in rows.values())
    near = [at for at, row in rows.items() if row[0] >= best - rule["tolerance"] * abs(best)]
    return max(near, key=lambda at: (rows[at][1:], rows[at][0], -at))


def _weighed(row: tuple[float, ...], rows: Sequence[tuple[float, ...]], weights: Sequence[float]) -> float:
    total = 0.0
    for weight, value, column in zip(weights, row, zip(*rows, strict=True), strict=True):
        low, high = min(column), max(column)
        total += weight * (value - low) / (high - low) if high > low else 0.0
    return total


def _upward(row: Values, directions: Sequence[Direction]) -> tuple[float, ...]:
    return tuple(v if d == "maximize" else -v for v, d in zip(row, directions, strict=True))


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))
