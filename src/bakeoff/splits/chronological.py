"""Hold out the last share of every user's events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bakeoff.arrays import Array
from bakeoff.data.interactions import Interactions
from bakeoff.parameters import OpenShare
from bakeoff.splits.base import (
    ColdPolicy,
    Split,
    assemble,
    event_hashes,
    first_rows_of_users,
    time_order,
    times_of,
    train_quota,
)


@dataclass(frozen=True)
class Chronological(ColdPolicy):
    """Hold out each user's last events: the first round(ratio * events) of a user's events are train.

    The same rows as by `python_chrono_split` of recommenders where a user's times differ. Where the cut falls
    inside one second, a hash of the ids decides which of its events are train: neither seed nor row order.
    A user of whom nothing would be left to train on keeps one event in train; one whose share of test rounds
    to nothing stays there as a whole. Duplicates are merged inside each part.

    Args:
        ratio: share of each user's events that is train.

    >>> from bakeoff.data.interactions import Ids
    >>> users, items = np.repeat(np.int32([0, 1]), 4), np.tile(np.arange(4, dtype=np.int32), 2)
    >>> times = np.array([10, 20, 30, 40, 80, 70, 60, 50])
    >>> data = Interactions.of(users, items, None, times, Ids.of(["ann", "bob"]), Ids.of("wxyz"))
    >>> cut = Chronological(ratio=0.75).split(data, seed=0)
    >>> cut.train.matrix().toarray().astype(int).tolist()
    [[1, 1, 1, 0], [0, 1, 1, 1]]
    >>> cut.test.toarray().astype(int).tolist()
    [[0, 0, 0, 1], [1, 0, 0, 0]]
    """

    ratio: OpenShare = 0.8

    seeded: ClassVar[bool] = False
    needs_times: ClassVar[bool] = True

    def split(self, data: Interactions, seed: int) -> Split:
        return self._cut(data, level=0)

    def inner(self, split: Split, seed: int) -> Split:
        return self._cut(split.events, split.level + 1)

    def _cut(self, data: Interactions, level: int) -> Split:
        times_of(data, "chronological")
        counts = np.bincount(data.users, minlength=data.n_users)
        return cut_each_user(data, counts, train_quota(counts, self.ratio), self.cold, level)


def cut_each_user(data: Interactions, counts: Array, quota: Array, cold: ColdPolicy, level: int) -> Split:
    """Split each user's `counts` events: the first `quota` are train, the later ones test (both int64
    [U]).
    """
    assert data.times is not None
    train, tied = first_rows_of_users(
        data.users, quota, time_order(data.times), lambda rows: event_hashes(data, rows)
    )
    with_test = int((quota < counts).sum())
    info = {
        "users_with_too_few_rows": int(((quota == counts) & (counts > 0)).sum()),
        "users_with_tie_at_cut": len(tied),
        "share_of_users_with_tie_at_cut": len(tied) / with_test if with_test else 0.0,
    }
    return assemble(data.take(train), data.take(~train), cold=cold, level=level, info=info)
