"""Comparison of floats that differ by rounding alone, as they do between processors and BLAS kernels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def assert_close(actual: npt.ArrayLike, expected: npt.ArrayLike, tolerance: float) -> None:
    """Raise AssertionError unless actual is within tolerance times the largest finite |expected|.

    Rounding errors of sums and products are as large as the array's largest entries, so entries near zero
    have no relative accuracy. What is infinite or NaN must be so in both.
    """
    reference = np.asarray(expected, dtype=np.float64)
    scale = np.abs(reference[np.isfinite(reference)]).max(initial=0.0)
    np.testing.assert_allclose(actual, reference, rtol=0, atol=tolerance * scale)
