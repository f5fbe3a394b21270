from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats

from bakeoff.arrays import CSR
from bakeoff.data.interactions import Features, Ids, Interactions
from bakeoff.errors import ModelError, Unsupported
from bakeoff.hashing import combine
from bakeoff.models import baselines
from bakeoff.models.base import Ranked
from bakeoff.models.baselines import (
    Biases,
    GroupPopularity,
    Popularity,
    Random,
    RandomOrder,
    RecentPopularity,
    StaticModel,
)
from bakeoff.models.topk import ScoringModel
from numerics import assert_close
from toys import blocks


def rows_of(users: list[int], items: list[int], values: list[float], times: list[int] | None) -> Interactions:
    return Interactions.of(
        np.array(users, np.int32),
        np.array(items, np.int32),
        np.array(values, np.float32),
        None if times is None else np.array(times, np.int64),
        Ids.of(range(4)),
        Ids.of(range(5)),
    )


# item 0: three users; items 1 and 2: two each; item 3: one; item 4: none
PLAYS = rows_of(
    [0, 1, 2, 0, 1, 2, 3, 3],
    [0, 0, 0, 1, 1, 2, 2, 3],
    [1, 1, 1, 5, 1, 1, 1, 9],
    [0, 0, 0, 0, 0, 86400 * 30, 86400 * 30, 86400 * 30],
)


def by_hand(scores: np.ndarray, history: CSR, targets: CSR, k: int) -> Ranked:
    """The contract of `rank`, user by user."""
    items = np.full((history.shape[0], k), -1, np.int32)
    listed = np.full((history.shape[0], k), -np.inf, np.float32)
    above, ties = [], []
    for row in range(history.shape[0]):
        unseen = np.setdiff1d(np.arange(history.shape[1]), history[row].indices)
        best = unseen[np.lexsort((unseen, -scores[row, unseen]))][:k]
        items[row, : len(best)] = best
        listed[row, : len(best)] = scores[row, best]
        for target in targets[row].indices:
            above.append((scores[row, unseen] > scores[row, target]).sum())
            ties.append((scores[row, unseen] == scores[row, target]).sum() - 1)
    return Ranked(items, listed, np.array(above, np.int32), np.array(ties, np.int32))


def history_and_targets(seed: int, n_users: int = 30, n_items: int = 12) -> tuple[CSR, CSR]:
    rng = np.random.default_rng(seed)
    kinds = rng.choice(3, size=(n_users, n_items), p=[0.5, 0.3, 0.2])
    kinds[0] = 1  # a user who has seen everything
    kinds[1] = 0  # and one who has seen nothing
    return sparse.csr_matrix((kinds == 1).astype(np.float32)), sparse.csr_matrix(
        (kinds == 2).astype(np.float32)
    )


@pytest.mark.parametrize(
    ("by", "expected"),
    [("users", [3, 2, 2, 1, 0]), ("count", [3, 6, 2, 9, 0]), ("recent", [1.5, 1, 2, 1, 0])],
)
def test_popularity_counts_what_it_says(by: str, expected: list[float]) -> None:
    model = Popularity(by=by, half_life_days=30)  # type: ignore[arg-type]
    model.fit(PLAYS, seed=1)
    assert_close(model.item_scores, expected, 1e-6)


def test_popularity_breaks_ties_by_item_and_lists_nothing_seen() -> None:
    model = Popularity()
    model.fit(PLAYS, seed=1)
    items, scores = model.recommend(np.arange(4, dtype=np.int32), PLAYS.matrix(), 3)
    assert items.tolist() == [[2, 3, 4], [2, 3, 4], [1, 3, 4], [0, 1, 4]]
    assert scores[3].tolist() == [3, 2, 0]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("k", [1, 4, 12, 20])
def test_static_lists_and_ranks_are_those_of_a_loop(seed: int, k: int) -> None:
    history, targets = history_and_targets(seed)
    model = Popularity()
    model.item_scores = np.random.default_rng(seed).integers(0, 4, 12).astype(np.float32)
    actual = model.rank(np.arange(30, dtype=np.int32), history, k, targets)
    expected = by_hand(np.tile(model.item_scores, (30, 1)), history, targets, k)
    for name in Ranked._fields:
        np.testing.assert_array_equal(getattr(actual, name), getattr(expected, name), name)


