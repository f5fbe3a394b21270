"""Neighbours of items and of users, and random walks between them: similarities cut to the K largest."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Codes, Doubles, Floats
from bakeoff.data.interactions import Interactions
from bakeoff.models.base import OnEpoch, Ranked, State, StoredAttributes
from bakeoff.models.fitting import Weights, check_memory, weighted
from bakeoff.models.topk import (
    ScoringModel,
    entries,
    rank_scores,
    target_ranks_among,
    top_k_of_entries,
    user_blocks,
)
from bakeoff.parameters import Count, NonNegative, Positive, Range, Share, check_parameters

Similarity = Literal["cosine", "asymmetric", "dice", "jaccard", "tversky"]
Weighting = Literal["none", "tfidf", "bm25"]
Exponent = Annotated[float, Range(low=0, high=2)]

_DENSE_SHARE = 0.1  # share of a block's items with a score above which whole rows of scores cost less
_BLOCK_PAIRS = 2**21
"""Pairs whose similarities are held at once."""
_BYTES = 32
"""Memory of a pair that is stored: as a table, as its matrix, and as its transpose."""


class SparseScores(StoredAttributes, ScoringModel):
    """A model whose scores are sparse: items without one are not listed, and stand at 0 for the ranks of
    targets.
    """

    floor: ClassVar[float] = 0.0

    @abstractmethod
    def sparse_scores(self, users: Codes, history: CSR) -> CSR:
        """Return the scores of the items that have one, CSR float32 [b, I]."""

    def scores(self, users: Codes, history: CSR) -> Floats:
        """Return the scores of the catalogue, float32 [b, I]."""
        return np.ascontiguousarray(self.sparse_scores(users, history).toarray())

    def _parts(self, users: Codes, history: CSR, k: int, targets: CSR) -> Iterator[Ranked]:
        n_items = history.shape[1]
        scratch = np.zeros((0, n_items), dtype=np.float32)
        for block in user_blocks(len(users), n_items):
            result = self.sparse_scores(users[block], history[block])
            self._refuse_non_finite(users[block], result.data[None])
            if result.nnz > _DENSE_SHARE * result.shape[0] * n_items:
                values = np.ascontiguousarray(result.toarray())
                yield rank_scores(values, history[block], k, targets[block], self.floor)
                continue
            if len(scratch) < result.shape[0]:
                scratch = np.zeros((result.shape[0], n_items), dtype=np.float32)
            yield _rank_sparse(result, history[block], k, targets[block], scratch)


class ItemWeights(SparseScores):
    """A model whose scores are a user's weighted history times a sparse matrix of items."""

    stochastic: ClassVar[bool] = False
    folds_in: ClassVar[bool] = True
    fitted: ClassVar[tuple[str, ...]] = ("_similarities",)
    weights: Weights = "none"
    _similarities: CSR
    """What an item of the history (row) adds to the score of another (column), float32 [I, I]."""

    def sparse_scores(self, users: Codes, history: CSR) -> CSR:
        return weighted(history, self.weights, model=type(self).__name__) @ self._similarities

    def similar(self, item: int) -> Floats:
        """Return what having the item adds to the score of each, float32 [I]."""
        result: Floats = self._similarities[item].toarray()[0]
        return result


class ItemToItem(ItemWeights):
    """Item weights that are found by way of the largest entries of each row of a table."""

    K: int

    def fit(
        self,
        train: Interactions,
        *,
        seed: int,
        on_epoch: OnEpoch | None = None,
        prepared: Nearest | None = None,
    ) -> None:
        """Find the K entries that each row of a table of items has; the seed has no effect.

        Raises:
            Unsupported: they do not fit in memory, or values below 0 have no meaning for `weights`.
        """
        table = self._table(train) if prepared is None else prepared
        self._similarities = self._from_table(table.matrix(self.K, train.n_items))

    def prepare(self, train: Interactions, fits: int) -> Nearest | None:
        """Return the table for every K up to this one, or None where it would be used once."""
        return self._table(train) if fits > 1 else None

    @abstractmethod
    def _table(self, train: Interactions) -> Nearest:
        """Return the largest entries of each row, by a formula of its own."""

    @abstractmethod
    def _from_table(self, nearest: CSR) -> CSR:
        """Return what an item of the history adds to the score of another, from the rows of the table."""


