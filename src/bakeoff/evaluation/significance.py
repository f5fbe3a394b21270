"""Is one system better than another, and by how much: paired comparisons over the users of a split.

Two systems that recommend to the same users are compared by each user's difference (first less second):

- one split: a test over users, p by the paired t-test, by random flips of the signs of the differences, or
  by Wilcoxon's signed ranks; the interval is a bootstrap over users;
- several splits: the mean difference of each split, with the corrected resampled t-test (`resampled`),
  because splits of one data set share most of their rows.

Model seeds are averaged per user before all of this, so that no user counts twice.

`multiple` corrects the p-values of a family; docs/statistics.md says what was simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, get_args

import numpy as np

from bakeoff.arrays import Array, Bools, Doubles
from bakeoff.errors import Unsupported, check_choice, check_range
from bakeoff.evaluation.resampled import corrected_resampled
from bakeoff.evaluation.resampling import bootstrap_interval, sign_flips
from bakeoff.evaluation.sample import (
    Moments,
    Outcomes,
    Sample,
    filled_with_zero,
    kept_users,
    moments_of,
    outcomes_of,
    pool,
)

Test = Literal["t", "randomization", "wilcoxon"]
Correction = Literal["holm", "bh"]

EXACT = 50
"""Differences up to which Wilcoxon's test is exact, as in scipy."""

SMALLEST = float(np.finfo(np.float64).tiny)
"""The least p that is said: a p-value is never 0."""


@dataclass(frozen=True)
class TestConfig:
    """How systems are compared.

    Args:
        test: `t` (paired t-test), `randomization` (sign flips) or `wilcoxon` (signed ranks; it asks for the
            middle of the differences, not for their mean), where there is one split.
        correction: `holm` (the chance of any false finding in the family) or `bh` (the share of false
            findings, Benjamini and Hochberg).
        resamples: sign flips, and bootstrap samples, at least 100.
        seed: of both.
        confidence: of the intervals, and 1 - the level of the tests; in [0.5, 1).
    """

    __test__: ClassVar = False  # pytest takes classes by their name

    test: Test = "t"
    correction: Correction = "holm"
    resamples: int = 10_000
    seed: int = 0
    confidence: float = 0.95

    def __post_init__(self) -> None:
        check_choice("statistics.test", self.test, get_args(Test))
        check_choice("statistics.correction", self.correction, get_args(Correction))
        check_range("statistics.resamples", self.resamples, 100, 10_000_000, integer=True)
        check_range("statistics.seed", self.seed, 0, 2**31 - 1, integer=True)
        check_range("statistics.confidence", self.confidence, 0.5, below=1)

    @property
    def level(self) -> float:
        """What a p-value must not exceed."""
        return 1 - self.confidence


@dataclass(frozen=True, eq=False)
class Differences:
    """q pairs of systems in c metrics, the first less the second; float64 [c, q] unless said otherwise.

    Args:
        mean: of the differences; with several splits the mean of the splits' means.
        p: two-sided, for each pair alone; in (0, 1].
        effect: the standardised mean difference of paired values (Cohen's d_z): mean / standard deviation
            over users; 0 where nobody differs, infinite where all differ by the same. With several splits a
            user's difference is the mean over the splits.
        outcomes: users for whom the first is larger, the same, smaller.
        low, high: the interval of the mean; NaN where none was asked for.
        n_users: int64 [c], users compared.
        n_splits: 1, or those whose differences were combined.
    """

    mean: Doubles
    p: Doubles
    effect: Doubles
    outcomes: Outcomes
    low: Doubles
    high: Doubles
    n_users: Array
    n_splits: int


def compare(
    samples: Sequence[Sample], pairs: Array, rules: TestConfig, *, intervals: Bools | None = None
) -> Differences:
    """Compare pairs (int [q, 2]) of the systems of one split, or of several splits of one data set.

    Args:
        intervals: bool [q], the pairs whose interval is wanted on one split; None for all. Over several
            splits all have one.

    Raises:
        Unsupported: a split with fewer than two users, or several of which one has no ratio.
    """
    pooled = samples[0] if len(samples) == 1 else pool(samples)
    moments, outcomes = moments_of(pooled, pairs), outcomes_of(pooled, pairs)
    effect = _effect(moments)
    if len(samples) == 1:
        p = p_values(pooled, pairs, rules)
        low, high = np.full(p.shape, np.nan), np.full(p.shape, np.nan)
        wanted = np.ones(len(pairs), dtype=bool) if intervals is None else intervals
        if wanted.any():
            low[:, wanted], high[:, wanted] = interval(pooled, pairs[wanted], rules)
        return Differences(moments.mean, p, effect, outcomes, low, high, moments.n_users, 1)
    found = over_splits(samples, pairs, rules)
    return Differences(
        found.mean, found.p, effect, outcomes, found.low, found.high, moments.n_users, len(samples)
    )


