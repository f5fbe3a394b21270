"""Small logs with the exact answer of each family."""

from dataclasses import replace
from zlib import crc32

import numpy as np
import pytest

from bakeoff.errors import ConfigError, DataError
from bakeoff.splits.by_row import RandomRows
from bakeoff.splits.chronological import Chronological
from bakeoff.splits.held_out_users import HeldOutUsers
from bakeoff.splits.kfold import KFold
from bakeoff.splits.leave_last_out import LeaveLastOut
from bakeoff.splits.per_user import Random
from bakeoff.splits.temporal import Temporal

DAY = 86_400
GRID = [(u, i, 0) for u in range(40) for i in range(10)]  # 40 users who all have the same 10 items


# -- random ----------------------------------------------------------------------------------------


def test_random_takes_the_same_share_of_every_user(log) -> None:
    split = Random(ratio=0.7).split(log(GRID), seed=1)
    assert np.diff(split.train.matrix().indptr).tolist() == [7] * 40
    assert np.diff(split.test.indptr).tolist() == [3] * 40


def test_random_leaves_users_whose_test_share_rounds_to_nothing_in_train(log, train_of) -> None:
    rows = [
        ("ann", 1, 0),
        ("bob", 1, 0),
        ("bob", 2, 0),
        *((f"u{n}", i, 0) for n in range(9) for i in (1, 2, 3)),
    ]
    split = Random(ratio=0.8).split(log(rows), seed=3)
    assert split.info["users_with_too_few_rows"] == 2
    assert {("ann", 1), ("bob", 1), ("bob", 2)} <= train_of(split)
    assert split.info["users_without_test_rows"] == 2


def test_random_keeps_one_row_of_a_user_whose_share_of_train_rounds_to_nothing(log, train_of) -> None:
    split = Random(ratio=0.2, cold_items="keep").split(
        log([("ann", 1, 0), ("ann", 2, 0), ("bob", 1, 0)]), seed=1
    )
    assert len([user for user, _ in train_of(split) if user == "ann"]) == 1
    assert ("bob", 1) in train_of(split)


def test_random_merges_first_so_that_a_pair_is_never_on_both_sides(log) -> None:
    rows = [(u, i, 5, t) for u in range(20) for i in range(5) for t in (1, 2)]
    split = Random(ratio=0.6).split(log(rows, values=True), seed=1)
    assert split.info["dropped_seen_in_train"] == 0
    assert np.diff(split.test.indptr).tolist() == [2] * 20
    assert set(split.test.data) == {10.0}  # both events of a pair, summed


@pytest.mark.parametrize(
    "splitter", [Random(ratio=0.7), HeldOutUsers(share=0.5), LeaveLastOut(cold_items="keep")], ids=str
)
def test_users_without_rows_are_not_users_with_too_few(log, splitter) -> None:
    data = log([*((str(u), i, i) for u, i, _ in GRID), *((f"single {n}", 1, 0) for n in range(300))])
    with_rows = np.char.isdigit(data.user_ids.values[data.users].astype(str))
    assert splitter.split(data.take(with_rows), seed=1).info["users_with_too_few_rows"] == 0


@pytest.mark.parametrize(
    ("splitter", "digest"),
    [
        (Random(), 3_942_902_272),
        (RandomRows(), 1_921_626_830),
        (HeldOutUsers(share=0.3), 1_529_379_314),
        (KFold(n_folds=3, fold=1), 1_456_717_690),
    ],
    ids=str,
)
def test_a_seed_draws_what_it_has_always_drawn(log, splitter, digest: int) -> None:
    """Numbers of published experiments rest on it."""
    test = splitter.split(log(GRID), seed=5).test.tocoo()
    drawn = crc32(np.stack([test.row, test.col]).astype("<i4").tobytes())
    assert drawn == digest


# -- random_rows -----------------------------------------------------------------------------------


