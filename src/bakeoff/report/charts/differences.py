"""Which differences hold: every pair of models, and mean ranks over data sets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bakeoff.errors import Unsupported
from bakeoff.evaluation.significance import MIN_DATA_SETS, CriticalDifference, TestConfig, critical_difference
from bakeoff.queries.pairs import Pairwise, pairwise
from bakeoff.queries.tables import Column
from bakeoff.queries.uncertainty import t_quantile
from bakeoff.report.charts.chart import Chart, ChartSection, Row
from bakeoff.report.charts.difference_views import LISTS, RANK_LISTS, mean_ranks, pair_map
from bakeoff.report.charts.frame import Frame, Place
from bakeoff.report.charts.spec import short
from bakeoff.report.charts.stored import Stored
from bakeoff.storage.store import Store

_TESTS = {"t": "paired t-test", "randomization": "randomisation test", "wilcoxon": "Wilcoxon's signed ranks"}
_CORRECTIONS = {"holm": "Holm", "bh": "Benjamini and Hochberg"}


def sections(frame: Frame, stored: Stored, store: Store | None) -> list[ChartSection]:
    """One section; ranks over data sets need no store."""
    rows: list[Row] = []
    untested: dict[str, None] = {}
    rules = TestConfig()
    for place, _ in stored.places if store is not None else ():
        rules = place.table.marks.rules if place.table.marks else rules
        assert store is not None
        found = pairwise(place.table, frame.metrics, store, rules, intervals=False)
        rows += [row for pairs in _by_metric(found.pairs.values()) for row in _rows(frame, place, pairs)]
        untested |= dict.fromkeys(found.untested.values())
    charts = [_map(frame, rows, rules)] if rows else []
    ranks, why = _ranks(frame)
    charts += ranks
    words = (
        f"Every two models are compared on the same users by a {_TESTS[rules.test]}; several splits are "
        "combined by the corrected resampled t-test, several seeds of a model are averaged per user first. "
        f"The p-values of all pairs of one metric at one k are corrected together "
        f"({_CORRECTIONS[rules.correction]}), so that a choice of the best made on these data is allowed for."
    )
    text = stored.text(words if rows else f"Nothing was tested: {'; '.join(untested)}.")
    return [ChartSection("differences", "Which differences hold", f"{text} {why}".strip(), tuple(charts))]


def _by_metric(found: Any) -> list[list[Pairwise]]:
    """The pairs of each metric over its cutoffs, where all have the same models."""
    groups: dict[tuple[str, tuple[int, ...]], list[Pairwise]] = {}
    for one in found:
        groups.setdefault((one.column.metric, one.rows), []).append(one)
    return list(groups.values())


def _rows(frame: Frame, place: Place, pairs: Sequence[Pairwise]) -> list[Row]:
    """A row for each model but the first in the frame's order, with lists over (cutoff, model before it)."""
    found = []
    names_of = [place.models[row] for row in pairs[0].rows]
    looks = list(frame.looks)
    order = sorted(range(len(names_of)), key=lambda at: looks.index(names_of[at]))
    for n, i in enumerate(order[1:], 1):
        entries = [
            (one.column.k, looks.index(names_of[j]), *_numbers(one, i, j)) for one in pairs for j in order[:n]
        ]
        names = {"dataset": place.dataset, "split": place.split, "model": names_of[i]}
        names |= {"metric": pairs[0].column.metric}
        found.append({**names, **{name: [e[at] for e in entries] for at, name in enumerate(LISTS)}})
    return found


def _numbers(one: Pairwise, i: int, j: int) -> tuple[Any, ...]:
    """Difference, ends of its interval, corrected p, effect in the better direction, users won and lost."""
    low, high = interval_of(one, i, j)
    sign = -1.0 if one.higher_is_better is False else 1.0
    effect = float(np.clip(sign * one.effect[i, j], -9.99, 9.99))
    return (
        short(one.difference[i, j], 3),
        short(low, 3),
        short(high, 3),
        float(f"{one.corrected[i, j]:.2g}"),
        round(effect, 2),
        int(one.wins[i, j]),
        int(one.wins[j, i]),
    )


