"""What MLflow is told of a cell: tags, parameters, metrics with their steps."""

from __future__ import annotations

import json
import re
from typing import Any

from bakeoff.run.naming import tune_name
from bakeoff.storage.record import CellRequest, Record

KEY = "bakeoff.key"
"""The tag by which a cell's run is found again."""

TELLING = (
    *("key", "status", "reason", "cell", "parameters", "metrics", "absent", "n_users"),
    *("split_fingerprint", "notes", "training_loss"),
)
"""What of a record is worth another run when it changes: not when it ran, nor how long."""

_LONGEST, _LONGEST_NAME = 5000, 250
"""Letters of a value and of a name, below what every store of MLflow takes."""


def tags(request: CellRequest, record: Record) -> dict[str, str]:
    commit = record.environment.git
    texts = {
        KEY: record.key,
        "bakeoff.status": record.status,
        "bakeoff.reason": record.reason,
        "bakeoff.split_fingerprint": record.split_fingerprint,
        "bakeoff.version": record.environment.bakeoff,
        "mlflow.source.name": "bakeoff",
        "mlflow.source.git.commit": str(commit or ""),
        "mlflow.note.content": record.reason,
    }
    return {name: text[:_LONGEST] for name, text in texts.items() if text}


def params(request: CellRequest, record: Record) -> list[tuple[str, str]]:
    """Return the coordinates of the cell and the hyperparameters of its model."""
    cell = request.cell
    values: dict[str, Any] = {
        "dataset": cell.dataset_name,
        "dataset_variant": cell.dataset_variant,
        "split": cell.split_name,
        "split_variant": cell.split_variant,
        "split_seed": cell.split_seed,
        "fold": cell.fold,
        "model": cell.model_name,
        "variant": cell.variant,
        "tune": tune_name(cell),
        "seed": cell.seed,
        "depth": cell.depth,
        **{f"model.{name}": value for name, value in record.parameters.items()},
    }
    texts = {n: v if isinstance(v, str) else json.dumps(v, sort_keys=True) for n, v in values.items()}
    return [(_name(n), text[:_LONGEST]) for n, text in texts.items() if text and values[n] is not None]


def metrics(record: Record) -> list[tuple[str, float, int]]:
    """Return name, value and step: `ndcg_at_10` at step 10, its `_stderr`; seconds, memory, loss by epoch."""
    points: list[tuple[str, float, int]] = []
    for metric, by_k in record.metrics.items():
        for k, (mean, error) in by_k.items():
            name = f"{metric}_at_{k}" if k else metric
            points.append((name, mean, int(k or 0)))
            points += [] if error is None else [(f"{name}_stderr", error, int(k or 0))]
    points += [(f"{phase}_seconds", seconds, 0) for phase, seconds in record.seconds.items()]
    points.append(("peak_mb", record.peak_mb, 0))
    points += [("training_loss", loss, epoch) for epoch, loss in enumerate(record.training_loss, 1)]
    return [(_name(name), value, step) for name, value, step in points]


def _name(text: str) -> str:
    """Return a name with only the characters that MLflow allows."""
    return re.sub(r"[^\w./: -]", "_", text)[:_LONGEST_NAME]
