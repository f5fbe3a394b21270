"""One variance model for means and differences: users, splits and fits as crossed random effects.

A model's value of a metric is y[u, s, f]: of user u, on split s, by fit f (a seed, with its own tuning
search). The mean of a table is the mean over splits of the means over fits and users. What it varies by:

- users: the same users may stand in the test parts of several splits, and then count once. Their part is the
  sum of squares of the users' influences on the mean, clustered by user (Liang and Zeger 1986). The splits
  themselves tell who stands where, so repeated random splits, folds over users, draws of held-out users and
  anything between them are one formula.
- splits: the scatter of the splits' means beyond what users alone explain (method of moments for two crossed
  factors; Searle, Casella and McCulloch 1992). A split's effect includes that of the fits made on it.
- fits: the scatter between fits on one split beyond what users alone explain.

With two or three splits or seeds the last two are hardly known, and a point estimate with the degrees of
freedom of Satterthwaite (1946) is too small as often as it is too large. Here each effect is integrated
over its posterior: mean squares are scaled chi-squares, and the prior of the effect's standard
deviation is a half-t (Gelman 2006) in units that the users give: with 3 degrees of freedom for splits,
whose effects are of the size of what test rows vary by, and with 1 (a half-Cauchy) for fits, whose effects
may be many times as large. docs/statistics.md has coverage, false findings, power and width of the
intervals, by simulation.

Two questions have two answers. *These fitted models*, on users like these: users alone are random. *These
algorithms*, trained again on another split with another seed: all three are.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bakeoff.arrays import Array, Bools, Doubles
from bakeoff.errors import Unsupported

Question = Literal["models", "algorithms"]
"""What an interval is about: these fitted models, or the algorithms that made them."""

SPLIT_PRIOR = (3.0, 1.2)
"""Degrees of freedom and scale of the half-t prior of a split effect's standard deviation, in units of what
users' test rows vary by."""

FIT_PRIOR = (1.0, 0.8)
"""The same for a fit effect's standard deviation, in units of the users' standard error."""

SEARCH_SCALE = 3.0
"""The scale in FIT_PRIOR where each fit has a tuning search of its own: searches differ more than seeds."""

LEAST_SCATTER = 3
"""Splits, or fits on one split, that an interval needs where there are no values by user."""

_NODES = {1: 64, 2: 32}
"""Nodes of the integral over an effect, by the number of unknown effects."""
_MANY = 200.0
"""Degrees of freedom from which Student's t is taken for normal."""

_ROUNDING = 1e-14
"""Relative width of the root's bracket, or of a step, at which Newton's method ends."""


