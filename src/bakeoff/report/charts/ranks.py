"""Does the winner change? Ranks of the models over k, metrics, splits, data sets, seeds and folds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from bakeoff.arrays import Array, Doubles
from bakeoff.queries.tables import Column, Run, Table
from bakeoff.report.charts.frame import Frame, TableView
from bakeoff.report.charts.spec import (
    BY,
    Chart,
    ChartSection,
    Row,
    Spec,
    below,
    listed,
    mark,
    model_legend,
    model_style,
    points,
    short,
    specification,
    tooltip,
)

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
    if not values.size:
        return values
    return np.stack([ranked(values[:, r], higher_is_better) for r in range(values.shape[1])], axis=1)


def sections(frame: Frame, rows: Sequence[Row]) -> list[ChartSection]:
    """Return one section, with a chart for each axis (k, metric, split, ...) that has at least two values.

    Args:
        rows: those of the leader board.
    """
    directed = [m for m, metric in frame.metrics.items() if metric.higher_is_better is not None]
    if len(frame.styles) < 2 or not directed:
        return []
    datasets = list(dict.fromkeys(v.dataset for v in frame.views))
    splits = list(dict.fromkeys(v.split for v in frame.views))
    axes: list[tuple[str, str, Sequence[Any], list[str]]] = []
    cut = [m for m in directed if frame.metrics[m].cutoff]
    if len(frame.ks) > 1 and cut:
        axes.append(("k", "Over k", frame.ks, cut))
    if len(directed) > 1:
        axes.append(("metric", "Over metrics", directed, directed))
    if max(Counter(v.dataset for v in frame.views).values()) > 1:
        axes.append(("split", "Over splits", splits, directed))
    if len(datasets) > 1:
        axes.append(("dataset", "Over data sets", datasets, directed))
    charts = []
    for axis, title, values, metrics in axes:
        name = {"metric": "metrics", "split": "splits", "dataset": "datasets"}.get(axis, axis)
        spec = _along(frame, rows, axis, values, metrics)
        charts.append(Chart(f"ranks-{name}", title, _CAPTION, spec))
    charts += _over_runs(frame, directed)
    return [ChartSection("ranks", "Does the winner change?", _text(frame), tuple(charts))] if charts else []


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
    name = metric if k is None else f"{metric}@{k}"
    return (
        f"By {name}, first in {n} {'comparison' if n == 1 else 'comparisons'} of a data set and a split: "
        f"{counts}. Ranks are of means: two models may change places without a significant difference."
    )


def traces(frame: Frame, tips: Sequence[Spec], *, width: float, size: float) -> tuple[Spec, Spec, Spec]:
    """Return a line and points for each model, and the opacity that highlights one picked in the legend."""
    opacity = {"condition": {"param": "picked", "value": 1}, "value": 0.12}
    legend = model_legend(frame)
    line = mark(
        "line", {**model_style(frame, "strokeDash", legend=legend), "opacity": opacity}, strokeWidth=width
    )
    point = points(
        {**model_style(frame, "shape", legend=legend), "opacity": opacity, "tooltip": list(tips)}, size=size
    )
    del point["mark"]["opacity"]
    point["params"] = [{"name": "picked", "select": {"type": "point", "fields": ["model"]}, "bind": "legend"}]
    return line, point, opacity


def _along(
    frame: Frame, rows: Sequence[Row], axis: str, values: Sequence[Any], metrics: Sequence[str]
) -> Spec:
    """Return ranks of the leader board's rows along one of their fields; the other fields are chosen."""
    by = [b for b in BY if b != axis]
    over_metrics = axis == "metric"
    filters = ["indexof(directed, datum.metric) >= 0"] if over_metrics else []
    filters += ["datum.k !== null"] if axis == "k" else []
    return _ranks(
        *(frame, rows, ("k", "rank"), axis, values),
        by=by,
        metrics=[] if over_metrics else metrics,
        heading=("'k = ' + k",) if over_metrics else (),
        transform=[{"filter": f} for f in filters],
        params={"directed": list(metrics)} if over_metrics else {},
    )


def _ranks(
    frame: Frame, rows: Sequence[Row], lists: Sequence[str], axis: str, values: Sequence[Any], **more: Any
) -> Spec:
    largest = max(len({model for model, _ in view.rows}) for view in frame.views)
    look: Spec = {"domain": False, "ticks": False, "grid": False}
    line, point, _ = traces(frame, tooltip(("rank", "rank")), width=2.5, size=110)
    labels = (
        {"labelAngle": 0, "title": "k, length of the list"}
        if axis == "k"
        else {"title": None, **below(len(values))}
    )
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
            "axis": {
                **look,
                "title": "rank",
                "values": list(range(1, largest + 1)),
                "format": "d",
                "grid": False,
            },
        },
        **model_style(frame, "color", legend=model_legend(frame)),
    }
    height = 28 * largest + 20
    return specification(frame, rows, lists, [line, point], encoding=encoding, height=height, **more)


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
    chosen = "runs[dataset] && runs[dataset][split]"
    spec = _ranks(
        *(frame, rows, ("k", "at", "rank"), "run", distinct),
        metrics=metrics,
        transform=[{"calculate": f"({chosen}) ? runs[dataset][split][datum.at] : ''", "as": "run"}],
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
    return [listed(view.keys(*key), ("k", "at", "rank"), of_key) for key, of_key in entries.items() if of_key]


def _run_labels(runs: Sequence[Run]) -> list[str]:
    """Return the coordinates in which the runs differ."""
    parts = [
        (f"split {r.split_seed}", "" if r.fold is None else f"fold {r.fold}", f"seed {r.seed}") for r in runs
    ]
    differing = [at for at in range(3) if len({p[at] for p in parts}) > 1]
    return [", ".join(p[at] for at in differing) for p in parts]
