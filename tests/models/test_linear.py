from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from scipy import sparse

from bakeoff.data.interactions import Ids, Interactions
from bakeoff.errors import Unsupported
from bakeoff.models import linear
from bakeoff.models.linear import EASE, SLIM, Eigendecomposition, RidgeSolution
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
    actual = whole.copy()
    linear.invert(actual)
    assert_close(actual, np.linalg.inv(whole), 1e-12)
    one, other = EASE(l2=5.0), EASE(l2=5.0)
    one.fit(blocks(), seed=1)
    monkeypatch.setattr(linear, "CHOLESKY_ITEMS", 10_000)
    other.fit(blocks(), seed=1)
    assert_close(one.item_weights, other.item_weights, 1e-5)


def test_wide_matrices_are_inverted_as_numpy_does() -> None:
    x = np.random.default_rng(2).standard_normal((1500, 1100)).astype(np.float32)
    whole = x.T @ x + np.float32(100) * np.eye(1100, dtype=np.float32)
    actual = whole.copy()
    linear.invert(actual)
    assert_close(actual, np.linalg.inv(whole.astype(np.float64)), 1e-5)
    np.testing.assert_array_equal(actual, actual.T)


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
        pytest.raises(Unsupported, match=r"EASE for 16 items needs [\d.]+ GB of memory"),
    ):
        EASE().fit(blocks(), seed=1)


def data(n_users: int, n_items: int, values: bool = False, seed: int = 3) -> Interactions:
    """Popular items and rare ones; a tenth of the pairs."""
    rng = np.random.default_rng(seed)
    chance = np.minimum(0.9, 2.0 / np.sqrt(np.arange(1, n_items + 1)))
    users, items = np.nonzero(rng.random((n_users, n_items)) < chance)
    worth = rng.integers(1, 6, len(users)) if values else np.ones(len(users))
    return Interactions.of(
        users.astype(np.int32),
        items.astype(np.int32),
        worth.astype(np.float32),
        None,
        Ids.of([f"u{i:03d}" for i in range(n_users)]),
        Ids.of([f"i{i:03d}" for i in range(n_items)]),
    )


def in_closed_form(x: np.ndarray, l2: float) -> np.ndarray:
    inverse = np.linalg.inv(x.T @ x + l2 * np.eye(x.shape[1]))
    return np.eye(x.shape[1]) - inverse / np.diag(inverse)


@pytest.mark.parametrize("l2", [1.0, 30.0, 10_000.0])
@pytest.mark.parametrize("weights", ["none", "raw", "log1p"])
def test_one_decomposition_gives_the_closed_form_of_every_penalty(l2: float, weights: str) -> None:
    train = data(40, 130, values=True)
    made = EASE(weights=weights)  # type: ignore[arg-type]
    prepared = made.prepare(train, fits=20)
    assert isinstance(prepared, Eigendecomposition)
    model = EASE(l2=l2, weights=weights)  # type: ignore[arg-type]
    model.fit(train, seed=1, prepared=prepared)
    dense = train.matrix().toarray().astype(np.float64)
    x = {"none": (dense > 0).astype(float), "raw": dense, "log1p": np.log1p(dense)}[weights]
    expected = in_closed_form(x, l2)
    assert_close(model.scores(np.arange(40, dtype=np.int32), train.matrix()), x @ expected, 1e-5)
    assert_close(model.item_weights, expected, 1e-5)
    np.testing.assert_array_equal(np.diag(model.item_weights), 0)


def test_a_history_that_train_does_not_know_is_scored_too() -> None:
    train = data(40, 130)
    x = train.matrix().toarray().astype(np.float64)
    ridge = RidgeSolution(Eigendecomposition.of(train.matrix()), 5.0)
    history = sparse.csr_matrix((np.random.default_rng(4).random((6, 130)) < 0.1).astype(np.float32))
    expected = history.toarray() @ in_closed_form(x, 5.0)
    newcomers, moved = np.full(6, 40, dtype=np.int32), np.arange(6, dtype=np.int32)
    assert_close(ridge.scores(newcomers, history), expected, 1e-5)
    assert_close(ridge.scores(moved, history), expected, 1e-5)


