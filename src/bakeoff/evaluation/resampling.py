"""Chance drawn for all pairs at once: sign flips for p-values, and the bootstrap for intervals.

Both are linear in the values: the flipped (or weighted) sum of a difference is the difference of two flipped
sums. So one product of the draws with the systems' values serves every pair, every metric and every k.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bakeoff.arrays import Array, Bools, Doubles

_SCRATCH = 2**22
"""Numbers in a block of draws. It is fixed, so that draws depend on the seed and the number of users only."""

_KEPT = 2**26
"""Numbers kept at once of the bootstrap's means; more metrics are done in turns, with the same draws."""

_ROUNDING = 1e-12
"""Sums that differ by this part of what was added up are equal: else rounding would break ties."""


def sign_flips(values: Doubles, pairs: Array, resamples: int, seed: int) -> Doubles:
    """Two-sided p of each pair by random flips of the signs of the users' differences.

    Under the hypothesis that the two systems could be exchanged for any user, every flip is as likely as what
    was seen. p = (1 + flips whose sum is at least as far from 0) / (1 + resamples): never 0, and 1 where no
    user differs.

    Args:
        values: float64 [c, m, n], 0 for all systems at users that are left out.
        pairs: int [q, 2], of the m systems.
        resamples: number of flips.
        seed: of the flips.

    Returns:
        float64 [c, q], in (0, 1].

    Source: Fisher 1935, "The Design of Experiments"; Phipson and Smyth 2010, "Permutation p-values should
    never be zero", Statistical Applications in Genetics and Molecular Biology 9(1).
    """
    c, m, n = values.shape
    first, second = pairs[:, 0], pairs[:, 1]
    flat = np.ascontiguousarray(values.reshape(c * m, n).T)
    seen = values.sum(axis=2)
    size = np.abs(values).sum(axis=2)
    tolerance = _ROUNDING * (size[:, first] + size[:, second])
    bound = np.abs(seen[:, first] - seen[:, second]) - tolerance
    as_far = np.zeros((c, len(pairs)), dtype=np.int64)
    for signs in _sign_blocks(n, resamples, seed):
        sums = (signs @ flat).reshape(len(signs), c, m)
        for at in range(c):
            difference = sums[:, at, first] - sums[:, at, second]
            as_far[at] += np.count_nonzero(np.abs(difference) >= bound[at], axis=0)
    return (1 + as_far) / (1 + resamples)


def bootstrap_interval(
    values: Doubles, kept: Bools, pairs: Array, resamples: int, seed: int, confidence: float
) -> tuple[Doubles, Doubles]:
    """Low and high end of each pair's mean difference, float64 [c, q], by drawing users with replacement.

    The expanded percentile interval: its quantiles are those at which a percentile interval of n normal
    values is as wide as Student's, or it would be too narrow where users are few.

    Args:
        values: float64 [c, m, n], 0 where a user is not kept.
        kept: bool [c, n], users in the mean of each metric.

    Source: Hesterberg 2015, "What Teachers Should Know About the Bootstrap", The American Statistician 69(4).
    """
    c, m, _ = values.shape
    at_once = max(1, _KEPT // (resamples * m))
    ends = [np.empty((c, len(pairs))) for _ in range(2)]
    for start in range(0, c, at_once):
        rows = slice(start, min(start + at_once, c))
        means = _bootstrap_means(values[rows], kept[rows], resamples, seed)
        for at in range(rows.start, rows.stop):
            shares = _expanded(int(kept[at].sum()), confidence)
            for q, (a, b) in enumerate(pairs):
                difference = means[:, at - start, a] - means[:, at - start, b]
                ends[0][at, q], ends[1][at, q] = np.quantile(difference, shares)
    return ends[0], ends[1]


def _bootstrap_means(values: Doubles, kept: Bools, resamples: int, seed: int) -> Doubles:
    """float64 [resamples, c, m]: each system's mean over the users drawn."""
    c, m, n = values.shape
    flat = np.ascontiguousarray(values.reshape(c * m, n).T)
    everybody = bool(kept.all())
    present = np.ascontiguousarray(kept.T, dtype=np.float64)
    means = np.empty((resamples, c, m))
    start = 0
    for weights in _weight_blocks(n, resamples, seed):
        block = means[start : start + len(weights)]
        block[:] = (weights @ flat).reshape(len(weights), c, m)
        # A draw without a single user of a metric says nothing of it; its mean counts as 0, no difference.
        block /= n if everybody else np.maximum(weights @ present, 1.0)[:, :, None]
        start += len(weights)
    return means


def _expanded(n: int, confidence: float) -> tuple[float, float]:
    """The two quantiles: Phi of -/+ sqrt(n / (n - 1)) times Student's quantile with n - 1 degrees."""
    from scipy.special import ndtr, stdtrit

    share = float(ndtr(-np.sqrt(n / (n - 1)) * stdtrit(n - 1, 0.5 + confidence / 2)))
    return share, 1 - share


def _sign_blocks(n: int, resamples: int, seed: int) -> Iterator[Doubles]:
    """Blocks of float64 [b, n] of +1 and -1."""
    generator = np.random.default_rng([seed, 1])
    for size in _sizes(n, resamples):
        octets = generator.integers(0, 256, (size, (n + 7) // 8), dtype=np.uint8)
        yield np.unpackbits(octets, axis=1, count=n).astype(np.float64) * 2.0 - 1.0


def _weight_blocks(n: int, resamples: int, seed: int) -> Iterator[Doubles]:
    """Blocks of float64 [b, n]: how often each user was drawn, n draws a row."""
    generator = np.random.default_rng([seed, 2])
    for size in _sizes(n, resamples):
        drawn = generator.integers(0, n, (size, n), dtype=np.int32).astype(np.int64)
        drawn += np.arange(size)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def _sizes(n: int, resamples: int) -> list[int]:
    block = max(1, _SCRATCH // max(n, 1))
    whole, rest = divmod(resamples, block)
    return [block] * whole + ([rest] if rest else [])
