"""What accuracy costs: accuracy against a goal that can be chosen, with the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bakeoff.arrays import Array, Bools
from bakeoff.queries.comparison import Column, Table
from bakeoff.queries.comparison import Row as TableRow
from bakeoff.report.charts import vega
from bakeoff.report.charts.frame import NEUTRAL, Frame, TableView
from bakeoff.report.charts.vega import Chart, ChartSection, Row, Spec, short

_NAME = "min(130, 0.45 * width)"
"""Pixels of a model's name at most: on one side of any point there is space for it."""

_LETTER, _LINE, _GAP = 6.5, 13, 5
"""Pixels of a letter of such a name, of its height, and of the gap between it and its point."""

LOG_FROM = 30
"""A cost has a logarithmic axis where its largest value is this many times its smallest."""


@dataclass(frozen=True)
class Goal:
    """What is set against accuracy.

    Args:
        id: letters and underscores.
        name, unit: for people.
        metric: a metric's name, or "" for a cost.
        cost: phase whose seconds count, "memory" for the peak, "" for a metric.
        higher: whether more of it is better.
    """

    id: str
    name: str
    unit: str
    metric: str
    cost: str
    higher: bool


GOALS = (
    Goal("coverage", "coverage", "share of the catalogue", "catalog_coverage", "", True),
    Goal("novelty", "novelty", "bits", "novelty", "", True),
    Goal("diversity", "diversity", "1 - mean cosine in a list", "diversity", "", True),
    Goal("popularity", "popularity bias", "mean users of an item", "mean_popularity", "", False),
    Goal("fit_time", "time to fit", "seconds", "", "fit", False),
    Goal("recommend_time", "time to recommend", "seconds for all users", "", "recommend", False),
    Goal("memory", "peak memory", "MB", "", "memory", False),
)


@dataclass(frozen=True)
class Tradeoff:
    """Accuracy against one goal on one table, for the rows that have both.

    Args:
        rows: positions in the table's rows.
        values: the goal's value of each.
        front: whether no other row is at least as good in both and better in one; ties share the front.
    """

    rows: tuple[int, ...]
    values: tuple[float, ...]
    front: tuple[bool, ...]


def pareto(values: Array, higher: Sequence[bool]) -> Bools:
    """Return bool [n]: the rows of float64 [n, d] that no other row dominates. Equal rows are treated alike.

    A row dominates another if it is at least as good in every column and better in one.

    >>> pareto(np.array([[1.0, 3.0], [2.0, 2.0], [1.0, 2.0], [2.0, 2.0]]), [True, True]).tolist()
    [True, True, False, True]
    """
    gains = np.where(np.asarray(higher), values, -np.asarray(values, dtype=np.float64))
    as_good = (gains[:, None] >= gains[None]).all(axis=2)
    better = (gains[:, None] > gains[None]).any(axis=2)
    return np.asarray(~(as_good & better).any(axis=0))


def tradeoff(
    table: Table, column: Column, accuracy_higher: bool, goal: Goal, k: int | None = None
) -> Tradeoff:
    """Set the means in one column against a goal; k is the goal's cutoff where the column has none."""
    pairs = [
        (at, row.values[column].mean, value)
        for at, row in enumerate(table.rows)
        if column in row.values and (value := goal_value(row, goal, column.k or k)) is not None
    ]
    front = pareto(np.array([p[1:] for p in pairs]).reshape(-1, 2), (accuracy_higher, goal.higher))
    return Tradeoff(tuple(p[0] for p in pairs), tuple(p[2] for p in pairs), tuple(bool(f) for f in front))


def goal_value(row: TableRow, goal: Goal, k: int | None) -> float | None:
    """Return the goal's value of a row at a cutoff; None where it was not measured."""
    if goal.metric:
        mean = row.values.get(Column(goal.metric, k)) or row.values.get(Column(goal.metric, None))
        value = None if mean is None else mean.mean
    else:
        value = row.peak_mb if goal.cost == "memory" else row.seconds.get(goal.cost)
    return value if value is not None and math.isfinite(value) else None


# -- the chart -------------------------------------------------------------------------------------------


