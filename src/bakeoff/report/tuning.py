"""What tuning found, as tables of text and notes, for one comparison."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.evaluation.expected_best import FEWEST_SEARCHES
from bakeoff.queries.comparison import Row, Table, Value
from bakeoff.queries.searches import Expectation, Search, Study, searches, without_space
from bakeoff.report.view import (
    NOTHING,
    Entry,
    Grid,
    Head,
    decimals_of,
    entry,
    labels,
    mean_text,
    pairs_text,
    seconds_entry,
    space_text,
    value_text,
    visible,
)
from bakeoff.storage.record import Budget


def range_text(values: Sequence[Any]) -> str:
    """Return one value, the ends of several numbers, or all of several words.

    >>> range_text([3, 1, 2]), range_text(["b", "a", "b"]), range_text([7, 7])
    ('1 to 3', 'b or a', '7')
    """
    distinct = list(dict.fromkeys(values))
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in distinct)
    if numbers and len(distinct) > 1:
        return f"{value_text(min(distinct))} to {value_text(max(distinct))}"
    return " or ".join(value_text(v) for v in distinct) or NOTHING


# -- tables ------------------------------------------------------------------------------------------

COLUMNS = 9
"""Budgets that a table has at most; the largest are kept."""

Tuned = tuple[Row, Search]


def tuned(table: Table) -> list[Tuned]:
    """Return the tuned rows of a table, with their searches."""
    return [(row, s) for row, s in zip(table.rows, searches(table), strict=True) if s is not None]


def grids(table: Table, tuned: Sequence[Tuned], per_grid: int | None = None) -> tuple[Grid, ...]:
    """Return every table on tuning; none if nothing was tuned.

    Args:
        tuned: `tuned(table)`.
        per_grid: budgets that a grid may have; COLUMNS if that is less.
    """
    if not tuned:
        return ()
    frame = _Frame(
        table.title,
        *labels([row for row, _ in tuned], weights=False),
        several=any(len(search.studies) > 1 for _, search in tuned),
        limit=min(per_grid or COLUMNS, COLUMNS),
    )
    curves = [(row, s) for row, s in tuned if all(study.curve for study in s.studies)]
    every = (
        _outcome(frame, tuned).without_constants(),
        *_pareto(frame, tuned),
        _budget(frame, tuned).without_constants(),
        _hyperparameters(frame, tuned).without_constants(),
        _by_trials(frame, curves),
        _by_seconds(frame, curves),
        _expected(frame, curves),
    )
    return tuple(grid for grid in every if grid.rows)


@dataclass(frozen=True)
class _Frame:
    """What the tables share: what names their rows, whether runs stand beside it, and how wide they are."""

    name: str
    label_heads: tuple[Head, ...]
    label_entries: Mapping[str, tuple[Entry, ...]]
    several: bool
    limit: int

    def heads(self, *, runs: bool = False) -> tuple[Head, ...]:
        shown = (Head("split seed"), Head("seed", "figure")) if runs and self.several else ()
        return *self.label_heads, *shown

    def labels(self, row: Row, study: Study | None = None) -> tuple[Entry, ...]:
        names = self.label_entries[row.label]
        if study is None or not self.several:
            return names
        return *names, Entry(study.run.split), Entry(str(study.run.seed), number=study.run.seed)


def _outcome(frame: _Frame, tuned: Sequence[Tuned]) -> Grid:
    """Best hyperparameters, with what they gave on validation and on test."""
    places = decimals_of(x for _, s in tuned for study in s.studies for x in _scores(study))
    rows = [
        (
            *frame.labels(row, study),
            Entry(visible(study.objectives[0])),
            entry(study.record.default, f".{places}f"),
            entry(study.record.best_value, f".{places}f"),
            _value(study.before, places),
            _value(study.after, places),
            Entry(pairs_text(study.record.best_parameters)),
        )
        for row, search in tuned
        for study in search.studies
    ]
    figures = ("validation, defaults", "validation, best", "test, untuned", "test, tuned")
    heads = (
        *(*frame.heads(runs=True), Head("metric"), *(Head(h, "figure") for h in figures)),
        Head("best hyperparameters", "text"),
    )
    return Grid(f"Tuning of {frame.name}", heads, tuple(rows))


def _scores(study: Study) -> Iterable[float]:
    values = [study.record.default, study.record.best_value]
    return [*(v for v in values if v is not None), *(s.mean for s in (study.before, study.after) if s)]


def _budget(frame: _Frame, tuned: Sequence[Tuned]) -> Grid:
    """Return each search's budget and what it used of it."""
    rows = [
        (
            *frame.labels(row, study),
            Entry(str(study.record.seed), number=study.record.seed),
            Entry(visible(f"{study.record.sampler}, pruner {study.record.pruner}")),
            Entry(_allowed(study.record.budget)),
            entry(len(study.record.trials)),
            *(entry(study.record.count(state)) for state in ("complete", "pruned", "failed")),
            entry(study.record.n_from_memory),
            seconds_entry(study.record.seconds),
            entry(study.record.best_number),
        )
        for row, search in tuned
        for study in search.studies
    ]
    figures = ("trials", "finished", "pruned", "failed", "from memory", "seconds", "best in trial")
    heads = (
        *(*frame.heads(runs=True), Head("tuner's seed", "figure"), Head("sampler"), Head("budget")),
        *(Head(h, "figure") for h in figures),
    )
    return Grid(f"Budget of tuning, {frame.name}", heads, tuple(rows))


