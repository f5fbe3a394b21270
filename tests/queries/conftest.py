from __future__ import annotations

import numpy as np
import pytest

from bakeoff.storage.store import Store
from made_results import make, metrics

__all__ = ["make", "metrics"]

COUNTS = {"train_pairs": 400, "test_pairs": 100}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def stored(make, store):
    """A result whose values by user are in the store, and their mean in its record."""

    def result(model, values, users=None, *, metric="ndcg", k="10", **more):
        values = np.asarray(values, dtype=np.float64)
        made = make(model, {metric: {k: (float(np.nanmean(values)), 0.01)}}, counts=COUNTS, **more)
        ids = np.array([f"u{i}" for i in range(len(values))] if users is None else users, dtype=object)
        store.write_per_user(made.request.key, {"user": ids, f"{metric}@{k}" if k else metric: values})
        store.write_record(made.record)
        return made

    return result
