"""The leader board of a page: a row for each model, its interval and its price, and what lies behind it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from bakeoff.queries.tables import Column, Row, Table
from bakeoff.report.page.detail import Detail, detail, fits_of, whole
from bakeoff.report.wording import (
    NOTHING,
    TIED,
    Entry,
    decimals,
    reason_texts,
    runs_text,
    seconds_entry,
    settings_text,
    status_text,
    title,
    visible,
)


@dataclass(frozen=True)
class Point:
    """A mean with the ends of its 95 % interval, None where it has none."""

    mean: float
    low: float | None
    high: float | None
    best: bool
    tied: bool
    fits: int


@dataclass(frozen=True)
class BoardRow:
    """One model: `points` follow the columns of the table, `costs` the heads of the board."""

    model: str
    settings: str
    status: str
    state: str
    reason: str
    runs: str
    points: tuple[Point | None, ...]
    costs: tuple[Entry, ...]
    detail: Detail


@dataclass(frozen=True)
class Board:
    """One comparison.

    Args:
        dataset, split: as the selectors and the charts name them.
        places: decimals of each column.
        costs: heads of the columns of costs.
        several: whether there are several runs; incomplete: whether some have no numbers.
        fingerprint: of the first split, "" where none was made.
    """

    title: str
    dataset: str
    split: str
    columns: tuple[Column, ...]
    places: tuple[int, ...]
    costs: tuple[str, ...]
    several: bool
    incomplete: bool
    fingerprint: str
    rows: tuple[BoardRow, ...]


def board(table: Table) -> Board:
    """Put one table of a comparison into the form of a leader board."""
    tuned = any(row.tune != "none" for row in table.rows)
    costs = (*(("tune s",) if tuned else ()), "fit s", "users / s", "peak MB")
    return Board(
        title=title(table),
        dataset=table.dataset_label,
        split=table.split_label,
        columns=table.columns,
        places=tuple(decimals(table, c) for c in table.columns),
        costs=costs,
        several=len(table.runs) > 1,
        incomplete=any(row.status != "done" for row in table.rows),
        fingerprint=table.parts[0].fingerprint if table.parts else "",
        rows=tuple(_row(row, table, tuned) for row in table.rows),
    )


def distinct_places(boards: Sequence[Board]) -> list[Board]:
    """The boards, those of one data set and split told apart by what their splits hold."""
    several = Counter((board.dataset, board.split) for board in boards)
    return [
        replace(board, split=f"{board.split} [{board.fingerprint}]")
        if several[board.dataset, board.split] > 1
        else board
        for board in boards
    ]


def _row(row: Row, table: Table, tuned: bool) -> BoardRow:
    fits = fits_of(row.results)
    speed = [r.n_users / r.seconds["recommend"] for r in fits if r.seconds.get("recommend", 0.0) > 0.0]
    costs = (
        *((seconds_entry(row.seconds.get("tune")),) if tuned else ()),
        seconds_entry(row.seconds.get("fit")),
        whole(sum(speed) / len(speed) if speed else None),
        whole(row.peak_mb),
    )
    return BoardRow(
        model=visible(row.model),
        settings=settings_text(row),
        status=status_text(row, table),
        state=row.status,
        reason=" ".join(reason_texts(row, table)),
        runs=runs_text(row, table),
        points=tuple(_point(row, c) for c in table.columns),
        costs=costs,
        detail=detail(row),
    )


def _point(row: Row, column: Column) -> Point | None:
    value = row.values.get(column)
    if value is None or not math.isfinite(value.mean):
        return None
    return Point(value.mean, value.low, value.high, value.best, value.tied, value.fits)


# -- the columns that a board shows at one time ------------------------------------------------------


class Shown(NamedTuple):
    """One value of a board in words: the mean with its mark, and its interval."""

    text: str
    interval: str
    best: bool = False


def headed(column: Column | None) -> str:
    """The head of a column: `ndcg@10`."""
    if column is None:
        return NOTHING
    return visible(column.metric if column.k is None else f"{column.metric}@{column.k}")


def shown(row: BoardRow, board: Board, column: Column | None) -> Shown:
    """What stands in a row for a column; None stands for a board without numbers."""
    at = None if column is None else board.columns.index(column)
    point = None if at is None else row.points[at]
    if at is None or point is None:
        return Shown(NOTHING, NOTHING)
    digits = board.places[at]
    text = f"{point.mean:.{digits}f}{TIED if point.tied else ''}"
    if point.low is None or point.high is None:
        return Shown(text, NOTHING, point.best)
    return Shown(text, f"{point.low:.{digits}f} to {point.high:.{digits}f}", point.best)


def ordered(board: Board, column: Column | None, rising: bool) -> Board:
    """The board with the rows of the best values first; those without a value come last."""
    if column is None:
        return board
    at, sign = board.columns.index(column), 1.0 if rising else -1.0

    def place(row: BoardRow) -> tuple[bool, float]:
        point = row.points[at]
        return point is None, 0.0 if point is None else sign * point.mean

    return replace(board, rows=tuple(sorted(board.rows, key=place)))
