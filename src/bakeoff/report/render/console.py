"""Print the comparison on a terminal: one cutoff, and as many of the prominent metrics as fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bakeoff.evaluation.catalogue import leading_k, prominence
from bakeoff.evaluation.metric import Metric
from bakeoff.queries.comparison import Table, comparison
from bakeoff.queries.select import Result
from bakeoff.report.tuning import lines as tuning_lines
from bakeoff.report.tuning import tuned
from bakeoff.report.view import (
    NO_POPULARITY,
    Entry,
    Grid,
    Head,
    decimals,
    legend,
    paragraphs,
    reason_texts,
    seconds_entry,
    text_of,
    value_entry,
    visible,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as Drawn


def print_tables(
    name: str,
    results: Sequence[Result],
    ks: Sequence[int],
    metrics: Mapping[str, Metric],
    folder: Path,
    console: Console | None = None,
    tables: Sequence[Table] | None = None,
) -> None:
    """Print a table for each data set and split family, why cells did not run, and the path of the report.

    Args:
        tables: the comparison, where it has been made (with marks); None makes it.
    """
    if console is None:
        from rich.console import Console

        console = Console()
    k = leading_k(ks)
    tables = comparison(results, ks, metrics) if tables is None else tables
    for title, text in paragraphs(tables)[: 1 if len(tables) > 1 else 0]:
        say(console, f"{title}: {text}")
        console.print()
    for table in tables:
        _print_leaderboard(table, k, console)
    others = ", ".join(str(other) for other in ks if other != k)
    where = folder / "report.md"
    rest = f"all metrics, and k = {others}" if others else "all metrics"
    say(console, f"Experiment {name}, {rest}: {where} (.html, .tex; metrics.csv, cells.csv)")


def say(console: Console, text: str, style: str = "") -> None:
    """Print plain text as one line: nothing in it is markup."""
    console.print(visible(text), style=style, markup=False, highlight=False, emoji=False, soft_wrap=True)


def new_table() -> Drawn:
    """Return an empty table in the style of every table on a terminal."""
    from rich import box
    from rich.table import Table as Drawn

    return Drawn(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1))


def _print_leaderboard(table: Table, k: int, console: Console) -> None:
    grid = _leaderboard(table, k)
    metrics = [head.text for head in grid.heads if head.text in {visible(c.metric) for c in table.columns}]
    say(console, grid.caption, style="bold")
    if table.verdict is not None:
        say(console, text_of(table.verdict))
    print_table(console, [head.text for head in grid.heads], grid.rows, spare=metrics[:0:-1])
    for row in table.rows:
        for reason in reason_texts(row, table):
            say(console, f"{row.label}: {reason}")
    if explained := legend(table):
        say(console, explained)
    for note in grid.notes:
        say(console, note)
    if not table.has_popularity:
        say(console, NO_POPULARITY)
    for line in tuning_lines(table, tuned(table)):
        say(console, line)
    console.print()


def _leaderboard(table: Table, k: int) -> Grid:
    """Return the metrics at k, the most prominent first, then seconds, repetitions and statuses."""
    columns = sorted((c for c in table.columns if c.k in (k, None)), key=lambda c: prominence(c.metric))
    places = {c: max(decimals(table, c) - 1, 0) for c in columns}  # three figures: no false precision
    several, incomplete = len(table.runs) > 1, any(row.status != "done" for row in table.rows)
    heads = ("model", *(visible(c.metric) for c in columns), "fit s", "recommend s")
    heads += ("runs",) * several + ("status",) * incomplete
    rows = []
    for row in table.rows:
        figures = [value_entry(row, c, places[c]) for c in columns]
        figures = [replace(e, text=e.text.replace(" ± ", "±")) for e in figures]
        figures += [seconds_entry(row.seconds.get(phase)) for phase in ("fit", "recommend")]
        figures += [Entry(f"{row.done}/{len(table.runs)}")] * several + [Entry(row.status)] * incomplete
        rows.append((Entry(row.label), *figures))
    return Grid(f"{table.title}, k = {k}", tuple(map(Head, heads)), tuple(rows)).without_constants()


# -- tables as wide as the terminal: figures are never cut, columns that do not fit are left out -----------

_WORDS_AT_LEAST = 24


def print_table(
    console: Console,
    heads: Sequence[str],
    rows: Sequence[Sequence[str | Entry]],
    *,
    words: int = 1,
    spare: Sequence[str] = (),
) -> None:
    """Draw text; the first columns hold words, the others figures.

    spare: heads of columns that a narrow terminal does without, the first to go first; they are named.
    """
    from rich.cells import cell_len
    from rich.text import Text

    texts = [[e if isinstance(e, Entry) else Entry(e) for e in row] for row in rows]
    columns = zip(*(map(Entry, heads), *texts), strict=True)
    widths = [max(cell_len(entry.text) for entry in column) for column in columns]
    widths[:words] = [min(width, _WORDS_AT_LEAST) for width in widths[:words]]
    shown = list(range(len(heads)))
    for head in spare:
        if sum(widths[at] + 2 for at in shown) <= console.width:
            break
        shown.remove(heads.index(head))
    drawn = new_table()
    for at in shown:
        figure = at >= words
        justify: Literal["left", "right"] = "right" if figure else "left"
        drawn.add_column(
            Text(heads[at]), justify=justify, overflow="fold", no_wrap=figure, min_width=widths[at]
        )
    for row in texts:
        drawn.add_row(*(Text(row[at].text, style="bold" if row[at].bold else "") for at in shown))
    console.print(drawn)
    if len(shown) < len(heads):
        dropped = [head for at, head in enumerate(heads) if at not in shown]
        say(console, f"On a wider terminal: {', '.join(dropped)}.")
