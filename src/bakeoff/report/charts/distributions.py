"""How a metric is distributed over users: quantiles for each model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bakeoff.arrays import Doubles
from bakeoff.queries.tables import Column
from bakeoff.report.charts.frame import Frame, TableView
from bakeoff.report.charts.palette import NEUTRAL
from bakeoff.report.charts.spec import (
    Chart,
    ChartSection,
    Row,
    least,
    listed,
    mark,
    model_style,
    names,
    numbers,
    rounded,
    row_height,
    short,
    specification,
    tooltip,
)
from bakeoff.report.figures.store_access import SplitFits

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
_LISTS = ("k", "mean", *(f"q{100 * level:g}" for level in LEVELS), "zeros", "n")
_BOXES = (("q5", "q95", 4, 0.35), ("q10", "q90", 9, 0.55), ("q25", "q75", 16, 1.0))
"""From and to a quantile, height in pixels, opacity."""


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
    return [
        {}
        if not of_row
        else {
            c: d
            for c, d in zip(columns, summarize(np.concatenate(of_row, axis=1)), strict=True)
            if d is not None
        }
        for of_row in values
    ]


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


def sections(frame: Frame) -> list[ChartSection]:
    """Return one section with one chart; without the store its text alone."""
    rows = [row for view in frame.stored for row in _rows(frame, view)]
    words = (
        "A mean says nothing of its spread: of two models with the same mean, one may serve all users alike, "
        "the other some users well and others not at all."
    )
    text = frame.text(words if rows else "No metric of this report has a value for each user.")
    return [
        ChartSection("spread", "How results vary over users", text, (_chart(frame, rows),) if rows else ())
    ]


def _rows(frame: Frame, view: TableView) -> list[Row]:
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
    return [listed(view.keys(*key), _LISTS, of_key) for key, of_key in entries.items()]


def _chart(frame: Frame, rows: list[Row]) -> Chart:
    style = model_style(frame, "color")
    tips = tooltip(
        *(("mean_text", "mean"), ("q50_text", "median"), ("q25_text", "lower quartile")),
        *(("q75_text", "upper quartile"), ("zeros", "users at 0", ".0%"), ("n", "users x fits", ",")),
    )
    boxes = [
        mark(
            "bar",
            {"x": {"field": low}, "x2": {"field": high}, **style, "tooltip": tips},
            height=height,
            opacity=opacity,
            cornerRadius=1,
        )
        for low, high, height, opacity in _BOXES
    ]
    white: dict[str, Any] = {"color": "white"}
    marks = [
        *boxes,
        mark("tick", {"x": {"field": "q50"}}, thickness=3, size=16, **white),
        mark(
            "point",
            {"x": {"field": "mean"}, "tooltip": tips},
            **{"shape": "diamond", "filled": True, "size": 70, "stroke": "black", "opacity": 1, **white},
        ),
        mark(
            "text",
            {"x": {"value": 2}, "text": {"field": "at_zero"}},
            where="datum.zeros > 0",
            align="left",
            dy=-16,
            fontSize=11,
            color=NEUTRAL,
        ),
    ]
    order = "directions[shown] == 'lower is better' ? -datum.mean : datum.mean"
    spec = specification(
        frame,
        rows,
        _LISTS,
        marks,
        metrics=[m for m in frame.metrics if any(r["metric"] == m for r in rows)],
        encoding={
            "x": numbers("q5", "x", "value of a user", padding=12),
            "y": names(sort=least("order", "descending")),
        },
        transform=[
            {"calculate": order, "as": "order"},
            {"calculate": "format(datum.zeros, '.0%') + ' at 0'", "as": "at_zero"},
            *rounded("mean", "q25", "q50", "q75"),
        ],
        height=row_height(44, rows),
    )
    caption = (
        "Boxes hold the middle 50, 80 and 90 % of users; the line is the median, the diamond the mean, over "
        "all users and all fits of a model. Above the box: the share of users whose value is exactly 0."
    )
    return Chart("distribution", "Distribution over users", caption, spec)
