"""One run serves every number of epochs, where trials that differ in nothing else are to be expected.

Such a run goes on to the largest number of the space and is measured in full at every one on its way; what it
measured is kept with its trial, so that later trials are answered without a fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bakeoff.models.base import EpochParam
from bakeoff.run.cell import Cell, build_model
from bakeoff.tuning.shared import expected
from bakeoff.tuning.space import Space
from bakeoff.tuning.spec import TuningSpec

ON_THE_WAY = "on_the_way"
"""User attribute of a trial: `values` by epoch of what its run measured in full, and where it was `cut`."""

_LEAST_SHARE = 0.5
"""Of the numbers of epochs in the space, those that trials are expected to ask for; else a run measures in
vain too often."""


@dataclass(frozen=True)
class Run:
    """A fit, how long it lasts, and when it is measured.

    Args:
        parameters: of the fit.
        own: after how many epochs the trial itself ends; None: with the fit.
        stops: epochs after which it is measured in full; empty: at its end alone.
    """

    parameters: Mapping[str, Any]
    own: int | None = None
    stops: tuple[int, ...] = ()


class Runs:
    """Which runs serve several trials, and what they have measured."""

    def __init__(self, cell: Cell, space: Space, tuning: TuningSpec) -> None:
        model = build_model(cell.model)
        named = model.epochs_in if isinstance(model, EpochParam) else None
        self._axis = next((a for a in space.axes if a.name == named), None)
        self._space, self._tuning = space, tuning

    @property
    def longest(self) -> int | None:
        """The largest number of epochs that a trial can have, where it is searched for."""
        if self._axis is None:
            return None
        values = self._axis.values
        return int(max(values)) if values is not None else int(self._axis.distribution.high)

    def of(self, chosen: Mapping[str, Any]) -> Run:
        """The run of a trial; its own alone where too few others will have it in common."""
        values = self._axis.values if self._axis is not None else None
        if self._axis is None or values is None or self._axis.name not in chosen:
            return Run(chosen)
        fits = expected(self._space, self._tuning, chosen, (self._axis.name,))
        if fits < max(2, _LEAST_SHARE * len(values)):
            return Run(chosen)
        own = chosen[self._axis.name]
        stops = tuple(sorted({*values, own}))
        return Run({**chosen, self._axis.name: stops[-1]}, own, stops)

    def before(self, study: Any, run: Run) -> Any:
        """The finished trial whose run this one would repeat up to its own end, or None."""
        import optuna

        assert self._axis is not None
        done = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
        for trial in study.get_trials(deepcopy=False, states=done):
            way = trial.user_attrs.get(ON_THE_WAY)
            known = {**trial.user_attrs.get("parameters", {}), self._axis.name: run.stops[-1]}
            if way is None or known != run.parameters:
                continue
            if str(run.own) in way["values"] or (way["cut"] is not None and way["cut"] < run.own):
                return trial
        return None


def answered(trial: Any, run: Run, before: Any) -> tuple[float, ...]:
    """What an earlier trial's run measured where this trial ends.

    Raises:
        TrialPruned: the run was cut before that.
    """
    import optuna

    assert run.own is not None
    trial.set_user_attr("from_memory", True)
    for epoch, value in before.intermediate_values.items():
        if epoch <= run.own:
            trial.report(value, epoch)
    found = before.user_attrs[ON_THE_WAY]["values"].get(str(run.own))
    if found is None:
        raise optuna.TrialPruned
    return tuple(found)
