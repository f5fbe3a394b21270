from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from bakeoff.data.interactions import Features
from bakeoff.errors import DataError
from bakeoff.hashing import combine, hash_text, hash_texts
from bakeoff.splits.base import (
    ColdPolicy,
    Split,
    assemble,
    event_hashes,
    first_rows_of_users,
    iso,
    load_split,
    order_within_users,
    pair_draws,
    save_split,
    time_order,
    train_quota,
    uniform,
    user_draws,
)
from bakeoff.splits.chronological import Chronological
from bakeoff.splits.held_out_users import HeldOutUsers
from bakeoff.splits.kfold import KFold
from bakeoff.splits.per_user import Random
from bakeoff.splits.temporal import Temporal


def parts(log, train_rows, test_rows, **rest):
    """Train and test of one log: rows are told apart by their last column."""
    data = log([(*r, 0) for r in train_rows] + [(*r, 1) for r in test_rows], **rest)
    return data.take(data.times == 0), data.take(data.times == 1)


def test_the_catalogue_is_the_items_of_train(log) -> None:
    train, test = parts(log, [("ann", "a"), ("bob", "c")], [("ann", "c"), ("bob", "b"), ("bob", "a")])
    split = assemble(train, test)
    assert split.train.item_ids.values.tolist() == ["a", "c"]
    assert split.test.toarray().tolist() == [[0, 1], [1, 0]]
    assert split.info["dropped_cold_item_pairs"] == 1
    assert split.info["dropped_cold_items"] == 1


def test_cold_items_are_kept_where_that_is_the_policy(log) -> None:
    train, test = parts(log, [("ann", "a"), ("bob", "c")], [("bob", "b")])
    split = assemble(train, test, cold=ColdPolicy(cold_items="keep"))
    assert split.train.item_ids.values.tolist() == ["a", "b", "c"]
    assert split.info["kept_cold_items"] == 1
    assert split.info["catalogue"] == 3


def test_a_cold_user_is_dropped_and_counted(log) -> None:
    train, test = parts(log, [("ann", "a"), ("bob", "b")], [("ann", "b"), ("cat", "a"), ("cat", "b")])
    split = assemble(train, test)
    assert split.users.tolist() == [0]
    assert (split.info["dropped_cold_users"], split.info["dropped_cold_user_pairs"]) == (1, 2)
    assert split.train.user_ids.values.tolist() == ["ann", "bob"]


def test_a_cold_user_is_evaluated_where_that_is_the_policy(log) -> None:
    train, test = parts(log, [("ann", "a"), ("bob", "b")], [("ann", "b"), ("cat", "a")])
    split = assemble(train, test, cold=ColdPolicy(cold_users="keep"))
    assert split.users.tolist() == [0, 2]
    assert split.info["kept_cold_users"] == 1
    assert split.history[2].nnz == 0


def test_a_pair_that_is_cold_in_both_ways_is_counted_once(log) -> None:
    train, test = parts(log, [("ann", "a"), ("bob", "b")], [("ann", "b"), ("cat", "z")])
    info = assemble(train, test).info
    assert (info["dropped_cold_user_pairs"], info["dropped_cold_item_pairs"]) == (1, 0)


def test_a_test_pair_that_train_holds_is_dropped_and_counted(log) -> None:
    train, test = parts(log, [("ann", "a"), ("bob", "b")], [("ann", "a"), ("ann", "b"), ("ann", "b")])
    split = assemble(train, test)
    assert split.test.toarray().tolist() == [[0, 2], [0, 0]]  # the two events of b are one pair
    assert split.info["dropped_seen_in_train"] == 1
    assert (split.info["test_rows"], split.info["test_pairs"]) == (3, 1)


def test_events_are_kept_beside_the_pairs_that_they_were_merged_to(log) -> None:
    train, test = parts(log, [("ann", "a"), ("ann", "a"), ("bob", "b")], [("ann", "b")])
    split = assemble(train, test)
    assert (len(split.events), len(split.train)) == (3, 2)
    assert split.events.item_ids is split.train.item_ids


def test_features_follow_their_items_into_the_catalogue(log) -> None:
    train, test = parts(log, [("ann", "b"), ("bob", "c")], [("ann", "c"), ("bob", "a")])
    features = Features(sparse.csr_matrix(np.diag([1, 2, 3]).astype(np.float32)), ("x", "y", "z"))
    train, test = (dataclasses.replace(part, item_features=features) for part in (train, test))
    of_train = assemble(train, test).train.item_features
    assert of_train is not None
    assert of_train.matrix.toarray().tolist() == [[0, 2, 0], [0, 0, 3]]


