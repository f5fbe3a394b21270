"""Linear item-to-item models: EASE in closed form, through items or users, and SLIM."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Codes, Doubles, Floats
from bakeoff.data.interactions import Interactions
from bakeoff.errors import ModelError, Unsupported
from bakeoff.models.base import OnEpoch, State, StoredAttributes
from bakeoff.models.fitting import FEWER_ITEMS, Weights, check_memory, limit_threads, weighted
from bakeoff.models.neighbours import ItemWeights
from bakeoff.models.topk import ScoringModel
from bakeoff.parameters import Count, Positive, Share, check_parameters

CHOLESKY_ITEMS = 8192
"""Rows that LAPACK inverts at once: SciPy's bundled OpenBLAS has crashed in a float32 Cholesky of 30,000."""

_SOLVED, _KEPT = 7, 4
"""Bytes for each pair of items: the matrix with the temporaries of its inversion, and a Gram matrix stored
beside it."""


@dataclass
class EASE(StoredAttributes, ScoringModel):
    """EASE of Steck (2019), Embarrassingly Shallow Autoencoders for Sparse Data, equation 8.

    With P = (XᵀX + l2·I)⁻¹ the item-to-item weights are B = I - P·diag(1 / diag P), and a user's scores X·B.
    The model is dense: 4·I² bytes, and half as much again while it is solved. Where that does not fit in
    memory and users are fewer than items, it is solved through the users' side: U² in place of I².

    Args:
        l2: ridge penalty.
        weights: entries of X: none (1 a pair), raw (its value) or log1p (of its value).
        num_threads: BLAS threads of the fit.
    """

    stochastic: ClassVar[bool] = False
    folds_in: ClassVar[bool] = True
    fitted: ClassVar[tuple[str, ...]] = ("item_weights",)
    shared_over: ClassVar[tuple[str, ...]] = ("l2",)

    l2: Positive = 300.0
    weights: Weights = "none"
    num_threads: Count = 1

    def __post_init__(self) -> None:
        check_parameters(self, "model.build")
        self._ridge: _ItemWeights | None = None

    def fit(
        self,
        train: Interactions,
        *,
        seed: int,
        on_epoch: OnEpoch | None = None,
        prepared: Eigendecomposition | Floats | None = None,
    ) -> None:
        """Solve for the item weights; the seed has no effect.

        Raises:
            Unsupported: it does not fit in memory, or values below 0 have no meaning for `weights`.
        """
        self.__dict__.pop("item_weights", None)
        if isinstance(prepared, Eigendecomposition):
            self._ridge = RidgeSolution(prepared, self.l2)
            return
        self._ridge = None
        matrix = self._weighted(train.matrix())
        if _through_users(matrix.shape):
            with limit_threads(self.num_threads):
                self._ridge = UsersSide.of(matrix, self.l2)
            return
        with limit_threads(self.num_threads):
            inverse = gram(matrix) if prepared is None else prepared.copy()
            inverse.flat[:: train.n_items + 1] += np.float32(self.l2)
            try:
                invert(inverse)
            except np.linalg.LinAlgError as error:
                raise ModelError(
                    f"EASE: XᵀX + l2 is not positive definite at l2={self.l2:g}; try a larger l2"
                ) from error
            inverse /= -np.diag(inverse)
            np.fill_diagonal(inverse, 0.0)
        self.item_weights = inverse

    def prepare(self, train: Interactions, fits: int) -> Eigendecomposition | Floats | None:
        """Return what every l2 shares: the eigendecomposition if users are few, else the Gram matrix
        (float32 [I, I]); None where fits go through the users' side.
        """
        matrix = self._weighted(train.matrix())
        if _through_users(matrix.shape):
            return None
        with limit_threads(self.num_threads):
            if Eigendecomposition.pays(matrix.shape, fits):
                return Eigendecomposition.of(matrix)
            _check_memory(train.n_items, _SOLVED + _KEPT)
            return gram(matrix)

    @cached_property
    def item_weights(self) -> Floats:
        """Item weights, float32 [I, I]; after a fit by eigendecomposition computed on first use, as lists
        need none.
        """
        assert self._ridge is not None
        with limit_threads(1):
            return self._ridge.weights()

    def scores(self, users: Codes, history: CSR) -> Floats:
        """Return the users' weighted histories times the item weights, float32 [b, I]."""
        weighted_history = self._weighted(history)
        with limit_threads(1):
            if self._ridge is not None:
                return self._ridge.scores(users, weighted_history)
            result: Floats = weighted_history @ self.item_weights
        return result

    def _weighted(self, matrix: CSR) -> CSR:
        return weighted(matrix, self.weights, model="EASE", negative=True)

    def state(self) -> State:
        """Return the item weights; from a fit through the users' side, what it holds."""
        if isinstance(self._ridge, UsersSide):
            return {"train": self._ridge.train, "inverse": self._ridge.inverse, "scale": self._ridge.scale}
        return super().state()

    def restore(self, state: State) -> None:
        """Load what `state` returned."""
        self.__dict__.pop("item_weights", None)
        self._ridge = UsersSide(**state, l2=self.l2) if "inverse" in state else None
        if self._ridge is None:
            super().restore(state)

    def similar(self, item: int) -> Floats:
        """Return what having the item adds to the score of each, float32 [I]."""
        side = self._ridge
        result: Floats = (
            side.rows(item, item + 1)[0] if isinstance(side, UsersSide) else self.item_weights[item].copy()
        )
        return result