@dataclass(frozen=True, eq=False)
class Spread:
    """What n estimates (means or differences) vary by: float64 [n] unless said otherwise.

    Args:
        users: variance of the estimate over users.
        users_df: users less one.
        splits: squared standard error by the scatter of the splits' means; 0 with one split.
        splits_by_users: what users alone would make of `splits`.
        n_splits: number of splits.
        fits: squared standard error by the scatter of fits within splits; 0 without two fits on any split.
        fits_by_users: what users alone would make of `fits`.
        fits_df: degrees of freedom of `fits`; 0 without two fits on any split.
        fits_groups: number of (model, split) with several fits.
        fits_scale: scale of the half-t prior of a fit effect's standard deviation.
    """

    users: Doubles
    users_df: float
    splits: Doubles
    splits_by_users: Doubles
    n_splits: int
    fits: Doubles
    fits_by_users: Doubles
    fits_df: Doubles
    fits_groups: Doubles
    fits_scale: Doubles

    def fixed(self) -> Spread:
        """Return the spread over users alone: the question about these fitted models."""
        zero = np.zeros_like(self.users)
        return Spread(self.users, self.users_df, zero, zero, 1, zero, zero, zero, zero, zero)

    def _posterior(self) -> tuple[Doubles, Doubles]:
        """Return weights and variances of the estimate, float64 [n, nodes], over the unknown effects."""
        nodes = _NODES[int(np.any(self.fits_df > 0)) + int(self.n_splits > 1) or 1]
        middle = (np.arange(nodes) + 0.5) / nodes
        zero = np.zeros((len(self.users), 1, 1))
        by_fit = by_split = zero
        if np.any(self.fits_df > 0):
            unit = np.where(self.fits_df > 0, self.users, 0.0)
            by_fit = (unit[:, None] * _prior_variances(FIT_PRIOR[0], self.fits_scale, middle))[:, :, None]
        if self.n_splits > 1:
            unit, scale = self.splits_by_users, np.array([SPLIT_PRIOR[1]])
            by_split = (unit[:, None] * _prior_variances(SPLIT_PRIOR[0], scale, middle))[:, None, :]
        log_weight = zero + _log_likelihood(self.fits, self.fits_by_users, by_fit, self.fits_df)
        df = np.full(len(self.users), self.n_splits - 1.0)
        log_weight = log_weight + _log_likelihood(self.splits, self.splits_by_users, by_fit + by_split, df)
        variance = np.broadcast_to(self.users[:, None, None] + by_fit + by_split, log_weight.shape)
        flat = log_weight.reshape(len(self.users), -1)
        weight = np.exp(flat - flat.max(axis=1, keepdims=True))
        return weight / weight.sum(axis=1, keepdims=True), variance.reshape(flat.shape)

    def p_values(self, estimate: Doubles) -> Doubles:
        """Return the two-sided p-value of each estimate against 0, float64 [n] in (0, 1].

        An estimate of 0 has p = 1. Where nothing varies an estimate other than 0 has the p-value of the
        sign test, 2 ** (1 - users).
        """
        weight, variance = self._posterior()
        p = _mixture(_two_tails(np.abs(estimate)[:, None], variance, self.users_df), weight)
        certain = variance.max(axis=1) == 0
        p = np.where(certain, np.where(estimate == 0, 1.0, 2.0**-self.users_df), p)
        return np.clip(p, np.finfo(np.float64).tiny, 1.0)

    def half_widths(self, confidence: float = 0.95) -> Doubles:
        """Return half the width of the central interval of each estimate, float64 [n]; NaN with one user."""
        halves = _half_widths(*self._posterior(), self.users_df, confidence)
        return halves if self.users_df >= 1 else np.full(len(halves), np.nan)

    def with_splits(self, n: int) -> Spread:
        """Return the spread to expect of n splits, from the effects as they are estimated (n >= 2)."""
        users_of_a_split = self.splits_by_users * self.n_splits
        split = np.maximum(self.splits - self.splits_by_users, 0.0) * self.n_splits
        ratio = self.n_splits / n
        return replace(
            self,
            users=np.maximum(self.users - self.splits_by_users, 0.0) + users_of_a_split / n,
            splits=(users_of_a_split + split) / n,
            splits_by_users=users_of_a_split / n,
            n_splits=n,
            fits=self.fits * ratio,
            fits_by_users=self.fits_by_users * ratio,
            fits_df=self.fits_df / ratio,
            fits_groups=self.fits_groups / ratio,
        )

    def with_fits(self, times: float) -> Spread:
        """Return the spread to expect of so many times as many fits on each split."""
        fewer = self.fits - self.fits / times
        by_users = self.fits_by_users - self.fits_by_users / times
        return replace(
            self,
            users=np.maximum(self.users - by_users, 0.0),
            splits=np.maximum(self.splits - fewer, 0.0),
            splits_by_users=np.maximum(self.splits_by_users - by_users, 0.0),
            fits=self.fits / times,
            fits_by_users=self.fits_by_users / times,
            fits_df=times * (self.fits_df + self.fits_groups) - self.fits_groups,
        )

    def with_users(self, times: float) -> Spread:
        """Return the spread to expect of so many times as many users on each split."""
        by_users, fits_by_users = self.splits_by_users / times, self.fits_by_users / times
        return replace(
            self,
            users=self.users / times,
            users_df=times * (self.users_df + 1) - 1,
            splits=np.maximum(self.splits - self.splits_by_users, 0.0) + by_users,
            splits_by_users=by_users,
            fits=np.maximum(self.fits - self.fits_by_users, 0.0) + fits_by_users,
            fits_by_users=fits_by_users,
        )

    def effect_draws(self, n: int, rng: np.random.Generator) -> Doubles:
        """Return n draws of the variance that splits and fits add to the first estimate, float64 [n]."""
        weight, variance = self._posterior()
        middle = (rng.permutation(n) + 0.5) / n
        node = np.searchsorted(np.cumsum(weight[0]), middle).clip(max=weight.shape[1] - 1)
        return np.asarray(np.maximum(variance[0, node] - self.users[0], 0.0))


