"""Counts and similarities of the train part, computed once a split and shared by all its models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bakeoff.arrays import CSR, Array
from bakeoff.data.interactions import Features


@dataclass(frozen=True, eq=False)
class TrainStats:
    """What the beyond-accuracy metrics know of the train part.

    Args:
        train: CSR float32 [U, I] of train's pairs.
        item_features: side information of the items, or None.
    """

    train: CSR
    item_features: Features | None = None

    @cached_property
    def item_users(self) -> Array:
        """int64 [I]: how many users have each item."""
        return np.bincount(self.train.indices, minlength=self.train.shape[1])
