"""The content of the HTML page: text and tables for readers without a script, and data for the script."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.evaluation.catalogue import LEADING_K, OVERVIEW, PROMINENT, leading_k, leading_metric
from bakeoff.evaluation.metric import Metric
from bakeoff.queries.comparison import Column, Table, Value
from bakeoff.queries.select import Result
from bakeoff.report.charts import ChartSection
from bakeoff.report.charts.vega import short
from bakeoff.report.document import Document, definition
from bakeoff.report.page.board import Board, boards, ordered
from bakeoff.report.page.compared import (
    Describe,
    dataset_grid,
    missing_grid,
    model_grid,
    split_grid,
    subjects,
    unknown,
)
from bakeoff.report.page.packing import packed
from bakeoff.report.view import TIED, Grid, how_tested

BESIDE_N = 4
"""Number of metrics of OVERVIEW beside the chosen one."""

OPEN_SECTIONS = ("leaders", "differences", "tradeoffs", "ranks")
"""Sections of charts that are open at first; the others open on demand, so that the page stays short."""


@dataclass(frozen=True)
class Page:
    """What the template lays out.

    Args:
        document: the report in words, with all its tables.
        subjects: what was compared, in a sentence or two.
        compared: tables of data sets, splits and models; empty ones are left out.
        missing: what was skipped and failed; without rows if all is done.
        boards: one for each comparison, in the order of the leading metric.
        legends: how to read each board.
        shown: for each board the columns shown at first: the leading one, then BESIDE_N others; None in place
            of one that was not measured.
        sections: charts.
        open_sections: ids of those that are open at first.
        data: what the script needs, as JSON that may stand in a script element.
    """

    document: Document
    subjects: str
    compared: tuple[Grid, ...]
    missing: Grid
    boards: tuple[Board, ...]
    legends: tuple[str, ...]
    shown: tuple[tuple[Column | None, ...], ...]
    sections: tuple[ChartSection, ...]
    data: str
    open_sections: tuple[str, ...] = OPEN_SECTIONS


def page(
    document: Document,
    results: Sequence[Result],
    tables: Sequence[Table],
    metrics: Mapping[str, Metric],
    sections: Sequence[ChartSection] = (),
    describe: Describe = unknown,
) -> Page:
    """Return the page of a report.

    Args:
        describe: returns the description of a cell's data set, or the reason why there is none.
    """
    made = boards(tables)
    shown = [_shown(board) for board in made]
    made = [
        ordered(board, first, first is not None and metrics[first.metric].higher_is_better is False)
        for board, (first, *_) in zip(made, shown, strict=True)
    ]
    grids = (dataset_grid(results, describe), split_grid(tables), model_grid(tables))
    specs, packs = packed({chart.id: chart.spec for section in sections for chart in section.charts})
    data = {
        "boards": [_board_data(b) for b in made],
        "metrics": {n: [definition(m), m.higher_is_better] for n, m in metrics.items()},
        "usual": PROMINENT,
        "beside": OVERVIEW,
        "besideN": BESIDE_N,
        "usualK": LEADING_K,
        "tied": TIED,
        "charts": specs,
        "tables": packs,
    }
    return Page(
        document=document,
        subjects=subjects(grids[0], tables),
        compared=tuple(grid for grid in grids if grid.rows),
        missing=missing_grid(tables),
        boards=tuple(made),
        legends=tuple(map(_legend, made, tables)),
        shown=tuple(shown),
        sections=tuple(sections),
        data=script_json(data),
    )


def script_json(value: Any) -> str:
    """Return JSON for a script element: no text in it can end the element or open a comment.

    >>> script_json(["</script>"])
    '["\\\\u003c/script\\\\u003e"]'
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _shown(board: Board) -> tuple[Column | None, ...]:
    """Return the columns that are shown before one is chosen."""
    metric = leading_metric(column.metric for column in board.columns)
    if metric is None:
        return (None,) * (BESIDE_N + 1)
    ks = [column.k for column in board.columns if column.metric == metric]
    main = Column(metric, None if None in ks else leading_k(ks))
    at_k = [Column(metric, k) for metric in OVERVIEW if metric != main.metric for k in (main.k, None)]
    beside = [column for column in at_k if column in board.columns][:BESIDE_N]
    return (main, *beside, *(None,) * (BESIDE_N - len(beside)))


def _legend(board: Board, table: Table) -> str:
    """Return how to read a board."""
    values = [v for row in board.rows for v in row.values if v is not None]
    parts = ["Bold: best of its column; ties are all bold."] if any(v.best for v in values) else []
    if table.marks is not None and any(v.best for v in values):
        parts.append(f"{TIED}: not distinguishable from the best ({how_tested(table.marks)}).")
    if any(v.low is not None for v in values):
        over = "users and, where a model has several, fits" if board.several else "users"
        parts.append(f"Interval: 95 %, over {over}.")
    return " ".join(parts)


def _board_data(board: Board) -> dict[str, Any]:
    return {
        "dataset": board.dataset,
        "split": board.split,
        "columns": [
            [column.metric, column.k, digits]
            for column, digits in zip(board.columns, board.digits, strict=True)
        ],
        "rows": [[_value_data(value) for value in row.values] for row in board.rows],
    }


def _value_data(value: Value | None) -> list[float | int | None] | int:
    """Return mean, ends of the interval, marks (1 best, 2 not distinguishable from it); 0 without a value."""
    if value is None:
        return 0
    numbers = (short(number, 7) for number in (value.mean, value.low, value.high))
    return [*numbers, int(value.best) + 2 * int(value.tied)]
