"""An experiment: a name, the cells that were requested under it, and the commands that requested them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from bakeoff.errors import ConfigError, check_file_name, check_inside
from bakeoff.hashing import identity
from bakeoff.run.cell import StoredCell
from bakeoff.storage.record import CellRequest
from bakeoff.storage.store import DamagedFileError, read_json, write_json


class ReportRecord(msgspec.Struct, frozen=True):
    """What the written report was made from, so that it can be made again and compared.

    Args:
        writer: bakeoff and what else decides the bytes, with versions.
        ks: cutoffs.
        metrics: names and import paths, in the order of the tables.
        statistics: parameters of `TestConfig`.
        rows: `row_name` of its cells.
        n_commands: number of the experiment's commands at that time.
        chain: key of a cell -> short hashes of its links (`report.proof.LINKS`), "" where one is not known.
    """

    writer: str
    ks: tuple[int, ...]
    metrics: tuple[tuple[str, str], ...]
    statistics: Mapping[str, Any]
    rows: tuple[str, ...]
    n_commands: int
    chain: Mapping[str, tuple[str, ...]]


def row_name(request: CellRequest) -> str:
    """Return a short name of a row of the tables; several rows may share a key."""
    return identity("r", list(request.order))


class Experiment(msgspec.Struct, frozen=True):
    """The file `experiment.json`: sorted and without times, so that the same cells give the same bytes.

    report: None before the first report, and in files of earlier versions.
    """

    name: str
    requests: tuple[CellRequest, ...] = msgspec.field(name="cells", default=())
    commands: tuple[str, ...] = ()
    report: ReportRecord | None = None

    @classmethod
    def read(cls, folder: Path, name: str, *, trust: bool = False) -> Experiment:
        """Return the stored experiment, or an empty one if there is none.

        Args:
            name: of the folder; an experiment may have been copied to another.
            trust: whether the classes that it names may be imported.

        Raises:
            DamagedFileError: the file is not an experiment, or is not as it was written.
        """
        check_file_name("experiment", name)
        for inside in (folder, folder / "charts"):
            check_inside(inside)
        path = folder / "experiment.json"
        if not path.exists():
            return cls(name)
        try:
            stored = read_json(path, cls)
            cells = [StoredCell.of(r.cell) for r in stored.requests]
        except (ValueError, ConfigError) as error:
            raise DamagedFileError(
                str(error) if isinstance(error, ValueError) else f"{path}: {error}"
            ) from error
        for request in stored.requests:
            check_file_name(f"{path}: key", request.key)
        requests = stored.requests
        if not trust:
            requests = tuple(CellRequest(r.key, cell) for r, cell in zip(requests, cells, strict=True))
        return cls(name, requests, stored.commands, stored.report)

    def with_cells(self, requests: Iterable[CellRequest], command: str) -> Experiment:
        """Return this experiment with more cells, each once, in the order of the tables."""
        requests = [CellRequest(request.key, request.cell.without_credentials()) for request in requests]
        merged = {request.order: request for request in (*self.requests, *requests)}
        commands = dict.fromkeys((*self.commands, command))
        cells = tuple(merged[order] for order in sorted(merged))
        return Experiment(self.name, cells, tuple(commands), self.report)

    def write(self, folder: Path) -> None:
        write_json(folder / "experiment.json", self)
