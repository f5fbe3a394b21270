"""Data sets and models with a known answer, named by import path in configurations."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from bakeoff.data.interactions import Ids, Interactions
from bakeoff.data.source import Dataset
from bakeoff.errors import DataError, Unsupported
from bakeoff.storage.store import Store


def without_hashes(store: Store) -> Store:
    """Make a store as a version without hashes left it: what its files hold is believed."""
    for path in store.root.glob("*/*/manifest.json"):
        path.unlink()
    for path in store.root.glob("cells/*/record.json"):
        stored = {
            k: v for k, v in json.loads(path.read_text()).items() if k not in ("files", "inputs", "blake2b")
        }
        path.write_text(json.dumps(stored))
    return Store(store.root)


def blocks(n_users: int = 24, n_items: int = 16, seed: int = 0) -> Interactions:
    """Even users have most of the even items, odd users most of the odd ones; times grow with the item."""
    rng = np.random.default_rng(seed)
    liked = (np.arange(n_users)[:, None] % 2 == np.arange(n_items)[None, :] % 2) & (
        rng.random((n_users, n_items)) < 0.85
    )
    users, items = np.nonzero(liked)
    return Interactions.of(
        users.astype(np.int32),
        items.astype(np.int32),
        rng.integers(1, 9, len(users)).astype(np.float32),
        (1_000_000 + 1000 * items + users).astype(np.int64),
        Ids.of([f"u{i:03d}" for i in range(n_users)]),
        Ids.of([f"i{i:03d}" for i in range(n_items)]),
    )


@dataclass(frozen=True)
class Blocks:
    """A data source without files."""

    name: str = "blocks"
    n_users: int = 24
    n_items: int = 16
    with_times: bool = True

    def files(self) -> dict[str, Path]:
        return {}

    def identity(self) -> dict[str, Any]:
        return {"n_users": self.n_users, "n_items": self.n_items, "with_times": self.with_times}

    def load(self) -> Dataset:
        rows = blocks(self.n_users, self.n_items)
        if not self.with_times:
            rows = Interactions.of(rows.users, rows.items, rows.values, None, rows.user_ids, rows.item_ids)
        return Dataset(self.name, rows)


@dataclass(frozen=True)
class Unreadable:
    """A data source whose file cannot be read."""

    name: str = "unreadable"

    def files(self) -> dict[str, Path]:
        return {}

    def identity(self) -> dict[str, Any]:
        return {}

    def load(self) -> Dataset:
        raise DataError("plays.csv, line 7, column 'count': found 'many', expected a number")


@dataclass
class ByItem:
    """Recommends unseen items by code, which everybody can check by hand."""

    stochastic: ClassVar[bool] = False
    folds_in: ClassVar[bool] = True
    offset: int = 0

    def fit(self, train: Interactions, *, seed: int, on_epoch: Any = None) -> None:
        self._n_items = train.n_items
        if on_epoch is not None:
            on_epoch(1, 0.5)

    def recommend(self, users: Any, history: Any, k: int) -> tuple[Any, Any]:
        items = np.full((len(users), k), -1, dtype=np.int32)
        scores = np.full((len(users), k), -np.inf, dtype=np.float32)
        for row in range(len(users)):
            unseen = np.setdiff1d(np.arange(self._n_items), history[row].indices)[:k]
            items[row, : len(unseen)] = unseen
            scores[row, : len(unseen)] = -unseen
        return items, scores


@dataclass
class Shuffled(ByItem):
    """By chance: the seed decides."""

    stochastic: ClassVar[bool] = True

    def fit(self, train: Interactions, *, seed: int, on_epoch: Any = None) -> None:
        super().fit(train, seed=seed)
        self._order = np.random.default_rng(seed).permutation(train.n_items)

    def recommend(self, users: Any, history: Any, k: int) -> tuple[Any, Any]:
        shuffled = sparse.csr_matrix(history[:, self._order])
        items, scores = super().recommend(users, shuffled, k)
        return np.where(items >= 0, self._order[items], -1).astype(np.int32), scores


@dataclass
class Breaks(ByItem):
    """Fails while it is fitted."""

    def fit(self, train: Interactions, *, seed: int, on_epoch: Any = None) -> None:
        raise ValueError("the matrix\nis singular")


@dataclass
class Refuses(ByItem):
    """Cannot do what is asked."""

    def fit(self, train: Interactions, *, seed: int, on_epoch: Any = None) -> None:
        raise Unsupported("needs item features; the data set has none")


@dataclass
class RecommendsSeen(ByItem):
    """Breaks its contract."""

    def recommend(self, users: Any, history: Any, k: int) -> tuple[Any, Any]:
        return super().recommend(users, sparse.csr_matrix(history.shape), k)


@dataclass
class Sleeps(ByItem):
    """Takes its time."""

    seconds: float = 60.0

    def fit(self, train: Interactions, *, seed: int, on_epoch: Any = None) -> None:
        super().fit(train, seed=seed)
        time.sleep(self.seconds)


def from_path(path: str) -> Path:
    """Something that cannot be made without a value."""
    return Path(path)
