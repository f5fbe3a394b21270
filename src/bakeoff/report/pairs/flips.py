"""For whom a difference holds: the segments of users, and those in which its sign flips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bakeoff.arrays import Bools
from bakeoff.evaluation import significance
from bakeoff.evaluation.significance import Sample, TestConfig, corrected
from bakeoff.report.figures.grouping import by_acquaintance, by_features, by_history, history_edges
from bakeoff.splits.base import Split

FEWEST = 10
"""Users that a segment has at least: of fewer a mean says nothing."""

_AT_ONCE = 2**23
"""Numbers of values by user held at once."""


@dataclass(frozen=True)
class Segment:
    """Some of the users.

    Args:
        kind: what they are grouped by: `history`, `known`, or the name of a feature.
        name: of the group.
        n_users: that have a value.
        difference, low, high: of the candidate less the baseline, over them.
        p: corrected for all segments that were looked at.
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


def segments(sample: Sample, split: Split, rules: TestConfig) -> list[Segment]:
    """Compare two systems in one metric within groups of the users of a split.

    Groups are quarters of the history's length, what train knows of the user, and every user feature of the
    data. Those of fewer than FEWEST users are left out, and those of all users. p is corrected over the rest.

    Args:
        sample: values [1, 2, n] of candidate and baseline for the users of the split, in their order.
    """
    named = _groups(sample, split)
    if not named:
        return []
    whole = float(np.nanmean(sample.values[0, 0] - sample.values[0, 1]))
    found: list[tuple[float, ...]] = []
    step = max(1, _AT_ONCE // (2 * len(sample.users)))
    for start in range(0, len(named), step):
        masks = np.stack([mask for _, _, mask in named[start : start + step]])
        inside = np.where(masks[:, None, :], sample.values[0][None], np.nan)
        result = significance.compare([Sample(sample.users, inside)], np.array([[0, 1]]), rules)
        columns = (result.mean, result.low, result.high, result.p, *result.outcomes)
        found += list(zip(*(c[:, 0].tolist() for c in columns), strict=True))
    p = corrected(np.array([f[3] for f in found]), rules.correction).tolist()
    return [
        Segment(
            *(kind, name, int(mask.sum()), mean, low, high, adjusted, int(larger), int(smaller)),
            flips=mean * whole < 0,
        )
        for (kind, name, mask), (mean, low, high, _, larger, _, smaller), adjusted in zip(
            named, found, p, strict=True
        )
    ]


def _groups(sample: Sample, split: Split) -> list[tuple[str, str, Bools]]:
    """Kind, name and bool [n] of each group that is large enough."""
    valued = ~np.isnan(sample.values).any(axis=(0, 1))
    groupings = [by_history(split, history_edges(split)), by_acquaintance(split), *by_features(split)]
    found = []
    for grouping in groupings:
        members = grouping.members.tocsc()
        for at, name in enumerate(grouping.names):
            mask = valued & (members[:, [at]].toarray().ravel() > 0)
            if FEWEST <= mask.sum() < valued.sum():
                found.append((grouping.kind, name, mask))
    return found
