from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any, get_args

import lightfm as library
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from bakeoff.data.interactions import Features, Interactions
from bakeoff.errors import ConfigError, ModelError, Unsupported
from bakeoff.models.lightfm import LightFM, Loss, draw_unseen
from numerics import assert_close
from toys import blocks

USERS = np.arange(24, dtype=np.int32)
WITHOUT_NEGATIVES = [loss for loss in get_args(Loss) if loss != "logistic"]


def featured() -> Interactions:
    """Users of three kinds, one without features; items with several each, some of them numbers."""
    rng = np.random.default_rng(5)
    of_users = np.eye(3, dtype=np.float32)[np.arange(24) % 3]
    of_users[4] = 0
    of_items = rng.normal(size=(16, 4)).astype(np.float32) * (rng.random((16, 4)) < 0.5)
    return replace(
        blocks(),
        user_features=Features(sparse.csr_matrix(of_users), ("a", "b", "c")),
        item_features=Features(sparse.csr_matrix(of_items), ("p", "q", "r", "s")),
    )


TRAIN = featured()


def library_fit(epochs: int, **parameters: Any) -> Any:
    """The library fitted on the pairs in one call."""
    fitted = library.LightFM(random_state=1, **parameters)
    pairs = TRAIN.matrix()
    pairs.data[:] = 1
    return fitted.fit(pairs.tocoo(), epochs=epochs)


@pytest.mark.parametrize("loss", WITHOUT_NEGATIVES)
def test_epoch_by_epoch_is_the_librarys_fit_to_the_bit(loss: Any) -> None:
    model = LightFM(loss=loss, no_components=4, epochs=5)
    model.fit(TRAIN, seed=1)
    fitted = library_fit(5, loss=loss, no_components=4)
    np.testing.assert_array_equal(model.user_factors[:, :-1], fitted.user_embeddings)
    np.testing.assert_array_equal(model.item_factors[:, :-1], fitted.item_embeddings)
    np.testing.assert_array_equal(model.item_factors[:, -1], fitted.item_biases)


@pytest.mark.parametrize("loss", get_args(Loss))
@pytest.mark.parametrize("identity", [True, False])
@pytest.mark.parametrize("normalize", [True, False])
def test_scores_are_the_librarys_predictions_but_for_the_bias_of_the_user(
    monkeypatch: pytest.MonkeyPatch, loss: Any, identity: bool, normalize: bool
) -> None:
    made: list[Any] = []
    real = library.LightFM
    monkeypatch.setattr(library, "LightFM", lambda **parameters: made.append(real(**parameters)) or made[-1])
    model = LightFM(
        loss=loss,
        no_components=4,
        epochs=5,
        user_features=True,
        item_features=True,
        identity=identity,
        normalize=normalize,
    )
    model.fit(TRAIN, seed=1)

    def side(features: Features | None) -> Any:
        assert features is not None
        dense = features.matrix.toarray()
        own = np.eye(len(dense)) if identity else (dense == 0).all(axis=1, keepdims=True)
        dense = np.hstack([own, dense]).astype(np.float32)
        return sparse.csr_matrix(dense / np.abs(dense).sum(axis=1, keepdims=True) if normalize else dense)

    users, items = np.divmod(np.arange(24 * 16), 16)
    predicted = made[0].predict(
        users, items, user_features=side(TRAIN.user_features), item_features=side(TRAIN.item_features)
    )
    difference = predicted.reshape(24, 16) - model.scores(USERS, TRAIN.matrix())
    biases = np.broadcast_to(difference[:, :1], (24, 16))
    assert_close(predicted.reshape(24, 16) - biases, model.scores(USERS, TRAIN.matrix()), 1e-5)


@pytest.mark.parametrize("loss", get_args(Loss))
def test_after_each_epoch_lists_are_those_of_a_fit_that_long(loss: Any) -> None:
    between: dict[int, Any] = {}
    model = LightFM(loss=loss, no_components=4, epochs=3)
    model.fit(
        TRAIN,
        seed=2,
        on_epoch=lambda done, _: between.update({done: model.recommend(USERS, TRAIN.matrix(), 5)}),
    )
    assert list(between) == [1, 2, 3]
    for epochs, lists in between.items():
        short = LightFM(loss=loss, no_components=4, epochs=epochs)
        short.fit(TRAIN, seed=2)
        for lists_now, expected in zip(lists, short.recommend(USERS, TRAIN.matrix(), 5), strict=True):
            np.testing.assert_array_equal(lists_now, expected)


class Places:
    """In place of chance: the same place in the list of unseen items for everybody, if it is long enough."""

    def __init__(self, draw: int) -> None:
        self.draw = draw

    def integers(self, low: int, high: Any) -> Any:
        return np.minimum(self.draw, np.asarray(high) - 1)


