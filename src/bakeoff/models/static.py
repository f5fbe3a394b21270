"""Lists from one order of the catalogue that is the same for every user."""

from __future__ import annotations

import numpy as np

from bakeoff.arrays import CSR, Array, Codes, Floats
from bakeoff.models.base import Ranked

USERS_AT_ONCE = 1024


class StaticModel:
    """One score an item: lists are read off the head of the order, never off a users x items matrix.

    Attributes:
        item_scores: float32 [I], finite, set by `fit`.
    """

    item_scores: Floats

    def recommend(self, users: Codes, history: CSR, k: int) -> tuple[Codes, Floats]:
        """The k best unseen items of each user, ties by item code."""
        order, positions = _order(self.item_scores)
        items = np.full((len(users), k), -1, dtype=np.int32)
        scores = np.full((len(users), k), -np.inf, dtype=np.float32)
        for start in range(0, len(users), USERS_AT_ONCE):
            block = slice(start, min(start + USERS_AT_ONCE, len(users)))
            rows, columns = np.nonzero(_heads(history[block], positions, k))
            ranks = np.arange(len(rows)) - np.searchsorted(rows, rows)
            kept = ranks < k
            rows, ranks, found = rows[kept] + start, ranks[kept], order[columns[kept]]
            items[rows, ranks] = found
            scores[rows, ranks] = self.item_scores[found]
        return items, scores

    def rank(self, users: Codes, history: CSR, k: int, targets: CSR) -> Ranked:
        """As `recommend`, with the rank of each target: counted from positions, less those of seen items."""
        items, scores = self.recommend(users, history, k)
        order, positions = _order(self.item_scores)
        falling = -self.item_scores[order]
        first = np.searchsorted(falling, -self.item_scores[targets.indices], side="left")
        behind = np.searchsorted(falling, -self.item_scores[targets.indices], side="right")
        width = len(order) + 1
        seen = np.sort(_rows(history) * width + positions[history.indices])
        rows = _rows(targets) * width
        start = np.searchsorted(seen, rows)
        seen_above = np.searchsorted(seen, rows + first) - start
        seen_so_far = np.searchsorted(seen, rows + behind) - start
        above = first - seen_above
        ties = behind - seen_so_far - above - 1
        return Ranked(items, scores, above.astype(np.int32), ties.astype(np.int32))


def _order(scores: Floats) -> tuple[Array, Array]:
    """Items by falling score, then rising code; and the position of each item in that order."""
    order = np.argsort(-scores, kind="stable")
    positions = np.empty_like(order)
    positions[order] = np.arange(len(order))
    return order, positions


def _heads(history: CSR, positions: Array, k: int) -> Array:
    """bool [b, head]: whether the user has not seen the item at each position of the head of the order."""
    seen = np.diff(history.indptr).max(initial=0)
    head = min(len(positions), k + int(seen))
    unseen = np.ones((history.shape[0], head), dtype=bool)
    rows, at = _rows(history), positions[history.indices]
    unseen[rows[at < head], at[at < head]] = False
    return unseen


def _rows(matrix: CSR) -> Array:
    return np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
