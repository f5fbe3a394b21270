"""Cells to be tuned, and studies in processes of their own, for all tests of tuning."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from bakeoff.run.cell import Cell, build_source, build_splitter
from bakeoff.splits.base import Split
from bakeoff.storage.record import TuningRecord

_RUN = """
import json, sys
import msgspec
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from bakeoff.run.cell import Cell
from bakeoff.storage.store import Store
from bakeoff.tuning import tune
from tuning_studies import split_of
cell = Cell(**json.loads(sys.argv[1]))
print(msgspec.json.encode(tune(cell, split_of(cell), Store(Path(sys.argv[2])))).decode())
"""


def split_of(cell: Cell) -> Split:
    return build_splitter(cell.split).split(build_source(cell.dataset).load().interactions, cell.split_seed)


def told(cell: Cell, **more: Any) -> Cell:
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


def result_of(child: subprocess.Popen[str]) -> TuningRecord:
    """What a process that `start` started printed."""
    return msgspec.json.decode(child.communicate(timeout=240)[0], type=TuningRecord)


def start(cell: Cell, root: Path) -> subprocess.Popen[str]:
    """Tune in another process, which prints the record."""
    words = [sys.executable, "-c", _RUN, json.dumps(cell.as_json()), str(root), str(Path(__file__).parent)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
