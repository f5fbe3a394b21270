"""Conditions, filters, transforms and the steps that tell of them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.data.interactions import Ids, Interactions
from bakeoff.data.prepare import Condition, apply_filters, apply_transform, check_size, drop_unused_ids
from bakeoff.data.readers import Table
from bakeoff.errors import ConfigError, DataError

PAIRS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=60)


def built(pairs, values=None, times=None):
    users, items = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    return Interactions.of(
        users,
        items,
        None if values is None else np.array(values, dtype=np.float32),
        None if times is None else np.array(times, dtype=np.int64),
        Ids.of(range(8)),
        Ids.of(range(8)),
    )


def pairs_of(data):
    return list(zip(data.users.tolist(), data.items.tolist(), strict=True))


def core(pairs, k):
    """The k-core by brute force: one user or item that has too few goes at a time."""
    left = set(pairs)
    while True:
        users, items = Counter(u for u, _ in left), Counter(i for _, i in left)
        poor = [p for p in left if users[p[0]] < k or items[p[1]] < k]
        if not poor:
            return sorted(p for p in pairs if p in left)
        left -= (
            {p for p in left if p[0] == poor[0][0]}
            if users[poor[0][0]] < k
            else {p for p in left if p[1] == poor[0][1]}
        )


class TestConditions:
    COLUMN = pa.array(["UK", None, "Ukraine", "IE"])

    @pytest.mark.parametrize(
        ("test", "expected"),
        [
            ({"present": True}, [True, False, True, True]),
            ({"matches": "U."}, [True, False, False, False]),
            ({"matches": "UK|IE"}, [True, False, False, True]),
            ({"excludes": "U.*"}, [False, True, False, True]),
        ],
    )
    def test_texts(self, test, expected):
        condition = Condition("country", **test)
        assert condition.passes(self.COLUMN).tolist() == expected
        assert condition.passes(self.COLUMN.dictionary_encode()).tolist() == expected

    @pytest.mark.parametrize(
        ("test", "expected"),
        [({"min": 1}, [False, True, False, True]), ({"max": 1}, [True, True, False, False])],
    )
    def test_numbers(self, test, expected):
        column = pa.array([0.5, 1.0, None, 2.0])
        assert Condition("n", **test).passes(column).tolist() == expected
        texts = column.cast(pa.string()).dictionary_encode()
        assert Condition("n", **test).passes(texts).tolist() == expected

    def test_a_number_test_of_texts_is_an_error(self):
        with pytest.raises(DataError, match="'country' holds no numbers"):
            Condition("country", min=1).passes(self.COLUMN.dictionary_encode())

    def test_they_are_applied_and_counted_in_order(self, tmp_path):
        path = tmp_path / "shop.csv"
        path.write_text("user,item,n,code\na,x,1,1\n,y,1,1\nb,x,-2,C\nb,y,3,1\nc,z,1,C\n")
        where = [
            {"column": "user", "present": True},
            {"column": "code", "excludes": "C.*"},
            {"column": "n", "min": 1},
        ]
        dataset = Table(path=str(path), value="n", where=where).load()
        assert [tuple(s) for s in dataset.steps] == [
            ("read", 5, 3, 3, ""),
            ("user is present", 4, 3, 3, "1 rows removed"),
            ("code does not match C.*", 2, 2, 2, "2 rows removed"),
            ("n >= 1", 2, 2, 2, ""),
            ("merge (sum)", 2, 2, 2, "no row repeats a pair"),
        ]

    def test_a_value_that_a_condition_drops_need_not_be_right(self, tmp_path):
        path = tmp_path / "shop.csv"
        path.write_text("user,item,n,ok\na,x,1,yes\nb,y,inf,no\nb,y,,no\nb,y,2,yes\n")
        source = Table(path=str(path), value="n", where=[{"column": "ok", "matches": "yes"}])
        assert len(source.load().interactions) == 2

    def test_nothing_left_is_said(self, tmp_path):
        path = tmp_path / "shop.csv"
        path.write_text("user,item\na,x\nb,y\n")
        with pytest.raises(DataError, match=r"none of 2 rows passes dataset\.where"):
            Table(path=str(path), where=[{"column": "user", "matches": "z"}]).load()


class TestFilters:
    @given(PAIRS, st.integers(1, 4))
    def test_the_k_core_is_what_brute_force_leaves(self, pairs, k):
        expected = core(sorted(pairs), k)
        if expected:
            data, (step,) = apply_filters(built(pairs), [{"k_core": k}], "f")
            assert pairs_of(data) == expected
            assert step.note == f"{len(pairs) - len(expected)} rows removed"
        else:
            with pytest.raises(DataError, match="leaves nothing"):
                apply_filters(built(pairs), [{"k_core": k}], "f")

    def test_a_pair_that_repeats_counts_once(self):
        data = built([(0, 0), (0, 0), (1, 1), (1, 2)], times=[1, 2, 3, 4])
        left, _ = apply_filters(data, [{"min_user_interactions": 2}], "f")
        assert set(left.users) == {1}
        left, _ = apply_filters(
            built([(0, 0), (0, 0), (1, 1), (2, 1)], times=[1, 2, 3, 4]), [{"min_item_interactions": 2}], "f"
        )
        assert set(left.items) == {1}

    def test_order_counts(self):
        data = built([(0, 0), (0, 1), (1, 0)], values=[5, 1, 5])
        low_first, _ = apply_filters(data, [{"min_value": 4}, {"min_item_interactions": 2}], "f")
        low_last, _ = apply_filters(data, [{"min_user_interactions": 2}, {"min_value": 4}], "f")
        assert pairs_of(low_first) == [(0, 0), (1, 0)]
        assert pairs_of(low_last) == [(0, 0)]

    def test_each_says_what_it_left(self):
        data = built([(0, 0), (0, 1), (1, 0)], values=[5, 1, 5])
        _, steps = apply_filters(data, [{"min_value": 4}, {"min_item_interactions": 2}], "f")
        assert [tuple(s) for s in steps] == [
            ("value at least 4", 2, 2, 1, "1 rows removed"),
            ("items with at least 2 users", 2, 2, 1, "0 rows removed"),
        ]

    def test_nothing_left_names_the_file_and_the_filter(self):
        with pytest.raises(DataError, match=r"plays\.csv: the filter '3-core' leaves nothing of 1 rows"):
            apply_filters(built([(0, 0)]), [{"k_core": 3}], "plays.csv")

    def test_a_least_value_needs_values(self):
        with pytest.raises(
            ConfigError, match=r"min_value needs values; name their column with dataset\.value"
        ):
            apply_filters(built([(0, 0)]), [{"min_value": 3}], "f")


class TestTransforms:
    def test_none_leaves_the_values(self):
        data = built([(0, 0)], values=[3])
        assert apply_transform(data, "none", None) is data

    def test_log1p_and_clip(self):
        data = built([(0, 0), (1, 1)], values=[3, 100])
        assert apply_transform(data, "log1p", None).values.tolist() == pytest.approx([np.log(4), np.log(101)])
        assert apply_transform(data, "clip", 10).values.tolist() == [3, 10]

    def test_binary_makes_every_pair_one_however_often_it_stands(self):
        data = built([(0, 0), (0, 0), (1, 1)], values=[3, 4, 5], times=[1, 2, 3])
        assert apply_transform(data, "binary", None).merged().values.tolist() == [1, 1]

    def test_log1p_refuses_what_has_no_logarithm(self):
        with pytest.raises(DataError, match="above -1"):
            apply_transform(built([(0, 0)], values=[-1]), "log1p", None)

    def test_they_come_after_merging_where_there_are_no_times(self, tmp_path):
        path = tmp_path / "plays.csv"
        path.write_text("user,item,n\na,x,3\na,x,4\nb,y,1\n")
        dataset = Table(path=str(path), value="n", transform="log1p").load()
        assert dataset.interactions.values.tolist() == pytest.approx([np.log(8), np.log(2)])
        assert dataset.steps[-1].name == "transform (log1p)"


def test_users_and_items_without_rows_go():
    data = drop_unused_ids(built([(1, 6), (4, 2)]))
    assert data.user_ids.values.tolist() == [1, 4]
    assert data.item_ids.values.tolist() == [2, 6]
    assert pairs_of(data) == [(0, 1), (1, 0)]


def test_two_users_and_two_items_are_enough():
    check_size(drop_unused_ids(built([(0, 0), (1, 1)])), "f")
