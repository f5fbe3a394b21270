"""Who leads, and does the winner change: the leader board, metrics over k, ranks over k, runs and more."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from bakeoff.arrays import Array, Doubles
from bakeoff.queries.comparison import Column, Run, Table
from bakeoff.report.charts import vega
from bakeoff.report.charts.frame import Frame, TableView
from bakeoff.report.charts.vega import Chart, ChartSection, Row, Spec, short

LISTS = ("k", "mean", "low", "high", "rank")

_CAPTION = "1 is the best; models with equal means share a rank. Where lines cross, the order changes."


def ranked(values: Sequence[float] | Array, higher_is_better: bool) -> Doubles:
    """Return float64 [n]: the rank of each finite value, 1 the best, ties with their mean rank; else NaN.

    >>> ranked([0.3, 0.5, float("nan"), 0.3], True).tolist()
    [2.5, 1.0, nan, 2.5]
    """
    values = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(values)
    ranks = np.full(len(values), np.nan)
    order = -values[finite] if higher_is_better else values[finite]
    _, group, size = np.unique(order, return_inverse=True, return_counts=True)
    ranks[finite] = (np.cumsum(size) - (size - 1) / 2)[group]
    return ranks


def table_ranks(table: Table, column: Column, higher_is_better: bool) -> Doubles:
    """Return float64 [rows]: ranks of a table's rows by their means in one column."""
    means = [row.values[column].mean if column in row.values else math.nan for row in table.rows]
    return ranked(means, higher_is_better)


def run_ranks(table: Table, column: Column, higher_is_better: bool) -> Doubles:
    """Return float64 [rows, runs]: ranks of a table's rows in each of its runs alone.

    A model without chance has the same value in every run that shares its split.
    """
    values = np.full((len(table.rows), len(table.runs)), np.nan)
    position = {run: at for at, run in enumerate(table.runs)}
    for at, row in enumerate(table.rows):
        for request, record in row.results:
            value = record.measurement(column.metric, column.k)
            if record.done and value is not None:
                cell = request.cell
                values[at, position[Run(cell.split_seed, cell.fold, cell.seed)]] = value[0]
    return (
        np.stack([ranked(of_run, higher_is_better) for of_run in values.T], axis=1) if values.size else values
    )


def measured(frame: Frame) -> list[Row]:
    """Return a row for each table, model and metric, with lists over k (see LISTS)."""
    rows = []
    for view in frame.views:
        for metric in frame.metrics:
            columns = [c for c in view.table.columns if c.metric == metric]
            ranks = {c: table_ranks(view.table, c, frame.largest_first(metric)) for c in columns}
            for at, (model, row) in enumerate(zip(view.models, view.table.rows, strict=True)):
                values = [(c, row.values[c]) for c in columns if c in row.values]
                entries = [
                    (c.k, *(short(number) for number in (v.mean, v.low, v.high, ranks[c][at])))
                    for c, v in values
                ]
                if entries:
                    rows.append(vega.listed(view.keys(model, metric), LISTS, entries))
    return rows


# -- who leads -------------------------------------------------------------------------------------------


def sections(frame: Frame) -> list[ChartSection]:
    """Return the section of the leaders, and that of ranks where there are two models to rank."""
    rows = measured(frame)
    text = (
        "Each point is the mean over all fits of a model. Its line is the 95 % interval: over users, and "
        "over fits where there are several. Overlapping intervals do not mean that two models are equal: "
        "both were measured on the same users, and the paired tests are more powerful."
    )
    charts = (_board(frame, rows), *([_curves(frame, rows)] if len(frame.ks) > 1 else []))
    ranks = _rank_charts(frame, rows)
    return [
        ChartSection("leaders", "Who leads", text, charts),
        *([ChartSection("ranks", "Does the winner change?", _text(frame), tuple(ranks))] if ranks else []),
    ]


