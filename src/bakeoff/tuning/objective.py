"""The score of a trial: fitted inside train and evaluated as in the test; and fits that trials share.

One fit serves every number of epochs where other trials are expected to differ in nothing else: it goes on
to the largest number of the space and is scored at each number on its way. The scores are stored with its
trial, and later trials copy theirs. Models with :class:`~bakeoff.models.base.SharedPrecompute` prepare work
once for several trials.

Whether trials share is decided by the space and the budget alone. What is in memory changes the seconds of a
trial and nothing else, so that an interrupted study gives the same result as an uninterrupted one.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy import sparse

from bakeoff.data.interactions import Interactions
from bakeoff.errors import ModelError, Unsupported
from bakeoff.evaluation.measure import measure
from bakeoff.evaluation.metric import EvaluationInputs
from bakeoff.evaluation.stats import TrainStats
from bakeoff.hashing import identity
from bakeoff.models.base import EpochParam, Model, OnEpoch, ReportsScore, SharedPrecompute
from bakeoff.run.cell import Cell, build_model, build_splitter, parameters
from bakeoff.run.inference import evaluation_inputs, recommend
from bakeoff.splits.base import Split
from bakeoff.tuning.pruning import LAST_EPOCH, SAMPLE_SCORE, reports_at
from bakeoff.tuning.sampling import derive_seed
from bakeoff.tuning.space import Space, Value, Values, parse
from bakeoff.tuning.spec import Goal, TuningSpec, goals

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

FIT_TRACE = "on_the_way"
"""User attribute of a trial: `values` (objectives by epoch), `cut` (epoch of the pruner, or None)."""

NOTE = "note"
"""User attribute of a trial: a note for the record."""

_LEAST_SHARE = 0.5
"""A fit is shared if trials are expected for this share of its numbers of epochs; else scores are wasted."""

_MEMORY_SHARE = 0.25
"""Share of the free memory that prepared work may fill; the least recently used is dropped first."""

_MOST_PREPARED = 8


def expected_fits(space: Space, spec: TuningSpec, chosen: Values, over: tuple[str, ...]) -> int:
    """Return how many trials, this one included, are expected to differ from it in `over` alone.

    1 if another axis has no steps, or the chosen value lies outside of its axis. Without a budget in trials,
    2 if there may be any.
    """
    others = [axis for axis in space.axes if axis.name not in over]
    values = [axis.values for axis in others]
    for axis, steps in zip(others, values, strict=True):
        if steps is None or (axis.name in chosen and chosen[axis.name] not in steps):
            return 1
    combinations = math.prod(len(steps) for steps in values if steps is not None)
    return 2 if spec.trials is None else max(spec.trials // combinations, 1)


# -- fits that serve several trials --------------------------------------------------------------


@dataclass(frozen=True)
class FitRequest:
    """A fit: its parameters, and when it is scored.

    Args:
        parameters: of the fit.
        own: number of epochs after which the trial itself ends; None: with the fit.
        stops: epochs after which the fit is scored in full; empty: at its end alone.
    """

    parameters: Values
    own: int | None = None
    stops: tuple[int, ...] = ()


class FitPlanner:
    """Decide which fits serve several trials, and find the scores of earlier ones."""

    def __init__(self, cell: Cell, space: Space, spec: TuningSpec) -> None:
        model = build_model(cell.model)
        name = model.epochs_in if isinstance(model, EpochParam) else None
        self._axis = next((axis for axis in space.axes if axis.name == name), None)
        self._space, self._spec = space, spec

    @property
    def longest(self) -> int | None:
        """The largest number of epochs of the space, or None if epochs are not searched."""
        return None if self._axis is None else int(self._axis.largest)

    def of(self, chosen: Values) -> FitRequest:
        """Return the (possibly shared) fit for a trial; unshared if few other trials could reuse it."""
        values = self._axis.values if self._axis is not None else None
        if self._axis is None or values is None or self._axis.name not in chosen:
            return FitRequest(chosen)
        fits = expected_fits(self._space, self._spec, chosen, (self._axis.name,))
        if fits < max(2, _LEAST_SHARE * len(values)):
            return FitRequest(chosen)
        own = cast("int", chosen[self._axis.name])
        stops = tuple(sorted({*values, own}))
        return FitRequest({**chosen, self._axis.name: stops[-1]}, own, stops)

    def earlier(self, study: Study, fit: FitRequest) -> FrozenTrial | None:
        """Return the finished trial whose fit was the same up to this trial's end, or None."""
        import optuna

        assert self._axis is not None
        done = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
        for trial in study.get_trials(deepcopy=False, states=done):
            trace = trial.user_attrs.get(FIT_TRACE)
            fitted = {**trial.user_attrs.get("parameters", {}), self._axis.name: fit.stops[-1]}
            if trace is None or fitted != fit.parameters:
                continue
            if str(fit.own) in trace["values"] or (trace["cut"] is not None and trace["cut"] < fit.own):
                return trial
        return None