def test_users_who_are_alike_and_users_without_anything_do_no_harm() -> None:
    matrix = data(20, 90).matrix()
    twins = sparse.vstack([matrix, matrix, sparse.csr_matrix((3, 90), dtype=np.float32)], format="csr")
    spectrum = Eigendecomposition.of(twins)
    assert len(spectrum.squares) <= 20
    x = twins.toarray().astype(np.float64)
    actual = RidgeSolution(spectrum, 2.0).scores(np.arange(43, dtype=np.int32), twins)
    assert_close(actual, x @ in_closed_form(x, 2.0), 1e-5)


@pytest.mark.parametrize("shape", [(40, 130), (130, 40)])
def test_lists_with_work_shared_are_those_of_a_plain_fit_up_to_near_ties(shape: tuple[int, int]) -> None:
    train = data(*shape)
    users = np.arange(shape[0], dtype=np.int32)
    prepared = EASE().prepare(train, fits=20)
    for l2 in (1.0, 50.0, 2_000.0):
        plain, shared = EASE(l2=l2), EASE(l2=l2)
        plain.fit(train, seed=1)
        shared.fit(train, seed=1, prepared=prepared)
        (items, scores), (others, near) = (m.recommend(users, train.matrix(), 10) for m in (plain, shared))
        assert_close(scores, near, 1e-5)
        assert (items == others).mean() > 0.98
        close = plain.scores(users, train.matrix())
        differ = np.nonzero(items != others)
        assert_close(close[differ[0], items[differ]], close[differ[0], others[differ]], 1e-5)


def test_where_items_are_few_the_gram_matrix_is_shared_to_the_last_bit() -> None:
    train = data(130, 40)
    prepared = EASE().prepare(train, fits=20)
    assert isinstance(prepared, np.ndarray)
    before = prepared.copy()
    plain, shared = EASE(l2=7.0), EASE(l2=7.0)
    plain.fit(train, seed=1)
    shared.fit(train, seed=1, prepared=prepared)
    np.testing.assert_array_equal(plain.item_weights, shared.item_weights)
    np.testing.assert_array_equal(prepared, before)


def test_a_plain_fit_after_a_shared_one_starts_anew() -> None:
    few, many = data(40, 130), data(60, 130, seed=9)
    model, fresh = EASE(), EASE()
    model.fit(few, seed=1, prepared=model.prepare(few, fits=20))
    assert model.item_weights.shape == (130, 130)
    model.fit(many, seed=1)
    fresh.fit(many, seed=1)
    np.testing.assert_array_equal(model.item_weights, fresh.item_weights)


def test_a_decomposition_pays_where_users_are_few_and_fits_are_many() -> None:
    assert Eigendecomposition.pays((1_900, 13_000), 2)
    assert not Eigendecomposition.pays((900, 1_600), 2)
    assert Eigendecomposition.pays((900, 1_600), 25)
    assert not Eigendecomposition.pays((6_000, 3_700), 1_000)


@pytest.mark.parametrize("shape", [(40, 130), (130, 40)])
def test_what_does_not_fit_in_memory_is_refused_with_the_figure(shape: tuple[int, int]) -> None:
    class Little:
        available = 7 * 130**2  # enough for a plain fit with few items

    train = data(*shape)
    with (
        patch("psutil.virtual_memory", return_value=Little()),
        pytest.raises(Unsupported, match=r"needs [\d.]+ GB"),
    ):
        Little.available = 8 * shape[1] ** 2
        EASE().prepare(train, fits=20)


