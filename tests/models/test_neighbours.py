from __future__ import annotations

import math
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from scipy import sparse

from bakeoff.arrays import Doubles
from bakeoff.data.interactions import Ids, Interactions
from bakeoff.errors import Unsupported
from bakeoff.models import neighbours
from bakeoff.models.neighbours import ItemKNN, RP3beta, UserKNN
from numerics import assert_close
from toys import blocks

USERS = np.arange(24, dtype=np.int32)


def of_matrix(pairs: Any) -> Interactions:
    users, items = (codes.astype(np.int32) for codes in np.nonzero(pairs))
    n_users, n_items = pairs.shape
    return Interactions.of(users, items, None, None, Ids.of(range(n_users)), Ids.of(range(n_items)))


def test_cosine_similarities_are_those_of_a_loop() -> None:
    train = blocks()
    x = (train.matrix().toarray() > 0).astype(float)
    norms = np.sqrt((x**2).sum(axis=0))
    cosine = (x.T @ x) / np.outer(norms, norms)
    np.fill_diagonal(cosine, 0)
    model = ItemKNN(K=train.n_items)
    model.fit(train, seed=1)
    assert_close(model.scores(USERS, train.matrix()), x @ cosine, 1e-6)


KINDS = [
    *((s, "none") for s in ("cosine", "asymmetric", "dice", "jaccard", "tversky")),
    *((s, w) for s in ("cosine", "asymmetric") for w in ("tfidf", "bm25")),
]
ALPHA, BETA = 0.3, 1.7


def vectors(x: Doubles, weighting: str, frequency: Doubles, mean: float, n: int) -> Doubles:
    """The weighted rows, entry by entry."""
    result = np.zeros_like(x)
    for row, column in np.argwhere(x):
        value, idf = x[row, column], math.log(n / (1 + frequency[column]))
        if weighting == "tfidf":
            value = math.sqrt(value) * idf
        elif weighting == "bm25":
            length = 0.25 + 0.75 * x[row].sum() / mean
            value = value * 2.2 / (1.2 * length + value) * idf
        result[row, column] = value
    return result


def similarity_of(one: Doubles, other: Doubles, kind: str, shrink: float, normalize: bool) -> float:
    if kind in ("dice", "jaccard", "tversky"):
        a, b = set(np.flatnonzero(one)), set(np.flatnonzero(other))
        both, only, rest = len(a & b), len(a - b), len(b - a)
        size = {
            "dice": (len(a) + len(b)) / 2,
            "jaccard": len(a | b),
            "tversky": both + ALPHA * only + BETA * rest,
        }[kind]
        return both / (size + shrink) if both and normalize else both
    product, alpha = float(one @ other), ALPHA if kind == "asymmetric" else 0.5
    size = (one @ one) ** alpha * (other @ other) ** (1 - alpha)
    return product / (size + shrink) if product and normalize else product


def neighbours_of(rows: Doubles, others: Doubles, k: int, own: bool, *how: Any) -> Doubles:
    """The similarity of each row to its k nearest, 0 to the others, by a loop."""
    result = np.zeros((len(rows), len(others)))
    for row, one in enumerate(rows):
        values = np.array([similarity_of(one, other, *how) for other in others])
        if own:
            values[row] = 0
        best = np.lexsort((np.arange(len(values)), -values.astype(np.float32)))[:k]
        result[row, best] = values[best]
    return result


@pytest.mark.parametrize(("kind", "weighting"), KINDS)
@pytest.mark.parametrize("shrink", [0.0, 7.5])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("weights", ["none", "log1p"])
def test_scores_of_both_sides_are_those_of_a_loop(
    kind: Any, weighting: Any, shrink: float, normalize: bool, weights: Any
) -> None:
    train, k = blocks(), 5
    x = train.matrix().toarray().astype(float)
    x = np.log1p(x) if weights == "log1p" else (x > 0).astype(float)
    options: Any = {
        "similarity": kind,
        "weighting": weighting,
        "K": k,
        "shrink": shrink,
        "normalize": normalize,
    }
    options |= {"alpha": ALPHA, "beta": BETA, "weights": weights}
    how = (kind, shrink, normalize)

    of_items = vectors(x.T, weighting, (x > 0).sum(axis=1), x.sum() / 16, 16)
    items = ItemKNN(**options)
    items.fit(train, seed=1)
    expected = x @ neighbours_of(of_items, of_items, k, True, *how).T
    assert_close(items.scores(USERS, train.matrix()), expected, 1e-6)

    of_users = vectors(x, weighting, (x > 0).sum(axis=0), x.sum() / 24, 24)
    users = UserKNN(**options)
    users.fit(train, seed=1)
    expected = neighbours_of(of_users, of_users, k, True, *how) @ x
    assert_close(users.scores(USERS, train.matrix()), expected, 1e-6)
    newcomers = neighbours_of(of_users[::2], of_users, k, False, *how) @ x
    assert_close(users.scores(np.full(12, 24, np.int32), train.matrix()[::2]), newcomers, 1e-6)


@pytest.mark.parametrize("name", ["cosine", "tfidf", "bm25"])
@pytest.mark.parametrize("weights", ["none", "log1p"])
def test_with_every_neighbour_similarities_are_those_of_the_library(name: str, weights: Any) -> None:
    from implicit import nearest_neighbours as library

    train = blocks()
    matrix = train.matrix().astype(np.float64)
    matrix.data = np.ones_like(matrix.data) if weights == "none" else np.log1p(matrix.data)
    kinds: Any = {
        "cosine": (library.CosineRecommender, {}),
        "tfidf": (library.TFIDFRecommender, {"weighting": "tfidf"}),
        "bm25": (library.BM25Recommender, {"weighting": "bm25", "normalize": False}),
    }
    kind, options = kinds[name]
    reference = kind(K=16, num_threads=1)
    with pytest.warns(Warning, match="CSR"):
        reference.fit(matrix, show_progress=False)
    model = ItemKNN(K=16, weights=weights, **options)
    model.fit(train, seed=1)
    expected = reference.similarity.toarray()
    np.fill_diagonal(expected, 0)
    assert_close(np.array([model.similar(item) for item in range(16)]), expected, 1e-6)


