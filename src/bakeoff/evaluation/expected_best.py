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

FEWEST_SEARCHES = 3
"""With two searches the t quantile of one degree of freedom makes an interval that says nothing."""


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


def expected_best(first: Array, draws: Array) -> Doubles:
    """Return the expected best after 1, 2, ..., 1 + m trials, of which the first has the default parameters.

    After one trial the best is the value of the defaults, after i trials the larger of it and of i - 1 draws.
    Trials that failed or were pruned count as -inf: they are never the best.

    Args:
        first: [s, r] values of the first trial of s searches on r splits, higher is better; -inf for none.
        draws: [s, r, m] values of the other trials. Searches are independent; within one, column j is the
            same draw on each split.

    Returns:
        float64 [1 + m], means over searches and splits. The first is NaN if a first trial has no value; all
        are NaN if, in addition, a draw of that search has none. There is no interval: a bootstrap of one
        search's draws covers the true value less and less often as i approaches m (docs/tuning.md).
    """
    floor = np.asarray(first, dtype=np.float64)
    values = np.maximum(np.asarray(draws, dtype=np.float64), floor[..., None])
    m = values.shape[-1]
    if not np.isfinite(values).all():
        return np.full(1 + m, np.nan)
    start = floor.mean()
    means = expected_maximum(values, m).mean(axis=(0, 1))
    return np.concatenate([[start if np.isfinite(start) else np.nan], means])


def mean_over_repeats(values: Array) -> Estimate:
    """Return the mean of repeated searches with its t interval (CONFIDENCE).

    The ends are NaN with fewer than FEWEST_SEARCHES searches.

    Args:
        values: [r, n], r >= 2: best value after 1, ..., n trials of each search; NaN or infinite before the
            first value. The mean is NaN where any search has no value yet.
    """
    from scipy.special import stdtrit

    finite = np.where(np.isfinite(values), values, np.nan)
    r = len(finite)
    mean = finite.mean(axis=0)
    if r < FEWEST_SEARCHES:
        return Estimate(mean, *np.full((2, len(mean)), np.nan))
    half_width = float(stdtrit(r - 1, 0.5 + CONFIDENCE / 2)) * finite.std(axis=0, ddof=1) / np.sqrt(r)
    return Estimate(mean, mean - half_width, mean + half_width)
