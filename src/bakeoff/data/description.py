"""What a description of a data set holds: numbers only, no text, no rendering."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bakeoff.data.source import Step

SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
TOPS = (0.01, 0.05, 0.1, 0.2, 0.5)
CURVE = 60  # points of the popularity curve


@dataclass(frozen=True)
class Spread:
    """How numbers are spread.

    Args:
        n: how many there are.
        mean: their mean.
        quantiles: those at SHARES, between the two nearest where none is there (as `numpy.quantile`).
        bins: (low, high, count) of each bar, ascending; low and high are the least and the greatest number
            that belong to it. The counts add up to n.
    """

    n: int
    mean: float
    quantiles: tuple[float, ...]
    bins: tuple[tuple[float, float, int], ...]


@dataclass(frozen=True)
class LongTail:
    """How unequally the pairs are spread over the items that have any.

    Args:
        gini: 0 where all items have as many users, towards 1 where one has them all; in [0, 1).
        tops: share of the pairs that the most popular items have, for each share of items in TOPS (rounded up
            to whole items).
        half: share of the items, from the most popular on, that have half of the pairs.
        single: share of the items with one user.
        most: share of the users who have the most popular item.
        curve: users of the items at equal steps of rank, from the first to the last; at most CURVE.
    """

    gini: float
    tops: tuple[float, ...]
    half: float
    single: float
    most: float
    curve: tuple[int, ...]


@dataclass(frozen=True)
class Span:
    """When things happened.

    Args:
        first, last: unix seconds.
        unit: of a period: h, D, M or Y as in numpy's datetime64.
        start: the first period, ISO text in UTC.
        counts: rows in each period, without gaps.
        tied: share of the rows whose user has another row in the same second; where it is large, an order in
            time within a user says little.
    """

    first: int
    last: int
    unit: str
    start: str
    counts: tuple[int, ...]
    tied: float


@dataclass(frozen=True)
class Known:
    """Side information of users or items.

    Args:
        groups: number of features by what stands before the "=" of their names, in order of appearance.
        having: how many users or items have any feature, out of `total`.
        mean: features of one that has any.
    """

    groups: Mapping[str, int]
    having: int
    total: int
    mean: float


@dataclass(frozen=True)
class Cut:
    """One split.

    Args:
        name: as configured.
        fingerprint: of its content.
        train_pairs, train_users: of train; catalogue: items that can be recommended.
        test_pairs: to be found, of test_users evaluated users; test_items are distinct.
        held_out: whether the evaluated users are unknown to train.
        known: what is known of an evaluated user when recommending, in items.
        sought: the test items of an evaluated user.
        popular: share of the test pairs whose item is among the tenth of the catalogue most popular in train.
        info: all counts and dates of the split, by name.
    """

    name: str
    fingerprint: str
    train_pairs: int
    train_users: int
    catalogue: int
    test_pairs: int
    test_users: int
    test_items: int
    held_out: bool
    known: Spread
    sought: Spread
    popular: float
    info: Mapping[str, Any]


@dataclass(frozen=True)
class Description:
    """All of it; `values` and `times` are None where the data have none, features likewise.

    Args:
        rows, pairs, users, items: as in `Interactions.summary`: users and items are those with a row.
        density: pairs / (users * items), in (0, 1].
        steps: how the data were prepared.
        histories: items of a user. popularity: users of an item.
    """

    name: str
    rows: int
    pairs: int
    users: int
    items: int
    density: float
    steps: tuple[Step, ...]
    histories: Spread
    popularity: Spread
    long_tail: LongTail
    values: Spread | None
    times: Span | None
    user_features: Known | None
    item_features: Known | None
    splits: tuple[Cut, ...]
