"""`random` and `chronological` beside the splitters of recommenders whose meaning they claim."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bakeoff.splits.chronological import Chronological
from bakeoff.splits.per_user import Random

pd = pytest.importorskip("pandas")
splitters = pytest.importorskip("recommenders.datasets.python_splitters")

COLUMNS = {"col_user": "user", "col_item": "item"}
RATIOS = [0.55, 0.7, 0.75, 0.8, 0.9]


def frame(rows: list[tuple[int, ...]]) -> Any:
    return pd.DataFrame(rows, columns=["user", "item", "value", "time"])


def simulated_rows() -> list[tuple[int, ...]]:
    """Users of every length from 1 to 300, so that every rounding is met."""
    rng = np.random.default_rng(0)
    return [
        (user, int(item), int(rng.integers(1, 6)), int(time))
        for user in range(1, 301)
        for item, time in zip(rng.permutation(400)[:user], rng.permutation(5000)[:user], strict=True)
    ]


@pytest.fixture(scope="module")
def rated(ml_100k: Path) -> list[tuple[int, ...]]:
    return [tuple(map(int, line.split("\t"))) for line in (ml_100k / "u.data").read_text().splitlines()]


def sizes(pairs: Any) -> Counter[int]:
    return Counter(user for user, _ in pairs)


def check_sizes(log, train_of, test_of, rows: list[tuple[int, ...]], ratio: float) -> None:
    split = Random(ratio=ratio, cold_items="keep").split(log(rows, values=True), seed=1)
    train, test = splitters.python_stratified_split(frame(rows), ratio=ratio, **COLUMNS)
    assert sizes(train_of(split)) == Counter(train["user"].tolist())
    assert sizes(test_of(split)) == Counter(test["user"].tolist())


def check_rows(log, train_of, test_of, rows: list[tuple[int, ...]], ratio: float) -> int:
    """The rows of users whose times do not tie at the cut; returns how many users that are."""
    split = Chronological(ratio=ratio, cold_items="keep").split(log(rows, values=True), seed=1)
    train, test = splitters.python_chrono_split(frame(rows), ratio=ratio, col_timestamp="time", **COLUMNS)
    last, first = train.groupby("user")["time"].max(), test.groupby("user")["time"].min()
    untied = {user for user in last.index if user not in first.index or last[user] < first[user]}
    tied = set(last.index) - untied
    assert split.info["users_with_tie_at_cut"] == len(tied)
    for own, their in ((train_of(split), train), (test_of(split), test)):
        assert sizes(own) == Counter(their["user"].tolist())
        pairs = set(zip(their["user"].tolist(), their["item"].tolist(), strict=True))
        assert {p for p in own if p[0] in untied} == {p for p in pairs if p[0] in untied}
    return len(untied)


@pytest.mark.parametrize("ratio", RATIOS)
def test_random_gives_every_user_as_many_rows_as_python_stratified_split(
    log, train_of, test_of, ratio
) -> None:
    check_sizes(log, train_of, test_of, simulated_rows(), ratio)


@pytest.mark.parametrize("ratio", RATIOS)
def test_chronological_takes_the_rows_of_python_chrono_split(log, train_of, test_of, ratio) -> None:
    assert check_rows(log, train_of, test_of, simulated_rows(), ratio) == 300


@pytest.mark.real_data
def test_random_gives_every_user_of_movielens_as_many_rows(log, train_of, test_of, rated) -> None:
    check_sizes(log, train_of, test_of, rated, 0.8)


@pytest.mark.real_data
def test_chronological_takes_the_rows_of_movielens_where_times_do_not_tie(
    log, train_of, test_of, rated
) -> None:
    assert check_rows(log, train_of, test_of, rated, 0.8) == 443  # of 943
