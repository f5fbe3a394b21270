"""Paired comparisons of systems over the users of a split: tests, intervals, corrections for many tests.

Systems that recommend to the same users are compared by each user's difference, first minus second:

- One fit of each system on one split: a paired t-test with its interval, or random sign flips or Wilcoxon's
  signed-rank test with a bootstrap interval.
- Several splits or fits: the variance model of users, splits and fits (`variance`), for the algorithms or for
  these fitted models alone.

Each user counts once, whatever the number of fits and splits. All pairs are computed together: moments from
one matrix product, sign flips and bootstrap samples from one product of the draws with the values, because a
resampled difference is the difference of two resampled sums.

docs/statistics.md reports the simulated error rates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, NamedTuple, get_args

import numpy as np

from bakeoff.arrays import Array, Bools, Doubles
from bakeoff.errors import Unsupported, check_choice, check_range
from bakeoff.evaluation.variance import PairSpread, Question, Spread, Summary, summarise

Test = Literal["t", "randomization", "wilcoxon"]
Correction = Literal["holm", "bh"]

SMALLEST = float(np.finfo(np.float64).tiny)
"""The smallest p-value that is returned: it is never 0."""

EXACT = 50
"""Largest number of differences for which Wilcoxon's test is exact."""

MIN_DATA_SETS = 5
"""Fewest data sets for ranks over them; Demsar 2006 asks for more than 10."""

MIN_MODELS = 3
"""Fewest models for ranks over data sets; two are compared as a pair."""

_EQUAL = 1e-12
"""Differences of users up to this are rounding, and so are differences of sums up to this part of them."""

_FIRST = 64
"""Users looked at first: where many of them differ, the others need no count."""

_CANCELLED = 1e-9
"""A variance below this part of the sums it was subtracted from is recomputed from the differences."""

_DRAWS_SIZE = 2**22
"""Numbers in one block of draws; fixed, so that draws depend only on the seed and the number of users."""

_MEANS_SIZE = 2**26
"""Numbers of bootstrap means held at once; more metrics are processed in turns, with the same draws."""


@dataclass(frozen=True)
class TestConfig:
    """How systems are compared.

    Args:
        test: of one split: `t` (paired t-test), `randomization` (sign flips) or `wilcoxon` (signed ranks; it
            tests the median of the differences rather than their mean).
        correction: `holm` controls the chance of any false discovery in the family; `bh` (Benjamini and
            Hochberg) the expected share of false discoveries.
        resamples: number of sign flips, and of bootstrap samples; at least 100.
        seed: of both.
        confidence: of the intervals, in [0.5, 1); tests have the level 1 - confidence.
        question: with several fits or splits, whether an answer is about the `algorithms`, trained again on
            another split with another seed, or about these fitted `models` on other users.
    """

    __test__: ClassVar = False  # pytest collects classes by their name

    test: Test = "t"
    correction: Correction = "holm"
    resamples: int = 10_000
    seed: int = 0
    confidence: float = 0.95
    question: Question = "algorithms"

    def __post_init__(self) -> None:
        check_choice("statistics.test", self.test, get_args(Test))
        check_choice("statistics.correction", self.correction, get_args(Correction))
        check_range("statistics.resamples", self.resamples, 100, 10_000_000, integer=True)
        check_range("statistics.seed", self.seed, 0, 2**31 - 1, integer=True)
        check_range("statistics.confidence", self.confidence, 0.5, below=1)
        check_choice("statistics.question", self.question, get_args(Question))

    @property
    def level(self) -> float:
        """The significance level."""
        return 1 - self.confidence


