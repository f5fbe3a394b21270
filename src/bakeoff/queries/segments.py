"""Users and items in groups: by length of history, what is known of a user, features, popularity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Bools
from bakeoff.evaluation import significance
from bakeoff.evaluation.significance import Sample, TestConfig, corrected
from bakeoff.queries.pairs import SplitCells
from bakeoff.queries.recommend import ListedItem, SplitContext
from bakeoff.run.cell import Cell
from bakeoff.run.runner import Workspace
from bakeoff.splits.base import Split

MOST_VALUES = 6
"""Of a feature with more values the most frequent ones have a group each, all others one together."""

QUARTERS = 4

BAND_SHARES = (0.5, 0.8)
"""The most popular items that hold half of train's pairs are the head, the next up to 80 % the middle. The
tail is that of `long_tail_share`."""

BAND_NAMES = ("head", "middle", "tail")


@dataclass(frozen=True, eq=False)
class Grouping:
    """Groups of the m evaluated users of a split; a user may be in several, or in none.

    Args:
        kind: history, known, or the name of a feature.
        names: of the groups, in the order in which they are shown.
        members: CSR float32 [m, groups] of ones.
    """

    kind: str
    names: tuple[str, ...]
    members: CSR


def history_edges(split: Split) -> tuple[int, ...]:
    """Return the upper ends of bands of history lengths with about a quarter of the evaluated users each.

    No band is empty. Users without history are not counted.
    """
    lengths = _history_lengths(split)
    lengths = lengths[lengths > 0]
    if not len(lengths):
        return ()
    ends = np.quantile(lengths, np.arange(1, QUARTERS + 1) / QUARTERS, method="inverted_cdf")
    return tuple(int(e) for e in np.unique(ends))


def by_history(split: Split, edges: Sequence[int]) -> Grouping:
    """Group users by history lengths up to each of the edges; the last band has no end, "none" is apart."""
    lengths = _history_lengths(split)
    starts = [1, *(e + 1 for e in edges[:-1])]
    names = [str(a) if a == b else f"{a} to {b}" for a, b in zip(starts, edges, strict=True)]
    if names:
        names[-1] = f"{starts[-1]} or more"
    codes = np.searchsorted(np.asarray(edges[:-1]), lengths, side="left") + 1 if names else lengths * 0
    codes[lengths == 0] = 0
    return _one_group_each("history", codes, ["none", *names])


def by_known_history(split: Split) -> Grouping:
    """Group users by what is known of them: train, a history given with the request alone, or nothing."""
    trained = np.diff(split.train.matrix().indptr)[split.users] > 0
    codes = np.where(trained, 0, np.where(_history_lengths(split) > 0, 1, 2))
    return _one_group_each("known", codes, ["in train", "new, with a history", "new, without"])


def by_features(split: Split) -> list[Grouping]:
    """Return a grouping for each user feature of the data: `country=UK` is a value of country.

    A feature without "=" is a number; its users are grouped in quarters.
    """
    features = split.train.user_features
    if features is None:
        return []
    matrix = features.matrix[split.users].tocsc()
    columns_of: dict[str, list[int]] = {}
    for at, name in enumerate(features.names):
        columns_of.setdefault(name.partition("=")[0], []).append(at)
    groupings = []
    for kind, columns in columns_of.items():
        if len(columns) == 1 and "=" not in features.names[columns[0]]:
            groupings.append(_quarters(kind, matrix[:, columns[0]].toarray().ravel()))
        else:
            names = [features.names[c].partition("=")[2] or features.names[c] for c in columns]
            groupings.append(_most_frequent(kind, names, matrix[:, columns]))
    return groupings


def _history_lengths(split: Split) -> Array:
    return np.asarray(np.diff(split.history.indptr)[split.users], dtype=np.int64)


def _one_group_each(kind: str, codes: Array, names: Sequence[str]) -> Grouping:
    """Return one group for each user; groups without users are left out."""
    m = len(codes)
    ones = np.ones(m, dtype=np.float32)
    return _without_empty(
        kind, names, sparse.csr_matrix((ones, (np.arange(m), codes)), shape=(m, len(names)))
    )


def _without_empty(kind: str, names: Sequence[str], members: CSR) -> Grouping:
    filled = np.flatnonzero(np.bincount(members.indices, minlength=len(names))).tolist()
    return Grouping(kind, tuple(names[i] for i in filled), members[:, filled].tocsr())


def _quarters(kind: str, values: Array) -> Grouping:
    ends = np.unique(np.quantile(values, np.arange(1, QUARTERS + 1) / QUARTERS, method="inverted_cdf"))
    codes = np.searchsorted(ends, values, side="left")
    names = [f"{n + 1} of {len(ends)} (low to high)" for n in range(len(ends))]
    return _one_group_each(kind, codes, names)


def _most_frequent(kind: str, names: Sequence[str], matrix: CSR) -> Grouping:
    """Group users by the most frequent values, in the order of the data, then all others as one group."""
    chosen: CSR = matrix.tocsr() != 0
    counts = np.bincount(chosen.indices, minlength=len(names))
    present = np.flatnonzero(counts)
    if len(present) <= MOST_VALUES + 1:
        return _without_empty(kind, names, chosen.astype(np.float32))
    frequent = np.sort(np.argsort(-counts, kind="stable")[:MOST_VALUES])
    rest = np.setdiff1d(present, frequent)
    others = sparse.csr_matrix(chosen[:, rest].sum(axis=1) > 0)
    members = sparse.hstack([chosen[:, frequent], others], format="csr").astype(np.float32)
    return Grouping(kind, (*(names[i] for i in frequent), f"{len(rest)} others"), members)


def popularity_bands(item_users: Array) -> Array:
    """Return int64 [I]: 0 head, 1 middle, 2 tail, -1 for an item that train does not hold.

    Items in order of their users in train (then of their codes) are counted up to each of BAND_SHARES.
    """
    order = np.argsort(-item_users, kind="stable")
    cumulative = np.cumsum(item_users[order])
    # As for the long tail: the item with which the share is reached still belongs to the band.
    ends = [int(np.searchsorted(cumulative, share * cumulative[-1])) + 1 for share in BAND_SHARES]
    bands = np.empty(len(order), dtype=np.int64)
    bands[order] = np.searchsorted(ends, np.arange(len(order)), side="right")
    bands[item_users == 0] = -1
    return bands


# Who gains and who loses: segments of users, and the users whose value changes mo

FEWEST = 10
"""Users that a segment has at least: a mean over fewer says nothing."""

_AT_ONCE = 2**23
"""Numbers of values by user held at once."""


@dataclass(frozen=True)
class Segment:
    """A group of users.

    Args:
        kind: what the users are grouped by: `history`, `known`, or the name of a feature.
        name: of the group.
        n_users: that have a value.
        difference, low, high: of the candidate less the baseline, over them.
        p: corrected for all segments of the split.
        larger, smaller: users for whom the candidate's value is.
        flips: whether the difference has the other sign than over all users.
    """

    kind: str
    name: str
    n_users: int
    difference: float
    low: float
    high: float
    p: float
    larger: int
    smaller: int
    flips: bool


@dataclass(frozen=True)
class UserChange:
    """One user whose value differs between candidate and baseline.

    Args:
        user: the user's own id.
        candidate, baseline: both values.
        n_relevant: test items of the user.
        lists: of the candidate and of the baseline, best first.
    """

    user: str
    candidate: float
    baseline: float
    n_relevant: int
    lists: tuple[tuple[ListedItem, ...], tuple[ListedItem, ...]]


# -- segments ----------------------------------------------------------------------------------------


def segments(sample: Sample, split: Split, test_config: TestConfig) -> list[Segment]:
    """Return the comparison of two systems in one metric within groups of the users of a split.

    Groups are quarters of the history's length, whether train has the user, and every user feature of the
    data. Groups of fewer than FEWEST users or of all users are left out. p is corrected over the rest.

    Args:
        sample: values [1, 2, n] of candidate and baseline for the users of the split, in their order.
    """
    groups = _groups(sample, split)
    if not groups:
        return []
    whole = float(np.nanmean(sample.values[0, 0] - sample.values[0, 1]))
    outcomes: list[tuple[float, ...]] = []
    step = max(1, _AT_ONCE // (2 * len(sample.users)))
    for start in range(0, len(groups), step):
        masks = np.stack([mask for _, _, mask in groups[start : start + step]])
        inside = np.where(masks[:, None, :], sample.values[0][None], np.nan)
        result = significance.compare([Sample(sample.users, inside)], np.array([[0, 1]]), test_config)
        columns = (result.mean, result.low, result.high, result.p, *result.outcomes)
        outcomes += list(zip(*(c[:, 0].tolist() for c in columns), strict=True))
    p = corrected(np.array([o[3] for o in outcomes]), test_config.correction).tolist()
    return [
        Segment(
            *(kind, name, int(mask.sum()), mean, low, high, adjusted, int(larger), int(smaller)),
            flips=mean * whole < 0,
        )
        for (kind, name, mask), (mean, low, high, _, larger, _, smaller), adjusted in zip(
            groups, outcomes, p, strict=True
        )
    ]


def _groups(sample: Sample, split: Split) -> list[tuple[str, str, Bools]]:
    """Return kind, name and bool [n] of each group that is large enough."""
    valued = ~np.isnan(sample.values).any(axis=(0, 1))
    groupings = [by_history(split, history_edges(split)), by_known_history(split), *by_features(split)]
    groups = []
    for grouping in groupings:
        members = grouping.members.tocsc()
        for at, name in enumerate(grouping.names):
            mask = valued & (members[:, [at]].toarray().ravel() > 0)
            if FEWEST <= mask.sum() < valued.sum():
                groups.append((grouping.kind, name, mask))
    return groups


# -- users -------------------------------------------------------------------------------------------


def largest_changes(
    cells: SplitCells,
    cell: Cell,
    sample: Sample,
    workspace: Workspace,
    *,
    k: int,
    n: int,
    higher_is_better: bool | None,
) -> tuple[list[UserChange], list[UserChange]]:
    """Return the n users that gain most from the candidate, and the n that lose most, on one split.

    Lists are those of the first model seed.

    Args:
        cell: any cell on that split.
        sample: values [1, 2, users] of candidate and baseline on that split.
        k: length of the lists to show.
    """
    difference = sample.values[0, 0] - sample.values[0, 1]
    gain = -difference if higher_is_better is False else difference
    valued = np.flatnonzero(~np.isnan(gain))
    order = valued[np.argsort(-gain[valued], kind="stable")]
    best = [int(i) for i in order[:n] if gain[i] > 0]
    worst = [int(i) for i in order[::-1][:n] if gain[i] < 0]
    context = SplitContext.of(cell, workspace)
    stored = [workspace.store.lists(cells.keys[side][0]) for side in (0, 1)]

    def change(at: int) -> UserChange:
        relevant = context.split.test[[context.split.users[at]]].indices
        candidate, baseline = (context.listed(s.items[at, :k], s.scores[at, :k], relevant) for s in stored)
        return UserChange(
            user=str(sample.users[at]),
            candidate=float(sample.values[0, 0, at]),
            baseline=float(sample.values[0, 1, at]),
            n_relevant=len(relevant),
            lists=(candidate, baseline),
        )

    return [change(at) for at in best], [change(at) for at in worst]
