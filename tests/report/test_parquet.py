"""Parquet holds what the CSV holds, with types."""

from __future__ import annotations

import csv as reader
import io

import pyarrow as pa
import pytest
from pyarrow import parquet as reference

from bakeoff.report import rows


@pytest.fixture
def results(make):
    numbers = {"ndcg": {"10": (0.1 + 0.2, 0.01)}, "gini": {"10": (1e-12, None)}, "auc": {"": (0.5, 0.02)}}
    hostile = 'a,"b"\n<script>\u202e 🎵'
    done = make("als", numbers, fold=3, variant=hostile, parameters={"factors": 8, "tag": hostile})
    return [done, make(hostile, status="failed", reason=hostile)]


TABLES = [
    (rows.METRIC_COLUMNS, lambda results: rows.metric_rows(results, (10,))),
    (rows.CELL_COLUMNS, rows.cell_rows),
]


def text_of(value) -> str:
    return "" if value is None else value if isinstance(value, str) else repr(value)


@pytest.mark.parametrize(("header", "rows_of"), TABLES, ids=["metrics", "cells"])
def test_parquet_holds_the_fields_of_the_csv(header, rows_of, results) -> None:
    table = reference.read_table(pa.BufferReader(rows.parquet_bytes(header, rows_of(results))))
    written = list(reader.DictReader(io.StringIO(rows.csv_text(header, rows_of(results)), newline="")))
    assert [{k: text_of(v) for k, v in row.items()} for row in table.to_pylist()] == written
    assert len(written) > 1


@pytest.mark.parametrize(("header", "rows_of"), TABLES, ids=["metrics", "cells"])
def test_types_do_not_depend_on_the_rows(header, rows_of, results) -> None:
    full, empty = (rows.arrow_table(header, some) for some in (rows_of(results), []))
    assert full.schema == empty.schema
    kinds = {name: str(full.schema.field(name).type) for name in header}
    assert {kinds[n] for n in ("split_seed", "fold", "seed")} == {"int64"}
    assert kinds["key"] == kinds["variant"] == "string"
    assert {kinds[n] for n in header if n.endswith("_s") or n in ("value", "stderr")} == {"double"}


def test_the_same_rows_give_the_same_bytes(results) -> None:
    first, second = (
        rows.parquet_bytes(rows.CELL_COLUMNS, rows.cell_rows(r)) for r in (results, results[::-1])
    )
    assert first == second