@dataclass(frozen=True, eq=False)
class Sample:
    """Values of m systems for n users of one split in c metrics.

    Args:
        users: [n], distinct ids of the users.
        values: float64 [c, m, n], averaged over fits; NaN where a system has no value for a user, who is then
            left out of that metric for all systems.
        fits: position of a system with several fits -> their values, float64 [f, c, n].
        tuned: positions of systems whose fits have a tuning search each.
    """

    users: Array
    values: Doubles
    fits: Mapping[int, Doubles] = field(default_factory=dict)
    tuned: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or self.values.shape[2] != len(self.users):
            raise TypeError(f"values: expected [c, m, {len(self.users)}], got {self.values.shape}")

    def take(self, metrics: Bools) -> Sample:
        """Return the sample of some of its metrics, bool [c]."""
        fits = {m: f[:, metrics] for m, f in self.fits.items()}
        return replace(self, values=self.values[metrics], fits=fits)


class Moments(NamedTuple):
    """Means and sample standard deviations of differences, float64 [c, q], over int64 [c] users."""

    mean: Doubles
    deviation: Doubles
    n_users: Array


class Outcomes(NamedTuple):
    """Number of users for whom the first system has the larger, the same, the smaller value: int64 [c, q]."""

    larger: Array
    same: Array
    smaller: Array


class MeanDifference(NamedTuple):
    """Mean difference over splits, its p-value and the ends of its interval, float64 [c, q] each."""

    mean: Doubles
    p: Doubles
    low: Doubles
    high: Doubles


@dataclass(frozen=True, eq=False)
class Differences:
    """Differences of q pairs of systems in c metrics, first minus second; float64 [c, q] unless stated.

    Args:
        mean: over users; with several splits the mean of the splits' means.
        p: two-sided, uncorrected; in (0, 1].
        effect: Cohen's d_z, mean / standard deviation over users; 0 where no user differs, infinite where all
            differ by the same. With several splits a user's difference is the mean over the splits.
        outcomes: of the users.
        low, high: ends of the interval of the mean; NaN where it was not requested.
        n_users: int64 [c].
        n_splits: number of splits combined.
    """

    mean: Doubles
    p: Doubles
    effect: Doubles
    outcomes: Outcomes
    low: Doubles
    high: Doubles
    n_users: Array
    n_splits: int


# -- comparisons ---------------------------------------------------------------------------------


def compare(
    samples: Sequence[Sample], pairs: Array, config: TestConfig, *, intervals: Bools | None = None
) -> Differences:
    """Compare pairs of systems on one split, or on several splits of one data set.

    Args:
        samples: one for each split.
        pairs: int [q, 2], positions of systems.
        intervals: bool [q], pairs whose bootstrap interval is computed; None for all. Other intervals are
            computed for all pairs.

    Raises:
        Unsupported: a split has fewer than two users.
    """
    pooled = samples[0] if len(samples) == 1 else pool(samples)
    moments, outcomes = moments_of(pooled, pairs), outcomes_of(pooled, pairs)
    effect, n_splits = _effect(moments), len(samples)
    mean = moments.mean
    if needs_variance_model(samples, config):
        mean, p, low, high = over_repetitions(samples, pairs, config)
        p = np.maximum(p, least_p(outcomes.larger + outcomes.smaller))
    else:
        p = p_values(pooled, pairs, config)
        low, high = np.full(p.shape, np.nan), np.full(p.shape, np.nan)
        selected = np.ones(len(pairs), dtype=bool) if intervals is None else intervals
        if config.test == "t":
            half = _t_half_width(moments, config.confidence)
            low, high = mean - half, mean + half
        elif selected.any():
            low[:, selected], high[:, selected] = interval(pooled, pairs[selected], config)
    few = least_p(outcomes.larger + outcomes.smaller) > config.level
    low, high = np.where(few, np.minimum(low, 0.0), low), np.where(few, np.maximum(high, 0.0), high)
    return Differences(mean, p, effect, outcomes, low, high, moments.n_users, n_splits)


def p_of_pairs(samples: Sequence[Sample], pairs: Array, config: TestConfig) -> Doubles:
    """Return only the p-values of `compare`, float64 [c, q]; fast for thousands of pairs with `t`."""
    if not needs_variance_model(samples, config):
        return p_values(samples[0], pairs, config)
    spreads = [_differences(summary, pairs, config) for summary in summaries(samples)]
    p = np.stack([spread.p_values(means) for means, spread in spreads])
    return _not_below_flips(p, pool(samples), pairs)


