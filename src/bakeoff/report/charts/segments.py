"""Who wins for whom: metrics by groups of users and by bands of items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bakeoff.arrays import Array
from bakeoff.queries.tables import Column
from bakeoff.report.charts.chart import Chart, ChartSection, Row
from bakeoff.report.charts.frame import Frame, Place
from bakeoff.report.charts.leaderboard import metric_up
from bakeoff.report.charts.segment_views import TEST, Labels, by_group, places_of_lists
from bakeoff.report.charts.spec import short
from bakeoff.report.charts.stored import Stored
from bakeoff.report.figures.bands import Bands, item_bands
from bakeoff.report.figures.group_means import GroupMeans, Means, group_means
from bakeoff.report.wording import visible

_TITLES = {"history": "length of history", "known": "what was known of the user"}
_LISTS = ("k", "at", "mean", "half", "best")
_WORDS = (
    "The best model of each group is filled. Lines are 95 % intervals over users; a user under several seeds "
    "or splits counts once. Many groups are many chances to win: a lead in one of them is a question to ask "
    "of new data. Bands of items: the head is the most popular items that hold half of train's interactions, "
    "the tail is what is left when 80 % are counted."
)


def sections(frame: Frame, stored: Stored) -> list[ChartSection]:
    """One section; without the store its text alone."""
    by_kind: dict[str, list[tuple[Place, Sequence[Column], GroupMeans]]] = {}
    for place, fits in stored.places:
        columns = [c for c in place.table.columns if frame.metrics[c.metric].per_user]
        for one in group_means(fits, columns):
            by_kind.setdefault(one.kind, []).append((place, columns, one))
    charts = [_users(frame, kind, found, n) for n, (kind, found) in enumerate(_in_order(by_kind), 1)]
    bands = [(place, found) for place, fits in stored.places if (found := item_bands(fits, frame.ks))]
    if bands:
        charts += _items(frame, bands)
    return [ChartSection("segments", "Who wins for whom", stored.text(_WORDS), tuple(charts))]


def _in_order(by_kind: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """History and acquaintance first, then the features as they appear."""
    return sorted(by_kind.items(), key=lambda pair: list(_TITLES).index(pair[0]) if pair[0] in _TITLES else 9)


def _users(
    frame: Frame, kind: str, found: Sequence[tuple[Place, Sequence[Column], GroupMeans]], number: int
) -> Chart:
    rows: list[Row] = []
    labels: Labels = {}
    for place, columns, one in found:
        _label(labels, place, [f"{visible(n)} ({u:,})" for n, u in zip(one.names, one.n_users, strict=True)])
        for metric in dict.fromkeys(c.metric for c in columns):
            own = [at for at, c in enumerate(columns) if c.metric == metric]
            ks = [columns[at].k for at in own]
            means = [None if m is None else _part(m, own) for m in one.means]
            rows += _rows(frame, place, metric, ks, means)
    name = _TITLES.get(kind, visible(kind))
    metrics = [m for m in frame.metrics if any(r["metric"] == m for r in rows)]
    caption = "In brackets: number of users."
    spec = by_group(frame, rows, labels, metrics)
    return Chart(f"segments-{kind if kind in _TITLES else number}", f"Users by {name}", caption, spec)


def _items(frame: Frame, found: Sequence[tuple[Place, Bands]]) -> list[Chart]:
    rows: list[Row] = []
    shares: list[Row] = []
    labels: Labels = {}
    for place, one in found:
        counted = zip(one.names, one.n_items, one.n_test, strict=True)
        _label(labels, place, [f"{n} ({i:,}; {t:,})" for n, i, t in counted])
        s = len(one.names)
        means = [
            None
            if m is None
            else Means(*(np.reshape(a, (len(one.ks), s)) for a in (m.n_users, m.mean, m.half)))
            for m in one.recall
        ]
        rows += _rows(frame, place, "recall", one.ks, means)
        for model, of_row in zip(place.models, one.shares, strict=True):
            if of_row is not None:
                shares += _shares(place, model, one, of_row)
        tested = one.n_test / max(int(one.n_test.sum()), 1)
        shares += _shares(place, TEST, one, np.tile(tested, (len(one.ks), 1)))
    text = (
        "Recall of the test items of each band alone, mean over the users who have any. In brackets: items "
        "of the catalogue in the band; test items to find."
    )
    caption = "What share of all places of the lists goes to items of each band; last row: the test items."
    return [
        Chart("segments-items", "Items by popularity", text, by_group(frame, rows, labels, [])),
        Chart("places", "Whom the places go to", caption, places_of_lists(frame, shares)),
    ]


def _shares(place: Place, model: str, one: Bands, shares: Array) -> list[Row]:
    return [
        {
            "dataset": place.dataset,
            "split": place.split,
            "k": k,
            "model": model,
            "band": list(one.names),
            "share": [short(s, 3) for s in shares[at]],
        }
        for at, k in enumerate(one.ks)
    ]


def _label(labels: Labels, place: Place, names: Sequence[str]) -> None:
    labels.setdefault(place.dataset, {})[place.split] = list(names)


def _part(means: Means, columns: Sequence[int]) -> Means:
    at = list(columns)
    return Means(means.n_users[at], means.mean[at], means.half[at])


def _rows(
    frame: Frame, place: Place, metric: str, ks: Sequence[int | None], means: Sequence[Means | None]
) -> list[Row]:
    """A row for each model, with lists over (cutoff, group)."""
    there = [at for at, m in enumerate(means) if m is not None]
    if not there:
        return []
    best = _best(np.stack([m.mean for m in means if m is not None]), frame, metric)
    rows = []
    for n, at in enumerate(there):
        found = means[at]
        assert found is not None
        entries = [
            (k, s, short(found.mean[i, s]), short(found.half[i, s], 2), int(best[n, i, s]))
            for i, k in enumerate(ks)
            for s in range(found.mean.shape[1])
            if found.n_users[i, s]
        ]
        names = {"dataset": place.dataset, "split": place.split, "model": place.models[at], "metric": metric}
        rows.append({**names, **{name: [e[i] for e in entries] for i, name in enumerate(_LISTS)}})
    return rows


def _best(means: Array, frame: Frame, metric: str) -> Array:
    """bool [models, ks, groups]: the best mean of each group, equals share it; none without a direction."""
    known = frame.metrics.get(metric)
    if known is not None and known.higher_is_better is None:
        return np.zeros(means.shape, dtype=bool)
    up = known is None or metric_up(frame, metric)
    gains = np.where(np.isnan(means), -np.inf, means if up else -means)
    return np.asarray((gains == gains.max(axis=0)) & np.isfinite(gains))