def test_the_history_is_not_cut_and_the_item_itself_is_not_counted() -> None:
    """Item 0 is near all others; each of them has one neighbour, 0, which has one neighbour of its own."""
    n = 6
    train = of_matrix(np.vstack([np.eye(n)[0] + np.eye(n)[item] for item in range(1, n)]))
    model = ItemKNN(K=1)
    model.fit(train, seed=1)
    scores = model.scores(np.zeros(1, np.int32), sparse.csr_matrix(np.eye(n)[[0]].astype(np.float32)))
    assert (scores[0, 1:] > 0).all() and scores[0, 0] == 0


@pytest.mark.parametrize("beta", [0.0, 0.7])
@pytest.mark.parametrize("normalize", [True, False])
def test_walks_are_those_of_a_loop_over_paths(beta: float, normalize: bool) -> None:
    train, alpha, k = blocks(), 1.4, 5
    x = train.matrix().toarray() > 0
    expected = np.zeros((16, 16))
    for user in range(24):
        for one in np.flatnonzero(x[user]):
            for other in np.flatnonzero(x[user]):
                steps = (1 / x[:, one].sum()) ** alpha * (1 / x[user].sum()) ** alpha
                expected[one, other] += steps / x[:, other].sum() ** beta
    np.fill_diagonal(expected, 0)
    for row in expected:
        row[np.lexsort((np.arange(16), -row.astype(np.float32)))[k:]] = 0
    if normalize:
        expected /= expected.sum(axis=1, keepdims=True)
    model = RP3beta(alpha=alpha, beta=beta, K=k, normalize=normalize)
    model.fit(train, seed=1)
    assert_close(model.scores(USERS, train.matrix()), x.astype(float) @ expected, 1e-6)


def test_an_item_near_nothing_in_the_history_is_not_listed() -> None:
    train = blocks()
    model = ItemKNN(K=train.n_items)
    model.fit(train, seed=1)
    items, _ = model.recommend(USERS, train.matrix(), train.n_items)
    for user in USERS:
        assert all(item % 2 == user % 2 for item in items[user] if item >= 0)


@pytest.mark.parametrize("dense_share", [0.0, 2.0])
@pytest.mark.parametrize("weighting", ["none", "bm25"])
@pytest.mark.parametrize("k", [1, 4, 16])
def test_lists_and_ranks_are_those_of_a_loop_on_both_paths(
    dense_share: float, weighting: Any, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_DENSE_SHARE", dense_share)
    train = blocks()
    model = ItemKNN(weighting=weighting, K=3)
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


@pytest.mark.parametrize("weighting", ["none", "tfidf", "bm25"])
@pytest.mark.parametrize("kind", [ItemKNN, UserKNN])
def test_pairs_that_weigh_nothing_leave_no_hole(kind: Any, weighting: str) -> None:
    users, items = np.divmod(np.arange(12, dtype=np.int32), np.int32(4))
    values = np.where(items == 2, 0, 1 + users).astype(np.float32)  # item 2 was skipped by all
    train = Interactions.of(users, items, values, None, Ids.of(range(3)), Ids.of(range(4)))
    model = kind(weighting=weighting, K=4, weights="raw")
    model.fit(train, seed=1)
    assert np.isfinite(model.scores(USERS[:3], train.matrix())).all()


@pytest.mark.parametrize("pairs", [100, 2**21])
@pytest.mark.parametrize("num_threads", [1, 2])
@pytest.mark.parametrize(
    "kind", [partial(ItemKNN, weights="log1p"), partial(ItemKNN, weighting="bm25", normalize=False), RP3beta]
)
def test_a_fit_that_shares_neighbours_is_a_plain_fit_to_the_last_bit(
    kind: Any, pairs: int, num_threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, users = blocks(60, 30, seed=2), np.arange(60, dtype=np.int32)
    prepared = kind(K=40).prepare(train, fits=2)
    monkeypatch.setattr(neighbours, "_BLOCK_PAIRS", pairs)
    for k in (1, 2, 11, 40):
        plain, shared = kind(K=k, num_threads=num_threads), kind(K=k)
        plain.fit(train, seed=1)
        shared.fit(train, seed=1, prepared=prepared)
        scores = [m.scores(users, train.matrix()) for m in (plain, shared)]
        np.testing.assert_array_equal(*scores)


def test_nothing_is_prepared_for_one_fit() -> None:
    assert ItemKNN().prepare(blocks(), fits=1) is None


def test_only_parameters_with_an_effect_keep_fits_from_sharing() -> None:
    assert ItemKNN(weighting="bm25").shared_over == ("K", "alpha", "beta")
    assert ItemKNN(similarity="tversky", weighting="bm25").shared_over == ("K", "K1", "B")
    assert ItemKNN(normalize=False).shared_over == ("K", "shrink", "alpha", "beta", "K1", "B")


def test_what_does_not_fit_in_memory_is_refused_with_the_figure() -> None:
    class Little:
        available = 1000

    with (
        patch("psutil.virtual_memory", return_value=Little()),
        pytest.raises(Unsupported, match=r"the 16 nearest of 16 rows need 0\.0 GB"),
    ):
        ItemKNN().fit(blocks(), seed=1)