def needs_variance_model(samples: Sequence[Sample], config: TestConfig) -> bool:
    """Return whether there are several splits, or several fits that the question is about."""
    return len(samples) > 1 or (bool(samples[0].fits) and config.question == "algorithms")


def p_values(sample: Sample, pairs: Array, config: TestConfig) -> Doubles:
    """Return the two-sided p-value of each pair over the users of one split, float64 [c, q].

    It is 1 where no user differs.

    Raises:
        Unsupported: fewer than two users.
    """
    if config.test == "t":
        return _paired_t(sample, pairs)
    users = complete_users(sample)
    if config.test == "wilcoxon":
        return _wilcoxon(sample, users, pairs)
    return sign_flips(filled_with_zero(sample, users), pairs, config.resamples, config.seed)


def interval(sample: Sample, pairs: Array, config: TestConfig) -> tuple[Doubles, Doubles]:
    """Return low and high end of each mean difference, float64 [c, q], by bootstrap over users."""
    users = complete_users(sample)
    filled = filled_with_zero(sample, users)
    return bootstrap_interval(filled, users, pairs, config.resamples, config.seed, config.confidence)


def over_repetitions(samples: Sequence[Sample], pairs: Array, config: TestConfig) -> MeanDifference:
    """Return the mean difference of each pair over splits and fits by the variance model."""
    columns = []
    for summary in summaries(samples):
        means, spread = _differences(summary, pairs, config)
        half = spread.half_widths(config.confidence)
        columns.append((means, spread.p_values(means), means - half, means + half))
    return MeanDifference(*(np.stack(part) for part in zip(*columns, strict=True)))


def pair_spread(samples: Sequence[Sample], pair: tuple[int, int], config: TestConfig) -> PairSpread:
    """Return the difference of two systems in the first metric of the samples, and what it varies by.

    Systems beside the two have no part in it.

    Raises:
        Unsupported: a split has fewer than two users with a value under both.
    """
    models = _aligned(samples)
    tuned = {q for q, at in enumerate(pair) if at in samples[0].tuned}
    summary = summarise([[fits[:, 0] for fits in models[at]] for at in pair], tuned)
    means, spread = _differences(summary, np.array([[0, 1]]), config)
    users = np.unique(np.concatenate([s.users for s in samples]))
    return PairSpread(float(means[0]), spread, users, summary.influence((0, 1)))


def mean_half_widths(samples: Sequence[Sample], config: TestConfig) -> Doubles:
    """Return half the width of the interval of each system's mean, float64 [c, m], by the same model.

    Each system is taken by itself: over the users that it has a value for.
    """
    halves = []
    for c in range(samples[0].values.shape[0]):
        spreads = [
            summarise([[fits[:, c] for fits in of_model]], (0,) if m in samples[0].tuned else ()).spread
            for m, of_model in enumerate(_aligned(samples))
        ]
        if config.question == "models":
            spreads = [spread.fixed() for spread in spreads]
        halves.append([float(spread.half_widths(config.confidence)[0]) for spread in spreads])
    return np.array(halves)


def summaries(samples: Sequence[Sample]) -> Iterator[Summary]:
    """Yield the variance model's summary of all systems in each metric.

    Raises:
        Unsupported: a split has fewer than two users with a value under every system.
    """
    models = _aligned(samples)
    for c in range(samples[0].values.shape[0]):
        yield summarise([[fits[:, c] for fits in of_model] for of_model in models], samples[0].tuned)


def _differences(summary: Summary, pairs: Array, config: TestConfig) -> tuple[Doubles, Spread]:
    means, spread = summary.differences(pairs)
    return means, spread if config.question == "algorithms" else spread.fixed()


