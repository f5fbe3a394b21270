"""An experiment: a name, the cells that were asked for under it, and the commands that asked."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakeoff.errors import UsageError
from bakeoff.run.cell import Cell
from bakeoff.storage.record import CellRequest
from bakeoff.storage.store import write_json


@dataclass(frozen=True)
class Experiment:
    """The file `experiment.json`: sorted and without times, so that the same cells give the same bytes."""

    name: str
    asked: tuple[CellRequest, ...] = ()
    commands: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path, name: str) -> Experiment:
        """The stored experiment; an empty one where there is none."""
        path = folder / "experiment.json"
        if not path.exists():
            return cls(name)
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            asked = tuple(CellRequest(c["key"], Cell(**c["cell"])) for c in stored["cells"])
            return cls(stored["name"], asked, tuple(stored["commands"]))
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{path}: not an experiment ({error}); use another name or fresh=true"
            ) from error

    def with_cells(self, asked: Iterable[CellRequest], command: str) -> Experiment:
        """This experiment with more cells, each once, in the order of the tables."""
        merged = {a.order: a for a in (*self.asked, *asked)}
        commands = dict.fromkeys((*self.commands, command))
        return Experiment(self.name, tuple(merged[o] for o in sorted(merged)), tuple(commands))

    def write(self, folder: Path) -> None:
        cells: list[dict[str, Any]] = [{"key": a.key, "cell": a.cell.as_json()} for a in self.asked]
        write_json(
            folder / "experiment.json", {"name": self.name, "cells": cells, "commands": list(self.commands)}
        )
