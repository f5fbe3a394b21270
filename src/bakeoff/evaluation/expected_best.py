"""What a budget of trials can be expected to find: Dodge et al. 2019, "Show Your Work", EMNLP, section 3.

The estimate is of the largest of n values drawn independently from one distribution. It says something of a
search only where the trials are such draws, as in random search; a search that learns from its trials (TPE,
CMA-ES) can be asked only by repeating it. It draws with replacement from what was seen, so it is too low
where n is near the number of draws (Tang et al. 2020, ACL); yet the estimator without that bias varies more
and leads to more wrong conclusions (Dodge et al. 2021, Findings of EMNLP).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bakeoff.arrays import Array, Doubles

CONFIDENCE = 0.95
RESAMPLES = 2000


class Estimate(NamedTuple):
    """A mean and the ends of its interval, each float64 [n]; NaN where there is none."""

    mean: Doubles
    low: Doubles
    high: Doubles


def expected_maximum(draws: Array, n: int) -> Doubles:
    """Expected largest of 1, 2, ..., n draws: sum over values v of v (P(V <= v)^i - P(V < v)^i).

    >>> expected_maximum(np.array([1.0, 2.0, 3.0]), 2).round(4).tolist()
    [2.0, 2.4444]

    Args:
        draws: [..., m], m >= 1, finite; P is their empirical distribution.
        n: largest number of draws, >= 1; it may be above m.

    Returns:
        float64 [..., n].
    """
    values = np.sort(np.asarray(draws, dtype=np.float64), axis=-1)
    share = np.arange(values.shape[-1] + 1) / values.shape[-1]
    weights = np.diff(share[:, None] ** np.arange(1, n + 1), axis=0)  # [m, n]; equal values share theirs
    found: Doubles = values @ weights
    return found


def expected_best(first: Array, draws: Array, *, seed: int) -> Estimate:
    """Expected best after 1, 2, ..., 1 + m trials of which the first is no draw: the defaults.

    The first trial is certain: after one trial the best is its value, after i it is the larger of that and of
    i - 1 draws. A draw without a value is -inf: a trial that failed, or that was pruned, is never the best.

    Args:
        first: [s, r] values of the first trial, larger is better; -inf where it gave none. One for each of s
            searches and r splits.
        draws: [s, r, m] values of the others. The searches drew independently; within one, column j is the
            same draw on each split.
        seed: of the bootstrap.

    Returns:
        Means over searches and splits, with percentile bootstrap intervals (CONFIDENCE) over draws:
        RESAMPLES times, each search draws m of its m columns with replacement. NaN where the best is not
        certain to have a value: after the first trial where that gave none, and everywhere where it gave
        none and neither did one of the draws.
    """
    floor = np.asarray(first, dtype=np.float64)
    values = np.maximum(np.asarray(draws, dtype=np.float64), floor[..., None])
    n_searches, n_splits, m = values.shape
    start = floor.mean()
    if not np.isfinite(values).all():
        nothing = np.full(1 + m, np.nan)
        return Estimate(nothing, nothing.copy(), nothing.copy())
    mean = expected_maximum(values, m).mean(axis=(0, 1))
    generator = np.random.default_rng(seed)
    again = np.zeros((RESAMPLES, m))
    for search in values:
        chosen = generator.integers(0, m, size=(RESAMPLES, m))
        for of_split in search:
            again += expected_maximum(of_split[chosen], m) / (n_searches * n_splits)
    tail = (1.0 - CONFIDENCE) / 2
    low, high = np.quantile(again, [tail, 1.0 - tail], axis=0)
    known = [start if np.isfinite(start) else np.nan]
    return Estimate(*(np.concatenate([known, part]) for part in (mean, low, high)))


def mean_over_repeats(values: Array) -> Estimate:
    """Mean of repeated searches, with its t interval (CONFIDENCE).

    Args:
        values: [r, n], r >= 2: best value after 1, ..., n trials of each search; NaN or infinite before the
            first value.
    """
    from scipy.special import stdtrit

    found = np.where(np.isfinite(values), values, np.nan)
    r = len(found)
    mean = found.mean(axis=0)  # NaN in one is NaN in the mean: fewer repeats would be another mean
    half = float(stdtrit(r - 1, 0.5 + CONFIDENCE / 2)) * found.std(axis=0, ddof=1) / np.sqrt(r)
    return Estimate(mean, mean - half, mean + half)