def test_recent_popularity_needs_times() -> None:
    without = rows_of([0, 1], [0, 1], [1, 1], None)
    with pytest.raises(Unsupported, match="needs timestamps"):
        Popularity(by="recent").fit(without, seed=1)


def test_random_depends_on_the_seed_and_on_nothing_else() -> None:
    train = blocks()
    history = train.matrix()
    users = np.arange(train.n_users, dtype=np.int32)

    def lists(seed: int) -> np.ndarray:
        model = Random()
        model.fit(train, seed=seed)
        return model.recommend(users, history, 5)[0]

    np.testing.assert_array_equal(lists(1), lists(1))
    assert (lists(1) != lists(2)).any()


def test_random_puts_every_item_first_equally_often() -> None:
    train = blocks(n_users=4000, n_items=16)
    model = Random()
    model.fit(train, seed=3)
    nothing = sparse.csr_matrix((4000, 16), dtype=np.float32)
    first = model.recommend(np.arange(4000, dtype=np.int32), nothing, 1)[0].ravel()
    counts = np.bincount(first, minlength=16)
    chi_squared = ((counts - 250) ** 2 / 250).sum()
    assert chi_squared < 37.7  # the 99.9 % point of chi-squared with 15 degrees of freedom


def test_biases_shrink_towards_the_mean() -> None:
    ratings = rows_of([0, 0, 1, 1], [0, 1, 0, 1], [5, 3, 3, 1], None)
    model = Biases(item_damping=2, user_damping=0)
    model.fit(ratings, seed=1)
    # mean 3; item 0: (2 + 0) / (2 + 2) = .5, item 1: (0 - 2) / 4 = -.5; user 0: (1.5 + .5) / 2 = 1, 1: -1
    actual = model.predict(np.array([0, 0, 1, 2], np.int32), np.array([0, 1, 0, 4], np.int32))
    assert_close(actual, [4.5, 3.5, 2.5, 3.0], 1e-6)


def test_biases_need_values() -> None:
    plain = Interactions.of(
        np.zeros(1, np.int32), np.zeros(1, np.int32), None, None, Ids.of(range(1)), Ids.of(range(1))
    )
    with pytest.raises(Unsupported, match="need values"):
        Biases().fit(plain, seed=1)


class Fixed(StaticModel):
    def __init__(self, scores: np.ndarray) -> None:
        self.item_scores = np.asarray(scores, np.float32)


class Scored(ScoringModel):
    """The same scores, ranked by the pass over the whole catalogue."""

    def __init__(self, scores: np.ndarray) -> None:
        self.item_scores = np.asarray(scores, np.float32)

    def scores(self, users: np.ndarray, history: object) -> np.ndarray:
        return np.tile(self.item_scores, (len(users), 1))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 25), st.integers(0, 30))
def test_positions_give_what_scores_give(seed: int, n_users: int, n_items: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, rng.integers(1, 30), n_items)
    kinds = rng.choice(3, (n_users, n_items))
    history, targets = (sparse.csr_matrix((kinds == kind).astype(np.float32)) for kind in (1, 2))
    users = np.arange(n_users, dtype=np.int32)
    actual = Fixed(scores).rank(users, history, k, targets)
    expected = Scored(scores).rank(users, history, k, targets)
    for name in Ranked._fields:
        np.testing.assert_array_equal(getattr(actual, name), getattr(expected, name), name)
        assert getattr(actual, name).dtype == getattr(expected, name).dtype


def test_lists_do_not_depend_on_how_users_are_cut_into_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    model = Fixed(rng.integers(0, 9, 40))
    history = sparse.random(30, 40, 0.3, "csr", dtype=np.float32, random_state=3)
    users = np.arange(30, dtype=np.int32)
    whole = model.recommend(users, history, 6)[0]
    monkeypatch.setattr(baselines, "BLOCK_ENTRIES", 50)
    np.testing.assert_array_equal(model.recommend(users, history, 6)[0], whole)


