"""Dry-run checks and estimates: what a run will refuse or skip, and how long it will take.

Known from the store and from configurations alone; no data are read.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from bakeoff.data.source import DeclaresColumns
from bakeoff.errors import ConfigError, Unsupported, UsageError
from bakeoff.models.base import HasRequirements
from bakeoff.run.cell import Cell, build_model, build_source, build_splitter
from bakeoff.run.runner import EvaluationSpec, cold_start_reason, needs_times
from bakeoff.splits.base import ColdStartSplitter
from bakeoff.storage.record import CellRequest, Record
from bakeoff.storage.store import Store

T = TypeVar("T")

PARTS = {"times": "timestamps", "user_features": "user features", "item_features": "item features"}
"""Optional parts of a data set: field of `Interactions` -> name for people."""


@dataclass(frozen=True)
class PreflightResult:
    """Why cells will not be fitted, by key.

    Args:
        refused: errors that `grid.prepare` will raise if they hold for every cell.
        skipped: reasons why the model cannot run.
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


def preflight(requests: Collection[CellRequest], store: Store, spec: EvaluationSpec) -> PreflightResult:
    """Return the refusals and skips that are known without reading data; a run may find more.

    Raises:
        UsageError: no cell can run; the same error as a run would end with.
    """
    refused, facts = check_splits(requests, lambda cell: _split_facts(cell, store, spec))
    able = (request for request in requests if request.key not in refused)
    reasons = {r.key: _skip_reason(r.cell, *facts[r.cell.split_key]) for r in able}
    return PreflightResult(refused, {key: reason for key, reason in reasons.items() if reason})


def check_splits(
    requests: Collection[CellRequest], check: Callable[[Cell], T]
) -> tuple[dict[str, UsageError | Unsupported], dict[str, T]]:
    """Check each split once: return the errors by the keys of the cells, and the results by `split_key`.

    Raises:
        UsageError: no cell can run; the user's error first, else the first reason of a skip.
    """
    errors: dict[str, UsageError | Unsupported] = {}
    results: dict[str, T] = {}
    for request in requests:
        split_key = request.cell.split_key
        if split_key not in errors and split_key not in results:
            try:
                results[split_key] = check(request.cell)
            except (UsageError, Unsupported) as error:
                errors[split_key] = error
    if errors and not results:
        mistakes = [error for error in errors.values() if isinstance(error, UsageError)]
        raise mistakes[0] if mistakes else UsageError(str(next(iter(errors.values()))))
    return {r.key: errors[r.cell.split_key] for r in requests if r.cell.split_key in errors}, results


def check_ks(spec: EvaluationSpec, catalogue: int, cell: Cell) -> None:
    """Raise ConfigError if a cutoff is larger than the catalogue."""
    if max(spec.ks) > catalogue:
        raise ConfigError(
            f"k={max(spec.ks)} is larger than the catalogue of data set {cell.dataset_name!r} "
            f"({catalogue} items in train of split {cell.split_name!r}): ask for a smaller k"
        )


def _split_facts(cell: Cell, store: Store, spec: EvaluationSpec) -> tuple[frozenset[str], bool, bool]:
    """Return the parts that the data set is known to lack, and whether the split holds users, or items, out.

    Raises:
        Unsupported: the split needs times that the data set does not have.
        UsageError: the split is too small for a cutoff.
    """
    if store.has_split(cell.split_key):
        split = store.split(cell.split_key)
        check_ks(spec, split.train.n_items, cell)
        return frozenset(p for p in PARTS if getattr(split.train, p) is None), split.held_out, split.new_items
    splitter = build_splitter(cell.split)
    absent = _absent_parts(cell, store)
    if splitter.needs_times and "times" in absent:
        raise needs_times(cell, cell.dataset_name)
    return absent, isinstance(splitter, ColdStartSplitter), hasattr(splitter, "holds_items_out")


def _absent_parts(cell: Cell, store: Store) -> frozenset[str]:
    if store.has_data(cell.data_key):
        data = store.data(cell.data_key).interactions
        return frozenset(p for p in PARTS if getattr(data, p) is None)
    source = build_source(cell.dataset)
    return frozenset(PARTS) - source.parts if isinstance(source, DeclaresColumns) else frozenset()


def _skip_reason(cell: Cell, absent: frozenset[str], users: bool, items: bool) -> str:
    model = build_model(cell.model)
    if reason := cold_start_reason(model, cell, users=users, items=items):
        return reason
    searched = cell.tune is not None and cell.space  # a trial may need less than the defaults
    needs = model.needs if isinstance(model, HasRequirements) and not searched else ()
    parts = [need.split("|") for need in needs]
    missing = [" or ".join(PARTS[n] for n in need) for need in parts if absent.issuperset(need)]
    return f"needs {missing[0]}; the data set has none" if missing else ""


class DurationEstimator:
    """Estimate the seconds of a cell by stored cells: of the same model on the same split, else on any."""

    def __init__(self, store: Store, requests: Iterable[CellRequest]) -> None:
        self._durations: dict[tuple[str, ...], list[float]] = {}
        for request in requests:
            record, _ = store.readable(request.key)
            if record is not None and record.done:
                self.learn(request.cell, record)

    def learn(self, cell: Cell, record: Record) -> None:
        """Add a cell that is done."""
        seconds = sum(record.seconds.values())
        for group in self._groups(cell):
            self._durations.setdefault(group, []).append(seconds)

    def cell(self, cell: Cell) -> float | None:
        """Return the median seconds of the most similar stored cells, or None if there are none."""
        for group in self._groups(cell):
            if group in self._durations:
                return statistics.median(self._durations[group])
        return None

    def total(self, requests: Iterable[CellRequest], workers: int = 1) -> float | None:
        """Return the seconds for all cells, or None unless every cell can be estimated."""
        total = 0.0
        for request in requests:
            seconds = self.cell(request.cell)
            if seconds is None:
                return None
            total += seconds
        return total / workers

    @staticmethod
    def _groups(cell: Cell) -> list[tuple[str, ...]]:
        """Return the groups that the cell belongs to, the most similar cells first."""
        model = (cell.model_target, cell.model_name)
        tuned = "tuned" if cell.tune is not None else ""
        return [
            (cell.split_family, *model, cell.variant, tuned),
            (cell.data_key, *model, tuned),
            (*model, tuned),
        ]


def seconds_text(seconds: float | None) -> str:
    """Return a duration as text for people.

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
