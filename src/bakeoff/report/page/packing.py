"""Data of charts in few bytes: each table once, by columns, with texts as indices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Rows = Sequence[Mapping[str, Any]]


def packed(specs: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Take the named `datasets` out of specifications.

    Returns the specifications with the names of their data sets alone, and the data sets by name: by columns
    where every row has the same keys, else as they were. The script of the page puts them back.

    Raises:
        ValueError: two specifications mean different data by one name.
    """
    result: dict[str, Any] = {}
    tables: dict[str, Rows] = {}
    for id_, spec in specs.items():
        named: Mapping[str, Rows] = spec.get("datasets", {})
        for name, rows in named.items():
            if tables.setdefault(name, rows) != rows:
                raise ValueError(f"chart {id_!r}: data set {name!r} has other rows than in another chart")
        result[id_] = {**spec, "datasets": list(named)} if named else spec
    return result, {name: columns(rows) if _is_even(rows) else rows for name, rows in tables.items()}


def _is_even(rows: Rows) -> bool:
    """Return whether every row has the same keys, at least one, in the same order."""
    if not rows or not isinstance(rows[0], Mapping) or not rows[0]:
        return False
    keys = list(rows[0])
    return all(isinstance(row, Mapping) and list(row) == keys for row in rows)


def columns(rows: Rows) -> dict[str, Any]:
    """Return a table by columns: values as they are, or `{"of": distinct texts, "at": numbers of them}`.

    >>> columns([{"m": "als", "k": 5}, {"m": "als", "k": 10}])
    {'m': {'of': ['als'], 'at': [0, 0]}, 'k': [5, 10]}
    """
    return {key: _column([row[key] for row in rows]) for key in rows[0]}


def _column(values: Sequence[Any]) -> Any:
    if not all(isinstance(value, str) for value in values):
        return list(values)
    distinct = {text: number for number, text in enumerate(dict.fromkeys(values))}
    return {"of": list(distinct), "at": [distinct[text] for text in values]}
