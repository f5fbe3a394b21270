"""The record of a study, made from Optuna's trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bakeoff.config_files import Config
from bakeoff.storage.record import Budget, Direction, TrialRecord, TrialState, TuningRecord
from bakeoff.tuning.edges import edges
from bakeoff.tuning.objective import NOTE
from bakeoff.tuning.space import Space
from bakeoff.tuning.spec import TuningSpec
from bakeoff.tuning.storage import OWNER

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

ORDER_FREE = ("random", "qmc", "grid")
"""Samplers whose proposals do not depend on the results of other trials."""

_STATES: Mapping[str, TrialState] = {"COMPLETE": "complete", "PRUNED": "pruned"}


def tuning_record(
    trials: Sequence[FrozenTrial],
    space: Space,
    spec: TuningSpec,
    directions: Sequence[Direction],
    seed: int,
    notes: Sequence[str] = (),
) -> TuningRecord:
    """Return the record of a study.

    Of equal trials the earliest is the best. With several objectives, `value` is the first one, `pareto` the
    trials that no other dominates, and `best` the one that the rule selects from them.

    Args:
        trials: Optuna's, those that count, in order.
        notes: on the sampler.
    """
    rows = tuple(_trial_record(number, trial, spec) for number, trial in enumerate(trials))
    complete = [row for row in rows if row.state == "complete"]
    values = [row.objective_values for row in complete]
    several = bool(spec.objectives)
    rule = str(spec.pareto_selection["rule"])
    selection = {"rule": rule, rule: spec.pareto_selection[rule]} if several else None
    best = None
    if complete and selection is not None:
        best = complete[select(values, directions, selection)]
    elif complete:
        sign = 1.0 if directions[0] == "maximize" else -1.0
        best = max(complete, key=lambda row: (sign * row.objective_values[0], -row.number))
    workers = workers_at_once(trials)
    of_trials = sorted({trial.user_attrs[NOTE] for trial in trials if NOTE in trial.user_attrs})
    return TuningRecord(
        budget=Budget(spec.trials, spec.seconds),
        metric=spec.objectives[0] if several else spec.metric,
        direction=directions[0],
        sampler=spec.sampler,
        pruner="none" if several else spec.pruner,
        repeats=spec.repeats,
        seed=seed,
        trials=rows,
        best=best,
        objectives=tuple(spec.objectives),
        directions=tuple(directions) if several else (),
        pareto_selection=selection,
        pareto=tuple(complete[at].number for at in front(values, directions)) if several else (),
        edges=edges(space, rows, best, directions) if best is not None else (),
        workers=workers,
        notes=(*notes, *_notes(spec, workers), *of_trials),
    )


def workers_at_once(trials: Sequence[FrozenTrial]) -> int:
    """Return how many workers ran trials while trials of others were running; 1 if they took turns."""
    sharing: set[str] = set()
    timed = [(t.datetime_start, t.datetime_complete, t.user_attrs.get(OWNER, "")) for t in trials]
    runs = sorted((start, end, owner) for start, end, owner in timed if start and end)
    for at, (_, end, owner) in enumerate(runs):
        others = {other for start, _, other in runs[at + 1 :] if start < end and other != owner}
        sharing |= {owner, *others} if others else set()
    return max(len(sharing), 1)


def _notes(spec: TuningSpec, workers: int) -> list[str]:
    notes = ["a budget in seconds is not repeatable"] if spec.seconds is not None else []
    unpruned = spec.pruner == "none" or spec.objectives or spec.repeats > 1
    if workers > 1 and not (spec.sampler in ORDER_FREE and unpruned):
        notes.append(
            f"not repeatable: {workers} processes ran the trials of one search at the same time, and the "
            "next trial depended on which ended first; a search by one process is repeatable"
        )
    if spec.objectives and spec.pruner != "none":
        notes.append(f"tune.pruner={spec.pruner} has no effect: with several objectives nothing is pruned")
    return notes


def _trial_record(number: int, trial: FrozenTrial, spec: TuningSpec) -> TrialRecord:
    attributes = trial.user_attrs
    state = _STATES.get(trial.state.name, "failed")
    values = None
    if spec.objectives:
        each = trial.values if state == "complete" else [None] * len(spec.objectives)
        values = dict(zip(spec.objectives, each, strict=True))
    return TrialRecord(
        number=number,
        parameters=attributes.get("parameters", {}),
        state=state,
        value=trial.values[0] if state == "complete" else None,
        values=values,
        by_epoch=dict(trial.intermediate_values),
        seconds=attributes.get("seconds", 0.0),
        from_memory=bool(attributes.get("from_memory", False)),
        reason=attributes.get("reason", ""),
    )


def front(values: Sequence[Sequence[float]], directions: Sequence[Direction]) -> list[int]:
    """Return the positions of the rows that no other row dominates; of equal rows the first.

    Args:
        values: one row for each trial, one column for each objective.
    """
    rows = [_upward(row, directions) for row in values]
    return [
        at
        for at, row in enumerate(rows)
        if row not in rows[:at] and not any(_dominates(other, row) for other in rows)
    ]


def select(values: Sequence[Sequence[float]], directions: Sequence[Direction], rule: Config) -> int:
    """Return the position of the row that a rule selects from the Pareto set; of equal ones the first.

    `tolerance`: of the rows whose first objective is at most this share of its best value away from it, the
    best in the second objective, then in the third, ..., at last in the first.
    `weights`: the highest weighted sum, each objective divided by the size of its first value that is not 0,
    which is that of the defaults. A trial that is added changes the selection only if it is selected itself.
    """
    rows = {at: _upward(values[at], directions) for at in front(values, directions)}
    if rule["rule"] == "weights":
        units = [next((abs(v) for v in column if v), 1.0) for column in zip(*values, strict=True)]
        sums = {
            at: sum(w * v / unit for w, v, unit in zip(rule["weights"], row, units, strict=True))
            for at, row in rows.items()
        }
        return max(rows, key=lambda at: (sums[at], -at))
    best = max(row[0] for row in rows.values())
    near = [at for at, row in rows.items() if row[0] >= best - rule["tolerance"] * abs(best)]
    return max(near, key=lambda at: (rows[at][1:], rows[at][0], -at))


def _upward(row: Sequence[float], directions: Sequence[Direction]) -> tuple[float, ...]:
    return tuple(v if d == "maximize" else -v for v, d in zip(row, directions, strict=True))


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))