class Nearest(NamedTuple):
    """The most similar of each row, best first, ties by code: items int32 [n, K], -1 where there are fewer,
    and their similarities float32 [n, K].
    """

    items: Codes
    similarities: Floats

    def matrix(self, k: int, n_columns: int) -> CSR:
        """Return the k most similar of each row as CSR float32 [n, n_columns]."""
        items, values = self.items[:, :k], self.similarities[:, :k]
        present = items >= 0
        indptr = np.concatenate(([0], np.cumsum(present.sum(axis=1))))
        return sparse.csr_matrix((values[present], items[present], indptr), (len(items), n_columns))


Normalize = Callable[[Doubles, Array, Array], Doubles]
"""Turns products float64 [c] of rows [c] and columns [c] into similarities float64 [c]."""


def nearest(
    rows: CSR, columns: CSR, k: int, own: Array, normalize: Normalize, num_threads: int = 1
) -> Nearest:
    """Return the k columns of largest similarity above 0 of each row; own (int [n]) is not among a row's.

    Args:
        rows: CSR float64 [n, f].
        columns: CSR float64 [f, m].
        k: at most so many.
        own: the column of each row itself; m or more for none.
        normalize: similarities from the products of rows and columns.
        num_threads: blocks of rows at a time; the result does not depend on it.

    Raises:
        Unsupported: what is stored does not fit in memory.
    """
    n, n_columns = rows.shape[0], columns.shape[1]
    depth = min(k, n_columns)
    check_memory(_BYTES * n * depth, f"the {depth:,} nearest of {n:,} rows need")
    size = max(1, _BLOCK_PAIRS // max(n_columns, 1))

    def cut(start: int) -> tuple[Codes, Floats]:
        product = rows[start : start + size] @ columns
        at, items = entries(product)
        values = normalize(product.data, at + start, items).astype(np.float32)
        chosen = (values > 0) & (items != own[at + start])
        return top_k_of_entries(at[chosen], items[chosen], values[chosen], product.shape[0], depth)

    with ThreadPoolExecutor(num_threads) as pool:
        parts = [*pool.map(cut, range(0, n, size))]
    empty = np.zeros((0, depth), np.int32), np.zeros((0, depth), np.float32)
    return Nearest(*(np.concatenate(column) for column in zip(empty, *parts, strict=True)))


@dataclass
class _Neighbours(SparseScores):
    """Base of item and user neighbours; see `ItemKNN` for the parameters."""

    stochastic: ClassVar[bool] = False
    folds_in: ClassVar[bool] = True

    similarity: Similarity = "cosine"
    K: Count = 100
    shrink: NonNegative = 0.0
    normalize: bool = True
    alpha: Exponent = 0.5
    beta: Exponent = 0.5
    weighting: Weighting = "none"
    K1: Positive = 1.2
    B: Share = 0.75
    weights: Weights = "none"
    num_threads: Count = 1

    def __post_init__(self) -> None:
        check_parameters(self, "model.build")

    def _features(self, rows: CSR, of: CSR) -> CSR:
        """Return weighted rows, CSR float64 [n, f], by the frequencies and the mean length of those of train.

        TF-IDF is sqrt(x)·idf and BM25 x·(K1 + 1) / (K1·(1 - B + B·length / mean length) + x)·idf, with idf =
        log(rows with entries / (1 + entries of the column)); those of the library `implicit`.
        """
        x = rows.astype(np.float64)
        if self._of_sets:
            x.data[:] = 1.0
            return x
        if self.weighting == "none":
            return x
        present = int(np.count_nonzero(np.diff(of.indptr))) or 1
        idf = np.log(present / (1.0 + np.bincount(of.indices, minlength=of.shape[1])))
        if self.weighting == "tfidf":
            x.data = np.sqrt(x.data)
        else:
            mean = float(of.data.sum(dtype=np.float64)) / present or 1.0
            length: Doubles = 1 - self.B + self.B * np.asarray(x.sum(axis=1)).ravel() / mean
            x.data *= (self.K1 + 1) / (self.K1 * np.repeat(length, np.diff(x.indptr)) + x.data)
        x.data *= idf[x.indices]
        return x

    @property
    def _of_sets(self) -> bool:
        return self.similarity in ("dice", "jaccard", "tversky")

    def _nearest(self, rows: CSR, others: CSR, own: Array, k: int) -> Nearest:
        """Return the k of others (CSR [m, f]) nearest to each of rows (CSR [n, f]), both weighted."""
        one, other = (np.asarray(x.multiply(x).sum(axis=1)).ravel() for x in (rows, others))

        def normalize(products: Doubles, at: Array, to: Array) -> Doubles:
            a, b = one[at], other[to]
            size: Doubles
            if not self.normalize:
                return products
            if self.similarity in ("cosine", "asymmetric"):
                alpha = self.alpha if self.similarity == "asymmetric" else 0.5
                size = a**alpha * b ** (1 - alpha)
            elif self.similarity == "dice":
                size = (a + b) / 2
            elif self.similarity == "jaccard":
                size = a + b - products
            else:
                size = products + self.alpha * (a - products) + self.beta * (b - products)
            # Rows of zeros have no length and no product.
            result: Doubles = np.divide(
                products, size + self.shrink, out=np.zeros(len(size)), where=products > 0
            )
            return result

        return nearest(rows, others.T.tocsr(), k, own, normalize, self.num_threads)


@dataclass
class ItemKNN(_Neighbours, ItemToItem):
    """Item neighbours: a user's score of an item is the sum of its similarities to the history.

    Each item that can be recommended has its K most similar ones, itself not counted, and the history is not
    cut: an item scores by all of them that the user has. The spaces of the shipped options are those of
    Ferrari Dacrema et al. (2021), A troubling analysis of reproducibility and progress in recommender
    systems research.

    With c the product of two items' vectors over users, and a and b that of each with itself (a of the item
    that is scored), the similarity is c divided by the following plus `shrink`: √(a·b) (cosine), a^alpha ·
    b^(1 - alpha) (asymmetric), (a + b) / 2 (dice), a + b - c (jaccard), c + alpha·(a - c) + beta·(b - c)
    (tversky). The last three compare sets: they take every pair as 1.

    Args:
        similarity: similarity of two items: cosine, asymmetric, dice, jaccard or tversky.
        K: neighbours of an item, itself not counted.
        shrink: added to the denominator: similarities of items with few users become smaller.
        normalize: divide by the denominator; without it the similarity is the product alone.
        alpha: exponent of asymmetric, weight in tversky; unused by the others.
        beta: weight in tversky; unused by the others.
        weighting: weighting of the vectors: none, tfidf or bm25; without effect on sets.
        K1: saturation of an item's count in bm25; unused by the others.
        B: strength of bm25's normalisation by length; unused by the others.
        weights: entries of the matrix: none (1 a pair), raw (its value) or log1p (of its value).
        num_threads: threads of the fit; the result does not depend on them.
    """

    @property
    def shared_over(self) -> tuple[str, ...]:
        """The parameters that one table of neighbours serves: K, and those without effect."""
        unused = {
            "shrink": not self.normalize,
            "alpha": self.similarity not in ("asymmetric", "tversky"),
            "beta": self.similarity != "tversky",
            "K1": self.weighting != "bm25" or self._of_sets,
            "B": self.weighting != "bm25" or self._of_sets,
        }
        return ("K", *(name for name, without_effect in unused.items() if without_effect))

    def _from_table(self, nearest: CSR) -> CSR:
        return nearest.T.tocsr()

    def _table(self, train: Interactions) -> Nearest:
        by_item = weighted(train.matrix(), self.weights, model="ItemKNN").T.tocsr()
        by_item.eliminate_zeros()
        by_item = self._features(by_item, by_item)
        return self._nearest(by_item, by_item, np.arange(train.n_items), self.K)


@dataclass
class UserKNN(_Neighbours):
    """User neighbours: a score of an item is the sum of the similarities of the neighbours who have it.

    The K most similar users of train, the user not counted, are found when lists are made, so that new users
    are served alike. The formulas are those of `ItemKNN`, with users in place of items.

    Args:
        similarity: similarity of two users: cosine, asymmetric, dice, jaccard or tversky.
        K: neighbours of a user.
        shrink: added to the denominator: similarities of users with few items become smaller.
        normalize: divide by the denominator; without it the similarity is the product alone.
        alpha: exponent of asymmetric, weight in tversky; unused by the others.
        beta: weight in tversky; unused by the others.
        weighting: weighting of the vectors: none, tfidf or bm25; without effect on sets.
        K1: saturation of a user's count in bm25; unused by the others.
        B: strength of bm25's normalisation by length; unused by the others.
        weights: entries of the matrix: none (1 a pair), raw (its value) or log1p (of its value).
        num_threads: threads of the search; the result does not depend on them.
    """

    fitted: ClassVar[tuple[str, ...]] = ("_train",)

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Store the weighted histories; the seed has no effect.

        Raises:
            Unsupported: values below 0 have no meaning for `weights`.
        """
        self._train: CSR = self._weighted(train.matrix())
        self._others: CSR | None = None

    def restore(self, state: State) -> None:
        """Load what `state` returned."""
        super().restore(state)
        self._others = None

    def sparse_scores(self, users: Codes, history: CSR) -> CSR:
        if self._others is None:
            self._others = self._features(self._train, self._train)
        rows = self._features(self._weighted(history), self._train)
        neighbours = self._nearest(rows, self._others, users, self.K)
        return neighbours.matrix(self.K, self._train.shape[0]) @ self._train

    def _weighted(self, matrix: CSR) -> CSR:
        result = weighted(matrix, self.weights, model="UserKNN")
        if not result.data.all():
            result = result.copy()  # it shares its indices with the matrix
            result.eliminate_zeros()
        return result


@dataclass
class RP3beta(ItemToItem):
    """Random walks of three steps, from a user over items and users to items, divided by popularity.

    Paudel, Christoffel, Newell, Bernstein (2017), Updatable, accurate, diverse, and scalable recommendations
    for interactive applications; with beta = 0 it is P3alpha of Cooper et al. (2014). W = (Dᵢ⁻¹·Xᵀ)^alpha ·
    (Dᵤ⁻¹·X)^alpha / popularity^beta, powers of entries, without its diagonal; of each row the K largest
    stay, and scores are X·W.

    Args:
        alpha: power of the probability of a step.
        beta: power of the popularity that a score is divided by; 0 is P3alpha.
        K: entries of a row, which are items that one item of the history adds to.
        normalize: scale each row to a sum of 1.
        num_threads: threads of the fit; the result does not depend on them.
    """

    shared_over: ClassVar[tuple[str, ...]] = ("K", "normalize")

    alpha: Exponent = 1.0
    beta: Exponent = 0.6
    K: Count = 100
    normalize: bool = True
    num_threads: Count = 1

    def __post_init__(self) -> None:
        check_parameters(self, "model.build")

    def _from_table(self, nearest: CSR) -> CSR:
        if self.normalize:
            sums = np.asarray(nearest.sum(axis=1, dtype=np.float64)).ravel()
            nearest.data /= np.repeat(sums, np.diff(nearest.indptr)).astype(np.float32)
        return nearest

    def _table(self, train: Interactions) -> Nearest:
        x = weighted(train.matrix(), "none", model="RP3beta").astype(np.float64)
        by_item = x.T.tocsr()
        popularity = np.maximum(by_item.getnnz(axis=1), 1).astype(np.float64)
        for side in (x, by_item):
            side.data = np.repeat(
                np.diff(side.indptr).clip(1).astype(np.float64) ** -self.alpha, np.diff(side.indptr)
            )
        penalty = popularity**-self.beta

        def weigh(products: Doubles, at: Array, to: Array) -> Doubles:
            result: Doubles = products * penalty[to]
            return result

        return nearest(by_item, x, self.K, np.arange(train.n_items), weigh, self.num_threads)


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
