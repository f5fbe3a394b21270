"""Print what a run would do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from bakeoff.log import logger
from bakeoff.report.render.console import new_table, say
from bakeoff.report.view import visible
from bakeoff.run.grid import Plan, Progress
from bakeoff.run.naming import (
    cell_label,
    coordinates,
    dataset_label,
    label,
    model_label,
    split_label,
    tune_name,
)
from bakeoff.run.preflight import DurationEstimator, PreflightResult, seconds_text
from bakeoff.storage.record import CellRequest, Record

if TYPE_CHECKING:
    from rich.console import Console

WRAPPED = ("data set", "split", "model")
"""Columns that are wrapped on a narrow terminal; a key is not, since people copy it."""

ALWAYS_SHOWN = ("model", "key", "state", "estimate")
"""Columns that are shown even if all their rows are the same."""

WILL_RUN = ("to run", "refit: no model")
"""States of cells that a run fits."""

MIN_WIDTH = 10
"""Of a wrapped column, in character cells."""


class _Column(NamedTuple):
    head: str
    texts: tuple[str, ...]

    @property
    def constant(self) -> bool:
        return len(set(self.texts)) == 1 and self.head not in ALWAYS_SHOWN


def print_plan(
    name: str,
    planned: Plan,
    outlook: PreflightResult,
    estimate: DurationEstimator,
    workers: int,
    console: Console | None = None,
) -> None:
    """Print a row for each cell: its coordinates, whether it is stored, and how long it would take.

    A column whose rows are all the same is printed once, above the table. Lines are wrapped on a terminal
    alone, and there neither keys nor numbers are.

    Args:
        outlook: why cells will be skipped or fail, as far as it is known without data.
    """
    if console is None:
        from rich.console import Console

        console = Console()
    columns = _columns(planned, outlook, estimate)
    same = [f"{c.head} {c.texts[0]}" for c in columns if c.constant and c.texts[0]]
    say(console, f"Experiment {name}{': ' if same else ''}{', '.join(same)}", style="bold")
    _print_table([c for c in columns if not c.constant], console)
    for line in _lines(planned, outlook):
        say(console, line)
    say(console, _summary(planned, outlook, estimate, workers))


def cell_rows(
    name: str, planned: Plan, outlook: PreflightResult, estimate: DurationEstimator
) -> list[dict[str, object]]:
    """Return a row for each cell, with the columns of cells.csv where it has them."""
    rows: list[dict[str, object]] = []
    for request in planned.requests:
        cell, state = request.cell, _state(request, planned, outlook)
        rows.append(
            {
                "experiment": name,
                "key": request.key,
                **coordinates(cell),
                "depth": cell.depth,
                "status": state,
                "reason": outlook.reasons.get(request.key, ""),
                "estimated_s": estimate.cell(cell) if state in WILL_RUN else None,
            }
        )
    return rows


def _columns(planned: Plan, outlook: PreflightResult, estimate: DurationEstimator) -> list[_Column]:
    rows = []
    for request in planned.requests:
        cell, state = request.cell, _state(request, planned, outlook)
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
                "key": request.key,
                "state": state,
                "estimate": seconds_text(estimate.cell(cell)) if state in WILL_RUN else "",
            }
        )
    columns = [_Column(head, tuple(visible(row[head]) for row in rows)) for head in (rows or [{}])[0]]
    defaults = {"tune": {"none"}, "depth": {"100"}, "estimate": {"", "unknown"}}
    return [c for c in columns if not set(c.texts) <= defaults.get(c.head, set())]


def _state(request: CellRequest, planned: Plan, outlook: PreflightResult) -> str:
    if request.key in outlook.reasons:
        return "will fail" if request.key in outlook.failing else "will skip"
    if request.key in planned.refitted:
        return "refit: no model"
    return "stored" if request.key in {stored.key for stored in planned.stored} else "to run"


def _print_table(columns: Sequence[_Column], console: Console) -> None:
    from rich.cells import cell_len
    from rich.text import Text

    widths = {c.head: max(map(cell_len, (c.head, *c.texts))) for c in columns}
    over = sum(width + 2 for width in widths.values()) - console.width if console.is_terminal else 0
    for head in sorted((h for h in WRAPPED if h in widths), key=lambda h: -widths[h]):
        given = max(min(over, widths[head] - MIN_WIDTH), 0)
        widths[head] -= given
        over -= given
    drawn = new_table()
    for column in columns:
        width = widths[column.head]
        drawn.add_column(Text(column.head), overflow="fold", min_width=width, max_width=width)
    for row in zip(*(c.texts for c in columns), strict=True):
        drawn.add_row(*map(Text, row))
    width = console.width
    console.width = max(width, sum(w + 2 for w in widths.values()))
    console.print(drawn)
    console.width = width


def _lines(planned: Plan, outlook: PreflightResult) -> list[str]:
    """Return why cells will be skipped or fail, a line for each reason, and which records cannot be read."""
    models: dict[tuple[str, str], dict[str, None]] = {}
    for request in planned.requests:
        if reason := outlook.reasons.get(request.key):
            verb = "Will fail" if request.key in outlook.failing else "Will skip"
            models.setdefault((verb, reason), {})[model_label(request.cell)] = None
    reasons = [f"{verb} {', '.join(names)}: {reason}." for (verb, reason), names in models.items()]
    return [*reasons, *(f"{damage}; the cell will run again." for damage in planned.damaged.values())]


def _summary(planned: Plan, outlook: PreflightResult, estimate: DurationEstimator, workers: int) -> str:
    missing = [request for request in planned.missing if request.key not in outlook.reasons]
    skipped, failed = len(outlook.reasons.keys() - outlook.failing), len(outlook.failing)
    counts = f"{len(planned.requests)} cells: {len(planned.stored)} stored, {len(missing)} to run"
    counts += f", {skipped} to be skipped" if skipped else ""
    counts += f", {failed} to fail" if failed else ""
    total = seconds_text(estimate.total(missing, workers))
    return f"{counts} (rows that share a key run once). Estimated time: {total}."


# The progress of a grid: a bar on a terminal, messages for everybody


class Messages:
    """Logs what runs and what has ended."""

    def start(self, missing: Sequence[CellRequest], stored: int, seconds_left: float | None) -> None:
        if missing:
            logger.debug(
                "%d cells to run, %d stored; estimated time %s",
                len(missing),
                stored,
                seconds_text(seconds_left),
            )
        elif stored:
            logger.info("nothing to run: all %d cells are stored", stored)

    def begin(self, request: CellRequest) -> None:
        logger.debug("run %s", cell_label(request.cell))

    def end(self, request: CellRequest, record: Record, seconds_left: float | None) -> None:
        if record.status == "done":
            phases = ", ".join(f"{phase} {seconds:.2f} s" for phase, seconds in record.seconds.items())
            logger.debug("done: %s: %s", cell_label(request.cell), phases)
        else:
            logger.warning("%s: %s: %s", record.status, cell_label(request.cell), record.reason)

    def stop(self) -> None: ...


class Bar(Messages):
    """Shows what runs, how many cells are done and how long is left; on standard error."""

    def __init__(self, console: Any) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._running: list[str] = []
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left: {task.fields[left]}"),
            console=console,
            transient=True,
        )

    def start(self, missing: Sequence[CellRequest], stored: int, seconds_left: float | None) -> None:
        super().start(missing, stored, seconds_left)
        if missing:
            left = seconds_text(seconds_left)
            self._task = self._bar.add_task("", total=len(missing), completed=0, left=left)
            self._bar.start()

    def begin(self, request: CellRequest) -> None:
        super().begin(request)
        self._running.append(cell_label(request.cell))
        self._show()

    def end(self, request: CellRequest, record: Record, seconds_left: float | None) -> None:
        super().end(request, record, seconds_left)
        self._running.remove(cell_label(request.cell))
        self._bar.advance(self._task)
        self._bar.update(self._task, left=seconds_text(seconds_left))
        self._show()

    def stop(self) -> None:
        self._bar.stop()

    def _show(self) -> None:
        from rich.markup import escape

        self._bar.update(self._task, description=escape("; ".join(self._running)))


def progress(*, quiet: bool = False) -> Progress:
    """Return a bar where standard error is a terminal, unless quiet; messages alone elsewhere."""
    from rich.console import Console

    console = Console(stderr=True)
    return Bar(console) if console.is_terminal and not quiet else Messages()
