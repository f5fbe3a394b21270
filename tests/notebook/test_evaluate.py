"""Anybody's lists are measured as the harness measures its own, and checked as strictly."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import bakeoff as bo
from bakeoff.errors import DataError, UsageError
from bakeoff.models.neighbours import ItemKNN
from bakeoff.report.export import listed
from bakeoff.run.cell import Cell
from bakeoff.run.inference import recommend
from bakeoff.run.runner import EvaluationSpec, Workspace, run_cell
from bakeoff.splits.per_user import Random
from bakeoff.storage.store import Store
from toys import blocks

TRAIN = pd.DataFrame({"user": ["ann", "ann", "bob", "cy"], "item": ["a", "b", "a", "c"]})
TEST = pd.DataFrame(
    {"user": ["ann", "bob", "bob", "dan", "cy", "ann"], "item": ["c", "b", "c", "a", "new", "a"]}
)
LISTS = {"ann": ["c"], "bob": ["c", "b"]}


def of(result: bo.Evaluation, metric: str, k: int) -> float:
    return float(result.table.set_index(["metric", "k"]).loc[(metric, k), "value"])


def test_values_are_those_of_a_hand_count() -> None:
    result = bo.evaluate(LISTS, train=TRAIN, test=TEST, k=[1, 2])
    # ann: c of {c}. bob: c, b of {b, c}. cy's and dan's test items are unknown, ann's a is in train.
    assert of(result, "precision", 1) == 1.0
    assert of(result, "precision", 2) == (0.5 + 1.0) / 2
    assert of(result, "recall", 1) == (1.0 + 0.5) / 2
    assert of(result, "catalog_coverage", 1) == 1 / 3
    assert result.per_user.set_index("user")["recall@1"].to_dict() == {"ann": 1.0, "bob": 0.5}
    assert set(result.table["n_users"]) == {2}
    assert "auc" in result.absent


def test_what_is_left_out_is_counted_and_said() -> None:
    lists = {"ann": ["c", "what"], "eve": ["a"]}
    notes = " / ".join(bo.evaluate(lists, train=TRAIN, test=TEST, k=1).notes)
    for expected in (
        "1 test pairs dropped: they are in train too",
        "1 test pairs dropped: they are of users that train does not know",
        "1 test pairs dropped: they are of items that train does not know",
        "lists: 1 of 3 rows left out, of a user that the data set does not have",
        "lists: 1 of 3 rows left out, of an item outside the catalogue",
        "1 of 2 evaluated users have no list and count with an empty one",
    ):
        assert expected in notes
    result = bo.evaluate(lists, train=TRAIN, test=TEST, k=1, metrics="recall")
    assert of(result, "recall", 1) == 0.5
    assert "/tmp" not in notes and "parquet" not in notes


FORMS = {
    "a mapping": lambda frame: {u: part["item"].tolist() for u, part in frame.groupby("user")},
    "a frame with ranks": lambda frame: frame[["user", "item", "rank"]].sample(frac=1, random_state=0),
    "a frame with scores": lambda frame: frame[["user", "item", "score"]].sample(frac=1, random_state=0),
    "an Arrow table": lambda frame: pa.Table.from_pandas(frame[["user", "item", "rank"]]),
    "arrays": lambda frame: (
        np.array(sorted(set(frame["user"])), dtype=object),
        frame.pivot(index="user", columns="rank", values="item").to_numpy(),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_lists_of_a_model_have_the_values_of_its_cell(form, tmp_path) -> None:
    cell = Cell(
        dataset={"_target_": "toys.Blocks", "name": "blocks"},
        split={"_target_": "bakeoff.splits.per_user.Random", "name": "random", "ratio": 0.7},
        model={"name": "knn", "build": {"_target_": "bakeoff.models.neighbours.ItemKNN", "K": 3}},
        depth=6,
    )
    workspace = Workspace(Store(tmp_path))
    record = run_cell(cell, workspace, EvaluationSpec((2, 5), {"ndcg": "bakeoff.evaluation.ranking.ndcg"}))
    frame = pd.DataFrame(listed(workspace.split(cell), workspace.store.lists(cell.key)))
    result = bo.evaluate(FORMS[form](frame), workspace.split(cell), k=[2, 5], metrics=["ndcg"])
    for k in (2, 5):
        row = result.table.query("k == @k").iloc[0]
        assert (row["value"], row["stderr"]) == pytest.approx(record.metrics["ndcg"][str(k)], abs=1e-12)


def test_frames_cut_as_a_split_give_its_values() -> None:
    split = Random(ratio=0.7).split(blocks(), 3)
    train, rows = split.train, np.repeat(np.arange(split.train.n_users), np.diff(split.test.indptr))
    users, items = train.user_ids.values, train.item_ids.values
    parts = {
        "train": pd.DataFrame(
            {"user": users[train.users], "item": items[train.items], "value": train.values}
        ),
        "test": pd.DataFrame({"user": users[rows], "item": items[split.test.indices]}),
    }
    model = ItemKNN(K=3)
    model.fit(train, seed=1)
    lists, _ = recommend(model, split, 5)
    own = {
        users[u]: [items[i] for i in row if i >= 0] for u, row in zip(lists.users, lists.items, strict=True)
    }
    first, second = bo.evaluate(own, split, k=5), bo.evaluate(own, **parts, k=5)
    pd.testing.assert_frame_equal(first.table, second.table)
    pd.testing.assert_frame_equal(first.per_user, second.per_user)


def test_whole_numbers_and_their_texts_are_one_id() -> None:
    train = pd.DataFrame({"user": [1, 1, 2], "item": [10, 20, 30]})
    test = pd.DataFrame({"user": [1, 2], "item": [30, 10]})
    result = [bo.evaluate(lists, train=train, test=test, k=1, metrics="recall") for lists in (
        {1: [30], 2: [10]}, {"1": ["30"], "2": ["10"]}, (np.array([1, 2]), np.array([[30, -1], [10, -1]])),
    )]  # fmt: skip
    assert [of(f, "recall", 1) for f in result] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("lists", "error", "says"),
    [
        ({"ann": ["a"]}, DataError, "lists: row 1 lists an item that the user has in train"),
        ({"ann": ["c"], "bob": ["b", "b"]}, DataError, "lists: row 3 lists the item a second time"),
        ({"zoe": ["c"]}, DataError, "lists: every row has a user that the data set does not have"),
        ({}, UsageError, "lists: no rows"),
        (pd.DataFrame({"user": ["ann"], "item": ["c"]}), UsageError, "no column 'rank' or 'score'"),
        (pd.DataFrame({"user": ["ann"], "rank": [1]}), UsageError, "no column 'item'; found user, rank"),
        (
            pd.DataFrame({"user": ["ann", None], "item": ["c", "c"], "rank": 1}),
            UsageError,
            "no value in row 2",
        ),
        ((np.array(["ann"]), np.array(["c"])), UsageError, r"expected users \[m\] and items \[m, D\]"),
        ([1, 2, 3], UsageError, "expected a frame with columns user and item, got list"),
    ],
)
def test_lists_that_are_wrong_are_refused(lists, error, says) -> None:
    with pytest.raises(error, match=says):
        bo.evaluate(lists, train=TRAIN, test=TEST, k=1)


def test_what_to_measure_on_is_said_once_and_whole() -> None:
    with pytest.raises(UsageError, match="no train; expected a split, or frames"):
        bo.evaluate(LISTS, test=TEST)
    with pytest.raises(UsageError, match="no train and no test"):
        bo.evaluate(LISTS)
    with pytest.raises(UsageError, match="got both"):
        bo.evaluate(LISTS, Random().split(blocks(), 1), test=TEST)
    with pytest.raises(UsageError, match="up to the catalogue's 3 items"):
        bo.evaluate(LISTS, train=TRAIN, test=TEST, k=4)
    with pytest.raises(UsageError, match="column 'value' holds values that are not finite"):
        bo.evaluate(LISTS, train=TRAIN.assign(value=np.nan), test=TEST, k=1)


def test_an_evaluation_shows_names_as_text() -> None:
    train = TRAIN.replace("a", "<b>a</b>")
    result = bo.evaluate({"ann": ["c"]}, train=train, test=TEST, k=1)
    assert "<script" not in result._repr_html_() and "evaluated users have no list" in result._repr_html_()
    assert "precision" in repr(result)
