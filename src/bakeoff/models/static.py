"""Models that know an order of the catalogue without scoring it: lists and ranks by position alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Protocol

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Codes, Floats
from bakeoff.errors import ModelError
from bakeoff.models.base import Ranked, State
from bakeoff.models.topk import entries, joined

BLOCK_ENTRIES = 2**20
"""List places and history entries handled at once; lists do not depend on it."""


class Order(Protocol):
    """An order of the catalogue for each user that can be asked at one position, or for one item."""

    def items_at(self, users: Codes, positions: Array) -> tuple[Codes, Floats]:
        """Items int32 [b, k] and scores float32 [b, k], not rising, at int64 positions [b, k] of b users."""
        ...

    def positions_of(self, users: Codes, items: Codes) -> Array:
        """int64 [n]: the position of each item in the order of the user beside it."""
        ...

    def tied_with(self, positions: Array) -> tuple[Array, Array]:
        """int64 [n] twice: the first position with the same score as each, and the one after the last."""
        ...


class OrderedModel(ABC):
    """A model that ranks by position: the catalogue's size does not enter the cost.

    The best k are the first k positions whose item is unseen; a target's rank is its position less what was
    seen before it.
    """

    @abstractmethod
    def order(self) -> Order:
        """What `fit` has learnt."""

    def recommend(self, users: Codes, history: CSR, k: int) -> tuple[Codes, Floats]:
        """The k best unseen items of each user; see :class:`bakeoff.models.base.Model`."""
        return self.rank(users, history, k, sparse.csr_matrix(history.shape, dtype=np.float32))[:2]

    def rank(self, users: Codes, history: CSR, k: int, targets: CSR) -> Ranked:
        """As `recommend`, with the rank of each target; see :class:`bakeoff.models.base.RanksTargets`."""
        return joined(_parts(self.order(), users, history, k, targets), k)


class StaticModel(OrderedModel):
    """A model with one score an item, the same for every user; ties by item code.

    Attributes:
        item_scores: float32 [I], set by `fit`.
    """

    item_scores: Floats

    def state(self) -> State:
        """The scores; see :class:`bakeoff.models.base.Keeps`."""
        return {"item_scores": self.item_scores}

    def restore(self, state: State) -> None:
        """Put the scores back."""
        self.item_scores = state["item_scores"]

    def order(self) -> Order:
        """The items by falling score, then rising code.

        Raises:
            ModelError: a score is not finite.
        """
        wrong = np.flatnonzero(~np.isfinite(self.item_scores))
        if len(wrong):
            raise ModelError(
                f"{type(self).__name__}: the score of item {wrong[0]} is not finite; expected finite scores: "
                "scale the values down, for example by dataset.transform=log1p"
            )
        return _Shared(self.item_scores)


class _Shared:
    """One order for all users, by falling score, then rising item code."""

    def __init__(self, scores: Floats) -> None:
        self._items = np.argsort(-scores, kind="stable").astype(np.int32)
        self._scores = scores[self._items]
        self._position = np.empty(len(scores), dtype=np.int64)
        self._position[self._items] = np.arange(len(scores))

    def items_at(self, users: Codes, positions: Array) -> tuple[Codes, Floats]:
        return self._items[positions], self._scores[positions]

    def positions_of(self, users: Codes, items: Codes) -> Array:
        found: Array = self._position[items]
        return found

    def tied_with(self, positions: Array) -> tuple[Array, Array]:
        falling = -self._scores
        values = falling[positions]
        return np.searchsorted(falling, values, side="left"), np.searchsorted(falling, values, side="right")


def _parts(order: Order, users: Codes, history: CSR, k: int, targets: CSR) -> Iterator[Ranked]:
    """The answer block by block."""
    size = max(1, BLOCK_ENTRIES // (k + 1 + history.nnz // max(len(users), 1)))
    for start in range(0, len(users), size):
        block = slice(start, start + size)
        yield _ranked(order, users[block], history[block], k, targets[block])


def _ranked(order: Order, users: Codes, history: CSR, k: int, targets: CSR) -> Ranked:
    n_items = history.shape[1]
    rows, seen = entries(history)
    seen_keys = np.sort(rows * n_items + order.positions_of(users[rows], seen))
    seen_at = seen_keys - rows * n_items  # positions, rising within each row
    items, scores = _lists(order, users, rows, seen_at, history, k)

    rows, wanted = entries(targets)
    first, end = order.tied_with(order.positions_of(users[rows], wanted))
    before = history.indptr[rows]
    above = first - (np.searchsorted(seen_keys, rows * n_items + first) - before)
    not_below = end - (np.searchsorted(seen_keys, rows * n_items + end) - before)
    return Ranked(items, scores, above.astype(np.int32), (not_below - above - 1).astype(np.int32))


def _lists(
    order: Order, users: Codes, rows: Array, seen_at: Array, history: CSR, k: int
) -> tuple[Codes, Floats]:
    """What stands at the first k unseen positions of each user, given the seen ones [nnz]."""
    b, n_items = history.shape
    # With i seen positions before it, the seen position p stands before the unseen one of rank p - i.
    rank = seen_at - (np.arange(len(rows)) - history.indptr[rows])
    early = rank < k
    skipped = np.bincount(rows[early] * k + rank[early], minlength=b * k).reshape(b, k).cumsum(axis=1)
    positions = np.arange(k) + skipped
    exists = positions < n_items
    items, scores = order.items_at(users, np.minimum(positions, n_items - 1))
    return np.where(exists, items, np.int32(-1)), np.where(exists, scores, np.float32(-np.inf))
