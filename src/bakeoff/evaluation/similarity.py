"""Cosines between items, gathered where they are asked for: never the item x item matrix where it is large.

A list asks for few cosines: of each item to those above it, and to the user's history. Items that stand in
any list are taken in blocks; the inner products of a block with all items are one sparse product, scattered
into a scratch that is used again for the next block, and every (list, rank) of the block's items gathers
what it needs from there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from bakeoff.arrays import CSR, Array, Doubles
from bakeoff.evaluation.topk import TopK

WHOLE_BYTES = 2**26
"""Products of all items are kept up to this size: some 4,000 items in float32."""
SCRATCH_BYTES = 2**24
"""Where they are not, so much of them is held at a time, as dense rows."""
PRODUCT_SIZE = 2**21
"""Stored numbers of one sparse product of a group of items, at most (but for a single item)."""
GATHER_SIZE = 2**15
"""Cosines gathered at a time: what the gather needs then stays in the processor's cache."""


class Closeness(NamedTuple):
    """How close the items of m lists are to what stands around them, down to a depth of d.

    above: float64 [m, d], the sum of an item's cosines with the items above it in its list.
    history: float64 [m, d], the mean of its cosines with the user's history; NaN where there is none.
    """

    above: Doubles
    history: Doubles


class ItemCosine:
    """Cosine similarity of items given as sparse vectors; that with an all-zero vector is 0.

    Args:
        vectors: CSR float32 or float64 [I, d]; inner products are summed in this type.
    """

    def __init__(self, vectors: CSR) -> None:
        self._vectors = vectors
        self._transposed = vectors.T.tocsr()
        n_items = vectors.shape[0]
        owners = np.repeat(np.arange(n_items), np.diff(vectors.indptr))
        norms = np.sqrt(np.bincount(owners, weights=vectors.data.astype(np.float64) ** 2, minlength=n_items))
        self._inverse_norms: Doubles = np.divide(1.0, norms, out=np.zeros(n_items), where=norms > 0)
        # At most so many items share a dimension with each item.
        reach = np.bincount(
            owners, weights=np.diff(self._transposed.indptr)[vectors.indices], minlength=n_items
        )
        self._reach = np.minimum(reach, n_items)

    def closeness(self, lists: TopK, history: CSR, depth: int) -> Closeness:
        """Closeness of every listed item down to depth, to the items above it and to history (CSR [m, I])."""
        items = np.ascontiguousarray(lists.items[:, :depth]).reshape(-1)
        order = np.argsort(items, kind="stable")
        order = order[np.searchsorted(items[order], 0) :]  # without pads
        rows, ranks = order // depth, order % depth
        distinct, firsts = np.unique(items[order], return_index=True)
        ends = np.append(firsts, len(order))
        seen = np.diff(history.indptr)

        above, near = np.zeros(len(items)), np.full(len(items), np.nan)
        inverse = self._inverse_norms
        by_list = items, inverse[items]
        by_history = history.indices, inverse[history.indices]
        for start, stop, products, at in self._blocks(distinct):
            inside = slice(int(ends[start]), int(ends[stop]))
            places, owners = order[inside], rows[inside]
            bases = np.repeat(at, np.diff(ends[start : stop + 1])) * products.shape[1]
            flat, scale = products.reshape(-1), inverse[items[places]]
            above[places] = scale * _gather(flat, bases, *by_list, owners * depth, ranks[inside])
            total = _gather(flat, bases, *by_history, history.indptr[owners], seen[owners])
            known = seen[owners] > 0
            near[places[known]] = (scale * total)[known] / seen[owners][known]
        return Closeness(above.reshape(-1, depth), near.reshape(-1, depth))

    def _blocks(self, items: Array) -> Iterator[tuple[int, int, Array, Array]]:
        """Inner products of items (ascending, distinct) with all items, block by block.

        Yields start and stop of the block in items, an array of products [., I], and at int64 [stop - start]:
        which of its rows belongs to each item of the block. It holds until the next block.
        """
        if self._whole is not None:
            yield 0, len(items), self._whole, items.astype(np.int64)
            return
        n_items, dtype = self._vectors.shape[0], self._vectors.dtype
        height = max(1, SCRATCH_BYTES // (n_items * dtype.itemsize))
        scratch = np.zeros((height, n_items), dtype=dtype)
        flat, row_starts = scratch.reshape(-1), np.arange(height) * n_items
        for group, end in self._groups(items):
            product = self._vectors[items[group:end]] @ self._transposed
            for first in range(0, end - group, height):
                last = min(first + height, end - group)
                bounds = product.indptr[first : last + 1]
                stored = slice(int(bounds[0]), int(bounds[-1]))
                places = np.repeat(row_starts[: last - first], np.diff(bounds)) + product.indices[stored]
                flat[places] = product.data[stored]
                yield group + first, group + last, scratch, np.arange(last - first)
                flat[places] = 0

    def _groups(self, items: Array) -> Iterator[tuple[int, int]]:
        """Start and stop of runs of items whose sparse product with all items stays within PRODUCT_SIZE."""
        stored = np.concatenate(([0.0], np.cumsum(self._reach[items])))
        start = 0
        while start < len(items):
            fits = int(np.searchsorted(stored, stored[start] + PRODUCT_SIZE, side="right")) - 1
            stop = min(max(fits, start + 1), len(items))
            yield start, stop
            start = stop

    @cached_property
    def _whole(self) -> Array | None:
        """Inner products of all items [I, I]; None where they would be too large to keep."""
        n_items, dtype = self._vectors.shape[0], self._vectors.dtype
        if n_items * n_items * dtype.itemsize > WHOLE_BYTES:
            return None
        whole = np.empty((n_items, n_items), dtype=dtype)
        for start in range(0, n_items, 256):
            rows = slice(start, start + 256)
            whole[rows] = (self._vectors[rows] @ self._transposed).toarray()
        return whole


def _gather(
    products: Array, bases: Array, columns: Array, weights: Doubles, starts: Array, lengths: Array
) -> Doubles:
    """float64 [n]: for each entry e the sum over j < lengths[e] of its weighted products.

    That is products[bases[e] + columns[s + j]] * weights[s + j], where s = starts[e].
    """
    sums = np.zeros(len(bases))
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.searchsorted(ends, np.arange(GATHER_SIZE, total, GATHER_SIZE)) + 1
    edges = np.unique(np.concatenate(([0], cuts, [len(bases)]))).tolist()
    for a, b in itertools.pairwise(edges):
        counts = lengths[a:b]
        offsets = np.cumsum(counts) - counts
        from_start = np.repeat(starts[a:b] - offsets, counts) + np.arange(int(counts.sum()))
        values = products[np.repeat(bases[a:b], counts) + columns[from_start]] * weights[from_start]
        filled = counts > 0
        if filled.any():
            sums[a:b][filled] = np.add.reduceat(values, offsets[filled])
    return sums
