"""What a trial is worth: fitted inside train, asked and measured as in the test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from bakeoff.errors import ModelError
from bakeoff.evaluation.measure import measure
from bakeoff.evaluation.metric import EvaluationInputs
from bakeoff.evaluation.stats import TrainStats
from bakeoff.models.base import EpochParam, Model, OnEpoch
from bakeoff.run.cell import Cell, build_model, build_splitter
from bakeoff.run.inference import evaluation_inputs, recommend
from bakeoff.splits.base import Split
from bakeoff.tuning.pruning import ENDS, SAMPLED, looks
from bakeoff.tuning.runs import ON_THE_WAY, Run, Runs, answered
from bakeoff.tuning.sampling import derived
from bakeoff.tuning.shared import NOTE, SharedWork
from bakeoff.tuning.space import parse
from bakeoff.tuning.spec import Goal, TuningSpec, goals


@dataclass(frozen=True, eq=False)
class Validation:
    """An inner split, prepared once for all trials."""

    inner: Split
    sample: Split
    stats: TrainStats


@dataclass
class Way:
    """What was measured while a model was fitted.

    Args:
        scores: in full, by epoch; None stands for the end of the fit.
        sampled: the first objective at the trial's own end, on the users that a pruner looks at; None where
            none asks for it.
        reached: the last epoch that was told of.
        cut: the epoch at which the pruner ended it, or None.
    """

    scores: dict[int | None, tuple[float, ...]] = field(default_factory=dict)
    sampled: float | None = None
    reached: int = 0
    cut: int | None = None


class Objective:
    """Gives the validation score of hyperparameters.

    Only the train part of the split is looked at: it is cut again, by the same kind of split.
    """

    def __init__(self, cell: Cell, split: Split, tuning: TuningSpec) -> None:
        self._cell, self._split, self._tuning = cell, split, tuning
        self.goals: tuple[Goal, ...] = goals(tuning, cell.depth)
        # Lists alone cost a fraction of what lists with the ranks of all test items do.
        self._ranked = any(goal.k is None for goal in self.goals)
        space = parse(cell.model)
        self._shared, self._runs = SharedWork(cell, space, tuning), Runs(cell, space, tuning)
        self._paced = tuning.pruner == "pace" and tuning.repeats == 1 and not tuning.objectives

    @property
    def longest(self) -> int | None:
        """The largest number of epochs of the space; None where it is not searched for."""
        return self._runs.longest

    @cached_property
    def validations(self) -> tuple[Validation, ...]:
        """One for each repeat."""
        splitter = build_splitter(self._cell.split)
        # As in the cell's key: the split seed is nothing to a split without chance.
        seed = self._cell.split_seed if splitter.seeded else 0
        return tuple(
            _prepared(
                splitter.inner(self._split, derived("inner split", seed, repeat)),
                self._tuning.pruning_users,
                derived("validation users", seed, repeat),
            )
            for repeat in range(self._tuning.repeats)
        )

    def __call__(
        self, chosen: Mapping[str, Any], trial: Any = None, *, prune: bool = True
    ) -> tuple[float, ...]:
        """The mean scores over the repeats, one for each goal.

        Args:
            chosen: hyperparameters that take the place of the configured ones.
            trial: keeps what a reader must know of it; None: nobody.
            prune: whether the trial is told the score after some epochs and may end the fit (TrialPruned);
                with several goals it may not.
        """
        import optuna

        run = Run(chosen) if trial is None else self._runs.of(chosen)
        before = self._runs.before(trial.study, run) if run.stops else None
        if before is not None:
            return answered(trial, run, before)
        watched = trial if prune and self._tuning.repeats == 1 else None
        ways = [self._way(run, repeat, trial, watched) for repeat in range(self._tuning.repeats)]
        values = {
            epoch: tuple(float(mean) for mean in np.mean([way.scores[epoch] for way in ways], axis=0))
            for epoch in ways[0].scores
            if all(epoch in way.scores for way in ways)
        }
        if run.stops:
            told = {str(epoch): list(value) for epoch, value in values.items()}
            trial.set_user_attr(ON_THE_WAY, {"values": told, "cut": ways[0].cut})
        if run.own not in values:
            raise optuna.TrialPruned
        if trial is not None and ways[0].sampled is not None:
            trial.set_user_attr(SAMPLED, ways[0].sampled)
        return values[run.own]

    def _way(self, run: Run, repeat: int, trial: Any, watched: Any) -> Way:
        """Fit for one repeat. What is measured on the way; watched: the trial that may be pruned, or None."""
        import optuna

        validation, model, way = (
            self.validations[repeat],
            build_model(self._cell.model, **run.parameters),
            Way(),
        )

        def after(epoch: int, _loss: float | None) -> None:
            way.reached = epoch
            if epoch in run.stops:
                self._measure(model, validation, run, way, epoch)
            # An epoch of one repeat is not comparable to the mean of all: with repeats nothing is pruned.
            if watched is not None and looks(self._tuning.pruner, epoch, self.longest):
                known = way.scores.get(epoch) if validation.sample is validation.inner else None
                self._report(known or self._score(model, validation.sample, validation.stats), watched, epoch)

        if watched is not None and isinstance(model, EpochParam):
            watched.set_user_attr(ENDS, getattr(model, model.epochs_in))
        try:
            self._fit(model, run, repeat, trial, after if watched is not None or run.stops else None)
        except optuna.TrialPruned:
            way.cut = way.reached
        except Exception:
            if run.own not in way.scores:
                raise  # what fails after the trial's own end is for trials that last longer
        if not run.stops and way.cut is None:
            self._measure(model, validation, run, way, None)
        if run.own not in way.scores and way.cut is None:
            raise ModelError(f"{type(model).__name__} was fitted for {run.own} epochs and did not say so")
        return way

    def _measure(self, model: Model, validation: Validation, run: Run, way: Way, epoch: int | None) -> None:
        """Measure in full; where it ends the trial, on the pruner's users too."""
        way.scores[epoch] = self._score(model, validation.inner, validation.stats)
        paced = self._tuning.pruner == "pace" and self._tuning.repeats == 1 and isinstance(model, EpochParam)
        if paced and epoch == run.own:
            known = way.scores[epoch] if validation.sample is validation.inner else None
            way.sampled = (known or self._score(model, validation.sample, validation.stats))[0]

    def _fit(self, model: Model, run: Run, repeat: int, trial: Any, on_epoch: OnEpoch | None) -> None:
        train, seed = self.validations[repeat].inner.train, derived("trial", self._cell.seed, repeat)
        prepared, why_not = self._shared.prepared(model, run.parameters, repeat, train)
        if prepared is None:
            model.fit(train, seed=seed, on_epoch=on_epoch)
        else:
            model.fit(train, seed=seed, on_epoch=on_epoch, prepared=prepared)  # type: ignore[call-arg]
        if why_not and trial is not None:
            trial.set_user_attr(NOTE, why_not)

    @staticmethod
    def _report(scores: tuple[float, ...], trial: Any, epoch: int) -> None:
        import optuna

        trial.report(scores[0], epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    def _score(self, model: Model, split: Split, stats: TrainStats) -> tuple[float, ...]:
        depth = max(goal.k or self._cell.depth for goal in self.goals)
        inputs = evaluation_inputs(*recommend(model, split, depth, ranked=self._ranked), split, stats)
        measured = [self._measured(goal, inputs) for goal in self.goals]
        found = tuple(value for value, _ in measured if value is not None)
        if len(found) == len(measured):
            return found
        if not self._ranked:  # what a metric with a cutoff lacks may be the ranks
            self._ranked = True
            return self._score(model, split, stats)
        raise ModelError("; ".join(reason for value, reason in measured if value is None))

    @staticmethod
    def _measured(goal: Goal, inputs: EvaluationInputs) -> tuple[float | None, str]:
        """The value; else None and why there is none."""
        ks = () if goal.k is None else (goal.k,)
        found = measure(inputs, {goal.name: goal.metric}, ks)
        if (goal.name, goal.k) in found.means:
            return found.means[goal.name, goal.k][0], ""
        return None, f"no {goal.text}: {'; '.join(found.absent.values())}"


def _prepared(inner: Split, n_users: int, seed: int) -> Validation:
    sample = inner
    if len(inner.users) > n_users:
        chosen = np.random.default_rng(seed).choice(inner.users, n_users, replace=False)
        sample = replace(inner, users=np.sort(chosen))
    return Validation(inner, sample, TrainStats(inner.train.matrix(), inner.train.item_features))
