import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.hashing import combine, hash_text, hash_texts
from bakeoff.splits.draws import (
    by_time,
    event_hashes,
    first_of_each,
    order_of_each,
    pair_draws,
    train_quota,
    uniform,
    user_draws,
)

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
        mine = sorted(np.flatnonzero(users == user), key=lambda r: (order[r], ties[r]))
        expected[mine[: quota[user]]] = True
        if 0 < quota[user] < len(mine) and order[mine[quota[user] - 1]] == order[mine[quota[user]]]:
            tied.append(user)

    chosen, found = first_of_each(users, quota, order, lambda at: ties[at])
    assert chosen.tolist() == expected.tolist()
    assert found.tolist() == tied


def test_of_no_rows_none_is_first() -> None:
    none = np.zeros(0, dtype=np.uint64)
    chosen, tied = first_of_each(np.zeros(0, dtype=np.int32), np.zeros(3, dtype=int), none, lambda at: none)
    assert (len(chosen), len(tied)) == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 4), orders), max_size=30))
def test_rows_are_ordered_by_user_and_draw_even_where_packing_loses_bits(rows: list[tuple[int, int]]) -> None:
    rows.sort(key=lambda row: row[0])
    users = np.array([u for u, _ in rows], dtype=np.int32)
    draws = np.array([d for _, d in rows], dtype=np.uint64)
    order = order_of_each(users, draws, 5)
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
    assert by_time(ends).tolist() == [0, 2**63, 2**64 - 1]
    assert by_time(ends[:0]).tolist() == []


def test_repeated_events_of_one_second_have_hashes_of_their_own(log) -> None:
    data = log([("ann", "a", 5, 1), ("ann", "a", 2, 1), ("ann", "b", 2, 1), ("ann", "a", 9, 2)], values=True)
    hashes = event_hashes(data, np.array([0, 1, 3]))  # those of second 1: a, a, b
    assert len(set(hashes.tolist())) == 3
    assert event_hashes(data, np.array([0]))[0] == hashes[0]
    assert event_hashes(data, np.zeros(0, dtype=int)).shape == (0,)
