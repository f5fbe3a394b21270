"""Who is first, second, third: ranks of models by a metric, over whatever may change them. Numbers only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from bakeoff.arrays import Array, Doubles
from bakeoff.queries.tables import Column, Run, Table


def ranked(values: Sequence[float] | Array, higher_is_better: bool) -> Doubles:
    """float64 [n]: rank of each value among those that are finite, 1 the best, ties share the mean rank.

    >>> ranked([0.3, 0.5, float("nan"), 0.3], True).tolist()
    [2.5, 1.0, nan, 2.5]
    """
    found = np.asarray(values, dtype=np.float64)
    known = np.isfinite(found)
    ranks = np.full(len(found), np.nan)
    order = -found[known] if higher_is_better else found[known]
    _, group, size = np.unique(order, return_inverse=True, return_counts=True)
    ranks[known] = (np.cumsum(size) - (size - 1) / 2)[group]
    return ranks


def table_ranks(table: Table, column: Column, higher_is_better: bool) -> Doubles:
    """float64 [rows]: ranks of a table's rows by their means in one column."""
    return ranked([_mean(row.values, column) for row in table.rows], higher_is_better)


def run_ranks(table: Table, column: Column, higher_is_better: bool) -> Doubles:
    """float64 [rows, runs]: ranks of a table's rows in each of its runs alone.

    A model without chance has the same value in every run that shares its split.
    """
    k = "" if column.k is None else str(column.k)
    values = np.full((len(table.rows), len(table.runs)), np.nan)
    place = {run: at for at, run in enumerate(table.runs)}
    for at, row in enumerate(table.rows):
        for asked, record in row.results:
            found = record.metrics.get(column.metric, {}).get(k)
            if record.done and found is not None:
                cell = asked.cell
                values[at, place[Run(cell.split_seed, cell.fold, cell.seed)]] = found[0]
    if not values.size:
        return values
    return np.stack([ranked(values[:, r], higher_is_better) for r in range(values.shape[1])], axis=1)


def winners(ranks: Array) -> list[int]:
    """How many positions (columns of float64 [n, p]) each of n models is first in; equals share the place."""
    best = np.nanmin(np.where(np.isnan(ranks), np.inf, ranks), axis=0)
    return [int(n) for n in np.sum((ranks == best) & np.isfinite(best), axis=1)]


def _mean(values: Mapping[Column, object], column: Column) -> float:
    value = values.get(column)
    return float(getattr(value, "mean", math.nan))
