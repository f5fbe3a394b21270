"""One table for a paper: models as rows, data sets as groups of columns, as LaTeX, Markdown, HTML or data."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bakeoff.evaluation.metric import Metric
from bakeoff.queries.comparison import Column, Row, Table, Value, ranking
from bakeoff.report.render import html, latex, markdown
from bakeoff.report.view import TIED, Entry, Grid, Head, decimals, entry, how_tested, mean_text, visible

PaperForm = Literal["latex", "markdown", "html", "json"]

BEST, SECOND = "best", "second"


@dataclass(frozen=True)
class Figure:
    """A model's value in a column of one comparison, and whether it is its best or second best."""

    table: Table
    column: Column
    value: Value | None
    rank: str = ""


@dataclass(frozen=True)
class PaperTable:
    """The label of each model with a figure for each column of each comparison, and how to read them."""

    rows: tuple[tuple[str, tuple[Figure, ...]], ...]
    notes: tuple[str, ...]
    intervals: bool


def paper_table(
    tables: Sequence[Table],
    metrics: Mapping[str, Metric],
    models: Sequence[str] = (),
    *,
    intervals: bool = False,
) -> PaperTable:
    """Return one table of all comparisons.

    Args:
        tables: with intervals and marks; their columns are those of the table.
        models: labels in the order of the rows; none sorts by the mean rank over all columns, best first.
        intervals: whether figures show half of their interval.
    """
    columns = [
        (table, column, ranking(table.rows, column, len(table.runs), metrics[column.metric].higher_is_better))
        for table in tables
        for column in table.columns
    ]
    ranks: dict[str, list[int]] = {row.label: [] for table in tables for row in table.rows}
    for _, _, ranked in columns:
        for at, row in enumerate(ranked):
            ranks[row.label].append(at)
    by_mean_rank = sorted(ranks, key=lambda label: (statistics.fmean(ranks[label] or [len(ranks)]), label))
    rows = (
        (visible(label), tuple(_figure(label, *of_column) for of_column in columns))
        for label in models or by_mean_rank
    )
    return PaperTable(tuple(rows), _notes(tables, intervals), intervals)


def _figure(label: str, table: Table, column: Column, ranked: Sequence[Row]) -> Figure:
    row = next((row for row in table.rows if row.label == label), None)
    value = row.values.get(column) if row is not None else None
    second = next((other for other in ranked if not other.values[column].best), None)
    rank = BEST if value is not None and value.best else SECOND if row and row is second else ""
    return Figure(table, column, value, rank)


def _notes(tables: Sequence[Table], intervals: bool) -> tuple[str, ...]:
    notes = ["Bold: best of its column. Underlined: second best."]
    tests = {how_tested(table.marks) for table in tables if table.marks is not None}
    if tests:
        notes.append(f"{TIED}: not distinguishable from the best ({'; '.join(sorted(tests))}).")
    if intervals:
        notes.append("±: half of the 95 % interval.")
    runs = {len(table.runs) for table in tables}
    notes.append(
        f"Means over {' or '.join(map(str, sorted(runs)))} runs." if runs != {1} else "One run each."
    )
    return tuple(notes)


def render(table: PaperTable, form: PaperForm) -> str:
    """Return the table in one of its forms, ending with a line end; not for json (see `as_document`)."""
    forms: Mapping[str, Callable[[Grid], str]] = {
        "latex": latex.paper_tables,
        "markdown": markdown.table,
        "html": html.table,
    }
    return forms[form](_grid(table)) + "\n"


def _grid(table: PaperTable) -> Grid:
    figures = table.rows[0][1] if table.rows else ()
    titles = [visible(f.table.title) for f in figures]
    several = len({id(f.table) for f in figures}) > 1
    heads = [
        Head(visible(f.column.name), "figure", title if several else "")
        for f, title in zip(figures, titles, strict=True)
    ]
    rows = tuple(
        (Entry(label), *(_entry(figure, table.intervals) for figure in figures))
        for label, figures in table.rows
    )
    caption = titles[0] if titles and not several else ""
    return Grid(caption, (Head("model"), *heads), rows, table.notes).without_constants()


def _entry(figure: Figure, intervals: bool) -> Entry:
    value = figure.value
    if value is None:
        return entry(None)
    half = value.half if intervals else None
    text = mean_text(value.mean, half, decimals(figure.table, figure.column)) + TIED * value.tied
    return Entry(text, value.best, value.mean, figure.rank == SECOND)


def as_document(table: PaperTable) -> dict[str, Any]:
    """Return the table as plain data: a row for each model, data set with split, metric and k."""
    return {
        "rows": [
            {
                "model": label,
                "split": visible(figure.table.title),
                "metric": figure.column.metric,
                "k": figure.column.k,
                "value": figure.value.mean if figure.value is not None else None,
                "ci_half_width": figure.value.half if figure.value is not None else None,
                "rank": figure.rank,
                "tied": figure.value is not None and figure.value.tied,
            }
            for label, figures in table.rows
            for figure in figures
        ],
        "notes": list(table.notes),
    }