def test_features_follow_their_users_into_the_split(log) -> None:
    train, test = parts(log, [("ann", "b"), ("cat", "c")], [("ann", "c"), ("bob", "b")])
    features = Features(sparse.csr_matrix(np.diag([1, 2, 3]).astype(np.float32)), ("x", "y", "z"))
    train, test = (dataclasses.replace(part, user_features=features) for part in (train, test))
    split = assemble(train, test)
    assert split.train.user_ids.values.tolist() == ["ann", "cat"]
    assert split.train.user_features is not None
    assert split.train.user_features.matrix.toarray().tolist() == [[1, 0, 0], [0, 0, 3]]
    assert split.train.matrix().toarray().tolist() == [[1, 0], [0, 1]]


def test_validation_rows_whose_pair_is_in_test_are_dropped_and_counted(log) -> None:
    train, test = parts(
        log, [("ann", "a"), ("ann", "b"), ("bob", "c")], [("ann", "c"), ("bob", "a"), ("bob", "b")]
    )
    split = assemble(train, test.take(np.array([0, 1])), validation=test.take(np.array([1, 2])))
    assert split.validation is not None
    assert len(split.validation) == 1
    assert split.info["dropped_validation_rows_in_test"] == 1


def test_nothing_to_train_on_is_an_error(log) -> None:
    train, test = parts(log, [("ann", "a")], [("ann", "b")])
    with pytest.raises(DataError, match="leaves no row to train on"):
        assemble(train.take(np.zeros(0, dtype=int)), test)


def test_an_empty_test_set_is_an_error_that_says_where_its_pairs_went(log) -> None:
    train, test = parts(log, [("ann", "a"), ("bob", "b")], [("ann", "a"), ("cat", "a"), ("bob", "z")])
    with pytest.raises(DataError) as caught:
        assemble(train, test)
    assert str(caught.value) == (
        "the split leaves an empty test set: of 3 pairs 1 were seen in train, 1 are of cold users and "
        "1 of cold items: change the split or the filters"
    )


def test_data_without_times_have_no_dates(log) -> None:
    train, test = parts(log, [("ann", "a"), ("bob", "b")], [("ann", "b")])
    with_dates = assemble(train, test).info
    assert (with_dates["train_first"], with_dates["test_last"]) == (
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:01Z",
    )
    without = assemble(*(dataclasses.replace(part, times=None) for part in (train, test))).info
    assert not {"train_first", "test_last"} & set(without)


def test_seconds_of_any_size_have_a_text() -> None:
    assert iso(-1) == "1969-12-31T23:59:59Z"
    assert iso(10**15).startswith("31690708-")


def test_a_matrix_of_another_shape_is_refused(log) -> None:
    split = assemble(*parts(log, [("ann", "a"), ("bob", "b")], [("ann", "b")]))
    wide = sparse.csr_matrix((2, 3), dtype=np.float32)
    with pytest.raises(TypeError, match=r"^history: expected the shape \(2, 2\), got \(2, 3\)$"):
        Split(train=split.train, test=split.test, users=split.users, history=wide, events=split.events)


TRAIN, TEST = [("ann", "a", 1), ("bob", "b", 2), ("bob", "c", 1)], [("ann", "b", 1), ("bob", "a", 3)]


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ([("ann", "a", 5), *TRAIN[1:]], TEST),  # a value of train
        (TRAIN, [("ann", "b", 9), TEST[1]]),  # a value of test
        ([*TRAIN[:2], ("ann", "c", 1)], TEST),  # an item of another user
        ([("eve", "a", 1), *TRAIN[1:]], [("eve", "b", 1), TEST[1]]),  # an id
        (TRAIN, TEST[:1]),  # a pair less
        ([*TRAIN, TEST[1]], TEST[:1]),  # a pair on the other side
    ],
)
def test_any_change_of_content_changes_the_fingerprint(log, train, test) -> None:
    original = assemble(*parts(log, TRAIN, TEST, values=True))
    changed = assemble(*parts(log, train, test, values=True))
    assert original.fingerprint != changed.fingerprint


def test_a_later_event_in_train_changes_the_fingerprint(log) -> None:
    train, test = parts(log, TRAIN, TEST, values=True)
    moved = dataclasses.replace(train, times=train.times - 1)
    assert assemble(train, test).fingerprint != assemble(moved, test).fingerprint


