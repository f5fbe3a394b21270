"""Hand-made records of tuning, as `bakeoff.tuning.summary` writes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bakeoff.storage.record import Budget, TrialRecord, TuningRecord

FLOAT = "optuna.distributions.FloatDistribution"
CHOICE = "optuna.distributions.CategoricalDistribution"

SPACE: dict[str, Any] = {
    "reg": {"_target_": FLOAT, "low": 0.001, "high": 10.0, "log": True},
    "weights": {"_target_": CHOICE, "choices": ["none", "log1p"]},
}
TUNE = {"name": "optuna", "trials": 4, "sampler": "random"}

PRUNED, FAILED = "pruned", "failed"


def trial(number: int, value: float | str | None, **more: Any) -> TrialRecord:
    """A trial of one second; a word in place of the value is its state."""
    state: Any = value if isinstance(value, str) else "complete"
    fields: dict[str, Any] = {
        "parameters": {"reg": 0.5 + number, "weights": "none"},
        "by_epoch": {1: 0.01, 4: 0.02} if state == PRUNED else {},
        "seconds": 1.0,
        "reason": "MemoryError: 9 GB" if state == FAILED else "",
        **more,
    }
    return TrialRecord(number=number, state=state, value=None if isinstance(value, str) else value, **fields)


def tuning(
    values: Sequence[float | str | None],
    *,
    metric: str = "ndcg@10",
    direction: str = "maximize",
    seconds: Sequence[float] | None = None,
    objectives: Mapping[str, Sequence[float]] | None = None,
    from_memory: Collection[int] = (),
    **more: Any,
) -> TuningRecord:
    """The record of a study with these values, the defaults' first.

    objectives: the values of each of several; the first one's are `values`.
    from_memory: numbers of trials that were copied.
    """
    rows = []
    for n, value in enumerate(values):
        own = {"seconds": seconds[n]} if seconds else {}
        several = {"values": {name: of_name[n] for name, of_name in objectives.items()}} if objectives else {}
        rows.append(trial(n, value, from_memory=n in from_memory, **own, **several))
    sign = 1 if direction == "maximize" else -1
    complete = [t for t in rows if t.value is not None]
    best = max(complete, key=lambda t: (sign * (t.value or 0.0), -t.number), default=None)
    names = tuple(objectives or ())
    fields: dict[str, Any] = {
        "budget": Budget(trials=len(rows)),
        "metric": metric,
        "direction": direction,
        "sampler": "random",
        "pruner": "pace",
        "trials": tuple(rows),
        "best": best,
        "objectives": names,
        "directions": ("maximize",) * len(names),
        **more,
    }
    return TuningRecord(**fields)