def _prior_variances(df: float, scale: Doubles, mass: Doubles) -> Doubles:
    """Return the squares of half-t of scales [n] where so much of their mass [m] lies below: [n, m]."""
    from scipy.special import stdtrit

    return np.asarray((scale[:, None] * stdtrit(df, (1 + mass) / 2)) ** 2)


def _log_likelihood(mean_square: Doubles, by_users: Doubles, effect: Doubles, df: Doubles) -> Doubles:
    """Return the log likelihood of the effect, [n, ...]: df mean_square / (by_users + effect) ~ chi2(df)."""
    shape = (slice(None), None, None)
    expected = by_users[shape] + effect
    estimated = (expected > 0) & (df[shape] > 0)
    safe = np.where(estimated, expected, 1.0)
    return np.where(estimated, -0.5 * df[shape] * (np.log(safe) + mean_square[shape] / safe), 0.0)


def _two_tails(distance: Doubles, variance: Doubles, df: float) -> Doubles:
    """Return the probability of Student's t, scaled to a variance, beyond a distance on either side."""
    from scipy.special import ndtr, stdtr

    deviation = np.sqrt(variance)
    t = np.divide(distance, deviation, out=np.full(variance.shape, np.inf), where=deviation > 0)
    t = np.where(np.broadcast_to(distance, t.shape) == 0, 0.0, t)
    return np.asarray(2 * (ndtr(-t) if df > _MANY else stdtr(df, -t)))


def _density(distance: Doubles, variance: Doubles, df: float) -> Doubles:
    """Return the derivative of `_two_tails` by the distance, with its sign turned; 0 without a variance."""
    from scipy.special import gammaln

    positive = variance > 0
    t = np.divide(distance**2, variance, out=np.zeros(variance.shape), where=positive)
    if df > _MANY:
        density = np.exp(-t / 2) / np.sqrt(2 * np.pi)
    else:
        scale = np.exp(gammaln((df + 1) / 2) - gammaln(df / 2)) / np.sqrt(df * np.pi)
        density = scale * np.exp(-(df + 1) / 2 * np.log1p(t / df))
    scaled: Doubles = np.zeros(variance.shape)
    np.divide(2 * density, np.sqrt(variance), out=scaled, where=positive)
    return scaled


def _mixture(values: Doubles, weight: Doubles) -> Doubles:
    return np.asarray(np.einsum("nk,nk->n", weight, values))


def _half_widths(weight: Doubles, variance: Doubles, df: float, confidence: float) -> Doubles:
    """Return the distances that mixtures of Student's t leave 1 - confidence beyond, float64 [n].

    By Newton's method, with a bisection where a step would leave the bracket of the root.

    Args:
        weight, variance: float64 [n, nodes], of each mixture.
    """
    from scipy.special import ndtri, stdtrit

    quantile = ndtri((1 + confidence) / 2) if df > _MANY else stdtrit(max(df, 1.0), (1 + confidence) / 2)
    low, high = np.zeros(len(variance)), 1.001 * quantile * np.sqrt(variance.max(axis=1))
    at: Doubles = quantile * np.sqrt(_mixture(variance, weight))
    for _ in range(100):
        excess = _mixture(_two_tails(at[:, None], variance, df), weight) - (1 - confidence)
        low, high = np.where(excess > 0, at, low), np.where(excess > 0, high, at)
        slope = _mixture(_density(at[:, None], variance, df), weight)
        step = np.divide(excess, slope, out=np.full(len(at), np.inf), where=slope > 0)
        done = (np.abs(step) <= _ROUNDING * at) | (high - low <= _ROUNDING * high)
        if done.all():
            break
        inside = (at + step > low) & (at + step < high)
        at = np.where(done, at, np.where(inside, at + step, (low + high) / 2))
    return at


