"""The views of differences: a heat map of pairs, and mean ranks with the critical difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bakeoff.report.charts.chart import Row, Spec
from bakeoff.report.charts.frame import Frame
from bakeoff.report.charts.room import line_for_each, slanted
from bakeoff.report.charts.spec import (
    AT_METRIC,
    AT_PLACE,
    colour,
    data,
    finish,
    metric_title,
    parameters,
    shape,
)

LISTS = ("k", "at", "difference", "low", "high", "p", "effect", "won", "lost")
RANK_LISTS = ("k", "rank", "reach", "p")

WORSE, EQUAL, BETTER = "#c2590a", "#f4f4f4", "#1d6fb0"
NOTHING = "#d9d9d9"
FIGURES = "+.2~r"
EFFECT = 0.8
"""An effect of that size, which is called large, has the full colour."""


def pair_map(frame: Frame, rows: Sequence[Row], metrics: Sequence[str], level: float) -> Spec:
    """A cell for every pair; rows have lists over (cutoff, position of the other model in looks)."""
    import altair as alt

    base = (
        alt.Chart(data(rows))
        .transform_filter(f"{AT_PLACE} && datum.metric == shown")
        .transform_flatten(list(LISTS))
        .transform_filter(AT_METRIC)
        .transform_calculate(
            other="models[datum.at]", users="datum.won + ' better, ' + datum.lost + ' worse'"
        )
    )
    order = list(frame.looks)
    axis: dict[str, Any] = {"title": None, "domain": False, "ticks": False}
    x = alt.X("other:N", sort=order, axis=alt.Axis(**axis, **slanted(len({row["model"] for row in rows}))))
    y = alt.Y("model:N", sort=order, axis=alt.Axis(**axis, labelLimit=130))
    scale = alt.Scale(domain=[-EFFECT, 0, EFFECT], range=[WORSE, EQUAL, BETTER], clamp=True)
    sure = "datum.p <= level"
    cells = base.mark_rect(cornerRadius=2).encode(
        x=x,
        y=y,
        color=alt.condition(sure, alt.Color("effect:Q", scale=scale, legend=None), alt.value(NOTHING)),
        tooltip=_pair_tips(),
    )
    ink = alt.condition(f"{sure} && abs(datum.effect) > 0.45", alt.value("white"), alt.value("#222222"))
    wide = f"6.2 * length(format(datum.difference, '{FIGURES}'))"  # figures may run into each other
    small = alt.ExprRef(f"{wide} > width / drawn ? 0 : 1")
    texts = base.mark_text(fontSize=10, opacity=small).encode(
        x=x, y=y, text=alt.Text("difference:Q", format=FIGURES), color=ink
    )
    chart = alt.layer(cells, texts, title=metric_title())
    chart = chart.add_params(
        *parameters(frame, ("dataset", "split", "k", "metric"), metrics),
        alt.param(name="level", value=level),
        alt.param(name="models", value=order),
    )
    return finish(chart, rows, height=line_for_each(30, rows))


def _pair_tips() -> list[Any]:
    import altair as alt

    figures = [("difference", "difference"), ("low", "interval from"), ("high", "interval to")]
    return [
        alt.Tooltip("model:N", title="row"),
        alt.Tooltip("other:N", title="less column"),
        *(alt.Tooltip(f"{field}:Q", title=title, format="+.3~r") for field, title in figures),
        alt.Tooltip("p:Q", title="corrected p", format=".2~g"),
        alt.Tooltip("effect:Q", title="effect, better is +", format="+.2f"),
        alt.Tooltip("users:N", title="users"),
    ]


def mean_ranks(frame: Frame, rows: Sequence[Row], metrics: Sequence[str]) -> Spec:
    """A point for each model at its mean rank, with a line as long as the critical difference."""
    import altair as alt

    base = (
        alt.Chart(data(rows))
        .transform_filter("datum.split == split && datum.metric == shown")
        .transform_flatten(list(RANK_LISTS))
        .transform_filter(AT_METRIC)
    )
    y = alt.Y(
        "model:N",
        sort=alt.EncodingSortField("rank", op="min"),
        axis=alt.Axis(title=None, labelLimit=140, domain=False, ticks=False),
    )
    x = alt.X(
        "rank:Q",
        scale=alt.Scale(zero=False, nice=False, padding=14),
        axis=alt.Axis(title=["mean rank over data sets,", "1 is best"], tickMinStep=1, tickCount=6),
    )
    lines = base.mark_rule(strokeWidth=3, opacity=0.5).encode(x=x, x2="reach:Q", y=y, color=colour(frame))
    points = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=x,
        y=y,
        color=colour(frame),
        shape=shape(frame),
        tooltip=[
            alt.Tooltip("model:N", title="model"),
            alt.Tooltip("rank:Q", title="mean rank", format=".3~r"),
            alt.Tooltip("n:Q", title="data sets"),
            alt.Tooltip("p:Q", title="Friedman's p, all alike", format=".2~g"),
        ],
    )
    chart = alt.layer(lines, points, title=metric_title(place="split"))
    chart = chart.add_params(*parameters(frame, ("split", "k", "metric"), metrics))
    return finish(chart, rows, height=26 * len({row["model"] for row in rows}))
