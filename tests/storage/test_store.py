from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bakeoff.errors import UsageError
from bakeoff.run.cell import build_splitter
from bakeoff.storage.record import Record
from bakeoff.storage.store import DamagedRecordError, Store, StoredLists, replacing, write_json
from toys import Blocks


def a_record(**changes: object) -> Record:
    base = Record(
        key="c0",
        status="done",
        reason="",
        cell={"dataset": {"name": "blocks"}, "split": {}, "model": {}},
        metrics={"ndcg": {"10": (0.25, 0.01)}, "auc": {"": (0.75, None)}},
        notes=("a note",),
        training_loss=(2.0, 1.5),
    )
    return Record(**{**base.__dict__, **changes})


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write_record(a_record())
    assert store.record("c0") == a_record()


def test_a_cell_without_a_record_is_not_done(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write_lists(
        "c0", StoredLists(np.zeros((1, 2), np.int32), np.zeros((1, 2), np.float32), None, None, None)
    )
    assert store.record("c0") is None
    assert not store.done("c0")


@pytest.mark.parametrize("status", ["failed", "skipped"])
def test_what_failed_or_was_skipped_is_tried_again(tmp_path: Path, status: str) -> None:
    store = Store(tmp_path)
    store.write_record(a_record(status=status, reason="because"))
    assert not store.done("c0")


def test_starting_a_cell_forgets_its_old_record_first(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write_record(a_record())
    store.begin("c0")
    assert store.record("c0") is None


def test_a_record_that_is_not_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cells" / "c0" / "record.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(UsageError, match=r"record\.json: not a record"):
        Store(tmp_path).record("c0")


def test_fields_of_a_later_version_do_not_matter(tmp_path: Path) -> None:
    stored = {**a_record().as_json(), "invented_later": 1}
    write_json(tmp_path / "cells" / "c0" / "record.json", stored)
    assert Store(tmp_path).record("c0") == a_record()


def test_lists_come_back_without_a_copy(tmp_path: Path) -> None:
    store = Store(tmp_path)
    lists = StoredLists(
        np.array([[1, -1]], np.int32),
        np.array([[0.5, -np.inf]], np.float32),
        np.array([3], np.int32),
        None,
        None,
    )
    store.write_lists("c0", lists)
    found = store.lists("c0")
    assert isinstance(found.items, np.memmap)
    np.testing.assert_array_equal(found.items, lists.items)
    np.testing.assert_array_equal(found.scores, lists.scores)
    np.testing.assert_array_equal(found.above, lists.above)
    assert found.ties is None


@pytest.mark.parametrize("damage", ["missing", "cut short"])
def test_lists_that_are_missing_or_damaged_are_named(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path)
    whole = StoredLists(np.zeros((9, 2), np.int32), np.zeros((9, 2), np.float32), None, None, None)
    store.write_lists("c0", whole)
    path = tmp_path / "cells/c0/items.npy"
    path.write_bytes(path.read_bytes()[:-8])
    if damage == "missing":
        path.unlink()
    with pytest.raises(UsageError, match=r"missing or damaged .*; delete the folder"):
        store.lists("c0")


def test_a_write_that_breaks_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_split_is_stored_whole_and_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    config = {"_target_": "bakeoff.splits.per_user.Random", "ratio": 0.8}
    split = build_splitter(config).split(Blocks().load().interactions, 1)
    assert not store.has_split("p0")
    store.write_split("p0", split)
    store.write_split("p0", split)
    assert store.has_split("p0")
    assert store.split("p0").fingerprint == split.fingerprint
    assert [p.name for p in (tmp_path / "splits").iterdir()] == ["p0"]


def test_a_data_set_is_stored_with_the_story_of_its_preparation(tmp_path: Path) -> None:
    store, dataset = Store(tmp_path), Blocks().load()
    store.write_data("d0", dataset)
    found = store.data("d0")
    assert found.interactions.fingerprint == dataset.interactions.fingerprint
    assert found.steps == dataset.steps


def test_json_is_written_sorted_and_refuses_what_is_no_number(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": 2})
    assert list(json.loads((tmp_path / "a.json").read_text())) == ["a", "b"]
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "b.json", float("nan"))


DAMAGES = {
    "": "Expecting value",
    "[]": "found a list, expected an object",
    "{}": "it has no 'key'",
    '{"key": "c0", "status": "done", "reason": "", "cell": []}': "cell: found a list, expected an object",
    '{"key": "c0", "status": "fine", "reason": "", "cell": {}}': "status: found 'fine'",
    '{"key": "c0", "status": "done", "reason": "", "cell": {"dataset": {}}}': "cell: missing 2 required",
}


@pytest.mark.parametrize("text", DAMAGES)
def test_what_is_wrong_with_a_record_is_said_with_its_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cells" / "c0" / "record.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(DamagedRecordError, match="run the cell again, or delete its folder") as told:
        Store(tmp_path).record("c0")
    assert str(path) in str(told.value) and DAMAGES[text] in str(told.value)
    assert Store(tmp_path).readable("c0") == (None, told.value.what)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("metrics", {"ndcg": [0.1]}, "metrics.ndcg"),
        ("metrics", {"ndcg": {"10": ["0.1", None]}}, "metrics.ndcg"),
        ("seconds", {"fit": "long"}, "seconds.fit: found a text, expected a number"),
        ("n_users", True, "n_users: found true or false, expected a number"),
        ("notes", "a note", "notes: found a text, expected a list"),
        ("key", "c1", "it is of cell 'c1'"),
    ],
)
def test_a_record_with_a_value_of_another_kind_is_refused(
    tmp_path: Path, field: str, value: object, said: str
) -> None:
    store = Store(tmp_path)
    write_json(store.cell_folder("c0") / "record.json", {**a_record().as_json(), field: value})
    with pytest.raises(DamagedRecordError) as told:
        store.record("c0")
    assert said in str(told.value)