def copy_scores(trial: Trial, fit: FitRequest, earlier: FrozenTrial) -> tuple[float, ...]:
    """Give a trial the scores of an earlier trial's fit, and return its objectives.

    Raises:
        TrialPruned: the fit was pruned before the end of this trial.
    """
    import optuna

    assert fit.own is not None
    trial.set_user_attr("from_memory", True)
    for epoch, value in earlier.intermediate_values.items():
        if epoch <= fit.own:
            trial.report(value, epoch)
    values = earlier.user_attrs[FIT_TRACE]["values"].get(str(fit.own))
    if values is None:
        raise optuna.TrialPruned
    return tuple(values)


class PrecomputeCache:
    """Work that models prepared (`SharedPrecompute`), a few at a time in memory."""

    def __init__(self, cell: Cell, space: Space, spec: TuningSpec) -> None:
        self._model, self._space, self._spec = cell.model, space, spec
        self._prepared: OrderedDict[str, tuple[Any, str]] = OrderedDict()

    def get(self, model: Model, chosen: Values, repeat: int, train: Interactions) -> tuple[Any, str]:
        """Return the prepared work for a model with the chosen hyperparameters, or None for a plain fit.

        The second value is why nothing is shared although it should be, else "".
        """
        if not isinstance(model, SharedPrecompute):
            return None, ""
        over = tuple(model.shared_over)
        fits = expected_fits(self._space, self._spec, chosen, over)
        if fits < 2:
            return None, ""
        others = {name: value for name, value in chosen.items() if name not in over}
        key = identity("", [repeat, others])
        if key not in self._prepared:
            largest = build_model(self._model, **{**chosen, **self._largest(over, chosen)})
            assert isinstance(largest, SharedPrecompute)
            try:
                self._put(key, (largest.prepare(train, fits), ""))
            except (Unsupported, MemoryError) as error:
                self._put(key, (None, f"no work was shared between trials: {error}"))
        self._prepared.move_to_end(key)
        return self._prepared[key]

    def _largest(self, over: tuple[str, ...], chosen: Values) -> dict[str, Value]:
        """Return the largest value that each numeric hyperparameter can have."""
        configured = parameters(self._model["build"], "model.build")
        largest = {}
        for name, axis in ((a.name, a) for a in self._space.axes if a.name in over):
            values = [configured[name], chosen.get(name, configured[name])]
            values += getattr(axis.distribution, "choices", None) or (axis.largest,)
            if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
                largest[name] = max(values)
        return largest

    def _put(self, key: str, prepared: tuple[Any, str]) -> None:
        import psutil

        self._prepared[key] = prepared
        limit = _MEMORY_SHARE * psutil.virtual_memory().available
        while len(self._prepared) > 1 and (
            len(self._prepared) > _MOST_PREPARED or size(list(self._prepared.values())) > limit
        ):
            self._prepared.popitem(last=False)