def _board(frame: Frame, rows: Sequence[Row]) -> Chart:
    style = vega.model_style(frame, "color")
    shape = vega.model_style(frame, "shape")
    axis = {**vega.names(sort=vega.least("rank"), grid=True, gridDash=[1, 3]), "scale": {"paddingOuter": 0.6}}
    spec = vega.specification(
        frame,
        rows,
        LISTS,
        [
            vega.mark("rule", {**vega.span("x"), **style}, strokeWidth=3, opacity=0.5),
            vega.points({**style, **shape, "tooltip": vega.tooltip(*vega.INTERVAL)}),
            vega.mark("text", {"text": {"field": "mean_text"}}, dy=-11, fontSize=11),
        ],
        encoding={
            "x": vega.numbers("mean", "x", "mean and 95 % interval", {"grid": False}, padding=26),
            "y": axis,
        },
        transform=vega.rounded("mean", "low", "high"),
        height=vega.row_height(32, rows),
    )
    caption = "Best on top. Point at or tap a model for its figures."
    return Chart("leader-board", "Leader board", caption, spec)


def _curves(frame: Frame, rows: Sequence[Row]) -> Chart:
    ks = frame.ks
    axis = {"values": ks, "grid": False, "format": "d", "labelExpr": "datum.label"}
    scale = "log" if ks[-1] > 20 * ks[0] else "linear"
    spec = vega.specification(
        frame,
        rows,
        LISTS,
        [
            vega.mark("rule", {**vega.span("y"), **vega.PICKED}, strokeWidth=1.5),
            *vega.traces(frame, vega.tooltip(("k", "k"), *vega.INTERVAL)),
        ],
        by=("dataset", "split", "metric"),
        metrics=[m for m, metric in frame.metrics.items() if metric.cutoff],
        encoding={
            "x": vega.numbers("k", "x", "k, length of the list", axis, type=scale, padding=12),
            "y": vega.numbers("mean", "y", axis={"tickCount": 6}, nice=True),
            **vega.model_style(frame, "color", legend=True),
        },
        transform=vega.rounded("mean", "low", "high"),
        height=300,
    )
    return Chart("curves", "Every metric over k", "Bars are 95 % intervals.", spec)


# -- does the winner change? -----------------------------------------------------------------------------


def _rank_charts(frame: Frame, rows: Sequence[Row]) -> list[Chart]:
    """Return a chart for each axis (k, metric, split, ...) that has at least two values."""
    directed = [m for m, metric in frame.metrics.items() if metric.higher_is_better is not None]
    if len(frame.styles) < 2 or not directed:
        return []
    cut = [m for m in directed if frame.metrics[m].cutoff]
    splits = list(dict.fromkeys(v.split for v in frame.views))
    several_splits = max(Counter(v.dataset for v in frame.views).values()) > 1
    axes: tuple[tuple[str, str, Sequence[Any], Sequence[str]], ...] = (
        ("k", "Over k", frame.ks if cut else (), cut),
        ("metric", "Over metrics", directed, directed),
        ("split", "Over splits", splits if several_splits else (), directed),
        ("dataset", "Over data sets", list(dict.fromkeys(v.dataset for v in frame.views)), directed),
    )
    charts = []
    for axis, title, values, metrics in axes:
        if len(values) > 1:
            over_metrics = axis == "metric"
            where = {"k": "datum.k !== null", "metric": "indexof(directed, datum.metric) >= 0"}.get(axis)
            spec = _ranks(
                *(frame, rows, ("k", "rank"), axis, values),
                by=[b for b in vega.BY if b != axis],
                metrics=[] if over_metrics else metrics,
                heading=("'k = ' + k",) if over_metrics else (),
                transform=[{"filter": where}] if where else [],
                params={"directed": list(metrics)} if over_metrics else {},
            )
            charts.append(Chart(f"ranks-{axis if axis == 'k' else axis + 's'}", title, _CAPTION, spec))
    return [*charts, *_over_runs(frame, directed)]


