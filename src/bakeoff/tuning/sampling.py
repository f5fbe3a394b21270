"""Samplers and pruners that an interrupted study can go on with."""

from __future__ import annotations

import inspect
from typing import Any

from optuna.samplers import BaseSampler

from bakeoff.cell import locate
from bakeoff.errors import ConfigError
from bakeoff.hashing import combine, hash_text
from bakeoff.tuning.storage import counted

SAMPLERS = {"tpe": "optuna.samplers.TPESampler", "random": "optuna.samplers.RandomSampler"}


def derived(*parts: object) -> int:
    """A seed below 2^31 that depends on all parts."""
    return int(combine(hash_text(" ".join(map(str, parts))))[0] >> 33)


def ordinal(study: Any, number: int) -> int:
    """How many trials that count came before the trial of this number."""
    return sum(t.number < number for t in counted(study.get_trials(deepcopy=False)))


class Reseeded(BaseSampler):
    """Another sampler, made anew for each trial from the seed and the number of trials before it.

    So an interrupted study proposes what an undisturbed one would. The first trial is the defaults.
    """

    def __init__(self, path: str, seed: int, first: dict[str, Any]) -> None:
        self._make = locate(SAMPLERS.get(path, path), "tune.sampler")
        if not inspect.isclass(self._make) or "seed" not in inspect.signature(self._make).parameters:
            raise ConfigError(f"tune.sampler={path!r}: expected a sampler that takes a seed")
        self._seed, self._first = seed, first
        self._base: tuple[int, Any] = (-1, None)

    def _of(self, study: Any, trial: Any) -> Any:
        """The sampler of a trial; None for the defaults."""
        if self._base[0] != trial.number:
            at = ordinal(study, trial.number)
            self._base = trial.number, self._make(seed=derived(self._seed, at)) if at else None
        return self._base[1]

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
        base = self._of(study, trial)
        return {} if base is None else base.infer_relative_search_space(study, trial)

    def sample_relative(self, study: Any, trial: Any, search_space: dict[str, Any]) -> dict[str, Any]:
        base = self._of(study, trial)
        return {} if base is None else base.sample_relative(study, trial, search_space)

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
        base = self._of(study, trial)
        if base is None:
            return self._first[param_name]
        return base.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Any, trial: Any) -> None:
        base = self._of(study, trial)
        if base is not None:
            base.before_trial(study, trial)

    def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
        base = self._of(study, trial)
        if base is not None:
            base.after_trial(study, trial, state, values)


def pruner(name: str) -> Any:
    """Optuna's pruner of a name of PRUNERS."""
    import optuna

    if name == "none":
        return optuna.pruners.NopPruner()
    return optuna.pruners.MedianPruner() if name == "median" else optuna.pruners.HyperbandPruner()
