"""Print the comparison on a terminal: one cutoff, and as many of the prominent metrics as fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bakeoff.evaluation.catalogue import leading_k, prominence
from bakeoff.evaluation.metric import Metric
from bakeoff.queries.comparison import Column, Table, comparison
from bakeoff.queries.select import Result
from bakeoff.report.tuning import lines as tuning_lines
from bakeoff.report.tuning import tuned
from bakeoff.report.view import (
    NO_POPULARITY,
    Entry,
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

BEST = "*"
"""Marks the best of a column where there is no bold."""


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


class _Field(NamedTuple):
    """One column of figures."""

    head: str
    entries: list[Entry]

    @property
    def width(self) -> int:
        """Character cells on the screen, with the gap to its left."""
        from rich.cells import cell_len

        return 2 + max(cell_len(text) for text in (self.head, *(e.text for e in self.entries)))


def say(console: Console, text: str, style: str = "") -> None:
    """Print plain text as one line: nothing in it is markup."""
    console.print(visible(text), style=style, markup=False, highlight=False, emoji=False, soft_wrap=True)


def new_table() -> Drawn:
    """Return an empty table in the style of every table on a terminal."""
    from rich import box
    from rich.table import Table as Drawn

    return Drawn(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1))


def _print_leaderboard(table: Table, k: int, console: Console) -> None:
    from rich.text import Text

    names, fields = [row.label for row in table.rows], _fields(table, k, console)
    drawn = new_table()
    width = _model_width(names, console.width)
    drawn.add_column("model", overflow="fold", min_width=width, max_width=width)
    for field in fields:
        drawn.add_column(Text(field.head), justify="right", no_wrap=True)
    for at, name in enumerate(names):
        entries = (field.entries[at] for field in fields)
        drawn.add_row(Text(name), *(Text(e.text, style="bold" if e.bold else "") for e in entries))
    say(console, f"{table.title}, k = {k}", style="bold")
    if table.verdict is not None:
        say(console, text_of(table.verdict))
    console.print(drawn)
    for name, row in zip(names, table.rows, strict=True):
        for reason in reason_texts(row, table):
            say(console, f"{name}: {reason}")
    if explained := legend(table, "Bold" if console.is_terminal else BEST):
        say(console, explained)
    if not table.has_popularity:
        say(console, NO_POPULARITY)
    for line in tuning_lines(table, tuned(table)):
        say(console, line)
    console.print()


def _fields(table: Table, k: int, console: Console) -> list[_Field]:
    """Return the metrics that fit between the model's name and the columns of `_right`, and these.

    Where there is no bold, as in a pipe, the best of a column bears a sign.
    """
    right, width = _right(table), console.width
    best = "" if console.is_terminal else BEST
    left = width - _model_width([row.label for row in table.rows], width) - sum(f.width for f in right)
    shown: list[_Field] = []
    for column in _ordered(table, k):
        places = max(decimals(table, column) - 1, 0)  # three figures: more would be false precision here
        entries = [value_entry(row, column, places) for row in table.rows]
        texts = (e.text.replace(" ± ", "±") + best * e.bold for e in entries)
        field = _Field(
            visible(column.metric), [replace(e, text=t) for e, t in zip(entries, texts, strict=True)]
        )
        left -= field.width
        if left < 0 and shown:
            break
        shown.append(field)
    return [*shown, *right]


def _ordered(table: Table, k: int) -> list[Column]:
    """Return the columns at k and those without cutoff, the most prominent metric first."""
    return sorted((c for c in table.columns if c.k in (k, None)), key=lambda c: prominence(c.metric))


def _right(table: Table) -> list[_Field]:
    """Return the columns right of the metrics: seconds, then repetitions and statuses where they differ."""
    rows, runs = table.rows, len(table.runs)
    fields = [
        _Field("fit s", [seconds_entry(r.seconds.get("fit")) for r in rows]),
        _Field("recommend s", [seconds_entry(r.seconds.get("recommend")) for r in rows]),
    ]
    if runs > 1:
        fields.append(_Field("runs", [Entry(f"{r.done}/{runs}") for r in rows]))
    if any(r.status != "done" for r in rows):
        fields.append(_Field("status", [Entry(r.status) for r in rows]))
    return fields


def _model_width(names: Sequence[str], width: int) -> int:
    from rich.cells import cell_len

    return min(max(cell_len(name) for name in ("model", *names)), max(width // 3, 16))


# Tables on a terminal as wide as it is: figures are never cut, columns that do no

_WORDS_AT_LEAST = 24


def print_table(
    console: Console,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    words: int = 1,
    spare: Sequence[str] = (),
) -> None:
    """Draw text; the first columns hold words, the others figures, which are never cut.

    spare: heads of columns that a narrow terminal does without, the first to go first; they are named.
    """
    from rich.cells import cell_len
    from rich.text import Text

    widths = {head: max(map(cell_len, (head, *column))) for head, column in _columns(heads, rows)}
    for head in heads[:words]:
        widths[head] = min(widths[head], _WORDS_AT_LEAST)
    shown, dropped = list(heads), []
    for head in spare:
        if sum(widths[h] + 2 for h in shown) <= console.width:
            break
        shown.remove(head)
        dropped.append(head)
    drawn = new_table()
    for head in shown:
        left = head in heads[:words]
        drawn.add_column(
            Text(head),
            justify="left" if left else "right",
            overflow="fold",
            no_wrap=not left,
            min_width=widths[head],
        )
    for row in rows:
        drawn.add_row(*(Text(field) for head, field in zip(heads, row, strict=True) if head in shown))
    console.print(drawn)
    if dropped:
        say(console, f"On a wider terminal: {', '.join(dropped)}.")


def _columns(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[tuple[str, tuple[str, ...]]]:
    return ((head, tuple(row[at] for row in rows)) for at, head in enumerate(heads))
