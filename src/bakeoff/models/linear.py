"""Linear item-to-item models in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bakeoff.arrays import CSR, Array, Codes, Floats
from bakeoff.data.interactions import Interactions
from bakeoff.errors import ModelError, Unsupported, check_range
from bakeoff.models.base import OnEpoch
from bakeoff.models.threads import limited
from bakeoff.models.topk import ScoringModel
from bakeoff.models.weights import Weights, check_weights, weighted

CHOLESKY_ITEMS = 25_000
"""SciPy's bundled OpenBLAS has crashed in a float32 Cholesky of 30,000; beyond this NumPy's LU is used."""


@dataclass
class EASE(ScoringModel):
    """Steck (2019), Embarrassingly Shallow Autoencoders for Sparse Data, equation 8.

    With P = (XᵀX + l2·I)⁻¹ the item-to-item weights are B = I - P·diag(1 / diag P), and a user's scores X·B.
    The model is dense: 4·I² bytes, three times while it is computed.

    Args:
        l2: ridge penalty, above 0.
        weights: what stands in X: none (1 a pair), raw values, or log1p of them.
        num_threads: of BLAS while it is solved.
    """

    stochastic: ClassVar[bool] = False
    folds_in: ClassVar[bool] = True

    l2: float = 300.0
    weights: Weights = "none"
    num_threads: int = 1

    def __post_init__(self) -> None:
        check_range("model.build.l2", self.l2, above=0)
        check_range("model.build.num_threads", self.num_threads, 1, integer=True)
        check_weights(self.weights)

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Solve; the seed has no effect.

        Raises:
            Unsupported: it does not fit in memory, or values below 0 have no meaning for `weights`.
        """
        _refuse_too_large(train.n_items)
        matrix = weighted(train.matrix(), self.weights, model="EASE", negative=True)
        with limited(self.num_threads):
            inverse = _inverse((matrix.T @ matrix).toarray().astype(np.float32, copy=False), self.l2)
            inverse /= -np.diag(inverse)
            np.fill_diagonal(inverse, 0.0)
        self.item_weights: Floats = inverse

    def scores(self, users: Codes, history: CSR) -> Floats:
        """float32 [b, I]: the users' weighted histories times the item weights."""
        with limited(1):
            found: Floats = weighted(history, self.weights, model="EASE", negative=True) @ self.item_weights
        return found


def _inverse(gram: Floats, l2: float) -> Floats:
    """Inverse of the symmetric gram + l2 on its diagonal, in the gram's own memory where LAPACK allows."""
    from scipy.linalg import lapack

    gram.flat[:: len(gram) + 1] += np.float32(l2)
    if len(gram) > CHOLESKY_ITEMS:
        return np.linalg.inv(gram)
    # LAPACK wants columns: the transpose of a symmetric matrix is itself, so nothing is copied.
    factor, failed = lapack.spotrf(gram.T, lower=0, overwrite_a=1, clean=0)
    if not failed:
        half, failed = lapack.spotri(factor, lower=0, overwrite_c=1)
    if failed:
        raise ModelError(f"EASE: XᵀX + l2 is not positive definite at l2={l2:g}; try a larger l2")
    whole: Array = np.triu(half)
    whole += np.triu(half, 1).T
    return np.ascontiguousarray(whole)


def _refuse_too_large(n_items: int) -> None:
    import psutil

    needed, available = 12 * n_items**2, int(psutil.virtual_memory().available)
    if needed > available:
        raise Unsupported(
            f"EASE needs {needed / 1e9:.0f} GB of memory for {n_items:,} items, and {available / 1e9:.0f} GB "
            "are available: leave out rare items (dataset.min_item_interactions) or use itemknn"
        )
