"""What a tuner is told: budget, metric, sampler, pruner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from bakeoff import conf
from bakeoff.errors import ConfigError, check_choice, check_range, nearest
from bakeoff.evaluation.measure import resolve
from bakeoff.evaluation.metric import Metric

SAMPLERS = {"tpe": "optuna.samplers.TPESampler", "random": "optuna.samplers.RandomSampler"}
PRUNERS = ("median", "hyperband", "none")


@dataclass(frozen=True)
class Tuning:
    """The tuner's configuration.

    Args:
        trials: budget in trials, the defaults included, or None.
        seconds: budget in seconds of trials, added up over all processes, or None.
        metric: "name@k" or "import.path@k", without @k for a metric that has no cutoff.
        sampler: a name of SAMPLERS, or the import path of a sampler that takes `seed`.
        pruner: one of PRUNERS.
        repeats: inner splits and seeds that each trial is averaged over.
        users: how many validation users a pruner looks at.
        storage: None for a journal file in the store, or an RDB URL.
        name: for tables.
    """

    trials: int | None = 50
    seconds: float | None = None
    metric: str = "ndcg@10"
    sampler: str = "tpe"
    pruner: str = "median"
    repeats: int = 1
    users: int = 2000
    storage: str | None = None
    name: str = "optuna"

    def __post_init__(self) -> None:
        if self.trials is None and self.seconds is None:
            raise ConfigError("tune.trials=None: expected a budget in tune.trials, tune.seconds, or both")
        if self.trials is not None:
            check_range("tune.trials", self.trials, 1, integer=True)
        if self.seconds is not None:
            check_range("tune.seconds", self.seconds, above=0)
        check_range("tune.repeats", self.repeats, 1, integer=True)
        check_range("tune.users", self.users, 1, integer=True)
        check_choice("tune.pruner", self.pruner, PRUNERS)
        if "." not in str(self.sampler):
            check_choice("tune.sampler", self.sampler, SAMPLERS)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Tuning:
        """From the `tune` group.

        Raises:
            ConfigError: an unknown key, or a value out of range.
        """
        known = [f.name for f in fields(cls)]
        for key in config:
            if key not in known:
                raise ConfigError(f"tune.{key}: there is no such option; {nearest(str(key), known)}")
        return cls(**config)


def objective(metric: str, depth: int) -> tuple[str, Metric, int | None]:
    """Name, metric and cutoff of `tune.metric`.

    Raises:
        ConfigError: no such metric, one without a direction, or a cutoff that is missing or out of range.
    """
    name, at, cutoff = str(metric).partition("@")
    path = name
    if "." not in name:
        known = conf.metrics()
        if name not in known:
            raise ConfigError(f"tune.metric={metric!r}: there is no metric {name!r}; {nearest(name, known)}")
        path = known[name]
    found = resolve({name: path})[name]
    if found.higher_is_better is None:
        raise ConfigError(f"tune.metric={metric!r}: neither end of {name!r} is the goal; take another")
    if not found.cutoff:
        if at:
            raise ConfigError(f"tune.metric={metric!r}: {name!r} has no cutoff; write tune.metric={name}")
        return name, found, None
    if not cutoff.isdigit() or not 1 <= int(cutoff) <= depth:
        raise ConfigError(f"tune.metric={metric!r}: expected a cutoff from 1 to {depth}, such as {name}@10")
    return name, found, int(cutoff)