@given(
    seen=st.integers(1, 8).flatmap(
        lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=1, max_size=6)
    ),
    times=st.integers(1, 3),
    draw=st.integers(0, 8),
)
@settings(max_examples=200, deadline=None)
def test_a_negative_is_the_nth_item_that_the_user_has_not(
    seen: list[list[bool]], times: int, draw: int
) -> None:
    dense = np.array(seen)
    users, items = draw_unseen(sparse.csr_matrix(dense.astype(np.float32)), times, Places(draw))  # type: ignore[arg-type]
    expected_users, expected_items = [], []
    for user, row in enumerate(dense):
        left = np.flatnonzero(~row)
        if len(left):
            expected_users += [user] * (times * int(row.sum()))
            expected_items += [left[min(draw, len(left) - 1)]] * (times * int(row.sum()))
    assert users.tolist() == expected_users
    assert items.tolist() == expected_items


def test_negatives_are_drawn_uniformly() -> None:
    pairs = sparse.csr_matrix(np.array([[1, 0, 1, 0, 0, 1]], dtype=np.float32))
    _, items = draw_unseen(pairs, 4000, np.random.default_rng(1))
    counts = np.bincount(items, minlength=6)
    assert counts[[0, 2, 5]].sum() == 0
    assert ((counts[[1, 3, 4]] - 4000) ** 2 / 4000).sum() < 13.8  # the 99.9 % point, 2 degrees of freedom


def test_the_logistic_loss_gets_negatives_of_its_own_in_each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    interactions: list[Any] = []
    monkeypatch.setattr(
        library.LightFM, "fit_partial", lambda self, pairs, **_: interactions.append(pairs.toarray()) or self
    )
    monkeypatch.setattr(LightFM, "_learnt", lambda *_, **__: None)
    LightFM(loss="logistic", epochs=2, negatives=3).fit(TRAIN, seed=1)
    seen = TRAIN.matrix().toarray() > 0
    for signs in interactions:
        assert (signs[seen] == 1).all() and (signs[~seen] <= 0).all()
        assert -signs[~seen].sum() == 3 * seen.sum()
    assert (interactions[0] != interactions[1]).any()


def test_weights_are_scaled_to_a_mean_of_one() -> None:
    alike = replace(TRAIN, values=np.full(len(TRAIN), 7.0, dtype=np.float32))
    plain, weighty = LightFM(no_components=4, epochs=3), LightFM(no_components=4, epochs=3, weights="raw")
    for model in (plain, weighty):
        model.fit(alike, seed=1)
    np.testing.assert_array_equal(plain.item_factors, weighty.item_factors)


@pytest.mark.parametrize("loss", ["warp", "bpr", "logistic"])
def test_weights_matter_where_they_differ(loss: Any) -> None:
    plain = LightFM(loss=loss, no_components=4, epochs=3)
    weighty = LightFM(loss=loss, no_components=4, epochs=3, weights="log1p")
    for model in (plain, weighty):
        model.fit(TRAIN, seed=1)
    assert (plain.item_factors != weighty.item_factors).any()


@pytest.mark.parametrize("of", ["user", "item"])
def test_features_that_the_data_do_not_have_are_a_skip(of: str) -> None:
    model = LightFM(**{f"{of}_features": True})
    with pytest.raises(Unsupported, match=f"needs {of} features; the data set has none"):
        model.fit(blocks(), seed=1)


def test_values_below_zero_are_no_weights() -> None:
    train = replace(TRAIN, values=np.full(len(TRAIN), -1, dtype=np.float32))
    with pytest.raises(Unsupported, match=r"LightFM \(warp\) cannot weight pairs by weights=raw"):
        LightFM(weights="raw").fit(train, seed=1)
    LightFM(epochs=1).fit(train, seed=1)


def test_representations_that_diverge_are_told_with_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"LightFM \(bpr\), epoch \d: .* Try decreasing the learning rate"):
        LightFM(loss="bpr", learning_rate=1e30, epochs=9).fit(TRAIN, seed=1)


def test_a_library_that_is_missing_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightfm", None)
    with pytest.raises(Unsupported, match="pip install rectools-lightfm, which wants a C compiler"):
        LightFM().fit(TRAIN, seed=1)


def test_only_threads_make_a_fit_unrepeatable() -> None:
    assert LightFM().not_repeatable is None
    assert "num_threads > 1" in (LightFM(num_threads=2).not_repeatable or "")


def test_warp_kos_takes_no_weights() -> None:
    with pytest.raises(ConfigError, match="warp-kos takes no weights"):
        LightFM(loss="warp-kos", weights="raw")


def test_warp_kos_learns_in_a_catalogue_smaller_than_its_search() -> None:
    train = blocks(n_users=8, n_items=6)
    model = LightFM(loss="warp-kos", no_components=4, max_sampled=50, epochs=9)
    model.fit(train, seed=1)
    assert np.isfinite(model.item_factors).all()


@pytest.mark.parametrize("side", ["user_features", "item_features"])
def test_of_user_and_item_features_one_is_enough(side: str) -> None:
    other = "item_features" if side == "user_features" else "user_features"
    train = replace(TRAIN, **{other: None})  # type: ignore[arg-type]
    both, alone = LightFM(epochs=2, user_features=True, item_features=True), LightFM(epochs=2, **{side: True})
    for model in (both, alone):
        model.fit(train, seed=1)
    np.testing.assert_array_equal(both.item_factors, alone.item_factors)
    with pytest.raises(Unsupported, match="user features or item features"):
        both.fit(replace(train, **{side: None}), seed=1)  # type: ignore[arg-type]