def _aligned(samples: Sequence[Sample]) -> list[list[Doubles]]:
    """Return the values of each system on each split, float64 [f, c, n] over the n users of all splits."""
    users, codes = np.unique(np.concatenate([s.users for s in samples]), return_inverse=True)
    ends = np.cumsum([len(s.users) for s in samples])
    systems = []
    for m in range(samples[0].values.shape[1]):
        splits = []
        for sample, end in zip(samples, ends, strict=True):
            values = sample.fits.get(m, sample.values[None, :, m])
            aligned = np.full((*values.shape[:2], len(users)), np.nan)
            aligned[:, :, codes[end - len(sample.users) : end]] = values
            splits.append(aligned)
        systems.append(splits)
    return systems


# -- samples -------------------------------------------------------------------------------------


def all_pairs(n: int) -> Array:
    """Return every pair of n systems, the first before the second: int64 [n (n - 1) / 2, 2]."""
    return np.stack(np.triu_indices(n, 1), axis=1)


def complete_users(sample: Sample) -> Bools:
    """Return which users have a value under every system, bool [c, n].

    Raises:
        Unsupported: fewer than two of them in a metric.
    """
    users: Bools = np.asarray(~np.isnan(sample.values).any(axis=1))
    fewest = int(users.sum(axis=1).min(initial=2))
    if fewest < 2:
        raise Unsupported(f"a paired test needs two users with a value under every model, got {fewest}")
    return users


def testable(sample: Sample) -> Bools:
    """Return which metrics have a value under every system for at least two users, bool [c]."""
    return np.asarray((~np.isnan(sample.values).any(axis=1)).sum(axis=1) >= 2)


def filled_with_zero(sample: Sample, users: Bools) -> Doubles:
    """Return the values with 0 for users that are left out (users is bool [c, n])."""
    return sample.values if users.all() else np.where(users[:, None, :], sample.values, 0.0)


def moments_of(sample: Sample, pairs: Array) -> Moments:
    """Return mean and standard deviation of the differences of all pairs, from one matrix product.

    Raises:
        Unsupported: fewer than two users have a value under every system.
    """
    users = complete_users(sample)
    n = users.sum(axis=1)
    filled = filled_with_zero(sample, users)
    first, second = pairs[:, 0], pairs[:, 1]
    means = filled.sum(axis=2) / n[:, None]
    centred = filled - means[:, :, None]
    if not users.all():
        centred *= users[:, None, :]
    products = centred @ centred.transpose(0, 2, 1)
    own = np.diagonal(products, axis1=1, axis2=2)
    total = own[:, first] + own[:, second]
    squares = total - 2 * products[:, first, second]
    mean = means[:, first] - means[:, second]
    for c, q in np.argwhere(squares <= _CANCELLED * total):
        difference = filled[c, first[q], users[c]] - filled[c, second[q], users[c]]
        mean[c, q] = difference.mean()
        squares[c, q] = ((difference - mean[c, q]) ** 2).sum()
    return Moments(mean, np.sqrt(squares / (n[:, None] - 1)), n)


def outcomes_of(sample: Sample, pairs: Array) -> Outcomes:
    """Count the users for whom the first system of each pair has the larger, the same, the smaller value."""
    users = complete_users(sample)
    counts = np.zeros((3, len(users), len(pairs)), dtype=np.int64)
    for q, (a, b) in enumerate(pairs):
        difference = sample.values[:, a] - sample.values[:, b]
        counts[0, :, q] = np.count_nonzero((difference > _EQUAL) & users, axis=1)
        counts[2, :, q] = np.count_nonzero((difference < -_EQUAL) & users, axis=1)
    counts[1] = users.sum(axis=1)[:, None] - counts[0] - counts[2]
    return Outcomes(*counts)


def pool(samples: Sequence[Sample]) -> Sample:
    """Return a sample with every user once: their values are means over the splits that evaluate them."""
    users, codes = np.unique(np.concatenate([s.users for s in samples]), return_inverse=True)
    shape = (*samples[0].values.shape[:2], len(users))
    total, count = np.zeros(shape), np.zeros(shape)
    start = 0
    for sample in samples:
        columns = codes[start : start + len(sample.users)]
        start += len(sample.users)
        present = ~np.isnan(sample.values)
        total[:, :, columns] += np.where(present, sample.values, 0.0)
        count[:, :, columns] += present
    values = np.full(shape, np.nan)
    np.divide(total, count, out=values, where=count > 0)
    return Sample(users, values)