def interval_of(one: Pairwise, i: int, j: int) -> tuple[float, float]:
    """The interval of a difference: of the splits, or on one split the t interval over users.

    The deviation over users follows from the effect, mean / deviation.
    """
    if math.isfinite(one.low[i, j]):
        return float(one.low[i, j]), float(one.high[i, j])
    mean, effect = float(one.difference[i, j]), float(one.effect[i, j])
    if effect == 0 or not math.isfinite(effect) or one.n_splits > 1:
        return math.nan, math.nan
    half = t_quantile(one.n_users - 1) * mean / effect / math.sqrt(one.n_users)
    return mean - half, mean + half


def _map(frame: Frame, rows: list[Row], rules: TestConfig) -> Chart:
    metrics = [m for m in frame.metrics if any(r["metric"] == m for r in rows)]
    caption = (
        "Row less column. Blue: the row is better, orange: the column is, the darker the larger against how "
        "much users differ (Cohen's d). Grey: the difference is not significant "
        f"(corrected p above {rules.level:.2g}). Hover for interval, p and users won and lost."
    )
    spec = pair_map(frame, rows, metrics, rules.level)
    return Chart("pairs", "Differences of every two models", caption, spec)


def _ranks(frame: Frame) -> tuple[list[Chart], str]:
    """The chart of mean ranks over data sets, or why there is none."""
    rows = [
        row
        for split in dict.fromkeys(p.split for p in frame.places)
        for metric, known in frame.metrics.items()
        if known.higher_is_better is not None
        for row in _rank_rows(frame, [p for p in frame.places if p.split == split], metric)
    ]
    if not rows:
        n = len({p.dataset for p in frame.places})
        return [], f"Ranks over data sets need {MIN_DATA_SETS} data sets and three models; here are {n}."
    metrics = [m for m in frame.metrics if any(r["metric"] == m for r in rows)]
    caption = (
        "Models whose points lie within the line of another cannot be told apart from it (Nemenyi's critical "
        "difference, 95 %; Demsar 2006). Each data set counts once, whatever its size."
    )
    return [Chart("mean-ranks", "Mean ranks over data sets", caption, mean_ranks(frame, rows, metrics))], ""


def _rank_rows(frame: Frame, places: Sequence[Place], metric: str) -> list[Row]:
    """A row for each model that all data sets have, with lists over k."""
    found: dict[str, Row] = {}
    columns = [c for c in places[0].table.columns if c.metric == metric]
    for column in columns:
        models, got = ranks_over(places, column, frame.metrics[metric].higher_is_better is True)
        if got is None:
            continue
        for model, rank in zip(models, got.ranks.tolist(), strict=True):
            names = {"split": places[0].split, "model": model, "metric": metric, "n": got.n_data_sets}
            row = found.setdefault(model, {**names, **{name: [] for name in RANK_LISTS}})
            numbers = column.k, short(rank), short(rank + got.distance), float(f"{got.p:.2g}")
            for name, number in zip(RANK_LISTS, numbers, strict=True):
                row[name].append(number)
    return list(found.values())


def ranks_over(
    places: Sequence[Place], column: Column, higher: bool
) -> tuple[list[str], CriticalDifference | None]:
    """The models that every place has a value of, and their ranks; None where there are too few of either."""
    if len(places) < MIN_DATA_SETS:
        return [], None  # said here too: the statistics take seconds to import
    means = [{m: row.values[column].mean for m, row in p.rows if column in row.values} for p in places]
    models = [m for m in means[0] if all(m in of_place for of_place in means)]
    scores = np.array([[of_place[m] for m in models] for of_place in means])
    try:
        return models, critical_difference(scores if higher else -scores)
    except Unsupported:
        return models, None
