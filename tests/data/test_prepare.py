"""Conditions, filters, transforms and the steps that tell of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.data.interactions import Ids, Interactions, concatenate
from bakeoff.data.prepare import Condition, check_size, drop_unused_ids, prepare
from bakeoff.data.readers import Table
from bakeoff.data.source import Step
from bakeoff.errors import ConfigError, DataError
from bakeoff.splits.temporal import Temporal

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


def prepared(data, filters=(), transform="none", clip=None, **options):
    """The prepared pairs of a data set, and the steps after the merge."""
    data, (_, *steps) = prepare(data, filters, transform, clip, **{"events": False, "where": "f"} | options)
    return data, steps


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
        assert list(dataset.steps) == [
            Step("read", 5, 3, 3, "", 4.0),
            Step("user is present", 4, 3, 3, "1 rows removed", 3.0),
            Step("code does not match C.*", 2, 2, 2, "2 rows removed", 4.0),
            Step("n >= 1", 2, 2, 2, "", 4.0),
            Step("merge (sum)", 2, 2, 2, "no row repeats a pair", 4.0),
        ]

    def test_a_value_that_a_condition_drops_need_not_be_right(self, tmp_path):
        path = tmp_path / "shop.csv"
        path.write_text("user,item,n,ok\na,x,1,yes\nb,y,inf,no\nb,y,,no\nb,y,2,yes\n")
        source = Table(path=str(path), value="n", where=[{"column": "ok", "matches": "yes"}])
        assert len(source.load().interactions) == 2

    def test_nothing_left_is_said(self, tmp_path):
        path = tmp_path / "shop.csv"
        path.write_text("user,item\na,x\nb,y\n")
        with pytest.raises(DataError, match=r"none of 2 rows is left by dataset\.where"):
            Table(path=str(path), where=[{"column": "user", "matches": "z"}]).load()


class TestFilters:
    @given(PAIRS, st.integers(1, 4))
    def test_the_k_core_is_what_brute_force_leaves(self, pairs, k):
        expected = core(sorted(set(pairs)), k)
        if expected:
            data, (step,) = prepared(built(pairs), [{"k_core": k}])
            users, items = data.user_ids.values[data.users], data.item_ids.values[data.items]
            assert list(zip(users.tolist(), items.tolist(), strict=True)) == expected
            assert step.note == f"{len(set(pairs)) - len(expected)} pairs removed"
        else:
            with pytest.raises(DataError, match="leaves nothing"):
                prepared(built(pairs), [{"k_core": k}])

    def test_a_pair_that_repeats_counts_once(self):
        for filters, repeated, left in (
            ([{"min_user_interactions": 2}], [(0, 0), (0, 0), (1, 1), (1, 2)], [1]),
            ([{"min_item_interactions": 2}], [(0, 0), (0, 0), (1, 1), (2, 1)], [1, 2]),
        ):
            data, _ = prepared(built(repeated, times=[1, 2, 3, 4]), filters, events=True)
            assert data.user_ids.values.tolist() == left

    def test_order_counts(self):
        data = built([(0, 0), (0, 1), (1, 0)], values=[5, 1, 5])
        low_first, _ = prepared(data, [{"min_value": 4}, {"min_item_interactions": 2}])
        low_last, _ = prepared(data, [{"min_user_interactions": 2}, {"min_value": 4}])
        assert pairs_of(low_first) == [(0, 0), (1, 0)]
        assert pairs_of(low_last) == [(0, 0)]

    def test_each_says_what_it_left(self):
        data = built([(0, 0), (0, 1), (1, 0)], values=[5, 1, 5])
        _, steps = prepared(data, [{"min_value": 4}, {"min_item_interactions": 2}])
        assert steps == [
            Step("value at least 4", 2, 2, 1, "1 pairs removed", 10.0),
            Step("items with at least 2 users", 2, 2, 1, "0 pairs removed", 10.0),
        ]

    def test_nothing_left_names_the_file_and_the_filter(self):
        with pytest.raises(DataError, match=r"plays\.csv: the filter '3-core' leaves nothing of 1 pairs"):
            prepared(built([(0, 0)]), [{"k_core": 3}], where="plays.csv")

    def test_a_least_value_needs_values_or_counts(self):
        with pytest.raises(ConfigError, match=r"min_value needs values; .*dataset\.value"):
            Table(path="plays.csv", merge="max", filters=[{"min_value": 3}])
        data, _ = prepared(built([(0, 0), (0, 0), (1, 1)]), [{"min_value": 2}])
        assert pairs_of(data) == [(0, 0)] and data.values.tolist() == [2]


class TestTransforms:
    def test_log1p_and_clip(self):
        data = built([(0, 0), (1, 1)], values=[3, 100])
        assert prepared(data, transform="log1p")[0].values.tolist() == pytest.approx(np.log([4, 101]))
        assert prepared(data, transform="clip", clip=10)[0].values.tolist() == [3, 10]

    def test_binary_makes_every_pair_one_however_often_it_stands(self):
        data = built([(0, 0), (0, 0), (1, 1)], values=[3, 4, 5], times=[1, 2, 3])
        for events in (True, False):
            pairs = prepared(data, transform="binary", events=events)[0].merged()
            assert pairs.values.tolist() == [1, 1]
            assert concatenate([pairs, pairs]).merged().values.tolist() == [1, 1]

    def test_log1p_refuses_what_has_no_logarithm(self):
        with pytest.raises(DataError, match="above -1"):
            prepared(built([(0, 0)], values=[-1]), transform="log1p")


LOG = "user,item,n,t\na,x,3,30\na,x,1,10\na,x,2,20\nb,y,9,5\nb,x,1,6\nc,y,5,7\nc,z,6,8\n"


class TestRowsAndPairs:
    """`where` acts on rows; all that follows acts on pairs, whether a time column was named or not."""

    @pytest.fixture
    def log(self, tmp_path):
        (tmp_path / "log.csv").write_text(LOG)
        return Table(path=str(tmp_path / "log.csv"), value="n")

    @pytest.mark.parametrize(
        ("change", "value_of_a_x"),
        [
            ({"filters": [{"min_value": 4}]}, 6),
            ({"transform": "log1p"}, np.log(7)),
            ({"transform": "clip", "clip": 4}, 4),
            ({"filters": [{"min_value": 4}], "merge": "max"}, None),
            ({"where": [{"column": "n", "min": 2}]}, 5),
        ],
    )
    def test_naming_a_time_column_changes_no_pair(self, log, change, value_of_a_x):
        untimed, timed = (replace(log, time=time, **change).load() for time in (None, "t"))
        pairs = timed.interactions.merged()
        assert untimed.interactions.fingerprint == replace(pairs, times=None).fingerprint
        assert [replace(s, note="") for s in untimed.steps] == [replace(s, note="") for s in timed.steps]
        values = {
            (pairs.user_ids.values[u], pairs.item_ids.values[i]): v
            for u, i, v in zip(pairs.users, pairs.items, pairs.values, strict=True)
        }
        assert values.get(("a", "x")) == (None if value_of_a_x is None else pytest.approx(value_of_a_x))

    def test_a_split_by_time_cuts_rows_and_filters_the_pairs_of_each_part(self, log):
        data = replace(log, time="t", filters=[{"min_value": 3}]).load().interactions
        # Train: a-x has 1 and b-x 1, both below; b-y 9, c-y 5, c-z 6. Test: a-x has 2 + 3.
        split = Temporal(at=15, cold_users="keep", cold_items="keep").split(data, 0)
        assert split.test.data.tolist() == [5] and split.train.values.tolist() == [9, 5, 6]

    def test_merge_last_wants_times_or_the_order_of_the_file(self, log):
        with pytest.raises(ConfigError, match=r"merge=last: expected times.*dataset\.order=file"):
            replace(log, merge="last")
        in_order = replace(log, merge="last", order="file").load().interactions
        assert in_order.times is None and in_order.values.tolist() == [2, 1, 9, 5, 6]
        by_time = replace(log, merge="last", time="t").load().interactions.merged()
        assert by_time.values.tolist() == [3, 1, 9, 5, 6]
        for wrong in ({"merge": "sum"}, {"merge": "last", "time": "t"}):
            with pytest.raises(ConfigError, match=r"dataset\.order=file: expected with dataset\.merge=last"):
                replace(log, order="file", **wrong)

    def test_the_identity_changes_where_the_meaning_did(self, log):
        timed = replace(log, time="t")
        for same in (log, timed, replace(log, transform="log1p"), replace(timed, filters=[{"k_core": 2}])):
            assert not {"prepared", "order"} & same.identity().keys()
        for changed in (replace(timed, transform="log1p"), replace(timed, filters=[{"min_value": 4}])):
            assert changed.identity()["prepared"] == "pairs"


def test_users_and_items_without_rows_go():
    data = drop_unused_ids(built([(1, 6), (4, 2)]))
    assert data.user_ids.values.tolist() == [1, 4]
    assert data.item_ids.values.tolist() == [2, 6]
    assert pairs_of(data) == [(0, 1), (1, 0)]


def test_two_users_and_two_items_are_enough():
    check_size(drop_unused_ids(built([(0, 0), (1, 1)])), "f")
