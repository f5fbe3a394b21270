"""How the values of a metric are spread over users: numbers only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bakeoff.arrays import Doubles
from bakeoff.queries.tables import Column
from bakeoff.report.figures.material import Fits

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


@dataclass(frozen=True)
class Distribution:
    """The values of one metric over all users and fits of a row.

    Args:
        n: number of values: users times fits, those without a value left out.
        mean: of them.
        quantiles: at LEVELS, linear between values.
        zeros: share of values that are exactly 0.
    """

    n: int
    mean: float
    quantiles: tuple[float, ...]
    zeros: float


def distributions(
    fits: Iterable[Fits], rows: int, columns: Sequence[Column]
) -> list[Mapping[Column, Distribution]]:
    """For each row of a table the distribution of each column that has values by user."""
    values: list[list[Doubles]] = [[] for _ in range(rows)]
    for one in fits:
        for at, keys in enumerate(one.keys):
            values[at] += [one.values(key, columns) for key in keys]
    found: list[Mapping[Column, Distribution]] = []
    for of_row in values:
        if not of_row:
            found.append({})
            continue
        spread = described(np.concatenate(of_row, axis=1))
        found.append({c: d for c, d in zip(columns, spread, strict=True) if d is not None})
    return found


def described(values: Doubles) -> list[Distribution | None]:
    """The distribution of each row of float64 [c, n]; NaN is no value; None for a row without any."""
    ordered = np.sort(values, axis=1)  # NaN last
    counts = ordered.shape[1] - np.isnan(ordered).sum(axis=1)
    found: list[Distribution | None] = []
    for row, n in zip(ordered, counts.tolist(), strict=True):
        known = row[:n]
        if not n:
            found.append(None)
            continue
        found.append(
            Distribution(n, float(known.mean()), _quantiles(known), float(np.count_nonzero(known == 0) / n))
        )
    return found


def _quantiles(ordered: Doubles) -> tuple[float, ...]:
    """Of sorted values, as numpy's default does it."""
    places = np.asarray(LEVELS) * (len(ordered) - 1)
    return tuple(float(q) for q in np.interp(places, np.arange(len(ordered)), ordered))
