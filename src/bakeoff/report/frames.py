"""What a report holds as pandas frames, for notebooks: the numbers are those of the tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from bakeoff.queries.pairs import Pairwise
from bakeoff.queries.tables import Column, Row, Table
from bakeoff.report.render import parquet
from bakeoff.report.rows import CsvRow
from bakeoff.report.wording import settings_text

MAYBE = ("fold", "k")
"""Whole numbers that a row may be without: they are Int64, which has a place for that."""


def of_rows(header: Sequence[str], rows: Iterable[CsvRow]) -> Any:
    """Return the rows of a CSV file as a frame, with its column names and types."""
    import pandas as pd
    import pyarrow as pa

    frame = parquet.table(header, rows).to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    sure = [c for c in parquet.WHOLE if c in header and c not in MAYBE]
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
        for row in sorted(table.rows, key=lambda row: _merit(row, columns, higher))
    ]
    head = (*("dataset", "split", "model", "settings", "status", "runs", "fits"), *(c.name for c in columns))
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=list(head))


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


def _merit(row: Row, columns: Sequence[Column], higher: Mapping[str, bool | None]) -> tuple[bool, float, str]:
    """Return the sort key: best first in the first column, rows without a number last."""
    value = row.values.get(columns[0]) if columns else None  # noqa: PD011 - no frame
    if value is None:
        return True, 0.0, row.model
    return False, value.mean if higher[columns[0].metric] is False else -value.mean, row.model


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
