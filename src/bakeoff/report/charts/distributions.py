"""How metrics are spread over users: boxes of quantiles for each model."""

from __future__ import annotations

from typing import Any

from bakeoff.queries.tables import Column
from bakeoff.report.charts.chart import Chart, ChartSection
from bakeoff.report.charts.frame import Frame, Place
from bakeoff.report.charts.look import NEUTRAL
from bakeoff.report.charts.room import figures, line_for_each
from bakeoff.report.charts.spec import (
    AT_METRIC,
    AT_PLACE,
    colour,
    data,
    finish,
    metric_title,
    parameters,
    short,
)
from bakeoff.report.charts.stored import Stored
from bakeoff.report.figures.distribution import LEVELS, Distribution, distributions

_QUANTILES = tuple(f"q{100 * level:g}" for level in LEVELS)
_LISTS = ("k", "mean", *_QUANTILES, "zeros", "n")
_BOXES = (("q5", "q95", 4, 0.35), ("q10", "q90", 9, 0.55), ("q25", "q75", 16, 1.0))
"""From and to a quantile, as high as so many pixels, so opaque."""


def sections(frame: Frame, stored: Stored) -> list[ChartSection]:
    """One section with one chart; without the store its text alone."""
    rows = [row for place, fits in stored.places for row in _rows(frame, place, fits)]
    words = (
        "A mean hides whom it is made of: two models with one mean may serve all users alike, or some well "
        "and others not at all."
    )
    text = stored.text(words if rows else "No metric of this report has a value for each user.")
    charts = (_chart(frame, rows),) if rows else ()
    return [ChartSection("spread", "How users fare", text, charts)]


def _rows(frame: Frame, place: Place, fits: Any) -> list[dict[str, Any]]:
    columns = [c for c in place.table.columns if frame.metrics[c.metric].per_user]
    found: dict[tuple[str, str], dict[str, Any]] = {}
    if not columns:
        return []
    spread = distributions(fits, len(place.table.rows), columns)
    for model, of_row in zip(place.models, spread, strict=True):
        for column, one in of_row.items():
            names = {"dataset": place.dataset, "split": place.split, "model": model, "metric": column.metric}
            row = found.setdefault((model, column.metric), {**names, **{name: [] for name in _LISTS}})
            for name, number in zip(_LISTS, _numbers(column, one), strict=True):
                row[name].append(number)
    return list(found.values())


def _numbers(column: Column, one: Distribution) -> list[float | int | None]:
    return [
        column.k,
        short(one.mean),
        *(short(q, 3) for q in one.quantiles),
        short(one.zeros, 2),
        one.n,
    ]


def _chart(frame: Frame, rows: list[dict[str, Any]]) -> Chart:
    import altair as alt

    base = (
        alt.Chart(data(rows))
        .transform_filter(f"{AT_PLACE} && datum.metric == shown")
        .transform_flatten(list(_LISTS))
        .transform_filter(AT_METRIC)
    )
    up = "about[shown] == 'lower is better' ? -datum.mean : datum.mean"
    base = base.transform_calculate(order=up, said="format(datum.zeros, '.0%') + ' at 0'")
    y = alt.Y(
        "model:N",
        sort=alt.EncodingSortField("order", op="min", order="descending"),
        axis=alt.Axis(title=None, labelLimit=140, domain=False, ticks=False),
    )
    title = "value of a user"
    axis = alt.Axis(title=title, tickCount=5, labelExpr=figures("x"))
    boxes = [
        base.mark_bar(height=height, opacity=opacity, cornerRadius=1).encode(
            x=alt.X(f"{low}:Q", axis=axis, scale=alt.Scale(zero=False, nice=False, padding=12)),
            x2=f"{high}:Q",
            y=y,
            color=colour(frame),
            tooltip=_tips(),
        )
        for low, high, height, opacity in _BOXES
    ]
    median = base.mark_tick(thickness=3, size=16, color="white").encode(x="q50:Q", y=y)
    mean = base.mark_point(shape="diamond", filled=True, size=70, color="white", stroke="black").encode(
        x="mean:Q", y=y, tooltip=_tips()
    )
    zeros = base.mark_text(align="left", dy=-16, fontSize=11, color=NEUTRAL).encode(
        x=alt.value(2),
        y=y,
        text="said:N",
        opacity=alt.condition("datum.zeros > 0", alt.value(1), alt.value(0)),
    )
    chart = alt.layer(*boxes, median, mean, zeros, title=metric_title())
    metrics = [m for m in frame.metrics if any(r["metric"] == m for r in rows)]
    chart = chart.add_params(*parameters(frame, ("dataset", "split", "k", "metric"), metrics))
    caption = (
        "Boxes hold the middle 50, 80 and 90 % of users, the line is the median, the diamond the mean, over "
        "all users and all fits of a model. The share of users whose value is exactly 0 stands above "
        "the box."
    )
    return Chart(
        "distribution", "Spread over users", caption, finish(chart, rows, height=line_for_each(44, rows))
    )


def _tips() -> list[Any]:
    import altair as alt

    shown = [("mean", "mean"), ("q50", "median"), ("q25", "a quarter of users below"), ("q75", "above")]
    return [
        alt.Tooltip("model:N", title="model"),
        *(alt.Tooltip(f"{field}:Q", title=title, format=".3~r") for field, title in shown),
        alt.Tooltip("zeros:Q", title="users at 0", format=".0%"),
        alt.Tooltip("n:Q", title="users x fits", format=","),
    ]