def _text(frame: Frame) -> str:
    """Return how often each model is first, by the metric and k that are shown first."""
    metric, k = frame.start.metric, frame.start.k if frame.metrics[frame.start.metric].cutoff else None
    if frame.metrics[metric].higher_is_better is None:
        return ""
    first: Counter[str] = Counter()
    n = 0
    for view in frame.views:
        ranks = table_ranks(view.table, Column(metric, k), frame.largest_first(metric))
        if not np.isnan(ranks).all():
            n += 1
            best = np.nanmin(ranks)
            first.update(m for m, r in zip(view.models, ranks, strict=True) if r == best)
    counts = ", ".join(f"{model} in {times}" for model, times in first.most_common())
    return (
        f"By {Column(metric, k).name}, first in {n} {'comparison' if n == 1 else 'comparisons'} of a data "
        f"set and a split: {counts}. Ranks are of means: two models may change places without a significant "
        "difference."
    )


def _ranks(
    frame: Frame, rows: Sequence[Row], lists: Sequence[str], axis: str, values: Sequence[Any], **more: Any
) -> Spec:
    largest = max(len({model for model, _ in view.rows}) for view in frame.views)
    look: Spec = {"domain": False, "ticks": False, "grid": False}
    over_k: Spec = {"labelAngle": 0, "title": "k, length of the list"}
    labels = over_k if axis == "k" else {"title": None, **vega.below(len(values))}
    places = {"title": "rank", "values": list(range(1, largest + 1)), "format": "d"}
    encoding = {
        "x": {
            "field": axis,
            "type": "ordinal",
            "sort": list(values),
            "scale": {"type": "point", "padding": 0.4},
            "axis": {**look, **labels, "grid": True, "gridDash": [1, 3]},
        },
        "y": {
            "field": "rank",
            "type": "quantitative",
            "scale": {"reverse": True, "nice": False, "domain": [0.6, largest + 0.4]},
            "axis": {**look, **places},
        },
        **vega.model_style(frame, "color", legend=True),
    }
    layers = vega.traces(frame, vega.tooltip(("rank", "rank")), width=2.5, size=110)
    return vega.specification(frame, rows, lists, layers, encoding=encoding, height=28 * largest + 20, **more)


def _over_runs(frame: Frame, metrics: Sequence[str]) -> list[Chart]:
    """Return ranks in each run alone, where a table has at least two."""
    views = [v for v in frame.views if len(v.table.runs) > 1]
    rows = [row for view in views for row in _run_rows(frame, view, metrics)]
    if not rows:
        return []
    labels: dict[str, dict[str, list[str]]] = {}
    for view in views:
        labels.setdefault(view.dataset, {})[view.split] = _run_labels(view.table.runs)
    distinct = list(dict.fromkeys(n for by in labels.values() for runs in by.values() for n in runs))
    label = "(runs[dataset] && runs[dataset][split]) ? runs[dataset][split][datum.at] : ''"
    spec = _ranks(
        *(frame, rows, ("k", "at", "rank"), "run", distinct),
        transform=[{"calculate": label, "as": "run"}],
        params={"runs": labels},
    )
    caption = f"{_CAPTION} A model without chance has the same numbers under every seed."
    return [Chart("ranks-runs", "Over seeds and folds", caption, spec)]


def _run_rows(frame: Frame, view: TableView, metrics: Sequence[str]) -> list[Row]:
    entries: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for column in (c for c in view.table.columns if c.metric in metrics):
        ranks = run_ranks(view.table, column, frame.largest_first(column.metric))
        for model, of_model in zip(view.models, ranks.tolist(), strict=True):
            entries.setdefault((model, column.metric), []).extend(
                (column.k, at, short(rank)) for at, rank in enumerate(of_model) if not math.isnan(rank)
            )
    lists = ("k", "at", "rank")
    return [vega.listed(view.keys(*key), lists, of_key) for key, of_key in entries.items() if of_key]


def _run_labels(runs: Sequence[Run]) -> list[str]:
    """Return the coordinates in which the runs differ."""
    parts = [
        (f"split {r.split_seed}", "" if r.fold is None else f"fold {r.fold}", f"seed {r.seed}") for r in runs
    ]
    differing = [at for at in range(3) if len({p[at] for p in parts}) > 1]
    return [", ".join(p[at] for at in differing) for p in parts]