@dataclass(frozen=True, eq=False)
class Summary:
    """Means of R models in one metric and what they and their differences vary by.

    Args:
        means: float64 [R], the mean over splits of the means over fits and users.
        spread: of the means.
    """

    means: Doubles
    spread: Spread
    _split_means: Doubles
    _influence: Doubles
    _residual: Doubles

    def influence(self, pair: tuple[int, int]) -> Doubles:
        """Return the influence of each user on the difference of a pair, float64 [U]."""
        return np.asarray(self._influence[pair[0]] - self._influence[pair[1]])

    def differences(self, pairs: Array) -> tuple[Doubles, Spread]:
        """Return the mean differences of pairs (int [q, 2]), first less second, and their spread."""
        a, b = pairs[:, 0], pairs[:, 1]
        own = self.spread
        means = self._split_means[a] - self._split_means[b]
        n = own.n_splits
        fits, df = own.fits[a] + own.fits[b], own.fits_df
        squares = [np.divide(own.fits[i] ** 2, df[i], out=np.zeros(len(i)), where=df[i] > 0) for i in (a, b)]
        total = squares[0] + squares[1]
        # Satterthwaite; where no fit differs from another, all degrees of freedom say so
        fits_df = np.divide(fits**2, total, out=df[a] + df[b], where=total > 0)
        spread = Spread(
            _of_differences(self._influence, pairs),
            own.users_df,
            _scatter(means),
            _of_differences(self._residual, pairs) if n > 1 else np.zeros(len(pairs)),
            n,
            fits,
            own.fits_by_users[a] + own.fits_by_users[b],
            fits_df,
            own.fits_groups[a] + own.fits_groups[b],
            np.maximum(own.fits_scale[a], own.fits_scale[b]),
        )
        return means.mean(axis=1), spread


def summarise(values: Sequence[Sequence[Doubles]], tuned: Container[int] = ()) -> Summary:
    """Return the means of R models and what they vary by.

    Args:
        values: of each model, of each of S splits: float64 [F, U], of F fits (their number may differ from
            model to model and from split to split) the value of each of U users; NaN where a user is not
            measured on the split. Users that any model lacks on a split are left out of it.
        tuned: positions of the models whose fits have a tuning search each.

    Raises:
        Unsupported: a split has fewer than two users whom all models have values of.
    """
    averages = np.stack([[fits.mean(axis=0) for fits in of_model] for of_model in values])
    present = ~np.isnan(averages).any(axis=0)
    counts = present.sum(axis=1)
    if counts.min() < 2:
        raise Unsupported(f"{counts.min()} users have values on a split: an interval needs at least 2")
    n_models, n_splits, _ = averages.shape
    averages = np.where(present, averages, 0.0)
    split_means = averages.sum(axis=2) / counts
    centred = np.where(present, averages - split_means[:, :, None], 0.0) / counts[:, None]
    n_users = int(present.any(axis=0).sum())
    unbiased = np.sqrt(n_users / (n_users - 1))
    influence = centred.mean(axis=1) * unbiased
    residual = np.zeros((n_models, 0))
    if n_splits > 1:
        beyond = centred * unbiased - influence[:, None, :]
        residual = (beyond / np.sqrt(n_splits * (n_splits - 1))).reshape(n_models, -1)
    fits = np.array([_fits(of_model, present, at in tuned) for at, of_model in enumerate(values)])
    spread = Spread(
        np.einsum("ru,ru->r", influence, influence),
        n_users - 1.0,
        _scatter(split_means),
        np.einsum("ru,ru->r", residual, residual),
        n_splits,
        *fits.T,
    )
    return Summary(split_means.mean(axis=1), spread, split_means, influence, residual)


