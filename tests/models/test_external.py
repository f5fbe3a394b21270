from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bakeoff.data.interactions import Ids, Interactions
from bakeoff.errors import DataError, Unsupported
from bakeoff.models.external import External
from toys import blocks

TRAIN = blocks()
USERS = np.array([0, 1, 2], np.int32)


def written(path: Path, **columns: list[Any]) -> str:
    frame = pd.DataFrame(columns)
    frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)
    return str(path)


def listed(model: External, k: int = 2, seed: int = 1, train: Interactions = TRAIN) -> list[list[int]]:
    model.fit(train, seed=seed)
    items: list[list[int]] = model.recommend(USERS, train.matrix()[USERS], k)[0].tolist()
    return items


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_lists_are_those_of_the_file_best_first(tmp_path: Path, suffix: str) -> None:
    path = written(
        tmp_path / f"lists.{suffix}",
        user=["u000", "u000", "u002"],
        item=["i001", "i003", "i005"],
        score=[0.5, 0.75, 1.0],
    )
    model = External(path)
    assert listed(model) == [[3, 1], [-1, -1], [5, -1]]
    assert model.recommend(USERS, TRAIN.matrix()[USERS], 2)[1][0].tolist() == [0.75, 0.5]
    assert listed(model, k=1) == [[3], [-1], [5]]
    assert model.remarks == ()


def test_equal_scores_stand_by_item_code(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", user=["u000"] * 3, item=["i005", "i001", "i003"], score=[1, 1, 2])
    assert listed(External(path), 3)[0] == [3, 1, 5]


def test_scores_too_close_for_float32_keep_their_order(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", user=["u000"] * 2, item=["i001", "i003"], score=[1.0, 1.0 + 1e-12])
    assert listed(External(path))[0] == [3, 1]


def test_ranks_go_before_scores(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.csv", user=["u000"] * 2, item=["i001", "i003"], score=[9.0, 1.0], rank=[7, 1]
    )
    assert listed(External(path))[0] == [3, 1]


def test_split_seed_fold_and_seed_choose_the_rows(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.csv",
        user=["u000"] * 4,
        item=["i001", "i003", "i005", "i007"],
        score=[1.0] * 4,
        seed=[1, 2, 1, 2],
        split_seed=[42, 42, 43, 42],
        fold=[0, 0, 0, 1],
    )
    assert listed(External(path, split_seed=42, fold=0), seed=2)[0] == [3, -1]
    with pytest.raises(Unsupported, match=r"a\.csv has no lists for seed=3: it has 1, 2"):
        External(path, split_seed=42, fold=0).fit(TRAIN, seed=3)
    with pytest.raises(Unsupported, match="has no lists for fold=None: it has 0, 1"):
        External(path, split_seed=42).fit(TRAIN, seed=1)


def test_one_pair_may_stand_in_the_lists_of_two_seeds(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", user=["u000"] * 2, item=["i001"] * 2, score=[1.0, 2.0], seed=[1, 2])
    assert listed(External(path), seed=2)[0] == [1, -1]


def test_only_lists_by_seed_depend_on_the_seed(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {"user": ["u000"], "item": ["i001"], "score": [1.0]}
    assert not External(written(tmp_path / "a.csv", **columns)).stochastic
    assert External(written(tmp_path / "b.csv", **columns, seed=[1])).stochastic


def test_what_the_split_does_not_know_is_left_out_and_told(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.csv", user=["u000", "x", "u001"], item=["i001", "i001", "y"], score=[1.0] * 3
    )
    model = External(path)
    assert listed(model) == [[1, -1], [-1, -1], [-1, -1]]
    assert model.remarks == (
        "a.csv: 1 of 3 rows left out, of a user that the data set does not have",
        "a.csv: 1 of 3 rows left out, of an item outside the catalogue",
    )


def test_ids_that_are_numbers_are_found_whatever_the_file_makes_of_them(tmp_path: Path) -> None:
    train = Interactions.of(
        np.array([0, 1, 2], np.int32),
        np.array([0, 1, 2], np.int32),
        None,
        None,
        Ids.of([5, 70, 900]),
        Ids.of([1, 20, 300]),
    )
    for name in ("a.csv", "a.parquet"):
        path = written(tmp_path / name, user=[5, 900], item=[20, 1], score=[1.0, 2.0])
        assert listed(External(path), train=train) == [[1, -1], [-1, -1], [0, -1]]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"users": ["u000"], "item": ["i001"], "score": [1.0]}, "no column 'user'.*did you mean 'users'"),
        ({"user": ["u000"], "item": ["i001"], "value": [1.0]}, "no column 'score', which a file of lists"),
        ({"user": ["u000"], "item": ["i001"], "score": ["high"]}, "row 2, column 'score': found 'high'"),
        ({"user": ["u000"], "item": ["i001"], "score": [None]}, "row 2 has a score that is not finite"),
        (
            {"user": ["u000"], "item": ["i001"], "score": [1e300]},
            "row 2 has a score that is not finite in 32",
        ),
        ({"user": [], "item": [], "score": []}, "no rows; expected lists"),
        ({"user": ["u000", None], "item": ["i001"] * 2, "score": [1, 2]}, "row 3 has no user"),
        ({"user": ["u000"], "item": ["i001"], "rank": [0]}, "row 2 has a rank that is none"),
        ({"user": ["u000"], "item": ["i001"], "rank": [1.5]}, "row 2 has a rank that is none"),
        ({"user": ["u000"] * 2, "item": ["i001", "i003"], "rank": [1, 1]}, "row 3 gives one rank to two"),
        ({"user": ["u000"] * 2, "item": ["i001"] * 2, "score": [1, 2]}, "row 3 lists the item a second time"),
        ({"user": ["u000"], "item": ["i000"], "score": [1.0]}, "row 2 lists an item that the user has in tr"),
        ({"user": ["a"], "item": ["i001"], "score": [1.0]}, "every row has a user that .* as 'u000'"),
        ({"user": ["u000"], "item": ["b"], "score": [1.0]}, "every row has an item outside .* as 'i000'"),
    ],
)
def test_a_file_that_is_wrong_is_told_in_one_line_with_its_row(
    tmp_path: Path, columns: dict[str, list[Any]], says: str
) -> None:
    with pytest.raises(DataError, match=says) as raised:
        External(written(tmp_path / "a.csv", **columns)).fit(TRAIN, seed=1)
    assert "\n" not in str(raised.value)


def test_the_identity_is_the_content_and_not_the_path(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {"user": ["u000"], "item": ["i001"], "score": [1.0]}
    one, other = written(tmp_path / "a.csv", **columns), written(tmp_path / "b.csv", **columns)
    assert External(one).identity() == External(other).identity()
    assert External(one, split_seed=1).identity() == External(one, split_seed=2).identity()
    with pytest.raises(DataError, match="no such file"):
        External(str(tmp_path / "c.csv")).identity()


def test_the_identity_holds_what_chooses_rows(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", user=["u000"], item=["i001"], score=[1.0], split_seed=[42])
    assert External(path, split_seed=42, fold=1).identity().keys() == {"sha256", "split_seed"}
    assert External(path, split_seed=42).identity() != External(path, split_seed=43).identity()
