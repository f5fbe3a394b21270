import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from bakeoff.data.interactions import Features
from bakeoff.data.readers import Table
from bakeoff.errors import ConfigError, DataError
from bakeoff.splits.predefined import Predefined, align_ids

TRAIN = ["ann,a,1", "ann,b,2", "bob,b,3", "bob,c,1", "cat,a,2", "cat,c,5"]
TEST = ["ann,c,4", "bob,a,1", "cat,a,2", "dan,a,1", "bob,z,1"]
VALIDATION = ["cat,b,1", "ann,c,9", "eve,a,1"]


@pytest.fixture
def written(tmp_path: Path):
    def write(name: str, rows: list[str], header: str = "user,item,plays") -> str:
        path = tmp_path / name
        path.write_text("\n".join([header, *rows]) + "\n")
        return str(path)

    return write


@pytest.fixture
def table(written) -> Table:
    return Table(path=written("train.csv", TRAIN), value="plays")


def test_the_test_part_is_the_other_file_in_the_catalogue_of_train(table, written, train_of, test_of) -> None:
    splitter = Predefined(table=table, test=written("test.csv", TEST))
    split = splitter.split(table.load().interactions, seed=0)
    assert train_of(split) == {tuple(row.split(",")[:2]) for row in TRAIN}
    assert test_of(split) == {("ann", "c"), ("bob", "a")}
    assert split.info["dropped_seen_in_train"] == 1  # cat, a
    assert split.info["dropped_cold_user_pairs"] == 1  # dan
    assert split.info["dropped_cold_item_pairs"] == 1  # z


def test_ids_that_only_the_test_part_knows_are_kept_where_that_is_the_policy(table, written, test_of) -> None:
    splitter = Predefined(table=table, test=written("test.csv", TEST), cold_users="keep", cold_items="keep")
    split = splitter.split(table.load().interactions, seed=0)
    assert test_of(split) == {("ann", "c"), ("bob", "a"), ("dan", "a"), ("bob", "z")}


def test_tuning_is_measured_on_the_validation_part_less_what_is_tested(
    table, written, train_of, test_of
) -> None:
    splitter = Predefined(
        table=table, test=written("test.csv", TEST), validation=written("validation.csv", VALIDATION)
    )
    split = splitter.split(table.load().interactions, seed=0)
    assert train_of(split) == {tuple(row.split(",")[:2]) for row in [*TRAIN, "cat,b", "eve,a"]}
    inner = splitter.inner(split, seed=7)
    assert inner.level == 1
    assert train_of(inner) == {tuple(row.split(",")[:2]) for row in TRAIN}
    assert test_of(inner) == {("cat", "b")}  # ann, c is tested; eve is unknown
    assert split.info["dropped_validation_rows_in_test"] == 1
    assert inner.info["dropped_cold_users"] == 1


def test_nobody_is_recommended_what_stands_in_the_validation_part(table, written) -> None:
    splitter = Predefined(
        table=table, test=written("test.csv", TEST), validation=written("validation.csv", VALIDATION)
    )
    split = splitter.split(table.load().interactions, seed=0)
    users, items = (list(ids.values) for ids in (split.train.user_ids, split.train.item_ids))
    assert split.history[users.index("cat"), items.index("b")] == 1
    assert split.train.matrix()[users.index("cat"), items.index("b")] == 1
    assert splitter.inner(split, seed=7).history[users.index("cat")].nnz == 2


def test_a_validation_part_that_is_all_in_test_is_refused_before_anything_is_tuned(table, written) -> None:
    splitter = Predefined(
        table=table,
        test=written("test.csv", TEST),
        validation=written("validation.csv", [TEST[0], "bob,z,1"]),
    )
    with pytest.raises(DataError, match=r"validation\.csv: none of 2 rows is left to validate on"):
        splitter.split(table.load().interactions, seed=0)


def test_without_a_validation_part_tuning_cuts_train_at_random(written, train_of, test_of) -> None:
    rows = [f"u{u},i{i},1" for u in range(10) for i in range(10)]
    table = Table(path=written("train.csv", rows), value="plays")
    splitter = Predefined(
        table=table, test=written("test.csv", [f"u{u},i{u},1" for u in range(10)]), ratio=0.7
    )
    with pytest.raises(DataError, match="of 10 pairs 10 were seen in train"):
        splitter.split(table.load().interactions, seed=0)
    keeping = replace(splitter, test=written("test.csv", ["new,i1,1"]), cold_users="keep")
    split = keeping.split(table.load().interactions, seed=0)
    inner = keeping.inner(split, seed=1)
    assert np.diff(inner.test.indptr).tolist() == [3] * 10  # the user of test is not among its users
    assert test_of(inner) | train_of(inner) == train_of(split)
    assert keeping.inner(split, seed=2).fingerprint != inner.fingerprint


