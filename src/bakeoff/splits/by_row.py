"""Hold out rows at random, whoever's they are."""

from __future__ import annotations

from dataclasses import dataclass

from bakeoff.data.interactions import Interactions
from bakeoff.parameters import OpenShare
from bakeoff.splits.base import SeededSplit, Split, assemble, pair_draws, uniform


@dataclass(frozen=True)
class RandomRows(SeededSplit):
    """Hold out rows at random: each goes to train with probability `ratio`, by its own draw.

    The share of train is the ratio up to chance (with n rows, a standard deviation of sqrt(ratio (1 - ratio)
    / n)), because no row's side depends on another row. Duplicates are merged first.

    Args:
        ratio: share of the rows that are train.

    >>> import numpy as np
    >>> from bakeoff.data.interactions import Ids
    >>> users, items = np.repeat(np.int32([0, 1, 2]), 4), np.tile(np.arange(4, dtype=np.int32), 3)
    >>> data = Interactions.of(users, items, None, None, Ids.of(["ann", "bob", "cat"]), Ids.of("wxyz"))
    >>> cut = RandomRows(ratio=0.75).split(data, seed=1)
    >>> cut.train.matrix().toarray().astype(int).tolist()
    [[1, 1, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
    >>> cut.test.toarray().astype(int).tolist()
    [[0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    """

    ratio: OpenShare = 0.8

    def _cut(self, data: Interactions, seed: int, level: int) -> Split:
        pairs = data.merged()
        train = uniform(pair_draws(pairs, seed, level)) < self.ratio
        return assemble(pairs.take(train), pairs.take(~train), cold=self.cold, level=level)
