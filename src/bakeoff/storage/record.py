"""What is known of a cell once it has run: plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from bakeoff.run.cell import Cell

Status = Literal["done", "skipped", "failed", "missing"]
STORED: tuple[Status, ...] = ("done", "skipped", "failed")
"""missing: a report finds nothing of the cell in the store. It stands in a report, never in the store."""

PHASES = ("load", "split", "tune", "fit", "recommend", "evaluate", "write")
"""Seconds are kept for each of these, in this order."""


@dataclass(frozen=True)
class Record:
    """One cell's result.

    Args:
        key: the cell's identity.
        status: done, skipped (something cannot do what is asked), failed (something broke) or missing.
        reason: why it is not done, one line; else "".
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
        """Read a stored record; fields that a later version added or dropped do not matter.

        Raises:
            ValueError: something is not what a record holds there; the message names it.
        """
        if not isinstance(value, Mapping):
            raise ValueError(f"found {_kind(value)}, expected an object")
        known = {f.name for f in fields(cls)}
        found = {k: v for k, v in value.items() if k in known}
        _check(found)
        found["metrics"] = {
            m: {k: (pair[0], pair[1]) for k, pair in by_k.items()}
            for m, by_k in found.get("metrics", {}).items()
        }
        found["notes"] = tuple(found.get("notes", ()))
        found["training_loss"] = tuple(found.get("training_loss", ()))
        return cls(**found)


_KINDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("key", "status", "reason"), (str,)),
    **dict.fromkeys(("split_key", "split_family", "split_fingerprint", "started", "traceback"), (str,)),
    **dict.fromkeys(("cell", "parameters", "metrics", "absent", "seconds", "counts", "environment"), (dict,)),
    **dict.fromkeys(("notes", "training_loss"), (list, tuple)),
    "n_users": (int,),
    "peak_mb": (int, float),
    "tuning": (dict, type(None)),
}
_NEEDED = ("key", "status", "reason", "cell")


def _check(found: Mapping[str, Any]) -> None:
    """ValueError for the first field that is missing or of another kind."""
    for name in _NEEDED:
        if name not in found:
            raise ValueError(f"it has no {name!r}")
    for name, value in found.items():
        if not isinstance(value, _KINDS[name]) or isinstance(value, bool):
            raise ValueError(f"{name}: found {_kind(value)}, expected {_kind(_KINDS[name][0]())}")
    if found["status"] not in STORED:
        raise ValueError(f"status: found {found['status']!r}, expected {', '.join(STORED)}")
    try:
        Cell(**found["cell"])
    except TypeError as error:
        raise ValueError(f"cell: {str(error).replace('Cell.__init__() ', '')}") from None
    for name, by_k in found.get("metrics", {}).items():
        if not isinstance(by_k, dict) or not all(map(_is_pair, by_k.values())):
            raise ValueError(f"metrics.{name}: expected [mean, standard error] by k")
    for phase, seconds in found.get("seconds", {}).items():
        if not _is_number(seconds):
            raise ValueError(f"seconds.{phase}: found {_kind(seconds)}, expected a number")


def _is_pair(value: Any) -> bool:
    if not isinstance(value, list | tuple) or len(value) != 2:
        return False
    return _is_number(value[0]) and (value[1] is None or _is_number(value[1]))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    """What JSON calls it."""
    names = {dict: "an object", list: "a list", tuple: "a list", str: "a text", bool: "true or false"}
    return {**names, int: "a number", float: "a number", type(None): "nothing"}.get(type(value), "a value")


@dataclass(frozen=True)
class CellRequest:
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
