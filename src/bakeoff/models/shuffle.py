"""An order of the catalogue by chance, for each user, that is never written out."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from bakeoff.arrays import Array, Codes, Floats, Hashes
from bakeoff.hashing import mix

_ROUNDS = 6


class Shuffled:
    """A pseudo-random permutation of the catalogue for each user, which can be asked both ways.

    A Feistel network permutes the smallest power of two, at least 4, that holds the catalogue; what lands
    outside is sent through again until it lands inside (cycle walking; Black and Rogaway 2002).

    Args:
        keys: uint64 [U], one a user, which decide the permutation.
        n_items: the size of the catalogue.
    """

    def __init__(self, keys: Hashes, n_items: int) -> None:
        self._keys, self._n_items = keys, np.uint64(n_items)
        bits = max(2, (n_items - 1).bit_length())
        self._low = np.uint64(bits // 2)
        self._right = np.uint64(2 ** (bits // 2) - 1)
        self._left = np.uint64(2 ** (bits - bits // 2) - 1)

    def items_at(self, users: Codes, positions: Array) -> tuple[Codes, Floats]:
        """Items int32 [b, k] at positions [b, k], and as their scores the positions with a minus."""
        rows = np.repeat(users, positions.shape[1])
        items = self._walked(rows, positions.ravel(), range(_ROUNDS)).reshape(positions.shape)
        return items.astype(np.int32), -positions.astype(np.float32)

    def positions_of(self, users: Codes, items: Codes) -> Array:
        """int64 [n]: the position of each item in the order of the user beside it."""
        return self._walked(users, items, reversed(range(_ROUNDS))).astype(np.int64)

    def tied_with(self, positions: Array) -> tuple[Array, Array]:
        """No two are tied."""
        return positions, positions + 1

    def _walked(self, users: Codes, values: Array, rounds: Iterable[int]) -> Hashes:
        """uint64 [n]: where the user's permutation takes each value; the rounds in reverse undo it."""
        order, keys = list(rounds), self._keys[users]
        state = self._once(keys, values.astype(np.uint64), order)
        outside = np.flatnonzero(state >= self._n_items)
        while len(outside):
            state[outside] = self._once(keys[outside], state[outside], order)
            outside = outside[state[outside] >= self._n_items]
        return state

    def _once(self, keys: Hashes, state: Hashes, rounds: list[int]) -> Hashes:
        left, right = state >> self._low, state & self._right
        for number in rounds:
            key = keys + np.uint64(number)
            if number % 2:
                right = right ^ (mix(key ^ mix(left)) & self._right)
            else:
                left = left ^ (mix(key ^ mix(right)) & self._left)
        return (left << self._low) | right
