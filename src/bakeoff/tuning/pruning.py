"""Pruners: which fits end early, by their scores so far.

Optuna's pruners keep state in memory and count trials that were killed. So a pruner is made anew for each
trial, and an interrupted study continues as an uninterrupted one.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.study import StudyDirection
from optuna.trial import TrialState

from bakeoff.tuning.spec import Pruner
from bakeoff.tuning.storage import NOT_COUNTED, counted

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

LAST_EPOCH = "ends"
"""User attribute of a trial: the last epoch of its fit, if its model has an epoch parameter."""

SAMPLE_SCORE = "sampled"
"""User attribute of a complete trial: its score on the pruning sample."""

_STARTUP_TRIALS = {"pace": 5, "median": 10}
"""Number of trials that are never pruned, at the start of a study."""

_GROWN = 0.1
"""A fit is extrapolated only after its score has risen by this share of the best score."""

_WARM_UP = 0.1
"""Share of the longest fit before which the median pruner prunes none: some fits begin slowly."""

_LEARNT_FROM = 0.1
"""Share of the trials that TPE counts as good."""


class ExtrapolationPruner(BasePruner):
    """Prune a fit whose linear extrapolation does not reach the best trials at its last epoch.

    The best trials are those that TPE counts as good: five, or a tenth of all. To TPE a pruned trial is worse
    than every complete one; if all that are merely close to the best were pruned, it could learn little.

    The slope is that of the later half of the fit so far, in score per epoch, or 0 if it falls. Learning
    curves flatten, so the extrapolation is optimistic. A fit that has not yet left its first level is not
    extrapolated: BPR with a small learning rate recommends popular items for dozens of epochs before it
    learns more, and may win.
    """

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Return whether to end the fit of a trial that has just reported a score."""
        sign = -1 if study.direction == StudyDirection.MINIMIZE else 1
        trials = counted(study.get_trials(deepcopy=False))
        complete = [t for t in trials if t.state == TrialState.COMPLETE and SAMPLE_SCORE in t.user_attrs]
        scores = sorted(sign * t.user_attrs[SAMPLE_SCORE] for t in complete)
        values = {epoch: sign * value for epoch, value in sorted(trial.intermediate_values.items())}
        now, ends = max(values), trial.user_attrs.get(LAST_EPOCH)
        before = max((epoch for epoch in values if epoch <= now / 2), default=None)
        good = max(_STARTUP_TRIALS["pace"], math.ceil(_LEARNT_FROM * len(trials)))
        if len(scores) < good or ends is None or before is None:
            return False
        if max(values.values()) < values[min(values)] + _GROWN * abs(scores[-1]):
            return False
        slope = max(0.0, values[now] - values[before]) / (now - before)
        return bool(values[now] + slope * (ends - now) < scores[-good])


class Hyperband(HyperbandPruner):
    """Optuna's, with brackets numbered by the trials that count."""

    def _get_bracket_id(self, study: Study, trial: FrozenTrial) -> int:
        if NOT_COUNTED in trial.user_attrs:
            return -1
        renumbered = copy.copy(trial)
        everyone = study._get_trials(deepcopy=False)  # of a bracket's study too
        renumbered.number = sum(t.number < trial.number for t in counted(everyone))
        return int(super()._get_bracket_id(study, renumbered))


def prunes_trial(name: Pruner, at: int) -> bool:
    """Return whether a pruner may prune the trial with so many before it; never the defaults."""
    return name != "none" and at >= (_STARTUP_TRIALS["pace"] if name == "pace" else 1)


def reports_at(name: Pruner, epoch: int, longest: int | None) -> bool:
    """Return whether the pruner evaluates this epoch. Epochs are the same for all trials.

    They are 1, 2, 4, 8, ...; for pruners that compare trials at an epoch also 3, 6, 12, ..., and for the
    median none before its warm-up. They are few, so that long fits are not slowed down.

    Args:
        longest: the largest number of epochs of the space, or None if epochs are not searched.
    """
    if name == "pace":
        return epoch & (epoch - 1) == 0
    half = 1 << max(epoch.bit_length() - 2, 0)
    return epoch % half == 0 and (name != "median" or epoch >= _warm_up(longest))


def _warm_up(longest: int | None) -> int:
    return round(_WARM_UP * (longest or 0))


def pruner(name: Pruner, longest: int | None = None) -> BasePruner:
    """Return the pruner of a name, for one trial."""
    if name == "none":
        return NopPruner()
    if name == "hyperband":
        return Hyperband()
    if name == "pace":
        return ExtrapolationPruner()
    return MedianPruner(_STARTUP_TRIALS["median"], n_warmup_steps=_warm_up(longest))
