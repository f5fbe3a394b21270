"""From scores to ranked lists: what every model that scores the whole catalogue shares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Codes, Floats
from bakeoff.errors import ModelError
from bakeoff.models import kernel
from bakeoff.models.base import Ranked, State

BLOCK_BYTES = 48 * 2**20
"""Scores held at once, on every machine alike: the last digit of a product may depend on its shape."""


class ScoringModel(ABC):
    """A model that scores the whole catalogue for a block of users.

    A subclass says what the scores are; this class owns the blocks, the masking of the history, the exact
    best k and the ranks of targets. One tie rule holds everywhere: score falling, then item code rising.

    Attributes:
        floor: only items that score above it are listed. Target ranks take every score as it is.
    """

    floor: ClassVar[float] = -np.inf

    @abstractmethod
    def scores(self, users: Codes, history: CSR) -> Floats:
        """float32 [b, I]: finite scores of the catalogue for users (int32 [b]) with history (CSR [b, I]).

        The array is the caller's to write in.
        """

    def recommend(self, users: Codes, history: CSR, k: int) -> tuple[Codes, Floats]:
        """The k best unseen items of each user; see :class:`bakeoff.models.base.Model`.

        Raises:
            ModelError: a score is not finite.
        """
        parts = self._parts(users, history, k, sparse.csr_matrix(history.shape, dtype=np.float32))
        return joined(parts, k)[:2]

    def rank(self, users: Codes, history: CSR, k: int, targets: CSR) -> Ranked:
        """As `recommend`, with the rank of each target; see :class:`bakeoff.models.base.RanksTargets`."""
        return joined(self._parts(users, history, k, targets), k)

    def _parts(self, users: Codes, history: CSR, k: int, targets: CSR) -> Iterator[Ranked]:
        """The answer block by block."""
        for block in blocks(len(users), history.shape[1]):
            values = self.scores(users[block], history[block])
            self._refuse_non_finite(users[block], values)
            values = np.ascontiguousarray(values, dtype=np.float32)
            yield rank_scores(values, history[block], k, targets[block], self.floor)

    def _refuse_non_finite(self, users: Codes, scores: Floats) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            # What is not finite makes its sum so; a sum that overflows is looked at again.
            doubtful = np.flatnonzero(~np.isfinite(scores.sum(axis=1)))
        wrong = [row for row in doubtful.tolist() if not np.isfinite(scores[row]).all()]
        if wrong:
            raise ModelError(
                f"{type(self).__name__}: a score of user {users[wrong[0]]} is not finite; expected finite "
                "scores: the fit may have diverged, try a smaller learning rate or more regularisation"
            )


class FactorModel(ScoringModel):
    """A model whose score is a dot product; a bias is one more dimension.

    Attributes:
        user_factors: float32 [U, f].
        item_factors: float32 [I, f].
        biases: so many of the last dimensions are biases, which say nothing of what an item is like.
    """

    biases: ClassVar[int] = 0
    user_factors: Floats
    item_factors: Floats

    def state(self) -> State:
        """The factors; see :class:`bakeoff.models.base.Keeps`."""
        return {"user_factors": self.user_factors, "item_factors": self.item_factors}

    def restore(self, state: State) -> None:
        """Put the factors back."""
        self.user_factors, self.item_factors = state["user_factors"], state["item_factors"]

    def similar(self, item: int) -> Floats:
        """float32 [I]: cosine of the items' factors without biases; 0 where one of the two has none."""
        factors = self.item_factors[:, : self.item_factors.shape[1] - self.biases]
        lengths = np.sqrt(np.einsum("nf,nf->n", factors, factors))
        products = factors @ factors[item]
        norms = lengths * lengths[item]
        found: Floats = np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
        return found

    def factors_of(self, users: Codes, history: CSR) -> Floats:
        """float32 [b, f]: the factors of users; a model that folds in computes those of unknown ones."""
        found: Floats = self.user_factors[users]
        return found

    def scores(self, users: Codes, history: CSR) -> Floats:
        found: Floats = self.factors_of(users, history) @ self.item_factors.T
        return found

    def _parts(self, users: Codes, history: CSR, k: int, targets: CSR) -> Iterator[Ranked]:
        n_items = history.shape[1]
        longest = _longest(self.item_factors)
        # Fresh pages for each block would cost as much as the selection.
        scratch = np.empty((0, n_items), dtype=np.float32)
        for block in blocks(len(users), n_items):
            factors = self.factors_of(users[block], history[block])
            if len(scratch) < len(factors):
                scratch = np.empty((len(factors), n_items), dtype=np.float32)
            values = np.matmul(factors, self.item_factors.T, out=scratch[: len(factors)])
            # By Cauchy and Schwarz no score can overflow, so that none need be looked at.
            if not longest * _longest(factors) < np.finfo(np.float32).max / 2:
                self._refuse_non_finite(users[block], values)
            yield rank_scores(values, history[block], k, targets[block], self.floor)


def rank_scores(scores: Floats, history: CSR, k: int, targets: CSR, floor: float = -np.inf) -> Ranked:
    """Lists and target ranks of a block of finite scores (float32 [b, I], C-contiguous, written over)."""
    rows, seen = entries(history)
    scores[rows, seen] = -np.inf
    items, values = kernel.best(scores, k, floor)
    return Ranked(items, values, *kernel.places(scores, *entries(targets)))


def joined(parts: Iterable[Ranked], k: int) -> Ranked:
    """One answer from those of its blocks."""
    none = np.zeros(0, dtype=np.int32)
    empty = Ranked(np.zeros((0, k), np.int32), np.zeros((0, k), np.float32), none, none)
    return Ranked(*(np.concatenate(columns) for columns in zip(empty, *parts, strict=True)))


def blocks(n_users: int, n_items: int) -> Iterator[slice]:
    """Cut users in blocks of which the scores fill about BLOCK_BYTES, whatever the machine."""
    size = max(1, BLOCK_BYTES // max(4 * n_items, 1))
    for start in range(0, n_users, size):
        yield slice(start, min(start + size, n_users))


def entries(matrix: CSR) -> tuple[Array, Array]:
    """Row numbers (int64, rising) and columns of what a CSR matrix holds."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), matrix.indices


def _longest(factors: Floats) -> float:
    """The largest Euclidean length of a row; NaN or infinite where an entry is."""
    with np.errstate(over="ignore"):
        squares = np.einsum("nf,nf->n", factors, factors)
    return float(np.sqrt(squares.max(initial=0.0)))
