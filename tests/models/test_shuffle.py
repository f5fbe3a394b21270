from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bakeoff.hashing import combine
from bakeoff.models.shuffle import Shuffled


def shuffled(n_items: int, n_users: int) -> Shuffled:
    return Shuffled(combine(np.arange(n_users, dtype=np.uint64), np.uint64(7)), n_items)


def orders(n_items: int, n_users: int) -> np.ndarray:
    """int32 [n_users, n_items]: everybody's whole order."""
    positions = np.tile(np.arange(n_items), (n_users, 1))
    return shuffled(n_items, n_users).items_at(np.arange(n_users, dtype=np.int32), positions)[0]


@pytest.mark.parametrize("n_items", [1, 2, 3, 4, 5, 16, 17, 100, 1000])
def test_every_item_has_one_position_and_back(n_items: int) -> None:
    found = orders(n_items, 20)
    assert (np.sort(found, axis=1) == np.arange(n_items)).all()
    users = np.repeat(np.arange(20, dtype=np.int32), n_items)
    positions = shuffled(n_items, 20).positions_of(users, found.ravel())
    np.testing.assert_array_equal(positions.reshape(found.shape), np.tile(np.arange(n_items), (20, 1)))


@pytest.mark.parametrize("n_items", [3, 7, 20])
def test_every_item_stands_at_every_position_equally_often(n_items: int) -> None:
    found = orders(n_items, 6000)
    for position in range(n_items):
        counts = np.bincount(found[:, position], minlength=n_items)
        assert stats.chisquare(counts).pvalue > 1e-5


def test_neighbours_in_code_are_no_neighbours_in_order() -> None:
    found = orders(50, 4000)
    followers = (found[:, 1] - found[:, 0]) % 50
    assert stats.chisquare(np.bincount(followers, minlength=50)[1:]).pvalue > 1e-5


def test_scores_fall_along_the_order() -> None:
    positions = np.tile(np.arange(9), (2, 1))
    scores = shuffled(9, 2).items_at(np.arange(2, dtype=np.int32), positions)[1]
    assert (np.diff(scores) < 0).all()
