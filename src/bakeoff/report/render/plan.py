"""What a command would do, printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from bakeoff.report.render.console import say
from bakeoff.report.wording import visible
from bakeoff.run.grid import Plan
from bakeoff.run.naming import dataset_label, label, model_label, split_label, tune_name
from bakeoff.run.preflight import DurationEstimator, PreflightResult, seconds_text
from bakeoff.storage.record import CellRequest

if TYPE_CHECKING:
    from rich.console import Console

FOLDS = ("data set", "split", "model")
"""Columns that may be broken over lines where a terminal is too narrow; a key must be copied whole."""

KEPT = ("model", "key", "state", "estimate")
"""Columns that stay even if all their rows are the same."""

NARROWEST = 10


class _Column(NamedTuple):
    head: str
    texts: tuple[str, ...]

    @property
    def constant(self) -> bool:
        return len(set(self.texts)) == 1 and self.head not in KEPT


def print_plan(
    name: str,
    planned: Plan,
    ahead: PreflightResult,
    estimate: DurationEstimator,
    workers: int,
    console: Console | None = None,
) -> None:
    """One row a cell: what it is, whether it is stored, and how long it would take.

    What is the same in all rows is said once above them. Nothing is broken over lines but on a terminal, and
    there neither keys nor numbers are.

    Args:
        ahead: why cells will be skipped or fail, as far as it is known.
    """
    if console is None:
        from rich.console import Console

        console = Console()
    columns = _columns(planned, ahead, estimate)
    same = [f"{c.head} {c.texts[0]}" for c in columns if c.constant and c.texts[0]]
    say(console, f"Experiment {name}{': ' if same else ''}{', '.join(same)}", style="bold")
    _print_table([c for c in columns if not c.constant], console)
    for line in _lines(planned, ahead):
        say(console, line)
    say(console, _summary(planned, ahead, estimate, workers))


def _columns(planned: Plan, ahead: PreflightResult, estimate: DurationEstimator) -> list[_Column]:
    stored = {a.key for a in planned.stored}
    rows = []
    for asked in planned.asked:
        cell, waits = asked.cell, asked.key not in stored and asked.key not in ahead.reasons
        rows.append(
            {
                "data set": dataset_label(cell),
                "split": split_label(cell),
                "split seed": str(cell.split_seed),
                "fold": "" if cell.fold is None else str(cell.fold),
                "model": label(cell.model_name, cell.variant),
                "tune": tune_name(cell),
                "seed": str(cell.seed),
                "depth": str(cell.depth),
                "key": asked.key,
                "state": _state(asked, planned, ahead, stored),
                "estimate": seconds_text(estimate.cell(cell)) if waits else "",
            }
        )
    columns = [_Column(head, tuple(visible(row[head]) for row in rows)) for head in (rows or [{}])[0]]
    unsaid = {"tune": {"none"}, "depth": {"100"}, "estimate": {"", "unknown"}}
    return [c for c in columns if not set(c.texts) <= unsaid.get(c.head, set())]


def _state(asked: CellRequest, planned: Plan, ahead: PreflightResult, stored: set[str]) -> str:
    if asked.key in ahead.reasons:
        return "will fail" if asked.key in ahead.failing else "will skip"
    if asked.key in planned.refitted:
        return "refit: no model"
    return "stored" if asked.key in stored else "to run"


def _print_table(columns: Sequence[_Column], console: Console) -> None:
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    widths = {c.head: max(map(cell_len, (c.head, *c.texts))) for c in columns}
    over = sum(width + 2 for width in widths.values()) - console.width if console.is_terminal else 0
    for head in sorted((h for h in FOLDS if h in widths), key=lambda h: -widths[h]):
        given = max(min(over, widths[head] - NARROWEST), 0)
        widths[head] -= given
        over -= given
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1))
    for column in columns:
        width = widths[column.head]
        drawn.add_column(Text(column.head), overflow="fold", min_width=width, max_width=width)
    for row in zip(*(c.texts for c in columns), strict=True):
        drawn.add_row(*map(Text, row))
    width = console.width
    console.width = max(width, sum(w + 2 for w in widths.values()))
    console.print(drawn)
    console.width = width


def _lines(planned: Plan, ahead: PreflightResult) -> list[str]:
    """Return why cells will be skipped or fail, one line a reason, and which records cannot be read."""
    models: dict[tuple[str, str], dict[str, None]] = {}
    reasons, failing = ahead.reasons, ahead.failing
    for asked in planned.asked:
        if asked.key in reasons:
            verb = "Will fail" if asked.key in failing else "Will skip"
            models.setdefault((verb, reasons[asked.key]), {})[model_label(asked.cell)] = None
    skips = [f"{verb} {', '.join(names)}: {why}." for (verb, why), names in models.items()]
    return [*skips, *(f"{what}; the cell will run again." for what in planned.damaged.values())]


def _summary(planned: Plan, ahead: PreflightResult, estimate: DurationEstimator, workers: int) -> str:
    reasons, failing = ahead.reasons, ahead.failing
    missing = [a for a in planned.missing if a.key not in reasons]
    skipped, failed = len(reasons.keys() - failing), len(failing)
    told = f"{len(planned.asked)} cells asked for, {len(planned.stored)} stored, {len(missing)} to run"
    told += f", {skipped} to be skipped" if skipped else ""
    told += f", {failed} to fail" if failed else ""
    total = seconds_text(estimate.total(missing, workers))
    return f"{told} (rows that share a key run once). Estimated time: {total}."
