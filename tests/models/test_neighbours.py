from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from scipy import sparse

from bakeoff.data.interactions import Ids, Interactions
from bakeoff.errors import Unsupported
from bakeoff.models import neighbours
from bakeoff.models.neighbours import ItemKNN, Similarities
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
    reference = {
        "cosine": library.CosineRecommender,
        "tfidf": library.TFIDFRecommender,
        "bm25": library.BM25Recommender,
    }[similarity](K=6, num_threads=1)
    with pytest.warns(Warning, match="CSR"):
        reference.fit(matrix, show_progress=False)
    model = ItemKNN(similarity=similarity, K=6, weights=weights)  # type: ignore[arg-type]
    model.fit(train, seed=1)
    items, scores = model.recommend(USERS, train.matrix(), 3)
    for user in USERS:
        ids, values = reference.recommend(user, matrix[user], N=3)
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
    actual = model.rank(USERS, history, k, targets)
    scores, at = model.scores(USERS, history), 0
    for user in USERS:
        unseen = np.flatnonzero(kinds[user] != 1)
        own = scores[user, unseen]
        listed = unseen[np.lexsort((unseen, -own))][: min(k, (own > 0).sum())]
        assert actual.items[user].tolist() == listed.tolist() + [-1] * (k - len(listed))
        assert actual.scores[user, : len(listed)].tolist() == scores[user, listed].tolist()
        for target in targets[user].indices:
            assert actual.above[at] == (own > scores[user, target]).sum()
            assert actual.ties[at] == (own == scores[user, target]).sum() - 1
            at += 1


@pytest.mark.parametrize("similarity", ["cosine", "tfidf", "bm25"])
def test_pairs_that_weigh_nothing_leave_no_hole(similarity: str) -> None:
    users, items = np.divmod(np.arange(12, dtype=np.int32), np.int32(4))
    values = np.where(items == 2, 0, 1 + users).astype(np.float32)  # item 2 was skipped by all
    train = Interactions.of(users, items, values, None, Ids.of(range(3)), Ids.of(range(4)))
    model = ItemKNN(similarity=similarity, K=4, weights="raw")  # type: ignore[arg-type]
    model.fit(train, seed=1)
    assert np.isfinite(model.scores(USERS[:3], train.matrix())).all()


def by_library(weighted: sparse.csr_matrix, k: int) -> np.ndarray:
    from implicit.nearest_neighbours import all_pairs_knn

    actual = all_pairs_knn(weighted, k, show_progress=False, num_threads=1)
    return actual.tocsr().astype(np.float32).toarray()


@pytest.mark.parametrize("pairs", [200, 2**23])
@pytest.mark.parametrize("seed", range(4))
def test_the_nearest_are_the_librarys_for_every_k_ties_included(
    seed: int, pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_BLOCK_PAIRS", pairs)
    rng = np.random.default_rng(seed)
    levels = rng.integers(1, 3, (50, 40)) * (rng.random((50, 40)) < 0.15)  # few levels: most neighbours tie
    weighted = sparse.csr_matrix(levels.astype(np.float64))
    whole = Similarities.of(weighted, 40)
    for k in range(2, 41):
        np.testing.assert_array_equal(whole.nearest(k).toarray(), by_library(weighted, k))
        cut = Similarities.of(weighted, min(k + 3, 40))
        np.testing.assert_array_equal(cut.nearest(k).toarray(), by_library(weighted, k))


@pytest.mark.parametrize("similarity", ["cosine", "tfidf", "bm25"])
@pytest.mark.parametrize("weights", ["none", "raw", "log1p"])
def test_a_fit_that_shares_similarities_is_a_plain_fit_to_the_last_bit(similarity: str, weights: str) -> None:
    train = blocks(60, 30, seed=2)
    users = np.arange(60, dtype=np.int32)
    prepared = ItemKNN(similarity=similarity, K=30, weights=weights).prepare(train, fits=2)  # type: ignore[arg-type]
    assert prepared is not None
    for k in (2, 5, 11, 30):
        plain, shared = (ItemKNN(similarity=similarity, K=k, weights=weights) for _ in range(2))  # type: ignore[arg-type]
        plain.fit(train, seed=1)
        shared.fit(train, seed=1, prepared=prepared)
        for one, other in zip(
            *(m.recommend(users, train.matrix(), 10) for m in (plain, shared)), strict=True
        ):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(
            plain.scores(users, train.matrix()), shared.scores(users, train.matrix())
        )


def test_nothing_is_prepared_for_one_fit_or_where_weights_fall_below_nothing() -> None:
    assert ItemKNN().prepare(blocks(), fits=1) is None
    below = -blocks().matrix().astype(np.float64)
    with patch.object(ItemKNN, "_weighted", return_value=below):
        assert ItemKNN().prepare(blocks(), fits=9) is None


def test_only_bm25_depends_on_its_own_parameters() -> None:
    assert ItemKNN(similarity="bm25").shared_over == ("K",)
    assert ItemKNN(similarity="cosine").shared_over == ("K", "K1", "B")


def test_what_does_not_fit_in_memory_is_refused_with_the_figure() -> None:
    class Little:
        available = 1000

    with (
        patch("psutil.virtual_memory", return_value=Little()),
        pytest.raises(Unsupported, match=r"16 items for every K up to 100 need 0\.0 GB"),
    ):
        ItemKNN().prepare(blocks(), fits=9)
