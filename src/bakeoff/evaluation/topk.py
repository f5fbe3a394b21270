"""The ranked lists of one cell, checked once: the input of every metric."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from bakeoff.arrays import CSR, Array, Bools, Codes, Floats, frozen
from bakeoff.errors import ModelError

SCRATCH_SIZE = 2**22
"""Size of the scratch array in which the lists of a block of users are compared with history and test."""


class Hits(NamedTuple):
    """The h hits of all lists, list by list and from the top down.

    rows: int64 [h], the row of the list.
    ranks: int64 [h], the rank in the list, from 1.
    ordinals: int64 [h], the number of hits in the list up to this one, from 1.
    """

    rows: Array
    ranks: Array
    ordinals: Array

    @property
    def misses_above(self) -> Array:
        """Number of items above the hit that are not hits, int64 [h]."""
        return self.ranks - self.ordinals


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
        n_candidates: int32 [m], the number of items outside the user's history.
        n_items: I.
        above: int32 [t], for each test item, user by user and by item code, the number of candidates with a
            higher score; None if the model gives lists only.
        ties: int32 [t], the number of other candidates with the same score; None likewise.
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
        """Number of items of each list, int64 [m]."""
        return np.asarray(np.count_nonzero(self.items >= 0, axis=1))

    @cached_property
    def hit_positions(self) -> Hits:
        """The hits; they are few, so that sums over them cost far less than sums over the lists."""
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
        """Return lists checked against history and test part (CSR [m, I], rows in the order of users).

        Raises:
            ModelError: wrong shape or dtype, an item outside the catalogue, one that repeats or was seen, a
                pad before an item, or a score that is not finite or rises.
        """
        n_items = test.shape[1]
        users = frozen("users", users, np.int32)
        items, scores = _checked_lists(users, items, scores, n_items)
        hits = _checked_hits(users, items, history, test)
        n_relevant = np.diff(test.indptr).astype(np.int32)
        n_candidates = (n_items - np.diff(history.indptr)).astype(np.int32)
        _check_ranks(above, ties, np.repeat(n_candidates, n_relevant))
        return cls(
            users=users,
            items=frozen("items", items, np.int32, 2),
            scores=frozen("scores", scores, np.float32, 2),
            hits=frozen("hits", hits, np.bool_, 2),
            n_relevant=frozen("n_relevant", n_relevant, np.int32),
            n_candidates=frozen("n_candidates", n_candidates, np.int32),
            n_items=n_items,
            above=above,
            ties=ties,
        )


def _checked_lists(users: Codes, items: Codes, scores: Floats, n_items: int) -> tuple[Codes, Floats]:
    items, scores = frozen("items", items, np.int32, 2), frozen("scores", scores, np.float32, 2)
    if len(items) != len(users) or items.shape != scores.shape:
        raise ModelError(
            f"lists: expected items and scores of {len(users)} users, "
            f"got shapes {items.shape} and {scores.shape}"
        )
    listed = items >= 0
    _refuse((items >= n_items) | (items < -1), users, items, f"is outside the catalogue of {n_items} items")
    _refuse(listed[:, 1:] & ~listed[:, :-1], users, items[:, 1:], "comes after a pad")
    _refuse(listed & ~np.isfinite(scores), users, items, "has a score that is not finite")
    rising = listed[:, 1:] & (scores[:, 1:] > scores[:, :-1])
    _refuse(rising, users, items[:, 1:], "scores higher than the one above it; expected the best first")
    return items, scores


def _checked_hits(users: Codes, items: Codes, history: CSR, test: CSR) -> Bools:
    """Return which items are in test, bool [m, D]; raise ModelError for items in the history and repeats.

    Users are processed in blocks, each in a dense scratch array of some megabytes: faster than searching.
    """
    (m, depth), n_items = items.shape, test.shape[1]
    hits = np.zeros(items.shape, dtype=bool)
    columns = np.arange(depth)
    width, height = n_items + 1, max(1, min(m, SCRATCH_SIZE // (n_items + 1)))
    scratch = np.zeros(height * width, dtype=np.int16 if depth < 2**15 else np.int32)
    for start in range(0, m, height):
        rows = slice(start, min(start + height, m))
        block, listed = items[rows], items[rows] >= 0
        # A pad, -1, falls on the spare last column of the row before it.
        positions = np.arange(len(block))[:, None] * width + block
        entries = [_positions(matrix, rows, width) for matrix in (history, test)]
        scratch[entries[0]], scratch[entries[1]] = 1, 2
        marks = scratch[positions]
        hits[rows] = listed & (marks == 2)
        _refuse(listed & (marks == 1), users[rows], block, "has been seen by the user")
        scratch[positions] = columns
        _refuse(listed & (scratch[positions] != columns), users[rows], block, "is in the list more than once")
        for used in (*entries, positions):
            scratch[used] = 0
    return hits


def _positions(matrix: CSR, rows: slice, width: int) -> Array:
    """Return the positions of some rows' stored entries in a flat scratch array of this width."""
    bounds = matrix.indptr[rows.start : rows.stop + 1]
    owners = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    return np.asarray(owners * width + matrix.indices[bounds[0] : bounds[-1]])


def _check_ranks(above: Codes | None, ties: Codes | None, n_candidates: Codes) -> None:
    """Check the ranks of test items: both or neither, one per item, at most the user's other candidates."""
    if (above is None) != (ties is None):
        raise ModelError("above and ties: expected both or neither")
    if above is None or ties is None:
        return
    for name, ranks in (("above", above), ("ties", ties)):
        if frozen(name, ranks, np.int32).shape != n_candidates.shape:
            raise ModelError(
                f"{name}: expected one number per test item ({len(n_candidates)}), got {ranks.shape}"
            )
    if ((above < 0) | (ties < 0) | (above.astype(np.int64) + ties >= n_candidates)).any():
        raise ModelError("above and ties: expected numbers of other candidates, got more than there are")


def _refuse(wrong: Bools, users: Codes, items: Codes, why: str) -> None:
    if wrong.any():
        row, column = (int(x[0]) for x in np.nonzero(wrong))
        raise ModelError(f"lists: item {items[row, column]} of user {users[row]} {why}")
