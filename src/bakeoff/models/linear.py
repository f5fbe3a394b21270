"""Linear item-to-item models in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from bakeoff.arrays import CSR, Array, Codes, Floats
from bakeoff.data.interactions import Interactions
from bakeoff.errors import ModelError, Unsupported
from bakeoff.models.base import OnEpoch, State
from bakeoff.models.knobs import check_knobs
from bakeoff.models.spectrum import Ridge, Spectrum
from bakeoff.models.threads import limited
from bakeoff.models.topk import ScoringModel
from bakeoff.models.weights import Weights, check_weights, weighted

CHOLESKY_ITEMS = 8192
"""Rows that LAPACK inverts at once: SciPy's bundled OpenBLAS has crashed in a float32 Cholesky of 30,000."""

_SOLVED, _KEPT = 7, 4
"""Bytes a pair of items: the matrix with the temporary quarters of the first halving and something for the
rest; and a Gram matrix that is kept beside it."""


@dataclass
class EASE(ScoringModel):
    """Steck (2019), Embarrassingly Shallow Autoencoders for Sparse Data, equation 8.

    With P = (XᵀX + l2·I)⁻¹ the item-to-item weights are B = I - P·diag(1 / diag P), and a user's scores X·B.
    The model is dense: 4·I² bytes, and half as much again while it is solved.

    Args:
        l2: ridge penalty, above 0.
        weights: what stands in X: none (1 a pair), raw values, or log1p of them.
        num_threads: of BLAS while it is solved.
    """

    stochastic: ClassVar[bool] = False
    folds_in: ClassVar[bool] = True
    shared_over: ClassVar[tuple[str, ...]] = ("l2",)

    l2: float = 300.0
    weights: Weights = "none"
    num_threads: int = 1

    def __post_init__(self) -> None:
        check_knobs(self, counts=("num_threads",), above_zero=("l2",))
        check_weights(self.weights)
        self._ridge: Ridge | None = None

    def fit(
        self,
        train: Interactions,
        *,
        seed: int,
        on_epoch: OnEpoch | None = None,
        prepared: Spectrum | Floats | None = None,
    ) -> None:
        """Solve; the seed has no effect.

        Raises:
            Unsupported: it does not fit in memory, or values below 0 have no meaning for `weights`.
        """
        self.__dict__.pop("item_weights", None)
        if isinstance(prepared, Spectrum):
            self._ridge = Ridge(prepared, self.l2)
            return
        self._ridge = None
        _refuse_too_large(train.n_items, _SOLVED)
        matrix = self._weighted(train.matrix())
        with limited(self.num_threads):
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

    def prepare(self, train: Interactions, fits: int) -> Spectrum | Floats:
        """For every l2: the spectrum of X where users are few, else the Gram matrix (float32 [I, I])."""
        _refuse_too_large(train.n_items, _SOLVED)  # the winner's fit is plain
        matrix = self._weighted(train.matrix())
        with limited(self.num_threads):
            if Spectrum.pays(matrix.shape, fits):
                return Spectrum.of(matrix)
            _refuse_too_large(train.n_items, _SOLVED + _KEPT)
            return gram(matrix)

    @cached_property
    def item_weights(self) -> Floats:
        """float32 [I, I]; of a fit by a spectrum made when they are asked for: the lists do without."""
        assert self._ridge is not None
        with limited(1):
            return self._ridge.weights()

    def scores(self, users: Codes, history: CSR) -> Floats:
        """float32 [b, I]: the users' weighted histories times the item weights."""
        weighted_history = self._weighted(history)
        with limited(1):
            if self._ridge is not None:
                return self._ridge.scores(users, weighted_history)
            found: Floats = weighted_history @ self.item_weights
        return found

    def _weighted(self, matrix: CSR) -> CSR:
        return weighted(matrix, self.weights, model="EASE", negative=True)

    def state(self) -> State:
        """The item weights."""
        return {"item_weights": self.item_weights}

    def restore(self, state: State) -> None:
        """Put them back."""
        self._ridge, self.item_weights = None, state["item_weights"]

    def similar(self, item: int) -> Floats:
        """float32 [I]: what having the item adds to the score of each."""
        found: Floats = self.item_weights[item].copy()
        return found


def gram(matrix: CSR) -> Floats:
    """float32 [I, I]: XᵀX of CSR float32 [U, I], in blocks: whole as a sparse matrix it may not fit."""
    n_items = matrix.shape[1]
    by_item = matrix.T.tocsr()
    found = np.empty((n_items, n_items), dtype=np.float32)
    for start in range(0, n_items, 1024):
        block = slice(start, start + 1024)
        found[block] = (by_item[block] @ matrix).toarray()
    return found


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
    # LAPACK wants columns: the transpose of a symmetric matrix is itself, so a whole one is not copied.
    half, failed = potrf(matrix.T, lower=0, overwrite_a=1, clean=0)
    if not failed:
        half, failed = potri(half, lower=0, overwrite_c=1)
    if failed:
        raise np.linalg.LinAlgError(f"the leading minor {failed} is not positive")
    matrix[...] = half.T
    for start in range(0, len(matrix), 512):  # the upper half is copied from the lower in strips
        strip = slice(start, start + 512)
        matrix[:start, strip] = matrix[strip, :start].T
        square = np.tril(matrix[strip, strip])
        matrix[strip, strip] = square + np.tril(square, -1).T


def _refuse_too_large(n_items: int, bytes_a_pair: int) -> None:
    import psutil

    needed, available = bytes_a_pair * n_items**2, int(psutil.virtual_memory().available)
    if needed > available:
        raise Unsupported(
            f"EASE needs {needed / 1e9:.0f} GB of memory for {n_items:,} items, and {available / 1e9:.0f} GB "
            "are available: leave out rare items ('dataset.filters=[{min_item_interactions: 5}]') or use "
            "item neighbours"
        )
