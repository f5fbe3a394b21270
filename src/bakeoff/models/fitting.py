"""What the fits of several models share: the limit of threads, the weights of pairs, the check of memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR
from bakeoff.errors import Unsupported

Weights = Literal["none", "raw", "log1p"]


@contextmanager
def limit_threads(n: int = 1) -> Iterator[None]:
    """Limit BLAS and OpenMP to n threads inside the block, and restore the earlier limit afterwards.

    One thread a worker costs less CPU than two, and keeps fits repeatable; cells run side by side instead.
    A block inside a block may widen the limit: EASE does, by its own `num_threads`.
    """
    # Only loaded libraries can be limited, and SciPy has its own BLAS beside NumPy's.
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=n):
        yield


def check_memory(needed: float, what: str, advice: str = "") -> None:
    """Raise Unsupported if bytes of memory that are needed are not available.

    Args:
        needed: bytes.
        what: who needs them, with its verb, as in "EASE for 16 items needs".
        advice: what to do instead, "" where nothing helps.
    """
    import psutil

    available = int(psutil.virtual_memory().available)
    if needed > available:
        raise Unsupported(
            f"{what} {needed / 1e9:.1f} GB of memory, and {available / 1e9:.1f} GB are available"
            + (f": {advice}" if advice else "")
        )


FEWER_ITEMS = "leave out rare items ('dataset.filters=[{min_item_interactions: 5}]') or use item neighbours"
"""Advice for models whose memory grows with the square of the catalogue."""


def weighted(matrix: CSR, weights: Weights, *, model: str, negative: bool = False) -> CSR:
    """Return the matrix with its values turned into weights, CSR float32; matrix itself is not changed.

    Args:
        weights: none makes every stored pair a 1, raw takes its value, log1p takes log(1 + value).
        model: its name, for the error.
        negative: whether raw values below 0 have a meaning for it.

    Raises:
        Unsupported: there are values below 0 and they have none.
    """
    if weights == "none":
        data = np.ones(matrix.nnz, dtype=np.float32)
    else:
        data = np.asarray(matrix.data, dtype=np.float32)
        lowest = float(data.min(initial=0))
        if lowest < 0 and not (negative and weights == "raw"):
            raise Unsupported(
                f"{model} cannot weight pairs by weights={weights}: the data hold negative values "
                f"(the lowest is {lowest:g}); take weights=none, or leave them out with a min_value filter"
            )
        data = np.log1p(data) if weights == "log1p" else data.copy()
    return sparse.csr_matrix((data, matrix.indices, matrix.indptr), shape=matrix.shape, copy=False)
