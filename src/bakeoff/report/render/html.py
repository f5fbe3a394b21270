"""A report as one HTML file that needs nothing beside itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib.metadata import version
from pathlib import Path

from bakeoff.queries.comparison import Table
from bakeoff.report.document import DEFINITIONS
from bakeoff.report.page.board import cell_text, column_header
from bakeoff.report.page.page import Page
from bakeoff.report.view import Entry, Grid, Head, decimals, settings_text, title, value_entry, visible
from bakeoff.storage.store import write_text


def render(page: Page) -> str:
    """Return the whole page; the template escapes every text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("bakeoff.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"column_header": column_header, "cell_text": cell_text}
    return environment.get_template("report.html.j2").render(
        page=page, definitions=DEFINITIONS, bundle=bundle() if page.sections else ""
    )


# -- the script that draws the charts ---------------------------------------------------------------

_CALL = "window.vegaEmbed = vegaEmbed;"


@cache
def bundle() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that can be embedded in a page.

    Made once for a version of vl-convert and kept in the user's cache folder: it takes more than a second.
    """
    import vl_convert

    cached = folder() / f"vega-of-vl-convert-{version('vl-convert-python')}.js"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return embeddable(cached.read_text(encoding="utf-8"))
    script = embeddable(str(vl_convert.javascript_bundle(_CALL)))
    with contextlib.suppress(OSError):  # where nothing can be kept, it is made again: that costs time alone
        write_text(cached, script)
    return script


def embeddable(script: str) -> str:
    """Return the script unchanged if it can be embedded in a page.

    Raises:
        RuntimeError: it could end the element it stands in.
    """
    if "</script" in script.lower() or "<!--" in script:
        raise RuntimeError("the script of the charts holds an end tag or a comment: it cannot be embedded")
    return script


def folder() -> Path:
    """Return the folder in which scripts are cached between processes."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("bakeoff")) / "page"


# -- tables as a piece of HTML, for the output of a notebook's cell -----------------------------------

_RIGHT = ' style="text-align: right"'


def fragment(headline: str, grids: Iterable[Grid], notes: Iterable[str] = ()) -> str:
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
