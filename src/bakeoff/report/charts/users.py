"""Users and items one by one: the spread of a metric, who wins for whom, what is recommended.

A user may be behind a mean several times: under several seeds of a model, on several splits. Its values in
one group are averaged first, so that an interval counts each user once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Codes, Doubles
from bakeoff.evaluation.significance import t_quantile
from bakeoff.queries.comparison import Column
from bakeoff.queries.segments import (
    BAND_NAMES,
    Grouping,
    by_features,
    by_history,
    by_known_history,
    history_edges,
    popularity_bands,
)
from bakeoff.report.charts import vega
from bakeoff.report.charts.frame import NEUTRAL, Frame, SplitFits, TableView, shared_user_codes
from bakeoff.report.charts.vega import Chart, ChartSection, Row, Spec, short
from bakeoff.report.view import visible

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
_SPREAD_LISTS = ("k", "mean", *(f"q{100 * level:g}" for level in LEVELS), "zeros", "n")
_BOXES = (("q5", "q95", 4, 0.35), ("q10", "q90", 9, 0.55), ("q25", "q75", 16, 1.0))
"""From and to a quantile, height in pixels, opacity."""

TEST = "test items"
"""The row that shows which items were relevant."""

BAND_COLOURS = ("#1d5c99", "#5a9fd4", "#b5cfe4", "#a3a3a3")

_TITLES = {"history": "length of history", "known": "what is known of the user"}
_LISTS = ("k", "at", "mean", "half", "best")

Labels = dict[str, dict[str, list[str]]]
"""Data set -> split -> the labels of its groups."""


# -- the spread over users -------------------------------------------------------------------------------


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
    fits: Iterable[SplitFits], rows: int, columns: Sequence[Column]
) -> list[Mapping[Column, Distribution]]:
    """Return for each row of a table the distribution of each column that has values by user."""
    values: list[list[Doubles]] = [[] for _ in range(rows)]
    for one in fits:
        for at, keys in enumerate(one.keys):
            values[at] += [one.values(key, columns) for key in keys]
    made = [summarize(np.concatenate(of_row, axis=1)) if of_row else [] for of_row in values]
    return [{c: d for c, d in zip(columns, of_row, strict=False) if d is not None} for of_row in made]


def summarize(values: Doubles) -> list[Distribution | None]:
    """Return the distribution of each row of float64 [c, n]; NaN is no value; None for a row without any."""
    ordered = np.sort(values, axis=1)  # NaN last
    counts = ordered.shape[1] - np.isnan(ordered).sum(axis=1)
    return [
        None
        if not n
        else Distribution(
            n,
            float(row[:n].mean()),
            tuple(np.interp(np.asarray(LEVELS) * (n - 1), np.arange(n), row[:n]).tolist()),
            float(np.count_nonzero(row[:n] == 0) / n),
        )
        for row, n in zip(ordered, counts.tolist(), strict=True)
    ]


def spread(frame: Frame) -> list[ChartSection]:
    """Return one section with one chart; without the store its text alone."""
    rows = [row for view in frame.stored for row in _spread_rows(frame, view)]
    words = (
        "A mean says nothing of its spread: of two models with the same mean, one may serve all users alike, "
        "the other some users well and others not at all."
    )
    text = frame.text(words if rows else "No metric of this report has a value for each user.")
    return [
        ChartSection(
            "spread", "How results vary over users", text, (_spread_chart(frame, rows),) if rows else ()
        )
    ]


def _spread_rows(frame: Frame, view: TableView) -> list[Row]:
    columns = [c for c in view.table.columns if frame.metrics[c.metric].per_user]
    if not columns:
        return []
    entries: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    by_row = distributions(view.fits, len(view.table.rows), columns)
    for model, of_row in zip(view.models, by_row, strict=True):
        for column, one in of_row.items():
            quantiles = [short(q, 3) for q in one.quantiles]
            entry = (column.k, short(one.mean), *quantiles, short(one.zeros, 2), one.n)
            entries.setdefault((model, column.metric), []).append(entry)
    return [vega.listed(view.keys(*key), _SPREAD_LISTS, of_key) for key, of_key in entries.items()]


def _spread_chart(frame: Frame, rows: list[Row]) -> Chart:
    style = vega.model_style(frame, "color")
    tips = vega.tooltip(
        *(("mean_text", "mean"), ("q50_text", "median"), ("q25_text", "lower quartile")),
        *(("q75_text", "upper quartile"), ("zeros", "users at 0", ".0%"), ("n", "users x fits", ",")),
    )
    boxes = [
        vega.mark(
            *("bar", {"x": {"field": low}, "x2": {"field": high}, **style, "tooltip": tips}),
            height=height,
            opacity=opacity,
            cornerRadius=1,
        )
        for low, high, height, opacity in _BOXES
    ]
    diamond = {"shape": "diamond", "size": 70, "stroke": "black", "color": "white"}
    at_zero = {"x": {"value": 2}, "text": {"field": "at_zero"}}
    spec = vega.specification(
        frame,
        rows,
        _SPREAD_LISTS,
        [
            *boxes,
            vega.mark("tick", {"x": {"field": "q50"}}, thickness=3, size=16, color="white"),
            vega.points({"x": {"field": "mean"}, "tooltip": tips}, **diamond),
            vega.mark(
                *("text", at_zero),
                where="datum.zeros > 0",
                align="left",
                dy=-16,
                fontSize=11,
                color=NEUTRAL,
            ),
        ],
        encoding={
            "x": vega.numbers("q5", "x", "value of a user", padding=12),
            "y": vega.names(sort=vega.least("order", "descending")),
        },
        transform=[
            {"calculate": "directions[shown] == 'lower is better' ? -datum.mean : datum.mean", "as": "order"},
            {"calculate": "format(datum.zeros, '.0%') + ' at 0'", "as": "at_zero"},
            *vega.rounded("mean", "q25", "q50", "q75"),
        ],
        height=vega.row_height(44, rows),
    )
    caption = (
        "Boxes hold the middle 50, 80 and 90 % of users; the line is the median, the diamond the mean, over "
        "all users and all fits of a model. Above the box: the share of users whose value is exactly 0."
    )
    return Chart("distribution", "Distribution over users", caption, spec)


# -- groups of users -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Means:
    """Means over the users of s groups for c columns.

    Args:
        n_users: int64 [c, s], users with a value.
        mean: float64 [c, s], NaN where nobody has one.
        half: float64 [c, s], half the width of the 95 % t interval over users; NaN below two users.
    """

    n_users: Array
    mean: Doubles
    half: Doubles


@dataclass(frozen=True, eq=False)
class GroupMeans:
    """One grouping of a table's users with the means of its rows.

    Args:
        kind, names: as in Grouping.
        n_users: int64 [s], distinct users of each group over all splits.
        means: for each row of the table, None for a row without results.
    """

    kind: str
    names: tuple[str, ...]
    n_users: Array
    means: tuple[Means | None, ...]


def group_means(fits: Sequence[SplitFits], columns: Sequence[Column]) -> list[GroupMeans]:
    """Return means by length of history, by what is known of a user, and by each user feature.

    Groupings with a single group are left out.
    """
    if not fits or not columns:
        return []
    edges = history_edges(fits[0].split)
    groupings = [[by_history(f.split, edges), by_known_history(f.split), *by_features(f.split)] for f in fits]
    values = [
        [(at, f.values(key, columns)) for at, f in enumerate(fits) for key in f.keys[row]]
        for row in range(len(fits[0].keys))
    ]
    result = []
    for of_kind in zip(*groupings, strict=True):
        # the groups of all splits: in the order of the split that has most, then as they appear
        longest = max(of_kind, key=lambda g: len(g.names))
        names = tuple(dict.fromkeys((*longest.names, *(n for g in of_kind for n in g.names))))
        if len(names) > 1:
            result.append(_group_means(fits, of_kind, names, values))
    return result


def _group_means(
    fits: Sequence[SplitFits],
    groupings: Sequence[Grouping],
    names: tuple[str, ...],
    values: Sequence[Sequence[tuple[int, Doubles]]],
) -> GroupMeans:
    members, codes = [_with_columns(g, names) for g in groupings], shared_user_codes(fits)
    means: list[Means | None] = []
    for of_row in values:
        if not of_row:
            means.append(None)
            continue
        users = np.concatenate([codes[at] for at, _ in of_row])
        stacked = sparse.vstack([members[at] for at, _ in of_row], format="csr")
        means.append(mean_by_group(users, np.concatenate([v for _, v in of_row], axis=1), stacked))
    groups, _ = _pairs(np.concatenate(codes), sparse.vstack(members, format="csr"))
    return GroupMeans(groupings[0].kind, names, np.bincount(groups, minlength=len(names)), tuple(means))


def mean_by_group(users: Codes, values: Doubles, members: CSR) -> Means:
    """Return means by group that count each user once.

    Args:
        users: int32 [n], the user of each value; several values may have the same.
        values: float64 [c, n]; NaN is no value.
        members: CSR [n, s], the groups of each value.
    """
    groups, averages = _pairs(users, members)
    valid = ~np.isnan(values.T)
    counts = averages @ valid.astype(np.float64)
    present = counts > 0
    of_user = averages @ np.where(valid, values.T, 0.0) / np.maximum(counts, 1.0)  # [pairs, c]
    shape = members.shape[1], len(groups)
    total = sparse.csr_matrix((np.ones(len(groups)), (groups, np.arange(len(groups)))), shape=shape)
    n = total @ present.astype(np.float64)
    mean = np.where(n > 0, total @ of_user / np.maximum(n, 1.0), np.nan)
    squares = total @ np.where(present, (of_user - np.nan_to_num(mean)[groups]) ** 2, 0.0)
    error = np.sqrt(squares / np.maximum(n - 1, 1.0) / np.maximum(n, 1.0))
    quantile = {degrees: t_quantile(degrees) for degrees in np.unique(n - 1).tolist()}
    half = error * np.vectorize(quantile.__getitem__, otypes=[float])(n - 1)
    return Means(n.T.astype(np.int64), mean.T, half.T)


def _pairs(users: Codes, members: CSR) -> tuple[Array, CSR]:
    """Return the group of each distinct (group, user) pair, and the CSR [pairs, n] of ones at its values."""
    entries = np.repeat(np.arange(members.shape[0]), np.diff(members.indptr))
    width = int(users.max(initial=0)) + 1
    keys, pair = np.unique(members.indices.astype(np.int64) * width + users[entries], return_inverse=True)
    ones = np.ones(len(entries))
    return keys // width, sparse.csr_matrix((ones, (pair, entries)), shape=(len(keys), members.shape[0]))


def _with_columns(grouping: Grouping, names: Sequence[str]) -> CSR:
    """Return the members of a grouping with columns in the order of names."""
    to = np.array([names.index(n) for n in grouping.names], dtype=np.int64)
    ones = np.ones(len(to), dtype=np.float32)
    moved = sparse.csr_matrix((ones, (np.arange(len(to)), to)), shape=(len(to), len(names)))
    return (grouping.members @ moved).tocsr()


# -- bands of items --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Bands:
    """Items by popularity in train, and what the lists hold of them.

    Args:
        names: of the bands, most popular first.
        n_items, n_test: int64 [b], items of the catalogue and test pairs in each band, mean over splits.
        recall: for each row the recall of test items of each band, arrays [k, band]; None without.
        shares: for each row float64 [k, b], share of all recommended items; None without.
    """

    names: tuple[str, ...]
    n_items: Array
    n_test: Array
    recall: tuple[Means | None, ...]
    shares: tuple[Doubles | None, ...]


def item_bands(fits: Sequence[SplitFits], ks: Sequence[int]) -> Bands | None:
    """Return recall and shares by band for each row of a table; None without a split or a cutoff."""
    if not fits or not ks:
        return None
    names = list(BAND_NAMES)
    bands = [popularity_bands(f.item_users) for f in fits]
    if any((b < 0).any() for b in bands):
        names.append("not in train")
        bands = [np.where(b < 0, len(BAND_NAMES), b) for b in bands]
    n = len(names)
    items = [np.bincount(b, minlength=n) for b in bands]
    test = [np.bincount(b[f.split.test.indices], minlength=n) for f, b in zip(fits, bands, strict=True)]
    rows = [_band_row(fits, bands, row, n, ks) for row in range(len(fits[0].keys))]
    return Bands(
        tuple(names),
        np.rint(np.mean(items, axis=0)).astype(np.int64),
        np.rint(np.mean(test, axis=0)).astype(np.int64),
        tuple(recall for recall, _ in rows),
        tuple(shares for _, shares in rows),
    )


def _band_row(
    fits: Sequence[SplitFits], bands: Sequence[Array], row: int, n_bands: int, ks: Sequence[int]
) -> tuple[Means | None, Doubles | None]:
    """Return recall, in which a user counts once, and shares, in which a fit counts once, of one row."""
    users, recalls, shares = [], [], []
    for one, of_items, codes in zip(fits, bands, shared_user_codes(fits), strict=True):
        test = one.split.test[one.split.users]
        for key in one.keys[row]:
            items = one.items(key, max(ks))
            users.append(codes)
            recalls.append(band_recall(test, items, of_items, n_bands, ks))
            shares.append(band_shares(items, of_items, n_bands, ks))
    if not users:
        return None, None
    all_users = np.concatenate(users)
    one_group = sparse.csr_matrix(np.ones((len(all_users), 1), dtype=np.float32))
    means = mean_by_group(all_users, np.concatenate(recalls, axis=1), one_group)
    shape = len(ks), n_bands
    by_band = Means(*(np.reshape(a, shape) for a in (means.n_users, means.mean, means.half)))
    return by_band, np.mean(shares, axis=0)


def band_recall(test: CSR, items: Codes, bands: Array, n_bands: int, ks: Sequence[int]) -> Doubles:
    """Return float64 [ks * bands, m]: share of a user's test items of a band in the first k; NaN without.

    Args:
        test: CSR [m, I], rows in the order of the lists.
        items: int32 [m, depth], -1 padded.
        bands: int64 [I].
    """
    m, width = test.shape
    owners = np.repeat(np.arange(m), np.diff(test.indptr))
    tested = np.zeros((n_bands, m))
    np.add.at(tested, (bands[test.indices], owners), 1.0)
    relevant = np.sort(owners * np.int64(width) + test.indices)
    rows, ranks = np.nonzero(items >= 0)
    listed = rows * np.int64(width) + items[rows, ranks]
    at = np.minimum(np.searchsorted(relevant, listed), max(len(relevant) - 1, 0))
    hit = relevant[at] == listed
    rows, ranks, of_hit = rows[hit], ranks[hit], bands[items[rows[hit], ranks[hit]]]
    recalls = []
    for k in ks:
        counts = np.zeros((n_bands, m))
        np.add.at(counts, (of_hit[ranks < k], rows[ranks < k]), 1.0)
        with np.errstate(invalid="ignore"):
            recalls.append(counts / tested)
    return np.where(np.tile(tested, (len(ks), 1)) > 0, np.concatenate(recalls), np.nan)


def band_shares(items: Codes, bands: Array, n_bands: int, ks: Sequence[int]) -> Doubles:
    """Return float64 [ks, bands]: share of the items of each band among the first k of all lists."""
    shares = []
    for k in ks:
        listed = items[:, :k]
        counts = np.bincount(bands[listed[listed >= 0]], minlength=n_bands)
        shares.append(counts / max(int(counts.sum()), 1))
    return np.stack(shares)


# -- who wins for whom -----------------------------------------------------------------------------------


def segments(frame: Frame) -> list[ChartSection]:
    """Return one section; without the store its text alone."""
    rows: dict[str, list[Row]] = {}
    labels: dict[str, Labels] = {}
    for view in frame.stored:
        columns = [c for c in view.table.columns if frame.metrics[c.metric].per_user]
        for one in group_means(view.fits, columns):
            counted = [f"{visible(n)} ({u:,})" for n, u in zip(one.names, one.n_users, strict=True)]
            labels.setdefault(one.kind, {}).setdefault(view.dataset, {})[view.split] = counted
            for metric in dict.fromkeys(c.metric for c in columns):
                at = [i for i, c in enumerate(columns) if c.metric == metric]
                ks = [columns[i].k for i in at]
                means = [m and Means(m.n_users[at], m.mean[at], m.half[at]) for m in one.means]
                rows.setdefault(one.kind, []).extend(_rows(frame, view, metric, ks, means))
    charts = []
    kinds = [*(k for k in _TITLES if k in rows), *(k for k in rows if k not in _TITLES)]
    for number, kind in enumerate((k for k in kinds if rows[k]), 1):
        id_ = f"segments-{kind if kind in _TITLES else number}"
        title = f"Users by {_TITLES.get(kind, visible(kind))}"
        spec = _by_group(frame, rows[kind], labels[kind])
        charts.append(Chart(id_, title, "In brackets: number of users.", spec))
    bands = [(view, b) for view in frame.stored if (b := item_bands(view.fits, frame.ks))]
    charts += _items(frame, bands) if bands else []
    text = frame.text(
        "The best model of each group is filled. Lines are 95 % intervals over users; a user under several "
        "seeds or splits counts once. With many groups, a model leads in some of them by chance: test such "
        "a lead on new data. Bands of items: the head is the most popular items that hold half of train's "
        "interactions, the tail what is left when 80 % are counted."
    )
    return [ChartSection("segments", "Who wins for whom", text, tuple(charts))]


def _rows(
    frame: Frame, view: TableView, metric: str, ks: Sequence[int | None], means: Sequence[Means | None]
) -> list[Row]:
    """Return a row for each model, with lists over (cutoff, group)."""
    present = [(model, m) for model, m in zip(view.models, means, strict=True) if m is not None]
    if not present:
        return []
    best = _best(np.stack([m.mean for _, m in present]), frame, metric)
    return [
        vega.listed(
            view.keys(model, metric),
            _LISTS,
            [
                (k, s, short(m.mean[i, s]), short(m.half[i, s], 2), int(best[n, i, s]))
                for i, k in enumerate(ks)
                for s in range(m.mean.shape[1])
                if m.n_users[i, s]
            ],
        )
        for n, (model, m) in enumerate(present)
    ]


def _best(means: Array, frame: Frame, metric: str) -> Array:
    """Return bool [models, ks, groups]: the best means of each group; none for a metric without direction."""
    if metric in frame.metrics and frame.metrics[metric].higher_is_better is None:
        return np.zeros(means.shape, dtype=bool)
    up = metric not in frame.metrics or frame.largest_first(metric)
    gains = np.where(np.isnan(means), -np.inf, means if up else -means)
    return np.asarray((gains == gains.max(axis=0)) & np.isfinite(gains))


def _items(frame: Frame, bands: Iterable[tuple[TableView, Bands]]) -> list[Chart]:
    rows: list[Row] = []
    shares: list[Row] = []
    labels: Labels = {}
    for view, one in bands:
        counts = zip(one.names, one.n_items, one.n_test, strict=True)
        labels.setdefault(view.dataset, {})[view.split] = [f"{n} ({i:,}; {t:,})" for n, i, t in counts]
        rows += _rows(frame, view, "recall", frame.ks, one.recall)
        test = np.tile(one.n_test / max(int(one.n_test.sum()), 1), (len(frame.ks), 1))
        for model, of_row in zip((*view.models, TEST), (*one.shares, test), strict=True):
            for k, of_k in zip(frame.ks, of_row, strict=True) if of_row is not None else ():
                entries = [(band, short(share, 3)) for band, share in zip(one.names, of_k, strict=True)]
                shares.append(vega.listed({**view.keys(model), "k": k}, ("band", "share"), entries))
    text = (
        "Recall of the test items of each band alone, mean over the users who have any. In brackets: items "
        "of the catalogue in the band; test items in the band."
    )
    caption = "Share of each band among the first k of all lists; last row: the test items."
    return [
        Chart("segments-items", "Items by popularity", text, _by_group(frame, rows, labels, recall=True)),
        Chart("recommended", "Which items are recommended", caption, _shares(frame, shares)),
    ]


def _by_group(frame: Frame, rows: Sequence[Row], labels: Labels, *, recall: bool = False) -> Spec:
    """Return the means of each group by model; of recall alone, or of the chosen metric."""
    models = vega.row_height(11, rows)
    counts = {d: {s: max(n, 3) * len(labels[d][s]) for s, n in by.items()} for d, by in models.counts.items()}
    tips = vega.tooltip(("group", "group"), *vega.INTERVAL, ("rank", "rank"))
    fill = {"condition": {"test": "datum.best == 1", "value": 1}, "value": 0.12}
    style = vega.model_style(frame, "shape", "stroke", legend=True)
    groups = vega.names("group", vega.least("at"), labelFontSize=11)
    return vega.specification(
        frame,
        rows,
        _LISTS,
        [
            vega.mark("rule", {**vega.span("x"), **vega.PICKED}, strokeWidth=1.5),
            vega.points(
                {**style, **vega.PICKED, "fillOpacity": fill, "tooltip": tips}, size=48, strokeWidth=1.5
            ),
        ],
        by=("dataset", "split", "k") if recall else vega.BY,
        heading=("'recall of the items of a band, higher is better, k = ' + k",) if recall else (),
        encoding={
            "x": vega.numbers("mean", "x", padding=14),
            "y": {**groups, "scale": {"paddingInner": 0.2}},
            "yOffset": {"field": "model", "type": "nominal", "sort": vega.least("turn")},
            **vega.model_style(frame, "color", legend=True),
        },
        transform=[
            {"calculate": "labels[dataset][split][datum.at]", "as": "group"},
            {"calculate": "datum.mean - datum.half", "as": "low"},
            {"calculate": "datum.mean + datum.half", "as": "high"},
            {"calculate": "indexof(models, datum.model)", "as": "turn"},
            {"calculate": "datum.best == 1 ? 'best of its group' : ''", "as": "rank"},
            *vega.rounded("mean", "low", "high"),
        ],
        params={"labels": labels, "models": list(frame.styles)},
        height=models._replace(counts=counts),
    )


def _shares(frame: Frame, rows: Sequence[Row]) -> Spec:
    """Return a bar for each model, with a part for each band."""
    bands = list(dict.fromkeys(band for row in rows for band in row["band"]))
    colour = {
        "field": "band",
        "type": "nominal",
        "sort": bands,
        "legend": vega.names_below(bands),
        "scale": {"domain": bands, "range": list(BAND_COLOURS[: len(bands)])},
    }
    order = {"field": "at", "type": "quantitative"}
    axis = {"format": ".0%", "labelExpr": "datum.label"}
    tips = vega.tooltip(("band", "band"), ("share", "share", ".1%"))
    return vega.specification(
        frame,
        rows,
        ("band", "share"),
        [vega.mark("bar", {"color": colour, "order": order, "tooltip": tips}, height=16)],
        by=("dataset", "split", "k"),
        heading=("'recommended items by their popularity, k = ' + k",),
        encoding={
            "x": vega.numbers("share", "x", "share of the lists", axis, domain=[0, 1]),
            "y": vega.names(sort=[*frame.styles, TEST]),
        },
        transform=[{"calculate": "indexof(band_order, datum.band)", "as": "at"}],
        params={"band_order": bands},
        height=vega.row_height(24, rows),
    )
