"""Item neighbours: similarities of the library `implicit`, lists by our own selection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Bools, Codes, Doubles, Floats
from bakeoff.data.interactions import Interactions
from bakeoff.models.base import OnEpoch, Ranked, StoredAttributes
from bakeoff.models.fitting import Weights, check_memory, weighted
from bakeoff.models.topk import (
    ScoringModel,
    entries,
    rank_scores,
    target_ranks_among,
    top_k_of_entries,
    user_blocks,
)
from bakeoff.parameters import Count, Positive, Range, Share, check_parameters

Similarity = Literal["cosine", "tfidf", "bm25"]

_DENSE_SHARE = 0.1  # share of a block's items with a score above which whole rows of scores cost less


@dataclass
class ItemKNN(StoredAttributes, ScoringModel):
    """Item neighbours: a user's score of an item is the weighted sum of its similarities to the history.

    Similarities are those of implicit's CosineRecommender, TFIDFRecommender and BM25Recommender, each item
    with its K nearest, itself included. Items that are near none of the history are not listed, and stand at
    0 for the ranks of targets. The library's own lists are not used, so what it pads them with, and how it
    breaks ties, does not matter here.

    Args:
        similarity: similarity of two items: cosine, tfidf (cosine of TF-IDF weights) or bm25.
        K: neighbours of an item, itself included.
        K1: saturation of an item's count in bm25; unused by the others.
        B: strength of bm25's normalisation by length; unused by the others.
        weights: entries of the matrix: none (1 a pair), raw (its value) or log1p (of its value).
        num_threads: threads of the fit; the result does not depend on them.
    """

    stochastic: ClassVar[bool] = False
    folds_in: ClassVar[bool] = True
    fitted: ClassVar[tuple[str, ...]] = ("_similarities",)
    floor: ClassVar[float] = 0.0

    similarity: Similarity = "cosine"
    K: Annotated[int, Range(low=2)] = 100
    K1: Positive = 1.2
    B: Share = 0.75
    weights: Weights = "none"
    num_threads: Count = 1

    def __post_init__(self) -> None:
        check_parameters(self, "model.build")

    @property
    def shared_over(self) -> tuple[str, ...]:
        """The parameters that one matrix of similarities serves; K1 and B only matter to bm25."""
        return ("K",) if self.similarity == "bm25" else ("K", "K1", "B")

    def fit(
        self,
        train: Interactions,
        *,
        seed: int,
        on_epoch: OnEpoch | None = None,
        prepared: Similarities | None = None,
    ) -> None:
        """Find the neighbours; the seed has no effect."""
        if prepared is not None:
            self._similarities: CSR = prepared.nearest(self.K)
            return
        from implicit import nearest_neighbours as library

        # As the library's Cosine-, TFIDF- and BM25Recommender do, but with the CSR matrix that it requires.
        fitted = library.ItemItemRecommender(K=self.K, num_threads=self.num_threads)
        fitted.fit(self._weighted(train), show_progress=False)
        self._similarities = fitted.similarity.tocsr().astype(np.float32)

    def prepare(self, train: Interactions, fits: int) -> Similarities | None:
        """Return the similarities for every K up to this one, or None where they would be used once."""
        matrix = self._weighted(train)
        # TF-IDF weights an item that nearly all users have below 0; zeros would then rank above it.
        if fits < 2 or matrix.data.min(initial=0) < 0:
            return None
        return Similarities.of(matrix, self.K)

    def _weighted(self, train: Interactions) -> CSR:
        """Return the matrix that items are compared by, CSR float64 [U, I]; the library takes no float32."""
        from implicit import nearest_neighbours as library

        matrix = weighted(train.matrix(), self.weights, model="item neighbours")
        matrix.eliminate_zeros()
        by_item = matrix.T.astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.similarity == "bm25":
                by_item = library.bm25_weight(by_item, self.K1, self.B)
            else:
                by_item = library.tfidf_weight(by_item) if self.similarity == "tfidf" else by_item
                by_item = library.normalize(by_item)
        # The norm of an item is 0 where all its users have weight 0.
        by_item.data[~np.isfinite(by_item.data)] = 0
        return by_item.T.tocsr()

    def scores(self, users: Codes, history: CSR) -> Floats:
        """Return the weighted histories times the similarities, float32 [b, I]."""
        return np.ascontiguousarray(self._scored(history).toarray())

    def similar(self, item: int) -> Floats:
        """Return what having the item adds to the score of each, float32 [I]."""
        result: Floats = self._similarities[item].toarray()[0]
        return result

    def _scored(self, history: CSR) -> CSR:
        """Return the scores of the items that have one, CSR float32 [b, I]."""
        return weighted(history, self.weights, model="item neighbours") @ self._similarities

    def _parts(self, users: Codes, history: CSR, k: int, targets: CSR) -> Iterator[Ranked]:
        n_items = history.shape[1]
        scratch = np.zeros((0, n_items), dtype=np.float32)
        for block in user_blocks(len(users), n_items):
            result = self._scored(history[block])
            self._refuse_non_finite(users[block], result.data[None])
            if result.nnz > _DENSE_SHARE * result.shape[0] * n_items:
                values = np.ascontiguousarray(result.toarray())
                yield rank_scores(values, history[block], k, targets[block], self.floor)
                continue
            if len(scratch) < result.shape[0]:
                scratch = np.zeros((result.shape[0], n_items), dtype=np.float32)
            yield _rank_sparse(result, history[block], k, targets[block], scratch)


def _rank_sparse(scores: CSR, history: CSR, k: int, targets: CSR, scratch: Floats) -> Ranked:
    """Rank as `rank_scores` with a floor of 0, for rows in which few items have a score.

    scratch: float32 [>= b, I] of zeros, and left so; seen items and targets are looked up in it.
    """
    b, n_items = scores.shape
    rows, items = entries(scores)
    seen, target_entries = entries(history), entries(targets)
    scratch[rows, items] = scores.data
    scratch[seen] = -np.inf
    values, target_values = scratch[rows, items], scratch[target_entries]
    scratch[rows, items] = 0
    scratch[seen] = 0

    listed = values > 0
    listed_best = top_k_of_entries(rows[listed], items[listed], values[listed], b, k)
    unseen = values > -np.inf
    starts = np.concatenate(([0], np.cumsum(np.bincount(rows[unseen], minlength=b))))
    unscored = n_items - np.diff(history.indptr) - np.diff(starts)
    return Ranked(
        *listed_best, *target_ranks_among(values[unseen], starts, unscored, target_entries[0], target_values)
    )


_BLOCK_PAIRS = 2**23
"""Pairs of items held at once."""

_BYTES = 20
"""Of an entry that is stored."""


@dataclass(frozen=True, eq=False)
class Similarities:
    """The neighbours of each item as the library `implicit` selects them, for every K up to the largest.

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
        """Compute them from CSR float64 [U, I], its values at least 0, as the library is given it.

        Raises:
            Unsupported: what is kept does not fit in memory.
        """
        n_items = weighted.shape[1]
        # Those better than the last place, and as many that tie for it; the arrays are joined once.
        needed = 2 * _BYTES * n_items * min(n_items, 2 * largest)
        check_memory(needed, f"the similarities of {n_items:,} items for every K up to {largest:,} need")
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
        """Return the k nearest of each item, itself included, as CSR float32 [I, I]; k at most the
        largest.
        """
        rows, lowest = self._rows(), self._lowest(k)[self._rows()]
        selected = self.values > lowest
        tied = np.flatnonzero(self._early(k, lowest) & ~selected)
        free = k - np.bincount(rows[selected], minlength=len(self.starts) - 1)
        tied = tied[np.lexsort((-self.items[tied], rows[tied]))]
        first = np.searchsorted(rows[tied], rows[tied])
        selected[tied[np.arange(len(tied)) - first < free[rows[tied]]]] = True
        counts = np.bincount(rows[selected], minlength=len(free))
        data = self.values[selected].astype(np.float32)
        indptr = np.concatenate(([0], np.cumsum(counts)))
        return sparse.csr_matrix((data, self.items[selected], indptr), shape=(len(free), len(free)))

    @classmethod
    def _all(cls, product: CSR) -> Similarities:
        """Build from rows of the product, in the order in which SciPy computed them."""
        starts, falling = product.indptr.astype(np.int64), product.data.copy()
        for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
            falling[start:end] = np.sort(falling[start:end])[::-1]
        return cls(starts, product.indices.astype(np.int32), product.data, falling)

    def _cut(self, largest: int) -> Similarities:
        """Drop the entries that no K up to the largest selects."""
        rows, lowest = self._rows(), self._lowest(largest)[self._rows()]
        selected = (self.values > lowest) | self._early(largest, lowest)
        counts = np.bincount(rows[selected], minlength=len(self.starts) - 1)
        top = np.arange(len(rows)) - self.starts[rows] < counts[rows]
        starts = np.concatenate(([0], np.cumsum(counts)))
        return Similarities(starts, self.items[selected], self.values[selected], self.falling[top])

    def _rows(self) -> Array:
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def _lowest(self, k: int) -> Doubles:
        """Return the k-th best similarity of each item, float64 [I]; -inf where it has no more than k."""
        result = np.full(len(self.starts) - 1, -np.inf)
        more = np.diff(self.starts) > k
        result[more] = self.falling[self.starts[:-1][more] + k - 1]
        return result

    def _early(self, k: int, lowest: Doubles) -> Bools:
        """Return which are among the first k entries that reach the lowest (float64 [c]), bool [c]."""
        reached = self.values >= lowest
        before = np.concatenate(([0], np.cumsum(reached)))
        met = before[1:] - np.repeat(before[self.starts[:-1]], np.diff(self.starts))
        result: Bools = reached & (met <= k)
        return result
