"""Who wins for whom: metrics by groups of users, and recommended items by band of popularity."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from bakeoff.arrays import Array
from bakeoff.report.charts.frame import Frame, TableView
from bakeoff.report.charts.spec import (
    INTERVAL,
    Chart,
    ChartSection,
    Row,
    Spec,
    least,
    legend,
    listed,
    mark,
    model_legend,
    model_style,
    names,
    numbers,
    points,
    rounded,
    row_height,
    short,
    span,
    specification,
    tooltip,
)
from bakeoff.report.figures.popularity_bands import Bands, item_bands
from bakeoff.report.figures.user_groups import Means, group_means
from bakeoff.report.wording import visible

TEST = "test items"
"""The row that shows which items were relevant."""

BAND_COLOURS = ("#1d5c99", "#5a9fd4", "#b5cfe4", "#a3a3a3")

_TITLES = {"history": "length of history", "known": "what is known of the user"}
_LISTS = ("k", "at", "mean", "half", "best")

Labels = dict[str, dict[str, list[str]]]
"""Data set -> split -> the labels of its groups."""


def sections(frame: Frame) -> list[ChartSection]:
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
        metrics = [m for m in frame.metrics if any(r["metric"] == m for r in rows[kind])]
        spec = _by_group(frame, rows[kind], labels[kind], metrics)
        id_ = f"segments-{kind if kind in _TITLES else number}"
        title = f"Users by {_TITLES.get(kind, visible(kind))}"
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
        listed(
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
                shares.append(listed({**view.keys(model), "k": k}, ("band", "share"), entries))
    text = (
        "Recall of the test items of each band alone, mean over the users who have any. In brackets: items "
        "of the catalogue in the band; test items in the band."
    )
    caption = "Share of each band among the first k of all lists; last row: the test items."
    return [
        Chart("segments-items", "Items by popularity", text, _by_group(frame, rows, labels, [])),
        Chart("recommended", "Which items are recommended", caption, _shares(frame, shares)),
    ]


def _by_group(frame: Frame, rows: Sequence[Row], labels: Labels, metrics: Sequence[str]) -> Spec:
    """Return the means of each group, a line for each model in it.

    Args:
        metrics: those to choose from; none where there is recall alone.
    """
    models = row_height(11, rows)
    counts = {d: {s: max(n, 2) * len(labels[d][s]) for s, n in by.items()} for d, by in models.counts.items()}
    groups = [label for by in labels.values() for of_split in by.values() for label in of_split]
    below = model_legend(frame, groups)
    tips = tooltip(("group", "group"), *INTERVAL, ("rank", "rank"))
    fill = {"condition": {"test": "datum.best == 1", "value": 1}, "value": 0.12}
    style = model_style(frame, "shape", "stroke", legend=below)
    return specification(
        frame,
        rows,
        _LISTS,
        [
            mark("rule", span("x"), strokeWidth=1.5, opacity=0.6),
            points({**style, "fillOpacity": fill, "tooltip": tips}, size=48, strokeWidth=1.5),
        ],
        by=("dataset", "split", "metric", "k") if metrics else ("dataset", "split", "k"),
        metrics=metrics,
        heading=() if metrics else ("'recall of the items of a band, higher is better, k = ' + k",),
        encoding={
            "x": numbers("mean", "x", padding=14),
            "y": {
                **names("group", least("at"), labelLimit=150, labelFontSize=11),
                "scale": {"paddingInner": 0.2},
            },
            "yOffset": {"field": "model", "type": "nominal", "sort": least("turn")},
            **model_style(frame, "color", legend=below),
        },
        transform=[
            {"calculate": "labels[dataset][split][datum.at]", "as": "group"},
            {"calculate": "datum.mean - datum.half", "as": "low"},
            {"calculate": "datum.mean + datum.half", "as": "high"},
            {"calculate": "indexof(models, datum.model)", "as": "turn"},
            {"calculate": "datum.best == 1 ? 'best of its group' : ''", "as": "rank"},
            *rounded("mean", "low", "high"),
        ],
        params={"labels": labels, "models": list(frame.styles)},
        height=replace(models, counts=counts),
    )


def _shares(frame: Frame, rows: Sequence[Row]) -> Spec:
    """Return a bar for each model, with a part for each band."""
    bands = list(dict.fromkeys(band for row in rows for band in row["band"]))
    models = [*frame.styles, TEST]
    colour = {
        "field": "band",
        "type": "nominal",
        "scale": {"domain": bands, "range": list(BAND_COLOURS[: len(bands)])},
        "sort": bands,
        "legend": legend(bands, models),
    }
    order = {"field": "at", "type": "quantitative"}
    axis = {"format": ".0%", "labelExpr": "datum.label"}
    tips = tooltip(("band", "band"), ("share", "share", ".1%"))
    return specification(
        frame,
        rows,
        ("band", "share"),
        [mark("bar", {"color": colour, "order": order, "tooltip": tips}, height=16)],
        by=("dataset", "split", "k"),
        heading=("'recommended items by their popularity, k = ' + k",),
        encoding={
            "x": numbers("share", "x", "share of the lists", axis, domain=[0, 1]),
            "y": names(sort=models),
        },
        transform=[{"calculate": "indexof(band_order, datum.band)", "as": "at"}],
        params={"band_order": bands},
        height=row_height(24, rows),
    )
