from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from scipy import sparse

from bakeoff.errors import Unsupported
from bakeoff.models import similarities
from bakeoff.models.neighbours import ItemKNN
from bakeoff.models.similarities import Similarities
from toys import blocks


def by_library(weighted: sparse.csr_matrix, k: int) -> np.ndarray:
    from implicit.nearest_neighbours import all_pairs_knn

    found = all_pairs_knn(weighted, k, show_progress=False, num_threads=1)
    return found.tocsr().astype(np.float32).toarray()


@pytest.mark.parametrize("pairs", [200, 2**23])
@pytest.mark.parametrize("seed", range(4))
def test_the_nearest_are_the_librarys_for_every_k_ties_included(
    seed: int, pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similarities, "_BLOCK_PAIRS", pairs)
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


def test_only_bm25_depends_on_its_own_knobs() -> None:
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