def sections(frame: Frame) -> list[ChartSection]:
    """Return one section with one chart, whose goal can be chosen; none without a measure of accuracy."""
    accuracy = [
        m
        for m, metric in frame.metrics.items()
        if metric.higher_is_better is not None and metric.kind != "lists"
    ]
    goals = [g for g in GOALS if not g.metric or g.metric in frame.metrics]
    rows = [row for view in frame.views for row in _rows(frame, view, accuracy, goals)]
    goals = [g for g in goals if any(v is not None for row in rows for v in row[g.id])]
    if not goals:
        return []
    text = (
        "The line joins the models on the Pareto front: no other model is at least as good in both and "
        "better in one. It compares means without their intervals. Times and memory depend on the machine "
        "that ran the cells; with isolate=false, memory includes what earlier cells left in the process. "
        "Lower popularity bias is drawn as better; whether it is better depends on your goal."
    )
    return [ChartSection("tradeoffs", "What accuracy costs", text, (_chart(frame, accuracy, rows, goals),))]


def _rows(frame: Frame, view: TableView, accuracy: Sequence[str], goals: Sequence[Goal]) -> list[Row]:
    """Return a row for each model and measure of accuracy, with lists over k (see `_lists`)."""
    entries: dict[tuple[str, str], list[list[float | int | None]]] = {}
    for column in (c for c in view.table.columns if c.metric in accuracy):
        higher = frame.metrics[column.metric].higher_is_better is True
        for k in [column.k] if column.k is not None or not frame.ks else frame.ks:
            against = [tradeoff(view.table, column, higher, goal, k) for goal in goals]
            for at, (model, row) in enumerate(zip(view.models, view.table.rows, strict=True)):
                if column in row.values:
                    values = [number for one in against for number in _value_and_front(one, at)]
                    entry = [k, short(row.values[column].mean), *values]
                    entries.setdefault((model, column.metric), []).append(entry)
    return [vega.listed(view.keys(*key), _lists(goals), of_key) for key, of_key in entries.items()]


def _lists(goals: Sequence[Goal]) -> list[str]:
    return ["k", "mean", *(name for g in goals for name in (g.id, f"{g.id}_front"))]


def _value_and_front(one: Tradeoff, row: int) -> tuple[float | int | None, int]:
    if row not in one.rows:
        return None, 0
    at = one.rows.index(row)
    return short(one.values[at]), int(one.front[at])


def _chart(frame: Frame, accuracy: Sequence[str], rows: Sequence[Row], goals: Sequence[Goal]) -> Chart:
    about = {}
    for goal in goals:
        values = [v for row in rows for v in row[goal.id] if v is not None]
        about[goal.id] = {
            "words": f"{goal.name}, {'higher' if goal.higher else 'lower'} is better",
            "unit": goal.unit,
            "higher": goal.higher,
            "log": bool(goal.cost) and min(values) > 0 and max(values) > LOG_FROM * min(values),
        }
    scaled = "goals[goal].log ? log(datum[goal]) / LN10 : datum[goal]"
    single = "domain('x')[0] == domain('x')[1] ? format(datum.value, '.4~r') : datum.label"
    label = f"goals[goal].log ? format(pow(10, datum.value), '.2~r') : {single}"
    steps = {"expr": "goals[goal].higher ? 'step-before' : 'step-after'"}
    order = {"order": {"field": "value", "type": "quantitative"}}
    style = vega.model_style(frame, "color", "shape", legend=True)
    tips = vega.tooltip(("mean_text", "accuracy"), ("against", "against"))
    spec = vega.specification(
        frame,
        rows,
        _lists([g for g in GOALS if g.id in rows[0]]),
        [
            vega.mark(
                *("line", order),
                where="datum.front == 1",
                color=NEUTRAL,
                strokeWidth=1.5,
                interpolate=steps,
            ),
            vega.points({**style, **vega.PICKED, "tooltip": tips}),
            _front_names(),
        ],
        metrics=accuracy,
        heading=(
            "shown + (indexof(without_k, shown) < 0 ? '@' + k : '') + ', ' + directions[shown]",
            "'against ' + goals[goal].words",
            "'x axis: ' + goals[goal].unit",
        ),
        encoding={
            "x": vega.numbers(
                *("value", "x", None),
                {"grid": False, "tickCount": 4, "labelPadding": 7, "labelExpr": label},
                padding=30,
            ),
            "y": vega.numbers("mean", "y", axis={"tickCount": 6}, padding=18, nice=True),
        },
        transform=[
            {"filter": "isValid(datum[goal])"},
            {"calculate": scaled, "as": "value"},
            {"calculate": "datum[goal + '_front']", "as": "front"},
            {"calculate": "format(datum[goal], '.4~r') + ' ' + goals[goal].unit", "as": "against"},
            *vega.rounded("mean"),
        ],
        params={"goals": about, "right": {"expr": "goals[goal].higher"}},
        height=280,
    )
    select = {"input": "select", "options": [g.id for g in goals], "labels": [g.name for g in goals]}
    bind = {**select, "name": "Accuracy against "}
    spec["params"].insert(0, {"name": "goal", "value": goals[0].id, "bind": bind})
    caption = (
        "The best corner is at the side where the goal is better, at the top where more of the metric is "
        "better. Models on the front bear their names where there is space; point at or tap any model."
    )
    return Chart("tradeoff", "Accuracy against other goals", caption, spec)