def test_users_and_items_of_test_alone_leave_no_trace_but_their_counts(table, written) -> None:
    cold = [f"new{n},{item},1" for n in range(40) for item in ("a", "x", "y", "z")]
    splitter = Predefined(table=table, test=written("test.csv", TEST[:3]), ratio=0.5)
    alone, beside = (
        one.split(table.load().interactions, seed=0)
        for one in (splitter, replace(splitter, test=written("cold.csv", [*TEST[:3], *cold])))
    )
    for one, other in ((alone, beside), (splitter.inner(alone, seed=1), splitter.inner(beside, seed=1))):
        assert one.fingerprint == other.fingerprint
        assert one.train.user_ids.values.tolist() == other.train.user_ids.values.tolist()
        assert one.test.shape == other.test.shape == one.history.shape
        np.testing.assert_array_equal(one.users, other.users)
    assert beside.info["dropped_cold_users"] == 40


def test_a_test_part_that_turns_ids_to_text_gives_the_same_codes(written, train_of, test_of) -> None:
    table = Table(path=written("train.csv", ["9,1,1", "10,1,1", "10,2,1", "9,3,1"]), value="plays")
    split = Predefined(table=table, test=written("test.csv", ["9,2,1", "x,1,1"])).split(
        table.load().interactions, seed=0
    )
    assert {(str(u), str(i)) for u, i in test_of(split)} == {("9", "2")}
    assert {(str(u), str(i)) for u, i in train_of(split)} == {
        ("9", "1"),
        ("10", "1"),
        ("10", "2"),
        ("9", "3"),
    }


def test_features_of_train_stand_beside_their_ids_after_the_union(log) -> None:
    train = log([("b", 1, 0), ("d", 2, 0)])
    features = Features(sparse.csr_matrix(np.float32([[1, 0], [0, 2]])), ("x", "y"))
    train = replace(train, user_features=features)
    one, other = align_ids([train, log([("a", 2, 0), ("c", 3, 0)])])
    assert one.user_ids.values.tolist() == ["a", "b", "c", "d"]
    assert one.user_features is not None
    assert one.user_features.matrix.toarray().tolist() == [[0, 0], [1, 0], [0, 0], [0, 2]]
    assert one.user_ids is other.user_ids
    assert one.fingerprint == train.fingerprint


def test_ids_of_test_that_are_nearly_those_of_train_are_counted(table, written) -> None:
    def matched(*rows: str) -> list[tuple[str, str | None]]:
        split = Predefined(table=table, test=written("test.csv", [*TEST, *rows]))
        steps = split.split(table.load().interactions, seed=0).steps
        return [(step.name, step.part) for step in steps if step.name.startswith("match")]

    assert matched() == []
    assert matched("Ann,b,1") == [("match user ids", "test")]
    assert matched("Ann,B,1") == [("match user ids", "test"), ("match item ids", "test")]


