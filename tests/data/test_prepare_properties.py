"""What preparation must do to any log: the order of rows, a time column and a second pass change nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bakeoff.data.interactions import Ids, Interactions
from bakeoff.data.prepare import prepare
from bakeoff.errors import DataError
from bakeoff.splits.base import load_split, save_split
from bakeoff.splits.kfold import KFold
from bakeoff.splits.per_user import Random
from bakeoff.splits.temporal import Temporal

ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(0, 9), st.integers(0, 50)),
    min_size=2,
    max_size=50,
)
FILTERS = st.lists(
    st.one_of(
        st.builds(lambda v: {"min_value": v}, st.integers(0, 8)),
        st.builds(
            lambda name, n: {name: n},
            st.sampled_from(["min_user_interactions", "min_item_interactions", "k_core"]),
            st.integers(1, 3),
        ),
    ),
    max_size=3,
)
TRANSFORM = st.sampled_from([("none", None), ("log1p", None), ("clip", 3.0), ("binary", None)])
MERGE = st.sampled_from(["sum", "max"])


def log(rows, merge="sum", times=True) -> Interactions:
    users, items, values, when = np.array(rows).T
    return Interactions.of(
        users.astype(np.int32),
        items.astype(np.int32),
        values.astype(np.float32),
        when.astype(np.int64) if times else None,
        Ids.of(range(6)),
        Ids.of(range(7)),
        merge=merge,
    )


def prepared(data, filters, transform=("none", None)):
    """The prepared data and the ledger; a log of which nothing is left is no example."""
    try:
        return prepare(data, filters, *transform, events=data.times is not None, where="log")
    except DataError:
        assume(False)


def without_times(data: Interactions) -> str:
    return replace(data, times=None).fingerprint


def content(split) -> tuple[str, list[float]]:
    """What a split by chance may depend on: its pairs and their values, not their times."""
    return without_times(split.train), split.test.toarray().tolist()


@settings(max_examples=60, deadline=None)
@given(ROWS, FILTERS, TRANSFORM, MERGE, st.sampled_from([Random(), KFold(n_folds=2)]))
def test_naming_a_time_column_changes_no_pair_and_no_split_by_chance(
    rows, filters, transform, merge, splitter
):
    timed, steps = prepared(log(rows, merge), filters, transform)
    untimed, plain_steps = prepared(log(rows, merge, times=False), filters, transform)
    assert without_times(timed.merged()) == untimed.fingerprint
    assert [replace(s, note="") for s in steps] == [replace(s, note="") for s in plain_steps]
    try:
        expected = splitter.split(untimed, seed=3)
    except DataError:  # too small to be cut
        return
    assert content(splitter.split(timed, seed=3)) == content(expected)


@settings(max_examples=60, deadline=None)
@given(ROWS, FILTERS, TRANSFORM, st.sampled_from(["sum", "max", "last"]), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(rows, filters, transform, merge, random):
    shuffled = random.sample(rows, len(rows))
    (data, steps), (other, others) = (prepared(log(r, merge), filters, transform) for r in (rows, shuffled))
    assert data.merged().fingerprint == other.merged().fingerprint
    assert steps == others


@settings(max_examples=60, deadline=None)
@given(ROWS, st.sampled_from([[{"min_value": 4}], [{"k_core": 2}], [{"min_user_interactions": 2}]]))
def test_a_filter_of_what_it_has_left_removes_nothing(rows, filters):
    once, _ = prepared(log(rows, times=False), filters)
    again, (*_, last) = prepared(once, filters)
    assert again.fingerprint == once.fingerprint
    assert last.note == "0 pairs removed"


@settings(max_examples=60, deadline=None)
@given(ROWS, FILTERS, TRANSFORM)
def test_the_ledger_agrees_with_brute_force_and_with_what_is_left(rows, filters, transform):
    data, (merged, *steps) = prepared(log(rows), filters, transform)
    assert merged.rows == len({row[:2] for row in rows})
    assert merged.total == sum(row[2] for row in rows)  # a sum loses nothing
    pairs = data.merged()
    last = [merged, *steps][-1]
    assert (last.rows, last.users, last.items) == (len(pairs), data.n_users, data.n_items)
    assert last.total == pairs.values.sum(dtype=np.float64)
    counts = [s.rows for s in (merged, *steps)]
    assert counts == sorted(counts, reverse=True)


@settings(max_examples=30, deadline=None)
@given(ROWS, FILTERS, TRANSFORM)
def test_a_stored_split_by_time_has_the_same_inner_split(tmp_path_factory, rows, filters, transform):
    data, _ = prepared(log(rows), filters, transform)
    try:
        split = Temporal().split(data, 0)
        inner = Temporal().inner(split, 0)
    except DataError:
        return
    folder = tmp_path_factory.mktemp("split")
    save_split(split, folder)
    stored = load_split(folder)
    assert (stored.steps, stored.events.operations) == (
        split.steps,
        data.operations if data.operations else (),
    )
    assert Temporal().inner(stored, 0).fingerprint == inner.fingerprint
