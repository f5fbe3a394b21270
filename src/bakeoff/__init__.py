"""bakeoff: compare recommenders for implicit feedback on equal terms.

The names of `__all__` are for notebooks and programs. Each is imported at its first use, so that the command
line need not wait for numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bakeoff._version import __version__ as __version__

if TYPE_CHECKING:
    from bakeoff.data.interactions import Features, Ids, Interactions
    from bakeoff.data.source import Dataset
    from bakeoff.errors import BakeoffError, ConfigError, DataError, ModelError, Unsupported, UsageError
    from bakeoff.evaluation.measure import measure
    from bakeoff.evaluation.metric import EvaluationInputs, Metric, metric
    from bakeoff.evaluation.topk import TopK
    from bakeoff.notebook.evaluate import Evaluation, evaluate
    from bakeoff.notebook.loaded import Loaded, load, run
    from bakeoff.run.cell import Cell
    from bakeoff.run.runner import EvaluationSpec, Workspace, run_cell
    from bakeoff.splits.base import Split
    from bakeoff.storage.record import Record
    from bakeoff.storage.store import Store

__all__ = [
    "BakeoffError",
    "Cell",
    "ConfigError",
    "DataError",
    "Dataset",
    "Evaluation",
    "EvaluationInputs",
    "EvaluationSpec",
    "Features",
    "Ids",
    "Interactions",
    "Loaded",
    "Metric",
    "ModelError",
    "Record",
    "Split",
    "Store",
    "TopK",
    "Unsupported",
    "UsageError",
    "Workspace",
    "evaluate",
    "load",
    "measure",
    "metric",
    "run",
    "run_cell",
]

_HOMES = {
    "BakeoffError": "bakeoff.errors",
    "Cell": "bakeoff.run.cell",
    "ConfigError": "bakeoff.errors",
    "DataError": "bakeoff.errors",
    "Dataset": "bakeoff.data.source",
    "Evaluation": "bakeoff.notebook.evaluate",
    "EvaluationInputs": "bakeoff.evaluation.metric",
    "Features": "bakeoff.data.interactions",
    "Ids": "bakeoff.data.interactions",
    "Interactions": "bakeoff.data.interactions",
    "Loaded": "bakeoff.notebook.loaded",
    "Metric": "bakeoff.evaluation.metric",
    "ModelError": "bakeoff.errors",
    "Record": "bakeoff.storage.record",
    "Split": "bakeoff.splits.base",
    "Store": "bakeoff.storage.store",
    "TopK": "bakeoff.evaluation.topk",
    "Unsupported": "bakeoff.errors",
    "UsageError": "bakeoff.errors",
    "EvaluationSpec": "bakeoff.run.runner",
    "Workspace": "bakeoff.run.runner",
    "evaluate": "bakeoff.notebook.evaluate",
    "load": "bakeoff.notebook.loaded",
    "measure": "bakeoff.evaluation.measure",
    "metric": "bakeoff.evaluation.metric",
    "run": "bakeoff.notebook.loaded",
    "run_cell": "bakeoff.run.runner",
}


import_module("bakeoff.run")
del globals()["run"]  # the package is found by imports alone: `bakeoff.run` is a function of the notebook's


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
