"""Rows of the CSV files: what was measured and what ran, never averaged."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bakeoff.queries.comparison import Column, Row, Table, best_first, in_order
from bakeoff.queries.select import Result
from bakeoff.report.view import settings_text, visible
from bakeoff.run.naming import coordinates
from bakeoff.storage.record import PHASES, CellRequest, Record

if TYPE_CHECKING:
    from bakeoff.queries.pairs import Pairwise

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
        place = _place(request, record)
        for metric, k, (mean, error) in record.measurements():
            if (metrics is None or metric in metrics) and (k is None or k in ks):
                rows.append((*place, k, metric, mean, error, record.n_users))
    return rows


def cell_rows(results: Iterable[Result]) -> list[CsvRow]:
    """Return rows of CELL_COLUMNS: one for each requested cell, whatever its status."""
    return [
        (
            *_place(request, record),
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
        place = _place(request, record)
        for trial in tuning.trials:
            rows.append(
                (
                    *place,
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


def _place(request: CellRequest, record: Record) -> CsvRow:
    """Return the values of the columns that every table begins with."""
    values = {
        "key": request.key,
        "split_fingerprint": record.split_fingerprint,
        **coordinates(request.cell),
    }
    return tuple(values[name] for name in _PLACE)


# -- as CSV, Arrow, Parquet and data frames -----------------------------------------------------------


def csv_text(header: Sequence[str], rows: Iterable[CsvRow]) -> str:
    """Return the whole file; None is an empty field, control characters are escaped."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_field(value) for value in row] for row in rows)
    return text.getvalue()


def _field(value: str | int | float | None) -> str:
    if value is None:
        return ""
    return visible(value) if isinstance(value, str) else repr(value)


WHOLE = ("split_seed", "fold", "seed", "k", "n_users")
REAL = ("value", "stderr", "peak_mb")


def arrow_table(header: Sequence[str], rows: Iterable[CsvRow]) -> Any:
    """Return a pyarrow.Table whose types do not depend on the rows; None is null.

    int64 for seeds, folds, cutoffs and counts, float64 for measurements, seconds (`_s`) and megabytes, text
    for the rest, as the CSV shows it.
    """
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) or [()] * len(header)
    arrays = [
        pa.array([visible(v) if isinstance(v, str) else v for v in column], type=_type(name))
        for name, column in zip(header, columns, strict=True)
    ]
    return pa.table(arrays, names=list(header))


def parquet_bytes(header: Sequence[str], rows: Iterable[CsvRow]) -> bytes:
    """Return the whole file; the same rows give the same bytes with the same pyarrow."""
    import pyarrow as pa
    from pyarrow import parquet

    sink = pa.BufferOutputStream()
    parquet.write_table(arrow_table(header, rows), sink, compression="zstd")
    written: bytes = sink.getvalue().to_pybytes()
    return written


def _type(name: str) -> Any:
    import pyarrow as pa

    if name in WHOLE:
        return pa.int64()
    return pa.float64() if name in REAL or name.endswith("_s") else pa.string()


MAYBE = ("fold", "k")
"""Whole numbers that a row may be without: they are Int64, which has a place for that."""


def frame_of(header: Sequence[str], rows: Iterable[CsvRow]) -> Any:
    """Return the rows of a CSV file as a frame, with its column names and types."""
    import pandas as pd
    import pyarrow as pa

    frame = arrow_table(header, rows).to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    sure = [c for c in WHOLE if c in header and c not in MAYBE]
    return frame.astype(dict.fromkeys(sure, "int64"))


def leaderboard(tables: Iterable[Table], columns: Sequence[Column], higher: Mapping[str, bool | None]) -> Any:
    """Return a row for each model of each table, the best in the first column first.

    For each column its mean (`ndcg@10`) and the ends of its 95 % interval (`ndcg@10_low`, `ndcg@10_high`):
    over users, and over fits where there are several. NaN where there is no number.
    """
    import pandas as pd

    rows = [
        {**_split_columns(table), **_numbers(row, columns)}
        for table in tables
        for row in _in_order(table, columns, higher)
    ]
    head = (*("dataset", "split", "model", "settings", "status", "runs", "fits"), *(c.name for c in columns))
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=list(head))


def _in_order(table: Table, columns: Sequence[Column], higher: Mapping[str, bool | None]) -> Sequence[Row]:
    if not columns:
        return table.rows
    return best_first(table.rows, columns[0], len(table.runs), higher[columns[0].metric])


def _split_columns(table: Table) -> dict[str, Any]:
    return {"dataset": table.dataset_label, "split": table.split_label}


def _numbers(row: Row, columns: Sequence[Column]) -> dict[str, Any]:
    numbers: dict[str, Any] = {
        "model": row.model,
        "settings": settings_text(row),
        "status": row.status,
        "runs": row.done,
        "fits": row.fits,
    }
    for column in columns:
        value, name = row.values.get(column), column.name  # noqa: PD011 - no frame
        estimate = (None,) * 3 if value is None else (value.mean, value.low, value.high)
        ends = (np.nan if number is None else number for number in estimate)
        numbers |= dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))
    return numbers


def pairs(
    table: Table, tests: Pairwise, first: Collection[str] | None, second: Collection[str] | None
) -> list[dict[str, Any]]:
    """Return a row for each pair of models, the first against the second; labels, None for all."""
    models = [table.rows[row] for row in tests.rows]
    each_once = first is None and second is None
    return [
        {**_split_columns(table), **_pair(tests, i, j, one, other)}
        for i, one in enumerate(models)
        if first is None or one.label in first
        for j, other in enumerate(models)
        if (i < j if each_once else i != j) and (second is None or other.label in second)
    ]


def _pair(tests: Pairwise, i: int, j: int, one: Row, other: Row) -> dict[str, Any]:
    wins, losses = int(tests.wins[i, j]), int(tests.wins[j, i])
    return {
        "first": one.label,
        "second": other.label,
        "metric": tests.column.name,
        "difference": float(tests.difference[i, j]),
        "low": float(tests.low[i, j]),
        "high": float(tests.high[i, j]),
        "p": float(tests.p[i, j]),
        "p_corrected": float(tests.corrected[i, j]),
        "effect": float(tests.effect[i, j]),
        "wins": wins,
        "ties": tests.n_users - wins - losses,
        "losses": losses,
        "users": tests.n_users,
        "splits": tests.n_splits,
    }