def test_random_rows_sends_its_share_of_all_rows_to_train(log) -> None:
    rows = [(u, i, 0) for u in range(100) for i in range(100)]
    split = RandomRows(ratio=0.8).split(log(rows), seed=1)
    assert split.info["train_pairs"] == pytest.approx(8000, abs=4 * 40)  # four standard deviations
    assert len(set(np.diff(split.test.indptr))) > 1  # not stratified by user


# -- chronological and leave_last_out --------------------------------------------------------------


def test_chronological_sends_the_last_events_of_each_user_to_test(log, train_of, test_of) -> None:
    rows = [
        ("ann", "a", 5),
        ("ann", "b", 1),
        ("ann", "c", 3),
        ("bob", "a", 7),
        ("bob", "b", 8),
        ("bob", "c", 9),
    ]
    split = Chronological(ratio=0.67).split(log(rows), seed=0)
    assert train_of(split) == {("ann", "b"), ("ann", "c"), ("bob", "a"), ("bob", "b")}
    assert test_of(split) == {("ann", "a"), ("bob", "c")}


def test_chronological_counts_the_users_whose_cut_falls_inside_one_second(log) -> None:
    rows = [("ann", i, 100) for i in range(4)]  # all at once
    rows += [("bob", i, i) for i in range(4)]  # one after the other
    rows += [("cat", i, [1, 1, 1, 2][i]) for i in range(4)]  # a tie, but not at the cut
    split = Chronological(ratio=0.75).split(log(rows), seed=0)
    assert split.info["users_with_tie_at_cut"] == 1
    assert split.info["share_of_users_with_tie_at_cut"] == pytest.approx(1 / 3)


def test_chronological_counts_events_and_drops_test_pairs_that_train_holds(log, test_of) -> None:
    rows = [
        ("ann", "a", 1),
        ("ann", "b", 2),
        ("ann", "a", 3),
        ("ann", "b", 4),
        ("bob", "a", 1),
        ("bob", "b", 2),
    ]
    rows += [("cat", "c", 1), ("cat", "b", 2), ("cat", "a", 3), ("cat", "a", 4)]
    split = Chronological(ratio=0.5).split(log(rows), seed=0)
    assert test_of(split) == {("bob", "b"), ("cat", "a")}
    assert split.info["dropped_seen_in_train"] == 2
    assert split.info["users_whose_test_rows_were_dropped"] == 1
    assert split.test.sum() == 1 + 2  # cat's two events of a are merged inside test


def test_leave_last_out_takes_one_event_of_each_user(log, test_of) -> None:
    rows = [(u, i, 10 * i + u) for u in range(3) for i in range(u + 1)]
    rows += [(9, 1, 1), (9, 2, 2), (9, 0, 3)]
    split = LeaveLastOut().split(log(rows), seed=0)
    assert test_of(split) == {(1, 1), (2, 2), (9, 0)}
    assert split.info["users_with_too_few_rows"] == 1  # user 0 has one event


def test_users_without_rows_are_none_with_too_few_and_where_nobody_is_tested_none_ties(log) -> None:
    data = log([("ann", 1, 1), ("bob", 1, 2), ("bob", 2, 2), ("cat", 1, 3)])
    split = LeaveLastOut(cold_items="keep").split(data.take(data.users != 2), seed=0)
    assert split.info["users_with_too_few_rows"] == 1  # ann; cat has no row at all
    assert split.info["share_of_users_with_tie_at_cut"] == 1.0  # bob, of those with a test row
    with pytest.raises(DataError):
        LeaveLastOut().split(data.take(data.users == 0), seed=0)


def test_leave_last_out_takes_as_many_as_it_is_told_and_leaves_short_users_alone(log, test_of) -> None:
    rows = (
        [("ann", i, i) for i in range(4)]
        + [("bob", i, i) for i in range(2)]
        + [("cat", i, -i) for i in range(4)]
    )
    split = LeaveLastOut(last=2).split(log(rows), seed=0)
    assert test_of(split) == {("ann", 2), ("ann", 3), ("cat", 0), ("cat", 1)}
    assert split.info["users_with_too_few_rows"] == 1