def _effect(moments: Moments) -> Doubles:
    """Return mean / deviation; where the deviation is 0, 0 or infinite by the sign of the mean."""
    effect = np.where(moments.mean == 0, 0.0, np.copysign(np.inf, moments.mean))
    np.divide(moments.mean, moments.deviation, out=effect, where=moments.deviation > 0)
    return effect


# -- tests ---------------------------------------------------------------------------------------


def _paired_t(sample: Sample, pairs: Array) -> Doubles:
    """Return p of Student's paired t-test, at least that of the sign flips of the users who differ."""
    from scipy.special import stdtr

    mean, deviation, n_users = moments_of(sample, pairs)
    n = n_users[:, None]
    varied = deviation > 0
    t = np.zeros(mean.shape)
    np.divide(mean * np.sqrt(n), deviation, out=t, where=varied)
    p = 2 * stdtr(np.broadcast_to(n - 1, t.shape), -np.abs(t))
    p = np.where(varied, p, np.where(mean == 0, 1.0, least_p(n)))
    return _not_below_flips(np.clip(p, SMALLEST, 1.0), sample, pairs)


def _not_below_flips(p: Doubles, sample: Sample, pairs: Array) -> Doubles:
    """Return p, raised where fewer users differ than it takes: a test of means knows no user it has not seen.

    If d users differ, all with one sign, a random flip of signs has p = 2^(1 - d).
    """
    users = complete_users(sample)
    p = p.copy()
    for c, of_metric in enumerate(sample.values):
        complete = of_metric[:, users[c]]
        first = complete[:, :_FIRST]
        differ = np.abs(first[pairs[:, 0]] - first[pairs[:, 1]]) > _EQUAL
        for q in np.flatnonzero(p[c] < least_p(np.count_nonzero(differ, axis=1))):
            a, b = pairs[q]
            n_different = int(np.count_nonzero(np.abs(complete[a] - complete[b]) > _EQUAL))
            p[c, q] = max(p[c, q], float(least_p(n_different)))
    return p


def least_p(n_different: Array | int) -> Doubles:
    """Return the least p-value that n users who differ can have."""
    return np.minimum(2.0 ** (1 - np.asarray(n_different, dtype=np.float64)), 1.0)


def t_half_width(error: float | None, n_users: int, confidence: float = 0.95) -> float | None:
    """Return half the width of Student's interval of a mean over users, from its standard error, or None."""
    return None if error is None or n_users < 2 else t_quantile(n_users - 1, confidence) * error


def t_quantile(degrees: float, confidence: float = 0.95) -> float:
    """Return half the width of Student's interval in standard errors; NaN without a degree of freedom.

    >>> round(t_quantile(10), 3)
    2.228
    """
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + confidence / 2)) if degrees >= 1 else float("nan")


def _t_half_width(moments: Moments, confidence: float) -> Doubles:
    from scipy.special import stdtrit

    n = moments.n_users[:, None]
    return np.asarray(stdtrit(n - 1, 0.5 + confidence / 2) * moments.deviation / np.sqrt(n))


def _wilcoxon(sample: Sample, users: Bools, pairs: Array) -> Doubles:
    """Return p of Wilcoxon's signed-rank test; users that do not differ are left out.

    It is exact for up to EXACT differences, ties included, else scipy's normal approximation with correction
    for ties.
    """
    from scipy.stats import wilcoxon

    p = np.ones((len(users), len(pairs)))
    for c in range(len(users)):
        for q, (a, b) in enumerate(pairs):
            difference = (sample.values[c, a] - sample.values[c, b])[users[c]]
            difference = difference[np.abs(difference) > _EQUAL]
            if len(difference) > EXACT:
                p[c, q] = wilcoxon(difference, method="approx").pvalue
            elif len(difference):
                p[c, q] = _exact_signed_ranks(difference)
    return np.clip(p, SMALLEST, 1.0)


