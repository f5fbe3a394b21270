"""Errors of predicted values: one number over all test pairs, without cutoff.

y is the value of a test pair, p the model's prediction for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from bakeoff.arrays import Doubles
from bakeoff.errors import Unsupported
from bakeoff.evaluation.metric import EvaluationInputs, metric

rating_error = partial(metric, per_user=False, cutoff=False, kind="rating")


def _pairs(inputs: EvaluationInputs) -> tuple[Doubles, Doubles]:
    if inputs.predicted is None:
        raise Unsupported("needs predicted values; the model gives lists only")
    return inputs.test.data.astype(np.float64), inputs.predicted.astype(np.float64)


@rating_error(
    "square root of the mean of (y - p)^2",
    "from 0, in the unit of the values",
    "scikit-learn, `sklearn.metrics.root_mean_squared_error`",
    higher_is_better=False,
)
def rmse(inputs: EvaluationInputs, ks: Sequence[int] = ()) -> Doubles:
    y, p = _pairs(inputs)
    return np.sqrt([np.mean((y - p) ** 2)])


@rating_error(
    "mean of |y - p|",
    "from 0, in the unit of the values",
    "scikit-learn, `sklearn.metrics.mean_absolute_error`",
    higher_is_better=False,
)
def mae(inputs: EvaluationInputs, ks: Sequence[int] = ()) -> Doubles:
    y, p = _pairs(inputs)
    return np.array([np.mean(np.abs(y - p))])


@rating_error(
    "1 - sum of (y - p)^2 / sum of (y - mean y)^2",
    "up to 1",
    "scikit-learn, `sklearn.metrics.r2_score`",
)
def r2(inputs: EvaluationInputs, ks: Sequence[int] = ()) -> Doubles:
    """Raises:
    Unsupported: all test values are equal.
    """
    y, p = _pairs(inputs)
    return np.array([1.0 - np.mean((y - p) ** 2) / _variance(y)])


@rating_error(
    "1 - variance of (y - p) / variance of y",
    "up to 1",
    "scikit-learn, `sklearn.metrics.explained_variance_score`",
)
def explained_variance(inputs: EvaluationInputs, ks: Sequence[int] = ()) -> Doubles:
    """A constant error does not lower it.

    Raises:
        Unsupported: all test values are equal.
    """
    y, p = _pairs(inputs)
    return np.array([1.0 - np.var(y - p) / _variance(y)])


def _variance(y: Doubles) -> float:
    variance = float(np.var(y))
    if variance == 0.0:
        raise Unsupported("all test values are the same: there is no variance to explain")
    return variance