def test_the_last_event_is_dropped_where_it_repeats_an_earlier_pair(log, test_of) -> None:
    rows = [("ann", "a", 1), ("ann", "b", 2), ("ann", "a", 3), ("bob", "b", 1), ("bob", "a", 2)]
    split = LeaveLastOut().split(log(rows), seed=0)
    assert test_of(split) == {("bob", "a")}
    assert split.info["dropped_seen_in_train"] == 1


def test_times_before_1970_are_in_order(log, test_of) -> None:
    rows = [("ann", "a", -5), ("ann", "b", 5), ("bob", "a", -1), ("bob", "b", -9)]
    assert test_of(LeaveLastOut().split(log(rows), seed=0)) == {("ann", "b"), ("bob", "a")}


# -- temporal --------------------------------------------------------------------------------------


def test_temporal_cuts_everybody_at_one_moment(log, train_of, test_of) -> None:
    rows = [("ann", "a", 1), ("ann", "b", 2), ("bob", "b", 3), ("bob", "c", 4), ("ann", "c", 5)]
    split = Temporal(ratio=0.8).split(log(rows), seed=0)
    assert train_of(split) == {("ann", "a"), ("ann", "b"), ("bob", "b"), ("bob", "c")}
    assert test_of(split) == {("ann", "c")}
    assert split.info["cut"] == "1970-01-01T00:00:05Z"
    assert (split.info["train_last"], split.info["test_first"]) == (
        "1970-01-01T00:00:04Z",
        "1970-01-01T00:00:05Z",
    )


@pytest.mark.parametrize(
    ("seconds", "ratio", "n_train"),
    [
        ([1, 2, 2, 2, 3], 0.8, 4),  # on a boundary
        ([1, 2, 2, 2, 3], 0.6, 4),  # after 3 rows would part the second 2: after 4 is nearer than after 1
        ([1, 2, 2, 2, 3], 0.4, 1),
        ([1, 1, 2, 2, 3, 3], 0.5, 2),  # as near: the earlier
        ([1, 1, 1, 1, 2], 0.2, 4),  # the only place there is
        ([1, 2, 2, 2, 2], 0.9, 1),
    ],
)
def test_temporal_never_parts_a_second(log, seconds: list[int], ratio: float, n_train: int) -> None:
    rows = [(u, i, t) for u in range(2) for i, t in enumerate(seconds)]
    split = Temporal(ratio=ratio, cold_items="keep").split(log(rows), seed=0)
    assert split.info["train_rows"] == 2 * n_train


@pytest.mark.parametrize("at", ["1970-01-03", "1970-01-03T00:00:00Z", "1970-01-03T02:00:00+02:00", 2 * DAY])
def test_temporal_cuts_at_a_date_and_the_moment_itself_is_future(log, test_of, at: str | int) -> None:
    rows = [("ann", "a", 0), ("ann", "b", 2 * DAY - 1), ("bob", "b", 1), ("bob", "a", 2 * DAY)]
    split = Temporal(at=at).split(log(rows), seed=0)
    assert test_of(split) == {("bob", "a")}
    assert split.info["cut"] == "1970-01-03T00:00:00Z"
    assert split.info["rows_at_cut"] == 1


def test_a_date_of_the_year_is_the_same_whatever_the_time_zone_of_the_machine(
    log, test_of, monkeypatch
) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        test_temporal_cuts_at_a_date_and_the_moment_itself_is_future(log, test_of, "1970-01-03")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_temporal_with_a_date_is_tuned_on_the_share_that_it_tests_and_never_looks_ahead(log) -> None:
    rows = [(u, i, 100 * i + u) for u in range(20) for i in range(10)]
    data = log(rows)
    splitter = Temporal(at=700, cold_items="keep")
    split = splitter.split(data, seed=0)
    inner = splitter.inner(split, seed=0)
    assert (split.info["train_rows"], split.info["test_rows"]) == (140, 60)
    assert (inner.info["train_rows"], inner.info["test_rows"]) == (98, 42)  # 0.7 of 140
    assert inner.info["test_last"] < split.info["cut"]
    innermost = splitter.inner(inner, seed=0)
    assert innermost.info["test_last"] < inner.info["cut"]


