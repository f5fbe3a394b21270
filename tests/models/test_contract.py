"""What every model of conf/model promises, whoever wrote it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from bakeoff import conf
from bakeoff.cell import build_model
from bakeoff.data.interactions import Features, Ids, Interactions
from bakeoff.errors import Unsupported
from bakeoff.evaluation.topk import TopK
from bakeoff.models.base import RanksTargets
from bakeoff.models.threads import limited
from toys import blocks

NAMES = [n for n in conf.options("model") if n != "external"]  # it has a file instead of a fit
SMALL = {
    "factors": 8,
    "no_components": 8,
    "iterations": 15,
    "epochs": 15,
    "K": 16,
    "l2": 5.0,
}
UNPERSONAL = {"popularity", "random", "biases"}


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    with limited(1):
        yield


def configured(name: str) -> Any:
    """The shipped model, made small."""
    config = conf.read(conf.folder() / "model" / f"{name}.yaml")
    if name == "sar":
        pytest.importorskip("recommenders", reason="the extra recommenders is not installed")
    more = {k: v for k, v in SMALL.items() if k in config["build"]}
    return build_model(config, **more)


def data(n_users: int = 40, n_items: int = 20) -> Interactions:
    """Two kinds of users and items, with features that tell them; one user and one item without a row."""
    rows = blocks(n_users, n_items)
    rows = rows.take((rows.users != 7) & (rows.items != 9))
    kind = {n: sparse.csr_matrix(np.eye(2, dtype=np.float32)[np.arange(n) % 2]) for n in (n_users, n_items)}
    names = ("kind=even", "kind=odd")
    return replace(
        rows, user_features=Features(kind[n_users], names), item_features=Features(kind[n_items], names)
    )


def lists(model: Any, train: Interactions, k: int, seed: int = 1) -> tuple[Any, Any]:
    model.fit(train, seed=seed)
    return model.recommend(np.arange(train.n_users, dtype=np.int32), train.matrix(), k)


@pytest.mark.parametrize("name", NAMES)
def test_lists_hold_nothing_seen_no_repeats_and_are_padded(name: str) -> None:
    train = data()
    items, scores = lists(configured(name), train, 20)
    assert items.dtype == np.int32 and scores.dtype == np.float32
    test = sparse.csr_matrix((train.n_users, train.n_items), dtype=np.float32)
    TopK.build(
        np.arange(train.n_users, dtype=np.int32), items, scores, history=train.matrix(), test=test
    )  # checks shape, range, repeats, history, pads and order


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_lists_also_on_a_second_fit(name: str) -> None:
    train, model = data(), configured(name)
    first, second, fresh = (
        lists(model, train, 10),
        lists(model, train, 10),
        lists(configured(name), train, 10),
    )
    for other in (second, fresh):
        np.testing.assert_array_equal(first[0], other[0])
        np.testing.assert_array_equal(first[1], other[1])


@pytest.mark.parametrize("name", NAMES)
def test_a_model_without_chance_does_not_heed_the_seed(name: str) -> None:
    model = configured(name)
    if model.stochastic:
        pytest.skip("its seed matters")
    np.testing.assert_array_equal(lists(model, data(), 10, seed=1)[0], lists(model, data(), 10, seed=2)[0])


@pytest.mark.parametrize("name", [n for n in NAMES if n not in UNPERSONAL])
def test_a_personal_model_finds_the_kind_of_each_user(name: str) -> None:
    train = data()
    items, _ = lists(configured(name), train, 1)
    own = np.arange(train.n_users)[:, None] % 2 == np.arange(train.n_items)[None, :] % 2
    left = (own & (train.matrix().toarray() == 0))[:, np.arange(train.n_items) != 9].any(axis=1)
    left[7] = False  # nothing is known of that user, and nobody has item 9
    users = np.flatnonzero(left)
    assert (items[users, 0] % 2 == users % 2).mean() > 0.85


@pytest.mark.parametrize("name", NAMES)
def test_neither_train_nor_the_global_random_state_is_touched(name: str) -> None:
    train = data()
    before = train.fingerprint, np.random.get_state()[1].copy()  # noqa: NPY002 - it is what must not change
    lists(configured(name), train, 5)
    assert train.fingerprint == before[0]
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


@pytest.mark.parametrize("name", NAMES)
def test_unknown_users_are_served_where_the_model_says_so(name: str) -> None:
    model, train = configured(name), data()
    if not model.folds_in:
        pytest.skip("it says that it cannot")
    model.fit(train, seed=1)
    history = train.matrix().tolil()
    history[7, [0, 2, 4]] = 1
    items, _ = model.recommend(np.array([7], np.int32), sparse.csr_matrix(history.tocsr()[[7]]), 3)
    assert (items[0] >= 0).all() and not set(items[0]) & {0, 2, 4}
    if name not in UNPERSONAL:
        assert (items[0] % 2 == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_target_ranks_agree_with_a_list_of_the_whole_catalogue(name: str) -> None:
    model, train = configured(name), data()
    if not isinstance(model, RanksTargets):
        pytest.skip("it ranks no targets")
    model.fit(train, seed=1)
    users, history = np.arange(train.n_users, dtype=np.int32), train.matrix()
    unseen = sparse.csr_matrix((history.toarray() == 0).astype(np.float32))
    ranked = model.rank(users, history, train.n_items, unseen)
    whole = model.recommend(users, history, train.n_items)[0]
    np.testing.assert_array_equal(ranked.items, whole)
    at = {(u, i): r for u in users for r, i in enumerate(whole[u]) if i >= 0}
    rows = np.repeat(users, np.diff(unseen.indptr))
    for user, item, above, ties in zip(rows, unseen.indices, ranked.above, ranked.ties, strict=True):
        if (user, item) in at:
            assert above <= at[user, item] <= above + ties


@pytest.mark.parametrize("name", NAMES)
def test_epochs_are_told_one_by_one_and_lists_can_be_had_between(name: str) -> None:
    model, train = configured(name), data()
    users, told = np.arange(3, dtype=np.int32), []

    def on_epoch(done: int, _loss: float | None) -> None:
        told.append(done)
        assert model.recommend(users, train.matrix()[users], 2)[0].shape == (3, 2)

    model.fit(train, seed=1, on_epoch=on_epoch)
    assert told == list(range(1, len(told) + 1))


def test_features_that_are_not_there_are_a_skip() -> None:
    with pytest.raises(Unsupported, match="features"):
        configured("warp_features").fit(blocks(), seed=1)


def test_every_user_of_a_single_item_catalogue_gets_pads() -> None:
    one = Interactions.of(
        np.zeros(3, np.int32) + np.arange(3, dtype=np.int32),
        np.zeros(3, np.int32),
        np.ones(3, np.float32),
        None,
        Ids.of(range(3)),
        Ids.of(["only"]),
    )
    model = configured("popularity")
    assert (lists(model, one, 2)[0] == -1).all()
