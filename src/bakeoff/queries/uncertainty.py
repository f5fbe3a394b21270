"""How sure a mean of a table is: of the users that were asked, and of the fits that were made."""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

CONFIDENCE = 0.95

_LEAST_FITS = 3
"""Fits, or splits, that an interval needs which nothing but their scatter supports: with two the t quantile
is 12.7, and the interval says nothing."""


class Fit(NamedTuple):
    """One fit's figure.

    Args:
        mean: over its users, or of the whole set of lists.
        error: standard error of a mean over users; None of the whole set of lists.
        n_users: behind the mean.
        split: which content of a split it was measured on; equal for fits that differ in the model's seed.
    """

    mean: float
    error: float | None
    n_users: int
    split: Hashable = None


def half_width(fits: Sequence[Fit]) -> float | None:
    """Half the width of the 95 % interval of the mean over fits; None where there is none.

    The fits share users, and are no independent repetitions of the experiment. The error of their mean has
    two parts, added as squares. That of the users: the mean of the fits' standard errors stands for it, which
    the standard error of each user's mean over fits never exceeds. That of the fits: s / sqrt(n), with s
    between the splits' means over their seeds or, on one split, between seeds. t has the degrees of freedom
    of Welch and Satterthwaite. It is rather too wide than too narrow: what a user's values differ by from fit
    to fit is in both parts.

    A metric of the whole set of lists has the second part alone, from three fits on.
    """
    by_split: dict[Hashable, list[float]] = {}
    for fit in fits:
        by_split.setdefault(fit.split, []).append(fit.mean)
    units = [statistics.fmean(means) for means in by_split.values()]
    if len(units) == 1:
        units = [fit.mean for fit in fits]
    scatter = statistics.variance(units) / len(units) if len(units) > 1 else 0.0
    errors = [fit.error for fit in fits if fit.error is not None]
    if len(errors) < len(fits):
        if len(units) < _LEAST_FITS:
            return None
        return t_quantile(len(units) - 1) * math.sqrt(scatter)
    users = statistics.fmean(errors) ** 2
    degrees = _degrees(((users, min(fit.n_users for fit in fits) - 1), (scatter, len(units) - 1)))
    half = t_quantile(degrees) * math.sqrt(users + scatter)
    return half if math.isfinite(half) else None


def _degrees(parts: Iterable[tuple[float, int]]) -> float:
    """Of a sum of variances, each with its own degrees of freedom: Satterthwaite (1946), Welch (1947).

    Args:
        parts: variance and degrees of freedom; what does not vary has no say.
    """
    known = [(variance, degrees) for variance, degrees in parts if variance > 0]
    if not known:
        return math.inf
    if any(degrees < 1 for _, degrees in known):
        return math.nan
    return math.fsum(v for v, _ in known) ** 2 / math.fsum(v * v / d for v, d in known)


def t_quantile(degrees: float) -> float:
    """Half the width of a 95 % interval in standard errors; NaN without a degree of freedom.

    >>> round(t_quantile(10), 3)
    2.228
    """
    if not degrees >= 1:
        return math.nan
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + CONFIDENCE / 2)) if math.isfinite(degrees) else _NORMAL


_NORMAL = statistics.NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
