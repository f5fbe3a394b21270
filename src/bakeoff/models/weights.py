"""How a model uses the values of pairs: its knob `weights`."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR
from bakeoff.errors import Unsupported, check_choice

Weights = Literal["none", "raw", "log1p"]


def check_weights(weights: str) -> None:
    """Raise ConfigError unless weights is one of none, raw, log1p."""
    check_choice("model.build.weights", weights, get_args(Weights))


def weighted(matrix: CSR, weights: Weights, *, model: str, negative: bool = False) -> CSR:
    """CSR float32 of the shape of matrix, whose values became weights; matrix itself stays as it is.

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
