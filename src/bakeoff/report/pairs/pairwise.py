"""Every pair of models of a table, metric by metric: numbers only.

    found = pairwise(table, metrics, store, TestConfig())
    found.pairs[Column("ndcg", 10)].difference     # [n, n], row less column
    found.untested                                 # column -> why it has no test

A family is all pairs of the models that have all their runs, in one metric at one k, on one data set and
split: its p-values are corrected together, so that a choice of the best made on the same data is allowed for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bakeoff.arrays import Array, Bools, Doubles
from bakeoff.evaluation import significance
from bakeoff.evaluation.metric import Metric
from bakeoff.evaluation.significance import Differences, Sample, TestConfig, all_pairs, corrected, testable
from bakeoff.report.comparison import complete
from bakeoff.report.pairs.samples import Place, places, read, without_values
from bakeoff.report.tables import Column, Table
from bakeoff.storage.store import Store

_AT_ONCE = 2**24
"""Numbers of values by user held at once; more metrics than fit are done in turns."""


@dataclass(frozen=True, eq=False)
class Pairwise:
    """All pairs of n models in one metric at one cutoff.

    Matrices are [n, n]; what stands at [i, j] is of model i against model j.

    Args:
        column: the metric and its cutoff.
        rows: positions of the models in the table's rows.
        higher_is_better: the metric's direction; None where neither end is the goal.
        difference: float64, mean of i less mean of j over the users both have a value for; 0 on the diagonal.
        low, high: float64, the interval of the difference; NaN where no intervals were asked for.
        p: float64, two-sided, of each pair alone; 1 on the diagonal.
        corrected: float64, p corrected for the family of all pairs.
        effect: float64, Cohen's d_z: mean of the users' differences / their deviation; it may be infinite.
        wins: int64, users for whom i is better than j (larger, where the metric has no direction).
        n_users, n_splits: behind every pair.
        best: bool [n], the models with the best mean; none where the metric has no direction.
        tied: bool [n], others whose difference from a best one is not significant in the family.
    """

    column: Column
    rows: tuple[int, ...]
    higher_is_better: bool | None
    difference: Doubles
    low: Doubles
    high: Doubles
    p: Doubles
    corrected: Doubles
    effect: Doubles
    wins: Array
    n_users: int
    n_splits: int
    best: Bools
    tied: Bools


@dataclass(frozen=True)
class Pairs:
    """What was tested, by column, and why the others were not."""

    pairs: Mapping[Column, Pairwise] = field(default_factory=dict)
    untested: Mapping[Column, str] = field(default_factory=dict)


def pairwise(
    table: Table,
    metrics: Mapping[str, Metric],
    store: Store,
    rules: TestConfig,
    columns: Sequence[Column] | None = None,
    *,
    intervals: bool = True,
) -> Pairs:
    """Compare all models of a table in some of its columns (None: in all).

    Args:
        intervals: whether to bootstrap an interval for each pair: the dearest part where models are many.
    """
    asked = table.columns if columns is None else [c for c in columns if c in table.columns]
    found: dict[Column, Pairwise] = {}
    untested: dict[Column, str] = {}
    for family in families(table, metrics, store, asked, untested):
        pairs = all_pairs(len(family.rows))
        wanted = np.full(len(pairs), intervals)
        result = significance.compare(family.samples, pairs, rules, intervals=wanted)
        p = corrected(result.p, rules.correction)
        for at, column in enumerate(family.columns):
            higher = metrics[column.metric].higher_is_better
            best = np.array([table.rows[r].values[column].best for r in family.rows])
            found[column] = _matrices(column, family.rows, higher, result, p, at, best, rules.level)
    return Pairs({c: found[c] for c in asked if c in found}, untested)


@dataclass(frozen=True, eq=False)
class Family:
    """Columns that the same models have, with the values of each split: `samples` follow columns and rows."""

    columns: tuple[Column, ...]
    rows: tuple[int, ...]
    samples: tuple[Sample, ...]


def families(
    table: Table,
    metrics: Mapping[str, Metric],
    store: Store,
    columns: Sequence[Column],
    untested: dict[Column, str],
) -> Iterator[Family]:
    """The columns that can be tested, a bounded number at a time; `untested` is told why others cannot."""
    by_rows: dict[tuple[int, ...], list[Column]] = {}
    for column in columns:
        rows = tuple(i for i, row in enumerate(table.rows) if complete(row, column, len(table.runs)))
        if not metrics[column.metric].per_user:
            untested[column] = "one number for the whole set of lists, no value for each user"
        elif len(rows) < 2:
            untested[column] = "fewer than two models have all their runs"
        else:
            by_rows.setdefault(rows, []).append(column)
    for rows, of_rows in by_rows.items():
        where = places(table, [table.rows[r] for r in rows])
        why = _obstacle(store, where)
        if why:
            untested |= dict.fromkeys(of_rows, why)
            continue
        size = len(rows) * sum(part.n_users for part in table.parts)
        step = max(1, _AT_ONCE // max(size, 1))
        for start in range(0, len(of_rows), step):
            some = of_rows[start : start + step]
            kept, samples = _testable(some, [read(store, place, some) for place in where], untested)
            if kept:
                yield Family(kept, rows, samples)


def _obstacle(store: Store, where: Sequence[Place]) -> str:
    missing = without_values(store, where)
    if missing:
        return f"the store has no values by user of cell {missing[0]}" + (
            f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        )
    if len(where) > 1 and any(place.ratio is None for place in where):
        return "several splits, whose sizes of train and test are not known"
    return ""


def _testable(
    columns: Sequence[Column], samples: Sequence[Sample], untested: dict[Column, str]
) -> tuple[tuple[Column, ...], tuple[Sample, ...]]:
    """Drop columns in which fewer than two users have a value under every model."""
    good = np.logical_and.reduce([testable(s) for s in samples])
    kept = tuple(c for c, ok in zip(columns, good, strict=True) if ok)
    why = "fewer than two users have a value under every model"
    untested |= {c: why for c, ok in zip(columns, good, strict=True) if not ok}
    return kept, tuple(Sample(s.users, s.values[good], s.ratio) for s in samples)


def _matrices(
    column: Column,
    rows: tuple[int, ...],
    higher: bool | None,
    found: Differences,
    p: Doubles,
    at: int,
    best: Bools,
    level: float,
) -> Pairwise:
    n = len(rows)
    first, second = all_pairs(n).T

    def square(upper: Array, lower: Array, diagonal: float = 0.0) -> Array:
        matrix = np.full((n, n), diagonal, dtype=upper.dtype)
        matrix[first, second], matrix[second, first] = upper, lower
        return matrix

    larger, smaller = found.outcomes.larger[at], found.outcomes.smaller[at]
    if higher is False:
        larger, smaller = smaller, larger
    both = square(p[at], p[at], 1.0)
    return Pairwise(
        column=column,
        rows=rows,
        higher_is_better=higher,
        difference=square(found.mean[at], -found.mean[at]),
        low=square(found.low[at], -found.high[at]),
        high=square(found.high[at], -found.low[at]),
        p=square(found.p[at], found.p[at], 1.0),
        corrected=both,
        effect=square(found.effect[at], -found.effect[at]),
        wins=square(larger, smaller),
        n_users=int(found.n_users[at]),
        n_splits=found.n_splits,
        best=best,
        tied=tied_with(best, both, level),
    )


def tied_with(best: Bools, p: Doubles, level: float) -> Bools:
    """bool [n]: models that are not among the best, but not significantly apart from one of them either."""
    return np.asarray(~best & (p[:, best] > level).any(axis=1))