def _exact_signed_ranks(difference: Doubles) -> float:
    """Return p of the signed ranks over all 2^n flips of signs, counting the flips by their sum."""
    from scipy.stats import rankdata

    size = np.round(np.abs(difference), 12)  # equal up to rounding are ties
    ranks = np.rint(2 * rankdata(size)).astype(np.int64)  # twice, as ties share half ranks
    flips = np.ones(1)
    for rank in ranks:
        flips = np.pad(flips, (0, rank)) + np.pad(flips, (rank, 0))
    smaller = min(ranks[difference > 0].sum(), ranks[difference < 0].sum())
    return float(min(2 * flips[: smaller + 1].sum() / flips.sum(), 1.0))


def sign_flips(values: Doubles, pairs: Array, resamples: int, seed: int) -> Doubles:
    """Return the two-sided p-value of each pair by random flips of the signs of the users' differences.

    Under the null hypothesis that the two systems are exchangeable for any user, every flip is as likely as
    the observation. p = (1 + number of flips whose sum is at least as far from 0) / (1 + resamples).

    Args:
        values: float64 [c, m, n], 0 for all systems at users that are left out.
        pairs: int [q, 2], positions of systems.
        resamples: number of flips.
        seed: of the flips.

    Returns:
        float64 [c, q], in (0, 1]; 1 where no user differs.

    Source: Fisher 1935, "The Design of Experiments"; Phipson and Smyth 2010, "Permutation p-values should
    never be zero", Statistical Applications in Genetics and Molecular Biology 9(1).
    """
    c, m, n = values.shape
    first, second = pairs[:, 0], pairs[:, 1]
    flat = np.ascontiguousarray(values.reshape(c * m, n).T)
    observed = values.sum(axis=2)
    size = np.abs(values).sum(axis=2)
    tolerance = _EQUAL * (size[:, first] + size[:, second])
    bound = np.abs(observed[:, first] - observed[:, second]) - tolerance
    as_far = np.zeros((c, len(pairs)), dtype=np.int64)
    for signs in _sign_blocks(n, resamples, seed):
        sums = (signs @ flat).reshape(len(signs), c, m)
        for at in range(c):
            difference = sums[:, at, first] - sums[:, at, second]
            as_far[at] += np.count_nonzero(np.abs(difference) >= bound[at], axis=0)
    return (1 + as_far) / (1 + resamples)


# -- bootstrap -----------------------------------------------------------------------------------


