"""What each split tells of a match by itself: the difference, for whom it holds, who changes most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bakeoff.evaluation import significance
from bakeoff.evaluation.significance import TestConfig
from bakeoff.report.pairs.changes import Change, largest_changes
from bakeoff.report.pairs.flips import Segment, segments
from bakeoff.report.pairs.samples import Place
from bakeoff.report.pairs.sides import Match
from bakeoff.report.pairs.versus import Difference, Line, difference_of, pair_samples
from bakeoff.run.runner import Workspace

LIST_LENGTH = 10
"""So many items of a list are shown where the metric has no cutoff."""


@dataclass(frozen=True, eq=False)
class OfSplit:
    """One split of a match, in one metric.

    Args:
        name: the split's seed and fold.
        alone: the difference on this split by itself; its p is corrected for nothing.
        segments: of its users; empty where no group of them is large enough.
        gains, losses: the users with the largest changes.
        absent: why there are neither segments nor users; "" where there are.
    """

    name: str
    alone: Difference
    segments: tuple[Segment, ...] = ()
    gains: tuple[Change, ...] = ()
    losses: tuple[Change, ...] = ()
    absent: str = ""


def by_split(
    match: Match, line: Line, workspace: Workspace, rules: TestConfig, users: int
) -> tuple[OfSplit, ...]:
    """Look at every split of a match, in a metric that has a test.

    Args:
        users: so many users of the largest gains, and of the largest losses, are shown.
    """
    samples = pair_samples(match, [line.column], workspace.store)
    found = []
    for place, sample in zip(match.places, samples, strict=True):
        name, cell = split_name(match, place), match.cell(place)
        pair = significance.compare([sample], np.array([[0, 1]]), rules)
        alone = difference_of(pair, 0, line.higher_is_better)
        if not workspace.store.has_split(cell.split_key):
            absent = (
                f"the store holds no split {place.fingerprint}: run cell {place.keys[0][0]} with rerun=true"
            )
            found.append(OfSplit(name, alone, absent=absent))
            continue
        gains, losses = largest_changes(
            place,
            cell,
            sample,
            workspace,
            k=line.column.k or min(LIST_LENGTH, cell.depth),
            n=users,
            higher_is_better=line.higher_is_better,
        )
        groups = segments(sample, workspace.split(cell), rules)
        found.append(OfSplit(name, alone, tuple(groups), tuple(gains), tuple(losses)))
    return tuple(found)


def split_name(match: Match, place: Place) -> str:
    """The seed and the fold of a split; all of them, where chance has no part in it and they are one."""
    cells = [r.asked.cell for r in match.results[0] if r.record.split_fingerprint == place.fingerprint]
    folds = {c.fold: None for c in cells if c.fold is not None}
    seeds = " and ".join(str(s) for s in dict.fromkeys(c.split_seed for c in cells))
    return f"split_seed {seeds}" + (f", fold {' and '.join(map(str, folds))}" if folds else "")
