from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from bakeoff.data.interactions import Ids, Interactions
from bakeoff.errors import ConfigError
from bakeoff.models import neighbours
from bakeoff.models.neighbours import ItemKNN
from numerics import assert_close
from toys import blocks

USERS = np.arange(24, dtype=np.int32)


def test_cosine_similarities_are_those_of_a_loop() -> None:
    train = blocks()
    x = (train.matrix().toarray() > 0).astype(float)
    norms = np.sqrt((x**2).sum(axis=0))
    cosine = (x.T @ x) / np.outer(norms, norms)
    model = ItemKNN(K=train.n_items)
    model.fit(train, seed=1)
    assert_close(model.scores(USERS, train.matrix()), x @ cosine, 1e-6)


@pytest.mark.parametrize("similarity", ["cosine", "tfidf", "bm25"])
@pytest.mark.parametrize("weights", ["none", "log1p"])
def test_scores_are_those_of_the_library(similarity: str, weights: str) -> None:
    from implicit import nearest_neighbours as library

    train = blocks()
    matrix = train.matrix().astype(np.float64)
    matrix.data = np.ones_like(matrix.data) if weights == "none" else np.log1p(matrix.data)
    theirs = {
        "cosine": library.CosineRecommender,
        "tfidf": library.TFIDFRecommender,
        "bm25": library.BM25Recommender,
    }[similarity](K=6, num_threads=1)
    with pytest.warns(Warning, match="CSR"):
        theirs.fit(matrix, show_progress=False)
    ours = ItemKNN(similarity=similarity, K=6, weights=weights)  # type: ignore[arg-type]
    ours.fit(train, seed=1)
    items, scores = ours.recommend(USERS, train.matrix(), 3)
    for user in USERS:
        ids, values = theirs.recommend(user, matrix[user], N=3)
        listed = (ids >= 0) & (values > 0)
        assert_close(scores[user, : listed.sum()], values[listed], 1e-6)
        assert set(items[user][items[user] >= 0]) <= set(range(train.n_items))


def test_an_item_near_nothing_in_the_history_is_not_listed() -> None:
    train = blocks()
    model = ItemKNN(K=train.n_items)
    model.fit(train, seed=1)
    items, _ = model.recommend(USERS, train.matrix(), train.n_items)
    for user in USERS:
        assert all(item % 2 == user % 2 for item in items[user] if item >= 0)


@pytest.mark.parametrize("dense_share", [0.0, 2.0])
@pytest.mark.parametrize("similarity", ["cosine", "bm25"])
@pytest.mark.parametrize("k", [1, 4, 16])
def test_lists_and_ranks_are_those_of_a_loop_on_both_paths(
    dense_share: float, similarity: str, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_DENSE_SHARE", dense_share)
    train = blocks()
    model = ItemKNN(similarity=similarity, K=3)  # type: ignore[arg-type]
    model.fit(train, seed=1)
    kinds = np.random.default_rng(k).choice(3, (24, 16), p=[0.6, 0.2, 0.2])
    history, targets = (sparse.csr_matrix((kinds == kind).astype(np.float32)) for kind in (1, 2))
    found = model.rank(USERS, history, k, targets)
    scores, at = model.scores(USERS, history), 0
    for user in USERS:
        unseen = np.flatnonzero(kinds[user] != 1)
        own = scores[user, unseen]
        listed = unseen[np.lexsort((unseen, -own))][: min(k, (own > 0).sum())]
        assert found.items[user].tolist() == listed.tolist() + [-1] * (k - len(listed))
        assert found.scores[user, : len(listed)].tolist() == scores[user, listed].tolist()
        for target in targets[user].indices:
            assert found.above[at] == (own > scores[user, target]).sum()
            assert found.ties[at] == (own == scores[user, target]).sum() - 1
            at += 1


@pytest.mark.parametrize("similarity", ["cosine", "tfidf", "bm25"])
def test_pairs_that_weigh_nothing_leave_no_hole(similarity: str) -> None:
    users, items = np.divmod(np.arange(12, dtype=np.int32), np.int32(4))
    values = np.where(items == 2, 0, 1 + users).astype(np.float32)  # item 2 was skipped by all
    train = Interactions.of(users, items, values, None, Ids.of(range(3)), Ids.of(range(4)))
    model = ItemKNN(similarity=similarity, K=4, weights="raw")  # type: ignore[arg-type]
    model.fit(train, seed=1)
    assert np.isfinite(model.scores(USERS[:3], train.matrix())).all()


def test_a_wrong_knob_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"model\.build\.similarity='cosin': did you mean 'cosine'"):
        ItemKNN(similarity="cosin")  # type: ignore[arg-type]
