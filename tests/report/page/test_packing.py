from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.report.page.packing import columns, packed

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
