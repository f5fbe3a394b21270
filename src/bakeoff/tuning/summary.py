"""The record of a study, made from Optuna's trials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bakeoff.storage.record import Budget, Direction, TrialRecord, TrialState, TuningRecord
from bakeoff.tuning.objective import NOTE
from bakeoff.tuning.space import Space
from bakeoff.tuning.spec import TuningSpec

_EDGE = 0.02
"""A best value this near to an end of its axis is reported: share of its length, in logs on a log axis."""

_STATES: Mapping[str, TrialState] = {"COMPLETE": "complete", "PRUNED": "pruned"}


def tuning_record(
    trials: Sequence[Any],
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
    values = [objective_values(row) for row in complete]
    several = bool(spec.objectives)
    rule = str(spec.pareto_selection["rule"])
    selection = {"rule": rule, rule: spec.pareto_selection[rule]} if several else None
    best = None
    if complete and selection is not None:
        best = complete[select(values, directions, selection)]
    elif complete:
        sign = 1.0 if directions[0] == "maximize" else -1.0
        best = max(complete, key=lambda row: (sign * objective_values(row)[0], -row.number))
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
        edges=tuple(_edges(best.parameters, space)) if best is not None else (),
        notes=(*notes, *_notes(spec), *of_trials),
    )


def objective_values(trial: TrialRecord) -> list[float]:
    """Return the objectives of a complete trial."""
    return [v for v in (trial.values.values() if trial.values else (trial.value,)) if v is not None]


def _notes(spec: TuningSpec) -> list[str]:
    notes = ["a budget in seconds is not repeatable"] if spec.seconds is not None else []
    if spec.objectives and spec.pruner != "none":
        notes.append(f"tune.pruner={spec.pruner} has no effect: with several objectives nothing is pruned")
    return notes


def _trial_record(number: int, trial: Any, spec: TuningSpec) -> TrialRecord:
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


def _edges(best: Mapping[str, Any], space: Space) -> list[str]:
    """Return a line for each numeric hyperparameter whose best value lies at an end of its axis."""
    lines = []
    for axis in space.axes:
        distribution = axis.distribution
        if axis.name not in best or hasattr(distribution, "choices") or distribution.single():
            continue
        scale = math.log if distribution.log else float
        if distribution.log and best[axis.name] <= 0:
            continue
        low, high, at = scale(distribution.low), scale(distribution.high), scale(best[axis.name])
        for end, distance in (("low", at - low), ("high", high - at)):
            if distance <= _EDGE * (high - low):
                lines.append(f"{axis.name}={best[axis.name]!r} lies at the {end} end of its space: widen it")
    return lines


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


def select(
    values: Sequence[Sequence[float]], directions: Sequence[Direction], rule: Mapping[str, Any]
) -> int:
    """Return the position of the row that a rule selects from the Pareto set; of equal ones the first.

    `tolerance`: of the rows whose first objective is at most this share of its best value away from it, the
    best in the second objective, then in the third, ..., at last in the first.
    `weights`: the highest weighted sum, each objective brought to 0 (its worst in the set) to 1 (its best).
    """
    rows = {at: _upward(values[at], directions) for at in front(values, directions)}
    if rule["rule"] == "weights":
        sums = {at: _weighted_sum(row, list(rows.values()), rule["weights"]) for at, row in rows.items()}
        return max(rows, key=lambda at: (sums[at], -at))
    best = max(row[0] for row in rows.values())
    near = [at for at, row in rows.items() if row[0] >= best - rule["tolerance"] * abs(best)]
    return max(near, key=lambda at: (rows[at][1:], rows[at][0], -at))


def _weighted_sum(
    row: tuple[float, ...], rows: Sequence[tuple[float, ...]], weights: Sequence[float]
) -> float:
    total = 0.0
    for weight, value, column in zip(weights, row, zip(*rows, strict=True), strict=True):
        low, high = min(column), max(column)
        total += weight * (value - low) / (high - low) if high > low else 0.0
    return total


def _upward(row: Sequence[float], directions: Sequence[Direction]) -> tuple[float, ...]:
    return tuple(v if d == "maximize" else -v for v, d in zip(row, directions, strict=True))


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))