def bootstrap_interval(
    values: Doubles, users: Bools, pairs: Array, resamples: int, seed: int, confidence: float
) -> tuple[Doubles, Doubles]:
    """Return low and high end of each pair's mean difference, float64 [c, q], drawing users with replacement.

    It is the expanded percentile interval: its quantiles are those at which a percentile interval of n normal
    values is as wide as Student's; the plain one is too narrow for few users.

    Args:
        values: float64 [c, m, n], 0 where a user is left out.
        users: bool [c, n], users in the mean of each metric.

    Source: Hesterberg 2015, "What Teachers Should Know About the Bootstrap", The American Statistician 69(4).
    """
    c, m, _ = values.shape
    n_together = max(1, _MEANS_SIZE // (resamples * m))
    low, high = np.empty((c, len(pairs))), np.empty((c, len(pairs)))
    for start in range(0, c, n_together):
        rows = slice(start, min(start + n_together, c))
        means = _bootstrap_means(values[rows], users[rows], resamples, seed)
        for at in range(rows.start, rows.stop):
            quantiles = _expanded(int(users[at].sum()), confidence)
            for q, (a, b) in enumerate(pairs):
                difference = means[:, at - start, a] - means[:, at - start, b]
                low[at, q], high[at, q] = np.quantile(difference, quantiles)
    return low, high


def _bootstrap_means(values: Doubles, users: Bools, resamples: int, seed: int) -> Doubles:
    """Return each system's mean over the users drawn, float64 [resamples, c, m]."""
    c, m, n = values.shape
    flat = np.ascontiguousarray(values.reshape(c * m, n).T)
    complete = bool(users.all())
    present = np.ascontiguousarray(users.T, dtype=np.float64)
    means = np.empty((resamples, c, m))
    start = 0
    for weights in _weight_blocks(n, resamples, seed):
        block = means[start : start + len(weights)]
        block[:] = (weights @ flat).reshape(len(weights), c, m)
        # A draw without a single user of a metric has no mean; 0 counts as no difference.
        block /= n if complete else np.maximum(weights @ present, 1.0)[:, :, None]
        start += len(weights)
    return means


def _expanded(n: int, confidence: float) -> tuple[float, float]:
    """Return the two quantiles: Phi of -/+ sqrt(n / (n - 1)) times Student's quantile with n - 1 degrees."""
    from scipy.special import ndtr, stdtrit

    quantile = float(ndtr(-np.sqrt(n / (n - 1)) * stdtrit(n - 1, 0.5 + confidence / 2)))
    return quantile, 1 - quantile


def _sign_blocks(n: int, resamples: int, seed: int) -> Iterator[Doubles]:
    """Yield blocks of float64 [b, n] of +1 and -1."""
    generator = np.random.default_rng([seed, 1])
    for size in _block_sizes(n, resamples):
        octets = generator.integers(0, 256, (size, (n + 7) // 8), dtype=np.uint8)
        yield np.unpackbits(octets, axis=1, count=n).astype(np.float64) * 2.0 - 1.0


def _weight_blocks(n: int, resamples: int, seed: int) -> Iterator[Doubles]:
    """Yield blocks of float64 [b, n]: how often each user is drawn, n draws per row."""
    generator = np.random.default_rng([seed, 2])
    for size in _block_sizes(n, resamples):
        draws = generator.integers(0, n, (size, n), dtype=np.int32).astype(np.int64)
        draws += np.arange(size)[:, None] * n
        yield np.bincount(draws.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def _block_sizes(n: int, resamples: int) -> list[int]:
    block = max(1, _DRAWS_SIZE // max(n, 1))
    whole, rest = divmod(resamples, block)
    return [block] * whole + ([rest] if rest else [])


# -- families of tests ---------------------------------------------------------------------------


def corrected(p: Doubles, correction: str) -> Doubles:
    """Return the p-values of a family, [..., q], corrected along the last axis by `holm` or `bh`."""
    check_choice("correction", correction, get_args(Correction))
    return holm(p) if correction == "holm" else benjamini_hochberg(p)


def holm(p: Doubles) -> Doubles:
    """Return p-values [..., q] corrected by Holm's step-down procedure, which controls the family-wise error.

    The smallest of q is multiplied by q, the next by q - 1 and so on; none may be below the one before it,
    nor above 1.

    Source: Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Statistics 6(2).
    """
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p, axis=-1, kind="stable")
    stepped = np.take_along_axis(p, order, axis=-1) * np.arange(p.shape[-1], 0, -1)
    stepped = np.minimum(np.maximum.accumulate(stepped, axis=-1), 1.0)
    result = np.empty_like(stepped)
    np.put_along_axis(result, order, stepped, axis=-1)
    return result


def benjamini_hochberg(p: Doubles) -> Doubles:
    """Return p-values [..., q] corrected by the step-up procedure, which controls the false discovery rate.

    Source: Benjamini and Hochberg 1995, "Controlling the False Discovery Rate", J. R. Stat. Soc. B 57.
    """
    from scipy.stats import false_discovery_control

    p = np.asarray(p, dtype=np.float64)
    return np.asarray(false_discovery_control(p, axis=-1, method="bh")) if p.size else p.copy()


@dataclass(frozen=True, eq=False)
class CriticalDifference:
    """Ranks of k models over data sets.

    Args:
        ranks: float64 [k], mean rank of each model, 1 is best; equal scores share the mean of their ranks.
        p: of Friedman's test that all models are equal, by chi-square.
        p_f: of the same by the F of Iman and Davenport, which is less conservative.
        wilcoxon: float64 [k, k], p of Wilcoxon's signed ranks of every pair, corrected by Holm; 1 on the
            diagonal.
        distance: Nemenyi's critical difference: mean ranks further apart differ, for all pairs at once.
        groups: positions of models whose ranks lie within the distance, each group as large as possible.
        n_data_sets: N.
    """

    ranks: Doubles
    p: float
    p_f: float
    wilcoxon: Doubles
    distance: float
    groups: tuple[tuple[int, ...], ...]
    n_data_sets: int


def critical_difference(scores: Doubles, confidence: float = 0.95) -> CriticalDifference:
    """Return Friedman's test, Nemenyi's critical difference and Wilcoxon's tests of k models on N data sets.

    distance = q / sqrt(2) * sqrt(k (k + 1) / (6 N)), q the quantile of the studentised range of k means with
    infinite degrees of freedom.

    Args:
        scores: float64 [N, k], higher is better, without NaN.

    Raises:
        Unsupported: fewer than MIN_DATA_SETS data sets or MIN_MODELS models.

    Source: Demsar 2006, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7; the pairs
    by Benavoli, Corani and Mangili 2016, "Should We Really Use Post-Hoc Tests Based on Mean-Ranks?", JMLR 17.
    """
    from scipy.stats import friedmanchisquare, rankdata, studentized_range

    n, k = scores.shape
    if n < MIN_DATA_SETS or k < MIN_MODELS:
        raise Unsupported(
            f"ranks over data sets need {MIN_DATA_SETS} data sets and {MIN_MODELS} models, got {n} and {k}"
        )
    table = rankdata(-scores, axis=1)
    ranks = table.mean(axis=0)
    equal = bool((table == table[:, :1]).all())
    friedman = (0.0, 1.0) if equal else friedmanchisquare(*scores.T)
    pairs = all_pairs(k)
    by_pair = holm(p_values(Sample(np.arange(n), scores.T[None]), pairs, TestConfig(test="wilcoxon")))[0]
    wilcoxon = np.ones((k, k))
    wilcoxon[pairs[:, 0], pairs[:, 1]] = wilcoxon[pairs[:, 1], pairs[:, 0]] = by_pair
    quantile = float(studentized_range.ppf(confidence, k, np.inf))
    distance = float(quantile / np.sqrt(2) * np.sqrt(k * (k + 1) / (6 * n)))
    p_f = iman_davenport(float(friedman[0]), n, k)
    groups = _groups(ranks, distance)
    return CriticalDifference(ranks, float(friedman[1]), p_f, wilcoxon, distance, groups, n)


def iman_davenport(chi_square: float, n: int, k: int) -> float:
    """Return p of Friedman's test of k models on n data sets by F, from its chi-square.

    F = (n - 1) chi_square / (n (k - 1) - chi_square) has k - 1 and (k - 1)(n - 1) degrees of freedom. p is at
    least k!^(1 - n), the probability that all data sets have one order by chance.

    Source: Iman and Davenport 1980, "Approximations of the Critical Region of the Friedman Statistic",
    Communications in Statistics A 9(6).
    """
    from scipy.special import fdtrc, gammaln

    rest = n * (k - 1) - chi_square
    p = fdtrc(k - 1, (k - 1) * (n - 1), (n - 1) * chi_square / rest) if rest > 0 else 0.0
    return float(max(p, np.exp((1 - n) * gammaln(k + 1))))


def _groups(ranks: Doubles, distance: float) -> tuple[tuple[int, ...], ...]:
    """Return the longest runs of ranks within the distance, none inside another."""
    order = np.argsort(ranks, kind="stable")
    groups: list[tuple[int, ...]] = []
    reached = 0
    for start in range(len(order)):
        stop = int(np.searchsorted(ranks[order], ranks[order[start]] + distance, side="right"))
        if stop > reached and stop - start > 1:
            groups.append(tuple(int(i) for i in order[start:stop]))
        reached = max(reached, stop)
    return tuple(groups)
