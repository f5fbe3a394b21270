"""What a data set is to the rest: files, an identity, and a way to load it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from bakeoff.data.interactions import Interactions


class Step(NamedTuple):
    """One step of preparation and what it removed, for people to read.

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
    """Interactions with the story of how they were prepared."""

    name: str
    interactions: Interactions
    steps: tuple[Step, ...] = ()


class Source(Protocol):
    """A data set as configured: a frozen dataclass whose fields are the knobs of its YAML file."""

    name: str

    def files(self) -> Mapping[str, Path]:
        """The files it is read from, by role; they exist. DataError says where to get one that does not."""
        ...

    def identity(self) -> dict[str, Any]:
        """JSON of all that decides what `load` gives: the knobs and each file's SHA-256, not its path."""
        ...

    def load(self) -> Dataset:
        """Read and prepare."""
        ...


@runtime_checkable
class DeclaresColumns(Protocol):
    """A source that knows, before it reads, what the interactions may have beside users, items and values."""

    @property
    def parts(self) -> frozenset[str]:
        """Of `times`, `user_features` and `item_features`; what is not among them is surely not there."""
        ...


@runtime_checkable
class ItemTitles(Protocol):
    """A source that knows what its items are called."""

    def names_of_items(self) -> Mapping[str, str]:
        """Names by the items' ids as texts; empty where none are known. DataError as for `load`."""
        ...