def _allowed(budget: Budget) -> str:
    limits = (("trials", budget.trials), ("seconds", budget.seconds))
    return " or ".join(f"{limit:g} {unit}" for unit, limit in limits if limit)


def _hyperparameters(frame: _Frame, tuned: Sequence[Tuned]) -> Grid:
    """Return each searched hyperparameter: its space, its best value and its importance."""
    rows = []
    for row, search in tuned:
        chosen = [study.record.best_parameters for study in search.studies]
        defaults = search.studies[0].record.trials[0].parameters
        for name, spec in search.studies[0].space.items():
            share = search.importances.get(name)
            rows.append(
                (
                    *frame.labels(row),
                    Entry(visible(name)),
                    Entry(space_text(spec)),
                    Entry(range_text([defaults[name]] if name in defaults else [])),
                    Entry(range_text([c[name] for c in chosen if name in c])),
                    entry(share, ".2f"),
                )
            )
    heads = (
        *(*frame.heads(), Head("hyperparameter"), Head("space"), Head("default"), Head("best")),
        Head("importance", "figure"),
    )
    return Grid(f"Hyperparameters, {frame.name}", heads, tuple(rows))


def _pareto(frame: _Frame, tuned: Sequence[Tuned]) -> Iterable[Grid]:
    """Yield a grid of Pareto-optimal trials for each list of objectives; the selected trial is marked."""
    by_objectives: dict[tuple[str, ...], list[tuple[Row, Study]]] = {}
    for row, search in tuned:
        for study in search.studies:
            if len(study.objectives) > 1:
                by_objectives.setdefault(study.objectives, []).append((row, study))
    for objectives, studies in by_objectives.items():
        heads = (
            *(*frame.heads(runs=True), Head("trial", "figure")),
            *(Head(visible(o), "figure") for o in objectives),
            *(Head("picked"), Head("hyperparameters", "text")),
        )
        rows = [row_ for row, study in studies for row_ in _pareto_rows(row, study, frame)]
        yield Grid(f"Pareto set of {visible(', '.join(objectives))}, {frame.name}", heads, tuple(rows))


def _pareto_rows(row: Row, study: Study, frame: _Frame) -> Iterable[tuple[Entry, ...]]:
    """From the best in the first objective on."""
    trials = [study.record.trials[number] for number in study.record.pareto]
    for trial in sorted(trials, key=lambda t: (-study.sign * (t.value or 0.0), t.number)):
        picked, values = trial.number == study.record.best_number, trial.values or {}
        yield (
            *frame.labels(row, study),
            Entry(str(trial.number), picked, trial.number),
            *(Entry(f"{values[o]:.4g}", picked, values[o]) for o in study.objectives),
            Entry("yes" if picked else "no", picked),
            Entry(pairs_text(trial.parameters)),
        )


def _by_trials(frame: _Frame, tuned: Sequence[Tuned]) -> Grid:
    most = max((len(s.curve) for _, search in tuned for s in search.studies), default=0)
    budgets = _budgets(most)[-frame.limit :]
    values = [[search.after_trials(n) for n in budgets] for _, search in tuned]
    caption = f"Best validation score so far by trials, {frame.name}"
    return _curve(frame, caption, [f"{n:,}" for n in budgets], tuned, values)


def _by_seconds(frame: _Frame, tuned: Sequence[Tuned]) -> Grid:
    """Return the best value by seconds; a finished search keeps its last value for one column."""
    studies = [s for _, search in tuned for s in search.studies]
    soonest = min((p.seconds for s in studies for p in s.curve if p.best is not None), default=math.inf)
    longest = max((s.curve[-1].seconds for s in studies), default=0.0)
    steps = _steps(0.01, longest)
    steps = [s for s in steps if s >= soonest][-frame.limit :]
    before = [0.0, *steps]
    values = [
        [search.after_seconds(s, b) for s, b in zip(steps, before, strict=False)] for _, search in tuned
    ]
    caption = f"Best validation score so far by seconds of trials, {frame.name}"
    return _curve(frame, caption, [f"{s:g} s" for s in steps], tuned, values)


