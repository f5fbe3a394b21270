"""What holds of every family, whatever the log."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bakeoff.data.interactions import Ids, Interactions
from bakeoff.errors import DataError
from bakeoff.splits.base import Split, Splitter
from bakeoff.splits.by_row import RandomRows
from bakeoff.splits.chronological import Chronological
from bakeoff.splits.held_out_users import HeldOutUsers
from bakeoff.splits.kfold import KFold
from bakeoff.splits.leave_last_out import LeaveLastOut
from bakeoff.splits.per_user import Random
from bakeoff.splits.temporal import Temporal

FAMILIES: list[Splitter] = [
    Random(ratio=0.7),
    RandomRows(ratio=0.7),
    Chronological(ratio=0.7),
    Temporal(ratio=0.7),
    Temporal(at=12),
    LeaveLastOut(),
    LeaveLastOut(last=2),
    HeldOutUsers(share=0.4, ratio=0.6),
    KFold(n_folds=3, fold=1),
    KFold(n_folds=3, fold=1, within="all"),
]
KEEPING = [replace(f, cold_users="keep", cold_items="keep") for f in FAMILIES]  # type: ignore[type-var]
SEEDED = [f for f in FAMILIES if f.seeded]
UNSEEDED = [f for f in FAMILIES if not f.seeded]
EVERY_FAMILY = pytest.mark.parametrize("splitter", FAMILIES, ids=str)

Row = tuple[int, int, int, int]  # user, item, value, time


def drawn(seed: int, n: int) -> list[Row]:
    columns = np.random.default_rng(seed).integers([0, 0, 1, 0], [8, 7, 4, 21], (n, 4))
    return [(int(u), int(i), int(value), int(time)) for u, i, value, time in columns]


# Four numbers a row from hypothesis would cost more than the splits that they test.
rows_of_logs = st.builds(drawn, st.integers(0, 2**32 - 1), st.integers(15, 60))
some = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def build(
    rows: list[Row], user_name: Callable[[int], Any] = int, item_name: Callable[[int], Any] = int
) -> Interactions:
    users, items, values, times = (np.array(c) for c in zip(*rows, strict=True))
    user_names = np.array([user_name(u) for u in users], dtype=object)
    item_names = np.array([item_name(i) for i in items], dtype=object)
    user_ids, item_ids = Ids.of(user_names), Ids.of(item_names)
    return Interactions.of(
        user_ids.codes(user_names),
        item_ids.codes(item_names),
        values.astype(np.float32),
        times.astype(np.int64),
        user_ids,
        item_ids,
    )


def attempt(splitter: Splitter, data: Interactions, seed: int = 1) -> Split:
    """The split; a log that it leaves without train or test is no example of what is tested here."""
    try:
        return splitter.split(data, seed)
    except DataError:
        assume(False)
        raise


def pairs(matrix: Any, split: Split) -> set[tuple[str, str]]:
    users, items = matrix.nonzero()
    user_ids, item_ids = split.train.user_ids.values, split.train.item_ids.values
    return {(str(user_ids[u]), str(item_ids[i])) for u, i in zip(users, items, strict=True)}


def all_pairs(data: Interactions) -> set[tuple[str, str]]:
    codes = zip(data.users, data.items, strict=True)
    return {(str(data.user_ids.values[u]), str(data.item_ids.values[i])) for u, i in codes}


@EVERY_FAMILY
@some
@given(rows=rows_of_logs)
def test_each_split_of_any_log_keeps_what_every_split_promises(splitter: Splitter, rows: list[Row]) -> None:
    data, untouched = build(rows), build(rows)
    split = attempt(splitter, data)
    check_nothing_seen_is_tested(split)
    check_every_pair_is_somewhere_or_counted(split, splitter, data)
    for name in ("users", "items", "values", "times"):
        assert getattr(data, name).tolist() == getattr(untouched, name).tolist()
    assert data.fingerprint == untouched.fingerprint
    try:
        inner = splitter.inner(split, 1)
    except DataError:  # nothing is left of a small train part
        return
    assert inner.level == 1
    train = pairs(split.train.matrix(), split)
    assert pairs(inner.history, inner) | pairs(inner.test, inner) <= train
    assert not pairs(inner.test, inner) & pairs(inner.history, inner)


def check_nothing_seen_is_tested(split: Split) -> None:
    train, history, test = (pairs(m, split) for m in (split.train.matrix(), split.history, split.test))
    assert not test & (train | history)
    assert split.users.tolist() == sorted({int(u) for u in split.test.nonzero()[0]})
    if split.held_out:
        assert not set(split.users.tolist()) & set(split.train.users.tolist())
    else:
        assert (split.history != split.train.matrix()).nnz == 0


def check_every_pair_is_somewhere_or_counted(split: Split, splitter: Splitter, data: Interactions) -> None:
    info, history, test = split.info, pairs(split.history, split), pairs(split.test, split)
    assert history | test <= all_pairs(data)
    dropped = info["dropped_cold_user_pairs"] + info["dropped_cold_item_pairs"]
    dropped += info.get("fold_in_rows_outside_catalogue", 0)
    assert len(history) + len(test) + dropped == len(all_pairs(data))
    n_rows = info["train_rows"] + info.get("fold_in_rows", 0) + info["test_rows"]
    assert n_rows == len(data if splitter.needs_times else data.merged())


@EVERY_FAMILY
@some
@given(rows=rows_of_logs, random=st.randoms())
def test_neither_the_order_of_rows_nor_the_type_of_ids_matters(
    splitter: Splitter, rows: list[Row], random: Any
) -> None:
    shuffled = rows.copy()
    random.shuffle(shuffled)
    # 7 and 10 sort one way as numbers and the other way as texts, so every code changes.
    one = attempt(splitter, build(rows, lambda u: 7 + u, lambda i: 6 + i))
    other = splitter.split(build(shuffled, lambda u: str(7 + u), lambda i: str(6 + i)), 1)
    assert one.fingerprint == other.fingerprint
    assert one.info == other.info
    assert pairs(one.test, one) == pairs(other.test, other)


@pytest.mark.parametrize("splitter", KEEPING, ids=str)
@some
@given(rows=rows_of_logs)
def test_where_cold_rows_are_kept_no_pair_is_lost(splitter: Splitter, rows: list[Row]) -> None:
    data = build(rows)
    split = attempt(splitter, data)
    assert pairs(split.history, split) | pairs(split.test, split) == all_pairs(data)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint8])
def test_the_width_of_the_ids_does_not_matter(dtype: type[np.generic]) -> None:
    rows = [(u, i, 1, i) for u in range(6) for i in range(6)]
    wide, narrow = build(rows), build(rows, dtype, dtype)
    assert Random().split(wide, 1).fingerprint == Random().split(narrow, 1).fingerprint


@pytest.mark.parametrize(
    "splitter", [s for s in KEEPING if s not in (KEEPING[3],)], ids=str
)  # but a cut at a share of all events, which is everybody's
@some
@given(rows=rows_of_logs, gone=st.integers(0, 7))
def test_the_other_users_do_not_change_what_is_held_out_of_a_user(
    splitter: Splitter, rows: list[Row], gone: int
) -> None:
    rest = [r for r in rows if r[0] != gone]
    assume(rest)
    whole, fewer = attempt(splitter, build(rows)), attempt(splitter, build(rest))
    expected = {pair for pair in pairs(whole.test, whole) if pair[0] != str(gone)}
    assert pairs(fewer.test, fewer) == expected


@pytest.mark.parametrize("splitter", [Temporal(ratio=0.7), Temporal(at=12)], ids=str)
@some
@given(rows=rows_of_logs)
def test_train_holds_nothing_of_the_time_of_test(splitter: Splitter, rows: list[Row]) -> None:
    split = attempt(splitter, build(rows))
    future = {r[3] for r in rows} - set(split.events.times.tolist())
    assert split.events.times.max() < min(t for t in future)
    assert split.info["train_last"] < split.info["cut"] <= split.info["test_first"]


@pytest.mark.parametrize("splitter", [Chronological(ratio=0.7), LeaveLastOut(last=2)], ids=str)
@some
@given(rows=rows_of_logs)
def test_no_event_of_a_user_in_train_is_later_than_one_held_out(splitter: Splitter, rows: list[Row]) -> None:
    data = build(rows)
    split = attempt(replace(splitter, cold_items="keep"), data)  # type: ignore[type-var]
    for user in range(data.n_users):
        all_times = sorted(data.times[data.users == user].tolist())
        train_times = sorted(split.events.times[split.events.users == user].tolist())
        assert train_times == all_times[: len(train_times)]


@pytest.mark.parametrize("splitter", [Chronological(ratio=0.5), LeaveLastOut()], ids=str)
def test_among_events_of_one_second_no_item_is_preferred(splitter: Splitter) -> None:
    split = splitter.split(build([(u, i, 1, 5) for u in range(400) for i in range(2)]), 0)
    held = np.bincount(split.test.indices, minlength=2)
    assert held.sum() == 400
    assert abs(held[0] - 200) < 50  # five standard deviations


BIG = [(u, (7 * u + 3 * i) % 50, 1, (31 * u + 17 * i) % 21) for u in range(60) for i in range(15)]


@EVERY_FAMILY
def test_one_seed_gives_one_split(splitter: Splitter) -> None:
    assert splitter.split(build(BIG), 5).fingerprint == splitter.split(build(BIG), 5).fingerprint


@pytest.mark.parametrize("splitter", SEEDED, ids=str)
def test_another_seed_gives_another_split(splitter: Splitter) -> None:
    fingerprints = {splitter.split(replace(build(BIG)), seed).fingerprint for seed in (-1, 0, 1, 2, 2**40)}
    assert len(fingerprints) == 5


@pytest.mark.parametrize("splitter", UNSEEDED, ids=str)
def test_a_split_without_chance_does_not_look_at_the_seed(splitter: Splitter) -> None:
    one, other = splitter.split(build(BIG), 1), splitter.split(build(BIG), 2)
    assert one.fingerprint == other.fingerprint
    assert splitter.inner(one, 1).fingerprint == splitter.inner(other, 2).fingerprint


@pytest.mark.parametrize("splitter", SEEDED, ids=str)
def test_users_do_not_share_their_chance(splitter: Splitter) -> None:
    """Of 2,000 users with the same 8 items, every item is held out of about as many."""
    rows = [(u, i, 1, 0) for u in range(2000) for i in range(8)]
    test = splitter.split(build(rows), 3).test
    held = np.asarray(test.sum(axis=0)).ravel()
    share = held.sum() / (2000 * 8)
    expected = 2000 * share
    assert abs(held - expected).max() < 4.5 * np.sqrt(expected)
    patterns = {tuple(row.indices) for row in test[test.getnnz(axis=1) > 0]}
    assert len(patterns) > 20


@EVERY_FAMILY
def test_the_inner_split_is_of_the_same_kind_and_can_be_cut_again(splitter: Splitter) -> None:
    split = splitter.split(build(BIG), 1)
    inner = splitter.inner(split, 1)
    innermost = splitter.inner(inner, 1)
    assert inner.held_out == split.held_out
    assert set(inner.info) == set(split.info)
    assert innermost.level == 2
    assert len({split.fingerprint, inner.fingerprint, innermost.fingerprint}) == 3