@pytest.mark.parametrize("l2", [0.5, 30.0, 3000.0])
def test_ease_through_the_users_side_is_the_direct_form(l2: float, monkeypatch: pytest.MonkeyPatch) -> None:
    train, users = blocks(30, 80, seed=4), np.arange(30, dtype=np.int32)
    x = (train.matrix().toarray() > 0).astype(float)
    inverse = np.linalg.inv(x.T @ x + l2 * np.eye(80))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    monkeypatch.setattr(linear, "_through_users", lambda shape: True)
    model = EASE(l2=l2)
    model.fit(train, seed=1)
    # A history's own entries, 1, cancel in float32: they are the scale of the rounding of smaller scores.
    tolerance = 1e-6 * max(1.0, 1.0 / np.abs(x @ expected).max())
    assert_close(model.scores(users, train.matrix()), x @ expected, tolerance)
    new = np.full(30, 30, dtype=np.int32)
    assert_close(model.scores(new, train.matrix()[::-1]), x[::-1] @ expected, 1e-5 if l2 < 1 else 1e-6)
    assert_close(model.similar(3), expected[3], 1e-5 if l2 < 1 else 1e-6)
    twin = EASE(l2=l2)
    twin.restore(model.state())
    np.testing.assert_array_equal(twin.scores(users, train.matrix()), model.scores(users, train.matrix()))
    assert model.prepare(train, fits=9) is None


def test_ease_takes_the_users_side_where_the_items_side_does_not_fit() -> None:
    class Little:
        available = 10_000

    with patch("psutil.virtual_memory", return_value=Little()):
        model = EASE()
        model.fit(blocks(30, 80), seed=1)
        assert set(model.state()) == {"train", "inverse", "scale"}
        with pytest.raises(Unsupported, match="80 items"):
            EASE().fit(blocks(90, 80), seed=1)
        with pytest.raises(Unsupported, match="side of 70 users"):
            EASE().fit(blocks(70, 80), seed=1)


@pytest.mark.parametrize(("alpha", "l1_ratio"), [(0.002, 0.1), (0.01, 0.9), (0.05, 0.0), (0.02, 1.0)])
def test_slim_weights_meet_the_conditions_of_the_optimum(alpha: float, l1_ratio: float) -> None:
    """The loss is convex: where w > 0 its gradient is 0, and where w = 0 it is not below 0."""
    train = blocks(60, 40, seed=3)
    x = (train.matrix().toarray() > 0).astype(float)
    model = SLIM(alpha=alpha, l1_ratio=l1_ratio, max_iter=5000, tolerance=1e-6)
    model.fit(train, seed=1)
    w = np.array([model.similar(item) for item in range(40)]).astype(float)
    gradient = (x.T @ (x @ w - x)) / 60 + alpha * l1_ratio + alpha * (1 - l1_ratio) * w
    positive, off_diagonal = w > 0, ~np.eye(40, dtype=bool)
    assert positive.any() and (w >= 0).all() and (np.diag(w) == 0).all()
    assert np.abs(gradient[positive]).max() < 1e-6
    assert gradient[off_diagonal & ~positive].min() > -1e-6
    users = np.arange(60, dtype=np.int32)
    assert_close(model.scores(users, train.matrix()), x @ w, 1e-6)


def test_slim_weights_do_not_depend_on_how_many_steps_share_a_product(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train, weights = blocks(60, 40, seed=3), []
    for targets, steps in ((1024, 64), (7, 3)):
        monkeypatch.setattr(linear, "_TARGETS", targets)
        monkeypatch.setattr(linear, "_STEPS", steps)
        model = SLIM(alpha=0.01)
        model.fit(train, seed=1)
        weights.append(np.array([model.similar(item) for item in range(40)]))
    assert_close(weights[0], weights[1], 1e-5)


def test_slim_on_a_wide_catalogue_is_refused_with_the_figure() -> None:
    class Little:
        available = 1000

    with (
        patch("psutil.virtual_memory", return_value=Little()),
        pytest.raises(Unsupported, match=r"SLIM for 40 items needs 0\.0 GB"),
    ):
        SLIM().fit(blocks(60, 40), seed=1)