def size(value: object) -> int:
    """Return the bytes of the arrays inside of matrices, dataclasses, mappings and sequences."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if sparse.issparse(value):
        return size([vars(value)])
    if is_dataclass(value):
        return sum(size(getattr(value, f.name)) for f in fields(value))
    if isinstance(value, Mapping):
        return sum(map(size, value.values()))
    return sum(map(size, value)) if isinstance(value, list | tuple) else 0


# -- the objective -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Validation:
    """An inner split, prepared once for all trials.

    sample: the same split with the users on which pruners compare trials.
    """

    inner: Split
    sample: Split
    stats: TrainStats

    @property
    def sampled(self) -> bool:
        """Whether the sample is smaller than the split."""
        return self.sample is not self.inner


@dataclass
class FitTrace:
    """The scores of one fit.

    Args:
        scores: objectives on all validation users, by epoch; None stands for the end of the fit.
        sample_score: the first objective at the trial's last epoch on the pruning sample; None if no pruner
            needs it.
        reached: the last epoch that the model reported.
        cut: the epoch at which the pruner ended the fit, or None.
    """

    scores: dict[int | None, tuple[float, ...]] = field(default_factory=dict)
    sample_score: float | None = None
    reached: int = 0
    cut: int | None = None


class Objective:
    """The validation score of hyperparameters.

    It sees the train part of a split alone, cut again by the same kind of split.
    """

    def __init__(self, cell: Cell, split: Split, spec: TuningSpec) -> None:
        self._cell, self._split, self._spec = cell, split, spec
        self.goals: tuple[Goal, ...] = goals(spec, cell.depth)
        # Lists alone cost a fraction of what lists with the ranks of all test items do.
        self._ranked = any(goal.k is None for goal in self.goals)
        space = parse(cell.model)
        self._cache, self._planner = PrecomputeCache(cell, space, spec), FitPlanner(cell, space, spec)

    @property
    def longest(self) -> int | None:
        """The largest number of epochs of the space, or None if epochs are not searched."""
        return self._planner.longest

    @cached_property
    def validations(self) -> tuple[Validation, ...]:
        """One inner split for each repeat."""
        splitter = build_splitter(self._cell.split)
        # As in the cell's key: the split seed does not matter to a split without chance.
        seed = self._cell.split_seed if splitter.seeded else 0
        return tuple(
            _validation(
                splitter.inner(self._split, derive_seed("inner split", seed, repeat)),
                self._spec.pruning_users,
                derive_seed("validation users", seed, repeat),
            )
            for repeat in range(self._spec.repeats)
        )

    def __call__(
        self, chosen: Values, trial: Trial | None = None, *, prune: bool = True
    ) -> tuple[float, ...]:
        """Return the mean over the repeats of each objective.

        Args:
            chosen: hyperparameters that replace the configured ones.
            trial: Optuna's, which gets the user attributes; or None.
            prune: whether scores are reported to the trial after some epochs, and the pruner may end the fit;
                not with several objectives.

        Raises:
            TrialPruned: the pruner ended the fit.
            ModelError: an objective could not be measured.
        """
        import optuna

        fit = FitRequest(chosen) if trial is None else self._planner.of(chosen)
        if trial is not None and fit.stops and (earlier := self._planner.earlier(trial.study, fit)):
            return copy_scores(trial, fit, earlier)
        prunable = trial if prune and self._spec.repeats == 1 else None
        traces = [self._trace(fit, repeat, trial, prunable) for repeat in range(self._spec.repeats)]
        values = {
            epoch: tuple(float(mean) for mean in np.mean([t.scores[epoch] for t in traces], axis=0))
            for epoch in traces[0].scores
            if all(epoch in t.scores for t in traces)
        }
        if trial is not None and fit.stops:
            by_epoch = {str(epoch): list(value) for epoch, value in values.items()}
            trial.set_user_attr(FIT_TRACE, {"values": by_epoch, "cut": traces[0].cut})
        if fit.own not in values:
            raise optuna.TrialPruned
        if trial is not None and traces[0].sample_score is not None:
            trial.set_user_attr(SAMPLE_SCORE, traces[0].sample_score)
        return values[fit.own]

    def _trace(self, fit: FitRequest, repeat: int, trial: Trial | None, prunable: Trial | None) -> FitTrace:
        """Fit and score for one repeat. prunable: the trial that may be pruned, or None."""
        import optuna

        validation = self.validations[repeat]
        model, trace = build_model(self._cell.model, **fit.parameters), FitTrace()

        def after(epoch: int, _loss: float | None) -> None:
            trace.reached = epoch
            if epoch in fit.stops:
                self._add_scores(trace, epoch, model, validation, fit)
            # An epoch of one repeat is not comparable to the mean of all: with repeats nothing is pruned.
            if prunable is not None and reports_at(self._spec.pruner, epoch, self.longest):
                score = (
                    model.validation_score
                    if isinstance(model, ReportsScore)
                    else self._sample_score(trace, epoch, model, validation)
                )
                if score is None:
                    return
                prunable.report(score, epoch)
                if prunable.should_prune():
                    raise optuna.TrialPruned

        if prunable is not None and isinstance(model, EpochParam):
            prunable.set_user_attr(LAST_EPOCH, getattr(model, model.epochs_in))
        try:
            self._fit(model, fit, repeat, trial, after if prunable is not None or fit.stops else None)
        except optuna.TrialPruned:
            trace.cut = trace.reached
        except Exception:
            if fit.own not in trace.scores:
                raise  # an error after the trial's own end belongs to the trials that last longer
        if not fit.stops and trace.cut is None:
            self._add_scores(trace, None, model, validation, fit)
        if fit.own not in trace.scores and trace.cut is None:
            raise ModelError(
                f"{type(model).__name__} was fitted for {fit.own} epochs and did not report epoch {fit.own}"
            )
        return trace

    def _add_scores(
        self, trace: FitTrace, epoch: int | None, model: Model, validation: Validation, fit: FitRequest
    ) -> None:
        """Score on all validation users; at the trial's last epoch also on the pruning sample."""
        trace.scores[epoch] = self._score(model, validation.inner, validation.stats)
        compared = self._spec.pruner == "pace" and self._spec.repeats == 1 and isinstance(model, EpochParam)
        if compared and epoch == fit.own:
            trace.sample_score = self._sample_score(trace, epoch, model, validation)

    def _sample_score(
        self, trace: FitTrace, epoch: int | None, model: Model, validation: Validation
    ) -> float:
        """Return the first objective on the pruning sample, without scoring the same users twice."""
        if not validation.sampled and epoch in trace.scores:
            return trace.scores[epoch][0]
        return self._score(model, validation.sample, validation.stats)[0]

    def _fit(
        self, model: Model, fit: FitRequest, repeat: int, trial: Trial | None, on_epoch: OnEpoch | None
    ) -> None:
        train, seed = self.validations[repeat].inner.train, derive_seed("trial", self._cell.seed, repeat)
        prepared, reason = self._cache.get(model, fit.parameters, repeat, train)
        if prepared is None:
            model.fit(train, seed=seed, on_epoch=on_epoch)
        else:
            model.fit(train, seed=seed, on_epoch=on_epoch, prepared=prepared)  # type: ignore[call-arg]
        if reason and trial is not None:
            trial.set_user_attr(NOTE, reason)

    def _score(self, model: Model, split: Split, stats: TrainStats) -> tuple[float, ...]:
        depth = max(goal.k or self._cell.depth for goal in self.goals)
        inputs = evaluation_inputs(*recommend(model, split, depth, ranked=self._ranked), split, stats)
        measured = [self._measured(goal, inputs) for goal in self.goals]
        values = tuple(value for value, _ in measured if value is not None)
        if len(values) == len(measured):
            return values
        if not self._ranked:  # what a metric with a cutoff lacks may be the ranks
            self._ranked = True
            return self._score(model, split, stats)
        raise ModelError("; ".join(reason for value, reason in measured if value is None))

    @staticmethod
    def _measured(goal: Goal, inputs: EvaluationInputs) -> tuple[float | None, str]:
        """Return the value of an objective and "", or None and the reason."""
        measured = measure(inputs, {goal.name: goal.metric}, () if goal.k is None else (goal.k,))
        if (goal.name, goal.k) in measured.means:
            return measured.means[goal.name, goal.k][0], ""
        return None, f"no {goal.text}: {'; '.join(measured.absent.values())}"


def _validation(inner: Split, n_users: int, seed: int) -> Validation:
    sample = inner
    if len(inner.users) > n_users:
        users = np.random.default_rng(seed).choice(inner.users, n_users, replace=False)
        sample = replace(inner, users=np.sort(users))
    return Validation(inner, sample, TrainStats(inner.train.matrix(), inner.train.item_features))
