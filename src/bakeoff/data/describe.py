"""Describe a data set in numbers: sizes, long tail, histories, values, time, features, splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from bakeoff.arrays import CSR, Array, Bools, Codes, Times
from bakeoff.data.interactions import Features, Interactions
from bakeoff.data.source import Dataset, Step
from bakeoff.errors import DataError

SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
TOPS = (0.01, 0.05, 0.1, 0.2, 0.5)
CURVE = 60  # points of the popularity curve


@dataclass(frozen=True)
class Distribution:
    """The distribution of n numbers.

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
    """The distribution of pairs over the items that have any.

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
class TimeSpan:
    """The distribution of interactions over time.

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
class FeatureSummary:
    """Side features of users or items.

    Args:
        groups: number of features by what stands before the "=" of their names, in order of appearance.
        having: how many users or items have any feature, out of `total`.
        mean: features of one that has any.
    """

    groups: Mapping[str, int]
    n_with: int
    total: int
    mean: float


@dataclass(frozen=True)
class SplitSummary:
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
        steps: the ledger of its parts.
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
    history_sizes: Distribution
    test_sizes: Distribution
    share_of_top_items: float
    info: Mapping[str, Any]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Description:
    """Numbers about a data set; `values`, `times` and features are None where the data have none.

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
    histories: Distribution
    popularity: Distribution
    long_tail: LongTail
    values: Distribution | None
    times: TimeSpan | None
    user_features: FeatureSummary | None
    item_features: FeatureSummary | None
    splits: tuple[SplitSummary, ...]


MAX_BINS = 12  # up to so many distinct numbers have a bin each; more are put into so many bins of equal width
UNITS = {
    "h": 3,
    "D": 92,
    "M": 2000,
    "Y": 100_000,
}  # unit of a period (as in numpy.datetime64): the longest span that it is used for, in days


class SplitLike(Protocol):
    """The attributes of a split that are read; `splits.base.Split` has them."""

    @property
    def train(self) -> Interactions: ...
    @property
    def test(self) -> CSR: ...
    @property
    def users(self) -> Codes: ...
    @property
    def history(self) -> CSR: ...
    @property
    def held_out(self) -> bool: ...
    @property
    def info(self) -> Mapping[str, Any]: ...
    @property
    def steps(self) -> tuple[Step, ...]: ...
    @property
    def fingerprint(self) -> str: ...


def describe(dataset: Dataset, splits: Sequence[tuple[str, SplitLike]] = ()) -> Description:
    """Describe a data set and named splits of it; an inner split is given as one more.

    Raises:
        DataError: the data set has no rows.
    """
    data = dataset.interactions
    if not len(data):
        raise DataError(f"data set {dataset.name!r} has no rows to describe")
    pairs = data.merged()
    lengths, counts = (_positive(np.bincount(codes)) for codes in (pairs.users, pairs.items))
    return Description(
        name=dataset.name,
        rows=len(data),
        pairs=len(pairs),
        users=len(lengths),
        items=len(counts),
        density=len(pairs) / (len(lengths) * len(counts)),
        steps=dataset.steps,
        histories=distribution(lengths),
        popularity=distribution(counts),
        long_tail=_long_tail(counts, len(lengths)),
        values=None if pairs.values is None or data.values is None else distribution(pairs.values),
        times=None if data.times is None else _time_span(data.users, data.times),
        user_features=_feature_summary(data.user_features),
        item_features=_feature_summary(data.item_features),
        splits=tuple(_split_summary(name, split) for name, split in splits),
    )


def distribution(numbers: Array) -> Distribution:
    """Return quantiles and histogram bins of one number or more.

    A bar each where few are distinct; whole numbers from 0 on in bars that double (0, 1, 2, 3-4, 5-8, ...),
    others in bars of equal width.
    """
    distinct, counts = np.unique(numbers, return_counts=True)
    whole = distinct[0] >= 0 and (distinct == np.floor(distinct)).all()
    if len(distinct) <= MAX_BINS:
        edges = distinct
    elif whole:
        doubling = 2.0 ** np.arange(np.ceil(np.log2(float(distinct[-1]))) + 1)
        edges = np.concatenate(([0.0, 1.0], doubling[:-1] + 1))
    else:
        edges = np.linspace(float(distinct[0]), float(distinct[-1]), MAX_BINS + 1)[:-1]
    bin_of = np.searchsorted(edges, distinct, side="right") - 1
    bins = []
    for at in range(int(bin_of[0]), int(bin_of[-1]) + 1):
        inside = bin_of == at
        last = at + 1 == len(edges)
        if len(distinct) <= MAX_BINS:
            low = high = float(distinct[at])
        else:
            low = float(edges[at])
            high = float(distinct[-1]) if last else float(edges[at + 1] - (1 if whole else 0))
        bins.append((low, high, int(counts[inside].sum())))
    quantiles = tuple(float(q) for q in np.quantile(numbers, SHARES))
    return Distribution(len(numbers), float(np.mean(numbers, dtype=np.float64)), quantiles, tuple(bins))


def _positive(counts: Array) -> Array:
    return counts[counts > 0]


def _long_tail(counts: Array, n_users: int) -> LongTail:
    falling = np.sort(counts)[::-1]
    n, cumulative = len(falling), np.cumsum(falling) / falling.sum()
    ranks = np.arange(1, n + 1)
    at = np.unique(np.linspace(0, n - 1, CURVE).round().astype(np.int64))
    return LongTail(
        gini=float((n + 1 - 2 * ranks) @ falling / (n * falling.sum())),
        tops=tuple(float(cumulative[int(np.ceil(share * n)) - 1]) for share in TOPS),
        half=float((np.searchsorted(cumulative, 0.5) + 1) / n),
        single=float((falling == 1).mean()),
        most=float(falling[0] / n_users),
        curve=tuple(falling[at].tolist()),
    )


def _time_span(users: Codes, times: Times) -> TimeSpan:
    first, last = int(times.min()), int(times.max())
    unit = next(u for u, days in UNITS.items() if last - first <= days * 86_400 or u == "Y")
    periods = times.astype("datetime64[s]").astype(f"datetime64[{unit}]")
    start = periods.min()
    order = np.lexsort((times, users))
    same = (np.diff(users[order]) == 0) & (np.diff(times[order]) == 0)
    tied: Bools = np.append(same, False) | np.insert(same, 0, False)
    counts = np.bincount((periods - start).astype(np.int64))
    return TimeSpan(first, last, unit, str(start), tuple(counts.tolist()), float(tied.mean()))


def _feature_summary(features: Features | None) -> FeatureSummary | None:
    if features is None:
        return None
    groups: dict[str, int] = {}
    for name in features.names:
        group = name.partition("=")[0]
        groups[group] = groups.get(group, 0) + 1
    each = np.diff(features.matrix.indptr)
    n_with = int((each > 0).sum())
    return FeatureSummary(groups, n_with, len(each), float(each.sum() / n_with) if n_with else 0.0)


def _split_summary(name: str, split: SplitLike) -> SplitSummary:
    train, test, users = split.train, split.test, split.users
    counts = np.bincount(train.items, minlength=train.n_items)
    top = np.zeros(train.n_items, dtype=bool)
    top[np.argsort(-counts, kind="stable")[: -(-train.n_items // 10)]] = True
    return SplitSummary(
        name=name,
        fingerprint=split.fingerprint,
        train_pairs=len(train),
        train_users=len(np.unique(train.users)),
        catalogue=train.n_items,
        test_pairs=int(test.nnz),
        test_users=len(users),
        test_items=len(np.unique(test.indices)),
        held_out=split.held_out,
        history_sizes=distribution(np.diff(split.history.indptr)[users]),
        test_sizes=distribution(np.diff(test.indptr)[users]),
        share_of_top_items=float(top[test.indices].mean()),
        info=split.info,
        steps=split.steps,
    )