def gram(matrix: CSR) -> Floats:
    """Return XᵀX of CSR float32 [U, I] as float32 [I, I]; computed in blocks, as a sparse whole may not
    fit.
    """
    n_items = matrix.shape[1]
    by_item = matrix.T.tocsr()
    result = np.empty((n_items, n_items), dtype=np.float32)
    for start in range(0, n_items, 1024):
        block = slice(start, start + 1024)
        result[block] = (by_item[block] @ matrix).toarray()
    return result


def invert(matrix: Array) -> None:
    """Invert a symmetric positive definite matrix in place.

    What is larger than CHOLESKY_ITEMS is inverted half by half through the Schur complement: products at the
    speed of BLAS, a third more of them than in one Cholesky.

    Raises:
        numpy.linalg.LinAlgError: it is not positive definite at its precision.
    """
    n = len(matrix)
    if n <= CHOLESKY_ITEMS:
        _invert_at_once(matrix)
        return
    h = n // 2
    upper, corner, lower = matrix[:h, :h], matrix[:h, h:], matrix[h:, h:]
    invert(upper)
    solved = upper @ corner
    lower -= corner.T @ solved
    invert(lower)
    np.matmul(solved, lower, out=corner)
    upper += corner @ solved.T
    np.negative(corner, out=corner)
    matrix[h:, :h] = corner.T


def _invert_at_once(matrix: Array) -> None:
    from scipy.linalg import get_lapack_funcs

    potrf, potri = get_lapack_funcs(("potrf", "potri"), (matrix,))
    # LAPACK needs column order; passing the transpose of a symmetric matrix avoids a copy.
    half, failed = potrf(matrix.T, lower=0, overwrite_a=1, clean=0)
    if not failed:
        half, failed = potri(half, lower=0, overwrite_c=1)
    if failed:
        raise np.linalg.LinAlgError(f"the leading minor {failed} is not positive")
    matrix[...] = half.T
    for start in range(0, len(matrix), 512):  # copy the lower half to the upper in strips
        strip = slice(start, start + 512)
        matrix[:start, strip] = matrix[strip, :start].T
        square = np.tril(matrix[strip, strip])
        matrix[strip, strip] = square + np.tril(square, -1).T


def _through_users(shape: tuple[int, int]) -> bool:
    """Return whether a fit goes through the users' side: only where the items' side does not fit in memory.

    Raises:
        Unsupported: neither fits.
    """
    n_users, n_items = shape
    try:
        _check_memory(n_items, _SOLVED)
    except Unsupported:
        if n_users >= n_items:
            raise
        check_memory(_SOLVED * n_users**2, f"EASE through the side of {n_users:,} users needs", FEWER_ITEMS)
        return True
    return False


