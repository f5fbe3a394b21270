from __future__ import annotations

import csv as reader
import io

import pyarrow as pa
import pytest
from pyarrow import parquet as reference

from bakeoff.report.rows import (
    CELL_COLUMNS,
    METRIC_COLUMNS,
    arrow_table,
    cell_rows,
    csv_text,
    metric_rows,
    parquet_bytes,
)

NUMBERS = {
    "ndcg": {"5": (0.25, 0.01), "10": (0.5, 0.02)},
    "auc": {"": (0.75, None)},
    "gini": {"5": (0.125, None), "10": (0.1, None)},
}


def test_the_columns_are_those_of_the_contract() -> None:
    assert ", ".join(METRIC_COLUMNS) == (
        "key, dataset, split, split_seed, fold, split_fingerprint, model, variant, tune, seed, k, metric, "
        "value, stderr, n_users"
    )
    assert ", ".join(CELL_COLUMNS) == (
        "key, dataset, split, split_seed, fold, split_fingerprint, model, variant, tune, seed, status, "
        "reason, parameters, load_s, split_s, tune_s, fit_s, recommend_s, evaluate_s, write_s, peak_mb"
    )


def test_each_metric_and_k_is_a_row_in_order(make) -> None:
    result = metric_rows([make(metrics=NUMBERS, key="c1", variant="factors=8")], (10, 5))
    coordinates = ("c1", "plays", "random", 42, None, "s42", "als", "factors=8", "none", 1)
    assert result == [
        (*coordinates, None, "auc", 0.75, None, 50),
        (*coordinates, 5, "gini", 0.125, None, 50),
        (*coordinates, 10, "gini", 0.1, None, 50),
        (*coordinates, 5, "ndcg", 0.25, 0.01, 50),
        (*coordinates, 10, "ndcg", 0.5, 0.02, 50),
    ]


def test_only_the_ks_and_metrics_asked_for_are_told(make) -> None:
    result = metric_rows([make(metrics=NUMBERS)], (5,), ("ndcg", "auc"))
    assert [row[10:12] for row in result] == [(None, "auc"), (5, "ndcg")]


def test_rows_do_not_depend_on_the_order_of_results(make) -> None:
    results = [
        make(m, NUMBERS, seed=s, split_seed=p) for m in ("als", "warp") for s in (2, 10) for p in (1, 0)
    ]
    rows = metric_rows(results, (5, 10))
    assert rows == metric_rows(results[::-1], (5, 10))
    assert [row[9] for row in rows[::5]] == [2, 10, 2, 10, 2, 10, 2, 10]
    assert len(rows) == len(results) * 5


def test_every_asked_seed_of_one_stored_record_has_its_rows(make) -> None:
    results = [make("ease", NUMBERS, key="c1", seed=seed) for seed in (1, 2, 3)]
    assert [row[9] for row in metric_rows(results, (5,), ("ndcg",))] == [1, 2, 3]
    assert [row[9] for row in cell_rows(results)] == [1, 2, 3]


def test_a_cell_without_numbers_has_a_row_with_its_reason(make) -> None:
    failed = make(status="failed", reason="MemoryError: 9 GB", seconds={"load": 0.5}, fold=2)
    assert metric_rows([failed], (5,)) == []
    row = dict(zip(CELL_COLUMNS, cell_rows([failed])[0], strict=True))
    assert (row["status"], row["reason"], row["fold"], row["parameters"]) == (
        "failed",
        "MemoryError: 9 GB",
        2,
        "{}",
    )
    assert (row["load_s"], row["fit_s"]) == (0.5, None)


def test_a_tuned_cell_names_its_tuning(make) -> None:
    assert cell_rows([make(tune={"name": "optuna", "trials": 50})])[0][8] == "optuna"


def test_csv_reads_back_to_the_same_numbers_and_texts(make) -> None:
    odd = make(
        "a,b \"c\" 'd' été 🎵 ‏עברית",
        {"ndcg": {"5": (0.1 + 0.2, 1e-17)}},
        parameters={"x": "é", "a": [1, 2.5]},
    )
    text = csv_text(METRIC_COLUMNS, metric_rows([odd], (5,)))
    (row,) = reader.DictReader(io.StringIO(text))
    assert row["model"] == odd.request.cell.model["name"]
    assert (float(row["value"]), float(row["stderr"]), row["fold"]) == (0.1 + 0.2, 1e-17, "")
    (cell,) = reader.DictReader(io.StringIO(csv_text(CELL_COLUMNS, cell_rows([odd]))))
    assert cell["parameters"] == '{"a": [1, 2.5], "x": "é"}'


def test_control_characters_never_break_a_row_of_csv(make) -> None:
    odd = make("a\nb\rc\x00d\ud800e\u202ef", status="failed", reason="one\ttwo\u2028three")
    text = csv_text(CELL_COLUMNS, cell_rows([odd]))
    assert text.count("\n") == 2
    assert "\r" not in text
    assert r"a\nb\rc\x00d\ud800e\u202ef" in text
    assert r"one\ttwo\u2028three" in text
    text.encode()


# -- Parquet holds what the CSV holds, with types ---------------------------------------------------


@pytest.fixture
def results(make):
    numbers = {"ndcg": {"10": (0.1 + 0.2, 0.01)}, "gini": {"10": (1e-12, None)}, "auc": {"": (0.5, 0.02)}}
    hostile = 'a,"b"\n<script>\u202e 🎵'
    done = make("als", numbers, fold=3, variant=hostile, parameters={"factors": 8, "tag": hostile})
    return [done, make(hostile, status="failed", reason=hostile)]


TABLES = [
    (METRIC_COLUMNS, lambda results: metric_rows(results, (10,))),
    (CELL_COLUMNS, cell_rows),
]


def text_of(value) -> str:
    return "" if value is None else value if isinstance(value, str) else repr(value)


@pytest.mark.parametrize(("header", "rows_of"), TABLES, ids=["metrics", "cells"])
def test_parquet_holds_the_fields_of_the_csv(header, rows_of, results) -> None:
    table = reference.read_table(pa.BufferReader(parquet_bytes(header, rows_of(results))))
    written = list(reader.DictReader(io.StringIO(csv_text(header, rows_of(results)), newline="")))
    assert [{k: text_of(v) for k, v in row.items()} for row in table.to_pylist()] == written
    assert len(written) > 1


@pytest.mark.parametrize(("header", "rows_of"), TABLES, ids=["metrics", "cells"])
def test_types_do_not_depend_on_the_rows(header, rows_of, results) -> None:
    full, empty = (arrow_table(header, some) for some in (rows_of(results), []))
    assert full.schema == empty.schema
    kinds = {name: str(full.schema.field(name).type) for name in header}
    assert {kinds[n] for n in ("split_seed", "fold", "seed")} == {"int64"}
    assert kinds["key"] == kinds["variant"] == "string"
    assert {kinds[n] for n in header if n.endswith("_s") or n in ("value", "stderr")} == {"double"}


def test_the_same_rows_give_the_same_bytes(results) -> None:
    first, second = (parquet_bytes(CELL_COLUMNS, cell_rows(r)) for r in (results, results[::-1]))
    assert first == second