def test_fold_in_rows_count_in_the_fingerprint(log) -> None:
    rows = [("ann", "a"), ("ann", "b"), ("ann", "c"), ("bob", "a"), ("bob", "b"), ("bob", "c")]
    data = log(rows, times=False)
    train, test = data.take(np.arange(3)), data.take(np.array([5]))
    one = assemble(train, test, fold_in=data.take(np.array([3])))
    other = assemble(train, test, fold_in=data.take(np.array([4])))
    assert one.history[1].indices.tolist() == [0]
    assert one.fingerprint != other.fingerprint


def test_a_fingerprint_is_a_letter_and_15_hex_digits_and_does_not_move(log) -> None:
    split = assemble(*parts(log, TRAIN, TEST, values=True))
    assert split.fingerprint == "sd2ce60ebc00dc6b"  # every stored result names its split by this


def test_a_split_without_a_row_to_test_says_how_many_there_are_to_train_on(log) -> None:
    train, test = parts(log, [("ann", "a"), ("bob", "b")], [])
    with pytest.raises(DataError, match="no row to test, beside 2 pairs to train on"):
        assemble(train, test)


orders = st.one_of(st.integers(0, 3), st.integers(2**64 - 4, 2**64 - 1), st.integers(0, 2**64 - 1))


@given(st.lists(st.tuples(st.integers(0, 4), orders), min_size=1, max_size=30), st.data())
def test_the_first_rows_of_each_user_are_those_of_a_plain_sort(rows: list[tuple[int, int]], data) -> None:
    rows.sort(key=lambda row: row[0])
    users = np.array([u for u, _ in rows], dtype=np.int32)
    order = np.array([o for _, o in rows], dtype=np.uint64)
    ties = hash_texts(str(n) for n in range(len(rows)))
    counts = np.bincount(users, minlength=6)
    quota = np.array([data.draw(st.integers(0, int(c))) for c in counts])

    expected = np.zeros(len(rows), dtype=bool)
    tied = []
    for user in range(6):
        rows_of_user = sorted(np.flatnonzero(users == user), key=lambda r: (order[r], ties[r]))
        expected[rows_of_user[: quota[user]]] = True
        if (
            0 < quota[user] < len(rows_of_user)
            and order[rows_of_user[quota[user] - 1]] == order[rows_of_user[quota[user]]]
        ):
            tied.append(user)

    chosen, actual_ties = first_rows_of_users(users, quota, order, lambda at: ties[at])
    assert chosen.tolist() == expected.tolist()
    assert actual_ties.tolist() == tied


def test_of_no_rows_none_is_first() -> None:
    none = np.zeros(0, dtype=np.uint64)
    chosen, tied = first_rows_of_users(
        np.zeros(0, dtype=np.int32), np.zeros(3, dtype=int), none, lambda at: none
    )
    assert (len(chosen), len(tied)) == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 4), orders), max_size=30))
def test_rows_are_ordered_by_user_and_draw_even_where_packing_loses_bits(rows: list[tuple[int, int]]) -> None:
    rows.sort(key=lambda row: row[0])
    users = np.array([u for u, _ in rows], dtype=np.int32)
    draws = np.array([d for _, d in rows], dtype=np.uint64)
    order = order_within_users(users, draws, 5)
    assert sorted(order.tolist()) == list(range(len(rows)))
    assert [(users[r], draws[r]) for r in order] == sorted(zip(users, draws, strict=True))


@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.75, 0.8, 0.99])
def test_the_quota_leaves_every_user_something_in_train(ratio: float) -> None:
    counts = np.arange(200)
    quota = train_quota(counts, ratio)
    assert (quota[1:] >= 1).all()
    assert (quota <= counts).all()
    assert abs(quota - ratio * counts)[2:].max() <= 0.9


def test_a_draw_is_the_hash_of_seed_level_user_and_item(log) -> None:
    data = log([("ann", 7, 0), ("bob", 8, 0)])
    seed = hash_text("split 42 1")
    users = [combine(seed, hash_text(name))[0] for name in ("ann", "bob")]
    assert user_draws(data, 42, 1).tolist() == users
    expected = [combine(u, hash_text(i))[0] for u, i in zip(users, ("7", "8"), strict=True)]
    assert pair_draws(data, 42, 1).tolist() == expected


def test_draws_are_spread_evenly_over_0_to_1(log) -> None:
    share = uniform(pair_draws(log([(u, i, 0) for u in range(200) for i in range(50)]), 1))
    assert share.min() >= 0
    assert share.max() < 1
    counts, _ = np.histogram(share, bins=10, range=(0, 1))
    assert abs(counts - 1000).max() < 4.5 * 30


