"""Rows of the CSV files: what was measured and what ran, never averaged."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable

from bakeoff.queries.select import Result
from bakeoff.queries.tables import in_order
from bakeoff.run.naming import tune_name
from bakeoff.storage.record import PHASES, CellRequest, Record

_PLACE = (
    "key",
    "dataset",
    "split",
    "split_seed",
    "fold",
    "split_fingerprint",
    "model",
    "variant",
    "tune",
    "seed",
)
METRIC_COLUMNS = (*_PLACE, "k", "metric", "value", "stderr", "n_users")
CELL_COLUMNS = (*_PLACE, "status", "reason", "parameters", *(f"{phase}_s" for phase in PHASES), "peak_mb")
TUNING_COLUMNS = (
    *_PLACE,
    *("trial", "state", "metric", "value", "values", "epochs", "seconds"),
    *("from_memory", "best", "parameters", "reason"),
)

CsvRow = tuple[str | int | float | None, ...]


def metric_rows(
    results: Iterable[Result], ks: Collection[int], metrics: Collection[str] | None = None
) -> list[CsvRow]:
    """Return rows of METRIC_COLUMNS: one for each requested cell, metric and k; None is an empty field.

    Args:
        ks: cutoffs to tell of; a record may hold more.
        metrics: likewise; None for all that were measured.
    """
    rows: list[CsvRow] = []
    for request, record in in_order(results):
        for metric in sorted(record.metrics):
            if metrics is not None and metric not in metrics:
                continue
            by_k = {int(k) if k else None: pair for k, pair in record.metrics[metric].items()}
            for k in sorted(by_k, key=lambda k: k or 0):
                if k is None or k in ks:
                    mean, error = by_k[k]
                    rows.append((*_coordinates(request, record), k, metric, mean, error, record.n_users))
    return rows


def cell_rows(results: Iterable[Result]) -> list[CsvRow]:
    """Return rows of CELL_COLUMNS: one for each requested cell, whatever its status."""
    return [
        (
            *_coordinates(request, record),
            record.status,
            record.reason,
            _json(record.parameters),
            *(record.seconds.get(phase) for phase in PHASES),
            record.peak_mb,
        )
        for request, record in in_order(results)
    ]


def tuning_rows(results: Iterable[Result]) -> list[CsvRow]:
    """Return rows of TUNING_COLUMNS: one for each trial of each requested tuned cell."""
    rows: list[CsvRow] = []
    for request, record in in_order(results):
        tuning = record.tuning
        if tuning is None:
            continue
        for trial in tuning.trials:
            rows.append(
                (
                    *_coordinates(request, record),
                    *(trial.number, trial.state, tuning.metric, trial.value),
                    _json(trial.values) if trial.values is not None else None,
                    max(trial.by_epoch, default=None),
                    *(trial.seconds, int(trial.from_memory), int(trial.number == tuning.best_number)),
                    *(_json(trial.parameters), trial.reason),
                )
            )
    return rows


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _coordinates(request: CellRequest, record: Record) -> CsvRow:
    cell = request.cell
    return (
        request.key,
        cell.dataset_name,
        cell.split_name,
        cell.split_seed,
        cell.fold,
        record.split_fingerprint,
        cell.model_name,
        cell.variant,
        tune_name(cell),
        cell.seed,
    )
