from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from bakeoff.errors import ModelError
from bakeoff.evaluation.topk import TopK

HISTORY = sparse.csr_matrix(np.array([[1, 0, 0, 0, 0], [0, 1, 1, 0, 0]], dtype=np.float32))
TEST = sparse.csr_matrix(np.array([[0, 1, 1, 0, 0], [1, 0, 0, 0, 0]], dtype=np.float32))
USERS = np.array([3, 7], dtype=np.int32)


def build(items, scores=None, **rest):
    items = np.array(items, dtype=np.int32)
    if scores is None:
        scores = np.where(items >= 0, -np.arange(items.shape[1]), -np.inf)
    return TopK.build(
        USERS, items, np.array(scores, dtype=np.float32), **{"history": HISTORY, "test": TEST, **rest}
    )


def test_hits_counts_and_lengths_are_read_off_the_lists():
    lists = build([[2, 3, 1], [0, 4, -1]])
    assert lists.hits.tolist() == [[True, False, True], [True, False, False]]
    assert lists.n_relevant.tolist() == [2, 1]
    assert lists.n_candidates.tolist() == [4, 3]
    assert lists.lengths.tolist() == [3, 2]
    assert [a.tolist() for a in lists.hit_positions] == [[0, 0, 1], [1, 3, 1], [1, 2, 1]]
    assert (lists.depth, lists.n_items) == (3, 5)


def test_lists_cannot_be_changed_afterwards():
    with pytest.raises(ValueError, match="read-only"):
        build([[2, 3, 1], [0, 4, -1]]).items[0, 0] = 4


@pytest.mark.parametrize(
    ("items", "scores", "message"),
    [
        ([[0, 1, 2], [0, 3, 4]], None, "item 0 of user 3 has been seen by the user"),
        ([[1, 2, 1], [0, 3, 4]], None, "item 1 of user 3 is in the list more than once"),
        ([[1, 2, 3], [0, 3, 5]], None, "item 5 of user 7 is outside the catalogue of 5 items"),
        ([[1, 2, 3], [0, -1, 4]], None, "item 4 of user 7 comes after a pad"),
        ([[1, 2, 3], [0, 3, -2]], None, "item -2 of user 7 is outside the catalogue of 5 items"),
        ([[1, 2], [0, 3]], [[1.0, np.nan], [1.0, 0.0]], "item 2 of user 3 has a score that is not finite"),
        ([[1, 2], [0, 3]], [[1.0, -np.inf], [1.0, 0.0]], "item 2 of user 3 has a score that is not finite"),
        ([[1, 2], [0, 3]], [[1.0, 2.0], [1.0, 0.0]], "item 2 of user 3 scores higher than the one above it"),
        ([[1, 2], [0, 3]], [[1.0], [1.0]], "expected items and scores of 2 users"),
        ([[1, 2]], None, "expected items and scores of 2 users"),
    ],
)
def test_a_list_that_breaks_the_contract_is_refused(items, scores, message):
    with pytest.raises(ModelError, match=message):
        build(items, scores)


def test_several_pads_are_no_repeated_item():
    assert build([[1, -1, -1], [-1, -1, -1]]).lengths.tolist() == [1, 0]


@pytest.mark.parametrize("name", ["above", "ties"])
def test_there_is_a_rank_for_each_test_item(name):
    ranks = {"above": np.zeros(3, dtype=np.int32), "ties": np.zeros(3, dtype=np.int32)}
    with pytest.raises(ModelError, match=f"{name}: expected one number per test item"):
        build([[1], [0]], **{**ranks, name: np.zeros(2, dtype=np.int32)})


@pytest.mark.parametrize("name", ["above", "ties"])
def test_ranks_are_whole_or_absent_together(name):
    with pytest.raises(ModelError, match="above and ties"):
        build([[1], [0]], **{name: np.zeros(3, dtype=np.int32)})


def test_ranks_are_possible_among_the_candidates():
    ranks = np.array([3, 0, 2], dtype=np.int32)
    assert build([[1], [0]], above=ranks, ties=np.zeros(3, dtype=np.int32)).above is ranks
    for above, ties in ((ranks, ranks), (-ranks, ranks)):
        with pytest.raises(ModelError, match="above and ties: expected numbers of other candidates"):
            build([[1], [0]], above=above, ties=ties)


def test_lists_of_many_users_are_checked_block_by_block():
    rng = np.random.default_rng(0)
    m, n_items = 700, 9000
    history = sparse.random(m, n_items, 0.002, format="csr", dtype=np.float32, random_state=rng)
    test = sparse.random(m, n_items, 0.002, format="csr", dtype=np.float32, random_state=rng)
    seen = history.toarray() > 0
    items = np.stack([rng.choice(np.flatnonzero(~row), 8, replace=False) for row in seen]).astype(np.int32)
    scores = np.tile(-np.arange(8, dtype=np.float32), (m, 1))
    users = np.arange(m, dtype=np.int32)
    lists = TopK.build(users, items, scores, history=history, test=test)
    assert (lists.hits == (test.toarray() > 0)[users[:, None], items]).all()
    broken = items.copy()
    broken[650, 7] = np.flatnonzero(seen[650])[0]
    with pytest.raises(ModelError, match="of user 650 has been seen"):
        TopK.build(users, broken, scores, history=history, test=test)
    broken[650, 7] = broken[650, 2]
    with pytest.raises(ModelError, match="of user 650 is in the list more than once"):
        TopK.build(users, broken, scores, history=history, test=test)
