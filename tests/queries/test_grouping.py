"""Who is in which group."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import toys
from bakeoff.data.interactions import Features
from bakeoff.evaluation.stats import TrainStats
from bakeoff.queries.segments import (
    MOST_VALUES,
    by_features,
    by_history,
    by_known_history,
    popularity_bands,
)
from bakeoff.splits.held_out_users import HeldOutUsers
from bakeoff.splits.per_user import Random


def split_with(names: list[str], matrix: Any) -> Any:
    rows = replace(toys.blocks(), user_features=Features(sparse.csr_matrix(matrix), tuple(names)))
    return Random(ratio=0.7).split(rows, seed=3)


def test_each_feature_is_a_grouping_and_its_values_are_the_groups() -> None:
    matrix = np.zeros((24, 4), dtype=np.float32)
    matrix[:, 3] = 1
    matrix[np.arange(24), np.arange(24) % 3] = 1
    split = split_with(["country=a=b", "country=.", "country=[x]", "active=yes"], matrix)
    country, active = by_features(split)
    assert (country.kind, country.names) == ("country", ("a=b", ".", "[x]"))
    assert (active.kind, active.names) == ("active", ("yes",))
    assert country.members.toarray()[:, 1].tolist() == (split.users % 3 == 1).tolist()


def test_many_values_become_the_most_frequent_and_the_others() -> None:
    n = MOST_VALUES + 4
    matrix = np.zeros((24, n), dtype=np.float32)
    matrix[np.arange(24), np.arange(24) % n] = 1
    matrix[:4, :] = 0
    matrix[:4, n - 1] = 1  # the last is the most frequent
    (grouping,) = by_features(split_with([f"city={i}" for i in range(n)], matrix))
    assert len(grouping.names) == MOST_VALUES + 1
    assert grouping.names[-2:] == (str(n - 1), "4 others")
    assert grouping.members.sum() == 24


def test_a_number_is_cut_in_quarters() -> None:
    (grouping,) = by_features(split_with(["age"], np.arange(24, dtype=np.float32)[:, None]))
    assert grouping.names == tuple(f"{n} of 4 (low to high)" for n in (1, 2, 3, 4))
    assert grouping.members.sum(axis=0).tolist() == [[6.0] * 4]


def test_users_of_train_and_held_out_users_are_told_apart() -> None:
    split = Random(ratio=0.7).split(toys.blocks(), seed=3)
    assert by_known_history(split).names == ("in train",)
    held_out = HeldOutUsers(share=0.3).split(toys.blocks(), seed=3)
    assert by_known_history(held_out).names == ("new, with a history",)


def test_without_history_is_a_band_of_its_own() -> None:
    split = Random(ratio=0.7).split(toys.blocks(), seed=3)
    history = split.history.tolil()
    history[split.users[0]] = 0
    cold = replace(split, history=history.tocsr())
    grouping = by_history(cold, (3, 9))
    assert grouping.names[0] == "none"
    assert grouping.members[:, 0].nonzero()[0].tolist() == [0]


@pytest.mark.parametrize("seed", range(5))
def test_the_bands_of_items_are_head_middle_and_the_long_tail(seed: int) -> None:
    rng = np.random.default_rng(seed)
    train = sparse.csr_matrix((rng.random((80, 40)) < rng.random(40) ** 2).astype(np.float32))
    counts = np.bincount(train.indices, minlength=40)
    bands = popularity_bands(counts)
    stats = TrainStats(train)
    assert ((bands == 2) | (bands == -1)).tolist() == stats.long_tail.tolist()
    order = np.lexsort((np.arange(40), -counts))
    head = 0
    for n, item in enumerate(order):  # one at a time until half is held
        if counts[order[:n]].sum() >= 0.5 * counts.sum():
            break
        head += 1
        assert bands[item] == 0
    assert np.count_nonzero(bands == 0) == head
