"""What a tuner is told: budget, objectives, sampler, pruner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from bakeoff.errors import ConfigError, check_choice, check_range, nearest
from bakeoff.evaluation.catalogue import resolve, shipped, suggestion
from bakeoff.evaluation.metric import Metric
from bakeoff.tuning.pareto import Direction

SAMPLERS = ("tpe", "random", "qmc", "cmaes", "grid")
PRUNERS = ("pace", "median", "hyperband", "none")
PICKS = ("tolerance", "weights")


@dataclass(frozen=True)
class Tuning:
    """The tuner's configuration.

    Args:
        trials: budget in trials, the defaults included, or None.
        seconds: budget in seconds of trials, added up over all processes, or None.
        metric: "name@k" or "import.path@k", without @k for a metric that has no cutoff.
        objectives: two or more of such, in place of `metric`; empty: `metric` alone.
        pick: which of the Pareto set is taken: `rule` is one of PICKS, and `tolerance` (a share of the best
            first objective) or `weights` (one for each objective) goes with it; see `pareto.picked`.
        sampler: a name of SAMPLERS, or the import path of a sampler that takes `seed`.
        pruner: one of PRUNERS.
        repeats: inner splits and seeds that each trial is averaged over.
        users: how many validation users a pruner looks at.
        storage: None for a journal file in the store, or an RDB URL.
        stale: seconds without a sign of life after which a worker on another host is taken for dead.
        name: for tables.
    """

    trials: int | None = 50
    seconds: float | None = None
    metric: str = "ndcg@10"
    objectives: Sequence[str] = ()
    pick: Mapping[str, Any] = field(default_factory=lambda: {"rule": "tolerance", "tolerance": 0.01})
    sampler: str = "tpe"
    pruner: str = "pace"
    repeats: int = 1
    users: int = 2000
    storage: str | None = None
    stale: float = 120.0
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
        check_range("tune.stale", self.stale, 1)
        check_choice("tune.pruner", self.pruner, PRUNERS)
        if "." not in str(self.sampler):
            check_choice("tune.sampler", self.sampler, SAMPLERS)
        self._check_objectives()

    def _check_objectives(self) -> None:
        given = self.objectives
        if isinstance(given, str) or not isinstance(given, Sequence):
            raise ConfigError(f"tune.objectives={given!r}: expected a list such as [ndcg@10,novelty@10]")
        if len(given) == 1:
            raise ConfigError(f"tune.objectives={list(given)!r}: one alone is tune.metric={given[0]}")
        if len(set(map(str, given))) < len(given):
            raise ConfigError(f"tune.objectives={list(given)!r}: expected each once")
        for key in self.pick:
            check_choice("tune.pick, option", key, ("rule", *PICKS))
        rule = self.pick.get("rule")
        check_choice("tune.pick.rule", rule, PICKS)
        if rule == "tolerance":
            check_range("tune.pick.tolerance", self.pick.get("tolerance"), 0)  # type: ignore[arg-type]
        elif given:
            self._check_weights(self.pick.get("weights"))

    def _check_weights(self, weights: Any) -> None:
        if (
            not isinstance(weights, Sequence)
            or isinstance(weights, str)
            or len(weights) != len(self.objectives)
        ):
            raise ConfigError(
                f"tune.pick.weights={weights!r}: expected one for each of {list(self.objectives)!r}"
            )
        for weight in weights:
            check_range("tune.pick.weights", weight, 0)
        if not any(weights):
            raise ConfigError(f"tune.pick.weights={list(weights)!r}: expected one above 0")

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


@dataclass(frozen=True)
class Goal:
    """One objective: a metric, its cutoff (None without), and the end of it that is sought.

    Args:
        text: as asked for, such as "ndcg@10".
        name: of the metric.
    """

    text: str
    name: str
    metric: Metric
    k: int | None

    @property
    def direction(self) -> Direction:
        return "maximize" if self.metric.higher_is_better else "minimize"


def goals(tuning: Tuning, depth: int) -> tuple[Goal, ...]:
    """What is sought, in the order asked for.

    Raises:
        ConfigError: no such metric, one without a direction, or a cutoff that is missing or out of range.
    """
    if tuning.objectives:
        return tuple(_goal(text, depth, "tune.objectives") for text in tuning.objectives)
    return (_goal(tuning.metric, depth, "tune.metric"),)


def _goal(text: str, depth: int, key: str) -> Goal:
    name, at, cutoff = str(text).partition("@")
    where = f"{key}={text!r}"
    if "." not in name and name not in shipped():
        raise ConfigError(f"{where}: there is no metric {name!r}; {suggestion(name, shipped())}")
    metric = shipped()[name] if name in shipped() else resolve({name: name})[name]
    if metric.higher_is_better is None:
        raise ConfigError(f"{where}: neither end of {name!r} is the goal; choose another metric")
    if not metric.cutoff:
        if at:
            raise ConfigError(f"{where}: {name!r} has no cutoff; write {key}={name}")
        return Goal(str(text), name, metric, None)
    if not cutoff.isdigit() or not 1 <= int(cutoff) <= depth:
        raise ConfigError(f"{where}: expected a cutoff from 1 to {depth}, such as {name}@10")
    return Goal(str(text), name, metric, int(cutoff))
