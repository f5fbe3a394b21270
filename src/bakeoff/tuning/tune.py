"""Run the study of a cell to the end of its budget, from wherever it stopped, and choose the best trial."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bakeoff.errors import ModelError, Unsupported
from bakeoff.run.cell import Cell
from bakeoff.splits.base import Split
from bakeoff.storage.record import Record, TuningRecord
from bakeoff.storage.store import Store
from bakeoff.tuning import space as spaces
from bakeoff.tuning import storage
from bakeoff.tuning.objective import Objective
from bakeoff.tuning.pruning import pruner, prunes_trial
from bakeoff.tuning.sampling import SamplerPlan, derive_seed, ordinal, sampler_plan
from bakeoff.tuning.space import Space, Values
from bakeoff.tuning.spec import TuningSpec, goals
from bakeoff.tuning.storage import Worker, counted, discard
from bakeoff.tuning.summary import tuning_record

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

_POLL_SECONDS = 0.5
_WAIT_SECONDS = 0.05


def check(cell: Cell) -> None:
    """Refuse a wrong space, budget, objective, rule, sampler or storage before anything is fitted.

    Raises:
        ConfigError: in one line that names file and key.
    """
    assert cell.tune is not None
    spec = TuningSpec.of(cell.tune)
    storage.check_url(spec.storage)
    directions = [goal.direction for goal in goals(spec, cell.depth)]
    sampler_plan(spec, spaces.parse(cell.model), 0, directions)


def tune(cell: Cell, split: Split, store: Store) -> TuningRecord:
    """Search the space of the cell's model inside the train part of a split; the record has a best trial.

    Trials are stored as they finish, and an interrupted study is continued. Several processes may call this
    for one cell and one storage: they share the budget, and all return the same best trial.

    Raises:
        Unsupported: the model cannot run with its default hyperparameters.
        ModelError: no trial has a value.
    """
    assert cell.tune is not None
    spec, space = TuningSpec.of(cell.tune), spaces.parse(cell.model)
    objective = Objective(cell, split, spec)
    directions = [goal.direction for goal in objective.goals]
    with storage.quiet(), _study(cell, store, spec) as study:
        plan = sampler_plan(spec, space, derive_seed("sampler", cell.seed), directions)
        study.sampler = plan.sampler
        limit = min((n for n in (spec.trials, plan.size) if n is not None), default=None)
        with Worker(study, spec.heartbeat_timeout) as worker:
            trials = Search(study, worker, space, objective, spec, limit).run()
    record = tuning_record(trials, space, spec, directions, cell.seed, _plan_notes(plan, len(trials), spec))
    if record.best is None:
        reasons = {str(t.user_attrs.get("reason")) for t in trials}
        raise ModelError(f"tuning: none of {len(trials)} trials has a value: {'; '.join(sorted(reasons))}")
    return record


@contextmanager
def final_fit(cell: Cell, store: Store, before: Record | None) -> Iterator[Record | None]:
    """Hold the lock of a tuned cell's final fit, which one process has at a time.

    Args:
        before: the stored record of the cell when this process began, or None.

    Yields:
        None if the fit is to be done, and its record stored, inside the block; else the record that another
        process stored meanwhile.
    """
    assert cell.tune is not None
    spec = TuningSpec.of(cell.tune)
    with _study(cell, store, spec) as study, Worker(study, spec.heartbeat_timeout) as worker:
        ticket = worker.enqueue()
        try:
            with storage.quiet():
                while not worker.is_first(ticket):
                    time.sleep(_POLL_SECONDS)
            record = store.record(cell.key)
            yield None if record == before else record
        finally:
            worker.release(ticket)


def _study(cell: Cell, store: Store, spec: TuningSpec) -> AbstractContextManager[Study]:
    directions = [goal.direction for goal in goals(spec, cell.depth)]
    return storage.open_study(cell.key, store.root / "studies", spec.storage, directions)


def _plan_notes(plan: SamplerPlan, n_trials: int, spec: TuningSpec) -> tuple[str, ...]:
    """Return the notes of the sampler, and how much of a grid was run."""
    if plan.size is None:
        return plan.notes
    if n_trials < plan.size:
        return (*plan.notes, f"grid: {plan.size - n_trials} of its {plan.size} trials were not run")
    early = spec.trials is not None and n_trials < spec.trials
    before = f", before tune.trials={spec.trials}" if early else ""
    return (*plan.notes, f"grid: all of its {plan.size} trials were run{before}")


@dataclass(frozen=True, eq=False)
class Search:
    """One process that works on a study; several share one budget.

    Args:
        study: Optuna's, with its sampler.
        worker: this process.
        limit: number of trials, or None.
    """

    study: Study
    worker: Worker
    space: Space
    objective: Objective
    spec: TuningSpec
    limit: int | None

    def run(self) -> list[FrozenTrial]:
        """Run trials until the budget is spent; return all that count.

        Raises:
            Unsupported: the model cannot run with its default hyperparameters.
        """
        self.worker.reap_dead_trials()
        while self._budget_left():
            self._next_trial()
        return self._counted()

    def _counted(self) -> list[FrozenTrial]:
        return counted(self.study.get_trials(deepcopy=False))

    def _budget_left(self) -> bool:
        """Return whether this process may start a trial; wait while running trials of others decide that."""
        seconds = self.spec.seconds
        while True:
            trials = self._counted()
            running = [t for t in trials if not t.state.is_finished()]
            finished = [t for t in trials if t.state.is_finished()]
            spent = sum(t.user_attrs.get("seconds", 0.0) for t in finished)
            over = self.limit is not None and len(trials) >= self.limit
            over |= seconds is not None and spent >= seconds and bool(finished)
            if not over:
                return True
            if not running:
                return False
            time.sleep(_POLL_SECONDS)
            self.worker.reap_dead_trials()

    def _next_trial(self) -> None:
        """Ask for a trial, run it and tell the study its result."""
        from optuna.exceptions import UpdateFinishedTrialError

        self.study.pruner = pruner(self.spec.pruner, self.objective.longest)
        trial = self.study.ask()
        try:
            self.worker.sign(trial)
            at = ordinal(self.study, trial.number)
            if self.limit is not None and at >= self.limit:  # another process was faster
                discard(self.study, trial, "over budget")
                return
            suggested = self.space.suggest(trial)
            parameters = suggested if at else self.space.start()
            trial.set_user_attr("parameters", parameters)
            same = self._same_trial(trial.number, parameters)
            if same is None:
                self._evaluate(trial, at, parameters)
            else:
                self._copy_result(trial, same)
        except UpdateFinishedTrialError:
            return  # others took this process for dead and failed the trial: it does not count

    def _evaluate(self, trial: Trial, at: int, parameters: Values) -> None:
        """Fit and score; an error fails the trial, except that the model cannot run at all."""
        import optuna

        start = time.perf_counter()
        state, values, reason = optuna.trial.TrialState.FAIL, None, ""
        prune = prunes_trial(self.spec.pruner, at) and not self.spec.objectives
        try:
            values = self.objective(parameters, trial, prune=prune)
            state = optuna.trial.TrialState.COMPLETE
        except optuna.TrialPruned:
            state = optuna.trial.TrialState.PRUNED
        except Exception as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            if isinstance(error, Unsupported) and at == 0:
                discard(self.study, trial, reason)
                raise
        for goal, value in zip(self.objective.goals, values or (), strict=False):
            if not math.isfinite(value):
                state, values, reason = optuna.trial.TrialState.FAIL, None, f"{goal.text} is {value}"
        if reason:
            trial.set_user_attr("reason", reason)
        trial.set_user_attr("seconds", time.perf_counter() - start)
        self.study.tell(trial, values, state=state, skip_if_finished=True)

    def _same_trial(self, number: int, parameters: Values) -> FrozenTrial | None:
        """Return the earlier finished trial with the same parameters, or None.

        Waits for one that still runs in another process, or that has yet to store its parameters.
        """
        while True:
            earlier = [t for t in self._counted() if t.number < number]
            pending = any(not t.state.is_finished() and "parameters" not in t.user_attrs for t in earlier)
            same = [t for t in earlier if t.user_attrs.get("parameters") == parameters]
            finished = [t for t in same if t.state.is_finished()]
            if finished:
                return finished[0]
            if not same and not pending:
                return None
            time.sleep(_WAIT_SECONDS)
            self.worker.reap_dead_trials()

    def _copy_result(self, trial: Trial, same: FrozenTrial) -> None:
        """Give a trial the state, values and reason of an earlier one."""
        import optuna

        trial.set_user_attr("from_memory", True)
        trial.set_user_attr("seconds", 0.0)
        if "reason" in same.user_attrs:
            trial.set_user_attr("reason", same.user_attrs["reason"])
        for epoch, value in same.intermediate_values.items():  # none with several objectives
            trial.report(value, epoch)
        complete = same.state == optuna.trial.TrialState.COMPLETE
        values = same.values if complete else None
        self.study.tell(trial, values, state=same.state, skip_if_finished=True)
