"""What a data set is to the rest: files, an identity, and a way to load it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from bakeoff.data.interactions import Interactions


@dataclass(frozen=True)
class Step:
    """One line of the ledger: a step of preparation, with the counts after it (those before it are the
    counts after the step above).

    Args:
        name: what was done ("merge (sum)", "5-core", ...).
        rows: rows of the file (events) up to the merge, pairs from it on.
        users, items: those that have any.
        note: what is worth saying, else "".
        total: sum of the values, where each row or pair without a value counts 1; None: not recorded.
        part: the part of a split, else "": the data set.
    """

    name: str
    rows: int
    users: int
    items: int
    note: str = ""
    total: float | None = None
    part: str = ""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Interactions with the steps of their preparation."""

    name: str
    interactions: Interactions
    steps: tuple[Step, ...] = ()


class Source(Protocol):
    """A data set as configured: a frozen dataclass whose fields are the parameters of its YAML file."""

    name: str

    def files(self) -> Mapping[str, Path]:
        """Return the files that are read, by role; they exist. DataError says where to get a missing one."""
        ...

    def identity(self) -> dict[str, Any]:
        """Return JSON of all that determines what `load` returns: parameters and SHA-256 of files, no
        paths.
        """
        ...

    def load(self) -> Dataset:
        """Read and prepare the data."""
        ...


@runtime_checkable
class DeclaresColumns(Protocol):
    """A source that declares, before it reads, which optional parts its interactions have."""

    @property
    def parts(self) -> frozenset[str]:
        """Of `times`, `user_features` and `item_features`, those that there may be."""
        ...


@runtime_checkable
class ItemTitles(Protocol):
    """A source with titles of its items."""

    def names_of_items(self) -> Mapping[str, str]:
        """Return titles by the items' ids as texts; empty where there are none. DataError as for `load`."""
        ...
