"""The interval of a mean in a table: over users where there is one fit, over fits where there are several."""

from __future__ import annotations

import math
from typing import NamedTuple

from bakeoff.report.comparison import CONFIDENCE
from bakeoff.report.tables import Row, Value


class Interval(NamedTuple):
    """A mean with the ends of its 95 % interval, NaN where it has none."""

    mean: float
    low: float
    high: float


def interval(value: Value, row: Row) -> Interval:
    """The t interval of one number of a row.

    One fit: over its users, from the standard error. Several: over the fits, as `Value.spread` has it.
    """
    if value.spread is None or not math.isfinite(value.spread):
        return Interval(value.mean, math.nan, math.nan)
    half = value.spread
    if value.fits == 1:
        users = min((r.record.n_users for r in row.results if r.record.done), default=0)
        half *= t_quantile(users - 1)
    return Interval(value.mean, value.mean - half, value.mean + half)


def t_quantile(degrees: float) -> float:
    """Half the width of a 95 % interval in standard errors; NaN without a degree of freedom.

    >>> round(t_quantile(10), 3)
    2.228
    """
    if degrees < 1:
        return math.nan
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + CONFIDENCE / 2))
