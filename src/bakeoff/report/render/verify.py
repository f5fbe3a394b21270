"""What came of a verification, on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bakeoff.report.render.console import say
from bakeoff.report.wording import NOTHING, visible
from bakeoff.verify.verdict import TOLERANCE, Line, Verdict

if TYPE_CHECKING:
    from rich.console import Console

FAULTS = 12
"""So many faults of a cell are told one by one; the rest is counted."""


def print_verdict(
    name: str, verdict: Verdict, missing: Sequence[str], console: Console | None = None
) -> None:
    """Print a line for each metric, each fault with its cell, and the outcome.

    Args:
        missing: a sentence for each library that could not be asked.
    """
    if console is None:
        from rich.console import Console

        console = Console()
    say(console, f"Experiment {name}: {_counted(verdict)}", style="bold")
    _print_lines(verdict, console)
    for text in (*_notes(verdict), *missing):
        say(console, text)
    of_cells: dict[tuple[str, str], list[str]] = {}
    for fault in verdict.faults:
        of_cells.setdefault((fault.key, fault.who), []).append(fault.what)
    for (key, who), faults in of_cells.items():
        say(console, f"Cell {key}, {who}:", style="bold")
        for what in faults[:FAULTS]:
            say(console, f"  {what}")
        if len(faults) > FAULTS:
            say(console, f"  and {len(faults) - FAULTS} more")
    say(console, _outcome(verdict), style="bold")


def _counted(verdict: Verdict) -> str:
    splits = f"{len(verdict.splits)} {'split' if len(verdict.splits) == 1 else 'splits'}"
    cells = f"{verdict.cells} cells, {verdict.lists:,} lists, {splits}"
    return f"{verdict.numbers:,} numbers in metrics.csv, {cells}"


def _print_lines(verdict: Verdict, console: Console) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1))
    drawn.add_column("metric", no_wrap=True, overflow="ellipsis")
    for head in ("means", "by user", "differ by"):
        drawn.add_column(head, justify="right", no_wrap=True)
    drawn.add_column("library", no_wrap=True)
    drawn.add_column("differs by", justify="right", no_wrap=True)
    for metric, line in sorted(verdict.lines.items()):
        drawn.add_row(Text(visible(metric)), *map(Text, _figures(line)))
    console.print(drawn)


def _figures(line: Line) -> tuple[str, ...]:
    library = line.library if line.asked == line.numbers else f"{line.library} ({line.asked})"
    return (
        str(line.numbers),
        f"{line.users:,}" if line.users else NOTHING,
        _gap(line.largest),
        library if line.asked else NOTHING,
        _gap(line.library_largest) if line.asked else NOTHING,
    )


def _gap(gap: float) -> str:
    return f"{gap:.1e}".replace("e-0", "e-").replace(".0e", "e") if gap else "0"


def _notes(verdict: Verdict) -> list[str]:
    asked = f"Libraries that were asked for means: {', '.join(verdict.asked)}." if verdict.asked else ""
    told = [asked] if asked else []
    told += [f"Not verified: {metric} ({why})." for metric, why in sorted(verdict.unverified.items())]
    return [*told, *(f"No numbers: {text}." for text in verdict.left_out)]


def _outcome(verdict: Verdict) -> str:
    if not verdict.agrees:
        cells = len({fault.key for fault in verdict.faults})
        count = len(verdict.faults)
        said = f"{count} {'difference' if count == 1 else 'differences'}"
        return f"{said} in {cells} {'cell' if cells == 1 else 'cells'}."
    kept = " but those named above" if verdict.unverified else ""
    return (
        f"All numbers{kept} agree to {_gap(TOLERANCE)} (relative above 1). Nothing listed was seen, no list "
        "repeats an item, ranks fit the lists, and splits have the fingerprints beside the numbers."
    )
