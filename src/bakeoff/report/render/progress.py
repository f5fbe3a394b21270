"""How far a grid is: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bakeoff.run.grid import Progress
from bakeoff.run.naming import cell_label
from bakeoff.run.preflight import seconds_text
from bakeoff.storage.record import CellRequest, Record


class Silent:
    """Says nothing: for logs and pipes."""

    def start(self, missing: Sequence[CellRequest], stored: int, seconds_left: float | None) -> None: ...
    def begin(self, asked: CellRequest) -> None: ...
    def end(self, asked: CellRequest, record: Record, seconds_left: float | None) -> None: ...
    def stop(self) -> None: ...


class Bar:
    """What runs, what is done, how long is left; on standard error, so that a table can be piped."""

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
        if not missing:
            return
        if stored:
            self._bar.console.print(f"{stored} cells are stored, {len(missing)} to run", highlight=False)
        self._task = self._bar.add_task("", total=len(missing), left=seconds_text(seconds_left))
        self._bar.start()

    def begin(self, asked: CellRequest) -> None:
        self._running.append(cell_label(asked.cell))
        self._show()

    def end(self, asked: CellRequest, record: Record, seconds_left: float | None) -> None:
        from rich.markup import escape

        self._running.remove(cell_label(asked.cell))
        if record.status != "done":
            line = f"{record.status}: {cell_label(asked.cell)}: {record.reason}"
            self._bar.console.print(escape(line), highlight=False)
        self._bar.advance(self._task)
        self._bar.update(self._task, left=seconds_text(seconds_left))
        self._show()

    def stop(self) -> None:
        self._bar.stop()

    def _show(self) -> None:
        from rich.markup import escape

        self._bar.update(self._task, description=escape("; ".join(self._running)))


def progress() -> Progress:
    """The bar where standard error is a terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    return Bar(console) if console.is_terminal else Silent()
