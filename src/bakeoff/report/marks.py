"""Mark what is not distinguishable from the best of its column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from bakeoff.evaluation import significance
from bakeoff.evaluation.metric import Metric
from bakeoff.evaluation.significance import TestConfig, all_pairs, corrected
from bakeoff.queries.pairs import families, not_significantly_worse
from bakeoff.queries.tables import Column, Marks, Row, Table
from bakeoff.storage.store import Store


def marked(
    tables: Iterable[Table], metrics: Mapping[str, Metric], store: Store, rules: TestConfig
) -> list[Table]:
    """The tables with `tied` values and the story of their test.

    The correction is over all pairs of a column, so that it allows for the best having been picked by the
    same values. Only p-values are computed, no intervals: by `t` a hundred models take seconds.
    """
    return [_marked(table, metrics, store, rules) for table in tables]


def _marked(table: Table, metrics: Mapping[str, Metric], store: Store, rules: TestConfig) -> Table:
    tied: dict[tuple[int, Column], bool] = {}
    untested: dict[Column, str] = {}
    finest = 0.0
    columns = [c for c in table.columns if _has_best(table, c) or not metrics[c.metric].per_user]
    for family in families(table, metrics, store, columns, untested):
        n = len(family.rows)
        pairs = all_pairs(n)
        p = corrected(significance.p_of_pairs(family.samples, pairs, rules), rules.correction)
        if rules.test == "randomization" and len(family.samples) == 1:
            finest = max(finest, _finest(len(pairs), rules))
        for at, column in enumerate(family.columns):
            matrix = np.ones((n, n))
            matrix[pairs[:, 0], pairs[:, 1]] = matrix[pairs[:, 1], pairs[:, 0]] = p[at]
            best = np.array([table.rows[r].values[column].best for r in family.rows])
            ties = not_significantly_worse(best, matrix, rules.level)
            tied |= {(r, column): bool(t) for r, t in zip(family.rows, ties, strict=True)}
    rows = tuple(_with_ties(row, at, tied) for at, row in enumerate(table.rows))
    return replace(table, rows=rows, marks=Marks(rules, len(table.parts), finest, untested))


def _finest(n_pairs: int, rules: TestConfig) -> float:
    """The least corrected p: Holm multiplies the smallest p by the number of pairs, BH may leave it."""
    least = 1 / (1 + rules.resamples)
    return min(1.0, least * n_pairs) if rules.correction == "holm" else least


def _has_best(table: Table, column: Column) -> bool:
    return any(column in row.values and row.values[column].best for row in table.rows)


def _with_ties(row: Row, at: int, tied: Mapping[tuple[int, Column], bool]) -> Row:
    values = {
        column: replace(value, tied=True) if tied.get((at, column)) else value
        for column, value in row.values.items()
    }
    return replace(row, values=values)
