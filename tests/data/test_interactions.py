from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from bakeoff.data import interactions as module
from bakeoff.data.interactions import Features, Ids, Interactions, concatenate, find_code
from bakeoff.errors import DataError, UsageError

ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 5), st.integers(0, 3)),
    min_size=1,
    max_size=40,
)
USERS, ITEMS = Ids.of([10, 20, 30, 40, 50]), Ids.of(["a", "b", "c", "d"])


def built(rows, *, values=True, times=True, **rest):
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return Interactions.of(
        columns[0].astype(np.int32),
        columns[1].astype(np.int32),
        columns[2].astype(np.float32) if values else None,
        columns[3] if times else None,
        USERS,
        ITEMS,
        **rest,
    )


def test_ids_that_are_whole_numbers_are_sorted_by_size():
    assert Ids.of([10, 9, 100, 9]).values.tolist() == [9, 10, 100]


def test_ids_become_texts_where_one_of_them_is():
    assert Ids.of([10, "x", 9]).values.tolist() == ["10", "9", "x"]


def test_texts_are_sorted_by_code_point():
    assert Ids.of(["é", "z", "日", "", "Z"]).values.tolist() == ["", "Z", "z", "é", "日"]


def test_a_number_and_its_text_hash_the_same():
    assert Ids.of([7]).hashes[0] == Ids.of(["7"]).hashes[0]


@given(st.lists(st.text(), unique=True), st.data())
def test_some_of_the_texts_are_taken_as_they_are(texts, data):
    ids = Ids.of(texts)
    codes = np.array(
        sorted(data.draw(st.sets(st.integers(0, len(ids) - 1)))) if len(ids) else [], dtype=np.int64
    )
    assert ids.take(codes).values.tolist() == ids.values[codes].tolist()


def test_some_of_the_numbers_are_taken_as_they_are():
    assert Ids.of([1, 5, 9]).take(np.array([0, 2])).values.tolist() == [1, 9]


def test_an_unknown_id_has_the_code_minus_one():
    assert Ids.of([5, 7]).codes(np.array([7, 6, 5])).tolist() == [1, -1, 0]
    assert Ids.of(["5", "x"]).codes(np.array([5, 6])).tolist() == [0, -1]


@given(ROWS, st.booleans(), st.booleans())
def test_rows_are_sorted_by_user_item_time_and_value(rows, values, times):
    data = built(rows, values=values, times=times)
    expected = sorted((u, i, t if times else 0, v if values else 0) for u, i, v, t in rows)
    got = zip(
        data.users,
        data.items,
        data.times if times else np.zeros(len(data)),
        data.values if values else np.zeros(len(data)),
        strict=True,
    )
    assert list(got) == expected


@given(ROWS)
def test_the_order_is_the_same_where_pair_and_row_do_not_fit_one_number(rows):
    columns = np.array(rows, dtype=np.int64).T
    users, items = columns[0].astype(np.int32), columns[1].astype(np.int32)
    narrow = module._canonical_order(users, items, 4, [columns[2], columns[3]])
    wide = module._canonical_order(users + np.int32(2**31 - 10), items, 2**31, [columns[2], columns[3]])
    assert columns[:, narrow].tolist() == columns[:, wide].tolist()


@pytest.mark.parametrize("rule", ["sum", "max", "last"])
@given(rows=ROWS)
def test_repeated_pairs_merge_by_the_rule(rule, rows):
    data = built(rows, merge=rule).merged()
    groups = defaultdict(list)
    for u, i, v, t in rows:
        groups[u, i].append((t, v))
    pick = {
        "sum": lambda g: sum(v for _, v in g),
        "max": lambda g: max(v for _, v in g),
        "last": lambda g: max(g)[1],
    }
    expected = [(*pair, pick[rule](g), max(g)[0]) for pair, g in sorted(groups.items())]
    assert list(zip(data.users, data.items, data.values, data.times, strict=True)) == expected


def test_events_without_values_merge_to_their_number():
    data = built([(0, 0, 0, 1), (0, 0, 0, 2), (1, 1, 0, 1)], values=False)
    assert data.merged().values.tolist() == [2, 1]
    assert built([(0, 0, 0, 1), (0, 0, 0, 2)], values=False, merge="last").merged().values is None


def test_merging_what_is_merged_changes_nothing():
    data = built([(0, 0, 3, 1), (0, 0, 4, 2)]).merged()
    assert data.merged() is data


@given(ROWS)
def test_the_matrix_holds_the_merged_pairs(rows):
    expected = np.zeros((5, 4))
    for u, i, v, _ in rows:
        expected[u, i] += v
    matrix = built(rows).matrix()
    assert matrix.dtype == np.float32
    assert matrix.has_sorted_indices
    assert (matrix.toarray() == expected).all()


def test_a_changed_matrix_leaves_the_data_alone():
    data = built([(0, 0, 3, 1)])
    data.matrix().data[:] = 9
    assert data.matrix().data.tolist() == [3]


@given(ROWS, st.randoms(use_true_random=False))
def test_row_order_does_not_change_the_fingerprint(rows, chance):
    shuffled = chance.sample(rows, len(rows))
    assert built(rows).fingerprint == built(shuffled).fingerprint


def test_the_fingerprint_knows_ids_not_codes():
    one = built([(0, 0, 1, 1)])
    same = Interactions.of(one.users, one.items, one.values, one.times, Ids.of(["10", "x"]), Ids.of(["a"]))
    other = Interactions.of(one.users, one.items, one.values, one.times, Ids.of([11]), Ids.of(["a"]))
    assert one.fingerprint == same.fingerprint != other.fingerprint


