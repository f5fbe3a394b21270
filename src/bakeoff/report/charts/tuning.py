"""What tuning found: best value so far, expected best by budget, importance, the best in its search space."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bakeoff.report.charts.frame import Frame, TableView
from bakeoff.report.charts.palette import NEUTRAL
from bakeoff.report.charts.spec import (
    Chart,
    ChartSection,
    Row,
    Spec,
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
from bakeoff.report.tuned.searches import Search, Study, searches
from bakeoff.report.wording import visible

POINTS = 60
"""Points of a curve by seconds or by budget at most."""

TRIALS = 200
"""Trials shown in a search space at most: the best, and an even choice of the others."""

EDGE = "#d0312d"
"""Colour of a best value at the edge of its space; its circle is larger too."""

Searches = Sequence[tuple[TableView, str, Search]]


def sections(frame: Frame) -> list[ChartSection]:
    """Return one section where something was tuned; it needs no store."""
    tuned = [
        (view, model, search)
        for view in frame.views
        for model, search in zip(view.models, searches(view.table), strict=True)
        if search is not None and model in frame.styles
    ]
    if not tuned:
        return []
    charts = [
        *_progress(frame, tuned),
        *_expected(frame, tuned),
        *_importance(frame, tuned),
        *_spaces(frame, tuned),
    ]
    text = (
        "Values are validation scores, from the inner split of train; test is not used. A curve that still "
        "rises at its end suggests a larger budget for that model, a best value at the edge of its search "
        "space a wider space."
    )
    return [ChartSection("tuning", "What tuning found", text, tuple(charts))]


def _keys(view: TableView, model: str, search: Search) -> Row:
    study = search.studies[0]
    direction = "higher" if study.sign > 0 else "lower"
    return {**view.keys(model), "objective": f"{visible(study.objectives[0])}, {direction} is better"}


def _spec(
    frame: Frame, rows: Sequence[Row], lists: Sequence[str], layers: Sequence[Spec], words: str, **more: Any
) -> Spec:
    by = ("dataset", "split")
    return specification(frame, rows, lists, layers, by=by, heading=(f"'{words}'",), **more)


def _curve(
    frame: Frame, rows: Sequence[Row], words: str, x: Spec, tips: Sequence[Sequence[str]], **line: Any
) -> Spec:
    """Return a line with points for each model; where the rows have `low` and `high`, on a band of them."""
    legend = model_legend(frame)
    tooltips = tooltip(("objective", "objective"), *tips)
    layers = [
        mark("line", model_style(frame, "strokeDash", legend=legend), strokeWidth=2, **line),
        points({**model_style(frame, "shape", legend=legend), "tooltip": tooltips}, size=36),
    ]
    lists = ["at", "best"]
    if "low" in rows[0]:
        lists += ["low", "high"]
        layers.insert(0, mark("area", span("y"), opacity=0.18))
    encoding = {
        "x": x,
        "y": numbers("best", "y", axis={"tickCount": 6}, nice=True),
        **model_style(frame, "color", legend=legend),
    }
    transform = rounded(*lists[1:], of="best")
    return _spec(frame, rows, lists, layers, words, encoding=encoding, transform=transform, height=280)


def _progress(frame: Frame, tuned: Searches) -> list[Chart]:
    by_trial, by_second = [], []
    for view, model, search in tuned:
        trials = max((len(s.curve) for s in search.studies), default=0)
        values = [search.after_trials(n) for n in range(1, trials + 1)]
        steps = [(n, short(v.mean)) for n, v in enumerate(values, 1) if v is not None]
        keys = _keys(view, model, search)
        by_trial.append(listed(keys, ("at", "best"), _changes(steps)))
        by_second.append(listed(keys, ("at", "best"), _changes(list(_by_second(search)))))
    charts = []
    for unit, axis, scale, rows in (
        ("trial", "trials", "linear", by_trial),
        ("second", "seconds of trials", "symlog", by_second),
    ):
        rows = [row for row in rows if row["at"]]
        if rows:
            x = numbers("at", "x", axis, {"grid": False, "tickCount": 6}, type=scale)
            tips = ("at", axis, ".4~r"), ("best_text", "best so far")
            spec = _curve(frame, rows, "best validation score so far", x, tips, interpolate="step-after")
            caption = "Mean over the fits of a model of the best score so far."
            charts.append(Chart(f"best-by-{unit}", f"Best so far, by {unit}", caption, spec))
    return charts


def _changes(steps: Sequence[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Return the steps at which the best changes, and the last."""
    changes = [s for i, s in enumerate(steps) if i == 0 or s[1] != steps[i - 1][1]]
    return [*changes, steps[-1]] if steps and changes[-1] != steps[-1] else changes


def _by_second(search: Search) -> Iterator[tuple[Any, Any]]:
    """Yield the mean over studies at ends of trials, POINTS at most."""
    for seconds in _thinned(sorted({p.seconds for s in search.studies for p in s.curve})):
        value = search.after_seconds(seconds)
        if value is not None:
            yield short(seconds), short(value.mean)


def _thinned(points: Sequence[Any]) -> list[Any]:
    if len(points) <= POINTS:
        return list(points)
    return [points[round(i * (len(points) - 1) / (POINTS - 1))] for i in range(POINTS)]


