"""Matrix factorisations in NumPy and SciPy: PureSVD, NCE-PLRec and iALS with scaled regularisation."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Codes, Doubles, Floats
from bakeoff.data.interactions import Interactions
from bakeoff.errors import ModelError
from bakeoff.models.base import OnEpoch
from bakeoff.models.fitting import Weights, limit_threads, weighted
from bakeoff.models.topk import FactorModel
from bakeoff.parameters import Count, NonNegative, Positive, Share, check_parameters


class _FoldedIn(FactorModel):
    """A factor model that computes the factors of every user from the history; it stores none."""

    folds_in: ClassVar[bool] = True
    weights: Weights

    def __post_init__(self) -> None:
        check_parameters(self, "model.build")

    @abstractmethod
    def _fold_in(self, history: CSR) -> Floats:
        """Return factors float32 [b, f] of weighted histories, CSR float32 [b, I]."""

    def factors_of(self, users: Codes, history: CSR) -> Floats:
        """Return the factors of the histories, float32 [b, f]."""
        with limit_threads(1):
            return self._fold_in(self._weighted(history))

    def _weighted(self, matrix: CSR) -> CSR:
        return weighted(matrix, self.weights, model=type(self).__name__)


def truncated_svd(matrix: CSR, factors: int) -> tuple[Doubles, Doubles]:
    """Return the largest singular values, falling, float64 [f], and the right vectors, float64 [I, f].

    There are at most as many as the smaller side has rows; directions without variance are left out. The
    start is fixed, so that the result is the same at each call.
    """
    small = matrix.astype(np.float64)
    small = small[np.diff(small.indptr) > 0]
    side = min(small.shape)
    if side <= max(2 * factors, 32):  # ARPACK wants fewer vectors than rows
        _, values, right = np.linalg.svd(small.toarray(), full_matrices=False)
    else:
        _, values, right = sparse.linalg.svds(
            small, k=factors, v0=np.ones(side), return_singular_vectors="vh"
        )
        values, right = values[::-1], right[::-1]
    values, right = values[:factors], right[:factors]
    significant = values > 1e-10 * values.max(initial=0.0)
    return values[significant], np.ascontiguousarray(right[significant].T)


@dataclass
class PureSVD(_FoldedIn):
    """Scores X·V·Vᵀ by the right singular vectors V of the matrix of pairs X.

    Cremonesi, Koren, Turrin (2010), Performance of recommender algorithms on top-N recommendation tasks.

    Args:
        factors: number of singular vectors.
        weights: entries of X: none (1 a pair), raw (its value) or log1p (of its value).
    """

    stochastic: ClassVar[bool] = False
    fitted: ClassVar[tuple[str, ...]] = ("item_factors",)

    factors: Count = 50
    weights: Weights = "none"

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Decompose the matrix; the seed has no effect.

        Raises:
            Unsupported: values below 0 have no meaning for `weights`.
        """
        with limit_threads(1):
            self.item_factors = truncated_svd(self._weighted(train.matrix()), self.factors)[1].astype(
                np.float32
            )

    def _fold_in(self, history: CSR) -> Floats:
        result: Floats = history @ self.item_factors
        return result


