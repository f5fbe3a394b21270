"""Hold out whole items, which models must score without a row of train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from bakeoff.data.interactions import Interactions
from bakeoff.errors import ConfigError, DataError
from bakeoff.hashing import combine, hash_text
from bakeoff.parameters import OpenShare
from bakeoff.splits.base import Cold, SeededSplit, Split, assemble, uniform


@dataclass(frozen=True)
class NewItems(SeededSplit):
    """Hold out whole items (cold start): no row of a held-out item is in train, all its rows are test.

    Each item is held out with probability `share`, by a draw of its own. The catalogue is all items: held-out
    ones compete with those of train. Duplicates are merged first.

    Args:
        share: share of the items that are held out.

    >>> from bakeoff.data.interactions import Ids
    >>> users, items = np.repeat(np.int32([0, 1, 2]), 4), np.tile(np.arange(4, dtype=np.int32), 3)
    >>> data = Interactions.of(users, items, None, None, Ids.of(["ann", "bob", "cat"]), Ids.of("wxyz"))
    >>> cut = NewItems(share=0.4).split(data, seed=1)
    >>> (cut.train.matrix().toarray() + cut.test.toarray()).astype(int).tolist()
    [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
    >>> cut.info["items_held_out"], cut.test.toarray().astype(int).tolist()
    (2, [[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]])
    """

    holds_items_out: ClassVar[Literal[True]] = True

    share: OpenShare = 0.1
    cold_items: Cold = "keep"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cold_items != "keep":
            raise ConfigError("split.cold_items='drop': it would leave nothing to test; expected 'keep'")

    def _cut(self, data: Interactions, seed: int, level: int) -> Split:
        pairs = data.merged()
        draws = combine(hash_text(f"split {seed} {level} items"), data.item_ids.hashes)
        present = np.bincount(pairs.items, minlength=pairs.n_items) > 0
        held_out = (uniform(draws) < self.share) & present
        if not held_out.any() or held_out[present].all():
            raise DataError(
                f"split.share={self.share!r} holds out {int(held_out.sum())} of {int(present.sum())} items: "
                "change it, or take another split"
            )
        of_held_out = held_out[pairs.items]
        return assemble(
            pairs.take(~of_held_out),
            pairs.take(of_held_out),
            cold=self.cold,
            level=level,
            info={"items_held_out": int(held_out.sum())},
        )
