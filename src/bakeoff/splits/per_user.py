"""Hold out, at random, the same share of every user's items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bakeoff.data.interactions import Interactions
from bakeoff.parameters import OpenShare
from bakeoff.splits.base import SeededSplit, Split, assemble, first_rows_of_users, pair_draws, train_quota


@dataclass(frozen=True)
class Random(SeededSplit):
    """Hold out items of each user at random: round(ratio * items) go to train, halves to the even number.

    Each user keeps as many rows as by `python_stratified_split` of recommenders (which rows, is chance). A
    user of whom nothing would be left to train on keeps one row in train; one whose share of test rounds to
    nothing stays there as a whole. Duplicates are merged first, so that a pair is never on both sides.

    Args:
        ratio: share of each user's items that is train.

    >>> from bakeoff.data.interactions import Ids
    >>> users, items = np.repeat(np.int32([0, 1, 2]), 4), np.tile(np.arange(4, dtype=np.int32), 3)
    >>> data = Interactions.of(users, items, None, None, Ids.of(["ann", "bob", "cat"]), Ids.of("wxyz"))
    >>> cut = Random(ratio=0.75).split(data, seed=2)
    >>> cut.train.matrix().toarray().astype(int).tolist()
    [[0, 1, 1, 1], [1, 0, 1, 1], [1, 0, 1, 1]]
    >>> cut.test.toarray().astype(int).tolist()
    [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0]]
    """

    ratio: OpenShare = 0.8

    def _cut(self, data: Interactions, seed: int, level: int) -> Split:
        pairs = data.merged()
        counts = np.bincount(pairs.users, minlength=pairs.n_users)
        quota = train_quota(counts, self.ratio)
        draws = pair_draws(pairs, seed, level)
        train, _ = first_rows_of_users(pairs.users, quota, draws, lambda rows: draws[rows])
        info = {"users_with_too_few_rows": int(((quota == counts) & (counts > 0)).sum())}
        return assemble(pairs.take(train), pairs.take(~train), cold=self.cold, level=level, info=info)
