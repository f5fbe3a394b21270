"""What a data set is to the rest: files, an identity, and a way to load it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from bakeoff.data.interactions import Interactions


class Step(NamedTuple):
    """One step of preparation, with the counts after it.

    name: what was done ("merge (sum)", "at least 5 interactions a user", ...).
    rows, users, items: how many were left after it.
    note: what is worth saying, else "".
    """

    name: str
    rows: int
    users: int
    items: int
    note: str = ""


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
