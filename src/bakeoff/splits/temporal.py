"""Cut all events at one moment: train is the past, test the future."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

import numpy as np

from bakeoff.arrays import Times
from bakeoff.data.interactions import Interactions
from bakeoff.errors import ConfigError, DataError
from bakeoff.parameters import OpenShare
from bakeoff.splits.base import ColdPolicy, Split, assemble, iso, times_of


@dataclass(frozen=True)
class Temporal(ColdPolicy):
    """Cut all events at one moment: events before it are train, events at or after it are test.

    Events of one second are never parted: the cut falls between two distinct times, where the share of train
    is nearest to the ratio (the earlier, where two are as near). Duplicates are merged inside each part.

    Args:
        ratio: share of the events before the cut; unused where `at` is given.
        at: the cut, as ISO 8601 text (UTC where it names no zone) or unix seconds; null cuts by `ratio`.

    >>> from bakeoff.data.interactions import Ids
    >>> users, items = np.int32([0, 0, 0, 1, 1, 1]), np.int32([0, 1, 2, 0, 1, 2])
    >>> times = np.array([10, 20, 60, 30, 50, 40])
    >>> data = Interactions.of(users, items, None, times, Ids.of(["ann", "bob"]), Ids.of("xyz"))
    >>> cut = Temporal(ratio=0.67).split(data, seed=0)
    >>> cut.train.matrix().toarray().astype(int).tolist()
    [[1, 1, 0], [1, 0, 1]]
    >>> cut.test.toarray().astype(int).tolist()
    [[0, 0, 1], [0, 1, 0]]
    >>> cut.info["cut"]
    '1970-01-01T00:00:50Z'
    """

    ratio: OpenShare = 0.8
    at: str | int | None = None

    seeded: ClassVar[bool] = False
    needs_times: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.at is not None:
            _seconds(self.at)

    def split(self, data: Interactions, seed: int) -> Split:
        times = times_of(data, "temporal")
        cut = _cut_by_share(times, self.ratio) if self.at is None else _seconds(self.at)
        return self._cut(data, cut, level=0)

    def inner(self, split: Split, seed: int) -> Split:
        """Cut train at the same share of its rows, so that a date never looks ahead."""
        info = split.info
        share = info["train_rows"] / (info["train_rows"] + info["test_rows"])
        cut = _cut_by_share(times_of(split.events, "temporal"), share)
        return self._cut(split.events, cut, split.level + 1)

    def _cut(self, data: Interactions, cut: int, level: int) -> Split:
        times = times_of(data, "temporal")
        past = times < cut
        if past.all() or not past.any():
            side = "before" if past.all() else "at or after"
            raise DataError(
                f"split.at={self.at!r}: all {len(data)} rows are {side} it; "
                f"expected a moment after {iso(times.min())} and up to {iso(times.max())}"
            )
        at_cut = int((times == cut).sum())
        info = {"cut": iso(cut), "rows_at_cut": at_cut, "share_of_rows_at_cut": at_cut / len(data)}
        return assemble(data.take(past), data.take(~past), cold=self.cold, level=level, info=info)


def _cut_by_share(times: Times, share: float) -> int:
    """Return the first time of test: of the two possible cuts around the requested share, the nearer."""
    n = len(times)
    target = min(max(int(np.rint(share * n)), 1), n - 1)
    if n < 2 or times.min() == times.max():
        raise DataError(
            f"split 'temporal' cannot cut {n} rows that all have the same time: take another split"
        )
    time = np.partition(times, target)[target]
    before, later = int((times < time).sum()), times[times > time]
    if len(later) and (before == 0 or target - before > n - len(later) - target):
        return int(later.min())
    return int(time)


def _seconds(at: str | int) -> int:
    """Return a configured moment in unix seconds."""
    if isinstance(at, int) and not isinstance(at, bool):
        return at
    try:
        moment = datetime.fromisoformat(str(at))
    except ValueError:
        raise ConfigError(
            f"split.at={at!r}: expected a date as ISO text (2011-06-01, 2011-06-01T12:00:00+02:00) "
            "or unix seconds"
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