@dataclass
class NCEPLRec(_FoldedIn):
    """Projected linear recommendation from item vectors that noise contrastive estimation gives.

    Wu, Volkovs, Soon, Sanner, Rai (2019), Noise contrastive estimation for one-class collaborative filtering.
    Pairs weigh max(0, log(users / popularity^root)); with the singular values S and right vectors V of that
    matrix users have the features Z = X·V·S^(1/2), and scores are Z·(ZᵀZ + l2·I)⁻¹·ZᵀX.

    Args:
        factors: number of singular vectors.
        root: power of the popularity of an item.
        l2: ridge penalty of the regression.
        weights: entries of X: none (1 a pair), raw (its value) or log1p (of its value).
    """

    stochastic: ClassVar[bool] = False
    fitted: ClassVar[tuple[str, ...]] = ("item_factors", "_projection")

    factors: Count = 50
    root: NonNegative = 1.0
    l2: Positive = 100.0
    weights: Weights = "none"

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Decompose the weighted pairs and solve the regression; the seed has no effect.

        Raises:
            Unsupported: values below 0 have no meaning for `weights`.
        """
        x = self._weighted(train.matrix())
        popularity = np.maximum(np.bincount(x.indices, minlength=train.n_items), 1)
        n_users = max(int(np.count_nonzero(np.diff(x.indptr))), 1)
        information = np.maximum(np.log(n_users) - self.root * np.log(popularity), 0.0)
        contrast = sparse.csr_matrix((information[x.indices], x.indices, x.indptr), x.shape, copy=True)
        contrast.eliminate_zeros()
        with limit_threads(1):
            values, right = truncated_svd(contrast, self.factors)
            self._projection: Floats = (right * np.sqrt(values)).astype(np.float32)
            features = (x @ self._projection).astype(np.float64)
            normal = features.T @ features + self.l2 * np.eye(len(values))
            self.item_factors = np.linalg.solve(normal, (x.T @ features).T).T.astype(np.float32)

    def _fold_in(self, history: CSR) -> Floats:
        result: Floats = history @ self._projection
        return result


_BLOCK_BYTES = 64 * 2**20
"""Memory of the normal equations that are solved at once."""


@dataclass
class IALS(_FoldedIn):
    """Alternating least squares with regularisation scaled by frequency, solved exactly.

    Rendle, Krichene, Zhang, Koren (2022), Revisiting the performance of iALS on item recommendation
    benchmarks. A pair has weight 1 and target 1, every pair of user and item also weight `unobserved_weight`
    and target 0, and the vector of a user with n pairs has the penalty regularization · (n +
    unobserved_weight · items)^nu; items likewise. Each iteration solves all users, then all items; a user's
    factors are solved for the history.

    Args:
        factors: number of latent dimensions.
        regularization: L2 penalty, before it is scaled.
        nu: exponent of the frequency in the penalty, 0 the same penalty for all, 1 proportional.
        unobserved_weight: weight of a pair that is not observed.
        stdev: standard deviation of the random start, times the root of the number of factors.
        iterations: number of iterations, each of which solves all users, then all items.
        weights: weight of a pair: none (1), raw (its value) or log1p (of its value).
        num_threads: BLAS threads of the fit.
    """

    stochastic: ClassVar[bool] = True
    fitted: ClassVar[tuple[str, ...]] = ("item_factors",)
    epochs_in: ClassVar[str] = "iterations"

    factors: Count = 64
    regularization: Positive = 0.003
    nu: Share = 1.0
    unobserved_weight: Positive = 0.1
    stdev: Positive = 0.1
    iterations: Count = 16
    weights: Weights = "none"
    num_threads: Count = 1

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Learn the factors.

        Raises:
            ModelError: the normal equations have no finite solution.
            Unsupported: values below 0 have no meaning for `weights`.
        """
        x = self._weighted(train.matrix())
        x = x[np.diff(x.indptr) > 0]
        by_item = x.T.tocsr()
        rng = np.random.default_rng(seed)
        start = rng.standard_normal((train.n_items, self.factors)) * (self.stdev / np.sqrt(self.factors))
        self.item_factors = start.astype(np.float32)
        with limit_threads(self.num_threads):
            for iteration in range(self.iterations):
                users = self._solve(x, self.item_factors)
                self.item_factors = self._solve(by_item, users)
                if on_epoch is not None:
                    on_epoch(iteration + 1, None)

    def _fold_in(self, history: CSR) -> Floats:
        return self._solve(history, self.item_factors)

    def _solve(self, rows: CSR, others: Floats) -> Floats:
        """Return the factors float32 [n, f] of rows (CSR [n, m]) that fit those of the others [m, f]."""
        n, f = rows.shape[0], self.factors
        result = np.zeros((n, f), dtype=np.float32)
        common = self.unobserved_weight * (others.T.astype(np.float64) @ others)
        lengths = np.diff(rows.indptr)
        order = np.argsort(lengths, kind="stable")
        order = order[lengths[order] > 0]
        start = 0
        while start < len(order):
            # Rows of like length side by side: short ones are filled up with entries of weight 0.
            longest = int(lengths[order[min(start + 255, len(order) - 1)]])
            size = min(256, max(1, _BLOCK_BYTES // (8 * f * (f + 2 * longest))))
            block = order[start : start + size]
            start += size
            result[block] = self._solve_block(rows[block], others, common)
        if not np.isfinite(result).all():
            raise ModelError("IALS: the factors diverged; raise regularization or unobserved_weight")
        return result

    def _solve_block(self, rows: CSR, others: Floats, common: Doubles) -> Floats:
        lengths = np.diff(rows.indptr)
        b, longest = len(lengths), int(lengths.max())
        filled = np.arange(longest) < lengths[:, None]
        items, weight = np.zeros((b, longest), dtype=np.int32), np.zeros((b, longest), dtype=np.float32)
        items[filled], weight[filled] = rows.indices, rows.data
        vectors = others[items]
        scaled = vectors * weight[:, :, None]
        normal = common + np.matmul(scaled.transpose(0, 2, 1), vectors)
        penalty = self.regularization * (lengths + self.unobserved_weight * rows.shape[1]) ** self.nu
        normal[:, np.arange(self.factors), np.arange(self.factors)] += penalty[:, None]
        solution: Floats = np.linalg.solve(normal, scaled.sum(axis=1, dtype=np.float64)[:, :, None])[
            :, :, 0
        ].astype(np.float32)
        return solution
