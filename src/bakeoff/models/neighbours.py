"""Item neighbours: similarities learnt by the library `implicit`, lists by our own pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np

from bakeoff.arrays import CSR, Codes, Floats
from bakeoff.data.interactions import Interactions
from bakeoff.errors import check_choice, check_range
from bakeoff.models.base import OnEpoch
from bakeoff.models.topk import ScoringModel
from bakeoff.models.weights import Weights, check_weights, weighted

Similarity = Literal["cosine", "tfidf", "bm25"]


@dataclass
class ItemKNN(ScoringModel):
    """A user's score of an item: the similarities of the item to those in the history, weighted and summed.

    Similarities are those of implicit's CosineRecommender, TFIDFRecommender and BM25Recommender, each item
    with its K nearest, itself included. Items that are near none of the history are not listed.

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
        check_range("model.build.K1", self.K1, above=0)
        check_range("model.build.B", self.B, 0, 1)
        check_range("model.build.num_threads", self.num_threads, 1, integer=True)
        check_weights(self.weights)

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Find the neighbours; the seed has no effect."""
        from implicit import nearest_neighbours as library

        matrix = weighted(train.matrix(), self.weights, model="item neighbours")
        by_item = matrix.T.astype(np.float64)  # the library takes no float32
        if self.similarity == "bm25":
            by_item = library.bm25_weight(by_item, self.K1, self.B)
        else:
            by_item = library.tfidf_weight(by_item) if self.similarity == "tfidf" else by_item
            by_item = library.normalize(by_item)
        # As the library's Cosine-, TFIDF- and BM25Recommender do, but with the CSR matrix it asks for.
        fitted = library.ItemItemRecommender(K=self.K, num_threads=self.num_threads)
        fitted.fit(by_item.T.tocsr(), show_progress=False)
        self._similarities: CSR = fitted.similarity.tocsr().astype(np.float32)

    def scores(self, users: Codes, history: CSR) -> Floats:
        """float32 [b, I]: the weighted histories times the similarities."""
        known = weighted(history, self.weights, model="item neighbours")
        found: Floats = np.ascontiguousarray((known @ self._similarities).toarray())
        return found
