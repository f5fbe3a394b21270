"""Small tables as a piece of HTML, for the output of a notebook's cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from bakeoff.queries.tables import Table
from bakeoff.report.layout import Grid, Head
from bakeoff.report.wording import Entry, decimals, settings_text, title, value_entry, visible

_RIGHT = ' style="text-align: right"'


def render(headline: str, grids: Iterable[Grid], notes: Iterable[str] = ()) -> str:
    """Return headline, tables and notes as HTML; every text is escaped."""
    parts = [f"<p><strong>{escape(headline)}</strong></p>"]
    parts += [_table(grid) for grid in grids]
    parts += [f"<p>{escape(note)}</p>" for note in notes]
    return f"<div>{''.join(parts)}</div>"


def grid(table: Table, k: int, metrics: Sequence[str]) -> Grid:
    """Return a leader board at one cutoff, with the figures that the terminal shows."""
    columns = [c for name in metrics for c in table.columns if c.metric == name and c.k in (k, None)]
    settings = any(settings_text(row) for row in table.rows)
    heads = (
        *((Head("model"), Head("settings")) if settings else (Head("model"),)),
        *(Head(visible(c.metric), "figure") for c in columns),
    )
    body = tuple(
        (
            Entry(visible(row.model)),
            *((Entry(settings_text(row)),) if settings else ()),
            *(value_entry(row, c, max(decimals(table, c) - 1, 0)) for c in columns),
        )
        for row in table.rows
    )
    return Grid(f"{title(table)}, k = {k}", heads, body)


def _table(grid: Grid) -> str:
    heads = "".join(f"<th{_side(head)}>{escape(head.text)}</th>" for head in grid.heads)
    rows = "".join(f"<tr>{_fields(grid, row)}</tr>" for row in grid.rows)
    caption = f'<caption style="text-align: left">{escape(grid.caption)}</caption>'
    return f"<table>{caption}<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _fields(grid: Grid, row: tuple[Entry, ...]) -> str:
    return "".join(f"<td{_side(head)}>{_text(e)}</td>" for head, e in zip(grid.heads, row, strict=True))


def _side(head: Head) -> str:
    return _RIGHT if head.kind == "figure" else ""


def _text(entry: Entry) -> str:
    text = escape(entry.text)
    return f"<strong>{text}</strong>" if entry.bold else text
