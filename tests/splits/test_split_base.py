import dataclasses

import numpy as np
import pytest
from scipy import sparse

from bakeoff.data.interactions import Features
from bakeoff.errors import DataError
from bakeoff.splits.base import ColdPolicy, Split, assemble, iso


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
    kept = assemble(train, test).train.item_features
    assert kept is not None
    assert kept.matrix.toarray().tolist() == [[0, 2, 0], [0, 0, 3]]


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
