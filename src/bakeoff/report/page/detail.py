"""The details of a row of a leader board: hyperparameters, runs, trials, errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.hashing import canonical_json
from bakeoff.queries.comparison import Row
from bakeoff.queries.select import Result
from bakeoff.report.view import NOTHING, Entry, Grid, Head, seconds_entry, visible
from bakeoff.storage.record import Budget, Record, TrialRecord, TrialState, TuningRecord

_FILE = re.compile(r'(?<=File ")[^"]+(?=")')


@dataclass(frozen=True)
class TuningDetail:
    """The tuning of one fit in a sentence, and its trials."""

    text: str
    warnings: tuple[str, ...]
    trials: Grid


@dataclass(frozen=True)
class FailureDetail:
    """Why runs have no numbers: which runs, the reason, and the traceback of a failure."""

    runs: str
    reason: str
    traceback: str


@dataclass(frozen=True)
class Detail:
    """The details of a row.

    Args:
        parameters: (runs, hyperparameters as pairs of texts); runs is "" where all runs share them.
    """

    parameters: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    failures: tuple[FailureDetail, ...]
    runs: Grid
    tuned: tuple[TuningDetail, ...]
    notes: tuple[str, ...]


def detail(row: Row) -> Detail:
    """Return the details of one model on one data set and split."""
    fits = distinct_fits(row.results)
    by_key: dict[str, list[Result]] = {}
    for result in row.results:
        by_key.setdefault(result.request.key, []).append(result)
    by_parameters: dict[tuple[tuple[str, str], ...], list[Result]] = {}
    for results in by_key.values():
        by_parameters.setdefault(_parameters(results[0]), []).extend(results)
    return Detail(
        parameters=tuple(
            (_runs(results) if len(by_parameters) > 1 else "", pairs)
            for pairs, results in by_parameters.items()
        ),
        failures=tuple(_failures(row.results)),
        runs=_run_grid(by_key),
        tuned=tuple(_tuned(r.tuning, _runs(by_key[r.key])) for r in fits if r.tuning is not None),
        notes=tuple(visible(note) for note in row.notes),
    )


def _parameters(result: Result) -> tuple[tuple[str, str], ...]:
    """Return hyperparameters as fitted, or as configured where nothing was fitted."""
    values = result.record.parameters or result.request.cell.model_build
    return tuple((visible(k), _text(values[k])) for k in sorted(values) if not k.startswith("_"))


def _text(value: Any) -> str:
    return visible(value if isinstance(value, str) else canonical_json(value))


def _runs(results: Sequence[Result]) -> str:
    """Return the runs that share a result: `split seed 42, seed 1 and 3`."""
    cells = [r.request.cell for r in results]
    parts = [
        ("split seed", list(dict.fromkeys(c.split_seed for c in cells))),
        ("fold", list(dict.fromkeys(c.fold for c in cells if c.fold is not None))),
        ("seed", list(dict.fromkeys(c.seed for c in cells))),
    ]
    return ", ".join(f"{name} {' and '.join(map(str, values))}" for name, values in parts if values)


def _failures(results: Sequence[Result]) -> Iterable[FailureDetail]:
    """Yield one entry for each distinct reason, with the traceback of its first run."""
    by_reason: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        if not result.record.done:
            by_reason.setdefault((result.record.status, result.record.reason), []).append(result)
    for (status, reason), results in by_reason.items():
        yield FailureDetail(
            runs=f"{status}: {_runs(results)}",
            reason=visible(reason or "no reason given"),
            traceback=_lines(portable(results[0].record.traceback)),
        )


def portable(traceback: str) -> str:
    """Return a traceback without the folders of the machine on which it was made.

    >>> portable('File "/anywhere/x/src/bakeoff/runner.py", line 3')
    'File "bakeoff/runner.py", line 3'
    """
    return _FILE.sub(lambda match: _inside(match[0]), traceback)


def _inside(path: str) -> str:
    """Return a path below the folder of packages or sources; of others the last two parts."""
    parts = re.split(r"[/\\\\]", path)
    at = max((n for n, part in enumerate(parts) if part in ("site-packages", "src")), default=len(parts) - 3)
    return "/".join(parts[max(at + 1, 0) :])


def _lines(text: str) -> str:
    """Return several lines of text with control characters escaped."""
    return "\n".join(visible(line) for line in text.splitlines())


def _run_grid(by_key: Mapping[str, Sequence[Result]]) -> Grid:
    heads = (
        *(Head("cell"), Head("runs"), Head("status")),
        *(Head(f"{phase} s", "figure") for phase in ("fit", "recommend", "evaluate")),
        *(Head("peak MB", "figure"), Head("split")),
    )
    rows = []
    for key, results in by_key.items():
        record = results[0].record
        rows.append(
            (
                *(Entry(visible(key)), Entry(_runs(results)), Entry(record.status)),
                *(seconds_entry(record.seconds.get(p)) for p in ("fit", "recommend", "evaluate")),
                whole(record.peak_mb if record.done else None),
                Entry(visible(record.split_fingerprint) or NOTHING),
            )
        )
    return Grid("Runs", heads, tuple(rows))


def _tuned(tuning: TuningRecord, runs: str) -> TuningDetail:
    trials = tuning.trials
    names = list(dict.fromkeys(name for trial in trials for name in trial.parameters))
    reasons = any(trial.reason for trial in trials)
    heads = (
        *(Head("trial", "figure"), Head("state")),
        *(Head(visible(str(aim)), "figure") for aim in tuning.targets),
        *(Head(visible(name), "figure") for name in names),
        *(Head("seconds", "figure"), *((Head("reason", "text"),) if reasons else ())),
    )
    rows = tuple(
        (
            *_trial(trial, tuning.targets, names, trial.number == tuning.best_number),
            *((Entry(visible(trial.reason)),) if reasons else ()),
        )
        for trial in trials
    )
    return TuningDetail(
        _tuning_text(tuning, runs),
        tuple(visible(e) for e in tuning.edges),
        Grid(f"Trials of {runs}", heads, rows),
    )


def _trial(trial: TrialRecord, targets: Sequence[str], names: Sequence[str], best: bool) -> tuple[Entry, ...]:
    chosen = trial.parameters
    values = trial.values or {targets[0]: trial.value}
    state = f"{trial.state}{', from memory' if trial.from_memory else ''}"
    return (
        Entry(str(trial.number), bold=best),
        Entry(visible(state)),
        *(Entry(_figure(values.get(target)), bold=best) for target in targets),
        *(Entry(_figure(chosen[n]) if n in chosen else NOTHING) for n in names),
        Entry(_figure(trial.seconds)),
    )


def _figure(value: Any) -> str:
    """Format a number with four figures; the parameters of the best trial are given in full elsewhere."""
    if value is None:
        return NOTHING
    return f"{value:.4g}" if isinstance(value, float) else _text(value)


def _tuning_text(tuning: TuningRecord, runs: str) -> str:
    states: tuple[TrialState, ...] = ("complete", "pruned", "failed")
    counts = ", ".join(f"{tuning.count(state)} {state}" for state in states if tuning.count(state))
    text = (
        f"{runs}: {budget_text(tuning.budget)} by {', '.join(tuning.targets)} ({tuning.sampler}), {counts}."
    )
    if tuning.best is not None:
        text += f" Best {_figure(tuning.best.value)} in trial {tuning.best.number}"
        text += f", defaults {_figure(tuning.default)}." if tuning.default is not None else "."
    return visible(text)


def budget_text(budget: Budget) -> str:
    """Return the limits of a study: trials, seconds or both."""
    limits = (("trials", budget.trials), ("seconds", budget.seconds))
    parts = [f"{limit:g} {unit}" for unit, limit in limits if limit is not None]
    return " or ".join(parts) or "no limit"


def distinct_fits(results: Iterable[Result]) -> list[Record]:
    """Return the distinct stored results."""
    return list({r.request.key: r.record for r in results if r.record.done}.values())


def whole(number: float | None) -> Entry:
    """Return a number without decimals."""
    return Entry(NOTHING) if number is None else Entry(f"{number:,.0f}", number=number)