def _expected(frame: _Frame, tuned: Sequence[Tuned]) -> Grid:
    estimated = [(row, s) for row, s in tuned if s.expected.points]
    most = max((s.expected.points[-1].trials for _, s in estimated), default=0)
    budgets = _budgets(most)[-frame.limit :]
    places = decimals_of(p.mean for _, s in estimated for p in s.expected.points)
    rows = []
    for row, search in estimated:
        texts = {p.trials: Entry(_interval(p, places), number=p.mean) for p in search.expected.points}
        rows.append((*frame.labels(row), *(texts.get(n, Entry(NOTHING)) for n in budgets)))
    heads = (*frame.heads(), *(Head(f"{n:,}", "figure") for n in budgets))
    return Grid(f"Expected best validation score by trials, {frame.name}", heads, tuple(rows))


def _interval(at: Expectation, places: int) -> str:
    mean = f"{at.mean:.{places}f}"
    if at.low is None or at.high is None or at.low == at.high:
        return mean
    return f"{mean} ({at.low:.{places}f} to {at.high:.{places}f})"


def _budgets(most: int) -> list[int]:
    """Return 1, 2, 5, 10, 20, ... trials, up to the most that any search made."""
    return sorted({*(int(n) for n in _steps(1.0, most) if n < most), most}) if most else []


def _steps(first: float, last: float) -> list[float]:
    """Return 1, 2, 5, 10, 20, ... times first, up to the first that is not below last."""
    steps: list[float] = []
    while last > 0 and (not steps or steps[-1] < last):
        power, digit = divmod(len(steps), 3)
        steps.append(float(f"{(1, 2, 5)[digit] * first * 10.0**power:.6g}"))
    return steps


def _curve(
    frame: _Frame,
    caption: str,
    budgets: Sequence[str],
    tuned: Sequence[Tuned],
    values: Sequence[Sequence[Value | None]],
) -> Grid:
    places = decimals_of(v.mean for of_row in values for v in of_row if v is not None)
    rows = [
        (*frame.labels(row), *(_value(v, places) for v in of_row))
        for (row, _), of_row in zip(tuned, values, strict=True)
    ]
    return Grid(caption, (*frame.heads(), *(Head(b, "figure") for b in budgets)), tuple(rows))


def _value(value: Value | None, places: int) -> Entry:
    if value is None:
        return Entry(NOTHING)
    return Entry(mean_text(value.mean, value.half, places), number=value.mean)


# -- notes -------------------------------------------------------------------------------------------

_HOW = {
    "draws": "as the expected maximum of independent draws (Dodge et al. 2019, with the defaults as a first "
    f"trial that is certain); an interval needs {FEWEST_SEARCHES} searches: seed=1,2,3",
    "repeats": "as the mean over searches of the best so far; in brackets: 95 % t interval over searches, "
    f"from {FEWEST_SEARCHES} on, for these validation users",
}


def notes(table: Table, tuned: Sequence[Tuned]) -> tuple[str, ...]:
    """Return lines of plain text; none if nothing was tuned.

    Args:
        tuned: `tuned(table)`.
    """
    if not tuned:
        return ()
    return (
        *warnings(tuned),
        *_without_space_notes(table),
        *_untested_notes(tuned),
        *_curve_notes(tuned),
        *_expected_notes(tuned),
        *_importance_notes(tuned),
        *_pareto_notes(tuned),
    )


def lines(table: Table, tuned: Sequence[Tuned]) -> tuple[str, ...]:
    """Return one line for each tuned row, then the warnings, for a terminal."""
    if not tuned:
        return ()
    best = [(row, [s for s in search.studies if s.record.best is not None]) for row, search in tuned]
    texts = (f"{row.label}: {_summary(studies)}" for row, studies in best if studies)
    return (*texts, *warnings(tuned), *_without_space_notes(table))


def warnings(tuned: Sequence[Tuned]) -> list[str]:
    """Best values that lie at an end of their space."""
    return [
        visible(f"Warning, {name}: {edge}.") for name, study in _named(tuned) for edge in study.record.edges
    ]


