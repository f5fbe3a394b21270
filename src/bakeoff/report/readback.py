"""An experiment's results from its committed files alone, where the store is not at hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from msgspec.structs import replace

from bakeoff.errors import UsageError
from bakeoff.hashing import identity
from bakeoff.queries.select import Result
from bakeoff.report.rows import CELL_COLUMNS, METRIC_COLUMNS
from bakeoff.run.cell import Cell
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.record import PHASES, CellRequest, Measurement, Record

Rows = list[dict[str, str]]


def results(folder: Path, experiment: Experiment) -> list[Result]:
    """Return the records of every cell, as `experiment.json`, `metrics.csv` and `cells.csv` state them.

    Values by user, lists, trials, notes and the environment are not in these files, so they are not in the
    records either.

    Raises:
        UsageError: a file or a cell's row is missing, or a file is not what its name says.
    """
    rows = {row["key"]: row for row in _read(folder / "cells.csv", CELL_COLUMNS)}
    numbers: dict[str, Rows] = {}
    for row in _read(folder / "metrics.csv", METRIC_COLUMNS):
        numbers.setdefault(row["key"], []).append(row)
    for request in experiment.requests:
        if request.key not in rows:
            raise UsageError(
                f"{folder / 'cells.csv'}: no row of cell {request.key}, which experiment.json names: "
                f"write the files anew with `bakeoff report {folder.name}`"
            )
    results = [
        Result(a, _record(a, rows[a.key], numbers.get(a.key, []), folder)) for a in experiment.requests
    ]
    all_metrics = {metric for _, record in results for metric in record.metrics}
    return [Result(a, replace(r, absent=_absent(all_metrics - set(r.metrics)))) for a, r in results]


def finished(folder: Path) -> list[str]:
    """Return the keys of the cells that a report has numbers of; none if there is no report."""
    path = folder / "cells.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8", errors="replace") as file:  # a run writes a damaged one anew
        return [row["key"] for row in csv.DictReader(file) if row.get("status") == "done"]


def _read(path: Path, columns: tuple[str, ...]) -> Rows:
    if not path.exists():
        raise UsageError(f"{path}: no such file; expected the tables of an experiment beside experiment.json")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [c for c in columns if c not in (reader.fieldnames or ())]
        if missing:
            raise UsageError(f"{path}: no column {missing[0]!r}; expected {', '.join(columns)}")
        return list(reader)


def _record(request: CellRequest, row: dict[str, str], numbers: Rows, folder: Path) -> Record:
    metrics: dict[str, dict[str, Measurement]] = {}
    try:
        for n in numbers:
            error = float(n["stderr"]) if n["stderr"] else None
            metrics.setdefault(n["metric"], {})[n["k"]] = Measurement(float(n["value"]), error)
        return Record(
            key=request.key,
            status=row["status"],  # type: ignore[arg-type]
            reason=row["reason"],
            cell=request.cell,
            parameters=json.loads(row["parameters"] or "{}"),
            metrics=metrics,
            n_users=int(numbers[0]["n_users"]) if numbers else 0,
            split_family=_family(request.cell),
            split_fingerprint=row["split_fingerprint"],
            seconds={p: float(row[f"{p}_s"]) for p in PHASES if row[f"{p}_s"]},
            peak_mb=float(row["peak_mb"] or 0.0),
        )
    except ValueError as error:
        raise UsageError(f"{folder}: the tables of cell {request.key} cannot be read ({error})") from error


def _absent(metrics: set[str]) -> dict[str, str]:
    return dict.fromkeys(sorted(metrics), "not in metrics.csv")


def _family(cell: Cell) -> str:
    """Return the part of a split's configuration that its repetitions share; no class is imported."""
    split = cell.contents.get("split") or cell.split
    data = cell.contents.get("dataset") or cell.dataset
    options = {k: v for k, v in split.items() if k != "fold"}
    return identity(
        "f", json.loads(json.dumps([cell.dataset["_target_"], data, cell.split["_target_"], options]))
    )
