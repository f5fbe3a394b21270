"""Cells to be tuned, and studies in processes of their own, for all tests of tuning."""

from __future__ import annotations

import multiprocessing
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from bakeoff.run.cell import Cell, build_source, build_splitter
from bakeoff.splits.base import Split
from bakeoff.storage.record import TuningRecord
from bakeoff.storage.store import Store
from bakeoff.tuning.tune import tune

_FORKSERVER = multiprocessing.get_context("forkserver")
_FORKSERVER.set_forkserver_preload(["bakeoff.tuning", "bakeoff.tuning.importance", "sqlalchemy"])


def split_of(cell: Cell) -> Split:
    return build_splitter(cell.split).split(build_source(cell.dataset).load().interactions, cell.split_seed)


def with_tuning(cell: Cell, **more: Any) -> Cell:
    return replace(cell, tune={**(cell.tune or {}), **more})


def made(cell: Cell, **build: Any) -> Cell:
    return replace(cell, model={**cell.model, "build": {**cell.model_build, **build}})


def timeless(record: Any, volatile: Collection[str] = ("seconds",)) -> Any:
    """A record as JSON without what differs between two runs of one study, at any depth."""
    if isinstance(record, dict):
        return {k: timeless(v, volatile) for k, v in record.items() if k not in volatile}
    if isinstance(record, msgspec.Struct):
        return timeless(msgspec.to_builtins(record), volatile)
    return [timeless(v, volatile) for v in record] if isinstance(record, list | tuple) else record


class Child:
    """A process that tunes a cell, forked from one that has imported everything."""

    def __init__(self, cell: Cell, root: Path) -> None:
        self._result, sender = _FORKSERVER.Pipe(duplex=False)
        self._process = _FORKSERVER.Process(target=_tune, args=(cell, str(root), sender))
        self._process.start()
        sender.close()

    def poll(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        """Send SIGKILL and wait for the end."""
        self._process.kill()
        self._process.join()

    def result(self) -> TuningRecord:
        """Return the record of the study."""
        record: TuningRecord = msgspec.json.decode(self._result.recv_bytes(), type=TuningRecord)
        self._process.join()
        return record


def _tune(cell: Cell, root: str, sender: Any) -> None:
    sender.send_bytes(msgspec.json.encode(tune(cell, split_of(cell), Store(Path(root)))))
