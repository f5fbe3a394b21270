"""Paired tests over users: the stored values of models, every pair of a table, and what cannot be tested.

    tests = pairwise(table, metrics, store, TestConfig())
    tests.pairs[Column("ndcg", 10)].difference     # [n, n], row less column
    tests.untested                                 # column -> why it has no test

A family is all pairs of the models that have all their runs, in one metric at one k, on one data set and
split: its p-values are corrected together, so that a choice of the best made on the same data is allowed for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bakeoff.arrays import Array, Bools, Doubles
from bakeoff.errors import Unsupported, UsageError
from bakeoff.evaluation import significance
from bakeoff.evaluation.metric import Metric
from bakeoff.evaluation.significance import Differences, Sample, TestConfig, all_pairs, corrected, testable
from bakeoff.queries.comparison import Column, Marks, Part, Row, Table, complete
from bakeoff.queries.select import Result, keys_by_split
from bakeoff.storage.store import Store

_AT_ONCE = 2**24
"""Numbers of values by user held at once; more metrics than fit are done in turns."""


# -- values by user ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class SplitCells:
    """One content of a split, and the cells that m models have on it.

    Args:
        fingerprint: of the split.
        n_users: evaluated users.
        keys: for each model its cells, one for each distinct fit: they differ in the model's seed.
        tuned: positions of the models whose cells were tuned, each by a search of its own.
    """

    fingerprint: str
    n_users: int
    keys: tuple[tuple[str, ...], ...]
    tuned: frozenset[int] = frozenset()


def split_cells(parts: Iterable[Part], rows: Iterable[Iterable[Result]]) -> tuple[SplitCells, ...]:
    """Return the splits on which every row has finished cells, with these cells."""
    rows = [tuple(results) for results in rows]
    keys = [keys_by_split(results) for results in rows]
    tuned = frozenset(at for at, row in enumerate(rows) if any(r.request.cell.tune for r in row))
    return tuple(
        SplitCells(
            part.fingerprint,
            part.n_users,
            tuple(tuple(by_split[part.fingerprint]) for by_split in keys),
            tuned,
        )
        for part in parts
        if all(part.fingerprint in by_split for by_split in keys)
    )


def cells_without_values(store: Store, splits: Iterable[SplitCells]) -> list[str]:
    """Return the keys of cells whose values by user are not in the store."""
    keys = dict.fromkeys(key for split in splits for of_model in split.keys for key in of_model)
    return [key for key in keys if not (store.cell_folder(key) / "per_user.parquet").exists()]


def read_sample(store: Store, split: SplitCells, columns: Sequence[Column]) -> Sample:
    """Return the values of the models on one split, of each fit and averaged over them; NaN where none.

    Raises:
        UsageError: two cells of one split have different users.
    """
    names = [column.name for column in columns]
    users: Array | None = None
    values: list[Doubles] = []
    several: dict[int, Doubles] = {}
    for at, keys in enumerate(split.keys):
        fits = []
        for key in keys:
            table = store.per_user(key, names)
            if table is None:
                raise UsageError(f"cell {key}: the store has no values by user; run it with rerun=true")
            if users is None:
                users = table["user"]
            if not np.array_equal(users, table["user"]):
                raise UsageError(
                    f"cells {split.keys[0][0]} and {key}: both stand for split {split.fingerprint} but have "
                    "different users; run them with rerun=true"
                )
            nothing = np.full(len(users), np.nan)
            fits.append(np.stack([table.get(name, nothing) for name in names]))
        if len(fits) > 1:
            several[at] = np.stack(fits)
        values.append(_mean_over_fits(fits))
    assert users is not None
    return Sample(users, np.ascontiguousarray(np.stack(values, axis=1)), several, split.tuned)


def _mean_over_fits(fits: Sequence[Doubles]) -> Doubles:
    """Return each user's mean over the fits in which the user has a value."""
    if len(fits) == 1:
        return fits[0]
    stacked = np.stack(fits)
    valued = ~np.isnan(stacked)
    total, count = np.where(valued, stacked, 0.0).sum(axis=0), valued.sum(axis=0)
    mean: Doubles = np.full(total.shape, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean


def samples_to_test(
    splits: Sequence[SplitCells],
    columns: Sequence[Column],
    metrics: Mapping[str, Metric],
    store: Store,
    untested: dict[Column, str],
) -> Iterator[tuple[tuple[Column, ...], tuple[Sample, ...]]]:
    """Yield columns that can be tested, a bounded number at a time, with one sample for each split.

    Args:
        untested: gets the reason of every other column.
    """
    whole = "one number for the whole set of lists, no value for each user"
    by_user = [c for c in columns if metrics[c.metric].per_user]
    untested |= {c: whole for c in columns if c not in by_user}
    obstacle = _obstacle(store, splits) if by_user else ""
    if obstacle:
        untested |= dict.fromkeys(by_user, obstacle)
        return
    size = sum(len(split.keys) * split.n_users for split in splits)
    step = max(1, _AT_ONCE // max(size, 1))
    for start in range(0, len(by_user), step):
        some = by_user[start : start + step]
        samples = [read_sample(store, split, some) for split in splits]
        good = np.logical_and.reduce([testable(sample) for sample in samples])
        few = "fewer than two users have a value under every model"
        untested |= {c: few for c, ok in zip(some, good, strict=True) if not ok}
        if good.any():
            tested = tuple(c for c, ok in zip(some, good, strict=True) if ok)
            yield tested, tuple(s.take(good) for s in samples)


def _obstacle(store: Store, splits: Sequence[SplitCells]) -> str:
    missing = cells_without_values(store, splits)
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return f"the store has no values by user of cell {missing[0]}{more}"
    return ""


# -- all pairs of a table ----------------------------------------------------------------------------


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
    """The tests by column, and why other columns have none."""

    pairs: Mapping[Column, Pairwise] = field(default_factory=dict)
    untested: Mapping[Column, str] = field(default_factory=dict)


def pairwise(
    table: Table,
    metrics: Mapping[str, Metric],
    store: Store,
    test_config: TestConfig,
    columns: Sequence[Column] | None = None,
    *,
    intervals: bool = True,
) -> Pairs:
    """Return the tests of all pairs of a table in some of its columns (None: in all).

    Args:
        intervals: whether to bootstrap an interval for each pair, which is slow with many models.
    """
    tested_columns = table.columns if columns is None else [c for c in columns if c in table.columns]
    tests: dict[Column, Pairwise] = {}
    untested: dict[Column, str] = {}
    for family in families(table, metrics, store, tested_columns, untested):
        pairs = all_pairs(len(family.rows))
        result = significance.compare(
            family.samples, pairs, test_config, intervals=np.full(len(pairs), intervals)
        )
        p = corrected(result.p, test_config.correction)
        for at, column in enumerate(family.columns):
            higher = metrics[column.metric].higher_is_better
            best = np.array([table.rows[r].values[column].best for r in family.rows])
            tests[column] = _matrices(column, family.rows, higher, result, p, at, best, test_config.level)
    return Pairs({c: tests[c] for c in tested_columns if c in tests}, untested)


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
    """Yield the columns that can be tested, a bounded number at a time.

    Args:
        untested: gets the reason of every other column.
    """
    by_rows: dict[tuple[int, ...], list[Column]] = {}
    for column in columns:
        rows = tuple(i for i, row in enumerate(table.rows) if complete(row, column, len(table.runs)))
        if len(rows) < 2 and metrics[column.metric].per_user:
            untested[column] = "fewer than two models have all their runs"
        else:
            by_rows.setdefault(rows, []).append(column)
    for rows, of_rows in by_rows.items():
        splits = split_cells(table.parts, [table.rows[r].results for r in rows])
        for tested, samples in samples_to_test(splits, of_rows, metrics, store, untested):
            yield Family(tested, rows, samples)


def _matrices(
    column: Column,
    rows: tuple[int, ...],
    higher: bool | None,
    result: Differences,
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

    larger, smaller = result.outcomes.larger[at], result.outcomes.smaller[at]
    if higher is False:
        larger, smaller = smaller, larger
    both = square(p[at], p[at], 1.0)
    return Pairwise(
        column=column,
        rows=rows,
        higher_is_better=higher,
        difference=square(result.mean[at], -result.mean[at]),
        low=square(result.low[at], -result.high[at]),
        high=square(result.high[at], -result.low[at]),
        p=square(result.p[at], result.p[at], 1.0),
        corrected=both,
        effect=square(result.effect[at], -result.effect[at]),
        wins=square(larger, smaller),
        n_users=int(result.n_users[at]),
        n_splits=result.n_splits,
        best=best,
        tied=not_significantly_worse(best, both, level),
    )


def not_significantly_worse(best: Bools, p: Doubles, level: float) -> Bools:
    """Return bool [n]: models that are not among the best, but not significantly worse than one of them."""
    return np.asarray(~best & (p[:, best] > level).any(axis=1))


# -- intervals and marks of a table -------------------------------------------------------------------
#
# Both are made by one variance model (`evaluation.variance`), so that a mark and an interval of one row never
# contradict each other.


def with_uncertainty(
    tables: Iterable[Table], metrics: Mapping[str, Metric], store: Store, config: TestConfig
) -> list[Table]:
    """Return the tables with the interval of every mean, and marks."""
    return [_with_marks(with_intervals(t, metrics, store, config), metrics, store, config) for t in tables]


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


def _with_marks(table: Table, metrics: Mapping[str, Metric], store: Store, config: TestConfig) -> Table:
    """Return a table with `tied` values and what their test was.

    The correction is over all pairs of a column: it allows for the best having been chosen by the same
    values.
    """
    tied: dict[tuple[int, Column], bool] = {}
    matrices: dict[Column, Doubles] = {}
    untested: dict[Column, str] = {}
    finest = 0.0
    columns = [c for c in table.columns if _has_best(table, c) or not metrics[c.metric].per_user]
    for family in families(table, metrics, store, columns, untested):
        rows = np.array(family.rows)
        pairs = all_pairs(len(rows))
        p = corrected(significance.p_of_pairs(family.samples, pairs, config), config.correction)
        modelled = significance.needs_variance_model(family.samples, config)
        if config.test == "randomization" and not modelled:
            finest = max(finest, _finest(len(pairs), config))
        first, second = rows[pairs].T
        for at, column in enumerate(family.columns):
            matrix = np.full((len(table.rows), len(table.rows)), np.nan)
            matrix[first, second] = matrix[second, first] = p[at]
            best = np.array([column in row.values and row.values[column].best for row in table.rows])
            ties = not_significantly_worse(best, matrix, config.level)
            tied |= {(r, column): bool(ties[r]) for r in family.rows}
            matrices[column] = matrix
    of_rows = tuple(_with_ties(row, at, tied) for at, row in enumerate(table.rows))
    fits = max((row.fits for row in table.rows), default=0)
    return replace(
        table, rows=of_rows, marks=Marks(config, len(table.parts), fits, finest, untested, matrices)
    )


def _finest(n_pairs: int, config: TestConfig) -> float:
    """Return the least corrected p: Holm multiplies the smallest p by the number of pairs, BH need not."""
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