def _front_names() -> Spec:
    """Return names of the front, each on the side of its point where no point can be that is as good in both.

    A name therefore meets no point and no part of the line, only the names of its neighbours on the front: it
    is left out where it would overlap one of the two before it. One that would leave the chart is put on the
    other side. Of several models at the same point one is named, and the others are counted.
    """
    before = [
        {"op": "lag", "field": field, "param": n, "as": f"{field}{n}"}
        for n in (1, 2)
        for field in ("value", "mean", "model")
    ]
    flipped = f"({_flipped('')})"
    free = " && ".join(_apart(str(n)) for n in (1, 2))
    lower = "directions[shown] == 'lower is better'"
    return {
        "transform": [
            {"filter": "datum.front == 1"},
            {"joinaggregate": [{"op": "count", "as": "same"}], "groupby": ["value", "mean"]},
            {"window": before, "sort": [{"field": "value", "order": "ascending"}]},
        ],
        "mark": {
            "type": "text",
            "fontSize": 11,
            "limit": {"expr": _NAME},
            "baseline": "middle",
            "align": {"expr": f"({flipped} == right) ? 'right' : 'left'"},
            "dx": {"expr": f"{flipped} ? 0 : (right ? {_GAP} : {-_GAP})"},
            "dy": {"expr": f"{lower} ? 10 : -10"},
            "text": {"expr": f"{free} ? datum.model + (datum.same > 1 ? ' +' + (datum.same - 1) : '') : ''"},
        },
    }


def _at(n: str) -> str:
    """Return the horizontal position in pixels of the point n before on the front."""
    return f"scale('x', datum.value{n})"


def _width(n: str) -> str:
    """Return the width in pixels of its name."""
    return f"min({_NAME}, {_LETTER} * (length(datum.model{n}) + (datum.same > 1 ? 3 : 0)))"


def _flipped(n: str) -> str:
    """Return whether its name would leave the chart on its own side."""
    beyond = f"{_at(n)} + {_GAP} + {_width(n)} > width", f"{_at(n)} - {_GAP} - {_width(n)} < 0"
    return f"right ? {beyond[0]} : {beyond[1]}"


def _apart(n: str) -> str:
    """Return whether a name does not overlap that of the point n before."""
    left_ends = [
        f"({_at(m)} + ((({_flipped(m)}) == right) "
        f"? -{_width(m)} - (right ? 0 : {_GAP}) : (right ? {_GAP} : 0)))"
        for m in ("", n)
    ]
    level = f"abs(scale('y', datum.mean) - scale('y', datum.mean{n})) < {_LINE}"
    meet = f"{left_ends[0]} < {left_ends[1]} + {_width(n)} && {left_ends[1]} < {left_ends[0]} + {_width('')}"
    return f"(!isValid(datum.value{n}) || !({level} && {meet}))"
