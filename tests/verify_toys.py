"""A data set with everything that metrics look at, named by import path."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from bakeoff.data.interactions import Features
from bakeoff.data.source import Dataset
from toys import Blocks


@dataclass(frozen=True)
class Described(Blocks):
    """Blocks whose items have features, one of them none."""

    def load(self) -> Dataset:
        dataset = super().load()
        kinds = np.random.default_rng(0).random((self.n_items, 3)).astype(np.float32)
        kinds[0] = 0
        features = Features(sparse.csr_matrix(kinds), ("a", "b", "c"))
        return replace(dataset, interactions=replace(dataset.interactions, item_features=features))
