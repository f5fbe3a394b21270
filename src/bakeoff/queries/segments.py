"""Who gains and who loses: segments of users, and the users whose value changes most, on one split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bakeoff.arrays import Bools
from bakeoff.evaluation import significance
from bakeoff.evaluation.significance import Sample, TestConfig, corrected
from bakeoff.queries.grouping import by_features, by_history, by_known_history, history_edges
from bakeoff.queries.pairs import SplitCells
from bakeoff.queries.recommend import ListedItem, SplitContext
from bakeoff.run.cell import Cell
from bakeoff.run.runner import Workspace
from bakeoff.splits.base import Split

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