def test_the_largest_draw_is_below_1() -> None:
    assert uniform(np.array([2**64 - 1], dtype=np.uint64))[0] < 1


def test_times_become_an_order_from_0_however_far_apart_they_are() -> None:
    ends = np.array([-(2**63), 0, 2**63 - 1])
    assert time_order(ends).tolist() == [0, 2**63, 2**64 - 1]
    assert time_order(ends[:0]).tolist() == []


def test_repeated_events_of_one_second_have_hashes_of_their_own(log) -> None:
    data = log([("ann", "a", 5, 1), ("ann", "a", 2, 1), ("ann", "b", 2, 1), ("ann", "a", 9, 2)], values=True)
    hashes = event_hashes(data, np.array([0, 1, 3]))  # those of second 1: a, a, b
    assert len(set(hashes.tolist())) == 3
    assert event_hashes(data, np.array([0]))[0] == hashes[0]
    assert event_hashes(data, np.zeros(0, dtype=int)).shape == (0,)


ROWS = [
    (f"user {u}", (3 * u + i) % 20, 1 + i % 3, (7 * u + 11 * i) % 50) for u in range(30) for i in range(9)
]
REPEATS = [*ROWS, *((u, i, v, t + 1) for u, i, v, t in ROWS[::4])]


def check_same(one: Split, other: Split) -> None:
    for name in ("test", "history"):
        assert (getattr(one, name) != getattr(other, name)).nnz == 0
        assert getattr(other, name).dtype == np.float32
    for name in ("train", "events"):
        assert getattr(one, name).fingerprint == getattr(other, name).fingerprint
    assert one.users.tolist() == other.users.tolist()
    assert (one.held_out, one.level, dict(one.info)) == (other.held_out, other.level, other.info)
    recomputed = replace(other)  # without the stored fingerprint
    assert one.fingerprint == other.fingerprint == recomputed.fingerprint


@pytest.mark.parametrize(
    "splitter",
    [Random(), Chronological(), Temporal(), HeldOutUsers(share=0.3), KFold()],
    ids=lambda s: type(s).__name__,
)
@pytest.mark.parametrize("values", [True, False])
def test_a_split_comes_back_as_it_was_and_so_does_its_inner_split(
    tmp_path: Path, log, splitter, values
) -> None:
    data = log(REPEATS, values=True)
    split = splitter.split(data if values else replace(data, values=None), seed=1)
    save_split(split, tmp_path)
    back = load_split(tmp_path)
    check_same(split, back)
    check_same(splitter.inner(split, 1), splitter.inner(back, 1))


def test_validation_rows_come_back(tmp_path: Path, log) -> None:
    data = log(ROWS, values=True)
    train, validation, test = (data.take((np.arange(len(data)) % 3) == n) for n in range(3))
    split = assemble(train, test, validation=validation)
    save_split(split, tmp_path)
    back = load_split(tmp_path)
    assert split.validation is not None
    assert back.validation is not None
    assert len(back.validation) > 50
    assert back.validation.fingerprint == split.validation.fingerprint
    assert back.validation.item_ids is back.train.item_ids


def test_the_same_split_gives_the_same_bytes(tmp_path: Path, log) -> None:
    contents = []
    for name, rows in (("one", REPEATS), ("two", REPEATS[::-1])):
        folder = tmp_path / name
        folder.mkdir()
        save_split(Chronological().split(log(rows, values=True), seed=1), folder)
        contents.append({f.name: f.read_bytes() for f in folder.iterdir()})
    assert contents[0] == contents[1]


def test_nothing_is_stored_twice(tmp_path: Path, log) -> None:
    save_split(Random().split(log(ROWS, values=True), seed=1), tmp_path)
    names = {f.name.split(".")[0] for f in tmp_path.iterdir()}
    assert names == {"split", "train", "test", "users"}  # no history and no events: they are train's


def test_a_history_of_its_own_is_stored_even_where_nobody_is_held_out(tmp_path: Path, log) -> None:
    split = Random().split(log(ROWS, values=True), seed=1)
    doubled = replace(split, history=split.history * 2)
    save_split(doubled, tmp_path)
    assert (load_split(tmp_path).history != doubled.history).nnz == 0


def test_loaded_arrays_cannot_be_written_but_matrices_of_train_can(tmp_path: Path, log) -> None:
    save_split(Random().split(log(ROWS, values=True), seed=1), tmp_path)
    back = load_split(tmp_path)
    assert not back.train.users.flags.writeable
    assert not back.history.data.flags.writeable
    back.train.matrix().data[:] = 0  # models may do so with their copy
    assert back.train.matrix().sum() > 0