@pytest.mark.parametrize("change", [(0, 0, 2, 1), (0, 0, 1, 2), (0, 1, 1, 1), (1, 0, 1, 1)])
def test_any_changed_field_changes_the_fingerprint(change):
    assert built([(0, 0, 1, 1)]).fingerprint != built([change]).fingerprint


def test_taken_rows_keep_the_ids():
    data = built([(0, 0, 1, 1), (1, 1, 2, 2), (2, 2, 3, 3)])
    part = data.take(data.values > 1)
    assert part.users.tolist() == [1, 2]
    assert part.user_ids is data.user_ids


def test_a_smaller_catalogue_takes_its_items_features_along():
    features = Features(sparse.csr_matrix(np.eye(4, dtype=np.float32)), ("p", "q", "r", "s"))
    data = built([(0, 0, 1, 1), (1, 1, 2, 2), (2, 3, 3, 3)], item_features=features)
    part = data.with_items(np.array([True, False, False, True]))
    assert part.item_ids.values.tolist() == ["a", "d"]
    assert part.items.tolist() == [0, 1]
    assert part.item_features.matrix.toarray().tolist() == [[1, 0, 0, 0], [0, 0, 0, 1]]


def test_the_summary_counts_users_and_items_that_have_rows():
    summary = built([(0, 0, 1, 5), (0, 0, 1, 9), (1, 2, 1, 7)]).summary()
    assert summary == {"rows": 3, "pairs": 2, "users": 2, "items": 2, "density": 0.5, "first": 5, "last": 9}


def test_the_summary_of_nothing_is_zero():
    assert built([]).summary()["pairs"] == 0


def test_parts_put_together_are_the_whole():
    data = built([(0, 0, 1, 1), (1, 1, 2, 2), (2, 2, 3, 3)])
    mask = np.array([True, False, True])
    assert concatenate([data.take(mask), data.take(~mask)]).fingerprint == data.fingerprint


def test_parts_with_other_ids_cannot_be_put_together():
    data = built([(0, 0, 1, 1)])
    with pytest.raises(DataError, match="different ids"):
        concatenate([data, Interactions.of(data.users, data.items, None, None, Ids.of([1]), ITEMS)])


def test_arrays_cannot_be_written_to():
    data = built([(0, 0, 1, 1)])
    with pytest.raises(ValueError, match="read-only"):
        data.values[0] = 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"users": np.zeros(1, np.int64)}, "users: expected a 1-d array of int32"),
        ({"items": np.zeros(2, np.int32)}, "items: expected 1 rows, got 2"),
        ({"users": np.full(1, 7, np.int32)}, r"users: expected codes in 0\.\.4, got 7\.\.7"),
        ({"merge": "mean"}, "merge: expected one of"),
        ({"item_features": Features(sparse.csr_matrix((3, 0)), ())}, "item_features: expected 4 rows, got 3"),
    ],
)
def test_what_is_not_interactions_is_refused(wrong, message):
    right = {"users": np.zeros(1, np.int32), "items": np.zeros(1, np.int32), "values": None, "times": None}
    with pytest.raises(TypeError, match=message):
        Interactions(**{**right, "user_ids": USERS, "item_ids": ITEMS, **wrong})


@pytest.mark.parametrize(("users", "items"), [([1, 0], [0, 0]), ([0, 0], [1, 0])])
def test_unsorted_rows_are_refused(users, items):
    with pytest.raises(TypeError, match=r"build with Interactions\.of"):
        Interactions(np.array(users, np.int32), np.array(items, np.int32), None, None, USERS, ITEMS)


def test_features_need_a_name_a_column():
    with pytest.raises(TypeError, match="2 columns, 1 names"):
        Features(sparse.csr_matrix((3, 2)), ("x",))


@pytest.mark.parametrize(
    ("text", "nearest"), [("u00", "u00[0-9]"), ("U003", "u003"), ("u0031", "u003"), ("u00a", "u00[0-9]")]
)
def test_a_slip_in_a_text_is_answered_with_the_nearest(text: str, nearest: str) -> None:
    ids = Ids.of([f"u{i:03d}" for i in range(1000)])
    with pytest.raises(
        UsageError, match=rf"user '{text}': not in the train part of x; did you mean '{nearest}'\?"
    ):
        find_code(ids, text, "user", "x")


@pytest.mark.parametrize("text", ["", "3", "0031", "v", "beatles"])
def test_nothing_is_suggested_for_a_text_that_is_like_none(text: str) -> None:
    ids = Ids.of([f"u{i:03d}" for i in range(1000)])
    with pytest.raises(UsageError, match=r"; its 1,000 ids are strings from 'u000' to 'u999'$"):
        find_code(ids, text, "user", "x")


@pytest.mark.parametrize("text", ["7", "99", "-5", "8x", "08"])
def test_no_number_is_taken_for_a_slip_of_another(text: str) -> None:
    with pytest.raises(UsageError, match=r"; its ids are 3 whole numbers from 2 to 20$"):
        find_code(Ids.of([2, 8, 20]), text, "item", "x")


def test_an_item_asked_for_by_its_name_is_answered_with_its_id() -> None:
    with pytest.raises(UsageError, match=r"did you mean '8' \(Abbey Road\)\?$"):
        find_code(Ids.of([2, 8, 20]), "abbey road", "item", "x", {"8": "Abbey Road "})


def test_every_known_id_is_found_under_its_code() -> None:
    for ids in (Ids.of([2, 8, 20, -3]), Ids.of(["b", "a | c", "é", "", "7"])):
        texts = [str(v) for v in ids.values.tolist()]
        assert [find_code(ids, t, "item", "x") for t in texts] == list(range(len(texts)))
