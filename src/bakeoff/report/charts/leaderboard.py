"""Who leads: the leader board as points with intervals, and every metric as a curve over k."""

from __future__ import annotations

from collections.abc import Sequence

from bakeoff.report.charts.frame import Frame, TableView
from bakeoff.report.charts.ranks import table_ranks, traces
from bakeoff.report.charts.spec import (
    INTERVAL,
    Chart,
    ChartSection,
    Row,
    least,
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

LISTS = ("k", "mean", "low", "high", "rank", "position")


def sections(frame: Frame, rows: Sequence[Row]) -> list[ChartSection]:
    """Return one section: the models in order, and the metrics over k."""
    text = (
        "Each point is the mean over all fits of a model. Its line is the 95 % interval: over users, and "
        "over fits where there are several. Overlapping intervals do not mean that two models are equal: "
        "both were measured on the same users, and the paired tests are more powerful."
    )
    curves = [_curves(frame, rows)] if len(frame.ks) > 1 else []
    return [ChartSection("leaders", "Who leads", text, (_board(frame, rows), *curves))]


def measured(frame: Frame) -> list[Row]:
    """Return a row for each table, model and metric, with lists over k (see LISTS)."""
    return [row for view in frame.views for metric in frame.metrics for row in _measured(frame, view, metric)]


def _measured(frame: Frame, view: TableView, metric: str) -> list[Row]:
    columns = [c for c in view.table.columns if c.metric == metric]
    ranks = {c: table_ranks(view.table, c, frame.largest_first(metric)).tolist() for c in columns}
    positions = {c: _positions(of_column) for c, of_column in ranks.items()}
    rows = []
    for at, (model, row) in enumerate(zip(view.models, view.table.rows, strict=True)):
        values = [(c, row.values[c]) for c in columns if c in row.values]
        entries = [
            (c.k, short(v.mean), short(v.low), short(v.high), short(ranks[c][at]), positions[c][at])
            for c, v in values
        ]
        if entries:
            rows.append(listed(view.keys(model, metric), LISTS, entries))
    return rows


def _positions(ranks: Sequence[float]) -> list[int]:
    """Return positions from the top: by rank, ties in the order of the table, NaN last."""
    order = sorted(range(len(ranks)), key=lambda at: (ranks[at] != ranks[at], ranks[at], at))
    return [order.index(at) for at in range(len(ranks))]


def _board(frame: Frame, rows: Sequence[Row]) -> Chart:
    style = model_style(frame, "color")
    spec = specification(
        frame,
        rows,
        LISTS,
        [
            mark(
                "rule", {"x": {"field": "low"}, "x2": {"field": "high"}, **style}, strokeWidth=3, opacity=0.5
            ),
            points({**style, **model_style(frame, "shape"), "tooltip": tooltip(*INTERVAL)}),
            mark("text", {"text": {"field": "mean_text"}}, dy=-11, fontSize=11),
        ],
        metrics=list(frame.metrics),
        encoding={
            "x": numbers("mean", "x", "mean and 95 % interval", {"grid": False}, padding=26),
            "y": {
                **names(sort=least("position"), grid=True, gridDash=[1, 3]),
                "scale": {"paddingOuter": 0.6},
            },
        },
        transform=rounded("mean", "low", "high"),
        height=row_height(32, rows),
    )
    return Chart(
        "leader-board", "Leader board", "Best on top. Point at or tap a model for its figures.", spec
    )


def _curves(frame: Frame, rows: Sequence[Row]) -> Chart:
    ks = frame.ks
    line, point, opacity = traces(frame, tooltip(("k", "k"), *INTERVAL), width=2, size=60)
    bars = mark("rule", {**span("y"), "opacity": opacity}, strokeWidth=1.5)
    k_axis = {"values": ks, "grid": False, "format": "d", "labelExpr": "datum.label"}
    spec = specification(
        frame,
        rows,
        LISTS,
        [bars, line, point],
        by=("dataset", "split", "metric"),
        metrics=[m for m, metric in frame.metrics.items() if metric.cutoff],
        encoding={
            "x": numbers(
                *("k", "x", "k, length of the list", k_axis),
                type="log" if ks[-1] > 20 * ks[0] else "linear",
                padding=12,
            ),
            "y": numbers("mean", "y", axis={"tickCount": 6}, nice=True),
            **model_style(frame, "color", legend=model_legend(frame)),
        },
        transform=rounded("mean", "low", "high"),
        height=300,
    )
    return Chart(
        "curves",
        "Every metric over k",
        "Bars are 95 % intervals. Choose a model in the legend to highlight it.",
        spec,
    )
