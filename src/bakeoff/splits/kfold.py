"""Cross-validation: each row is test in one of n folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from bakeoff.arrays import Array
from bakeoff.data.interactions import Interactions
from bakeoff.errors import ConfigError
from bakeoff.parameters import Range
from bakeoff.splits.base import (
    SeededSplit,
    Split,
    assemble,
    order_within_users,
    pair_draws,
    uniform,
    user_draws,
)

Within = Literal["user", "all"]


@dataclass(frozen=True)
class KFold(SeededSplit):
    """Cross-validate: fold `fold` of `n_folds` is test, the others are train; folds of one seed share no
    pair.

    Within users, the folds of a user differ by one row at most, and which fold gets the odd rows is chance; a
    user with a single row stays in train. Within all rows, each row's fold is its own draw, and folds have
    the same size up to chance. Duplicates are merged first.

    Args:
        n_folds: number of folds.
        fold: number of the fold that is test, from 0.
        within: deal out the rows of each user (user), or all rows alike (all).

    >>> from bakeoff.data.interactions import Ids
    >>> users, items = np.repeat(np.int32([0, 1, 2]), 3), np.tile(np.arange(3, dtype=np.int32), 3)
    >>> data = Interactions.of(users, items, None, None, Ids.of(["ann", "bob", "cat"]), Ids.of("xyz"))
    >>> for fold in range(3):
    ...     cut = KFold(n_folds=3, fold=fold).split(data, seed=1)
    ...     print(cut.test.toarray().astype(int).tolist())
    [[1, 0, 0], [0, 1, 0], [1, 0, 0]]
    [[0, 0, 1], [0, 0, 1], [0, 1, 0]]
    [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    """

    n_folds: Annotated[int, Range(low=2)] = 5
    fold: Annotated[int, Range(low=0)] = 0
    within: Within = "user"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fold >= self.n_folds:
            raise ConfigError(
                f"split.fold={self.fold}: expected a number below split.n_folds={self.n_folds}, from 0"
            )

    def _cut(self, data: Interactions, seed: int, level: int) -> Split:
        pairs = data.merged()
        few = np.zeros(pairs.n_users, dtype=bool)
        if self.within == "user":
            few = np.bincount(pairs.users, minlength=pairs.n_users) == 1
            folds = self._folds_within_users(pairs, seed, level)
        else:
            folds = (uniform(pair_draws(pairs, seed, level)) * self.n_folds).astype(np.int64)
        test = (folds == self.fold) & ~few[pairs.users]
        info = {"users_with_too_few_rows": int(few.sum())}
        return assemble(pairs.take(~test), pairs.take(test), cold=self.cold, level=level, info=info)

    def _folds_within_users(self, pairs: Interactions, seed: int, level: int) -> Array:
        """Return the fold of each row, int64 [n]: each user's rows, in the order of their draws, dealt out
        in turn.
        """
        order = order_within_users(pairs.users, pair_draws(pairs, seed, level), pairs.n_users)
        counts = np.bincount(pairs.users, minlength=pairs.n_users)
        rank = np.arange(len(pairs)) - np.repeat(np.cumsum(counts) - counts, counts)
        first = (uniform(user_draws(pairs, seed, level)) * self.n_folds).astype(np.int64)
        folds = np.empty(len(pairs), dtype=np.int64)
        folds[order] = (rank + first[pairs.users]) % self.n_folds
        return folds