def test_a_score_that_is_not_finite_is_refused() -> None:
    history = sparse.csr_matrix((1, 3), dtype=np.float32)
    with pytest.raises(ModelError, match="Fixed: the score of item 1 is not finite"):
        Fixed(np.array([1, np.inf, 2])).recommend(np.zeros(1, np.int32), history, 2)


def shuffled(n_items: int, n_users: int) -> RandomOrder:
    return RandomOrder(combine(np.arange(n_users, dtype=np.uint64), np.uint64(7)), n_items)


def orders(n_items: int, n_users: int) -> np.ndarray:
    """int32 [n_users, n_items]: everybody's whole order."""
    positions = np.tile(np.arange(n_items), (n_users, 1))
    return shuffled(n_items, n_users).items_at(np.arange(n_users, dtype=np.int32), positions)[0]


@pytest.mark.parametrize("n_items", [1, 2, 3, 4, 5, 16, 17, 100, 1000])
def test_every_item_has_one_position_and_back(n_items: int) -> None:
    samples = orders(n_items, 20)
    assert (np.sort(samples, axis=1) == np.arange(n_items)).all()
    users = np.repeat(np.arange(20, dtype=np.int32), n_items)
    positions = shuffled(n_items, 20).positions_of(users, samples.ravel())
    np.testing.assert_array_equal(positions.reshape(samples.shape), np.tile(np.arange(n_items), (20, 1)))


@pytest.mark.parametrize("n_items", [3, 7, 20])
def test_every_item_stands_at_every_position_equally_often(n_items: int) -> None:
    actual = orders(n_items, 6000)
    for position in range(n_items):
        counts = np.bincount(actual[:, position], minlength=n_items)
        assert stats.chisquare(counts).pvalue > 1e-5


def test_neighbours_in_code_are_no_neighbours_in_order() -> None:
    actual = orders(50, 4000)
    followers = (actual[:, 1] - actual[:, 0]) % 50
    assert stats.chisquare(np.bincount(followers, minlength=50)[1:]).pvalue > 1e-5


def test_scores_fall_along_the_order() -> None:
    positions = np.tile(np.arange(9), (2, 1))
    scores = shuffled(9, 2).items_at(np.arange(2, dtype=np.int32), positions)[1]
    assert (np.diff(scores) < 0).all()


def test_recent_popularity_halves_by_age_and_ends_at_the_window() -> None:
    model = RecentPopularity(half_life_days=30, window_days=30)
    model.fit(PLAYS, seed=1)
    assert_close(model.item_scores, [1.5, 1.0, 2.0, 1.0, 0], 1e-6)
    model = RecentPopularity(by="count", half_life_days=30, window_days=29)
    model.fit(PLAYS, seed=1)
    assert_close(model.item_scores, [0, 0, 2.0, 9.0, 0], 1e-6)
    with pytest.raises(Unsupported):
        model.fit(rows_of([0], [0], [1], None), seed=1)


def test_the_popularity_of_a_group_is_that_of_its_users_and_of_some_of_all() -> None:
    sides = Features(
        sparse.csr_matrix(np.array([[1, 1, 0], [2, 0, 1], [3, 0, 1], [4, 0, 0]], dtype=np.float32)),
        ("age", "sex=F", "sex=M"),
    )
    model = GroupPopularity(feature="sex", prior=2)
    model.fit(replace(PLAYS, user_features=sides), seed=1)
    everybody, men = np.array([3, 2, 2, 1, 0]), np.array([2, 1, 1, 0, 0])  # users 1 and 2
    scores = model.scores(np.array([1, 3, 4], np.int32), PLAYS.matrix()[[1, 3, 3]])
    assert_close(scores, [men + 2 * everybody / 4, everybody, everybody], 1e-6)
    with pytest.raises(Unsupported, match="age"):
        GroupPopularity(feature="town").fit(replace(PLAYS, user_features=sides), seed=1)
