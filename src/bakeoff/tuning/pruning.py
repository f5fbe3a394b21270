"""Pruners: which fits end early, by what they gave so far.

What Optuna keeps in memory, or counts by trials that were killed, is made anew for each trial, so that an
interrupted study goes on as an undisturbed one would.
"""

from __future__ import annotations

import copy
import math
from typing import Any

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.study import StudyDirection
from optuna.trial import TrialState

from bakeoff.tuning.workers import NOT_COUNTED, counted

ENDS = "ends"
"""User attribute of a trial: the epoch at which its fit ends, where its model counts them."""

SAMPLED = "sampled"
"""User attribute of a finished trial: its value on the users that a pruner looks at."""

_STARTUP_TRIALS = {"pace": 5, "median": 10}
"""So many trials run to their end before one is cut."""

_GROWN = 0.1
"""Share of the best value by which a fit must have risen above its first epoch, before its pace says
anything."""

_WARM_UP = 0.1
"""Share of the longest fit before which the median cuts none: low rates and regularised fits begin slowly."""

_LEARNT_FROM = 0.1
"""Share of the trials that TPE takes for good; at least as many as the pace waits for."""


class Pace(BasePruner):
    """Cuts a fit that would not come among the best if it went on at its latest pace until its end.

    The best are those that TPE learns from, five or a tenth of the trials: a cut trial is to it worse than
    every finished one, so to cut all that only come near the best would leave it little to go by.

    The pace is that of the later half of the fit so far, in score by epoch, or 0 where it falls. Learning
    curves flatten, so this promises a fit rather too much. It says nothing of one that has not yet left the
    level it began at: BPR with a small learning rate recommends what is popular for dozens of epochs before
    it learns more, and may win. Such a fit goes on.
    """

    def prune(self, study: Any, trial: Any) -> bool:
        """Whether to end the fit of a trial that has reported its latest value."""
        sign = -1 if study.direction == StudyDirection.MINIMIZE else 1
        trials = counted(study.get_trials(deepcopy=False))
        finished = [t for t in trials if t.state == TrialState.COMPLETE and SAMPLED in t.user_attrs]
        known = sorted(sign * t.user_attrs[SAMPLED] for t in finished)
        values = {epoch: sign * value for epoch, value in sorted(trial.intermediate_values.items())}
        now, ends = max(values), trial.user_attrs.get(ENDS)
        before = max((epoch for epoch in values if epoch <= now / 2), default=None)
        good = max(_STARTUP_TRIALS["pace"], math.ceil(_LEARNT_FROM * len(trials)))
        if len(known) < good or ends is None or before is None:
            return False
        if max(values.values()) < values[min(values)] + _GROWN * abs(known[-1]):
            return False
        pace = max(0.0, values[now] - values[before]) / (now - before)
        return bool(values[now] + pace * (ends - now) < known[-good])


class Hyperband(HyperbandPruner):
    """Optuna's, with brackets by the number of trials before that count, and without those that do not."""

    def _get_bracket_id(self, study: Any, trial: Any) -> int:
        if NOT_COUNTED in trial.user_attrs:
            return -1
        moved = copy.copy(trial)
        everyone = study._get_trials(deepcopy=False)  # of a bracket's study too
        moved.number = sum(t.number < trial.number for t in counted(everyone))
        return int(super()._get_bracket_id(study, moved))


def watches(name: str, at: int) -> bool:
    """Whether a pruner of PRUNERS looks at the trial with so many before it; at the defaults none does."""
    return name != "none" and at >= (_STARTUP_TRIALS["pace"] if name == "pace" else 1)


def looks(name: str, epoch: int, longest: int | None) -> bool:
    """Whether a pruner of PRUNERS wants the score after an epoch: of all trials after the same.

    Those are 1, 2, 4, 8, ...; where trials are compared with each other 3, 6, 12, ... too, and for the median
    none before it may cut. They are few, so that long fits are not slowed down.

    Args:
        longest: the largest number of epochs of the space; None where it is not searched for.
    """
    if name == "pace":
        return epoch & (epoch - 1) == 0
    half = 1 << max(epoch.bit_length() - 2, 0)
    return epoch % half == 0 and (name != "median" or epoch >= _warm_up(longest))


def _warm_up(longest: int | None) -> int:
    return round(_WARM_UP * (longest or 0))


def pruner(name: str, longest: int | None = None) -> BasePruner:
    """The pruner of a name of PRUNERS; a new one for each trial, since Optuna's remember."""
    if name == "none":
        return NopPruner()
    if name == "hyperband":
        return Hyperband()
    if name == "pace":
        return Pace()
    return MedianPruner(_STARTUP_TRIALS["median"], n_warmup_steps=_warm_up(longest))
