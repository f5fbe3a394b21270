"""Work that trials have in common, done once a study.

Whether a trial shares is decided by the space and the budget alone. What is in memory changes the time that a
trial takes and nothing else, so that an interrupted study gives what an undisturbed one does.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from scipy import sparse

from bakeoff.data.interactions import Interactions
from bakeoff.errors import Unsupported
from bakeoff.hashing import identity
from bakeoff.models.base import Model, SharedPrecompute
from bakeoff.run.cell import Cell, build_model, parameters
from bakeoff.tuning.space import Space
from bakeoff.tuning.spec import TuningSpec

NOTE = "note"
"""User attribute of a trial: what a reader of the record must know of it."""

_MEMORY_SHARE = 0.25
"""Of the memory that is free; what is over it is let go, except the one in use."""

_MOST = 8


def expected(space: Space, tuning: TuningSpec, chosen: Mapping[str, Any], over: tuple[str, ...]) -> int:
    """How many trials of the budget are this one but for the hyperparameters `over`, this one included.

    1 where another axis has no steps, or the configured value lies outside of its axis. Without a budget in
    trials, 2 where there may be any.
    """
    others = [a for a in space.axes if a.name not in over]
    values = [axis.values for axis in others]
    for axis, known in zip(others, values, strict=True):
        if known is None or (axis.name in chosen and chosen[axis.name] not in known):
            return 1
    combinations = math.prod(len(known) for known in values if known is not None)
    return 2 if tuning.trials is None else max(tuning.trials // combinations, 1)


class SharedWork:
    """What models with :class:`~bakeoff.models.base.SharedPrecompute` prepared, a few at a time in memory."""

    def __init__(self, cell: Cell, space: Space, tuning: TuningSpec) -> None:
        self._model, self._space, self._tuning = cell.model, space, tuning
        self._kept: OrderedDict[str, Any] = OrderedDict()

    def prepared(
        self, model: Model, chosen: Mapping[str, Any], repeat: int, train: Interactions
    ) -> tuple[Any, str]:
        """What the fit of a model with the chosen hyperparameters is handed, or None: it is plain.

        Returns it, and why there is none although there should be (empty else).
        """
        if not isinstance(model, SharedPrecompute):
            return None, ""
        over = tuple(model.shared_over)
        fits = expected(self._space, self._tuning, chosen, over)
        if fits < 2:
            return None, ""
        others = {name: value for name, value in chosen.items() if name not in over}
        key = identity("", [repeat, others])
        if key not in self._kept:
            largest = build_model(self._model, **{**chosen, **self._largest(over, chosen)})
            assert isinstance(largest, SharedPrecompute)
            try:
                self._keep(key, (largest.prepare(train, fits), ""))
            except (Unsupported, MemoryError) as why:
                self._keep(key, (None, f"no work was shared between trials: {why}"))
        self._kept.move_to_end(key)
        found: tuple[Any, str] = self._kept[key]
        return found

    def _largest(self, over: tuple[str, ...], chosen: Mapping[str, Any]) -> dict[str, Any]:
        """The largest value that may come of each hyperparameter that is a number."""
        configured = parameters(self._model["build"], "model.build")
        found = {}
        for axis in self._space.axes:
            if axis.name not in over:
                continue
            ends = getattr(axis.distribution, "choices", None) or (axis.distribution.high,)
            values = [*ends, configured[axis.name], chosen.get(axis.name, configured[axis.name])]
            if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
                found[axis.name] = max(values)
        return found

    def _keep(self, key: str, found: tuple[Any, str]) -> None:
        import psutil

        self._kept[key] = found
        room = _MEMORY_SHARE * psutil.virtual_memory().available
        while len(self._kept) > 1 and (len(self._kept) > _MOST or size(list(self._kept.values())) > room):
            self._kept.popitem(last=False)


def size(thing: Any) -> int:
    """Bytes of the arrays inside of matrices, dataclasses, mappings and sequences."""
    if isinstance(thing, np.ndarray):
        return thing.nbytes
    if sparse.issparse(thing):
        return size([vars(thing)])
    if is_dataclass(thing):
        return sum(size(getattr(thing, f.name)) for f in fields(thing))
    if isinstance(thing, Mapping):
        return sum(map(size, thing.values()))
    return sum(map(size, thing)) if isinstance(thing, list | tuple) else 0