def _check_memory(n_items: int, bytes_a_pair: int) -> None:
    check_memory(bytes_a_pair * n_items**2, f"EASE for {n_items:,} items needs", FEWER_ITEMS)


_NOTHING = 1e-10
"""Eigenvalues below this share of the largest are left out: rounding, where the rank is less than U."""

_EIGEN, _PRODUCT = 14.0, 1.5
"""Cost of a decomposition for n³, and of scoring all users for U²·I, where inverting I items costs I³:
measured with one thread of OpenBLAS, 800 to 3,000 rows."""

_BLOCK = 2048


@dataclass(frozen=True, eq=False)
class Eigendecomposition:
    """X = W·diag(s)·Vᵀ of CSR float32 [U, I], by the eigendecomposition of XXᵀ, the smaller side.

    Args:
        train: X.
        users: float32 [U, r], W·diag(s).
        items: float32 [I, r], V.
        squares: float64 [r], s².
        outside: float64 [I], how much of each item's unit vector the rows of X do not span.
    """

    train: CSR
    users: Floats
    items: Floats
    squares: Doubles
    outside: Doubles

    @staticmethod
    def pays(shape: tuple[int, int], fits: int) -> bool:
        """Return whether one decomposition and `fits` products cost less than `fits` inverses.

        On the side of the items it never does: it costs 14 inverses, and each penalty as much as one.
        """
        n_users, n_items = shape
        shared = _EIGEN * n_users**3 + fits * _PRODUCT * n_users**2 * n_items
        return n_users < n_items and shared < fits * n_items**3

    @classmethod
    def of(cls, train: CSR) -> Eigendecomposition:
        """Decompose X in float64, and store float32.

        Raises:
            Unsupported: it does not fit in memory.
        """
        n_users, n_items = train.shape
        # XXᵀ, its eigenvectors, a copy of them and LAPACK's own; then the items', and a block of them.
        needed = 40 * n_users**2 + 4 * n_items * n_users + 16 * _BLOCK * n_users
        check_memory(needed, f"the eigendecomposition for {n_users:,} users and {n_items:,} items needs")
        exact = train.astype(np.float64)
        squares, left = np.linalg.eigh((exact @ exact.T).toarray())
        significant = squares > _NOTHING * squares.max(initial=0.0)
        squares, left = squares[significant], np.ascontiguousarray(left[:, significant])
        by_item = exact.T.tocsr()
        items = np.empty((n_items, len(squares)), dtype=np.float32)
        outside = np.empty(n_items)
        for start in range(0, n_items, _BLOCK):
            block = slice(start, start + _BLOCK)
            projected = (by_item[block] @ left) / np.sqrt(squares)
            items[block] = projected
            outside[block] = np.maximum(1.0 - np.einsum("ir,ir->i", projected, projected), 0.0)
        return cls(train, (left * np.sqrt(squares)).astype(np.float32), items, squares, outside)


class _ItemWeights(ABC):
    """EASE's scores at one penalty without the matrix of item weights: a history h scores h - hP / diag P.

    Args:
        train: X, CSR float32 [U, I].
        scale: float32 [I], -1 / diag P.
    """

    train: CSR
    scale: Floats

    @abstractmethod
    def _products(self, users: Codes, history: CSR, in_train: bool) -> Floats:
        """Return hP float32 [b, I]; in_train: the histories are the users' rows of X."""

    def scores(self, users: Codes, history: CSR) -> Floats:
        """Return scores float32 [b, I] of users (int32 [b]) with their weighted histories (CSR float32 [b,
        I]).
        """
        result = self._products(users, history, self._in_train(users, history))
        result *= self.scale
        _add_history(result, history, np.float32(1.0))
        return result

    def rows(self, start: int, end: int) -> Floats:
        """Return the item weights of the items from start to end, float32 [end - start, I]."""
        n_items = len(self.scale)
        end = min(end, n_items)
        one = sparse.identity(n_items, dtype=np.float32, format="csr")[start:end]
        result = self.scores(np.full(end - start, self.train.shape[0], dtype=np.int32), one)
        result[np.arange(end - start), np.arange(start, end)] = 0.0
        return result

    def weights(self) -> Floats:
        """Return the item weights, float32 [I, I], as a plain fit solves for them."""
        result = np.empty((len(self.scale),) * 2, dtype=np.float32)
        for start in range(0, len(result), _BLOCK):
            result[start : start + _BLOCK] = self.rows(start, start + _BLOCK)
        return result

    def _in_train(self, users: Codes, history: CSR) -> bool:
        """Return whether the histories are the users' rows of X."""
        if len(users) and int(users.max()) >= self.train.shape[0]:
            return False
        rows = self.train[users]
        pairs = ((rows.indptr, history.indptr), (rows.indices, history.indices), (rows.data, history.data))
        return all(np.array_equal(one, other) for one, other in pairs)


