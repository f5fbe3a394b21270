"""What the page holds beside the document: boards, details of rows, data sets, and the data of its script."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.data.describe import describe
from bakeoff.data.source import Dataset, Step
from bakeoff.queries.comparison import Column, comparison
from bakeoff.report.document import document
from bakeoff.report.page import (
    BESIDE_N,
    columns,
    dataset_grid,
    detail,
    packed,
    page,
    portable,
    shown_columns,
    unknown,
)
from toys import blocks

NUMBERS = {"ndcg": {"10": (0.25, 0.01)}}


def paged(results, metrics, ks=(5, 10, 20)):
    tables = comparison(results, ks, metrics)
    return page(document("x", results, tables, metrics, []), results, tables, metrics)


def board(results, metrics, ks=(10,)):
    return paged(results, metrics, ks).boards[0]


# -- leader boards -----------------------------------------------------------------------------------


def test_the_metric_most_asked_for_is_shown_first_at_ten(make, metrics) -> None:
    both = {"gini": {"10": (0.5, None)}, "ndcg": dict.fromkeys(("5", "10", "20"), (0.1, 0.01))}
    for ks, k in (((5, 10, 20), 10), ((5, 20), 5)):
        (table,) = comparison([make("a", both)], ks, metrics)
        first, *beside = shown_columns(table)
        assert first == Column("ndcg", k)
        assert beside == [None] * BESIDE_N


def test_what_was_not_measured_has_an_empty_board(make, metrics) -> None:
    result = paged([make("a", status="failed", reason="broke")], metrics)
    assert [head.text for head in result.boards[0].heads[: 1 + BESIDE_N]] == [""] * (1 + BESIDE_N)
    assert json.loads(result.data)["boards"][0]["columns"] == []


def test_the_board_has_the_figures_and_costs_of_the_document(make, metrics) -> None:
    results = [make("a", {"ndcg": {"10": (0.25, 0.01)}}), make("b", {"ndcg": {"10": (0.5, None)}})]
    tables = comparison(results, (10,), metrics)
    doc = document("x", results, tables, metrics, [])
    (made,) = page(doc, results, tables, metrics).boards
    (figures,), costs = doc.sections[0].metrics, doc.sections[0].costs
    assert [row.model for row in made.rows] == [row[0].text for row in figures.rows] == ["b", "a"]
    assert [row.entries[0] for row in made.rows] == [row[1] for row in figures.rows]
    assert made.rows[0].entries[0].bold
    shown = [head.text for head in costs.heads if head.kind == "figure"]
    assert [head.text for head in made.heads[1 + BESIDE_N :]] == shown


def test_a_row_without_numbers_says_why_and_comes_last(make, metrics) -> None:
    results = [
        make("a", status="failed", reason="broke", traceback="Traceback\nmore"),
        make("b", {"ndcg": {"10": (0.1, 0.01)}}),
        make("c", {"ndcg": {"10": (0.3, 0.01)}}),
    ]
    made = board(results, metrics)
    assert [row.model for row in made.rows] == ["c", "b", "a"]
    failed = made.rows[-1]
    assert (failed.status, failed.reason, failed.entries[0].text) == ("failed", "failed: broke", "–")  # noqa: RUF001
    assert made.heads[-1].text == "status"
    assert failed.detail.failures[0].traceback == "Traceback\nmore"


def test_boards_of_one_name_are_told_apart_by_what_their_splits_hold(make, metrics) -> None:
    pairs = [make("a", NUMBERS, split_family=f"f{n}", fingerprint=f"s{n}", key=f"c{n}") for n in (1, 2)]
    assert [b.split for b in paged(pairs, metrics).boards] == ["random [s1]", "random [s2]"]


# -- details of a row --------------------------------------------------------------------------------


def of(results, metrics):
    (table,) = comparison(results, (10,), metrics)
    return detail(table.rows[0])


def trial(number, value, **more):
    return {"number": number, "value": value, "state": "complete", "seconds": 1.5, **more}


def tuning(trials, **more):
    best = {"number": 1, "value": 0.5, "parameters": {"factors": 64}}
    about = {"budget": {"trials": 2, "seconds": None}, "metric": "ndcg@10", "direction": "maximize"}
    return {**about, "sampler": "tpe", "pruner": "none", "best": best, "trials": trials, **more}


def test_runs_with_other_parameters_stand_apart(make, metrics) -> None:
    results = [
        make("a", NUMBERS, seed=s, parameters={"factors": f, "weights": "none"})
        for s, f in ((1, 64), (2, 32), (3, 64))
    ]
    grid = of(results, metrics).grids[0]
    assert grid.caption == "Hyperparameters" and grid.notes == ("The same in every row: weights none.",)
    assert [[entry.text for entry in row] for row in grid.rows] == [
        ["split seed 42, seed 1 and 3", "64"],
        ["split seed 42, seed 2", "32"],
    ]


def test_what_was_not_fitted_shows_what_was_configured(make, metrics) -> None:
    failed = make("a", status="failed", reason="broke", build={"factors": 8}, traceback="")
    assert of([failed], metrics).notes == ("Hyperparameters: factors=8.",)


def test_runs_that_share_a_fit_share_a_line(make, metrics) -> None:
    results = [make("a", NUMBERS, key="c1", seed=s) for s in (1, 2)] + [make("a", NUMBERS, key="c2", seed=3)]
    (grid,) = of(results, metrics).grids
    assert [[entry.text for entry in row] for row in grid.rows] == [
        ["c1", "split seed 42, seed 1 and 2"],
        ["c2", "split seed 42, seed 3"],
    ]
    assert "status done" in grid.notes[0]


def test_trials_show_what_was_tried_and_mark_the_best(make, metrics) -> None:
    trials = [trial(0, 0.25, parameters={"factors": 16}), trial(1, 0.5, parameters={"factors": 64})]
    edges = tuning(trials, edges=["factors=64 lies at the high end"])
    made = of([make("a", NUMBERS, tune={"name": "optuna"}, tuning=edges)], metrics)
    (grid,) = made.trials
    assert grid.caption == "Trials of split seed 42, seed 1 (tpe)"
    assert made.notes[-1] == "split seed 42, seed 1: factors=64 lies at the high end"
    assert [head.text for head in grid.heads] == ["trial", "ndcg@10", "factors"]
    assert [[e.text for e in row] for row in grid.rows] == [["0", "0.2500", "16"], ["1★", "0.5000", "64"]]
    assert [row[1].bold for row in grid.rows] == [False, True]
    assert grid.notes == ("The same in every row: state complete, seconds 1.500.",)


def test_several_objectives_have_a_column_each_and_failures_their_reason(make, metrics) -> None:
    values = {"ndcg@10": 0.5, "novelty@10": 7.0}
    trials = [
        trial(0, 0.5, values=values, parameters={}),
        {"number": 1, "value": None, "state": "failed", "seconds": 0.1, "reason": "ValueError: no"},
    ]
    record = tuning(trials, objectives=list(values), directions=["maximize"] * 2)
    record["best"] = None
    (grid,) = of([make("a", NUMBERS, tune={"name": "optuna"}, tuning=record)], metrics).trials
    heads = ["trial", "state", "ndcg@10", "novelty@10", "seconds", "reason"]
    assert [head.text for head in grid.heads] == heads
    assert [e.text for e in grid.rows[0]] == ["0", "complete", "0.5000", "7.000", "1.500", ""]
    assert [e.text for e in grid.rows[1]] == ["1", "failed", "–", "–", "0.100", "ValueError: no"]  # noqa: RUF001


def test_each_reason_stands_once_with_its_traceback(make, metrics) -> None:
    results = [
        make("a", status="failed", reason=why, traceback=f"at {why}", seed=s)
        for s, why in enumerate(("x", "y", "x"), 1)
    ]
    assert [(b.runs, b.reason, b.traceback) for b in of(results, metrics).failures] == [
        ("failed: split seed 42, seed 1 and 3", "x", "at x"),
        ("failed: split seed 42, seed 2", "y", "at y"),
    ]


@pytest.mark.parametrize(
    ("path", "portable_path"),
    [
        ("/anywhere/.venv/lib/python3.11/site-packages/implicit/cpu/als.py", "implicit/cpu/als.py"),
        ("/anywhere/work/src/bakeoff/runner.py", "bakeoff/runner.py"),
        ("/anywhere/mine/models.py", "mine/models.py"),
        ("C:\\Users\\me\\mine\\models.py", "mine/models.py"),
        ("models.py", "models.py"),
        ("<frozen runpy>", "<frozen runpy>"),
    ],
)
def test_a_traceback_names_no_folder_of_the_machine(path, portable_path) -> None:
    assert portable(f'  File "{path}", line 3, in x') == f'  File "{portable_path}", line 3, in x'


def test_control_characters_of_a_traceback_are_shown(make, metrics) -> None:
    failed = make("a", status="failed", reason="x", traceback="one\x1b[31m\ntwo\u202e")
    assert of([failed], metrics).failures[0].traceback == "one\\x1b[31m\ntwo\\u202e"


# -- what was compared -------------------------------------------------------------------------------


def texts(grid):
    return [dict(zip([h.text for h in grid.heads], [e.text for e in row], strict=True)) for row in grid.rows]


def test_a_data_set_is_told_by_size_density_and_long_tail(make) -> None:
    data = blocks()
    dataset = Dataset("plays", data, (Step("read", len(data), 24, 16, "<b>"),))
    (row,) = texts(dataset_grid([make("a"), make("b")], lambda cell: describe(dataset)))
    pairs = {(u, i) for u, i in zip(data.users, data.items, strict=True)}
    counts = np.sort(np.bincount([i for _, i in pairs]))[::-1]
    assert (row["users"], row["items"], row["interactions"]) == ("24", "16", str(len(pairs)))
    assert row["density"] == f"{100 * len(pairs) / (24 * 16):.3g} %"
    assert row["top 10 % hold"] == f"{100 * counts[:2].sum() / counts.sum():.3g} %"  # 10 % of 16, rounded up
    assert row["prepared"] == f"read (<b>): {len(data):,} rows"


def test_a_data_set_that_is_not_at_hand_says_so(make, metrics) -> None:
    grid = dataset_grid([make("a")], unknown)
    (row,) = texts(grid)
    assert row["prepared"] == "the data are not at hand"
    assert paged([make("a", NUMBERS)], metrics).subjects.startswith("1 model on plays; split")


def test_only_what_there_is_stands_under_what_was_compared(make, metrics) -> None:
    result = paged([make("a", status="failed", reason="broke", fingerprint="")], metrics)
    assert [grid.caption for grid in result.compared] == ["Data sets"]


# -- data of charts ----------------------------------------------------------------------------------

VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers(), max_size=3)
ROWS = st.lists(st.text(max_size=4), min_size=1, max_size=4, unique=True).flatmap(
    lambda keys: st.lists(st.fixed_dictionaries(dict.fromkeys(keys, VALUES)), min_size=1, max_size=6)
)


def unpacked(table):
    """What report.js makes of a packed table."""
    if isinstance(table, list):
        return table
    full = {key: [c["of"][n] for n in c["at"]] if isinstance(c, dict) else c for key, c in table.items()}
    return [dict(zip(full, row, strict=True)) for row in zip(*full.values(), strict=True)]


@given(ROWS)
def test_a_table_comes_back_from_its_columns(rows) -> None:
    assert unpacked(json.loads(json.dumps(columns(rows)))) == rows


def test_a_table_of_several_charts_is_kept_once() -> None:
    rows = [{"a": "x", "b": 1}, {"a": "y", "b": 2}]
    specs = {
        "one": {"data": {"name": "r1"}, "datasets": {"r1": rows}},
        "two": {"data": {"name": "r1"}, "datasets": {"r1": copy.deepcopy(rows), "r2": [{"a": 1}]}},
        "three": {"data": {"values": [1]}},
    }
    before = copy.deepcopy(specs)
    result, tables = packed(specs)
    assert specs == before
    assert {name: spec.get("datasets") for name, spec in result.items()} == {
        "one": ["r1"],
        "two": ["r1", "r2"],
        "three": None,
    }
    assert {name: unpacked(table) for name, table in tables.items()} == {"r1": rows, "r2": [{"a": 1}]}


@pytest.mark.parametrize("rows", [[], [{}], [{"a": 1}, {"b": 1}], [1, 2], [{"a": 1}, 2]])
def test_what_has_no_columns_stays_as_it_is(rows) -> None:
    assert packed({"one": {"datasets": {"r": rows}}})[1] == {"r": rows}


def test_one_name_never_means_two_tables() -> None:
    with pytest.raises(ValueError, match="chart 'two': data set 'r' has other rows"):
        packed({"one": {"datasets": {"r": [{"a": 1}]}}, "two": {"datasets": {"r": [{"a": 2}]}}})
