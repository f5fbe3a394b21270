"""The numbers of a description, against counts made by hand and by pandas."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from bakeoff.data.describe import SHARES, TOPS, Description, describe, distribution
from bakeoff.data.interactions import Features, Ids, Interactions
from bakeoff.data.source import Dataset, Step
from bakeoff.errors import DataError
from bakeoff.splits.held_out_users import HeldOutUsers
from bakeoff.splits.temporal import Temporal

DAY = 86_400


def _dataset(pairs: list[tuple[int, int]], **columns: Any) -> Dataset:
    """Users and items as codes; both have one id more than there are rows of."""
    users, items = (np.array(c, dtype=np.int32) for c in zip(*pairs, strict=True))
    data = Interactions.of(
        users,
        items,
        columns.pop("values", None),
        columns.pop("times", None),
        Ids.of(range(int(users.max()) + 2)),
        Ids.of(range(int(items.max()) + 2)),
        **columns,
    )
    return Dataset("small", data, (Step("read", len(data), 3, 3),))


SMALL = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0), (2, 0)]


@pytest.fixture(scope="module")
def small() -> Description:
    return describe(_dataset(SMALL))


def test_sizes_count_what_has_a_row(small: Description) -> None:
    sizes = (small.name, small.rows, small.pairs, small.users, small.items, small.density)
    assert sizes == ("small", 7, 6, 3, 3, 6 / 9)
    assert [s.name for s in small.steps] == ["read"]


def test_histories_and_popularity_count_distinct_partners(small: Description) -> None:
    assert small.histories.bins == small.popularity.bins == ((1, 1, 1), (2, 2, 1), (3, 3, 1))
    assert small.histories.quantiles[SHARES.index(0.5)] == small.histories.mean == 2


def test_the_long_tail_equals_fractions_made_by_hand(small: Description) -> None:
    tail = small.long_tail
    # Items have 3, 2 and 1 users: the mean difference of all nine ordered pairs is 8/9, twice the mean is 4.
    assert tail.gini == pytest.approx((8 / 9) / 4)
    assert tail.tops == (3 / 6, 3 / 6, 3 / 6, 3 / 6, 5 / 6)
    assert (tail.half, tail.single, tail.most) == pytest.approx((1 / 3, 1 / 3, 1))
    assert tail.curve == (3, 2, 1)


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(np.int64, st.integers(1, 80), elements=st.integers(1, 30)))
def test_gini_is_the_mean_difference_over_twice_the_mean(counts: np.ndarray) -> None:
    pairs = [(user, item) for item, n in enumerate(counts) for user in range(n)]
    tail = describe(_dataset(pairs)).long_tail
    differences = np.abs(counts[:, None] - counts[None, :]).mean()
    assert tail.gini == pytest.approx(differences / (2 * counts.mean()), abs=1e-12)
    falling = sorted(counts.tolist(), reverse=True)
    for share, held in zip(TOPS, tail.tops, strict=True):
        assert held == pytest.approx(sum(falling[: int(np.ceil(share * len(falling)))]) / sum(falling))
    assert tail.curve[0] == falling[0]
    assert tail.curve[-1] == falling[-1]


def test_without_values_times_or_features_there_is_nothing_of_them(small: Description) -> None:
    assert (small.values, small.times, small.user_features, small.item_features) == (None,) * 4
    assert small.splits == ()


@settings(max_examples=80, deadline=None)
@given(
    st.one_of(
        hnp.arrays(np.float32, st.integers(1, 60), elements=st.floats(-1e6, 1e6, width=32)),
        hnp.arrays(np.float32, st.integers(1, 60), elements=st.integers(0, 2**24).map(float)),
        hnp.arrays(np.int64, st.integers(1, 60), elements=st.integers(0, 40)),
    )
)
def test_every_number_falls_in_one_bar(numbers: np.ndarray) -> None:
    result = distribution(numbers)
    assert sum(count for _, _, count in result.bins) == result.n == len(numbers)
    assert result.bins[0][0] <= numbers.min()
    assert result.bins[-1][1] == numbers.max()
    if len(np.unique(numbers)) > 12 and (numbers == np.floor(numbers)).all() and numbers.min() >= 0:
        for low, high, count in result.bins:
            assert count == ((numbers >= low) & (numbers <= high)).sum()


def test_whole_numbers_stand_in_bars_that_double() -> None:
    assert distribution(np.arange(21)).bins == (
        (0, 0, 1),
        (1, 1, 1),
        (2, 2, 1),
        (3, 4, 2),
        (5, 8, 4),
        (9, 16, 8),
        (17, 20, 4),
    )


def test_ratings_have_a_bar_each() -> None:
    ratings = np.array([0.5, 5, 5, 3.5], dtype=np.float32)
    assert distribution(ratings).bins == ((0.5, 0.5, 1), (3.5, 3.5, 1), (5, 5, 2))


def test_other_numbers_stand_in_twelve_bars_of_equal_width() -> None:
    bins = distribution(np.linspace(-1.0, 2.0, 120)).bins
    assert len(bins) == 12
    assert {count for _, _, count in bins} == {10}
    assert (bins[0][0], bins[-1][1]) == (-1, 2)


@pytest.mark.parametrize(
    ("seconds", "unit", "start", "counts"),
    [
        ([0, 3 * 3600, 3 * 3600 + 1], "h", "1970-01-01T00", (1, 0, 0, 2)),
        ([0, 4 * DAY], "D", "1970-01-01", (1, 0, 0, 0, 1)),
        ([-1, 100 * DAY], "M", "1969-12", (1, 0, 0, 0, 1)),
        ([0, 6 * 365 * DAY], "Y", "1970", (1, 0, 0, 0, 0, 1)),
        ([0, 0], "h", "1970-01-01T00", (2,)),
    ],
)
def test_rows_are_counted_in_periods_that_fit_the_span(
    seconds: list[int], unit: str, start: str, counts: tuple[int, ...]
) -> None:
    times = np.array(seconds, dtype=np.int64)
    span = describe(_dataset([(0, i) for i in range(len(times))], times=times)).times
    assert span is not None
    assert (span.first, span.last) == (seconds[0], seconds[-1])
    assert (span.unit, span.start, span.counts) == (unit, start, counts)


def test_rows_of_one_user_in_one_second_are_tied() -> None:
    times = np.array([7, 7, 8, 7, 9, 9, 9], dtype=np.int64)
    span = describe(_dataset(SMALL, times=times)).times
    assert span is not None
    assert span.tied == 4 / 7  # two rows of user 0, two of user 2; user 1 has one in each second


def test_features_are_counted_by_the_name_before_the_equals_sign() -> None:
    matrix = sparse.csr_matrix(np.array([[1, 0, 1], [0, 1, 1], [0, 0, 0], [0, 0, 0]], dtype=np.float32))
    summary = describe(
        _dataset(SMALL, user_features=Features(matrix, ("country=a", "country=b=c", "age")))
    ).user_features
    assert summary is not None
    assert (summary.groups, summary.n_with, summary.total, summary.mean) == (
        {"country": 2, "age": 1},
        2,
        4,
        2.0,
    )


def test_a_split_is_described_by_its_parts() -> None:
    # A row a day, the last three in test: one of a user that train does not know.
    dataset = _dataset(
        [(0, 0), (0, 1), (1, 0), (1, 2), (0, 2), (1, 1), (2, 0)], times=np.arange(7, dtype=np.int64) * DAY
    )
    split = Temporal(ratio=4 / 7).split(dataset.interactions, 0)
    (cut,) = describe(dataset, [("temporal", split)]).splits
    assert (cut.name, cut.fingerprint, cut.held_out) == ("temporal", split.fingerprint, False)
    assert (cut.train_pairs, cut.train_users, cut.catalogue) == (4, 2, 3)
    assert (cut.test_pairs, cut.test_users, cut.test_items) == (2, 2, 2)
    assert (cut.history_sizes.bins, cut.test_sizes.bins) == (((2, 2, 2),), ((1, 1, 2),))
    assert cut.share_of_top_items == 0  # the one item in three that is most popular is the first
    assert cut.info["dropped_cold_users"] == 1


def test_known_and_sought_items_are_those_of_the_evaluated_users() -> None:
    rng = np.random.default_rng(3)
    pairs = sorted({(int(u), int(i)) for u, i in rng.integers(0, [40, 15], (400, 2))})
    dataset = _dataset(pairs)
    split = HeldOutUsers().split(dataset.interactions, 5)
    cut = describe(dataset, [("held out", split)]).splits[0]
    test, history = split.test.toarray() > 0, split.history.toarray() > 0
    assert cut.held_out
    assert cut.test_users == len(split.users) == cut.history_sizes.n == cut.test_sizes.n
    assert cut.history_sizes.mean == pytest.approx(history[split.users].sum(axis=1).mean())
    assert cut.test_sizes.mean == pytest.approx(test[split.users].sum(axis=1).mean())
    assert cut.test_items == test.any(axis=0).sum()
    assert cut.train_users == 40 - split.info["users_held_out"]
    popular = np.argsort(-split.train.matrix().getnnz(axis=0), kind="stable")[
        : int(np.ceil(0.1 * test.shape[1]))
    ]
    assert cut.share_of_top_items == pytest.approx(test[:, popular].sum() / test.sum())


def test_data_without_rows_are_refused() -> None:
    empty = Interactions(np.zeros(0, np.int32), np.zeros(0, np.int32), None, None, Ids.of([1]), Ids.of([1]))
    with pytest.raises(DataError, match="data set 'nothing' has no rows to describe"):
        describe(Dataset("nothing", empty))
