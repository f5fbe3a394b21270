from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import sparse

from bakeoff.arrays import Doubles
from bakeoff.models import factors
from bakeoff.models.factors import IALS, NCEPLRec, PureSVD, truncated_svd
from bakeoff.models.implicit import ALS
from numerics import assert_close
from toys import blocks

USERS = np.arange(60, dtype=np.int32)
TRAIN = blocks(60, 40, seed=3)
X = (TRAIN.matrix().toarray() > 0).astype(float)


@pytest.mark.parametrize("shape", [(200, 90), (90, 200), (20, 12)])
def test_singular_vectors_are_those_of_a_dense_decomposition(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    dense = (rng.random(shape) < 0.1) * (1 + rng.random(shape))
    values, right = truncated_svd(sparse.csr_matrix(dense), 7)
    _, expected, vectors = np.linalg.svd(dense)
    assert_close(values, expected[:7], 1e-9)
    assert_close(right @ right.T, vectors[:7].T @ vectors[:7], 1e-7)


def test_directions_without_variance_are_left_out() -> None:
    values, right = truncated_svd(sparse.csr_matrix(np.outer(np.ones(50), np.arange(45.0))), 9)
    assert values.shape == (1,) and right.shape == (45, 1)


def test_pure_svd_projects_the_history_on_the_right_singular_vectors() -> None:
    model = PureSVD(factors=6)
    model.fit(TRAIN, seed=1)
    right = np.linalg.svd(X)[2][:6]
    assert_close(model.scores(USERS, TRAIN.matrix()), X @ right.T @ right, 1e-6)


def test_nce_plrec_is_a_ridge_regression_on_the_vectors_of_the_contrast() -> None:
    model = NCEPLRec(factors=6, root=0.8, l2=3.0)
    model.fit(TRAIN, seed=1)
    popularity = X.sum(axis=0)
    information = [max(0.0, math.log(60 / count**0.8)) for count in popularity]
    contrast = X * np.array(information)
    _, values, right = np.linalg.svd(contrast)
    features = X @ right[:6].T * np.sqrt(values[:6])
    expected = features @ np.linalg.inv(features.T @ features + 3 * np.eye(6)) @ features.T @ X
    assert_close(model.scores(USERS, TRAIN.matrix()), expected, 1e-6)


def least_squares(rows: Doubles, others: Doubles, weight: float, penalty: float, nu: float) -> Doubles:
    """Each row's minimum of its own loss, by an ordinary least squares of stacked equations."""
    n, f = others.shape
    result = []
    for row in rows:
        seen = np.flatnonzero(row)
        ridge = penalty * (len(seen) + weight * n) ** nu
        pairs = np.sqrt(row[seen])[:, None] * others[seen]
        equations = [np.sqrt(weight) * others, pairs, np.sqrt(ridge) * np.eye(f)]
        targets = [np.zeros(n), np.sqrt(row[seen]), np.zeros(f)]
        result.append(np.linalg.lstsq(np.vstack(equations), np.concatenate(targets), rcond=None)[0])
    return np.array(result)


@pytest.mark.parametrize("nu", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("weights", ["none", "log1p"])
@pytest.mark.parametrize("block", [2**26, 2**10])
def test_ials_alternates_between_least_squares(
    nu: float, weights: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(factors, "_BLOCK_BYTES", block)
    x = X if weights == "none" else np.log1p(TRAIN.matrix().toarray())
    model = IALS(factors=5, regularization=0.02, nu=nu, unobserved_weight=0.3, iterations=3, weights=weights)  # type: ignore[arg-type]
    model.fit(TRAIN, seed=7)
    items = np.random.default_rng(7).standard_normal((40, 5)) * 0.1 / math.sqrt(5)
    for _ in range(3):
        users = least_squares(x, items, 0.3, 0.02, nu)
        items = least_squares(x.T, users, 0.3, 0.02, nu)
    assert_close(model.item_factors, items, 1e-5)
    folded = least_squares(x, model.item_factors.astype(float), 0.3, 0.02, nu)
    assert_close(model.factors_of(USERS, TRAIN.matrix()), folded, 5e-6)
    assert_close(model.scores(USERS, TRAIN.matrix()), folded @ model.item_factors.T, 5e-6)


def test_ials_with_one_penalty_for_all_is_als_with_other_names() -> None:
    w, penalty = 0.2, 0.5
    model = IALS(factors=2, regularization=penalty, nu=0, unobserved_weight=w, iterations=300)
    als = ALS(factors=2, regularization=penalty * (1 + w) / w, alpha=1 + 1 / w, iterations=300, use_cg=False)
    scores = []
    for each in (model, als):
        each.fit(TRAIN, seed=1)
        scores.append(each.scores(USERS, TRAIN.matrix()))
    assert_close(scores[0] * (1 + w), scores[1], 1e-4)