class RidgeSolution(_ItemWeights):
    """EASE by the eigendecomposition: P = V·diag(1 / (s² + l2))·Vᵀ + (I - VVᵀ) / l2.

    Args:
        spectrum: of X.
        l2: the penalty, above 0.
    """

    def __init__(self, spectrum: Eigendecomposition, l2: float) -> None:
        self._of, self._l2, self.train = spectrum, l2, spectrum.train
        self._shrunk: Doubles = 1.0 / (spectrum.squares + l2)
        diagonal = spectrum.outside / l2
        for start in range(0, len(diagonal), _BLOCK):
            block = slice(start, start + _BLOCK)
            diagonal[block] += spectrum.items[block].astype(np.float64) ** 2 @ self._shrunk
        self.scale = (-1.0 / diagonal).astype(np.float32)

    def _products(self, users: Codes, history: CSR, in_train: bool) -> Floats:
        result: Floats
        if in_train:  # hV = w·s: the history has no part outside the span of X's rows
            result = (self._of.users[users] * self._shrunk.astype(np.float32)) @ self._of.items.T
            return result
        inside = (history @ self._of.items) * (self._shrunk - 1.0 / self._l2).astype(np.float32)
        result = inside @ self._of.items.T
        _add_history(result, history, np.float32(1.0 / self._l2))
        return result


class UsersSide(_ItemWeights):
    """EASE by Woodbury's identity: with K = (XXᵀ + l2·I)⁻¹, P = (I - XᵀKX) / l2, and XP = KX.

    Args:
        train: X, CSR float32 [U, I].
        inverse: K, float32 [U, U].
        scale: float32 [I], -1 / diag P.
        l2: the penalty, above 0.
    """

    def __init__(self, train: CSR, inverse: Floats, scale: Floats, l2: float) -> None:
        self.train, self.inverse, self.scale, self._l2 = train, inverse, scale, l2

    @classmethod
    def of(cls, train: CSR, l2: float) -> UsersSide:
        """Invert XXᵀ + l2·I."""
        inverse = gram(train.T.tocsr())
        inverse.flat[:: len(inverse) + 1] += np.float32(l2)
        invert(inverse)
        diagonal, by_item, size = np.empty(train.shape[1]), train.T.tocsr(), 256
        for start in range(0, len(diagonal), size):
            block = by_item[start : start + size]
            inside = block.multiply(block @ inverse).sum(axis=1, dtype=np.float64)
            diagonal[start : start + size] = (1.0 - np.asarray(inside).ravel()) / l2
        return cls(train, inverse, (-1.0 / diagonal).astype(np.float32), l2)

    def _products(self, users: Codes, history: CSR, in_train: bool) -> Floats:
        result: Floats
        if in_train:
            result = self.inverse[users] @ self.train
            return result
        result = ((history @ self.train.T) @ self.inverse) @ self.train
        result /= np.float32(-self._l2)
        _add_history(result, history, np.float32(1.0 / self._l2))
        return result


