"""Item neighbours: similarities learnt by the library `implicit`, lists by our own pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np

from bakeoff.arrays import CSR, Codes, Floats
from bakeoff.data.interactions import Interactions
from bakeoff.errors import check_choice, check_range
from bakeoff.models import kernel
from bakeoff.models.base import OnEpoch, Ranked, State
from bakeoff.models.knobs import check_knobs
from bakeoff.models.similarities import Similarities
from bakeoff.models.topk import ScoringModel, blocks, entries, rank_scores
from bakeoff.models.weights import Weights, check_weights, weighted

Similarity = Literal["cosine", "tfidf", "bm25"]

_DENSE_SHARE = 0.1  # share of a block's items with a score above which whole rows of scores cost less


@dataclass
class ItemKNN(ScoringModel):
    """A user's score of an item: the similarities of the item to those in the history, weighted and summed.

    Similarities are those of implicit's CosineRecommender, TFIDFRecommender and BM25Recommender, each item
    with its K nearest, itself included. Items that are near none of the history are not listed, and stand at
    0 for the ranks of targets. The library's own lists are not used, so what it pads them with, and how it
    breaks ties, does not matter here.

    Args:
        similarity: cosine, tfidf or bm25.
        K: neighbours kept of an item, itself included.
        K1, B: of bm25.
        weights: what stands in the matrix: none (1 a pair), raw values, or log1p of them.
        num_threads: of the fit.
    """

    stochastic: ClassVar[bool] = False
    folds_in: ClassVar[bool] = True
    floor: ClassVar[float] = 0.0

    similarity: Similarity = "cosine"
    K: int = 100
    K1: float = 1.2
    B: float = 0.75
    weights: Weights = "none"
    num_threads: int = 1

    def __post_init__(self) -> None:
        check_choice("model.build.similarity", self.similarity, get_args(Similarity))
        check_range("model.build.K", self.K, 2, integer=True)
        check_range("model.build.B", self.B, 0, 1)
        check_knobs(self, counts=("num_threads",), above_zero=("K1",))
        check_weights(self.weights)

    @property
    def shared_over(self) -> tuple[str, ...]:
        """One matrix of similarities serves every K; bm25's own knobs mean nothing to the others."""
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

        # As the library's Cosine-, TFIDF- and BM25Recommender do, but with the CSR matrix it asks for.
        fitted = library.ItemItemRecommender(K=self.K, num_threads=self.num_threads)
        fitted.fit(self._weighted(train), show_progress=False)
        self._similarities = fitted.similarity.tocsr().astype(np.float32)

    def prepare(self, train: Interactions, fits: int) -> Similarities | None:
        """The similarities for every K up to this one; None where they would be used once."""
        matrix = self._weighted(train)
        # An item that nearly all have weighs less than nothing in tfidf; there zeros would count.
        if fits < 2 or matrix.data.min(initial=0) < 0:
            return None
        return Similarities.of(matrix, self.K)

    def _weighted(self, train: Interactions) -> CSR:
        """CSR float64 [U, I]: what the library compares items by; it takes no float32."""
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
        # An item whose users all weigh nothing has the length 0.
        by_item.data[~np.isfinite(by_item.data)] = 0
        return by_item.T.tocsr()

    def scores(self, users: Codes, history: CSR) -> Floats:
        """float32 [b, I]: the weighted histories times the similarities."""
        return np.ascontiguousarray(self._scored(history).toarray())

    def state(self) -> State:
        """The similarities."""
        return {"similarities": self._similarities}

    def restore(self, state: State) -> None:
        """Put them back."""
        self._similarities = state["similarities"]

    def similar(self, item: int) -> Floats:
        """float32 [I]: what having the item adds to the score of each."""
        found: Floats = self._similarities[item].toarray()[0]
        return found

    def _scored(self, history: CSR) -> CSR:
        """CSR float32 [b, I]: the scores of the items that have one."""
        return weighted(history, self.weights, model="item neighbours") @ self._similarities

    def _parts(self, users: Codes, history: CSR, k: int, targets: CSR) -> Iterator[Ranked]:
        n_items = history.shape[1]
        scratch = np.zeros((0, n_items), dtype=np.float32)
        for block in blocks(len(users), n_items):
            found = self._scored(history[block])
            self._refuse_non_finite(users[block], found.data[None])
            if found.nnz > _DENSE_SHARE * found.shape[0] * n_items:
                values = np.ascontiguousarray(found.toarray())
                yield rank_scores(values, history[block], k, targets[block], self.floor)
                continue
            if len(scratch) < found.shape[0]:
                scratch = np.zeros((found.shape[0], n_items), dtype=np.float32)
            yield _rank_sparse(found, history[block], k, targets[block], scratch)


def _rank_sparse(scores: CSR, history: CSR, k: int, targets: CSR, scratch: Floats) -> Ranked:
    """As `rank_scores` with a floor of 0, for rows of which few items have a score.

    scratch: float32 [>= b, I] of zeros, and left so; seen items and targets are looked up in it.
    """
    b, n_items = scores.shape
    rows, items = entries(scores)
    seen, wanted = entries(history), entries(targets)
    scratch[rows, items] = scores.data
    scratch[seen] = -np.inf
    values, target_values = scratch[rows, items], scratch[wanted]
    scratch[rows, items] = 0
    scratch[seen] = 0

    listed = values > 0
    best = kernel.best_of_entries(rows[listed], items[listed], values[listed], b, k)
    unseen = values > -np.inf
    starts = np.concatenate(([0], np.cumsum(np.bincount(rows[unseen], minlength=b))))
    unscored = n_items - np.diff(history.indptr) - np.diff(starts)
    return Ranked(*best, *kernel.places_among(values[unseen], starts, unscored, wanted[0], target_values))
