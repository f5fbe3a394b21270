"""Run the study of a cell to the end of its budget, from wherever it stopped, and choose the winner."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from bakeoff.errors import ModelError
from bakeoff.run.cell import Cell
from bakeoff.splits.base import Split
from bakeoff.storage.record import Record, TuningRecord
from bakeoff.storage.store import Store
from bakeoff.tuning import space as spaces
from bakeoff.tuning import storage
from bakeoff.tuning.objective import Objective
from bakeoff.tuning.sampling import Proposals, derived, proposals
from bakeoff.tuning.search import Search
from bakeoff.tuning.spec import TuningSpec, goals
from bakeoff.tuning.summary import tuning_record
from bakeoff.tuning.workers import Worker

_POLL_SECONDS = 0.5


def check(cell: Cell) -> None:
    """Refuse a wrong space, budget, objective, rule, sampler or storage before anything is fitted.

    Raises:
        ConfigError: in one line that names file and key.
    """
    assert cell.tune is not None
    tuning = TuningSpec.of(cell.tune)
    storage.check_url(tuning.storage)
    sought = goals(tuning, cell.depth)
    proposals(tuning, spaces.parse(cell.model), 0, [goal.direction for goal in sought])


def tune(cell: Cell, split: Split, store: Store) -> TuningRecord:
    """Search the space of the cell's model inside the train part of a split.

    Trials are kept as they finish; called again after an interruption it goes on. Several processes may call
    it for one cell and one storage: they share the budget, and all come to the same winner.

    Raises:
        Unsupported: the model cannot do what is asked with its defaults.
        ModelError: no trial gave a value.
    """
    assert cell.tune is not None
    tuning, space = TuningSpec.of(cell.tune), spaces.parse(cell.model)
    worth = Objective(cell, split, tuning)
    directions = [goal.direction for goal in worth.goals]
    with storage.quiet(), _study(cell, store, tuning) as study:
        proposed = proposals(tuning, space, derived("sampler", cell.seed), directions)
        study.sampler = proposed.sampler
        limit = min((n for n in (tuning.trials, proposed.size) if n is not None), default=None)
        with Worker(study, tuning.heartbeat_timeout) as worker:
            trials = Search(study, worker, space, worth, tuning, limit).run()
    record = tuning_record(trials, space, tuning, directions, cell.seed, _said(proposed, len(trials), tuning))
    if record.best is None:
        reasons = {str(t.user_attrs.get("reason")) for t in trials}
        raise ModelError(f"tuning: none of {len(trials)} trials gave a value: {'; '.join(sorted(reasons))}")
    return record


@contextmanager
def final_fit(cell: Cell, store: Store, before: Record | None) -> Iterator[Record | None]:
    """Hold the right to a tuned cell's final fit, which one process has at a time.

    Args:
        before: what the store had of the cell when this process began.

    Yields:
        None where the fit is to be done inside the block, its record written there too; else the record that
        another process wrote meanwhile.
    """
    assert cell.tune is not None
    tuning = TuningSpec.of(cell.tune)
    with _study(cell, store, tuning) as study, Worker(study, tuning.heartbeat_timeout) as worker:
        place = worker.claim()
        try:
            with storage.quiet():
                while not worker.first(place):
                    time.sleep(_POLL_SECONDS)
            found = store.record(cell.key)
            yield None if found == before else found
        finally:
            worker.leave(place)


def _study(cell: Cell, store: Store, tuning: TuningSpec) -> AbstractContextManager[Any]:
    directions = [goal.direction for goal in goals(tuning, cell.depth)]
    return storage.opened(cell.key, store.root / "studies", tuning.storage, directions)


def _said(proposed: Proposals, asked: int, tuning: TuningSpec) -> tuple[str, ...]:
    """What a reader must know of where the trials came from."""
    if proposed.size is None:
        return proposed.notes
    if asked < proposed.size:
        return (*proposed.notes, f"grid: {proposed.size - asked} of its {proposed.size} trials were not run")
    early = tuning.trials is not None and asked < tuning.trials
    before = f", before tune.trials={tuning.trials}" if early else ""
    return (*proposed.notes, f"grid: all of its {proposed.size} trials were run{before}")