def _fits(of_model: Sequence[Doubles], present: Bools, tuned: bool) -> tuple[float, ...]:
    """Return what `Spread` holds of a model's fits: scatter, by users, degrees of freedom, groups, scale.

    The variance between fits is pooled over the splits that have several, and taken for that of the others.
    """
    degrees = sum(len(fits) - 1 for fits in of_model)
    if degrees == 0:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    scatter = by_users = 0.0
    for fits, users in zip(of_model, present, strict=True):
        if len(fits) > 1:
            own = fits[:, users]
            apart = own - own.mean(axis=0)
            means = apart.mean(axis=1)
            n = own.shape[1]
            scatter += float(means @ means)
            by_users += float(np.square(apart - means[:, None]).sum()) / (n * (n - 1))
    share = sum(1 / len(fits) for fits in of_model) / len(of_model) ** 2 / degrees
    groups = sum(len(fits) > 1 for fits in of_model)
    scale = SEARCH_SCALE if tuned else FIT_PRIOR[1]
    return scatter * share, by_users * share, float(degrees), float(groups), scale


def _scatter(split_means: Doubles) -> Doubles:
    """Return the squared standard error of means over splits, [n], as if the splits were independent."""
    n = split_means.shape[1]
    return split_means.var(axis=1, ddof=1) / n if n > 1 else np.zeros(len(split_means))


def _of_differences(rows: Doubles, pairs: Array) -> Doubles:
    """Return the squared norm of the difference of each pair of rows, through one product of matrices."""
    product = rows @ rows.T
    squares = np.diag(product)
    a, b = pairs[:, 0], pairs[:, 1]
    total = squares[a] + squares[b]
    distance = total - 2 * product[a, b]
    close = distance < 1e-6 * total  # where the subtraction loses digits
    for at in np.flatnonzero(close):
        apart = rows[a[at]] - rows[b[at]]
        distance[at] = apart @ apart
    return distance


# -- one difference: what a smaller one would need, and several of them together ----------------------

MOST_SPLITS, MOST_FITS, MOST_USERS = 50, 20, 100.0
"""Largest numbers of splits and of fits, and the largest factor of users, that `repetitions_needed` tries."""

EFFECT_DRAWS = 2000
"""Draws of the variances of split and fit effects behind a mean over several comparisons."""


@dataclass(frozen=True, eq=False)
class PairSpread:
    """The difference of two models and what it varies by.

    Args:
        difference: mean of the first less mean of the second.
        spread: of this one difference.
        users: [n], ids of the users of all splits.
        influence: float64 [n], of each user on the difference; its squares sum to the users' variance.
    """

    difference: float
    spread: Spread
    users: Array
    influence: Doubles

    def expected(self, spread: Spread) -> PairSpread:
        """Return the difference with another spread, such as that of more splits."""
        before, after = float(self.spread.users[0]), float(spread.users[0])
        scale = np.sqrt(after / before) if before > 0 else 1.0
        return replace(self, spread=spread, influence=scale * self.influence)


@dataclass(frozen=True)
class Needed:
    """The smallest numbers that would be expected to tell a difference apart, each with all else as it is.

    None where no number up to the bound would, where the design cannot say (several splits are needed to
    know what one adds, several fits likewise), or where the difference is told apart already.

    Args:
        splits: number of splits.
        fits: number of fits of each model on each split.
        users: number of users.
    """

    splits: int | None = None
    fits: int | None = None
    users: int | None = None

    def __bool__(self) -> bool:
        return self != Needed()


def repetitions_needed(
    distance: float, pairs: Sequence[PairSpread], groups: Sequence[str], n_fits: int, confidence: float = 0.95
) -> Needed:
    """Return the smallest numbers with which the mean of differences is expected to be told from a value.

    Args:
        distance: of the mean from that value, such as 0, which the interval shall not hold.
        pairs, groups: as of `combined`. Numbers of splits and fits are those of each difference, numbers of
            users those of all groups together.
        n_fits: fits of each model on each split, the largest number.
    """
    spreads = [pair.spread for pair in pairs]

    def enough(change: Callable[[Spread], Spread]) -> bool:
        changed = [pair.expected(change(pair.spread)) for pair in pairs]
        if len(changed) == 1:
            return bool(changed[0].spread.half_widths(confidence)[0] < abs(distance))
        return combined(changed, groups, np.full(len(pairs), 1 / len(pairs)), confidence).half < abs(distance)

    if distance == 0 or enough(lambda spread: spread):
        return Needed()
    splits = fits = None
    if min(spread.n_splits for spread in spreads) > 1:
        most = max(spread.n_splits for spread in spreads)
        splits = _least(most + 1, MOST_SPLITS, lambda n: enough(lambda spread: spread.with_splits(n)))
    if n_fits > 1 and any(spread.fits_df[0] > 0 for spread in spreads):
        fits = _least(n_fits + 1, MOST_FITS, lambda n: enough(lambda spread: spread.with_fits(n / n_fits)))
    of_group: dict[str, int] = {}
    for spread, group in zip(spreads, groups, strict=True):
        of_group[group] = max(of_group.get(group, 0), round(spread.users_df + 1))
    n_users = sum(of_group.values())
    most = int(MOST_USERS * n_users)
    users = _least(n_users + 1, most, lambda n: enough(lambda spread: spread.with_users(n / n_users)))
    return Needed(splits, fits, users)


