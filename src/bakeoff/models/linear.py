"""EASE, a linear item-to-item model in closed form; one eigendecomposition serves every penalty."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Codes, Doubles, Floats
from bakeoff.data.interactions import Interactions
from bakeoff.errors import ModelError
from bakeoff.models.base import OnEpoch, State, StoredAttributes
from bakeoff.models.fitting import FEWER_ITEMS, Weights, check_memory, limit_threads, weighted
from bakeoff.models.topk import ScoringModel
from bakeoff.parameters import Count, Positive, check_parameters

CHOLESKY_ITEMS = 8192
"""Rows that LAPACK inverts at once: SciPy's bundled OpenBLAS has crashed in a float32 Cholesky of 30,000."""

_SOLVED, _KEPT = 7, 4
"""Bytes for each pair of items: the matrix with the temporaries of its inversion, and a Gram matrix stored
beside it."""


@dataclass
class EASE(StoredAttributes, ScoringModel):
    """EASE of Steck (2019), Embarrassingly Shallow Autoencoders for Sparse Data, equation 8.

    With P = (XᵀX + l2·I)⁻¹ the item-to-item weights are B = I - P·diag(1 / diag P), and a user's scores X·B.
    The model is dense: 4·I² bytes, and half as much again while it is solved.

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
        self._ridge: RidgeSolution | None = None

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
        _check_memory(train.n_items, _SOLVED)
        matrix = self._weighted(train.matrix())
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

    def prepare(self, train: Interactions, fits: int) -> Eigendecomposition | Floats:
        """Return what every l2 shares: the eigendecomposition if users are few, else the Gram matrix
        (float32 [I, I]).
        """
        _check_memory(train.n_items, _SOLVED)  # the final fit of the best trial is a plain one
        matrix = self._weighted(train.matrix())
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

    def restore(self, state: State) -> None:
        """Load what `state` returned."""
        super().restore(state)
        self._ridge = None

    def similar(self, item: int) -> Floats:
        """Return what having the item adds to the score of each, float32 [I]."""
        result: Floats = self.item_weights[item].copy()
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


class RidgeSolution:
    """EASE's scores at one penalty, without the matrix of item weights.

    With P = (XᵀX + l2·I)⁻¹ = V·diag(1 / (s² + l2))·Vᵀ + (I - VVᵀ) / l2, a history h scores h - hP / diag P.

    Args:
        spectrum: of X.
        l2: the penalty, above 0.
    """

    def __init__(self, spectrum: Eigendecomposition, l2: float) -> None:
        self._of, self._l2 = spectrum, l2
        self._shrunk: Doubles = 1.0 / (spectrum.squares + l2)
        diagonal = spectrum.outside / l2
        for start in range(0, len(diagonal), _BLOCK):
            block = slice(start, start + _BLOCK)
            diagonal[block] += spectrum.items[block].astype(np.float64) ** 2 @ self._shrunk
        self._scale: Floats = (-1.0 / diagonal).astype(np.float32)

    def scores(self, users: Codes, history: CSR) -> Floats:
        """Return scores float32 [b, I] of users (int32 [b]) with their weighted histories (CSR float32 [b,
        I]).
        """
        if self._in_train(users, history):  # hV = w·s: the history has no part outside the span of X's rows
            result: Floats = (self._of.users[users] * self._shrunk.astype(np.float32)) @ self._of.items.T
        else:
            inside = (history @ self._of.items) * (self._shrunk - 1.0 / self._l2).astype(np.float32)
            result = inside @ self._of.items.T
            _add_history(result, history, np.float32(1.0 / self._l2))
        result *= self._scale
        _add_history(result, history, np.float32(1.0))
        return result

    def weights(self) -> Floats:
        """Return the item weights, float32 [I, I], as a plain fit solves for them."""
        result = np.empty((len(self._scale),) * 2, dtype=np.float32)
        for start in range(0, len(result), _BLOCK):
            one = sparse.identity(len(result), dtype=np.float32, format="csr")[start : start + _BLOCK]
            nobody = np.full(one.shape[0], self._of.train.shape[0], dtype=np.int32)
            result[start : start + _BLOCK] = self.scores(nobody, one)
        np.fill_diagonal(result, 0.0)
        return result

    def _in_train(self, users: Codes, history: CSR) -> bool:
        """Return whether the histories are the users' rows of X."""
        if len(users) and int(users.max()) >= self._of.train.shape[0]:
            return False
        rows = self._of.train[users]
        pairs = ((rows.indptr, history.indptr), (rows.indices, history.indices), (rows.data, history.data))
        return all(np.array_equal(one, other) for one, other in pairs)


def _add_history(scores: Floats, history: CSR, times: np.float32) -> None:
    """Add a multiple of the histories to the scores [b, I], in place."""
    rows: Array = np.repeat(np.arange(history.shape[0]), np.diff(history.indptr))
    scores[rows, history.indices] += times * history.data
