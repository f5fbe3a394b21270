"""The users for whom it makes the largest difference, and what both sides recommend to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bakeoff.arrays import Array
from bakeoff.data.source import ItemTitles
from bakeoff.errors import DataError
from bakeoff.evaluation.significance import Sample
from bakeoff.report.pairs.samples import Place
from bakeoff.run.cell import Cell, build_source
from bakeoff.run.runner import Workspace
from bakeoff.splits.base import Split


@dataclass(frozen=True)
class Recommended:
    """An item of a list in the user's own id, with its name where one is known; whether it is a hit."""

    item: str
    name: str
    hit: bool


@dataclass(frozen=True)
class Change:
    """One user.

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
    lists: tuple[tuple[Recommended, ...], tuple[Recommended, ...]]


def largest_changes(
    place: Place,
    cell: Cell,
    sample: Sample,
    workspace: Workspace,
    *,
    k: int,
    n: int,
    higher_is_better: bool | None,
) -> tuple[list[Change], list[Change]]:
    """The n users that gain most from the candidate, and the n that lose most, on one split.

    Lists are those of the first model seed.

    Args:
        cell: any cell on that split.
        sample: values [1, 2, users] of candidate and baseline on that split.
        k: length of the lists to show.
    """
    difference = sample.values[0, 0] - sample.values[0, 1]
    gain = -difference if higher_is_better is False else difference
    known = np.flatnonzero(~np.isnan(gain))
    order = known[np.argsort(-gain[known], kind="stable")]
    best = [int(i) for i in order[:n] if gain[i] > 0]
    worst = [int(i) for i in order[::-1][:n] if gain[i] < 0]
    split, names = workspace.split(cell), _names(cell)
    lists = [workspace.store.lists(place.keys[side][0]).items for side in (0, 1)]

    def change(at: int) -> Change:
        code = split.users[at]
        relevant = split.test[[code]].indices
        return Change(
            user=str(sample.users[at]),
            candidate=float(sample.values[0, 0, at]),
            baseline=float(sample.values[0, 1, at]),
            n_relevant=len(relevant),
            lists=(
                _recommended(lists[0][at, :k], relevant, split, names),
                _recommended(lists[1][at, :k], relevant, split, names),
            ),
        )

    return [change(at) for at in best], [change(at) for at in worst]


def _recommended(
    items: Array, relevant: Array, split: Split, names: Mapping[str, str]
) -> tuple[Recommended, ...]:
    ids = split.train.item_ids.values
    held_out = set(relevant.tolist())
    return tuple(
        Recommended(str(ids[i]), names.get(str(ids[i]), "").strip(), i in held_out)
        for i in items.tolist()
        if i >= 0
    )


def _names(cell: Cell) -> Mapping[str, str]:
    """What the items are called; where the source cannot be read any more, their ids have to do."""
    try:
        source = build_source(cell.dataset)
        return source.names_of_items() if isinstance(source, ItemTitles) else {}
    except DataError:
        return {}
