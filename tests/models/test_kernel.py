from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bakeoff.arrays import Array, Floats
from bakeoff.models import kernel

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
    for found, expected in zip(kernel.best(scores, k, floor), by_sorting(scores, k, floor), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("n", [8, 9, 127, 1000, 5003])
@pytest.mark.parametrize("k", [1, 3, 20])
def test_the_best_of_wide_rows_are_those_of_a_full_sort(n: int, k: int) -> None:
    rng = np.random.default_rng(n + k)
    smooth = rng.standard_normal((5, n)).astype(np.float32)
    coarse = np.round(smooth * 2)
    sparse = np.where(rng.random((5, n)) < 5 / n, smooth, -np.inf).astype(np.float32)
    for scores in (smooth, coarse, sparse, np.concatenate([smooth, coarse, sparse])):
        for found, expected in zip(kernel.best(scores, k), by_sorting(scores, k), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_of_scores_that_all_tie_the_first_items_are_best() -> None:
    items, values = kernel.best(np.full((2, 30_000), 0.25, np.float32), 4)
    assert items.tolist() == [[0, 1, 2, 3]] * 2
    assert (values == 0.25).all()


def test_a_tie_at_the_cut_goes_to_the_lowest_item() -> None:
    scores = np.array([[1, 3, 2, 2, 2, 0]], np.float32)
    assert kernel.best(scores, 3)[0].tolist() == [[1, 2, 3]]
    assert kernel.best(scores[:, ::-1].copy(), 3)[0].tolist() == [[4, 1, 2]]


def test_no_rows_and_no_places_are_answered_by_none() -> None:
    assert kernel.best(np.zeros((0, 5), np.float32), 3)[0].shape == (0, 3)
    assert kernel.best(np.zeros((2, 5), np.float32), 0)[0].shape == (2, 0)


@given(arrays.arrays(np.float32, st.integers(0, 20), elements=FINITE))
def test_a_key_gives_back_its_score_and_item(scores: Floats) -> None:
    keys = kernel.order_keys(scores, np.arange(len(scores)))
    np.testing.assert_array_equal(kernel.scores_of(keys), scores)
    np.testing.assert_array_equal(kernel.items_of(keys), np.arange(len(scores)))
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
    found = kernel.places(scores.copy(), np.array(rows), np.array(items))
    assert [x.dtype for x in found] == [np.int32, np.int32]
    np.testing.assert_array_equal(found, [above, ties])


def test_places_are_the_same_by_sorting_and_by_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    scores = np.round(rng.standard_normal((4, 300)) * 20).astype(np.float32)
    rows, items = np.repeat(np.arange(4), 9), rng.integers(0, 300, 36)
    answers = []
    for cost in (0.0, 1e9):
        monkeypatch.setattr(kernel, "_SORT_US", cost)
        answers.append(kernel.places(scores.copy(), rows, items))
    np.testing.assert_array_equal(*answers)


def test_places_among_the_scored_count_the_rest_at_nothing() -> None:
    # one user: four scored candidates, ten without a score; a second user with none scored
    scores, starts = np.array([2, 1, 1, -1], np.float32), np.array([0, 4, 4])
    rows = np.array([0, 0, 0, 0, 1])
    values = np.array([2, 1, 0, -1, 0], np.float32)
    above, ties = kernel.places_among(scores, starts, np.array([10, 7]), rows, values)
    assert above.tolist() == [0, 1, 3, 13, 0]
    assert ties.tolist() == [0, 1, 9, 0, 6]
