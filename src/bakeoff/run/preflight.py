"""What a run will skip and how long it will take, told from the store and from configurations alone."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from bakeoff.data.source import DeclaresColumns
from bakeoff.errors import ConfigError, Unsupported, UsageError
from bakeoff.models.base import HasRequirements
from bakeoff.run.cell import Cell, build_model, build_source, build_splitter
from bakeoff.run.runner import EvaluationSpec, needs_times, serves_nobody
from bakeoff.splits.base import ColdStartSplitter
from bakeoff.storage.record import CellRequest, Record
from bakeoff.storage.store import Store

PARTS = {"times": "timestamps", "user_features": "user features", "item_features": "item features"}
"""What a data set may have beside its pairs, by the name of the field of `Interactions`, for people."""


@dataclass
class Foreseen:
    """Why cells will not be fitted, by key.

    Args:
        refused: what `prepare` will refuse; where it holds for every cell, a run ends with it.
        skipped: what the model cannot do.
    """

    refused: dict[str, UsageError | Unsupported] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def failing(self) -> frozenset[str]:
        """Keys of the cells that fail: an error of the user's, such as a cutoff beyond the catalogue."""
        return frozenset(k for k, error in self.refused.items() if isinstance(error, UsageError))

    @property
    def reasons(self) -> dict[str, str]:
        return self.skipped | {key: str(error) for key, error in self.refused.items()}


def foresee(asked: Collection[CellRequest], store: Store, wanted: EvaluationSpec) -> Foreseen:
    """Find what is known of skips without reading data: what is not foreseen may still be skipped.

    Raises:
        UsageError: no cell can run, as a run would say it.
    """
    found = Foreseen()
    by_split: dict[str, list[CellRequest]] = {}
    for one in asked:
        by_split.setdefault(one.cell.split_key, []).append(one)
    for group in by_split.values():
        cell = group[0].cell
        try:
            absent, held_out = _known(cell, store, wanted)
        except (UsageError, Unsupported) as error:
            found.refused |= {a.key: error for a in group}
            continue
        for one in group:
            why = _unable(one.cell, absent, held_out)
            if why:
                found.skipped[one.key] = why
    if asked and all(a.key in found.refused for a in asked):
        raise first_error(found.refused.values())
    return found


def first_error(refused: Collection[UsageError | Unsupported]) -> UsageError:
    """Return the error to raise where no cell can run: the user's first, else the first reason of a skip."""
    errors = [error for error in refused if isinstance(error, UsageError)]
    return errors[0] if errors else UsageError(str(next(iter(refused))))


def check_ks(wanted: EvaluationSpec, catalogue: int, cell: Cell) -> None:
    """ConfigError where a cutoff is larger than the catalogue: there are no such lists."""
    if max(wanted.ks) > catalogue:
        raise ConfigError(
            f"k={max(wanted.ks)} is larger than the catalogue of data set {cell.dataset.get('name')!r} "
            f"({catalogue} items in train of split {cell.split.get('name')!r}): ask for a smaller k"
        )


def _known(cell: Cell, store: Store, wanted: EvaluationSpec) -> tuple[frozenset[str], bool]:
    """The parts that the data set surely has not, and whether the split surely holds users out.

    Raises:
        Unsupported: the split needs times that the data set does not have.
        UsageError: the split is too small for a cutoff.
    """
    if store.has_split(cell.split_key):
        split = store.split(cell.split_key)
        check_ks(wanted, split.train.n_items, cell)
        return frozenset(p for p in PARTS if getattr(split.train, p) is None), split.held_out
    splitter = build_splitter(cell.split)
    absent = _absent(cell, store)
    if splitter.needs_times and "times" in absent:
        raise needs_times(cell, str(cell.dataset.get("name")))
    return absent, isinstance(splitter, ColdStartSplitter)


def _absent(cell: Cell, store: Store) -> frozenset[str]:
    if store.has_data(cell.data_key):
        data = store.data(cell.data_key).interactions
        return frozenset(p for p in PARTS if getattr(data, p) is None)
    source = build_source(cell.dataset)
    return frozenset(PARTS) - source.parts if isinstance(source, DeclaresColumns) else frozenset()


def _unable(cell: Cell, absent: Collection[str], held_out: bool) -> str:
    model = build_model(cell.model)
    if held_out and not model.folds_in:
        return serves_nobody(model, cell)
    searched = cell.tune is not None and cell.model.get("space")  # a trial may need less than the defaults
    needed = model.needs if isinstance(model, HasRequirements) and not searched else ()
    return next((f"needs {PARTS[n]}; the data set has none" for n in needed if n in absent), "")


class Estimate:
    """Seconds a cell will take, from those that are stored: the same model on the same split, then on any."""

    def __init__(self, store: Store, asked_for: Iterable[CellRequest]) -> None:
        self._seen: dict[tuple[str, ...], list[float]] = {}
        for asked in asked_for:
            record, _ = store.readable(asked.key)
            if record is not None and record.done:
                self.learn(asked.cell, record)

    def learn(self, cell: Cell, record: Record) -> None:
        seconds = sum(record.seconds.values())
        for place in self._places(cell):
            self._seen.setdefault(place, []).append(seconds)

    def cell(self, cell: Cell) -> float | None:
        """Median seconds of the most alike stored cells, or None where nothing is known."""
        for place in self._places(cell):
            if place in self._seen:
                return statistics.median(self._seen[place])
        return None

    def total(self, asked: Iterable[CellRequest], workers: int = 1) -> float | None:
        """Seconds for all, or None unless every cell can be estimated."""
        each = [self.cell(a.cell) for a in asked]
        known = [s for s in each if s is not None]
        return sum(known) / workers if len(known) == len(each) else None

    @staticmethod
    def _places(cell: Cell) -> list[tuple[str, ...]]:
        model = (str(cell.model["build"]["_target_"]), str(cell.model.get("name")))
        tuned = "tuned" if cell.tune is not None else ""
        return [
            (cell.split_family, *model, cell.variant, tuned),
            (cell.data_key, *model, tuned),
            (*model, tuned),
        ]


def seconds_text(seconds: float | None) -> str:
    """A duration for people.

    >>> seconds_text(75.0)
    '1 min 15 s'
    """
    if seconds is None:
        return "unknown"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
