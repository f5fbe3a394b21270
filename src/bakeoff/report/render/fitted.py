"""Tables on a terminal as wide as it is: figures are never cut, columns that do not fit are named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from bakeoff.report.render.console import say

if TYPE_CHECKING:
    from rich.console import Console

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
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table
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
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1))
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
