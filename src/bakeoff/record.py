"""What is known of a cell once it has run: plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from bakeoff.cell import Cell

Status = Literal["done", "skipped", "failed"]

PHASES = ("load", "split", "tune", "fit", "recommend", "evaluate", "write")
"""Seconds are kept for each of these, in this order."""


@dataclass(frozen=True)
class Record:
    """One cell's result.

    Args:
        key: the cell's identity.
        status: done, skipped (something cannot do what is asked) or failed (something broke).
        reason: why it was skipped or failed, one line; else "".
        cell: the cell's configuration, `Cell.as_json()`.
        parameters: the hyperparameters the final model was built with.
        metrics: metric -> k as text ("" without cutoff) -> [mean, standard error or None].
        absent: metric -> why it could not be measured.
        n_users: number of evaluated users.
        split_key, split_family, split_fingerprint: the names of its split.
        seconds: wall seconds a phase (PHASES).
        peak_mb: highest resident memory while it ran, in 10^6 bytes.
        counts: what the split dropped and kept.
        notes: what a reader of the numbers must know (not repeatable with these threads, depth clipped, ...).
        training_loss: by epoch or iteration, where the model tells it.
        tuning: what tuning did, or None.
        environment: versions, machine, threads, commit.
        started: ISO 8601, UTC.
        traceback: of a failure, else "".
    """

    key: str
    status: Status
    reason: str
    cell: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, tuple[float, float | None]]] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    n_users: int = 0
    split_key: str = ""
    split_family: str = ""
    split_fingerprint: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    peak_mb: float = 0.0
    counts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    training_loss: tuple[float, ...] = ()
    tuning: Mapping[str, Any] | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    started: str = ""
    traceback: str = ""

    @property
    def done(self) -> bool:
        return self.status == "done"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Record:
        """Read a stored record; fields that a later version added or dropped do not matter."""
        known = {f.name for f in fields(cls)}
        found = {k: v for k, v in value.items() if k in known}
        found["metrics"] = {
            m: {k: (pair[0], pair[1]) for k, pair in by_k.items()} for m, by_k in found["metrics"].items()
        }
        found["notes"] = tuple(found.get("notes", ()))
        found["training_loss"] = tuple(found.get("training_loss", ()))
        return cls(**found)


@dataclass(frozen=True)
class Asked:
    """A cell as an experiment asked for it: several may share one stored record.

    The seed of a model without chance, and the split seed of a split without chance, are not part of a key:
    a row stands in the tables for each that was asked.
    """

    key: str
    cell: Cell

    @property
    def order(self) -> tuple[Any, ...]:
        """Sort key of the rows of a table."""
        cell = self.cell
        return (
            str(cell.dataset.get("name")),
            cell.dataset_variant,
            str(cell.split.get("name")),
            cell.split_variant,
            cell.split_seed,
            -1 if cell.fold is None else cell.fold,
            str(cell.model.get("name")),
            cell.variant,
            cell.tune is not None,
            cell.seed,
            self.key,
        )
