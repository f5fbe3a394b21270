"""What tuning found, and how models learned: best so far, expected best, importance, spaces, losses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from bakeoff.queries.searches import Search, Study, searches
from bakeoff.report.charts import vega
from bakeoff.report.charts.frame import NEUTRAL, Frame, TableView
from bakeoff.report.charts.vega import Chart, ChartSection, Row, Spec, short
from bakeoff.report.view import visible

POINTS = 60
"""Points of a curve by seconds or by budget at most."""

TRIALS = 200
"""Trials shown in a search space at most: the best, and an even choice of the others."""

EDGE = "#d0312d"
"""Colour of a best value at the edge of its space; its circle is larger too."""

Searches = Sequence[tuple[TableView, str, Search]]


def sections(frame: Frame) -> list[ChartSection]:
    """Return the section of tuning and that of learning, where anything was recorded; they need no store."""
    tuned = [
        (view, model, search)
        for view in frame.views
        for model, search in zip(view.models, searches(view.table), strict=True)
        if search is not None and model in frame.styles
    ]
    learned = _losses(frame) + _scores(frame, tuned)
    makers = (_progress, _expected, _importance, _spaces)
    found = [chart for make in makers for chart in make(frame, tuned)] if tuned else []
    of_tuning = (
        "Values are validation scores, from the inner split of train; test is not used. A curve that still "
        "rises at its end suggests a larger budget for that model, a best value at the edge of its search "
        "space a wider space."
    )
    of_learning = (
        "What a model recorded while it was trained. A loss that still falls at its end suggests more "
        "epochs; losses of different models are not comparable. Scores are of validation."
    )
    return [
        section
        for section in (
            ChartSection("tuning", "What tuning found", of_tuning, tuple(found)),
            ChartSection("learning", "How the models learned", of_learning, tuple(learned)),
        )
        if section.charts
    ]


def _keys(view: TableView, model: str, search: Search) -> Row:
    study = search.studies[0]
    direction = "higher" if study.sign > 0 else "lower"
    return {**view.keys(model), "objective": f"{visible(study.objectives[0])}, {direction} is better"}


def _spec(
    frame: Frame, rows: Sequence[Row], lists: Sequence[str], layers: Sequence[Spec], words: str, **more: Any
) -> Spec:
    by = ("dataset", "split")
    return vega.specification(frame, rows, lists, layers, by=by, heading=(f"'{words}'",), **more)


def _curve(
    frame: Frame, rows: Sequence[Row], words: str, x: Spec, tips: Sequence[Sequence[str]], **line: Any
) -> Spec:
    """Return a line with points for each model; where the rows have `low` and `high`, on a band of them."""
    about = [("objective", "objective")] if "objective" in rows[0] else []
    layers = vega.traces(frame, vega.tooltip(*about, *tips), size=36, **line)
    lists = ["at", "best"]
    if "low" in rows[0]:
        lists += ["low", "high"]
        layers.insert(0, vega.mark("area", vega.span("y"), opacity=0.18))
    return _spec(
        *(frame, rows, lists, layers, words),
        encoding={
            "x": x,
            "y": vega.numbers("best", "y", axis={"tickCount": 6}, nice=True),
            **vega.model_style(frame, "color", legend=True),
        },
        transform=vega.rounded(*lists[1:], of="best"),
        height=280,
    )


# -- learning --------------------------------------------------------------------------------------------


def _losses(frame: Frame) -> list[Chart]:
    """Return one chart of the losses that models report; each is scaled to its first epoch."""
    rows = []
    for view in frame.views:
        for model, row in view.rows:
            losses = {r.request.key: r.record.training_loss for r in row.results}.values()
            relative = [{n: v / loss[0] for n, v in enumerate(loss, 1)} for loss in losses if any(loss[:1])]
            rows.append(_by_epoch({**view.keys(model), "trial": "", "line": 2}, relative))
    caption = (
        "Loss as a share of that of the first epoch, mean over the fits of a model: each model minimises a "
        "loss of its own."
    )
    return _epochs(frame, rows, "loss", "Training loss by epoch", "share of the first epoch's loss", caption)


def _scores(frame: Frame, tuned: Searches) -> list[Chart]:
    """Return one chart of the validation scores by epoch: a line for each trial, a wide one for the best."""
    rows = []
    for view, model, search in tuned:
        for number, study in enumerate(search.studies):
            for trial in study.record.trials:
                best = trial.number == study.best_number
                keys = {"trial": f"{number + 1}.{trial.number}", "line": 2.5 if best else 0.8}
                points = [(epoch, short(score)) for epoch, score in sorted(trial.by_epoch.items())]
                rows.append(vega.listed({**_keys(view, model, search), **keys}, ("at", "best"), points))
    caption = "A line is a trial, the wide one the best of each fit, at the epochs that the pruner compared."
    return _epochs(frame, rows, "score-by-epoch", "Validation score by epoch", "score", caption)


def _by_epoch(keys: Row, fits: Sequence[Mapping[int, float]]) -> Row:
    """Return a row with the mean over fits at the epochs that all of them have, POINTS at most."""
    epochs = _thinned(sorted(set.intersection(*(set(fit) for fit in fits)) if fits else ()))
    means = [(epoch, short(fmean(fit[epoch] for fit in fits))) for epoch in epochs]
    return vega.listed(keys, ("at", "best"), means)


def _epochs(frame: Frame, rows: Sequence[Row], id_: str, title: str, value: str, caption: str) -> list[Chart]:
    rows = [row for row in rows if row["at"]]
    if not rows:
        return []
    x = vega.numbers("at", "x", "epoch", {"grid": False, "tickMinStep": 1, "tickCount": 6})
    tips = ("at", "epoch", "d"), ("best_text", value)
    spec = _curve(frame, rows, title.lower(), x, tips, width={"expr": "datum.line"})
    spec["encoding"]["detail"] = {"field": "trial", "type": "nominal"}
    return [Chart(id_, title, caption, spec)]


# -- tuning ----------------------------------------------------------------------------------------------


def _progress(frame: Frame, tuned: Searches) -> list[Chart]:
    by_trial, by_second = [], []
    for view, model, search in tuned:
        trials = max((len(s.curve) for s in search.studies), default=0)
        values = [search.after_trials(n) for n in range(1, trials + 1)]
        steps = [(n, short(v.mean)) for n, v in enumerate(values, 1) if v is not None]
        keys = _keys(view, model, search)
        by_trial.append(vega.listed(keys, ("at", "best"), _changes(steps)))
        by_second.append(vega.listed(keys, ("at", "best"), _changes(list(_by_second(search)))))
    charts = []
    for unit, axis, scale, rows in (
        ("trial", "trials", "linear", by_trial),
        ("second", "seconds of trials", "symlog", by_second),
    ):
        rows = [row for row in rows if row["at"]]
        if rows:
            x = vega.numbers("at", "x", axis, {"grid": False, "tickCount": 6}, type=scale)
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
        rows.append(vega.listed(_keys(view, model, search), columns, points))
    absent = dict.fromkeys(f"{model}: {s.expected.absent}" for _, model, s in tuned if s.expected.absent)
    caption = "Expected best score of a search with this many trials"
    caption += ", and its 95 % interval over searches." if banded else " (Dodge et al. 2019)."
    caption += f" Not available: {'; '.join(absent)}." if absent else ""
    x = vega.numbers("at", "x", "trials", {"grid": False, "tickMinStep": 1, "tickCount": 6})
    tips = [("at", "trials", "d"), ("best_text", "expected best")]
    tips += [("low_text", "interval from"), ("high_text", "interval to")] if banded else []
    spec = _curve(frame, rows, "expected best validation score", x, tips)
    return [Chart("expected-best", "Expected best by budget", caption, spec)]


def _importance(frame: Frame, tuned: Searches) -> list[Chart]:
    rows = [
        vega.listed(
            _keys(view, model, search),
            ("parameter", "share"),
            [(visible(n), short(s, 3)) for n, s in search.importances.items()],
        )
        for view, model, search in tuned
        if search.importances
    ]
    if not rows:
        return []
    tips = vega.tooltip(("parameter", "hyperparameter"), ("share", "share", ".1%"))
    style = vega.model_style(frame, "color")
    axis = {"format": ".0%", "labelExpr": "datum.label"}
    one_each = [{**r, "parameter": name} for r in rows for name in r["parameter"]]
    spec = _spec(
        *(frame, rows, ("parameter", "share")),
        [vega.mark("bar", {**style, "tooltip": tips}, height=12, cornerRadiusEnd=2)],
        "importance of hyperparameters",
        encoding={
            "x": vega.numbers("share", "x", "share of the importance", axis, domain=[0, 1]),
            "y": vega.names("label", vega.least("order"), labelExpr="datum.label"),
        },
        transform=[
            {"calculate": "datum.model + ': ' + datum.parameter", "as": "label"},
            {"calculate": "indexof(models, datum.model) * 10 - datum.share", "as": "order"},
        ],
        params={"models": list(frame.styles)},
        height=vega.row_height(19, one_each, "model", "parameter"),
    )
    caption = "Share of what distinguishes the best trials from all (PED-ANOVA); rough with few trials."
    return [Chart("importance", "Which hyperparameters matter", caption, spec)]


def _spaces(frame: Frame, tuned: Searches) -> list[Chart]:
    """Return where trials lie between the ends of numerical spaces; categories have no order."""
    rows = [row for view, model, search in tuned for row in _space_rows(_keys(view, model, search), search)]
    if not rows:
        return []
    ends = "datum.value == 0 ? 'low end' : datum.value == 1 ? 'high end' : 'middle'"
    axis = {"values": [0, 0.5, 1], "labelExpr": ends}
    tips = vega.tooltip(("parameter", "hyperparameter"), ("value", "value", ".4~g"))
    style = vega.model_style(frame, "color")
    on_edge = "datum.best == 2"
    best = {
        "color": {"condition": {"test": on_edge, "value": EDGE}, **style["color"]},
        "size": {"condition": {"test": on_edge, "value": 190}, "value": 100},
        "tooltip": tips,
    }
    look = {"thickness": 1.5, "size": 12, "opacity": 0.45}
    spec = _spec(
        *(frame, rows, ("at", "value", "best")),
        [
            vega.mark("tick", {**style, "tooltip": tips}, where="datum.best == 0", **look),
            vega.mark("point", best, where="datum.best > 0", filled=True, opacity=1, stroke=NEUTRAL),
        ],
        "trials and the best in the search space",
        encoding={
            "x": vega.numbers("at", "x", None, axis, domain=[0, 1], clamp=True, padding=10),
            "y": vega.names("parameter", grid=True, labelExpr="datum.label"),
        },
        height=vega.row_height(24, rows, "parameter"),
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
            yield vega.listed({**keys, "parameter": label}, ("at", "value", "best"), trials)


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
