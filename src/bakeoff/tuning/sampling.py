"""Samplers that an interrupted study can go on with.

Optuna keeps state in memory and counts trials that were killed. So a sampler is made anew for each trial,
from the cell's seed and the number of trials before it that count.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GridSampler,
    PartialFixedSampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)

from bakeoff.errors import ConfigError
from bakeoff.hashing import combine, hash_text
from bakeoff.importing import import_object
from bakeoff.storage.record import Direction
from bakeoff.tuning.space import Space, Values
from bakeoff.tuning.spec import TuningSpec
from bakeoff.tuning.storage import counted, quiet

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial, TrialState

_NAMED = {"random": RandomSampler, "qmc": QMCSampler, "cmaes": CmaEsSampler, "grid": GridSampler}

_MOST_POINTS = 100_000
"""Larger grids are refused: no budget comes near them, and they would fill the memory."""

_PROBES = 3
"""Trials that a sampler given by its import path must propose before the first fit."""


def derive_seed(*parts: object) -> int:
    """Return a seed below 2^31 that depends on all parts."""
    return int(combine(hash_text(" ".join(map(str, parts))))[0] >> 33)


def ordinal(study: Study, number: int) -> int:
    """Return the number of trials that count before the trial of a number."""
    return sum(t.number < number for t in counted(study.get_trials(deepcopy=False)))


@dataclass(frozen=True)
class SamplerPlan:
    """The sampler of a study.

    Args:
        size: number of distinct trials, or None without a bound.
        notes: what the sampler leaves out, for the record.
    """

    sampler: BaseSampler
    size: int | None = None
    notes: tuple[str, ...] = ()


def sampler_plan(tuning: TuningSpec, space: Space, seed: int, directions: Sequence[Direction]) -> SamplerPlan:
    """Return the sampler that `tune.sampler` names, for a space and a seed.

    Raises:
        ConfigError: there is no such sampler, or it does not support the space or several objectives.
    """
    where = f"tune.sampler={tuning.sampler!r}"
    first = space.nearest_to_defaults()
    axes = {a.name: a.distribution for a in space.axes if not a.distribution.single()}
    if tuning.sampler == "tpe":
        grouped = any(a.when for a in space.axes)
        return SamplerPlan(ReseededSampler(lambda at: _tpe(derive_seed(seed, at), grouped), first))
    made = _NAMED.get(tuning.sampler) or import_object(tuning.sampler, "tune.sampler")
    if made is QMCSampler:
        return SamplerPlan(ReseededSampler(lambda at: Sobol(seed, at), first, axes))
    if made is CmaEsSampler:
        return _evolution(space, axes, seed, directions, where)
    if made is GridSampler:
        points = _shuffled(space, seed, where)
        size = len(points) + 1
        return SamplerPlan(
            ReseededSampler(lambda at: _fixed(points[at - 1] if at < size else {}), first), size
        )
    if not isinstance(made, type) or "seed" not in inspect.signature(made).parameters:
        raise ConfigError(f"{where}: expected a sampler that takes a seed")
    seeded: Callable[..., BaseSampler] = made
    plan = SamplerPlan(ReseededSampler(lambda at: seeded(seed=derive_seed(seed, at)), first))
    if made is not RandomSampler:
        _probe(plan.sampler, space, directions, where)
    return plan


class ReseededSampler(BaseSampler):
    """A sampler that is made anew for each trial, from the number of trials before it that count.

    So an interrupted study proposes the same as an uninterrupted one.

    Args:
        make: returns the sampler of a trial that so many are before.
        first: the values of the first trial.
        axes: what is sampled at once; None where the sampler decides.
    """

    def __init__(
        self,
        make: Callable[[int], BaseSampler],
        first: Values,
        axes: Mapping[str, BaseDistribution] | None = None,
    ) -> None:
        self._make, self._first, self._axes = make, first, axes
        self._base: tuple[int, BaseSampler] = (-1, self)

    def _of(self, study: Study, trial: FrozenTrial) -> BaseSampler:
        """Return the sampler of a trial."""
        if self._base[0] != trial.number:
            at = ordinal(study, trial.number)
            self._base = trial.number, self._make(at) if at else _fixed(self._first)
        return self._base[1]

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        if self._axes is not None:
            return dict(self._axes)
        return self._of(study, trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._of(study, trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._of(study, trial).sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._of(study, trial).before_trial(study, trial)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        self._of(study, trial).after_trial(study, trial, state, values)


def _fixed(point: Values) -> BaseSampler:
    """Return a sampler of one point; Optuna's GridSampler takes the point of a killed trial for done."""
    return PartialFixedSampler(dict(point), RandomSampler())


def _tpe(seed: int, grouped: bool) -> TPESampler:
    """Return TPE as its authors advise: multivariate, and workers keep away from each other's trials."""
    return TPESampler(seed=seed, multivariate=True, group=grouped, constant_liar=True)


class Sobol(QMCSampler):
    """One point of a scrambled Sobol sequence; Optuna's would leave a gap for each killed trial."""

    def __init__(self, seed: int, at: int) -> None:
        super().__init__(scramble=True, seed=seed)
        self._at = at

    def _find_sample_id(self, study: Study, search_space: dict[str, BaseDistribution]) -> int:
        return self._at - 1


class Evolution(CmaEsSampler):
    """CMA-ES, whose state is stored in the study; Optuna seeds it by trial numbers, killed ones included."""

    def __init__(self, seed: int, at: int) -> None:
        super().__init__(seed=seed, warn_independent_sampling=False)
        self._at = at

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        renumbered = copy.copy(trial)
        renumbered.number = self._at
        return dict(super().sample_relative(study, renumbered, search_space))


def _evolution(
    space: Space,
    axes: Mapping[str, BaseDistribution],
    seed: int,
    directions: Sequence[Direction],
    where: str,
) -> SamplerPlan:
    if len(directions) > 1:
        raise ConfigError(
            f"{where}: CMA-ES does not support several objectives; use tpe, random, qmc or grid"
        )
    free = {a.name for a in space.axes if not a.when and not hasattr(a.distribution, "choices")}
    supported = {name: d for name, d in axes.items() if name in free}
    if len(supported) < 2:
        raise ConfigError(
            f"{where}: CMA-ES needs two axes that are numbers and have no condition; the space of "
            f"{space.file} has {', '.join(supported) or 'none'}"
        )
    left = [name for name in axes if name not in supported]
    notes = (f"cmaes leaves out what has choices or a condition, drawn at random: {', '.join(left)}",)
    first = space.nearest_to_defaults()
    sampler = ReseededSampler(lambda at: Evolution(derive_seed(seed, at), at), first, supported)
    return SamplerPlan(sampler, notes=notes if left else ())


def _shuffled(space: Space, seed: int, where: str) -> list[dict[str, Any]]:
    """Return the points of a space without the defaults, shuffled, since a budget may not reach all."""
    points = [p for p in space.points(_MOST_POINTS, where) if p != space.start()]
    order = np.random.default_rng(derive_seed("grid", seed)).permutation(len(points))
    return [points[at] for at in order]


def _probe(sampler: BaseSampler, space: Space, directions: Sequence[Direction], where: str) -> None:
    """Let a sampler propose a few trials without fits, so that one that fails is known at once."""
    import optuna

    with quiet():
        study = optuna.create_study(directions=list(directions), sampler=sampler)
        try:
            for number in range(_PROBES):
                trial = study.ask()
                space.suggest(trial)
                study.tell(trial, [float(number)] * len(directions))
        except Exception as error:
            text = " ".join(str(error).split())
            raise ConfigError(f"{where}: it does not support the space of {space.file} ({text})") from error
