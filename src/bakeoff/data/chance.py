"""The chance of simulated data: weighted choice and numbers that are the same everywhere.

Every draw is a uniform number from the bits of PCG64, turned into what is needed by the inverse of its
distribution. NumPy promises these bits for good and on every platform, which it does not of its own
distributions. Each purpose has a stream of its own, so that a new one does not move the others.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from bakeoff.arrays import Array, Doubles, Hashes
from bakeoff.hashing import hash_text


class Chance:
    """Uniform numbers in (0, 1), a stream for each purpose."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __call__(self, purpose: str, n: int) -> Doubles:
        bits: Hashes = np.random.PCG64([self._seed, int(hash_text(purpose))]).random_raw(n)
        numbers: Doubles = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
        return numbers

    def normal(self, purpose: str, n: int) -> Doubles:
        values: Doubles = ndtri(self(purpose, n))
        return values


class Wheel:
    """Weighted choice among entries that stand together in segments."""

    def __init__(self, weights: Doubles, sizes: Array) -> None:
        self.starts = np.concatenate(([0], np.cumsum(sizes)))
        self._sums = np.concatenate(([0.0], np.cumsum(weights)))

    def pick(self, segments: Array, chance: Doubles) -> Array:
        """Position of one entry of each segment (int64), by a uniform number each."""
        first, end = self.starts[segments], self.starts[segments + 1]
        low, high = self._sums[first], self._sums[end]
        at = np.searchsorted(self._sums, low + chance * (high - low), side="right") - 1
        picked: Array = np.clip(at, first, end - 1)
        return picked


def ranked(n: int, exponent: float) -> Doubles:
    """Weights of ranks 1 to n, falling by a power of the rank; they add up to 1."""
    weights = np.arange(1, n + 1, dtype=np.float64) ** -exponent
    shares: Doubles = weights / weights.sum()
    return shares


def choose(weights: Doubles, chance: Doubles) -> Array:
    """A position (int64) for each uniform number, by weight."""
    return Wheel(weights, np.array([len(weights)])).pick(np.zeros(len(chance), dtype=np.int64), chance)
