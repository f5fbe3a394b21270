"""The lists of one cell, checked once: everything that measures takes this."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from bakeoff.arrays import CSR, Array, Bools, Codes, Floats, frozen
from bakeoff.errors import ModelError


class Hits(NamedTuple):
    """The hits of all lists, list by list and from the top down; h hits in all.

    rows: int64 [h], which list.
    ranks: int64 [h], the position in it, from 1.
    ordinals: int64 [h], which hit of its list it is, from 1.
    """

    rows: Array
    ranks: Array
    ordinals: Array


@dataclass(frozen=True, eq=False)
class TopK:
    """Ranked lists of m users to depth D over a catalogue of I items.

    Build with :meth:`build`, which checks them.

    Args:
        users: int32 [m].
        items: int32 [m, D], best first, -1 padded at the end.
        scores: float32 [m, D], not rising along a row; -inf at pads.
        hits: bool [m, D], whether the item is in the user's test part.
        n_relevant: int32 [m], the number of test items of each user, at least 1.
        n_candidates: int32 [m], how many items could have been recommended (the catalogue less the history).
        n_items: I.
        above: int32 [t], for each test item, user by user and by item code, how many unseen candidates score
            strictly higher; None where the model cannot say.
        ties: int32 [t], how many other unseen candidates score the same; None likewise.
    """

    users: Codes
    items: Codes
    scores: Floats
    hits: Bools
    n_relevant: Codes
    n_candidates: Codes
    n_items: int
    above: Codes | None = None
    ties: Codes | None = None

    @property
    def depth(self) -> int:
        return int(self.items.shape[1])

    @cached_property
    def lengths(self) -> Array:
        """int64 [m]: how many items each list holds."""
        return np.asarray(np.count_nonzero(self.items >= 0, axis=1))

    @cached_property
    def hit_positions(self) -> Hits:
        """Where the hits are: they are few, so sums over them cost far less than sums over the lists."""
        rows, columns = np.nonzero(self.hits)
        firsts = np.searchsorted(rows, rows, side="left")
        return Hits(rows, columns + 1, np.arange(len(rows)) - firsts + 1)

    @classmethod
    def build(
        cls,
        users: Codes,
        items: Codes,
        scores: Floats,
        *,
        history: CSR,
        test: CSR,
        above: Codes | None = None,
        ties: Codes | None = None,
    ) -> TopK:
        """Check lists against the history and the test part (CSR [m, I], rows in the order of users).

        Raises:
            ModelError: wrong shape or dtype, an item outside the catalogue, one that repeats or was seen, a
                pad before an item, or a score that is not finite or rises.
        """
        m, n_items = test.shape
        users = frozen("users", users, np.int32)
        items, scores = _checked_lists(users, items, scores, n_items)
        listed = items >= 0
        rows = np.repeat(np.arange(m), items.shape[1]).reshape(items.shape)
        keys = rows.astype(np.int64) * n_items + items
        _refuse(listed & _member(keys, history), users, items, "has been seen by the user")
        in_order = np.sort(np.where(listed, keys, -1 - np.arange(keys.size).reshape(keys.shape)), axis=1)
        repeats = np.zeros_like(listed)
        repeats[:, 1:] = np.diff(in_order, axis=1) == 0
        if repeats.any():
            user = users[int(np.flatnonzero(repeats.any(axis=1))[0])]
            raise ModelError(f"lists: user {user} has an item more than once; expected distinct items")
        for name, ranks in (("above", above), ("ties", ties)):
            if ranks is not None and frozen(name, ranks, np.int32).shape != (test.nnz,):
                raise ModelError(
                    f"{name}: expected a number for each of {test.nnz} test items, got {ranks.shape}"
                )
        hits = listed & _member(keys, test)
        n_candidates = (n_items - np.diff(history.indptr)).astype(np.int32)
        return cls(
            users=users,
            items=frozen("items", items, np.int32, 2),
            scores=frozen("scores", scores, np.float32, 2),
            hits=frozen("hits", hits, np.bool_, 2),
            n_relevant=frozen("n_relevant", np.diff(test.indptr).astype(np.int32), np.int32),
            n_candidates=frozen("n_candidates", n_candidates, np.int32),
            n_items=n_items,
            above=above,
            ties=ties,
        )


def _checked_lists(users: Codes, items: Codes, scores: Floats, n_items: int) -> tuple[Codes, Floats]:
    if items.ndim != 2 or len(items) != len(users) or items.shape != scores.shape:
        raise ModelError(
            f"lists: expected items and scores of {len(users)} users, "
            f"got shapes {items.shape} and {scores.shape}"
        )
    items, scores = frozen("items", items, np.int32, 2), frozen("scores", scores, np.float32, 2)
    listed = items >= 0
    _refuse(items >= n_items, users, items, f"is outside the catalogue of {n_items} items")
    _refuse(listed[:, 1:] & ~listed[:, :-1], users, items[:, 1:], "stands behind a pad")
    _refuse(listed & ~np.isfinite(scores), users, items, "has a score that is not finite")
    if (listed[:, 1:] & (scores[:, 1:] > scores[:, :-1])).any():
        raise ModelError("lists: scores rise along a list; expected the best first")
    return items, scores


def _member(keys: Codes, matrix: CSR) -> Bools:
    """Whether each row * I + item key is stored in matrix."""
    rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
    stored = rows * matrix.shape[1] + matrix.indices
    if not len(stored):
        return np.zeros(keys.shape, dtype=bool)
    if not matrix.has_sorted_indices:
        stored = np.sort(stored)
    at = np.minimum(np.searchsorted(stored, keys), len(stored) - 1)
    found: Bools = stored[at] == keys
    return found


def _refuse(wrong: Bools, users: Codes, items: Codes, why: str) -> None:
    if wrong.any():
        row, column = (int(x[0]) for x in np.nonzero(wrong))
        raise ModelError(f"lists: item {items[row, column]} of user {users[row]} {why}")
