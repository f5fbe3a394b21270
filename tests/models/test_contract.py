"""What every model of conf/model promises, whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from bakeoff import config_files
from bakeoff.data.interactions import Features, Ids, Interactions
from bakeoff.evaluation.topk import TopK
from bakeoff.importing import import_object
from bakeoff.models.base import (
    HasDeterminism,
    ItemSimilarity,
    Model,
    PredictsValues,
    RanksTargets,
    Serializable,
)
from bakeoff.run.cell import build_model, build_source
from bakeoff.run.inference import recommend
from bakeoff.splits.base import Split
from bakeoff.splits.by_row import RandomRows
from bakeoff.storage.saved_models import from_arrays, read_arrays, to_arrays, write_arrays
from bakeoff.tuning.space import parse
from numerics import assert_close
from toys import blocks

Made = Callable[[str, Interactions], Model]
Lists = tuple[Any, Any]

NAMES = [name for name in config_files.options("model") if name != "command"]  # tests of its own
NOT_PERSONAL = {"popularity", "popularity_recent", "popularity_group", "random", "biases"}
PERSONAL = [n for n in NAMES if n not in NOT_PERSONAL]
FROM_ELSEWHERE = {"external"}


def data(n_users: int = 40, n_items: int = 20) -> Interactions:
    """Two kinds of users and items, with features that tell them; user 7 and item 9 are without a row."""
    rows = blocks(n_users, n_items)
    return with_kinds(rows.take((rows.users != 7) & (rows.items != 9)))


def with_kinds(rows: Interactions) -> Interactions:
    sides = []
    for n in (rows.n_users, rows.n_items):
        kind = np.eye(2, dtype=np.float32)[np.arange(n) % 2]
        sides.append(Features(sparse.csr_matrix(kind), ("kind=even", "kind=odd")))
    return replace(rows, user_features=sides[0], item_features=sides[1])


def dense(seen: Any) -> Interactions:
    users, items = np.nonzero(seen)
    return with_kinds(
        Interactions.of(
            users.astype(np.int32),
            items.astype(np.int32),
            np.ones(len(users), np.float32),
            np.arange(len(users), dtype=np.int64),
            Ids.of(range(seen.shape[0])),
            Ids.of(range(seen.shape[1])),
        )
    )


def everybody(train: Interactions) -> Any:
    return np.arange(train.n_users, dtype=np.int32)


def lists(model: Model, train: Interactions, k: int, seed: int = 1) -> Lists:
    model.fit(train, seed=seed)
    return model.recommend(everybody(train), train.matrix(), k)


def assert_same(one: Lists, other: Lists) -> None:
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])


def assert_same_but_for_rounding(one: Lists, other: Lists, n_items: int) -> None:
    """Raise AssertionError unless both give each user the same items, where equal scores may change places.

    A BLAS kernel rounds a row of a product by the number of rows, so scores that differ by rounding alone
    may be ordered otherwise, and an item may leave the end of a list for one with the last score.
    """

    def table(lists: Lists) -> Any:
        items, scores = lists
        scores = np.where(np.isfinite(scores), scores, 0)
        filled = np.repeat(scores[:, -1:], n_items + 1, axis=1)  # the last column takes the padding, item -1
        np.put_along_axis(filled, items, scores, axis=1)
        return filled

    assert_close(one[1], other[1], 1e-6)
    assert_close(table(one), table(other), 1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_file_gives_every_parameter_and_the_constructor_knows_them_all(name: str) -> None:
    build = config_files.read(config_files.folder() / "model" / f"{name}.yaml")["build"]
    parameters = {f.name for f in fields(import_object(build["_target_"], "model.build._target_"))}
    assert set(build) - {"_target_"} == parameters


@pytest.mark.parametrize("name", NAMES)
def test_the_space_is_one_that_tuning_takes(name: str) -> None:
    config = config_files.read(config_files.folder() / "model" / f"{name}.yaml")
    if "space" not in config:
        assert name in NOT_PERSONAL | FROM_ELSEWHERE
        pytest.skip("it has no space: there is nothing to tune")
    space = parse(config)
    assert {axis.name for axis in space.axes} == set(config["space"])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("k", [1, 5, 20, 25])
def test_lists_hold_nothing_seen_no_repeats_and_are_padded(made: Made, name: str, k: int) -> None:
    train = data()
    items, scores = lists(made(name, train), train, k)
    assert items.shape == scores.shape == (train.n_users, k)
    nothing = sparse.csr_matrix((train.n_users, train.n_items), dtype=np.float32)
    # Shapes, dtypes, range, repeats, history, pads and order are checked here.
    TopK.build(everybody(train), items, scores, history=train.matrix(), test=nothing)
    assert (items[:, 20:] == -1).all() and (scores[items < 0] == -np.inf).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_longer_list_only_goes_on_from_a_shorter_one(made: Made, name: str) -> None:
    train = data()
    model = made(name, train)
    short = lists(model, train, 3)
    long = model.recommend(everybody(train), train.matrix(), 12)
    assert_same(short, (long[0][:, :3], long[1][:, :3]))


@pytest.mark.parametrize("name", NAMES)
def test_fewer_users_than_k_and_fewer_items_too(made: Made, name: str) -> None:
    train = dense(np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 1, 1, 1]]))
    items, _ = lists(made(name, train), train, 10)
    assert items.shape == (3, 10)
    assert set(items[0]) <= {2, 3, -1} and set(items[1]) <= {0, 3, -1}
    assert (items[2] == -1).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_lists_also_on_a_second_fit(made: Made, name: str) -> None:
    train = data()
    model = made(name, train)
    if isinstance(model, HasDeterminism):
        assert model.not_repeatable is None
    first = lists(model, train, 10)
    other = lists(model, dense(np.array([[1, 0], [0, 1]])), 2) if name not in FROM_ELSEWHERE else None
    assert other is None or other[0].shape == (2, 2)
    assert_same(first, lists(model, train, 10))
    assert_same(first, lists(made(name, train), train, 10))


@pytest.mark.parametrize("name", NAMES)
def test_a_model_without_chance_does_not_heed_the_seed(made: Made, name: str) -> None:
    train = data()
    model = made(name, train)
    if model.stochastic:
        pytest.skip("its seed matters")
    assert_same(lists(model, train, 10, seed=1), lists(model, train, 10, seed=2))


@pytest.mark.parametrize("name", NAMES)
def test_users_without_a_row_do_not_change_the_lists_of_the_others(made: Made, name: str) -> None:
    more = data()
    present = np.flatnonzero(np.bincount(more.users, minlength=more.n_users))
    present = present[present % 3 > 0]
    more = more.take(np.isin(more.users, present))
    features = more.user_features
    assert features is not None
    alone = replace(
        more,
        users=np.searchsorted(present, more.users).astype(np.int32),
        user_ids=more.user_ids.take(present),
        user_features=features.take(present),
    )
    model = made(name, more)
    expected = lists(model, alone, 10)
    items, scores = lists(model, more, 10)
    assert_same_but_for_rounding(expected, (items[present], scores[present]), more.n_items)


# Below the first, all singular values of the board are equal: which vectors pure_svd takes is arbitrary.
@pytest.mark.parametrize("name", [n for n in PERSONAL if n != "pure_svd"])
def test_on_a_checkerboard_the_square_that_is_missing_comes_first(made: Made, name: str) -> None:
    n = 30
    board = np.arange(n)[:, None] % 2 == np.arange(n)[None, :] % 2
    train = dense(board & ~np.eye(n, dtype=bool))
    items, _ = lists(made(name, train), train, 1)
    assert items[:, 0].tolist() == list(range(n))


@pytest.mark.parametrize("name", PERSONAL)
def test_a_personal_model_finds_the_kind_of_each_user(made: Made, name: str) -> None:
    train = data()
    items, _ = lists(made(name, train), train, 1)
    own = np.arange(train.n_users)[:, None] % 2 == np.arange(train.n_items)[None, :] % 2
    left = (own & (train.matrix().toarray() == 0))[:, np.arange(train.n_items) != 9].any(axis=1)
    left[7] = False  # nothing is known of that user, and nobody has item 9
    users = np.flatnonzero(left)
    # By chance about a third: of the unseen items two thirds are of the other kind.
    assert (items[users, 0] % 2 == users % 2).mean() > 0.85


@pytest.mark.parametrize("name", NAMES)
def test_neither_train_nor_the_history_nor_the_global_random_state_is_touched(made: Made, name: str) -> None:
    train, history = data(), data().matrix()
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - it is what must not change
    model = made(name, train)
    model.fit(train, seed=1)
    model.recommend(everybody(train), history, 5)
    assert train.fingerprint == data().fingerprint
    for before, after in ((data().matrix(), history), (data().matrix(), train.matrix())):
        for part in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(before, part), getattr(after, part))
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.parametrize("name", NAMES)
def test_values_are_not_needed(made: Made, name: str) -> None:
    train = replace(data(), values=None)
    if isinstance(model := made(name, train), PredictsValues):
        pytest.skip("it predicts values")
    assert (lists(model, train, 3)[0][0] >= 0).any()


@pytest.mark.parametrize("name", NAMES)
def test_unknown_users_are_served_where_the_model_says_so(made: Made, name: str) -> None:
    train = data()
    held = train.matrix().tolil()
    held[7, [1, 3, 5]] = 1
    history = sparse.csr_matrix(held)[[7]]
    model = made(name, dense(held.toarray()) if name not in FROM_ELSEWHERE else _joined(train, [1, 3, 5]))
    if not model.folds_in:
        pytest.skip("it says that it cannot")
    model.fit(train, seed=1)
    items, _ = model.recommend(np.array([7], np.int32), history, 3)
    assert (items[0] >= 0).all() and not set(items[0]) & {1, 3, 5}
    if name not in NOT_PERSONAL:
        assert (items[0] % 2 == 1).all()


def _joined(train: Interactions, more: list[int]) -> Interactions:
    """Train with rows of user 7."""
    return Interactions.of(
        np.append(train.users, np.full(len(more), 7, np.int32)),
        np.append(train.items, np.array(more, np.int32)),
        None,
        None,
        train.user_ids,
        train.item_ids,
    )


@pytest.mark.parametrize("name", NAMES)
def test_target_ranks_agree_with_a_list_of_the_whole_catalogue(made: Made, name: str) -> None:
    train = data()
    model = made(name, train)
    if not isinstance(model, RanksTargets):
        pytest.skip("it ranks no targets")
    model.fit(train, seed=1)
    users, history = everybody(train), train.matrix()
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
def test_it_saves_and_loads_to_the_same_answers(made: Made, name: str, tmp_path: Path) -> None:
    train = data()
    model, twin = made(name, train), made(name, train)
    assert isinstance(model, Serializable) and isinstance(twin, Serializable)
    before = lists(model, train, 12)
    write_arrays(tmp_path / "model.npz", to_arrays(model.state()))
    twin.restore(from_arrays(read_arrays(tmp_path / "model.npz")))
    assert_same(before, twin.recommend(everybody(train), train.matrix(), 12))
    if isinstance(model, RanksTargets) and isinstance(twin, RanksTargets):
        unseen = sparse.csr_matrix((train.matrix().toarray() == 0).astype(np.float32))
        ranks = [m.rank(everybody(train), train.matrix(), 3, unseen) for m in (model, twin)]
        for one, other in zip(*ranks, strict=True):
            np.testing.assert_array_equal(one, other)
    if isinstance(model, PredictsValues) and isinstance(twin, PredictsValues):
        values = [m.predict(train.users, train.items) for m in (model, twin)]
        np.testing.assert_array_equal(*values)
    if isinstance(model, ItemSimilarity) and isinstance(twin, ItemSimilarity):
        np.testing.assert_array_equal(model.similar(4), twin.similar(4))


@pytest.mark.parametrize("name", NAMES)
def test_a_newcomer_is_served_from_a_history_alone(made: Made, name: str) -> None:
    train = data()
    model = made(name, train)
    if not model.folds_in:
        pytest.skip("it says that it cannot")
    model.fit(train, seed=1)
    history = sparse.csr_matrix((np.ones(3, np.float32), [1, 3, 5], [0, 3]), (1, train.n_items))
    items, _ = model.recommend(np.array([train.n_users], np.int32), history, 4)
    if name in FROM_ELSEWHERE:
        assert (items == -1).all()
        return
    assert (items >= 0).all() and not set(items[0]) & {1, 3, 5}
    if name not in ("random", "popularity_group"):  # user 7 has features, which the newcomer has not
        expected = model.recommend(np.array([7], np.int32), history, 4)[0]  # train knows nothing of 7
        np.testing.assert_array_equal(items, expected)


@pytest.mark.parametrize("name", NAMES)
def test_items_of_one_kind_are_more_alike_than_others(made: Made, name: str) -> None:
    train = data()
    model = made(name, train)
    model.fit(train, seed=1)
    if not isinstance(model, ItemSimilarity):
        pytest.skip("it has no notion of items that are alike")
    for item in (2, 3):
        likeness = model.similar(item)
        assert likeness.shape == (train.n_items,) and np.isfinite(likeness).all()
        others = np.setdiff1d(np.arange(train.n_items), [item, 9])  # nobody has item 9
        own = others % 2 == item % 2
        assert likeness[others][own].mean() > likeness[others][~own].mean()
        assert (
            others[np.argsort(-likeness[others])[:3]].tolist()
            == [i for i in others[np.argsort(-likeness[others])] if i % 2 == item % 2][:3]
        )


@pytest.mark.parametrize("name", NAMES)
def test_epochs_are_told_one_by_one_and_lists_can_be_had_between(made: Made, name: str) -> None:
    train = data()
    model, users, epochs = made(name, train), np.arange(3, dtype=np.int32), []

    def on_epoch(done: int, _loss: float | None) -> None:
        epochs.append(done)
        items, scores = model.recommend(users, train.matrix()[users], 2)
        assert items.shape == (3, 2) and np.isfinite(scores[items >= 0]).all()

    model.fit(train, seed=1, on_epoch=on_epoch)
    n_epochs = getattr(model, "iterations", getattr(model, "epochs", 0))
    assert epochs == list(range(1, n_epochs + 1))


@pytest.fixture(scope="module")
def ratings(real_data: Path) -> Split:
    """MovieLens 100K of the first half of the users, to save time, with rows held out at random."""
    config = config_files.read(config_files.folder() / "dataset" / "ml_100k.yaml")
    rows = build_source(config).load().interactions
    return RandomRows().split(rows.take(rows.users < rows.n_users // 2), 0)


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["als", "bpr", "lmf", "warp", "lightfm_bpr", "sar"])
def test_the_shipped_settings_beat_popularity_on_real_ratings(ratings: Split, name: str) -> None:
    ndcg = {each: ndcg_of_shipped(each, ratings) for each in ("popularity", name)}
    assert ndcg[name] > 1.2 * ndcg["popularity"], ndcg


def ndcg_of_shipped(name: str, split: Split) -> float:
    """Mean nDCG@10 of a shipped model with its defaults."""
    model = build_model(config_files.read(config_files.folder() / "model" / f"{name}.yaml"))
    model.fit(split.train, seed=1)
    lists = recommend(model, split, 10)[0]
    gains = 1 / np.log2(np.arange(2, 12))
    ideal = np.cumsum(gains)[np.minimum(lists.n_relevant, 10) - 1]
    return float((lists.hits @ gains / ideal).mean())