def test_a_date_outside_the_log_is_answered_with_the_span_of_the_log(log) -> None:
    data = log([("ann", "a", 0), ("bob", "a", DAY)])
    with pytest.raises(DataError) as caught:
        Temporal(at="2020-01-01").split(data, seed=0)
    assert str(caught.value) == (
        "split.at='2020-01-01': all 2 rows are before it; expected a moment after 1970-01-01T00:00:00Z "
        "and up to 1970-01-02T00:00:00Z"
    )
    with pytest.raises(DataError, match="all 2 rows are at or after it"):
        Temporal(at=0).split(data, seed=0)


def test_a_log_of_one_moment_cannot_be_cut_in_time(log) -> None:
    with pytest.raises(DataError, match="cannot cut 2 rows that all have the same time"):
        Temporal().split(log([("ann", "a", 5), ("bob", "a", 5)]), seed=0)


@pytest.mark.parametrize("ratio", [0.01, 0.5, 0.99])
def test_temporal_leaves_a_row_on_each_side(log, train_of, test_of, ratio: float) -> None:
    rows = [("ann", "a", 5), ("ann", "b", 6)]
    split = Temporal(ratio=ratio, cold_items="keep").split(log(rows), seed=0)
    assert (train_of(split), test_of(split)) == ({("ann", "a")}, {("ann", "b")})


# -- held_out_users --------------------------------------------------------------------------------


def test_a_held_out_user_is_unknown_to_train_and_known_by_their_fold_in(
    log, train_of, test_of, history_of
) -> None:
    split = HeldOutUsers(share=0.3, ratio=0.7).split(log(GRID), seed=1)
    held = {user for user, _ in test_of(split)}
    assert split.held_out
    assert split.info["users_held_out"] == len(held) > 0
    assert not held & {user for user, _ in train_of(split)}
    for user in held:
        assert len({p for p in history_of(split) if p[0] == user}) == 7
        assert len({p for p in test_of(split) if p[0] == user}) == 3
    assert history_of(split) - train_of(split) == {p for p in history_of(split) if p[0] in held}


def test_users_of_whom_nothing_would_be_tested_are_not_held_out(log, train_of) -> None:
    rows = [*GRID, *((f"single {n}", 1, 0) for n in range(300))]
    split = HeldOutUsers(share=0.5).split(log([(str(u), i, t) for u, i, t in rows]), seed=1)
    assert len({user for user, _ in train_of(split) if user.startswith("single")}) == 300
    assert split.info["users_held_out"] <= 40
    assert 100 <= split.info["users_with_too_few_rows"] <= 200


def test_fold_in_of_items_that_train_lacks_is_dropped_and_counted(log) -> None:
    rows = [*GRID, *((u, 100 + u, 0) for u in range(40))]  # everyone has an item of their own
    split = HeldOutUsers(share=0.3, ratio=0.7).split(log(rows), seed=1)
    info = split.info
    assert info["dropped_cold_item_pairs"] + info["fold_in_rows_outside_catalogue"] == info["users_held_out"]
    assert split.history.shape[1] == info["catalogue"] == 50 - info["users_held_out"]


def test_the_inner_split_of_held_out_users_holds_out_users_of_train(log) -> None:
    splitter = HeldOutUsers(share=0.3, ratio=0.7)
    split = splitter.split(log(GRID), seed=1)
    inner = splitter.inner(split, seed=1)
    outer_train = set(split.train.user_ids.values[np.unique(split.train.users)])
    assert inner.held_out
    assert set(inner.train.user_ids.values[inner.users]) < outer_train
    assert not set(inner.users) & set(inner.train.users)
    assert len(inner.users) == pytest.approx(0.3 * len(outer_train), abs=10)


