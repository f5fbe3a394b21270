"""The similarities of all items, kept so that the K nearest for every K are those a fit with K finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Bools, Codes, Doubles
from bakeoff.errors import Unsupported

_BLOCK_PAIRS = 2**23
"""Pairs of items held at once."""

_BYTES = 20
"""Of an entry that is kept."""


@dataclass(frozen=True, eq=False)
class Similarities:
    """What the library `implicit` keeps of an item's neighbours, for every K up to the largest.

    It meets the neighbours of an item in an order of its own, and where several tie for the last places, that
    order decides: of the first K met whose similarity is the K-th best or more, the tied ones of the highest
    codes stay. SciPy's product meets them in the same order, and adds in the same one.

    Args:
        starts: int64 [I + 1], where each item's entries begin.
        items: int32 [c], neighbours in the order met.
        values: float64 [c], their similarities.
        falling: float64 [c], the same, from each item's largest down.
    """

    starts: Array
    items: Codes
    values: Doubles
    falling: Doubles

    @classmethod
    def of(cls, weighted: CSR, largest: int) -> Similarities:
        """From CSR float64 [U, I], its values at least 0, just as the library is given it.

        Raises:
            Unsupported: what is kept does not fit in memory.
        """
        n_items = weighted.shape[1]
        _refuse_too_large(n_items, largest)
        by_item = weighted.T.tocsr()
        at_once = max(1, _BLOCK_PAIRS // max(n_items, 1))
        parts = [
            cls._all(by_item[start : start + at_once] @ weighted)._cut(largest)
            for start in range(0, n_items, at_once)
        ]
        counts = np.concatenate([np.diff(part.starts) for part in parts])
        return cls(
            np.concatenate(([0], np.cumsum(counts))),
            np.concatenate([part.items for part in parts]),
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.falling for part in parts]),
        )

    def nearest(self, k: int) -> CSR:
        """CSR float32 [I, I]: the k nearest of each item, itself among them; k at most the largest."""
        rows, lowest = self._rows(), self._lowest(k)[self._rows()]
        kept = self.values > lowest
        tied = np.flatnonzero(self._early(k, lowest) & ~kept)
        free = k - np.bincount(rows[kept], minlength=len(self.starts) - 1)
        tied = tied[np.lexsort((-self.items[tied], rows[tied]))]
        first = np.searchsorted(rows[tied], rows[tied])
        kept[tied[np.arange(len(tied)) - first < free[rows[tied]]]] = True
        counts = np.bincount(rows[kept], minlength=len(free))
        data = self.values[kept].astype(np.float32)
        indptr = np.concatenate(([0], np.cumsum(counts)))
        return sparse.csr_matrix((data, self.items[kept], indptr), shape=(len(free), len(free)))

    @classmethod
    def _all(cls, found: CSR) -> Similarities:
        """Of rows of the product, in the order SciPy met them."""
        starts, falling = found.indptr.astype(np.int64), found.data.copy()
        for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
            falling[start:end] = np.sort(falling[start:end])[::-1]
        return cls(starts, found.indices.astype(np.int32), found.data, falling)

    def _cut(self, largest: int) -> Similarities:
        """Without what no K up to the largest can keep."""
        rows, lowest = self._rows(), self._lowest(largest)[self._rows()]
        kept = (self.values > lowest) | self._early(largest, lowest)
        counts = np.bincount(rows[kept], minlength=len(self.starts) - 1)
        top = np.arange(len(rows)) - self.starts[rows] < counts[rows]
        starts = np.concatenate(([0], np.cumsum(counts)))
        return Similarities(starts, self.items[kept], self.values[kept], self.falling[top])

    def _rows(self) -> Array:
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def _lowest(self, k: int) -> Doubles:
        """float64 [I]: the k-th best similarity of each item, -inf where it has no more than k."""
        found = np.full(len(self.starts) - 1, -np.inf)
        more = np.diff(self.starts) > k
        found[more] = self.falling[self.starts[:-1][more] + k - 1]
        return found

    def _early(self, k: int, lowest: Doubles) -> Bools:
        """bool [c]: which are among the first k met of those that reach the lowest (float64 [c])."""
        reached = self.values >= lowest
        before = np.concatenate(([0], np.cumsum(reached)))
        met = before[1:] - np.repeat(before[self.starts[:-1]], np.diff(self.starts))
        found: Bools = reached & (met <= k)
        return found


def _refuse_too_large(n_items: int, largest: int) -> None:
    import psutil

    # All that are better than the last place, and as many again that tie for it; the arrays are joined once.
    needed = 2 * _BYTES * n_items * min(n_items, 2 * largest)
    available = int(psutil.virtual_memory().available)
    if needed > available:
        raise Unsupported(
            f"the similarities of {n_items:,} items for every K up to {largest:,} need {needed / 1e9:.1f} GB "
            f"of memory, and {available / 1e9:.1f} GB are available"
        )
