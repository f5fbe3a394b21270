"""Accuracy against what it costs: one chart for each goal, with the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bakeoff.report.charts.chart import Chart, ChartSection
from bakeoff.report.charts.frame import Frame, Place
from bakeoff.report.charts.look import NEUTRAL
from bakeoff.report.charts.spec import (
    AT_METRIC,
    AT_PLACE,
    colour,
    data,
    finish,
    legend,
    metric_title,
    parameters,
    shape,
    short,
)
from bakeoff.report.tables import Column
from bakeoff.report.tradeoff import GOALS, Goal, tradeoff

NOT_ACCURACY = (
    "catalog_coverage distributional_coverage gini novelty diversity diversity_features unexpectedness "
    "unexpectedness_features serendipity serendipity_features mean_popularity long_tail_share"
).split()
"""Metrics of what lists are like, which are no measure of accuracy."""

LOG_FROM = 30
"""A cost is drawn on a logarithmic axis where its largest value is so many times the smallest."""

_LISTS = ("k", "mean", "goal", "front")


def sections(frame: Frame) -> list[ChartSection]:
    """One section with a chart for each goal that was measured."""
    accuracy = [
        m
        for m, metric in frame.metrics.items()
        if metric.higher_is_better is not None and m not in NOT_ACCURACY
    ]
    charts = [c for goal in GOALS for c in _chart(frame, accuracy, goal)] if accuracy else []
    text = (
        "The line joins the models on the Pareto front: no other model is at least as good in both and "
        "better in one. It compares means, whose intervals stand above. Times and memory are of the machine "
        "that ran the cells. To recommend what is popular is no fault by itself; less is drawn as better."
    )
    return [ChartSection("tradeoffs", "What accuracy costs", text, tuple(charts))] if charts else []


def _rows(frame: Frame, place: Place, accuracy: Sequence[str], goal: Goal) -> list[dict[str, Any]]:
    """A row for each model and measure of accuracy, with lists over k."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for column in (c for c in place.table.columns if c.metric in accuracy):
        higher = frame.metrics[column.metric].higher_is_better is True
        for k in _cutoffs(frame, column, goal):
            got = tradeoff(place.table, column, higher, goal, k)
            for at, value, front in zip(got.rows, got.values, got.front, strict=True):
                names = {"dataset": place.dataset, "split": place.split}
                names |= {"model": place.models[at], "metric": column.metric}
                row = found.setdefault(
                    (place.models[at], column.metric), {**names, **{name: [] for name in _LISTS}}
                )
                mean = place.table.rows[at].values[column].mean
                for name, number in zip(_LISTS, (k, short(mean), short(value), int(front)), strict=True):
                    row[name].append(number)
    return list(found.values())


def _cutoffs(frame: Frame, column: Column, goal: Goal) -> list[int | None]:
    """Those of the column, or of the goal, or none."""
    if column.k is None and goal.metric and frame.metrics[goal.metric].cutoff:
        return list(frame.ks)
    return [column.k]


def _chart(frame: Frame, accuracy: Sequence[str], goal: Goal) -> list[Chart]:
    """No chart for a goal that was not measured."""
    if goal.metric and goal.metric not in frame.metrics:
        return []
    rows = [r for place in frame.places for r in _rows(frame, place, accuracy, goal)]
    if not rows:
        return []
    better = "higher is better" if goal.higher else "lower is better"
    title = f"Accuracy against {goal.name}"
    caption = (
        f"The best corner is at the top {'right' if goal.higher else 'left'}, where the metric above is one "
        "of which more is better. Models on the front bear their names."
    )
    chart = _layers(frame, rows, goal, [f"{goal.name}, {goal.unit}", better])
    chart = chart.add_params(*parameters(frame, ("dataset", "split", "k", "metric"), accuracy))
    return [Chart(f"tradeoff-{goal.id}", title, caption, finish(chart, rows, height=280))]


def _layers(frame: Frame, rows: Sequence[dict[str, Any]], goal: Goal, title: list[str]) -> Any:
    import altair as alt

    base = (
        alt.Chart(data(rows))
        .transform_filter(f"{AT_PLACE} && datum.metric == shown")
        .transform_flatten(list(_LISTS))
        .transform_filter(AT_METRIC)
    )
    x = alt.X("goal:Q", scale=_scale(rows, goal), axis=alt.Axis(title=title, grid=False, tickCount=4))
    y = alt.Y("mean:Q", scale=alt.Scale(zero=False, padding=18), axis=alt.Axis(title=None, tickCount=6))
    tips = [
        alt.Tooltip("model:N", title="model"),
        alt.Tooltip("mean:Q", title="accuracy", format=".4~r"),
        alt.Tooltip("goal:Q", title=goal.name, format=".4~r"),
    ]
    on_front = base.transform_filter("datum.front == 1")
    line = on_front.mark_line(
        color=NEUTRAL, strokeWidth=1.5, interpolate="step-before" if goal.higher else "step-after"
    ).encode(x=x, y=y, order="goal:Q")
    points = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=x,
        y=y,
        color=colour(frame, legend=legend(frame)),
        shape=shape(frame, legend=legend(frame)),
        tooltip=tips,
    )
    names = on_front.mark_text(dy=-11, fontSize=11).encode(x=x, y=y, text="model:N")
    return alt.layer(line, points, names, title=metric_title())


def _scale(rows: Sequence[dict[str, Any]], goal: Goal) -> Any:
    """Logarithmic for a cost of which the values of all places span much, and none is 0."""
    import altair as alt

    values = [v for r in rows for v in r["goal"] if v is not None]
    spread = bool(goal.cost) and min(values) > 0 and max(values) > LOG_FROM * min(values)
    if spread:
        return alt.Scale(type="log", nice=False, padding=30)
    return alt.Scale(zero=False, nice=False, padding=30)