def _add_history(scores: Floats, history: CSR, times: np.float32) -> None:
    """Add a multiple of the histories to the scores [b, I], in place."""
    rows: Array = np.repeat(np.arange(history.shape[0]), np.diff(history.indptr))
    scores[rows, history.indices] += times * history.data


@dataclass
class SLIM(ItemWeights):
    """Sparse linear method: the weights of each item's prediction from the others, by elastic net.

    Ning, Karypis (2011), SLIM: sparse linear methods for top-N recommender systems. For item j the weights
    w >= 0 with w_j = 0 minimise ||x_j - Xw||² / (2·U) + alpha·l1_ratio·||w||₁ + alpha·(1 - l1_ratio) / 2 ·
    ||w||² as in scikit-learn, U being the users with pairs; by coordinate descent on XᵀX in blocks of items.

    Args:
        alpha: strength of the penalty.
        l1_ratio: share of the penalty that is of absolute values.
        max_iter: passes over the items at most.
        tolerance: largest change in a pass, as a share of the largest weight, at which it ends.
        weights: entries of X: none (1 a pair), raw (its value) or log1p (of its value).
        num_threads: BLAS threads of the fit.
    """

    alpha: Positive = 0.001
    l1_ratio: Share = 0.1
    max_iter: Count = 50
    tolerance: Positive = 1e-3
    weights: Weights = "none"
    num_threads: Count = 1

    def __post_init__(self) -> None:
        check_parameters(self, "model.build")

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Solve for the weights; the seed has no effect.

        Raises:
            Unsupported: it does not fit in memory, or values below 0 have no meaning for `weights`.
        """
        n_items = train.n_items
        check_memory(4 * n_items * (n_items + 3 * _TARGETS), f"SLIM for {n_items:,} items needs", FEWER_ITEMS)
        x = weighted(train.matrix(), self.weights, model="SLIM")
        penalty = self.alpha * int(np.count_nonzero(np.diff(x.indptr)))
        with limit_threads(self.num_threads):
            products = gram(x)
            blocks = [
                sparse.csr_matrix(self._weights_of(products, targets, penalty))
                for targets in np.array_split(np.arange(n_items), -(-n_items // _TARGETS))
            ]
        self._similarities = sparse.hstack(blocks, format="csr")

    def _weights_of(self, gram: Floats, targets: Array, penalty: float) -> Floats:
        """Return the weights by which the items predict the targets, float32 [I, t].

        The steps are those of coordinate descent, item by item. Steps of a block of items change the
        residuals of the block at once, and those of all other items by one product of matrices at its end.
        """
        l1, l2 = np.float32(penalty * self.l1_ratio), np.float32(penalty * (1 - self.l1_ratio))
        diagonal = np.diag(gram)
        residual = np.ascontiguousarray(gram[:, targets])  # Xᵀ(x_j - Xw)
        weights, result = np.zeros_like(residual), np.zeros_like(residual)
        active = np.arange(len(targets))
        for _ in range(self.max_iter):
            change = np.zeros(len(active), dtype=np.float32)
            for start in range(0, len(gram), _STEPS):
                block = slice(start, start + _STEPS)
                inside, before = residual[block].copy(), weights[block].copy()
                for row, item in enumerate(range(len(gram))[block]):
                    stepped = np.maximum(inside[row] + diagonal[item] * before[row] - l1, 0)
                    stepped /= diagonal[item] + l2
                    stepped[targets[active] == item] = 0
                    weights[item] = stepped
                    stepped -= before[row]
                    if stepped.any():
                        inside -= gram[block, item, None] * stepped
                steps = weights[block] - before
                np.maximum(change, np.abs(steps).max(axis=0), out=change)
                residual -= gram[:, block] @ steps
            result[:, active] = weights
            unfinished = change > self.tolerance * weights.max(axis=0)
            if not unfinished.any():
                break
            if not unfinished.all():
                active, residual, weights = (
                    active[unfinished],
                    residual[:, unfinished],
                    weights[:, unfinished],
                )
        return result


_TARGETS, _STEPS = 1024, 64
"""Items whose weights SLIM solves for at once, and steps between two updates of all their residuals."""