def test_its_identity_is_the_content_of_the_files_not_their_path(table, written) -> None:
    one = Predefined(table=table, test=written("test.csv", TEST))
    renamed = Predefined(table=table, test=written("other.csv", TEST))
    changed = Predefined(table=table, test=written("changed.csv", TEST[:-1]))
    assert one.identity() == renamed.identity()
    assert one.identity() != changed.identity()
    with_validation = replace(one, validation=written("validation.csv", VALIDATION))
    assert with_validation.identity() != one.identity()
    assert with_validation.identity()["validation_in_train"] and "validation_in_train" not in one.identity()
    assert replace(one, cold_users="keep").identity() != one.identity()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"test": None}, "split.test: no file"),
        ({"table": None, "test": "x.csv"}, "split 'predefined' reads its files as the data set's own file"),
        ({"test": "x.csv", "ratio": 1}, "split.ratio=1: expected"),
    ],
)
def test_what_is_missing_is_named(table, parameters, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Predefined(**{"table": table, **parameters})
    assert str(caught.value).startswith(message)


def test_a_file_that_is_not_there_is_named(table, tmp_path: Path) -> None:
    splitter = Predefined(table=table, test=str(tmp_path / "missing.csv"))
    with pytest.raises(DataError, match=r"missing\.csv: "):
        splitter.split(table.load().interactions, seed=0)


def test_a_test_part_without_a_column_of_train_is_refused(table, written) -> None:
    splitter = Predefined(table=table, test=written("test.csv", ["ann,c"], header="user,item"))
    with pytest.raises(DataError, match="no column 'plays'"):
        splitter.split(table.load().interactions, seed=0)


@pytest.mark.real_data
def test_the_published_folds_of_movielens_are_read_whole(ml_100k: Path) -> None:
    columns = ["user", "item", "rating", "timestamp"]
    base = str(ml_100k / "u1.base")
    table = Table(path=base, separator="\t", quote=None, columns=columns, value="rating", time="timestamp")
    splitter = Predefined(table=table, test=str(ml_100k / "u1.test"))
    info = splitter.split(table.load().interactions, seed=0).info
    assert (info["train_pairs"], info["test_rows"], info["dropped_seen_in_train"]) == (80_000, 20_000, 0)
    assert info["dropped_cold_user_pairs"] == 0
    assert info["test_pairs"] + info["dropped_cold_item_pairs"] == 20_000
    assert info["catalogue"] == 1650


ML_100K = Path(os.environ.get("BAKEOFF_DATA", "")) / "ml-100k"


@pytest.mark.skipif(not (ML_100K / "u1.base").is_file(), reason="needs ml-100k in BAKEOFF_DATA")
@pytest.mark.parametrize("times", [{}, {"time": "when", "merge": "last"}])
def test_filters_by_value_reach_the_test_part(times) -> None:
    columns = ["user", "item", "rating", "when"]
    parameters = {"columns": columns, "separator": "\t", "value": "rating", "filters": [{"min_value": 4}]}
    table = Table(path=str(ML_100K / "u1.base"), **parameters, **times)
    policy = {"cold_users": "keep", "cold_items": "keep"}
    split = Predefined(table=table, test=str(ML_100K / "u1.test"), **policy).split(
        table.load().interactions, seed=0
    )
    rows = np.loadtxt(ML_100K / "u1.test", dtype=int)
    assert split.info["test_pairs"] == (rows[:, 2] >= 4).sum() == 11_235
    assert split.test.data.min() == 4
    (last_read, left) = [s for s in split.steps if s.part == "test"][1:3]
    assert (last_read.rows, left.rows, left.total) == (20_000, 11_235, rows[rows[:, 2] >= 4, 2].sum())


def test_conditions_transforms_and_filters_by_count_reach_each_part(table, written, test_of) -> None:
    rows = ["bob,a,2", "dan,a,1"]
    table = replace(
        table,
        path=written("more.csv", [*TRAIN, *rows]),
        filters=[{"min_user_interactions": 2}, {"min_value": 2}],
        transform="log1p",
        where=[{"column": "plays", "max": 4}],
    )
    rows = ["ann,a,9", "ann,c,4", "bob,b,1", "dan,a,3", "ann,b,1", "cat,b,2"]
    keep = {"cold_users": "keep", "cold_items": "keep"}
    parts = {"test": written("t.csv", rows), "validation": written("v.csv", [*rows, "ann,a,4"])}
    splitter = Predefined(table=table, **parts, **keep)
    # Of train, cat and dan have one row of at most 4: they are in no part.
    split = splitter.split(table.load().interactions, seed=0)
    assert test_of(split) == {("ann", "c")}
    assert split.test.data.tolist() == pytest.approx([np.log(5)])
    names = [step.name for step in split.steps if step.part == "validation"]
    assert names[1:] == [
        "plays <= 4",
        "merge (sum)",
        "users with at least 2 items in train",
        "value at least 2",
        "transform (log1p)",
    ]


def test_the_identity_changes_where_the_test_part_does(table, written) -> None:
    test = written("test.csv", TEST)
    keep = {"cold_users": "keep"}
    for filters, policy, changed in (
        ([], {}, False),
        ([{"k_core": 2}], {}, False),
        ([{"k_core": 2}], keep, True),
        ([{"min_value": 2}], {}, True),
    ):
        splitter = Predefined(table=replace(table, filters=filters), test=test, **policy)
        assert ("filters" in splitter.identity()) == changed
