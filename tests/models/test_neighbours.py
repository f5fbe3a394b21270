from __future__ import annotations

import numpy as np
import pytest

from bakeoff.errors import ConfigError
from bakeoff.models.neighbours import ItemKNN
from toys import blocks

USERS = np.arange(24, dtype=np.int32)


def test_cosine_similarities_are_those_of_a_loop() -> None:
    train = blocks()
    x = (train.matrix().toarray() > 0).astype(float)
    norms = np.sqrt((x**2).sum(axis=0))
    cosine = (x.T @ x) / np.outer(norms, norms)
    model = ItemKNN(K=train.n_items)
    model.fit(train, seed=1)
    np.testing.assert_allclose(model.scores(USERS, train.matrix()), x @ cosine, atol=1e-5)


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
        np.testing.assert_allclose(scores[user, : listed.sum()], values[listed], rtol=1e-5)
        assert set(items[user][items[user] >= 0]) <= set(range(train.n_items))


def test_an_item_near_nothing_in_the_history_is_not_listed() -> None:
    train = blocks()
    model = ItemKNN(K=train.n_items)
    model.fit(train, seed=1)
    items, _ = model.recommend(USERS, train.matrix(), train.n_items)
    for user in USERS:
        assert all(item % 2 == user % 2 for item in items[user] if item >= 0)


def test_a_wrong_knob_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"model\.build\.similarity='cosin': did you mean 'cosine'"):
        ItemKNN(similarity="cosin")  # type: ignore[arg-type]
