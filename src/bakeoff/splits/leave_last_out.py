"""Hold out the last event, or the last few, of every user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bakeoff.data.interactions import Interactions
from bakeoff.parameters import Count
from bakeoff.splits.base import ColdPolicy, Split, times_of
from bakeoff.splits.chronological import cut_each_user


@dataclass(frozen=True)
class LeaveLastOut(ColdPolicy):
    """Hold out the last `last` events of each user; the rest is train.

    Users with no more events than that stay in train as a whole. Events of one second are told apart by a
    hash of the ids. A last event that repeats an earlier pair is dropped from test, as train holds it.

    Args:
        last: events held out for each user.

    >>> from bakeoff.data.interactions import Ids
    >>> users, items = np.int32([0, 0, 0, 1, 1, 2]), np.int32([0, 1, 2, 0, 2, 1])
    >>> times = np.array([30, 10, 20, 10, 20, 10])
    >>> data = Interactions.of(users, items, None, times, Ids.of(["ann", "bob", "cat"]), Ids.of("xyz"))
    >>> cut = LeaveLastOut().split(data, seed=0)
    >>> cut.train.matrix().toarray().astype(int).tolist()
    [[0, 1, 1], [1, 0, 0], [0, 1, 0]]
    >>> cut.test.toarray().astype(int).tolist()
    [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
    >>> cut.users.tolist(), cut.info["users_with_too_few_rows"]
    ([0, 1], 1)
    """

    last: Count = 1

    seeded: ClassVar[bool] = False
    needs_times: ClassVar[bool] = True

    def split(self, data: Interactions, seed: int) -> Split:
        return self._cut(data, level=0)

    def inner(self, split: Split, seed: int) -> Split:
        return self._cut(split.events, split.level + 1)

    def _cut(self, data: Interactions, level: int) -> Split:
        times_of(data, "leave_last_out")
        counts = np.bincount(data.users, minlength=data.n_users)
        quota = np.where(counts > self.last, counts - self.last, counts)
        return cut_each_user(data, counts, quota, self.cold, level)
