"""Names for the arrays that travel between modules, and the checks they pass on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int32]  # users or items, 0-based codes
Floats = npt.NDArray[np.float32]  # values, scores, factors
Doubles = npt.NDArray[np.float64]  # metrics
Times = npt.NDArray[np.int64]  # unix seconds
Hashes = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]
CSR = Any  # scipy.sparse.csr_matrix; scipy ships no types


def frozen(name: str, array: Array, dtype: type[np.generic], ndim: int = 1) -> Array:
    """Return array as a C-contiguous, read-only view of the given dtype; TypeError if it has another.

    A view, so that the caller's own array stays writable.
    """
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != ndim:
        got = f"{array.dtype}, {array.ndim}-d" if isinstance(array, np.ndarray) else type(array).__name__
        raise TypeError(f"{name}: expected a {ndim}-d array of {np.dtype(dtype)}, got {got}")
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
