from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse

from bakeoff.arrays import CSR, Array, Codes, Floats
from bakeoff.errors import ModelError
from bakeoff.models import topk
from bakeoff.models.base import Ranked
from bakeoff.models.topk import FactorModel, ScoringModel
from numerics import assert_close

FINITE = st.floats(-(2.0**100), 2.0**100, width=32)
TYING = st.sampled_from([-np.inf, -1.0, -0.0, 0.0, 1e-38, 0.5, 2.0])


def by_sorting(scores: Floats, k: int, floor: float = -np.inf) -> tuple[Array, Array]:
    """The best k of each row by a full sort of (score falling, item rising)."""
    items = np.full((len(scores), k), -1, np.int32)
    values = np.full((len(scores), k), -np.inf, np.float32)
    for row, own in enumerate(scores):
        order = np.lexsort((np.arange(len(own)), -own))
        order = order[own[order] > floor][:k]
        items[row, : len(order)], values[row, : len(order)] = order, own[order]
    return items, values


def matrices(elements: st.SearchStrategy[float]) -> st.SearchStrategy[Floats]:
    shapes = st.tuples(st.integers(1, 4), st.integers(1, 60))
    return arrays.arrays(np.float32, shapes, elements=elements)


@settings(max_examples=300, deadline=None)
@given(matrices(TYING) | matrices(FINITE), st.integers(0, 70), st.sampled_from([-np.inf, 0.0]))
def test_the_best_are_those_of_a_full_sort(scores: Floats, k: int, floor: float) -> None:
    for actual, expected in zip(topk.top_k(scores, k, floor), by_sorting(scores, k, floor), strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("n", [8, 9, 127, 1000, 5003])
@pytest.mark.parametrize("k", [1, 3, 20])
def test_the_best_of_wide_rows_are_those_of_a_full_sort(n: int, k: int) -> None:
    rng = np.random.default_rng(n + k)
    smooth = rng.standard_normal((5, n)).astype(np.float32)
    coarse = np.round(smooth * 2)
    sparse = np.where(rng.random((5, n)) < 5 / n, smooth, -np.inf).astype(np.float32)
    for scores in (smooth, coarse, sparse, np.concatenate([smooth, coarse, sparse])):
        for actual, expected in zip(topk.top_k(scores, k), by_sorting(scores, k), strict=True):
            np.testing.assert_array_equal(actual, expected)


def test_of_scores_that_all_tie_the_first_items_are_best() -> None:
    items, values = topk.top_k(np.full((2, 30_000), 0.25, np.float32), 4)
    assert items.tolist() == [[0, 1, 2, 3]] * 2
    assert (values == 0.25).all()


def test_a_tie_at_the_cut_goes_to_the_lowest_item() -> None:
    scores = np.array([[1, 3, 2, 2, 2, 0]], np.float32)
    assert topk.top_k(scores, 3)[0].tolist() == [[1, 2, 3]]
    assert topk.top_k(scores[:, ::-1].copy(), 3)[0].tolist() == [[4, 1, 2]]


def test_no_rows_and_no_places_are_answered_by_none() -> None:
    assert topk.top_k(np.zeros((0, 5), np.float32), 3)[0].shape == (0, 3)
    assert topk.top_k(np.zeros((2, 5), np.float32), 0)[0].shape == (2, 0)


@given(arrays.arrays(np.float32, st.integers(0, 20), elements=FINITE))
def test_a_key_gives_back_its_score_and_item(scores: Floats) -> None:
    keys = topk.order_keys(scores, np.arange(len(scores)))
    np.testing.assert_array_equal(topk.scores_of(keys), scores)
    np.testing.assert_array_equal(topk.items_of(keys), np.arange(len(scores)))
    np.testing.assert_array_equal(np.argsort(keys), np.lexsort((np.arange(len(scores)), -scores)))


@pytest.mark.parametrize("n_targets", [1, 6, 40])
@pytest.mark.parametrize("step", [0.0, 0.5])
@pytest.mark.parametrize("k", [1, 10, 300])
def test_places_are_those_of_counting(n_targets: int, step: float, k: int) -> None:
    rng = np.random.default_rng(n_targets)
    scores = rng.standard_normal((7, 250)).astype(np.float32)
    if step:
        scores = (np.round(scores / step) * step).astype(np.float32)
    scores[rng.random(scores.shape) < 0.2] = -np.inf
    rows, items = [], []
    for row in (0, 1, 2, 4, 6):  # two rows without a target
        candidates = np.flatnonzero(scores[row] > -np.inf)
        rows += [row] * n_targets
        items += rng.choice(candidates, n_targets, replace=False).tolist()
    values = scores[rows, items]
    above = [(scores[r] > v).sum() for r, v in zip(rows, values, strict=True)]
    ties = [(scores[r] == v).sum() - 1 for r, v in zip(rows, values, strict=True)]
    actual = topk.target_ranks(scores.copy(), np.array(rows), np.array(items))
    assert [x.dtype for x in actual] == [np.int32, np.int32]
    np.testing.assert_array_equal(actual, [above, ties])


def test_places_are_the_same_by_sorting_and_by_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    scores = np.round(rng.standard_normal((4, 300)) * 20).astype(np.float32)
    rows, items = np.repeat(np.arange(4), 9), rng.integers(0, 300, 36)
    answers = []
    for cost in (0.0, 1e9):
        monkeypatch.setattr(topk, "_SORT_US", cost)
        answers.append(topk.target_ranks(scores.copy(), rows, items))
    np.testing.assert_array_equal(*answers)


def test_places_among_the_scored_count_the_rest_at_nothing() -> None:
    # one user: four scored candidates, ten without a score; a second user with none scored
    scores, starts = np.array([2, 1, 1, -1], np.float32), np.array([0, 4, 4])
    rows = np.array([0, 0, 0, 0, 1])
    values = np.array([2, 1, 0, -1, 0], np.float32)
    above, ties = topk.target_ranks_among(scores, starts, np.array([10, 7]), rows, values)
    assert above.tolist() == [0, 1, 3, 13, 0]
    assert ties.tolist() == [0, 1, 9, 0, 6]


N_USERS, N_ITEMS = 37, 53
USERS = np.arange(N_USERS, dtype=np.int32)


class Table(ScoringModel):
    """Scores that are given."""

    def __init__(self, table: Floats) -> None:
        self.table = table

    def scores(self, users: Codes, history: CSR) -> Floats:
        return self.table[users]


class Product(FactorModel):
    def __init__(self, user_factors: Floats, item_factors: Floats) -> None:
        self.user_factors, self.item_factors = user_factors, item_factors


def history_and_targets(seed: int) -> tuple[CSR, CSR]:
    kinds = np.random.default_rng(seed).choice(3, size=(N_USERS, N_ITEMS), p=[0.6, 0.3, 0.1])
    kinds[0] = 1  # has seen everything
    kinds[1] = 0  # has seen nothing, and has no target
    history, targets = ((kinds == kind).astype(np.float32) for kind in (1, 2))
    return sparse.csr_matrix(history), sparse.csr_matrix(targets)


def by_loop(table: Floats, history: CSR, targets: CSR, k: int) -> Ranked:
    """The contract of `rank`, user by user."""
    items = np.full((N_USERS, k), -1, np.int32)
    scores = np.full((N_USERS, k), -np.inf, np.float32)
    above, ties = [], []
    for user in range(N_USERS):
        unseen = np.setdiff1d(np.arange(N_ITEMS), history[user].indices)
        best = unseen[np.lexsort((unseen, -table[user, unseen]))][:k]
        items[user, : len(best)], scores[user, : len(best)] = best, table[user, best]
        for target in targets[user].indices:
            above.append((table[user, unseen] > table[user, target]).sum())
            ties.append((table[user, unseen] == table[user, target]).sum() - 1)
    return Ranked(items, scores, np.array(above, np.int32), np.array(ties, np.int32))


def smooth(rng: Any) -> tuple[Floats, Floats]:
    return tuple(rng.standard_normal((n, 4)).astype(np.float32) for n in (N_USERS, N_ITEMS))  # type: ignore[return-value]


def coarse(rng: Any) -> tuple[Floats, Floats]:
    return tuple(rng.integers(-1, 2, (n, 2)).astype(np.float32) for n in (N_USERS, N_ITEMS))  # type: ignore[return-value]


def alike(rng: Any) -> tuple[Floats, Floats]:
    return tuple(np.ones((n, 1), np.float32) for n in (N_USERS, N_ITEMS))  # type: ignore[return-value]


@pytest.mark.parametrize("factors", [smooth, coarse, alike])
@pytest.mark.parametrize("k", [1, 7, N_ITEMS, 60])
@pytest.mark.parametrize("users_at_once", [1, 2, 36, 37, 1000])
def test_lists_and_ranks_are_those_of_a_loop_in_blocks_of_every_size(
    factors: Callable[[Any], tuple[Floats, Floats]],
    k: int,
    users_at_once: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(topk, "BLOCK_BYTES", users_at_once * N_ITEMS * 4)
    model = Product(*factors(np.random.default_rng(k)))
    table = model.user_factors @ model.item_factors.T
    history, targets = history_and_targets(k)
    expected = by_loop(table, history, targets, k)
    for ranker in (Table(table), model):
        actual = ranker.rank(USERS, history, k, targets)
        for name in ("items", "above", "ties"):
            np.testing.assert_array_equal(getattr(actual, name), getattr(expected, name), name)
        assert_close(actual.scores, expected.scores, 1e-6)
        np.testing.assert_array_equal(ranker.recommend(USERS, history, k)[0], expected.items)


def test_a_user_who_has_seen_everything_gets_a_list_of_pads() -> None:
    history, _ = history_and_targets(1)
    items, scores = Table(np.ones((N_USERS, N_ITEMS), np.float32)).recommend(USERS, history, 5)
    assert (items[0] == -1).all()
    assert (scores[0] == -np.inf).all()
    assert items[1].tolist() == [0, 1, 2, 3, 4]


def test_only_what_scores_above_the_floor_is_listed() -> None:
    class Floored(Table):
        floor = 0.0

    table = np.zeros((N_USERS, N_ITEMS), np.float32)
    table[:, 3], table[:, 4] = 1, -1
    nothing = sparse.csr_matrix((N_USERS, N_ITEMS), dtype=np.float32)
    assert Floored(table).recommend(USERS, nothing, 3)[0][5].tolist() == [3, -1, -1]


def test_users_are_answered_in_the_order_they_are_asked() -> None:
    rng = np.random.default_rng(5)
    model = Product(*smooth(rng))
    history, targets = history_and_targets(5)
    users = rng.permutation(N_USERS)[:11].astype(np.int32)
    whole = model.rank(USERS, history, 6, targets)
    some = model.rank(users, history[users], 6, targets[users])
    np.testing.assert_array_equal(some.items, whole.items[users])
    starts = targets.indptr
    above = np.concatenate([whole.above[starts[u] : starts[u + 1]] for u in users])
    np.testing.assert_array_equal(some.above, above)


def test_nobody_is_answered_by_nothing() -> None:
    nobody = sparse.csr_matrix((0, N_ITEMS), dtype=np.float32)
    actual = Product(*smooth(np.random.default_rng(1))).rank(USERS[:0], nobody, 4, nobody)
    assert [x.shape for x in actual] == [(0, 4), (0, 4), (0,), (0,)]


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_refused_with_model_and_user(wrong: float) -> None:
    history, _ = history_and_targets(1)
    table = np.ones((N_USERS, N_ITEMS), np.float32)
    table[17, 3] = wrong
    with pytest.raises(ModelError, match="Table: a score of user 17 is not finite"):
        Table(table).recommend(USERS, history, 5)
    factors = np.ones((N_USERS, 1), np.float32)
    factors[17] = wrong
    model = Product(factors, np.ones((N_ITEMS, 1), np.float32))
    with pytest.raises(ModelError, match="Product: a score of user 17 is not finite"):
        model.recommend(USERS, history, 5)


def test_large_finite_scores_are_not_taken_for_infinite_ones() -> None:
    nothing = sparse.csr_matrix((N_USERS, N_ITEMS), dtype=np.float32)
    table = np.full((N_USERS, N_ITEMS), 3e38, np.float32)
    assert Table(table).recommend(USERS, nothing, 1)[0][0] == 0
