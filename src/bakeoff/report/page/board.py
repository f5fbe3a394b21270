"""The leader board of a page: a row for each model with its intervals, costs and details."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from bakeoff.queries.comparison import Column, Row, Table, Value
from bakeoff.report.charts.frame import table_labels
from bakeoff.report.page.detail import Detail, detail, distinct_fits, whole
from bakeoff.report.view import (
    NOTHING,
    TIED,
    Entry,
    decimals,
    reason_texts,
    runs_text,
    seconds_entry,
    settings_text,
    status_text,
    visible,
)


@dataclass(frozen=True)
class BoardRow:
    """One model; `values` follow the columns of the board, `costs` the heads of its costs."""

    model: str
    settings: str
    status: str
    state: str
    reason: str
    runs: str
    values: tuple[Value | None, ...]
    costs: tuple[Entry, ...]
    detail: Detail


@dataclass(frozen=True)
class Board:
    """One comparison.

    Args:
        dataset, split: as the selectors and the charts name them.
        digits: decimals of each column.
        costs: heads of the columns of costs.
        several: whether there are several runs.
        incomplete: whether some runs have no numbers.
    """

    title: str
    dataset: str
    split: str
    columns: tuple[Column, ...]
    digits: tuple[int, ...]
    costs: tuple[str, ...]
    several: bool
    incomplete: bool
    rows: tuple[BoardRow, ...]


def boards(tables: Sequence[Table]) -> list[Board]:
    """Return a leader board for each table of a comparison."""
    return [_board(table, *labels) for table, labels in zip(tables, table_labels(tables), strict=True)]


def _board(table: Table, dataset: str, split: str) -> Board:
    tuned = any(row.tune != "none" for row in table.rows)
    return Board(
        title=table.title,
        dataset=dataset,
        split=split,
        columns=table.columns,
        digits=tuple(decimals(table, c) for c in table.columns),
        costs=(*(("tune s",) if tuned else ()), "fit s", "users / s", "peak MB"),
        several=len(table.runs) > 1,
        incomplete=any(row.status != "done" for row in table.rows),
        rows=tuple(_row(row, table, tuned) for row in table.rows),
    )


def _row(row: Row, table: Table, tuned: bool) -> BoardRow:
    fits = distinct_fits(row.results)
    speed = [r.n_users / r.seconds["recommend"] for r in fits if r.seconds.get("recommend", 0.0) > 0.0]
    costs = (
        *((seconds_entry(row.seconds.get("tune")),) if tuned else ()),
        seconds_entry(row.seconds.get("fit")),
        whole(sum(speed) / len(speed) if speed else None),
        whole(row.peak_mb),
    )
    values = (row.values.get(column) for column in table.columns)
    return BoardRow(
        model=visible(row.model),
        settings=settings_text(row),
        status=status_text(row, table),
        state=row.status,
        reason=" ".join(reason_texts(row, table)),
        runs=runs_text(row, table),
        values=tuple(v if v is not None and math.isfinite(v.mean) else None for v in values),
        costs=costs,
        detail=detail(row),
    )


# -- the columns that a board shows at one time ------------------------------------------------------


class CellText(NamedTuple):
    """One value of a board: the mean with its mark, and its interval."""

    text: str
    interval: str
    best: bool = False


def column_header(column: Column | None) -> str:
    """Return the head of a column, as in `ndcg@10`."""
    return NOTHING if column is None else visible(column.name)


def cell_text(row: BoardRow, board: Board, column: Column | None) -> CellText:
    """Return the texts of a row's value in a column; None stands for a board without numbers."""
    at = None if column is None else board.columns.index(column)
    value = None if at is None else row.values[at]
    if at is None or value is None:
        return CellText(NOTHING, NOTHING)
    digits = board.digits[at]
    text = f"{value.mean:.{digits}f}{TIED if value.tied else ''}"
    if value.low is None or value.high is None:
        return CellText(text, NOTHING, value.best)
    return CellText(text, f"{value.low:.{digits}f} to {value.high:.{digits}f}", value.best)


def ordered(board: Board, column: Column | None, ascending: bool) -> Board:
    """Return the board with the best rows of a column first; rows without a value come last."""
    if column is None:
        return board
    at, sign = board.columns.index(column), 1.0 if ascending else -1.0

    def order(row: BoardRow) -> tuple[bool, float]:
        value = row.values[at]
        return value is None, 0.0 if value is None else sign * value.mean

    return replace(board, rows=tuple(sorted(board.rows, key=order)))