def _least(low: int, high: int, enough: Callable[[int], bool]) -> int | None:
    """Return the smallest number in [low, high] that is enough, where all larger ones are too; else None."""
    if low > high or not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


@dataclass(frozen=True)
class Combined:
    """A weighted sum of differences, half the width of its interval (NaN without one) and its p-value."""

    difference: float
    half: float
    p: float


def combined(
    pairs: Sequence[PairSpread], groups: Sequence[str], weights: Doubles, confidence: float = 0.95
) -> Combined:
    """Return a weighted sum of differences, such as their mean, with its interval.

    The groups are fixed: the answer is about these ones. Between groups all is independent and variances
    add. Within a group a user counts once, with the sum of its influences, and the effects of splits and
    fits may go together: their standard deviations add, which makes an interval too wide rather than too
    narrow. The unknown effects are drawn from their posteriors with a fixed seed.

    Args:
        pairs: the differences.
        groups: for each the data set that its users are of.
        weights: float64 [len(pairs)].
    """
    rng = np.random.default_rng(0)
    parts, degrees, effects = [], [], np.zeros(EFFECT_DRAWS)
    for group in dict.fromkeys(groups):
        members = [at for at, name in enumerate(groups) if name == group]
        users, codes = np.unique(np.concatenate([pairs[at].users for at in members]), return_inverse=True)
        influences = np.concatenate([weights[at] * pairs[at].influence for at in members])
        influence = np.bincount(codes, influences, len(users))
        parts.append(float(influence @ influence))
        degrees.append(min(pairs[at].spread.users_df for at in members))
        deviation = np.zeros(EFFECT_DRAWS)
        for at in members:
            deviation += abs(weights[at]) * np.sqrt(pairs[at].spread.effect_draws(EFFECT_DRAWS, rng))
        effects += deviation**2
    squares = sum(part**2 / df for part, df in zip(parts, degrees, strict=True))
    users_df = sum(parts) ** 2 / squares if squares > 0 else sum(degrees)
    difference = float(sum(w * pair.difference for w, pair in zip(weights, pairs, strict=True)))
    variance = (sum(parts) + effects)[None, :]
    if variance.max() == 0:
        return Combined(difference, 0.0, 1.0 if difference == 0 else float(2.0**-users_df))
    weight = np.full(variance.shape, 1 / EFFECT_DRAWS)
    half = float(_half_widths(weight, variance, users_df, confidence)[0])
    p = float(_two_tails(np.array(abs(difference)), variance, users_df).mean())
    return Combined(difference, half, max(p, float(np.finfo(np.float64).tiny)))


def scatter_half_width(means: Sequence[Sequence[float]], confidence: float = 0.95) -> float | None:
    """Return half the width of the interval of a metric of whole lists, which has no values by user.

    Args:
        means: of each split, the values of its fits.

    Returns:
        t interval over the splits' means or, on one split, over the fits; None with fewer than LEAST_SCATTER.
    """
    from scipy.special import stdtrit

    units = [float(np.mean(fits)) for fits in means] if len(means) > 1 else list(means[0])
    if len(units) < LEAST_SCATTER:
        return None
    error = float(np.std(units, ddof=1) / np.sqrt(len(units)))
    return float(stdtrit(len(units) - 1, (1 + confidence) / 2)) * error
