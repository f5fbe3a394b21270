"""Run the study of a cell to the end of its budget, from wherever it stopped, and choose the winner."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bakeoff.cell import Cell
from bakeoff.errors import ModelError, Unsupported
from bakeoff.splits.base import Split
from bakeoff.store import Store
from bakeoff.tuning import space as spaces
from bakeoff.tuning import storage
from bakeoff.tuning.objective import Objective
from bakeoff.tuning.sampling import Proposals, derived, ordinal, proposals, pruner
from bakeoff.tuning.space import Space
from bakeoff.tuning.spec import Tuning, goals
from bakeoff.tuning.summary import summary

_POLL_SECONDS = 0.5
_WAIT_SECONDS = 0.05


@dataclass(frozen=True)
class Tuned:
    """What tuning gave.

    Args:
        parameters: hyperparameters that take the place of the configured ones.
        record: JSON of what was done, for the cell's record.
    """

    parameters: Mapping[str, Any]
    record: Mapping[str, Any]


def check(cell: Cell) -> None:
    """Refuse a wrong space, budget, metric or sampler before anything is fitted.

    Raises:
        ConfigError: in one line that names file and key.
    """
    assert cell.tune is not None
    tuning = Tuning.of(cell.tune)
    sought = goals(tuning, cell.depth)
    proposals(tuning, spaces.parse(cell.model), 0, [goal.direction for goal in sought])


def tune(cell: Cell, split: Split, store: Store) -> Tuned:
    """Search the space of the cell's model inside the train part of a split.

    Trials are kept as they finish; called again after an interruption it goes on. Several processes may call
    it for one cell and one storage: they share the budget, and all come to the same winner.

    Raises:
        Unsupported: the model cannot do what is asked with its defaults.
        ModelError: no trial gave a value.
    """
    assert cell.tune is not None
    tuning, space = Tuning.of(cell.tune), spaces.parse(cell.model)
    worth = Objective(cell, split, tuning)
    directions = [goal.direction for goal in worth.goals]
    with storage.quiet():
        study = storage.open_study(cell.key, store.root / "studies", tuning.storage, directions)
        proposed = proposals(tuning, space, derived("sampler", cell.seed), directions)
        study.sampler = proposed.sampler
        limit = min((n for n in (tuning.trials, proposed.size) if n is not None), default=None)
        storage.bury(study)
        storage.enlist(study)
        while _go_on(study, limit, tuning.seconds):
            _one(study, space, worth, tuning, limit)
        trials = storage.counted(study.get_trials(deepcopy=False))
    record = summary(trials, space, tuning, directions, cell.seed, _said(proposed, len(trials), tuning))
    if record["best"] is None:
        reasons = {str(t.user_attrs.get("reason")) for t in trials}
        raise ModelError(f"tuning: none of {len(trials)} trials gave a value: {'; '.join(sorted(reasons))}")
    return Tuned(record["best"]["parameters"], record)


def _said(proposed: Proposals, asked: int, tuning: Tuning) -> tuple[str, ...]:
    """What a reader must know of where the trials came from."""
    if proposed.size is None:
        return proposed.notes
    if asked < proposed.size:
        return (*proposed.notes, f"grid: {proposed.size - asked} of its {proposed.size} trials were not run")
    early = tuning.trials is not None and asked < tuning.trials
    before = f", before tune.trials={tuning.trials}" if early else ""
    return (*proposed.notes, f"grid: all of its {proposed.size} trials were run{before}")


def _go_on(study: Any, limit: int | None, seconds: float | None) -> bool:
    """Whether a trial is left for this process; waits while only others' trials can decide that."""
    while True:
        trials = storage.counted(study.get_trials(deepcopy=False))
        running = [t for t in trials if not t.state.is_finished()]
        finished = [t for t in trials if t.state.is_finished()]
        spent = sum(t.user_attrs.get("seconds", 0.0) for t in finished)
        over = limit is not None and len(trials) >= limit
        over |= seconds is not None and spent >= seconds and bool(finished)
        if not over:
            return True
        if not running:
            return False
        time.sleep(_POLL_SECONDS)
        storage.bury(study)


def _one(study: Any, space: Space, worth: Objective, tuning: Tuning, limit: int | None) -> None:
    """Ask for a trial, run it and tell what came of it."""
    import optuna

    study.pruner = pruner(tuning.pruner)
    trial = study.ask()
    trial.set_user_attr(storage.OWNER, storage.me())
    at = ordinal(study, trial.number)
    if limit is not None and at >= limit:  # another process was faster
        storage.discard(study, trial, "over budget")
        return
    suggested = space.suggest(trial)
    chosen = suggested if at else space.start()
    trial.set_user_attr("parameters", chosen)
    before = _tried(study, trial.number, chosen)
    if before is not None:
        _repeat(study, trial, before)
        return
    start = time.perf_counter()
    state, values, reason, refused = optuna.trial.TrialState.FAIL, None, "", None
    pruned = at > 0 and tuning.pruner != "none" and not tuning.objectives
    try:
        values = worth(chosen, trial if pruned else None)
        state = optuna.trial.TrialState.COMPLETE
    except optuna.TrialPruned:
        state = optuna.trial.TrialState.PRUNED
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        refused = error if isinstance(error, Unsupported) and at == 0 else None
    if refused is not None:
        storage.discard(study, trial, reason)
        raise refused
    for goal, value in zip(worth.goals, values or (), strict=False):
        if not math.isfinite(value):
            state, values, reason = (
                optuna.trial.TrialState.FAIL,
                None,
                f"{goal.text} is {value}, not a number",
            )
    if reason:
        trial.set_user_attr("reason", reason)
    trial.set_user_attr("seconds", time.perf_counter() - start)
    study.tell(trial, values, state=state)


def _tried(study: Any, number: int, chosen: Mapping[str, Any]) -> Any:
    """The finished earlier trial that had the same parameters, or None.

    Where one still runs in another process, or has yet to say what it will run, this one waits for it.
    """
    while True:
        earlier = [t for t in storage.counted(study.get_trials(deepcopy=False)) if t.number < number]
        unsaid = any(not t.state.is_finished() and "parameters" not in t.user_attrs for t in earlier)
        same = [t for t in earlier if t.user_attrs.get("parameters") == chosen]
        finished = [t for t in same if t.state.is_finished()]
        if finished:
            return finished[0]
        if not same and not unsaid:
            return None
        time.sleep(_WAIT_SECONDS)
        storage.bury(study)


def _repeat(study: Any, trial: Any, before: Any) -> None:
    """Answer a trial from memory: the same state, values and reason."""
    import optuna

    trial.set_user_attr("from_memory", True)
    trial.set_user_attr("seconds", 0.0)
    if "reason" in before.user_attrs:
        trial.set_user_attr("reason", before.user_attrs["reason"])
    for epoch, value in before.intermediate_values.items():  # empty with several objectives
        trial.report(value, epoch)
    complete = before.state == optuna.trial.TrialState.COMPLETE
    study.tell(trial, before.values if complete else None, state=before.state)
