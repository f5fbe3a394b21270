"""Several splits of one data set as repetitions that are not independent."""

from __future__ import annotations

import numpy as np

from bakeoff.arrays import Doubles

_SMALLEST = float(np.finfo(np.float64).tiny)


def corrected_resampled(
    differences: Doubles, ratio: float, confidence: float
) -> tuple[Doubles, Doubles, Doubles]:
    """The corrected resampled t-test: p, low and high end of the mean difference over s splits.

    t = mean / sqrt((1/s + n_test / n_train) variance), s - 1 degrees of freedom. Splits of one data set share
    most of their rows, so their differences vary less than those of new data would; the second term makes up
    for it.

    Args:
        differences: float64 [..., s], the mean difference of each split, s >= 2.
        ratio: n_test / n_train.
        confidence: of the interval.

    Returns:
        float64 [...] each. p is 1 where all differences are 0 and never 0.

    Source: Nadeau and Bengio 2003, "Inference for the Generalization Error", Machine Learning 52(3).
    """
    from scipy.special import stdtr, stdtrit

    s = differences.shape[-1]
    if s < 2:
        raise ValueError(f"differences: expected those of two splits or more, got {s}")
    mean = differences.mean(axis=-1)
    error = np.sqrt((1 / s + ratio) * differences.var(axis=-1, ddof=1))
    varied = error > 0
    t = np.zeros(mean.shape)
    np.divide(mean, error, out=t, where=varied)
    p = np.where(varied, 2 * stdtr(s - 1, -np.abs(t)), np.where(mean == 0, 1.0, 2.0 ** (1 - s)))
    half = stdtrit(s - 1, 0.5 + confidence / 2) * error
    return np.clip(p, _SMALLEST, 1.0), mean - half, mean + half
