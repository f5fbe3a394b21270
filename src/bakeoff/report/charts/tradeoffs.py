"""Accuracy against what it costs: one chart for each goal, with the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bakeoff.report.charts.chart import Chart, ChartSection, Row
from bakeoff.report.charts.frame import Frame, Place
from bakeoff.report.charts.look import NEUTRAL
from bakeoff.report.charts.room import figures
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
from bakeoff.report.figures.tradeoff import GOALS, Goal, Tradeoff, tradeoff

NAME = "min(130, 0.45 * width)"
"""Pixels of a name at a point at most: on one side of any point there is room for it."""

LETTER, HIGH, ASIDE = 6.5, 13, 5
"""Pixels of a letter of such a name, of its height, and of the gap beside its point."""

LOG_FROM = 30
"""A cost is drawn on a logarithmic axis where its largest value is so many times the smallest."""


def sections(frame: Frame) -> list[ChartSection]:
    """One section with a chart for each goal that was measured."""
    accuracy = [
        m
        for m, metric in frame.metrics.items()
        if metric.higher_is_better is not None and metric.kind != "lists"
    ]
    goals = [g for g in GOALS if not g.metric or g.metric in frame.metrics]
    if not accuracy:
        return []
    rows = [row for place in frame.places for row in _rows(frame, place, accuracy, goals)]
    charts = [_chart(frame, accuracy, rows, goals, goal) for goal in goals if _values(rows, goals, goal)]
    text = (
        "The line joins the models on the Pareto front: no other model is at least as good in both and "
        "better in one. It compares means, whose intervals stand above. Times and memory are of the machine "
        "that ran the cells; what earlier cells left in a process counts as memory, without isolate=true. "
        "To recommend what is popular is no fault by itself; less is drawn as better."
    )
    return [ChartSection("tradeoffs", "What accuracy costs", text, tuple(charts))] if charts else []


def _names(goals: Sequence[Goal]) -> list[Any]:
    """The lists of a row: cutoff, accuracy, then each goal (g0, ...) and whether on its front (f0, ...)."""
    return ["k", "mean", *(f"{letter}{at}" for at in range(len(goals)) for letter in "gf")]


def _values(rows: Sequence[Row], goals: Sequence[Goal], goal: Goal) -> list[float]:
    name = f"g{goals.index(goal)}"
    return [v for row in rows for v in row[name] if v is not None]


def _rows(frame: Frame, place: Place, accuracy: Sequence[str], goals: Sequence[Goal]) -> list[Row]:
    """A row for each model and measure of accuracy, with lists over k: all charts share them."""
    found: dict[tuple[str, str], Row] = {}
    names = _names(goals)
    for column in (c for c in place.table.columns if c.metric in accuracy):
        higher = frame.metrics[column.metric].higher_is_better is True
        for k in [column.k] if column.k is not None or not frame.ks else frame.ks:
            against = [tradeoff(place.table, column, higher, goal, k) for goal in goals]
            for at, (model, row) in enumerate(zip(place.models, place.table.rows, strict=True)):
                if column not in row.values:
                    continue
                who = {
                    "dataset": place.dataset,
                    "split": place.split,
                    "model": model,
                    "metric": column.metric,
                }
                lists = found.setdefault((model, column.metric), {**who, **{name: [] for name in names}})
                told = [number for one in against for number in _of_row(one, at)]
                numbers = [k, short(row.values[column].mean), *told]
                for name, number in zip(names, numbers, strict=True):
                    lists[name].append(number)
    return list(found.values())


def _of_row(one: Tradeoff, at: int) -> tuple[float | int | None, int]:
    """What a row of the table has of a goal, and 1 if it is on the front."""
    if at not in one.rows:
        return None, 0
    place = one.rows.index(at)
    return short(one.values[place]), int(one.front[place])


def _chart(
    frame: Frame, accuracy: Sequence[str], rows: Sequence[Row], goals: Sequence[Goal], goal: Goal
) -> Chart:
    better = "higher is better" if goal.higher else "lower is better"
    caption = (
        f"The best corner is at the top {'right' if goal.higher else 'left'}, where the metric above is one "
        "of which more is better. Models on the front bear their names where there is room; hover any point."
    )
    chart = _layers(frame, rows, goals, goal, [f"{goal.name}, {goal.unit}", better])
    chart = chart.add_params(*parameters(frame, ("dataset", "split", "k", "metric"), accuracy))
    title = f"Accuracy against {goal.name}"
    return Chart(f"tradeoff-{goal.id}", title, caption, finish(chart, rows, height=280))


def _layers(
    frame: Frame, rows: Sequence[Row], goals: Sequence[Goal], goal: Goal, title: Sequence[str]
) -> Any:
    import altair as alt

    value, front = f"g{goals.index(goal)}", f"f{goals.index(goal)}"
    base = (
        alt.Chart(data(rows))
        .transform_filter(f"{AT_PLACE} && datum.metric == shown")
        .transform_flatten(_names(goals))
        .transform_filter(f"{AT_METRIC} && datum.{value} !== null")
    )
    x = alt.X(
        f"{value}:Q",
        scale=_scale(_values(rows, goals, goal), goal),
        axis=alt.Axis(title=list(title), grid=False, tickCount=4, labelPadding=7, labelExpr=figures("x")),
    )
    y = alt.Y(
        "mean:Q",
        scale=alt.Scale(zero=False, padding=18),
        axis=alt.Axis(title=None, tickCount=6, labelExpr=figures("y")),
    )
    tips = [
        alt.Tooltip("model:N", title="model"),
        alt.Tooltip("mean:Q", title="accuracy", format=".4~r"),
        alt.Tooltip(f"{value}:Q", title=goal.name, format=".4~r"),
    ]
    on_front = base.transform_filter(f"datum.{front} == 1")
    line = on_front.mark_line(
        color=NEUTRAL, strokeWidth=1.5, interpolate="step-before" if goal.higher else "step-after"
    ).encode(x=x, y=y, order=f"{value}:Q")
    points = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=x,
        y=y,
        color=colour(frame, legend=legend(frame.looks)),
        shape=shape(frame, legend=legend(frame.looks)),
        tooltip=tips,
    )
    return alt.layer(line, points, _front_names(on_front, value, goal.higher, x, y), title=metric_title())


def _front_names(on_front: Any, value: str, right: bool, x: Any, y: Any) -> Any:
    """Names of the front, each on the side of its point where nothing can lie that is as good in both.

    So a name meets no point and no part of the line, only the names of its neighbours along the front: it is
    left out where it would run into one of the two before it. One that would leave the chart is turned round.
    Of several at the same point one is named, and the others are counted.

    Args:
        right: whether the better end of the goal is at the right.
    """
    import altair as alt

    before = [
        {"op": "lag", "field": field, "param": n, "as": f"{field}{n}"}
        for n in (1, 2)
        for field in (value, "mean", "model")
    ]
    told = on_front.transform_joinaggregate(same="count()", groupby=[value, "mean"])
    told = told.transform_window(before, sort=[{"field": value, "order": "ascending"}])
    up = "about[shown] == 'lower is better'"
    turned = f"({_turned(value, '', right)})"
    free = " && ".join(_apart(value, str(n), right) for n in (1, 2))
    return told.mark_text(
        fontSize=11,
        limit=alt.ExprRef(NAME),
        baseline="middle",
        align=alt.ExprRef(f"{turned} ? '{'right' if right else 'left'}' : '{'left' if right else 'right'}'"),
        dx=alt.ExprRef(f"{turned} ? 0 : {ASIDE if right else -ASIDE}"),
        dy=alt.ExprRef(f"{up} ? 10 : -10"),
        text=alt.ExprRef(f"{free} ? datum.model + (datum.same > 1 ? ' +' + (datum.same - 1) : '') : ''"),
    ).encode(x=x, y=y)


def _at(value: str, n: str) -> str:
    """Where a point of the front is, n places before, in pixels."""
    return f"scale('x', datum.{value}{n})"


def _long(n: str) -> str:
    """Pixels that its name takes."""
    return f"min({NAME}, {LETTER} * (length(datum.model{n}) + (datum.same > 1 ? 3 : 0)))"


def _turned(value: str, n: str, right: bool) -> str:
    """Whether its name would leave the chart on the side where it belongs."""
    if right:
        return f"{_at(value, n)} + {ASIDE} + {_long(n)} > width"
    return f"{_at(value, n)} - {ASIDE} - {_long(n)} < 0"


def _apart(value: str, n: str, right: bool) -> str:
    """Whether a name does not meet that of the point n places before."""
    lefts = [
        f"({_at(value, m)} + (({_turned(value, m, right)}) == {str(right).lower()} "
        f"? -{_long(m)} - {0 if right else ASIDE} : {ASIDE if right else 0}))"
        for m in ("", n)
    ]
    level = f"abs(scale('y', datum.mean) - scale('y', datum.mean{n})) < {HIGH}"
    meet = f"{lefts[0]} < {lefts[1]} + {_long(n)} && {lefts[1]} < {lefts[0]} + {_long('')}"
    return f"(!isValid(datum.{value}{n}) || !({level} && {meet}))"


def _scale(values: Sequence[float], goal: Goal) -> Any:
    """Logarithmic for a cost of which the values of all places span much, and none is 0."""
    import altair as alt

    spread = bool(goal.cost) and min(values) > 0 and max(values) > LOG_FROM * min(values)
    if spread:
        return alt.Scale(type="log", nice=False, padding=30)
    return alt.Scale(zero=False, nice=False, padding=30)