def _summary(studies: Sequence[Study]) -> str:
    """Return what the searches of a row gave, as means over them, and their best hyperparameters."""
    records = [study.record for study in studies]
    tested = [[v.mean if v is not None else None for v in (s.before, s.after)] for s in studies]
    test = _mean([before for before, _ in tested]), _mean([after for _, after in tested])
    validation = _mean([r.default for r in records]), _mean([r.best_value for r in records])
    places = decimals_of(value for value in (*validation, *test) if value is not None)
    parts = [
        f"{_change(*scores, places)} on {part}"
        for part, scores in (("validation", validation), ("test", test))
        if scores[1] is not None
    ]
    mean = f"mean of {len(studies)} searches, " if len(studies) > 1 else ""
    n_trials, seconds = sum(len(r.trials) for r in records), sum(r.seconds for r in records)
    names = dict.fromkeys(name for record in records for name in record.best_parameters)
    ranges = {
        name: range_text([r.best_parameters[name] for r in records if name in r.best_parameters])
        for name in names
    }
    best = ", ".join(f"{visible(name)}={text}" for name, text in ranges.items()) or NOTHING
    scores = f"{mean}{visible(studies[0].objectives[0])} {', '.join(parts)}"
    return f"{scores}; {n_trials:,} trials, {seconds:,.1f} s; {best}"


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean; None where a value is missing."""
    present = [value for value in values if value is not None]
    return statistics.fmean(present) if len(present) == len(values) else None


def _change(before: float | None, after: float | None, places: int) -> str:
    return f"{after:.{places}f}" if before is None else f"{before:.{places}f} to {after:.{places}f}"


def _named(tuned: Sequence[Tuned]) -> Iterable[tuple[str, Study]]:
    """Yield each study with a name that distinguishes it from the others."""
    for row, search in tuned:
        for study in search.studies:
            yield row.label + (f", {study.run.name}" if len(search.studies) > 1 else ""), study


def _without_space_notes(table: Table) -> list[str]:
    names = dict.fromkeys(visible(row.model) for row in table.rows if without_space(row))
    return [f"No search space, so as configured: {', '.join(names)}."] if names else []


def _by_reason(reasons: Iterable[tuple[str, str]], start: str) -> list[str]:
    """Return one line for each reason, with the models that it applies to."""
    models: dict[str, dict[str, None]] = {}
    for model, why in reasons:
        if why:
            models.setdefault(why, {})[visible(model)] = None
    return [f"{start} of {', '.join(names)}: {visible(why)}." for why, names in models.items()]


def _untested_notes(tuned: Sequence[Tuned]) -> list[str]:
    pairs = [(row.model, study.untested) for row, search in tuned for study in search.studies]
    return _by_reason(pairs, "Test scores before and after tuning")


def _curve_notes(tuned: Sequence[Tuned]) -> list[str]:
    if not any(study.curve for _, search in tuned for study in search.studies):
        return []
    texts = [
        "By seconds: those of trials, added up over all processes. A search that ended has no later columns."
    ]
    if any(len(search.studies) > 1 for _, search in tuned):
        texts.append("Best so far: the mean over searches, ± half of its 95 % t interval.")
    return texts


def _expected_notes(tuned: Sequence[Tuned]) -> list[str]:
    how: dict[str, dict[str, None]] = {}
    for row, search in tuned:
        if search.expected.points:
            how.setdefault(search.expected.how, {})[visible(row.model)] = None
    texts = [f"Expected best of {', '.join(names)}: {_HOW[kind]}." for kind, names in how.items()]
    censored = any(
        search.expected.how == "draws" and study.record.count("pruned") + study.record.count("failed")
        for _, search in tuned
        for study in search.studies
    )
    if censored:
        texts.append(
            "A pruned or failed trial counts as a draw that is never the best: small budgets look worse."
        )
    return texts + _by_reason(((r.model, s.expected.absent) for r, s in tuned), "No expected best")


def _importance_notes(tuned: Sequence[Tuned]) -> list[str]:
    from bakeoff.tuning.importance import METHOD

    every = [(row.model, study.importance) for row, search in tuned for study in search.studies]
    texts = []
    if any(importance.shares for _, importance in every):
        texts.append(
            f"Importance: {METHOD}, what sets the best tenth of the trials (five at least) apart from all "
            "of them, pruned ones counted among the worst; shares of the whole, rough with few trials."
        )
    texts += _by_reason(((model, i.absent) for model, i in every), "No importance")
    remarks = ((model, remark) for model, i in every for remark in i.remarks)
    return texts + _by_reason(remarks, "Importance")


def _pareto_notes(tuned: Sequence[Tuned]) -> list[str]:
    rules = dict.fromkeys(
        pairs_text(study.record.pareto_selection or {})
        for _, s in tuned
        for study in s.studies
        if len(study.objectives) > 1
    )
    return [f"Bold in a Pareto set: the trial that tune.pareto_selection takes ({rule})." for rule in rules]
