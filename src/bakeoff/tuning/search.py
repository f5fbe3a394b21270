"""The trials of a study, one after the other, until its budget is spent."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bakeoff.errors import Unsupported
from bakeoff.tuning.objective import Objective
from bakeoff.tuning.pruning import pruner, watches
from bakeoff.tuning.sampling import ordinal
from bakeoff.tuning.space import Space
from bakeoff.tuning.spec import TuningSpec
from bakeoff.tuning.workers import Worker, counted, discard

_POLL_SECONDS = 0.5
_WAIT_SECONDS = 0.05


@dataclass(frozen=True, eq=False)
class Search:
    """One process at work on a study; others may be, and together they spend one budget.

    Args:
        study: Optuna's, with its sampler.
        worker: this process.
        limit: trials that count, or None.
    """

    study: Any
    worker: Worker
    space: Space
    worth: Objective
    tuning: TuningSpec
    limit: int | None

    def run(self) -> list[Any]:
        """Run trials until the budget is spent; gives all that count.

        Raises:
            Unsupported: the model cannot do what is asked with its defaults.
        """
        self.worker.bury()
        while self._left():
            self._one()
        return self._counted()

    def _counted(self) -> list[Any]:
        return counted(self.study.get_trials(deepcopy=False))

    def _left(self) -> bool:
        """Whether a trial is left for this process; waits while only others' trials can decide that."""
        seconds = self.tuning.seconds
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
            self.worker.bury()

    def _one(self) -> None:
        """Ask for a trial, run it and tell what came of it."""
        from optuna.exceptions import UpdateFinishedTrialError

        self.study.pruner = pruner(self.tuning.pruner, self.worth.longest)
        trial = self.study.ask()
        try:
            self.worker.own(trial)
            at = ordinal(self.study, trial.number)
            if self.limit is not None and at >= self.limit:  # another process was faster
                discard(self.study, trial, "over budget")
                return
            suggested = self.space.suggest(trial)
            chosen = suggested if at else self.space.start()
            trial.set_user_attr("parameters", chosen)
            before = self._tried(trial.number, chosen)
            if before is None:
                self._try(trial, at, chosen)
            else:
                self._repeat(trial, before)
        except UpdateFinishedTrialError:
            return  # others took this process for dead and buried the trial: it does not count

    def _try(self, trial: Any, at: int, chosen: Mapping[str, Any]) -> None:
        """Fit and measure; what breaks is the trial's, and only what its model cannot do at all is raised."""
        import optuna

        start = time.perf_counter()
        state, values, reason = optuna.trial.TrialState.FAIL, None, ""
        watched = watches(self.tuning.pruner, at) and not self.tuning.objectives
        try:
            values = self.worth(chosen, trial, prune=watched)
            state = optuna.trial.TrialState.COMPLETE
        except optuna.TrialPruned:
            state = optuna.trial.TrialState.PRUNED
        except Exception as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            if isinstance(error, Unsupported) and at == 0:
                discard(self.study, trial, reason)
                raise
        for goal, value in zip(self.worth.goals, values or (), strict=False):
            if not math.isfinite(value):
                state, values, reason = optuna.trial.TrialState.FAIL, None, f"{goal.text} is {value}"
        if reason:
            trial.set_user_attr("reason", reason)
        trial.set_user_attr("seconds", time.perf_counter() - start)
        self.study.tell(trial, values, state=state, skip_if_finished=True)

    def _tried(self, number: int, chosen: Mapping[str, Any]) -> Any:
        """The finished earlier trial that had the same parameters, or None.

        Where one still runs in another process, or has yet to say what it will run, this one waits for it.
        """
        while True:
            earlier = [t for t in self._counted() if t.number < number]
            unsaid = any(not t.state.is_finished() and "parameters" not in t.user_attrs for t in earlier)
            same = [t for t in earlier if t.user_attrs.get("parameters") == chosen]
            finished = [t for t in same if t.state.is_finished()]
            if finished:
                return finished[0]
            if not same and not unsaid:
                return None
            time.sleep(_WAIT_SECONDS)
            self.worker.bury()

    def _repeat(self, trial: Any, before: Any) -> None:
        """Answer a trial from memory: the same state, values and reason."""
        import optuna

        trial.set_user_attr("from_memory", True)
        trial.set_user_attr("seconds", 0.0)
        if "reason" in before.user_attrs:
            trial.set_user_attr("reason", before.user_attrs["reason"])
        for epoch, value in before.intermediate_values.items():  # none with several objectives
            trial.report(value, epoch)
        complete = before.state == optuna.trial.TrialState.COMPLETE
        values = before.values if complete else None
        self.study.tell(trial, values, state=before.state, skip_if_finished=True)