def test_a_share_that_holds_out_nobody_says_so(log) -> None:
    with pytest.raises(DataError, match=r"^split.share=0.0001 holds out none of 2 users"):
        HeldOutUsers(share=0.0001).split(log([("a", 1, 0), ("a", 2, 0), ("b", 1, 0), ("b", 2, 0)]), seed=1)


# -- kfold -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("within", ["user", "all"])
def test_every_pair_is_test_in_exactly_one_fold(log, test_of, within) -> None:
    folds = [
        KFold(n_folds=4, fold=f, within=within, cold_items="keep", cold_users="keep").split(log(GRID), seed=1)
        for f in range(4)
    ]
    test_pairs = [pair for split in folds for pair in test_of(split)]
    assert len(test_pairs) == len(set(test_pairs)) == len(GRID)


def test_folds_within_users_differ_by_one_row_at_most(log) -> None:
    sizes = [np.diff(KFold(n_folds=4, fold=f).split(log(GRID), seed=1).test.indptr) for f in range(4)]
    assert {int(s) for fold in sizes for s in fold} == {2, 3}
    totals = [int(fold.sum()) for fold in sizes]
    assert max(totals) - min(totals) <= 20  # the odd rows do not all go to the first folds


def test_a_user_with_a_single_row_stays_in_train_in_every_fold(log, train_of) -> None:
    data = log([*GRID, (99, 3, 0)])
    for fold in range(3):
        split = KFold(n_folds=3, fold=fold).split(data, seed=1)
        assert (99, 3) in train_of(split)
        assert split.info["users_with_too_few_rows"] == 1


def test_the_inner_split_of_a_fold_is_a_fold_of_train(log, train_of, test_of) -> None:
    splitter = KFold(n_folds=5, fold=2)
    split = splitter.split(log(GRID), seed=1)
    inner = splitter.inner(split, seed=1)
    assert train_of(inner) | test_of(inner) == train_of(split)
    assert np.diff(inner.test.indptr).max() == 2  # a fifth of 8 rows, rounded up


# -- parameters -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "parameters", "message"),
    [
        (Random, {"ratio": 1.0}, "split.ratio=1.0: expected a number > 0 and < 1"),
        (RandomRows, {"ratio": 0}, "split.ratio=0: expected a number > 0 and < 1"),
        (Chronological, {"ratio": "0.8"}, "split.ratio='0.8': expected a number"),
        (Temporal, {"ratio": 2}, "split.ratio=2: expected"),
        (Temporal, {"at": "summer"}, "split.at='summer': expected a date as ISO text"),
        (Temporal, {"at": True}, "split.at=True: expected a date as ISO text"),
        (LeaveLastOut, {"last": 0}, "split.last=0: expected a whole number >= 1"),
        (HeldOutUsers, {"share": 1}, "split.share=1: expected a number > 0 and < 1"),
        (HeldOutUsers, {"ratio": 0}, "split.ratio=0: expected"),
        (KFold, {"n_folds": 1}, "split.n_folds=1: expected a whole number >= 2"),
        (KFold, {"fold": 5}, "split.fold=5: expected a number below split.n_folds=5, from 0"),
        (KFold, {"within": "users"}, "split.within='users': did you mean 'user'?"),
        (Random, {"cold_items": "kep"}, "split.cold_items='kep': did you mean 'keep'?"),
        (Temporal, {"cold_users": None}, "split.cold_users=None: choose one of: drop, keep"),
    ],
)
def test_a_parameter_out_of_range_is_refused_by_its_name(family, parameters, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        family(**parameters)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("splitter", [Chronological(), Temporal(), LeaveLastOut()])
def test_a_split_in_time_of_data_without_times_says_what_to_do(log, splitter) -> None:
    assert splitter.needs_times
    data = replace(log(GRID), times=None)
    with pytest.raises(
        DataError, match=r"^split '\w+' needs timestamps; the data set has none: name their column"
    ):
        splitter.split(data, seed=0)
