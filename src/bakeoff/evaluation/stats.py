"""Counts and similarities of the train part, computed once a split and shared by all its models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Bools
from bakeoff.data.interactions import Features
from bakeoff.evaluation.similarity import ItemCosine

HEAD_SHARE = 0.8
"""The short head holds this share of train's pairs; what is left of the catalogue is the long tail."""


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

    @cached_property
    def long_tail(self) -> Bools:
        """bool [I]: the items outside the short head.

        The head is the fewest items, most users first (then by code), that hold 80 % of train's pairs.
        """
        order = np.argsort(-self.item_users, kind="stable")
        held = np.cumsum(self.item_users[order])
        tail = np.ones(len(order), dtype=bool)
        tail[order[: int(np.searchsorted(held, HEAD_SHARE * held[-1])) + 1]] = False
        return tail

    @cached_property
    def cooccurrence(self) -> ItemCosine:
        """Cosine of items by their users: c_ij / sqrt(n_i n_j), c_ij the number of users that have both."""
        shape = self.train.shape
        ones = np.ones(len(self.train.indices), dtype=np.float32)  # sums are exact up to 2^24 users
        incidence = sparse.csr_matrix((ones, self.train.indices, self.train.indptr), shape=shape)
        return ItemCosine(incidence.T.tocsr())

    @cached_property
    def feature_similarity(self) -> ItemCosine | None:
        """Cosine of items by their features; None where there are none."""
        if self.item_features is None:
            return None
        return ItemCosine(sparse.csr_matrix(self.item_features.matrix, dtype=np.float64))
