"""The interval of a mean in a table."""

from __future__ import annotations

import math
from typing import NamedTuple

from bakeoff.queries.tables import Value


class Interval(NamedTuple):
    """A mean with the ends of its 95 % interval, NaN where it has none."""

    mean: float
    low: float
    high: float


def interval(value: Value) -> Interval:
    """The 95 % interval of one number; see `uncertainty.half_width`."""
    half = math.nan if value.half is None else value.half
    return Interval(value.mean, value.mean - half, value.mean + half)
