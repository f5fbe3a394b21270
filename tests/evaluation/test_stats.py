from __future__ import annotations

import numpy as np
from scipy import sparse

from bakeoff.evaluation.stats import TrainStats


def stats(counts):
    """Train where item i has counts[i] users."""
    rows = np.arange(max(counts))[:, None] < np.array(counts)
    return TrainStats(sparse.csr_matrix(rows.astype(np.float32) * 7))


def test_users_of_an_item_are_counted_whatever_the_values():
    assert stats([3, 1, 0, 2]).item_users.tolist() == [3, 1, 0, 2]


def test_the_head_is_the_fewest_items_that_hold_80_percent_of_train():
    assert stats([5, 3, 1, 1]).long_tail.tolist() == [False, False, True, True]
    assert stats([3, 2]).long_tail.tolist() == [False, False]
    assert stats([1, 5, 1, 2, 1]).long_tail.tolist() == [False, False, True, False, True]


def test_items_that_train_does_not_hold_are_of_the_tail():
    assert stats([4, 0, 0]).long_tail.tolist() == [False, True, True]


def test_similarities_are_made_once_for_all_models():
    shared = stats([3, 2])
    assert shared.cooccurrence is shared.cooccurrence
    assert shared.feature_similarity is None
