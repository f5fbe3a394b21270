"""How far predicted values are from those of the test part: one number over all test pairs, no cutoff.

For models that predict values. y is the value of a test pair, p what the model predicts for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bakeoff.arrays import Doubles
from bakeoff.errors import Unsupported
from bakeoff.evaluation.metric import EvaluationInputs, metric


def _pairs(evidence: EvaluationInputs) -> tuple[Doubles, Doubles]:
    if evidence.predicted is None:
        raise Unsupported("needs predicted values; the model gives lists only")
    return evidence.test.data.astype(np.float64), evidence.predicted.astype(np.float64)


@metric(higher_is_better=False, per_user=False, cutoff=False)
def rmse(evidence: EvaluationInputs, ks: Sequence[int] = ()) -> Doubles:
    """Root of the mean of (y - p)^2. Range 0 upwards, in the unit of the values, lower is better."""
    y, p = _pairs(evidence)
    return np.sqrt([np.mean((y - p) ** 2)])


@metric(higher_is_better=False, per_user=False, cutoff=False)
def mae(evidence: EvaluationInputs, ks: Sequence[int] = ()) -> Doubles:
    """Mean of |y - p|. Range 0 upwards, in the unit of the values, lower is better."""
    y, p = _pairs(evidence)
    return np.array([np.mean(np.abs(y - p))])


@metric(per_user=False, cutoff=False)
def r2(evidence: EvaluationInputs, ks: Sequence[int] = ()) -> Doubles:
    """1 - sum of (y - p)^2 / sum of (y - mean y)^2. Range up to 1, higher is better.

    Raises:
        Unsupported: all test values are the same, so there is nothing to explain.
    """
    y, p = _pairs(evidence)
    return np.array([1.0 - np.mean((y - p) ** 2) / _variance(y)])


@metric(per_user=False, cutoff=False)
def explained_variance(evidence: EvaluationInputs, ks: Sequence[int] = ()) -> Doubles:
    """1 - variance of (y - p) / variance of y. Range up to 1, higher is better; blind to a constant error.

    Raises:
        Unsupported: all test values are the same, so there is nothing to explain.
    """
    y, p = _pairs(evidence)
    return np.array([1.0 - np.var(y - p) / _variance(y)])


def _variance(y: Doubles) -> float:
    variance = float(np.var(y))
    if variance == 0.0:
        raise Unsupported("all test values are the same: there is no variance to explain")
    return variance
