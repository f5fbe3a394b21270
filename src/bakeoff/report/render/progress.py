"""The progress of a grid: a bar on a terminal, messages for everybody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bakeoff.log import logger
from bakeoff.run.grid import Progress
from bakeoff.run.naming import cell_label
from bakeoff.run.preflight import seconds_text
from bakeoff.storage.record import CellRequest, Record


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