def _expected(frame: Frame, tuned: Searches) -> list[Chart]:
    known = [t for t in tuned if t[2].expected.points]
    if not known:
        return []
    banded = all(p.low is not None for _, _, search in known for p in search.expected.points)
    columns = ("at", "best", "low", "high") if banded else ("at", "best")
    rows = []
    for view, model, search in known:
        points = [
            (p.trials, *(short(v) for v in (p.mean, p.low, p.high) if v is not None))[: len(columns)]
            for p in _thinned(search.expected.points)
        ]
        rows.append(listed(_keys(view, model, search), columns, points))
    absent = dict.fromkeys(f"{model}: {s.expected.absent}" for _, model, s in tuned if s.expected.absent)
    caption = "Expected best score of a search with this many trials"
    caption += ", and its 95 % interval over searches." if banded else " (Dodge et al. 2019)."
    caption += f" Not available: {'; '.join(absent)}." if absent else ""
    x = numbers("at", "x", "trials", {"grid": False, "tickMinStep": 1, "tickCount": 6})
    tips = [("at", "trials", "d"), ("best_text", "expected best")]
    tips += [("low_text", "interval from"), ("high_text", "interval to")] if banded else []
    spec = _curve(frame, rows, "expected best validation score", x, tips)
    return [Chart("expected-best", "Expected best by budget", caption, spec)]


def _importance(frame: Frame, tuned: Searches) -> list[Chart]:
    rows = [
        listed(
            _keys(view, model, search),
            ("parameter", "share"),
            [(visible(n), short(s, 3)) for n, s in search.importances.items()],
        )
        for view, model, search in tuned
        if search.importances
    ]
    if not rows:
        return []
    tips = tooltip(("parameter", "hyperparameter"), ("share", "share", ".1%"))
    style = model_style(frame, "color")
    axis = {"format": ".0%", "labelExpr": "datum.label"}
    spec = _spec(
        *(frame, rows, ("parameter", "share")),
        [mark("bar", {**style, "tooltip": tips}, height=12, cornerRadiusEnd=2)],
        "importance of hyperparameters",
        encoding={
            "x": numbers("share", "x", "share of the importance", axis, domain=[0, 1]),
            "y": names("label", least("order"), labelLimit=190),
        },
        transform=[
            {"calculate": "datum.model + ': ' + datum.parameter", "as": "label"},
            {"calculate": "indexof(models, datum.model) * 10 - datum.share", "as": "order"},
        ],
        params={"models": list(frame.styles)},
        height=row_height(
            19, [{**r, "parameter": k} for r in rows for k in r["parameter"]], "model", "parameter"
        ),
    )
    caption = "Share of what distinguishes the best trials from all (PED-ANOVA); rough with few trials."
    return [Chart("importance", "Which hyperparameters matter", caption, spec)]


def _spaces(frame: Frame, tuned: Searches) -> list[Chart]:
    """Return where trials lie between the ends of numerical spaces; categories have no order."""
    rows = [row for view, model, search in tuned for row in _space_rows(_keys(view, model, search), search)]
    if not rows:
        return []
    x = {
        "field": "at",
        "type": "quantitative",
        "scale": {"domain": [0, 1], "clamp": True, "padding": 10, "nice": False},
        "axis": {
            "title": None,
            "values": [0, 0.5, 1],
            "labelExpr": "datum.value == 0 ? 'low end' : datum.value == 1 ? 'high end' : 'middle'",
        },
    }
    tips = tooltip(("parameter", "hyperparameter"), ("value", "value", ".4~g"))
    style = model_style(frame, "color")
    on_edge = "datum.best == 2"
    best = {
        "color": {"condition": {"test": on_edge, "value": EDGE}, **style["color"]},
        "size": {"condition": {"test": on_edge, "value": 190}, "value": 100},
        "tooltip": tips,
    }
    trials = {**style, "tooltip": tips}
    spec = _spec(
        *(frame, rows, ("at", "value", "best")),
        [
            mark("tick", trials, where="datum.best == 0", thickness=1.5, size=12, opacity=0.45),
            mark("point", best, where="datum.best > 0", filled=True, opacity=1, stroke=NEUTRAL),
        ],
        "trials and the best in the search space",
        encoding={"x": x, "y": names("parameter", labelLimit=190, grid=True)},
        height=row_height(24, rows, "parameter"),
    )
    caption = (
        "A tick is a trial, the circle the best of each fit. The ends of the axis are the ends of the space, "
        "on its own scale; where the best trials gather at an end, the circle is red and larger: widen the "
        "space."
    )
    return [Chart("spaces", "Where the best lies in its search space", caption, spec)]


def _space_rows(keys: Row, search: Search) -> Iterator[Row]:
    for parameter, distribution in search.studies[0].space.items():
        trials = [t for study in search.studies for t in _positions(study, parameter, distribution)]
        if trials:
            label = f"{keys['model']}: {visible(parameter)}"
            yield listed({**keys, "parameter": label}, ("at", "value", "best"), trials)


def _positions(study: Study, parameter: str, distribution: Mapping[str, Any]) -> list[tuple[Any, Any, int]]:
    """Return for each trial: position in the space, value, and 1 for the best (2 on an edge), else 0."""
    low, high = distribution.get("low"), distribution.get("high")
    numeric = all(isinstance(e, int | float) and not isinstance(e, bool) for e in (low, high))
    if not numeric or low is None or high is None or high <= low:
        return []
    best = study.record.best_number
    trials = [t for t in study.record.trials if isinstance(t.parameters.get(parameter), int | float)]
    step = max(math.ceil(len(trials) / TRIALS), 1)
    on_edge = any(str(line).startswith(f"{parameter}=") for line in study.record.edges)
    log = bool(distribution.get("log"))
    return [
        (short(position(value, low, high, log)), short(value), (1 + on_edge) * int(t.number == best))
        for i, t in enumerate(trials)
        if i % step == 0 or t.number == best
        for value in (t.parameters[parameter],)
    ]


def position(value: float, low: float, high: float, log: bool) -> float:
    """Return where a value lies between the ends of its space, 0 to 1; defaults may lie outside.

    >>> position(10, 1, 100, True), position(25, 0, 100, False)
    (0.5, 0.25)
    """
    if log and min(value, low) > 0:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)
