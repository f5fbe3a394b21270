"""Hand-made records of tuning, as `bakeoff.tuning.summary` writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

FLOAT = "optuna.distributions.FloatDistribution"
CHOICE = "optuna.distributions.CategoricalDistribution"

SPACE: dict[str, Any] = {
    "reg": {"_target_": FLOAT, "low": 0.001, "high": 10.0, "log": True},
    "weights": {"_target_": CHOICE, "choices": ["none", "log1p"]},
}
TUNE = {"name": "optuna", "trials": 4, "sampler": "random"}

PRUNED, FAILED = "pruned", "failed"


def trial(number: int, value: float | str | None, **more: Any) -> dict[str, Any]:
    """A trial of one second; a word in place of the value is its state."""
    state = value if isinstance(value, str) else "complete"
    return {
        "number": number,
        "parameters": {"reg": 0.5 + number, "weights": "none"},
        "state": state,
        "value": None if isinstance(value, str) else value,
        "by_epoch": {"1": 0.01, "4": 0.02} if state == PRUNED else {},
        "seconds": 1.0,
        "from_memory": False,
        "reason": "MemoryError: 9 GB" if state == FAILED else "",
        **more,
    }


def tuning(
    values: Sequence[float | str],
    *,
    metric: str = "ndcg@10",
    direction: str = "maximize",
    seconds: Sequence[float] | None = None,
    objectives: Mapping[str, Sequence[float]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The record of a study with these values, the defaults' first."""
    trials = [trial(n, v, **({"seconds": seconds[n]} if seconds else {})) for n, v in enumerate(values)]
    sign = 1 if direction == "maximize" else -1
    complete = [t for t in trials if t["state"] == "complete"]
    best = max(complete, key=lambda t: (sign * t["value"], -t["number"]), default=None)
    states = [t["state"] for t in trials]
    for name, of_name in (objectives or {}).items():
        for t, v in zip(trials, of_name, strict=True):
            t.setdefault("values", {})[name] = v
    return {
        "budget": {"trials": len(trials), "seconds": None},
        "metric": metric,
        "direction": direction,
        "sampler": "random",
        "pruner": "pace",
        "repeats": 1,
        "seed": 1,
        "asked": len(trials),
        "finished": states.count("complete"),
        "pruned": states.count(PRUNED),
        "failed": states.count(FAILED),
        "from_memory": 0,
        "seconds": sum(t["seconds"] for t in trials),
        "best": best and {k: best[k] for k in ("number", "value", "parameters")},
        "default": trials[0]["value"],
        "edges": [],
        "notes": [],
        "trials": trials,
        **more,
    }
