"""Print the result of a verification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bakeoff.report.render.console import new_table, say
from bakeoff.report.view import NOTHING, visible
from bakeoff.verify.check import TOLERANCE, MetricCheck, Verification

if TYPE_CHECKING:
    from rich.console import Console

FAULTS = 12
"""Number of faults of a cell that are printed; the others are counted."""


def print_verification(
    name: str, result: Verification, unavailable: Sequence[str], console: Console | None = None
) -> None:
    """Print a table of the metrics, the faults by cell, and the outcome.

    Args:
        unavailable: the reason for each library that could not be used.
    """
    if console is None:
        from rich.console import Console

        console = Console()
    say(console, f"Experiment {name}: {_summary(result)}", style="bold")
    _print_metrics(result, console)
    for text in (*_notes(result), *unavailable):
        say(console, text)
    by_cell: dict[tuple[str, str], list[str]] = {}
    for fault in result.faults:
        by_cell.setdefault((fault.key, fault.label), []).append(fault.message)
    for (key, label), messages in by_cell.items():
        say(console, f"Cell {key}, {label}:" if key else f"{label}:", style="bold")
        for message in messages[:FAULTS]:
            say(console, f"  {message}")
        if len(messages) > FAULTS:
            say(console, f"  and {len(messages) - FAULTS} more")
    say(console, _outcome(result), style="bold")


def _summary(result: Verification) -> str:
    splits = f"{len(result.splits)} {'split' if len(result.splits) == 1 else 'splits'}"
    cells = f"{result.n_cells} cells, {result.n_lists:,} lists, {splits}"
    return f"{result.n_rows:,} numbers in metrics.csv, {cells}"


def _print_metrics(result: Verification, console: Console) -> None:
    from rich.text import Text

    drawn = new_table()
    drawn.add_column("metric", no_wrap=True, overflow="ellipsis")
    for head in ("means", "by user", "differ by"):
        drawn.add_column(head, justify="right", no_wrap=True)
    drawn.add_column("library", no_wrap=True)
    drawn.add_column("differs by", justify="right", no_wrap=True)
    for metric, check in sorted(result.metrics.items()):
        drawn.add_row(Text(visible(metric)), *map(Text, _figures(check)))
    console.print(drawn)


def _figures(check: MetricCheck) -> tuple[str, ...]:
    library = check.library if check.n_library == check.n_means else f"{check.library} ({check.n_library})"
    return (
        str(check.n_means),
        f"{check.n_users:,}" if check.n_users else NOTHING,
        _scientific(check.largest),
        library if check.n_library else NOTHING,
        _scientific(check.library_largest) if check.n_library else NOTHING,
    )


def _scientific(difference: float) -> str:
    return f"{difference:.1e}".replace("e-0", "e-").replace(".0e", "e") if difference else "0"


def _notes(result: Verification) -> list[str]:
    notes = [f"Means recomputed with {', '.join(result.libraries)}."] if result.libraries else []
    same = [name for name, state in result.files.items() if state != "differs" and "/" not in name]
    notes += [f"The same when made again from the store: {', '.join(same)}."] if same else []
    notes += [f"Chains of hashes followed: {result.n_chains}."] if result.n_chains else []
    notes += result.refits
    notes += [f"Not verified: {metric} ({reason})." for metric, reason in sorted(result.unverified.items())]
    notes += [f"Not checked: {what} ({reason})." for what, reason in sorted(result.not_checked.items())]
    return [*notes, *(f"No numbers: {text}." for text in result.without_numbers)]


def _outcome(result: Verification) -> str:
    if not result.agrees:
        cells = len({fault.key for fault in result.faults if fault.key})
        names = len({fault.label for fault in result.faults if not fault.key})
        places = [f"{n} {word}{'' if n == 1 else 's'}" for n, word in ((cells, "cell"), (names, "file")) if n]
        count = len(result.faults)
        return f"{count} {'difference' if count == 1 else 'differences'} in {' and '.join(places)}."
    except_for = " but those named above" if result.unverified else ""
    return (
        f"All numbers{except_for} agree to {_scientific(TOLERANCE)} (relative above 1). No list repeats an "
        "item or has one from train, ranks fit the lists, and splits have the recorded fingerprints."
    )
