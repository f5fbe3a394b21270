"""The views of tuning; every row has the names of its place and model, and lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bakeoff.report.charts.chart import Row, Spec
from bakeoff.report.charts.frame import Frame
from bakeoff.report.charts.look import NEUTRAL
from bakeoff.report.charts.room import Lines, figures, line_for_each
from bakeoff.report.charts.spec import (
    AT_PLACE,
    colour,
    dash,
    data,
    finish,
    legend,
    parameters,
    place_title,
    shape,
)

EDGE = "#d0312d"
"""Of a best value at the edge of its space; its circle is larger too."""


def _base(rows: Sequence[Row], fields: Sequence[str]) -> Any:
    import altair as alt

    return alt.Chart(data(rows)).transform_filter(AT_PLACE).transform_flatten(list(fields))


def _finish(frame: Frame, chart: Any, rows: Sequence[Row], words: str, height: int | Lines) -> Spec:
    start = frame.start
    if not any((r["dataset"], r["split"]) == (start.dataset, start.split) for r in rows):
        start = start._replace(dataset=rows[0]["dataset"], split=rows[0]["split"])
    chart = chart.properties(title=place_title(words))
    return finish(
        chart.add_params(*parameters(frame, ("dataset", "split"), start=start)), rows, height=height
    )


def _tips(*more: tuple[str, str]) -> list[Any]:
    import altair as alt

    return [
        alt.Tooltip("model:N", title="model"),
        alt.Tooltip("tuned:N", title="tuned for"),
        *(alt.Tooltip(f"{field}:Q", title=title, format=".4~r") for field, title in more),
    ]


def progress_view(frame: Frame, rows: Sequence[Row], along: str) -> Spec:
    """Steps of the best so far."""
    import altair as alt

    base = _base(rows, ("at", "best"))
    x = alt.X(
        "at:Q",
        scale=alt.Scale(type="symlog" if along.startswith("seconds") else "linear", nice=False, zero=False),
        axis=alt.Axis(title=along, grid=False, tickCount=6),
    )
    y = alt.Y(
        "best:Q", scale=alt.Scale(zero=False), axis=alt.Axis(title=None, tickCount=6, labelExpr=figures("y"))
    )
    hue, form = colour(frame, legend=legend(frame.looks)), shape(frame, legend=legend(frame.looks))
    lines = base.mark_line(interpolate="step-after", strokeWidth=2).encode(
        x=x, y=y, color=hue, strokeDash=dash(frame, legend=legend(frame.looks))
    )
    points = base.mark_point(filled=True, size=36, opacity=1).encode(
        x=x, y=y, color=hue, shape=form, tooltip=_tips(("at", along), ("best", "best so far"))
    )
    return _finish(frame, alt.layer(lines, points), rows, "best value so far, on the inner split", 280)


def expected_view(frame: Frame, rows: Sequence[Row]) -> Spec:
    """Lines with bands of intervals."""
    import altair as alt

    base = _base(rows, ("at", "best", "low", "high"))
    x = alt.X(
        "at:Q",
        scale=alt.Scale(nice=False, zero=False),
        axis=alt.Axis(title="trials", grid=False, tickMinStep=1, tickCount=6),
    )
    y = alt.Y(
        "best:Q", scale=alt.Scale(zero=False), axis=alt.Axis(title=None, tickCount=6, labelExpr=figures("y"))
    )
    hue = colour(frame, legend=legend(frame.looks))
    bands = base.mark_area(opacity=0.18).encode(
        x=x, y=alt.Y("low:Q", scale=alt.Scale(zero=False)), y2="high:Q", color=hue
    )
    lines = base.mark_line(strokeWidth=2).encode(
        x=x, y=y, color=hue, strokeDash=dash(frame, legend=legend(frame.looks))
    )
    tips = _tips(
        ("at", "trials"), ("best", "expected best"), ("low", "interval from"), ("high", "interval to")
    )
    points = base.mark_point(filled=True, size=30, opacity=1).encode(
        x=x, y=y, color=hue, shape=shape(frame, legend=legend(frame.looks)), tooltip=tips
    )
    return _finish(
        frame, alt.layer(bands, lines, points), rows, "expected best value, on the inner split", 280
    )


def importance_view(frame: Frame, rows: Sequence[Row]) -> Spec:
    """Bars, a group for each model."""
    import altair as alt

    base = _base(rows, ("knob", "share")).transform_calculate(label="datum.model + ': ' + datum.knob")
    chart = base.mark_bar(height=12, cornerRadiusEnd=2).encode(
        x=alt.X(
            "share:Q",
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(title="share of the importance", format=".0%", tickCount=5),
        ),
        y=alt.Y(
            "label:N",
            sort=alt.EncodingSortField("order", op="min"),
            axis=alt.Axis(title=None, labelLimit=190, domain=False, ticks=False),
        ),
        color=colour(frame),
        tooltip=[
            alt.Tooltip("model:N", title="model"),
            alt.Tooltip("knob:N", title="hyperparameter"),
            alt.Tooltip("share:Q", title="share", format=".1%"),
        ],
    )
    chart = chart.transform_calculate(order="indexof(models, datum.model) * 10 - datum.share")
    chart = chart.add_params(alt.param(name="models", value=list(frame.looks)))
    knobs = [{**row, "knob": knob} for row in rows for knob in row["knob"]]
    return _finish(
        frame, chart, rows, "importance of hyperparameters", line_for_each(19, knobs, "model", "knob")
    )


def space_view(frame: Frame, rows: Sequence[Row]) -> Spec:
    """Ticks of trials on a line from one end of a space to the other, and the best."""
    import altair as alt

    base = _base(rows, ("at", "value", "best"))
    x = alt.X(
        "at:Q",
        scale=alt.Scale(domain=[0, 1], clamp=True, padding=10, nice=False),
        axis=alt.Axis(
            title=None,
            values=[0, 0.5, 1],
            labelExpr="datum.value == 0 ? 'low end' : datum.value == 1 ? 'high end' : 'middle'",
        ),
    )
    y = alt.Y(
        "knob:N", sort=None, axis=alt.Axis(title=None, labelLimit=190, domain=False, ticks=False, grid=True)
    )
    tips = [
        alt.Tooltip("knob:N", title="hyperparameter"),
        alt.Tooltip("value:Q", title="value", format=".4~g"),
    ]
    trials = (
        base.transform_filter("datum.best == 0")
        .mark_tick(thickness=1.5, size=12, opacity=0.45)
        .encode(x=x, y=y, color=colour(frame), tooltip=tips)
    )
    edge = "datum.best == 2"
    best = (
        base.transform_filter("datum.best > 0")
        .mark_point(filled=True, opacity=1, stroke=NEUTRAL)
        .encode(
            x=x,
            y=y,
            color=alt.condition(edge, alt.value(EDGE), colour(frame)),
            size=alt.condition(edge, alt.value(190), alt.value(100)),
            tooltip=tips,
        )
    )
    return _finish(
        frame,
        alt.layer(trials, best),
        rows,
        "trials and the best in the space of each",
        line_for_each(24, rows, "knob"),
    )
