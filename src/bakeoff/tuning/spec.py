"""The configuration of a tuner: budget, objectives, sampler, pruner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Annotated, Literal

from bakeoff.config_files import Config
from bakeoff.errors import ConfigError, check_choice, check_range, nearest
from bakeoff.evaluation.catalogue import resolve, shipped, suggestion
from bakeoff.evaluation.metric import Metric
from bakeoff.parameters import Count, Positive, Range, check_parameters
from bakeoff.run.cell import OLD_TUNE_KEYS
from bakeoff.storage.record import Direction

SAMPLERS = ("tpe", "random", "qmc", "cmaes", "grid")
Pruner = Literal["pace", "median", "hyperband", "none"]
PARETO_RULES = ("tolerance", "weights")


@dataclass(frozen=True)
class TuningSpec:
    """The group `tune`.

    Args:
        trials: number of trials, the defaults included, or None.
        seconds: seconds of trials, added up over all processes, or None.
        metric: "name@k" or "import.path@k"; without @k for a metric that has no cutoff.
        objectives: two or more of these, in place of `metric`; empty: `metric` alone.
        pareto_selection: how the best trial is selected from the Pareto set: `rule` is one of PARETO_RULES,
            beside it `tolerance` (a share of the best first objective) or `weights` (one for each objective);
            see `summary.select`.
        sampler: a name of SAMPLERS, or the import path of a sampler that takes `seed`.
        pruner: which trials end early: by extrapolation (pace), by Optuna's median or hyperband, or none.
        repeats: inner splits and seeds that each trial is averaged over.
        pruning_users: size of the sample of validation users on which pruners compare trials.
        storage: None for a journal file in the store, or the URL of a database.
        heartbeat_timeout: seconds without a heartbeat after which a worker on another host counts as dead.
        name: for tables.
    """

    trials: Count | None = 50
    seconds: Positive | None = None
    metric: str = "ndcg@10"
    objectives: Sequence[str] = ()
    pareto_selection: Config = field(default_factory=lambda: {"rule": "tolerance", "tolerance": 0.01})
    sampler: str = "tpe"
    pruner: Pruner = "pace"
    repeats: Count = 1
    pruning_users: Count = 2000
    storage: str | None = None
    heartbeat_timeout: Annotated[float, Range(low=1)] = 120.0
    name: str = "optuna"

    def __post_init__(self) -> None:
        if self.trials is None and self.seconds is None:
            raise ConfigError("tune.trials=None: expected a budget in tune.trials, tune.seconds, or both")
        check_parameters(self, "tune")
        if "." not in str(self.sampler):
            check_choice("tune.sampler", self.sampler, SAMPLERS)
        self._check_objectives()

    def _check_objectives(self) -> None:
        objectives = self.objectives
        if isinstance(objectives, str) or not isinstance(objectives, Sequence):
            raise ConfigError(f"tune.objectives={objectives!r}: expected a list such as [ndcg@10,novelty@10]")
        if len(objectives) == 1:
            raise ConfigError(
                f"tune.objectives={list(objectives)!r}: expected two; for one, write "
                f"tune.metric={objectives[0]}"
            )
        if len(set(map(str, objectives))) < len(objectives):
            raise ConfigError(f"tune.objectives={list(objectives)!r}: expected each once")
        selection, key = self.pareto_selection, "tune.pareto_selection"
        if not isinstance(selection, Mapping):
            raise ConfigError(f"{key}={selection!r}: expected rule, tolerance or weights, with their values")
        for option in selection:
            check_choice(f"{key}, option", option, ("rule", *PARETO_RULES))
        rule = selection.get("rule")
        check_choice(f"{key}.rule", rule, PARETO_RULES)
        if rule == "tolerance":
            check_range(f"{key}.tolerance", selection.get("tolerance"), 0)  # type: ignore[arg-type]
        elif objectives:
            self._check_weights(selection.get("weights"), f"{key}.weights")

    def _check_weights(self, weights: object, key: str) -> None:
        if (
            not isinstance(weights, Sequence)
            or isinstance(weights, str)
            or len(weights) != len(self.objectives)
        ):
            raise ConfigError(f"{key}={weights!r}: expected one for each of {list(self.objectives)!r}")
        for weight in weights:
            check_range(key, weight, 0)
        if not any(weights):
            raise ConfigError(f"{key}={list(weights)!r}: expected one above 0")

    @classmethod
    def of(cls, config: Config) -> TuningSpec:
        """Return the specification that the group `tune` describes.

        Raises:
            ConfigError: an unknown or renamed key, or a value out of range.
        """
        names = [f.name for f in fields(cls)]
        for key in config:
            if key in OLD_TUNE_KEYS:
                raise ConfigError(f"tune.{key}: this option is now tune.{OLD_TUNE_KEYS[key]}")
            if key not in names:
                raise ConfigError(f"tune.{key}: there is no such option; {nearest(str(key), names)}")
        return cls(**config)


@dataclass(frozen=True)
class Goal:
    """One objective: a metric and its cutoff (None without).

    Args:
        text: as configured, such as "ndcg@10".
        name: of the metric.
    """

    text: str
    name: str
    metric: Metric
    k: int | None

    @property
    def direction(self) -> Direction:
        return "maximize" if self.metric.higher_is_better else "minimize"


def goals(spec: TuningSpec, depth: int) -> tuple[Goal, ...]:
    """Return the objectives, in their configured order.

    Raises:
        ConfigError: no such metric, one without a direction, or a cutoff that is missing or out of range.
    """
    if spec.objectives:
        return tuple(_goal(text, depth, "tune.objectives") for text in spec.objectives)
    return (_goal(spec.metric, depth, "tune.metric"),)


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
