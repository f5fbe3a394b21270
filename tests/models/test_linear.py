from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from scipy import sparse

from bakeoff.errors import ConfigError, Unsupported
from bakeoff.models import linear
from bakeoff.models.linear import EASE
from numerics import assert_close
from toys import blocks


@pytest.mark.parametrize("weights", ["none", "raw", "log1p"])
def test_the_weights_are_the_closed_form_of_the_paper(weights: str) -> None:
    train = blocks()
    dense = train.matrix().toarray().astype(np.float64)
    x = {"none": (dense > 0).astype(float), "raw": dense, "log1p": np.log1p(dense)}[weights]
    inverse = np.linalg.inv(x.T @ x + 7.0 * np.eye(train.n_items))
    expected = np.eye(train.n_items) - inverse / np.diag(inverse)[None, :]
    model = EASE(l2=7.0, weights=weights)  # type: ignore[arg-type]
    model.fit(train, seed=1)
    assert_close(model.item_weights, expected, 1e-5)
    users = np.arange(train.n_users, dtype=np.int32)
    assert_close(model.scores(users, train.matrix()), x @ expected, 1e-5)


def test_no_item_speaks_for_itself() -> None:
    model = EASE(l2=1.0)
    model.fit(blocks(), seed=1)
    assert (np.diag(model.item_weights) == 0).all()


@pytest.mark.parametrize("at_once", [1, 3, 8])
def test_halves_give_the_inverse_of_the_whole(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "CHOLESKY_ITEMS", at_once)
    x = np.random.default_rng(1).standard_normal((40, 23))
    whole = x.T @ x + np.eye(23)
    found = whole.copy()
    linear.invert(found)
    assert_close(found, np.linalg.inv(whole), 1e-12)
    one, other = EASE(l2=5.0), EASE(l2=5.0)
    one.fit(blocks(), seed=1)
    monkeypatch.setattr(linear, "CHOLESKY_ITEMS", 10_000)
    other.fit(blocks(), seed=1)
    assert_close(one.item_weights, other.item_weights, 1e-5)


def test_wide_matrices_are_inverted_as_numpy_does() -> None:
    x = np.random.default_rng(2).standard_normal((1500, 1100)).astype(np.float32)
    whole = x.T @ x + np.float32(100) * np.eye(1100, dtype=np.float32)
    found = whole.copy()
    linear.invert(found)
    assert_close(found, np.linalg.inv(whole.astype(np.float64)), 1e-5)
    np.testing.assert_array_equal(found, found.T)


@pytest.mark.parametrize("at_once", [2, 100])
def test_what_has_no_cholesky_is_refused(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "CHOLESKY_ITEMS", at_once)
    with pytest.raises(np.linalg.LinAlgError):
        linear.invert(-np.eye(5, dtype=np.float32))


def test_the_gram_matrix_is_that_of_the_dense_product() -> None:
    matrix = sparse.random(60, 1500, 0.05, "csr", dtype=np.float32, random_state=1)
    dense = matrix.toarray()
    assert_close(linear.gram(matrix), dense.T @ dense, 1e-6)


def test_what_does_not_fit_in_memory_is_told_with_the_figure() -> None:
    class Little:
        available = 1000

    with (
        patch("psutil.virtual_memory", return_value=Little()),
        pytest.raises(Unsupported, match=r"EASE needs \d+ GB of memory for 16 items, and 0 GB are available"),
    ):
        EASE().fit(blocks(), seed=1)


def test_a_penalty_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.build\.l2=0"):
        EASE(l2=0)
