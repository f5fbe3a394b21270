"""What a study did, as JSON for the cell's record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bakeoff.tuning.pareto import Direction, front, picked
from bakeoff.tuning.shared import NOTE
from bakeoff.tuning.space import Space
from bakeoff.tuning.spec import Tuning

_EDGE = 0.02
"""A best value this near to an end of its axis (as a share of its length, in logs on such) is on the edge."""


def summary(
    trials: Sequence[Any],
    space: Space,
    tuning: Tuning,
    directions: Sequence[Direction],
    seed: int,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Budget and what became of it, every trial, the best, the defaults' score, warnings.

    Trials are numbered by their order among those that count. The earliest of equal trials is the best. With
    several objectives `value` is the first one's everywhere, `values` has all, `pareto` the numbers of the
    trials that no other beats, and `best` is the one that the rule picks of them.
    """
    rows = [_row(number, trial, tuning) for number, trial in enumerate(trials)]
    of_trials = sorted({t.user_attrs[NOTE] for t in trials if NOTE in t.user_attrs})
    complete = [r for r in rows if r["state"] == "complete"]
    states = [r["state"] for r in rows]
    found = {
        "budget": {"trials": tuning.trials, "seconds": tuning.seconds},
        "metric": tuning.metric,
        "direction": directions[0],
        "sampler": tuning.sampler,
        "pruner": tuning.pruner,
        "repeats": tuning.repeats,
        "seed": seed,
        "asked": len(rows),
        "finished": states.count("complete"),
        "pruned": states.count("pruned"),
        "failed": states.count("failed"),
        "from_memory": sum(r["from_memory"] for r in rows),
        "seconds": sum(r["seconds"] for r in rows),
        "default": rows[0]["value"] if rows and rows[0]["state"] == "complete" else None,
        "notes": [*notes, *_notes(tuning), *of_trials],
        "trials": rows,
    }
    best = None
    if tuning.objectives:
        found |= _several(complete, tuning, directions)
        best = found.pop("picked")
    elif complete:
        sign = 1.0 if directions[0] == "maximize" else -1.0
        best = max(complete, key=lambda r: (sign * r["value"], -r["number"]))
    shown = ("number", "value", "values", "parameters")
    found["best"] = best and {k: best[k] for k in shown if k in best}
    found["edges"] = _edges(best["parameters"], space) if best else []
    return found


def _several(
    complete: Sequence[dict[str, Any]], tuning: Tuning, directions: Sequence[Direction]
) -> dict[str, Any]:
    """What a record says beside the rest where there are several objectives."""
    values = [list(r["values"].values()) for r in complete]
    rule = {"rule": tuning.pick["rule"], str(tuning.pick["rule"]): tuning.pick[str(tuning.pick["rule"])]}
    return {
        "metric": tuning.objectives[0],
        "objectives": list(tuning.objectives),
        "directions": list(directions),
        "pick": rule,
        "pruner": "none",
        "pareto": [complete[at]["number"] for at in front(values, directions)],
        "picked": complete[picked(values, directions, rule)] if complete else None,
    }


def _notes(tuning: Tuning) -> list[str]:
    notes = ["a budget in seconds is not repeatable"] if tuning.seconds is not None else []
    if tuning.objectives and tuning.pruner != "none":
        notes.append(f"tune.pruner={tuning.pruner} has no effect: with several objectives nothing is pruned")
    return notes


def _row(number: int, trial: Any, tuning: Tuning) -> dict[str, Any]:
    attributes = trial.user_attrs
    state = {"COMPLETE": "complete", "PRUNED": "pruned"}.get(trial.state.name, "failed")
    row = {
        "number": number,
        "parameters": attributes.get("parameters", {}),
        "state": state,
        "value": trial.values[0] if state == "complete" else None,
        "by_epoch": {str(epoch): value for epoch, value in trial.intermediate_values.items()},
        "seconds": attributes.get("seconds", 0.0),
        "from_memory": bool(attributes.get("from_memory", False)),
        "reason": attributes.get("reason", ""),
    }
    if tuning.objectives:
        values = trial.values if state == "complete" else [None] * len(tuning.objectives)
        row["values"] = dict(zip(tuning.objectives, values, strict=True))
    return row


def _edges(best: dict[str, Any], space: Space) -> list[str]:
    """A line for each numeric hyperparameter whose best value lies at an end of its axis."""
    import math

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
