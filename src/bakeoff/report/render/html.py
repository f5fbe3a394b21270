"""A report as one HTML file that needs nothing beside itself."""

from __future__ import annotations

import base64
import contextlib
import zlib
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from bakeoff.queries.comparison import Table
from bakeoff.report.document import DEFINITIONS, digest_line, sealed
from bakeoff.report.page import BESIDE_N, OPEN_SECTIONS, Page
from bakeoff.report.view import BEST, TIED, Entry, Grid, Head, metric_grid
from bakeoff.storage.store import write_text

if TYPE_CHECKING:
    from jinja2 import Template


def render(page: Page) -> str:
    """Return the whole page; the template escapes every text."""
    text = _template().render(
        page=page,
        definitions=DEFINITIONS,
        marks=BEST + TIED,
        n_metrics=1 + BESIDE_N,
        open_sections=OPEN_SECTIONS,
        digest_line=digest_line(),
        data=deflated(page.data),
        bundle=deflated(bundle() if page.sections else ""),
    )
    return sealed(text)


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("bakeoff.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    ).get_template("report.html.j2")


def deflated(text: str) -> str:
    """Return a text that the page's script inflates: a third as long, and no letter of it is markup."""
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


# -- the script that draws the charts ---------------------------------------------------------------

_CALL = "window.vegaEmbed = vegaEmbed;"


@cache
def bundle() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script.

    Made once for a version of vl-convert and kept in the user's cache folder: it takes more than a second.
    """
    import vl_convert

    cached = folder() / f"vega-of-vl-convert-{version('vl-convert-python')}.js"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return cached.read_text(encoding="utf-8")
    script = str(vl_convert.javascript_bundle(_CALL))
    with contextlib.suppress(OSError):  # where nothing can be kept, it is made again: that costs time alone
        write_text(cached, script)
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
    parts += [table(grid) for grid in grids]
    parts += [f"<p>{escape(note)}</p>" for note in notes]
    return f"<div>{''.join(parts)}</div>"


def grid(table: Table, k: int, metrics: Sequence[str]) -> Grid:
    """Return a leader board at one cutoff, with the figures that the terminal shows."""
    columns = [c for name in metrics for c in table.columns if c.metric == name and c.k in (k, None)]
    return metric_grid(table, columns, f"{table.title}, k = {k}", figures=3)


def table(grid: Grid) -> str:
    """Return a grid as a table; every text is escaped."""
    groups = "".join(
        f'<th colspan="{len(list(of_group))}">{escape(group)}</th>'
        for group, of_group in groupby(grid.heads, lambda head: head.group)
    )
    above = f"<tr>{groups}</tr>" if any(head.group for head in grid.heads) else ""
    heads = "".join(f"<th{_side(head)}>{escape(head.text)}</th>" for head in grid.heads)
    rows = "".join(f"<tr>{_fields(grid, row)}</tr>" for row in grid.rows)
    caption = f'<caption style="text-align: left">{escape(grid.caption)}</caption>' if grid.caption else ""
    notes = "".join(f"<p>{escape(note)}</p>" for note in grid.notes)
    return f"<table>{caption}<thead>{above}<tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{notes}"


def _fields(grid: Grid, row: tuple[Entry, ...]) -> str:
    return "".join(f"<td{_side(head)}>{_text(e)}</td>" for head, e in zip(grid.heads, row, strict=True))


def _side(head: Head) -> str:
    return _RIGHT if head.kind == "figure" else ""


def _text(entry: Entry) -> str:
    text = f"<u>{escape(entry.text)}</u>" if entry.second else escape(entry.text)
    return f"<strong>{text}</strong>" if entry.bold else text
