"""Expected best validation score after a number of trials.

Source: Dodge et al. 2019, "Show Your Work", EMNLP, section 3.

The estimator is the expected largest of n independent draws from one distribution. It holds for random
search; a search that learns from its trials (TPE, CMA-ES) has to be repeated instead. Drawing with
replacement from the observed values biases it downward where n is near the number of draws (Tang et al. 2020,
ACL); the unbiased estimator has a larger variance and leads to more wrong conclusions (Dodge et al. 2021,
Findings of EMNLP).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bakeoff.arrays import Array, Doubles

CONFIDENCE = 0.95
RESAMPLES = 2000


class Estimate(NamedTuple):
    """A mean and the ends of its interval, each float64 [n]; NaN where undefined."""

    mean: Doubles
    low: Doubles
    high: Doubles


def expected_maximum(draws: Array, n: int) -> Doubles:
    """Return the expected largest of 1, 2, ..., n draws: sum over values v of v (P(V <= v)^i - P(V < v)^i).

    >>> expected_maximum(np.array([1.0, 2.0, 3.0]), 2).round(4).tolist()
    [2.0, 2.4444]

    Args:
        draws: [..., m], m >= 1, finite; P is their empirical distribution.
        n: largest number of draws, >= 1; may exceed m.

    Returns:
        float64 [..., n].
    """
    values = np.sort(np.asarray(draws, dtype=np.float64), axis=-1)
    share = np.arange(values.shape[-1] + 1) / values.shape[-1]
    weights = np.diff(share[:, None] ** np.arange(1, n + 1), axis=0)  # [m, n]
    expected: Doubles = values @ weights
    return expected


def expected_best(first: Array, draws: Array, *, seed: int) -> Estimate:
    """Return the expected best after 1, 2, ..., 1 + m trials, of which the first has the default parameters.

    After one trial the best is the value of the defaults, after i trials the larger of it and of i - 1 draws.
    Trials that failed or were pruned count as -inf: they are never the best.

    Args:
        first: [s, r] values of the first trial of s searches on r splits, higher is better; -inf for none.
        draws: [s, r, m] values of the other trials. Searches are independent; within one, column j is the
            same draw on each split.
        seed: of the bootstrap.

    Returns:
        Means over searches and splits, with percentile bootstrap intervals (CONFIDENCE): RESAMPLES times,
        each search draws m of its m columns with replacement. The first is NaN if a first trial has no
        value; all are NaN if, in addition, a draw of that search has none.
    """
    floor = np.asarray(first, dtype=np.float64)
    values = np.maximum(np.asarray(draws, dtype=np.float64), floor[..., None])
    n_searches, n_splits, m = values.shape
    start = floor.mean()
    if not np.isfinite(values).all():
        return Estimate(*np.full((3, 1 + m), np.nan))
    mean = expected_maximum(values, m).mean(axis=(0, 1))
    generator = np.random.default_rng(seed)
    resampled = np.zeros((RESAMPLES, m))
    for search in values:
        columns = generator.integers(0, m, size=(RESAMPLES, m))
        for of_split in search:
            resampled += expected_maximum(of_split[columns], m) / (n_searches * n_splits)
    tail = (1.0 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1.0 - tail], axis=0)
    defaults = [start if np.isfinite(start) else np.nan]
    return Estimate(*(np.concatenate([defaults, part]) for part in (mean, low, high)))


def mean_over_repeats(values: Array) -> Estimate:
    """Return the mean of repeated searches with its t interval (CONFIDENCE).

    Args:
        values: [r, n], r >= 2: best value after 1, ..., n trials of each search; NaN or infinite before the
            first value. The mean is NaN where any search has no value yet.
    """
    from scipy.special import stdtrit

    finite = np.where(np.isfinite(values), values, np.nan)
    r = len(finite)
    mean = finite.mean(axis=0)
    half_width = float(stdtrit(r - 1, 0.5 + CONFIDENCE / 2)) * finite.std(axis=0, ddof=1) / np.sqrt(r)
    return Estimate(mean, mean - half_width, mean + half_width)
