"""Counts of the train part and cosines between its items, computed once per split and shared by its models.

The cosine matrix of all items is never made where the catalogue is large. Metrics need few cosines: of each
listed item with those above it, and with the user's history. Items that are in any list are taken in blocks;
the inner products of a block with all items are one sparse product, scattered into a dense scratch array that
is reused for the next block, and every (list, rank) of the block's items gathers its cosines from there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Bools, Doubles
from bakeoff.data.interactions import Features
from bakeoff.evaluation.topk import TopK

HEAD_SHARE = 0.8
"""The short head holds this share of train's pairs; the rest of the catalogue is the long tail."""

WHOLE_BYTES = 2**26
"""Largest size of the inner products of all items that are kept: some 4,000 items in float32."""
SCRATCH_BYTES = 2**24
"""Size of the dense rows held at a time, where they are not kept."""
PRODUCT_SIZE = 2**21
"""Most stored numbers of the sparse product of a group of items (a single item may have more)."""
GATHER_SIZE = 2**15
"""Number of cosines gathered at a time, so that the operands stay in the processor's cache."""


class Closeness(NamedTuple):
    """Cosines of the items of m lists with the rest of their list and with the history, down to depth d.

    above: float64 [m, d], the sum of an item's cosines with the items above it in its list.
    history: float64 [m, d], the mean of its cosines with the user's history; NaN where there is none.
    """

    above: Doubles
    history: Doubles


class ItemCosine:
    """Cosine similarity of items given as sparse vectors; 0 with an all-zero vector.

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
        # An upper bound on the number of items that share a dimension with each item.
        reach = np.bincount(
            owners, weights=np.diff(self._transposed.indptr)[vectors.indices], minlength=n_items
        )
        self._reach = np.minimum(reach, n_items)

    def closeness(self, lists: TopK, history: CSR, depth: int) -> Closeness:
        """Return the closeness of every listed item down to depth; history is CSR [m, I]."""
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
            positions, owners = order[inside], rows[inside]
            bases = np.repeat(at, np.diff(ends[start : stop + 1])) * products.shape[1]
            flat, scale = products.reshape(-1), inverse[items[positions]]
            above[positions] = scale * _gather(flat, bases, *by_list, owners * depth, ranks[inside])
            total = _gather(flat, bases, *by_history, history.indptr[owners], seen[owners])
            served = seen[owners] > 0
            near[positions[served]] = (scale * total)[served] / seen[owners][served]
        return Closeness(above.reshape(-1, depth), near.reshape(-1, depth))

    def _blocks(self, items: Array) -> Iterator[tuple[int, int, Array, Array]]:
        """Yield the inner products of items (ascending, distinct) with all items, block by block.

        Each block is (start and stop in items, products [., I], the row of products of each of its items as
        int64 [stop - start]). The products are overwritten by the next block.
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
                positions = np.repeat(row_starts[: last - first], np.diff(bounds)) + product.indices[stored]
                flat[positions] = product.data[stored]
                yield group + first, group + last, scratch, np.arange(last - first)
                flat[positions] = 0

    def _groups(self, items: Array) -> Iterator[tuple[int, int]]:
        """Yield start and stop of runs of items whose sparse product with all items fits PRODUCT_SIZE."""
        stored = np.concatenate(([0.0], np.cumsum(self._reach[items])))
        start = 0
        while start < len(items):
            fits = int(np.searchsorted(stored, stored[start] + PRODUCT_SIZE, side="right")) - 1
            stop = min(max(fits, start + 1), len(items))
            yield start, stop
            start = stop

    def prepare(self) -> None:
        """Compute the inner products of all items, where they are kept."""
        _ = self._whole

    @cached_property
    def _whole(self) -> Array | None:
        """The inner products of all items, [I, I]; None where they exceed WHOLE_BYTES."""
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
    """Return for each entry e the sum over j < lengths[e] of its weighted products, float64 [n].

    A summand is products[bases[e] + columns[s + j]] * weights[s + j], where s = starts[e].
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


@dataclass(frozen=True, eq=False)
class TrainStats:
    """Statistics of the train part for the beyond-accuracy metrics.

    Args:
        train: CSR float32 [U, I] of train's pairs.
        item_features: side information of the items, or None.
    """

    train: CSR
    item_features: Features | None = None

    @cached_property
    def item_users(self) -> Array:
        """Number of users of each item, int64 [I]."""
        return np.bincount(self.train.indices, minlength=self.train.shape[1])

    @cached_property
    def long_tail(self) -> Bools:
        """Whether each item is outside the short head, bool [I].

        The head is the fewest items that hold 80 % of train's pairs: those with most users, ties by code.
        """
        order = np.argsort(-self.item_users, kind="stable")
        held = np.cumsum(self.item_users[order])
        tail = np.ones(len(order), dtype=bool)
        tail[order[: int(np.searchsorted(held, HEAD_SHARE * held[-1])) + 1]] = False
        return tail

    @cached_property
    def cooccurrence(self) -> ItemCosine:
        """Cosines of items by their users: c_ij / sqrt(n_i n_j), c_ij the number of users of both."""
        shape = self.train.shape
        ones = np.ones(len(self.train.indices), dtype=np.float32)  # sums are exact up to 2^24 users
        incidence = sparse.csr_matrix((ones, self.train.indices, self.train.indptr), shape=shape)
        return ItemCosine(incidence.T.tocsr())

    @cached_property
    def feature_similarity(self) -> ItemCosine | None:
        """Cosines of items by their features; None if there are none."""
        if self.item_features is None:
            return None
        return ItemCosine(sparse.csr_matrix(self.item_features.matrix, dtype=np.float64))

    def prepare(self) -> None:
        """Compute what metrics of lists need of every cell, before the processes that share it are forked."""
        _ = self.long_tail
        for similarity in (self.cooccurrence, self.feature_similarity):
            if similarity is not None:
                similarity.prepare()
