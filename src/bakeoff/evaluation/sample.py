"""What several systems reached for the same users, and the plain numbers of their differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bakeoff.arrays import Array, Bools, Doubles
from bakeoff.errors import Unsupported

_CANCELLED = 1e-9
"""A variance that is such a part of what it was subtracted from is computed again from the differences."""


@dataclass(frozen=True, eq=False)
class Sample:
    """What m systems reached for n users of one split, in c metrics.

    Args:
        users: [n], distinct ids of the users.
        values: float64 [c, m, n]; model seeds are averaged; NaN where a system has no value for a user. Such
            a user is left out of that metric for all of the systems.
        ratio: rows of test to rows of train, needed where there are several splits; above 0.
    """

    users: Array
    values: Doubles
    ratio: float | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or self.values.shape[2] != len(self.users):
            raise TypeError(f"values: expected [c, m, {len(self.users)}], got {self.values.shape}")


class Moments(NamedTuple):
    """Means and sample deviations of the differences, float64 [c, q]; the users behind them, int64 [c]."""

    mean: Doubles
    deviation: Doubles
    n_users: Array


class Outcomes(NamedTuple):
    """For how many users the first system has the larger value, the same, the smaller one: int64 [c, q]."""

    larger: Array
    same: Array
    smaller: Array


def all_pairs(n: int) -> Array:
    """int64 [n (n - 1) / 2, 2]: every pair of n systems, the first before the second."""
    return np.stack(np.triu_indices(n, 1), axis=1)


def moments_of(sample: Sample, pairs: Array) -> Moments:
    """Means and deviations of all pairs from one product of matrices: fast for many systems.

    Raises:
        Unsupported: fewer than two users have a value under every system.
    """
    kept = kept_users(sample)
    n = kept.sum(axis=1)
    filled = filled_with_zero(sample, kept)
    first, second = pairs[:, 0], pairs[:, 1]
    means = filled.sum(axis=2) / n[:, None]
    centred = filled - means[:, :, None]
    if not kept.all():
        centred *= kept[:, None, :]
    products = centred @ centred.transpose(0, 2, 1)
    own = np.diagonal(products, axis1=1, axis2=2)
    total = own[:, first] + own[:, second]
    squares = total - 2 * products[:, first, second]
    mean = means[:, first] - means[:, second]
    for c, q in np.argwhere(squares <= _CANCELLED * total):
        difference = filled[c, first[q], kept[c]] - filled[c, second[q], kept[c]]
        mean[c, q] = difference.mean()
        squares[c, q] = ((difference - mean[c, q]) ** 2).sum()
    return Moments(mean, np.sqrt(squares / (n[:, None] - 1)), n)


def outcomes_of(sample: Sample, pairs: Array) -> Outcomes:
    """Who has the larger value, user by user; a difference of rounding (1e-12) is none."""
    kept = kept_users(sample)
    counts = np.zeros((3, len(kept), len(pairs)), dtype=np.int64)
    for at, (a, b) in enumerate(pairs):
        difference = sample.values[:, a] - sample.values[:, b]
        counts[0, :, at] = np.count_nonzero((difference > 1e-12) & kept, axis=1)
        counts[2, :, at] = np.count_nonzero((difference < -1e-12) & kept, axis=1)
    counts[1] = kept.sum(axis=1)[:, None] - counts[0] - counts[2]
    return Outcomes(*counts)


def pool(samples: Sequence[Sample]) -> Sample:
    """Every user once: their values are means over the splits that evaluated them."""
    users, codes = np.unique(np.concatenate([s.users for s in samples]), return_inverse=True)
    shape = (*samples[0].values.shape[:2], len(users))
    total, count = np.zeros(shape), np.zeros(shape)
    start = 0
    for sample in samples:
        at = codes[start : start + len(sample.users)]
        start += len(sample.users)
        known = ~np.isnan(sample.values)
        total[:, :, at] += np.where(known, sample.values, 0.0)
        count[:, :, at] += known
    values = np.full(shape, np.nan)
    np.divide(total, count, out=values, where=count > 0)
    return Sample(users, values)


def testable(sample: Sample) -> Bools:
    """bool [c]: metrics in which two users or more have a value under every system."""
    return np.asarray((~np.isnan(sample.values).any(axis=1)).sum(axis=1) >= 2)


def kept_users(sample: Sample) -> Bools:
    """bool [c, n]: users that have a value under every system."""
    kept: Bools = np.asarray(~np.isnan(sample.values).any(axis=1))
    fewest = int(kept.sum(axis=1).min(initial=2))
    if fewest < 2:
        raise Unsupported(f"a paired test needs two users with a value under every model, got {fewest}")
    return kept


def filled_with_zero(sample: Sample, kept: Bools) -> Doubles:
    """The values with 0 where a user is left out; the values themselves where nobody is."""
    return sample.values if kept.all() else np.where(kept[:, None, :], sample.values, 0.0)
