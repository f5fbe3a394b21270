"""An experiment: a name, the cells that were requested under it, and the commands that requested them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from bakeoff.errors import UsageError
from bakeoff.run.cell import StoredCell
from bakeoff.storage.record import CellRequest
from bakeoff.storage.store import read_json, write_json


class Experiment(msgspec.Struct, frozen=True):
    """The file `experiment.json`: sorted and without times, so that the same cells give the same bytes."""

    name: str
    requests: tuple[CellRequest, ...] = msgspec.field(name="cells", default=())
    commands: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path, name: str, *, trust: bool = False) -> Experiment:
        """Return the stored experiment, or an empty one if there is none.

        Args:
            name: of the folder; an experiment may have been copied to another.
            trust: whether the classes that it names may be imported.

        Raises:
            UsageError: the file is not an experiment.
        """
        path = folder / "experiment.json"
        if not path.exists():
            return cls(name)
        try:
            stored = read_json(path, cls)
        except ValueError as error:
            raise UsageError(f"{error}; use another name or fresh=true") from error
        cells = (r.cell if trust else StoredCell.of(r.cell) for r in stored.requests)
        requests = tuple(CellRequest(r.key, cell) for r, cell in zip(stored.requests, cells, strict=True))
        return cls(name, requests, stored.commands)

    def with_cells(self, requests: Iterable[CellRequest], command: str) -> Experiment:
        """Return this experiment with more cells, each once, in the order of the tables."""
        merged = {request.order: request for request in (*self.requests, *requests)}
        commands = dict.fromkeys((*self.commands, command))
        return Experiment(self.name, tuple(merged[order] for order in sorted(merged)), tuple(commands))

    def write(self, folder: Path) -> None:
        write_json(folder / "experiment.json", self)
