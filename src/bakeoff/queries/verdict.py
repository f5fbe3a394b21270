"""Who leads a comparison, by how much, and what is open: the numbers behind the verdict of every output."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from bakeoff.evaluation.metric import Metric
from bakeoff.evaluation.significance import TestConfig, compare, pair_spread
from bakeoff.evaluation.variance import Needed, repetitions_needed
from bakeoff.queries.comparison import (
    Agreement,
    Column,
    Contender,
    Lead,
    Row,
    Run,
    Table,
    Verdict,
    is_popularity,
    is_random,
    leading_column,
    ranking,
)
from bakeoff.queries.pairs import cells_without_values, families, read_sample, split_cells
from bakeoff.run.cell import Cell
from bakeoff.storage.store import Store

ACCURACY = ("ndcg", "recall", "precision", "map", "mrr", "hit_rate", "auc")
"""Metrics whose leaders are compared with that of the leading metric."""


def verdict(table: Table, metrics: Mapping[str, Metric], store: Store | None, config: TestConfig) -> Verdict:
    """Return the verdict on a table with intervals and marks (`pairs.with_uncertainty`)."""
    column = leading_column(table.columns)
    not_done: dict[str, tuple[str, ...]] = {}
    for row in table.rows:
        if row.status != "done":
            not_done[row.status] = (*not_done.get(row.status, ()), row.label)
    if column is None:
        return Verdict(table.title, None, not_done=not_done)
    higher = metrics[column.metric].higher_is_better
    ranked = ranking(table.rows, column, len(table.runs), higher)
    popular = [
        row.values[column].mean for row in table.rows if column in row.values and _is(row, is_popularity)
    ]
    base = Verdict(
        title=table.title,
        column=column,
        higher_is_better=higher,
        popularity=popular[0] if popular else None,
        below_popularity=_below(ranked, column, popular[0], higher) if popular and higher is not None else (),
        single=all(row.fits <= 1 for row in table.rows),
        not_done=not_done,
    )
    if not ranked or higher is None:
        return base
    leader = ranked[0]
    leads = _leads(table, column, leader, metrics, store, config) if store is not None else {}
    ties = [row for row in ranked[1:] if row.values[column].tied or row.values[column].best]
    others = [row for row in ranked[1:] if row not in ties]
    at_cutoffs = {f"k = {c.k}": _best(table, c) for c in table.columns if other_k(c, column)}
    in_metrics = {c.metric: _best(table, c) for c in table.columns if _other_metric(c, column)}
    in_runs = {run.name: _best_of_run(ranked, column, run, higher) for run in table.runs}
    return replace(
        base,
        leader=_contender(leader, column),
        ties=tuple(_contender(row, column) for row in ties),
        behind=leads.get(id(others[0])) if others else None,
        against_ties=tuple(lead for row in ties if (lead := leads.get(id(row))) is not None),
        tested=bool(leads),
        untested="" if table.marks is None else table.marks.untested.get(column, ""),
        cutoffs=_agreement(leader, at_cutoffs),
        metrics=_agreement(leader, in_metrics),
        runs=_agreement(leader, in_runs) if len(table.runs) > 1 else None,
        needed=_needed(table, column, leader, ties[0], store, config) if ties and leads else None,
    )


def with_verdicts(
    tables: Iterable[Table], metrics: Mapping[str, Metric], store: Store | None, config: TestConfig
) -> list[Table]:
    """Return the tables with the verdict on each."""
    return [replace(table, verdict=verdict(table, metrics, store, config)) for table in tables]


def _is(row: Row, kind: Callable[[Cell], bool]) -> bool:
    return any(kind(result.request.cell) for result in row.results)


def _below(ranked: Sequence[Row], column: Column, popularity: float, higher: bool) -> tuple[str, ...]:
    """Return the labels of the models with a mean worse than that of popularity; chance is no model."""
    sign = 1 if higher else -1
    models = (row for row in ranked if not _is(row, is_random))
    return tuple(row.label for row in models if sign * (row.values[column].mean - popularity) < 0)


def _contender(row: Row, column: Column) -> Contender:
    value = row.values[column]
    return Contender(
        row.label, value.mean, value.half, row.seconds.get("fit"), row.seconds.get("recommend"), row.peak_mb
    )


def _leads(
    table: Table,
    column: Column,
    leader: Row,
    metrics: Mapping[str, Metric],
    store: Store,
    config: TestConfig,
) -> dict[int, Lead]:
    """Return id(row) -> the lead over it, with p as corrected for the marks; empty without a test."""
    if table.marks is None or column not in table.marks.p:
        return {}
    p, leads = table.marks.p[column], dict[int, Lead]()
    for family in families(table, metrics, store, [column], {}):
        rows = [table.rows[at] for at in family.rows]
        first = next(at for at, row in enumerate(rows) if row is leader)
        others = [at for at in range(len(rows)) if at != first]
        pairs = np.array([(first, at) for at in others])
        result = compare(family.samples, pairs, config, intervals=np.zeros(len(pairs), dtype=bool))
        for q, at in enumerate(others):
            difference, low, high = (float(of[0, q]) for of in (result.mean, result.low, result.high))
            corrected = float(p[family.rows[first], family.rows[at]])
            leads[id(rows[at])] = Lead(rows[at].label, difference, low, high, corrected, config.confidence)
    return leads


def _needed(
    table: Table, column: Column, leader: Row, tie: Row, store: Store | None, config: TestConfig
) -> Needed | None:
    """Return how many splits, fits or users would be expected to tell two rows apart, without correction."""
    splits = split_cells(table.parts, [leader.results, tie.results])
    if store is None or not splits or cells_without_values(store, splits):
        return None
    samples = [read_sample(store, split, [column]) for split in splits]
    pair = pair_spread(samples, (0, 1), config)
    n_fits = max(len(keys) for split in splits for keys in split.keys)
    return repetitions_needed(pair.difference, [pair], [""], n_fits, config.confidence)


def other_k(column: Column, leading: Column) -> bool:
    """Return whether a column is the leading metric at another cutoff."""
    return column.metric == leading.metric and column.k != leading.k


def _other_metric(column: Column, leading: Column) -> bool:
    return column.metric in ACCURACY and column.metric != leading.metric and column.k in (leading.k, None)


def _best(table: Table, column: Column) -> tuple[str, ...]:
    return tuple(row.label for row in table.rows if column in row.values and row.values[column].best)


def _agreement(leader: Row, views: Mapping[str, tuple[str, ...]]) -> Agreement | None:
    """Return how far the views agree; None where there are none with a best."""
    views = {view: labels for view, labels in views.items() if labels}
    others = {view: labels for view, labels in views.items() if leader.label not in labels}
    return Agreement(tuple(view for view in views if view not in others), others) if views else None


def _best_of_run(rows: Sequence[Row], column: Column, run: Run, higher: bool) -> tuple[str, ...]:
    means = means_of_run(rows, column, run)
    if not means:
        return ()
    best = max(means.values()) if higher else min(means.values())
    return tuple(label for label, mean in means.items() if math.isclose(mean, best, rel_tol=1e-12))


def means_of_run(rows: Sequence[Row], column: Column, run: Run) -> dict[str, float]:
    """Return label -> mean of a column in one run, of the rows that have it."""
    means: dict[str, float] = {}
    for row in rows:
        values = [
            measurement[0]
            for result in row.results
            if (result.request.cell.split_seed, result.request.cell.fold, result.request.cell.seed) == run
            and (measurement := result.record.measurement(column.metric, column.k)) is not None
        ]
        if values:
            means[row.label] = statistics.fmean(values)
    return means
