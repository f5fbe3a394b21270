"""Hold out whole users, and ask for the rest of what they have from a part of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from bakeoff.data.interactions import Interactions
from bakeoff.errors import DataError
from bakeoff.parameters import OpenShare
from bakeoff.splits.base import (
    SeededSplit,
    Split,
    assemble,
    first_rows_of_users,
    pair_draws,
    train_quota,
    uniform,
    user_draws,
)


@dataclass(frozen=True)
class HeldOutUsers(SeededSplit):
    """Hold out whole users (strong generalisation): no row of a held-out user is in train.

    Each user is held out with probability `share`, by a draw of their own. Of a held-out user's items
    round(ratio * items), chosen at random, are their history (fold-in); the others are their test part. Users
    of whom nothing would be left to test are not held out: they are in train. Duplicates are merged first.

    Args:
        share: share of the users that are held out.
        ratio: share of a held-out user's items that is history.

    >>> from bakeoff.data.interactions import Ids
    >>> users, items = np.repeat(np.int32([0, 1, 2]), 4), np.tile(np.arange(4, dtype=np.int32), 3)
    >>> data = Interactions.of(users, items, None, None, Ids.of(["ann", "bob", "cat"]), Ids.of("wxyz"))
    >>> cut = HeldOutUsers(share=0.4, ratio=0.5).split(data, seed=1)
    >>> cut.train.matrix().toarray().astype(int).tolist()
    [[0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]]
    >>> cut.history.toarray().astype(int).tolist()
    [[0, 1, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
    >>> cut.test.toarray().astype(int).tolist()
    [[1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    """

    holds_users_out: ClassVar[Literal[True]] = True

    share: OpenShare = 0.1
    ratio: OpenShare = 0.8

    def _cut(self, data: Interactions, seed: int, level: int) -> Split:
        pairs = data.merged()
        counts = np.bincount(pairs.users, minlength=pairs.n_users)
        quota = train_quota(counts, self.ratio)
        drawn = (uniform(user_draws(pairs, seed, level)) < self.share) & (counts > 0)
        held_out = drawn & (quota < counts)
        if not held_out.any():
            raise DataError(
                f"split.share={self.share!r} holds out none of {int((counts > 0).sum())} users: "
                "raise it, or take another split"
            )
        of_held_out = held_out[pairs.users]
        rows = pairs.take(of_held_out)
        draws = pair_draws(rows, seed, level)
        in_history, _ = first_rows_of_users(
            rows.users, np.where(held_out, quota, 0), draws, lambda at: draws[at]
        )
        return assemble(
            pairs.take(~of_held_out),
            rows.take(~in_history),
            fold_in=rows.take(in_history),
            cold=self.cold,
            level=level,
            info={
                "users_held_out": int(held_out.sum()),
                "users_with_too_few_rows": int((drawn & ~held_out).sum()),
            },
        )
