"""Intervals of the means of a table, and marks for what is not distinguishable from the best of its column.

Both are made by one variance model (`evaluation.variance`), so that a mark and an interval of one row never
contradict each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from bakeoff.errors import Unsupported
from bakeoff.evaluation import significance
from bakeoff.evaluation.metric import Metric
from bakeoff.evaluation.significance import TestConfig, all_pairs, corrected
from bakeoff.queries.pairs import (
    cells_without_values,
    families,
    not_significantly_worse,
    read_sample,
    split_cells,
)
from bakeoff.queries.tables import Column, Marks, Row, Table
from bakeoff.storage.store import Store


def with_uncertainty(
    tables: Iterable[Table], metrics: Mapping[str, Metric], store: Store, config: TestConfig
) -> list[Table]:
    """Return the tables with the interval of every mean, and marks."""
    return [_with_marks(with_intervals(t, metrics, store, config), metrics, store, config) for t in tables]


# -- intervals ---------------------------------------------------------------------------------------


def with_intervals(table: Table, metrics: Mapping[str, Metric], store: Store, config: TestConfig) -> Table:
    """Return a table with the intervals of means over several fits or splits, from the stored values by user.

    A mean of one fit has its interval from the record already.
    """
    rows = (_with_intervals(row, table, metrics, store, config) for row in table.rows)
    return replace(table, rows=tuple(rows))


def _with_intervals(
    row: Row, table: Table, metrics: Mapping[str, Metric], store: Store, config: TestConfig
) -> Row:
    several = [c for c, value in row.values.items() if value.fits > 1 and metrics[c.metric].per_user]
    splits = split_cells(table.parts, [row.results])
    if not several or cells_without_values(store, splits):
        return row
    values = dict(row.values)
    samples = [read_sample(store, split, several) for split in splits]
    for at, column in enumerate(several):
        try:
            one = np.arange(len(several)) == at
            half = float(significance.mean_half_widths([s.take(one) for s in samples], config)[0, 0])
        except Unsupported:  # fewer than two users on a split
            continue
        values[column] = replace(values[column], half=half if np.isfinite(half) else None)
    return replace(row, values=values)


# -- marks -------------------------------------------------------------------------------------------


def _with_marks(table: Table, metrics: Mapping[str, Metric], store: Store, config: TestConfig) -> Table:
    """Return a table with `tied` values and what their test was.

    The correction is over all pairs of a column: it allows for the best having been chosen by the same
    values.
    """
    tied: dict[tuple[int, Column], bool] = {}
    untested: dict[Column, str] = {}
    finest = 0.0
    columns = [c for c in table.columns if _has_best(table, c) or not metrics[c.metric].per_user]
    for family in families(table, metrics, store, columns, untested):
        n = len(family.rows)
        pairs = all_pairs(n)
        p = corrected(significance.p_of_pairs(family.samples, pairs, config), config.correction)
        modelled = significance.needs_variance_model(family.samples, config)
        if config.test == "randomization" and not modelled:
            finest = max(finest, _finest(len(pairs), config))
        for at, column in enumerate(family.columns):
            matrix = np.ones((n, n))
            matrix[pairs[:, 0], pairs[:, 1]] = matrix[pairs[:, 1], pairs[:, 0]] = p[at]
            best = np.array([table.rows[r].values[column].best for r in family.rows])
            ties = not_significantly_worse(best, matrix, config.level)
            tied |= {(r, column): bool(t) for r, t in zip(family.rows, ties, strict=True)}
    rows = tuple(_with_ties(row, at, tied) for at, row in enumerate(table.rows))
    fits = max((row.fits for row in table.rows), default=0)
    return replace(table, rows=rows, marks=Marks(config, len(table.parts), fits, finest, untested))


def _finest(n_pairs: int, config: TestConfig) -> float:
    """The least corrected p: Holm multiplies the smallest p by the number of pairs, BH may leave it."""
    least = 1 / (1 + config.resamples)
    return min(1.0, least * n_pairs) if config.correction == "holm" else least


def _has_best(table: Table, column: Column) -> bool:
    return any(column in row.values and row.values[column].best for row in table.rows)


def _with_ties(row: Row, at: int, tied: Mapping[tuple[int, Column], bool]) -> Row:
    values = {
        column: replace(value, tied=True) if tied.get((at, column)) else value
        for column, value in row.values.items()
    }
    return replace(row, values=values)