def p_of_pairs(samples: Sequence[Sample], pairs: Array, rules: TestConfig) -> Doubles:
    """The p-values alone of what `compare` tells, float64 [c, q]: a thousand pairs in a moment by `t`."""
    return p_values(samples[0], pairs, rules) if len(samples) == 1 else over_splits(samples, pairs, rules).p


class OverSplits(NamedTuple):
    """Mean difference over splits, its p and its interval, float64 [c, q]."""

    mean: Doubles
    p: Doubles
    low: Doubles
    high: Doubles


def over_splits(samples: Sequence[Sample], pairs: Array, rules: TestConfig) -> OverSplits:
    """The corrected resampled t-test of the splits' mean differences."""
    ratios = [s.ratio for s in samples if s.ratio is not None]
    if len(ratios) < len(samples):
        raise Unsupported("several splits are combined by their sizes of train and test, which are not known")
    means = np.stack([moments_of(s, pairs).mean for s in samples], axis=-1)
    p, low, high = corrected_resampled(means, float(np.mean(ratios)), rules.confidence)
    return OverSplits(means.mean(axis=-1), p, low, high)


def p_values(sample: Sample, pairs: Array, rules: TestConfig) -> Doubles:
    """float64 [c, q]: two-sided p of each pair on one split; 1 where no user differs, never 0.

    Raises:
        Unsupported: fewer than two users.
    """
    if rules.test == "t":
        return _paired_t(sample, pairs)
    kept = kept_users(sample)
    if rules.test == "wilcoxon":
        return _wilcoxon(sample, kept, pairs)
    return sign_flips(filled_with_zero(sample, kept), pairs, rules.resamples, rules.seed)


def interval(sample: Sample, pairs: Array, rules: TestConfig) -> tuple[Doubles, Doubles]:
    """Low and high end of each mean difference, float64 [c, q]: a bootstrap over users.

    Where so few users differ (d of them) that even the same sign of all would not be significant,
    2^(1 - d) > level, the interval is widened to hold 0: a bootstrap knows nothing of users it has not seen.
    """
    kept = kept_users(sample)
    filled = filled_with_zero(sample, kept)
    low, high = bootstrap_interval(filled, kept, pairs, rules.resamples, rules.seed, rules.confidence)
    for at, (a, b) in enumerate(pairs):
        differ = np.count_nonzero(filled[:, a] != filled[:, b], axis=-1)
        few = 2.0 ** (1 - differ) > rules.level
        low[few, at], high[few, at] = np.minimum(low[few, at], 0.0), np.maximum(high[few, at], 0.0)
    return low, high


def _effect(moments: Moments) -> Doubles:
    """mean / deviation; where nobody deviates, 0 or infinite by the sign of the mean."""
    effect = np.where(moments.mean == 0, 0.0, np.copysign(np.inf, moments.mean))
    np.divide(moments.mean, moments.deviation, out=effect, where=moments.deviation > 0)
    return effect


def _paired_t(sample: Sample, pairs: Array) -> Doubles:
    """Student's paired t-test; where all differ by the same, the p of the sign flips, 2^(1 - n)."""
    from scipy.special import stdtr

    mean, deviation, n_users = moments_of(sample, pairs)
    n = n_users[:, None]
    varied = deviation > 0
    t = np.zeros(mean.shape)
    np.divide(mean * np.sqrt(n), deviation, out=t, where=varied)
    p = 2 * stdtr(np.broadcast_to(n - 1, t.shape), -np.abs(t))
    p = np.where(varied, p, np.where(mean == 0, 1.0, 2.0 ** (1 - n.astype(np.float64))))
    return np.asarray(np.clip(p, SMALLEST, 1.0))


def _wilcoxon(sample: Sample, kept: Bools, pairs: Array) -> Doubles:
    """Wilcoxon's signed-rank test by scipy; users who do not differ are left out, as Wilcoxon does.

    Exact for up to EXACT differences without ties, else by the normal approximation with its correction for
    ties: scipy's own choice enumerates every flip of a dozen ties, which takes seconds a pair.
    """
    from scipy.stats import wilcoxon

    p = np.ones((len(kept), len(pairs)))
    for c in range(len(kept)):
        for at, (a, b) in enumerate(pairs):
            difference = (sample.values[c, a] - sample.values[c, b])[kept[c]]
            difference = difference[np.abs(difference) > 1e-12]
            if len(difference):
                size = np.abs(difference)
                exact = len(size) <= EXACT and len(np.unique(size)) == len(size)
                p[c, at] = wilcoxon(difference, method="exact" if exact else "approx").pvalue
    return np.clip(p, SMALLEST, 1.0)
