"""What tuning found: best so far, expected best by budget, importance, place of the best in its space."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bakeoff.report.charts.chart import Chart, ChartSection, Row
from bakeoff.report.charts.frame import Frame, Place
from bakeoff.report.charts.spec import short
from bakeoff.report.charts.tuning_views import expected_view, importance_view, progress_view, space_view
from bakeoff.report.tuned.searches import Search, Study, searches
from bakeoff.report.wording import visible

POINTS = 60
"""A curve by seconds has so many points at most."""

TRIALS = 200
"""So many trials at most are shown in a space: the best of them and an even choice of the others."""


def sections(frame: Frame) -> list[ChartSection]:
    """One section where something was tuned; all from records, no store is needed."""
    found = [
        (place, model, search)
        for place in frame.places
        for model, search in zip(place.models, searches(place.table), strict=True)
        if search is not None and model in frame.looks
    ]
    if not found:
        return []
    charts = [*_progress(frame, found), *_expected(frame, found), *_importance(frame, found)]
    charts += _spaces(frame, found)
    text = (
        "Values are those that tuning saw, on the inner split of train, never on test. A curve that still "
        "rises at its end says that the budget was too small for that model; a best value at the edge of its "
        "space, that the space was."
    )
    return [ChartSection("tuning", "What tuning found", text, tuple(charts))]


Found = Sequence[tuple[Place, str, Search]]


def _named(place: Place, model: str, search: Search) -> Row:
    metric = search.studies[0].objectives[0]
    more = search.studies[0].sign > 0
    said = f"{visible(metric)}, {'higher' if more else 'lower'} is better"
    return {"dataset": place.dataset, "split": place.split, "model": model, "tuned": said}


def _progress(frame: Frame, found: Found) -> list[Chart]:
    by_trial, by_second = [], []
    for place, model, search in found:
        trials = max((len(s.curve) for s in search.studies), default=0)
        values = [search.after_trials(n) for n in range(1, trials + 1)]
        points = [(n, short(v.mean)) for n, v in enumerate(values, 1) if v is not None]
        by_trial.append({**_named(place, model, search), **_lists(("at", "best"), _steps(points))})
        by_second.append(
            {**_named(place, model, search), **_lists(("at", "best"), _steps(list(_by_second(search))))}
        )
    charts = []
    for id_, title, axis, rows in (
        ("best-by-trial", "Best so far, by trial", "trials", by_trial),
        ("best-by-second", "Best so far, by second", "seconds of trials", by_second),
    ):
        rows = [row for row in rows if row["at"]]
        if rows:
            caption = "Mean over the fits of a model of the best value until then."
            charts.append(Chart(id_, title, caption, progress_view(frame, rows, axis)))
    return charts


def _steps(points: Sequence[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Where the best changes, and the last: what lies between is a level line."""
    kept = [p for i, p in enumerate(points) if i == 0 or p[1] != points[i - 1][1]]
    return [*kept, points[-1]] if points and kept[-1] != points[-1] else kept


def _by_second(search: Search) -> Iterator[tuple[Any, Any]]:
    """The mean over studies where one of them may change, thinned to POINTS."""
    ends = sorted({p.seconds for s in search.studies for p in s.curve})
    kept = (
        ends
        if len(ends) <= POINTS
        else [ends[round(i * (len(ends) - 1) / (POINTS - 1))] for i in range(POINTS)]
    )
    for seconds in kept:
        value = search.after_seconds(seconds)
        if value is not None:
            yield short(seconds), short(value.mean)


def _expected(frame: Frame, found: Found) -> list[Chart]:
    names = ("at", "best", "low", "high")
    rows = []
    for place, model, search in found:
        points = search.expected.points
        if points:
            told = [(p.trials, short(p.mean), short(p.low), short(p.high)) for p in _thinned(points)]
            rows.append({**_named(place, model, search), **_lists(names, told)})
    if not rows:
        return []
    absent = [f"{model}: {s.expected.absent}" for _, model, s in found if s.expected.absent]
    caption = "Expected best of a search with so many trials, and its 95 % interval (Dodge et al. 2019)."
    caption += f" Not known: {'; '.join(dict.fromkeys(absent))}." if absent else ""
    return [Chart("expected-best", "Expected best by budget", caption, expected_view(frame, rows))]


def _thinned(points: Sequence[Any]) -> list[Any]:
    if len(points) <= POINTS:
        return list(points)
    return [points[round(i * (len(points) - 1) / (POINTS - 1))] for i in range(POINTS)]


def _importance(frame: Frame, found: Found) -> list[Chart]:
    rows = [
        {
            **_named(place, model, search),
            **_lists(("knob", "share"), [(visible(n), short(s, 3)) for n, s in search.importances.items()]),
        }
        for place, model, search in found
        if search.importances
    ]
    if not rows:
        return []
    caption = "Share of what sets the best trials apart from all (PED-ANOVA); rough with few trials."
    return [Chart("importance", "Which hyperparameters mattered", caption, importance_view(frame, rows))]


def _spaces(frame: Frame, found: Found) -> list[Chart]:
    """Where trials lie between the ends of numerical axes; choices between words have no place on a line."""
    rows = [
        row for place, model, search in found for row in _space_rows(_named(place, model, search), search)
    ]
    if not rows:
        return []
    caption = (
        "A tick is a trial, the circle the best of each fit. Ends of the axis are ends of the space, on its "
        "own scale; a best at an end is red and larger: widen the space."
    )
    return [Chart("spaces", "Where the best lies in its space", caption, space_view(frame, rows))]


def _space_rows(names: Row, search: Search) -> Iterator[Row]:
    for knob, spec in search.studies[0].space.items():
        points = [p for study in search.studies for p in _placed(study, knob, spec)]
        if points:
            label = f"{names['model']}: {visible(knob)}"
            yield {**names, "knob": label, **_lists(("at", "value", "best"), points)}


def _placed(study: Study, knob: str, spec: Mapping[str, Any]) -> list[tuple[Any, Any, int]]:
    """Position in the space from 0 to 1, value, and 1 for the best (2 on an edge), of a study's trials."""
    low, high = spec.get("low"), spec.get("high")
    numbers = all(isinstance(e, int | float) and not isinstance(e, bool) for e in (low, high))
    if not numbers or low is None or high is None or high <= low:
        return []
    best = study.record.best_number
    trials = [t for t in study.record.trials if isinstance(t.parameters.get(knob), int | float)]
    step = math.ceil(len(trials) / TRIALS)
    kept = [t for i, t in enumerate(trials) if i % max(step, 1) == 0 or t.number == best]
    log, mark = bool(spec.get("log")), 2 if _on_edge(study, knob) else 1
    return [
        (short(position(value, low, high, log)), short(value), mark * int(t.number == best))
        for t in kept
        for value in (t.parameters[knob],)
    ]


def _on_edge(study: Study, knob: str) -> bool:
    """Whether the tuner warned of it."""
    return any(str(line).startswith(f"{knob}=") for line in study.record.edges)


def position(value: float, low: float, high: float, log: bool) -> float:
    """Where a value lies between the ends of its axis, 0 to 1; the defaults may lie outside.

    >>> position(10, 1, 100, True), position(25, 0, 100, False)
    (0.5, 0.25)
    """
    if log and min(value, low) > 0:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _lists(names: Sequence[str], points: Sequence[tuple[Any, ...]]) -> Row:
    return {name: [p[at] for p in points] for at, name in enumerate(names)}
