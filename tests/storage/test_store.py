from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from bakeoff.errors import UsageError
from bakeoff.run.cell import Cell, build_splitter
from bakeoff.run.runner import EvaluationSpec, Workspace, remeasure, run_cell
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.record import Measurement, Record
from bakeoff.storage.store import DamagedFileError, Store, StoredLists, replacing, write_json
from toys import Blocks
from tuned_records import tuning


def a_record(**changes: object) -> Record:
    base = Record(
        key="c0",
        status="done",
        reason="",
        cell=Cell({"_target_": "x.Y", "name": "blocks"}, {"_target_": "x.Y"}, {"build": {"_target_": "x.Y"}}),
        metrics={"ndcg": {"10": Measurement(0.25, 0.01)}, "auc": {"": Measurement(0.75, None)}},
        tuning=tuning([0.1, 0.2, "failed"], objectives={"ndcg@10": [0.1, 0.2, 0.0]}),
        notes=("a note",),
        training_loss=(2.0, 1.5),
    )
    return replace(base, **changes)


def some_lists(first: int = 1) -> StoredLists:
    items, scores = np.array([[first, -1]], np.int32), np.array([[0.5, -np.inf]], np.float32)
    return StoredLists(items, scores, np.array([3], np.int32), None, None)


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


def test_the_record_and_files_of_an_earlier_run_stay_until_a_new_record_replaces_them(tmp_path: Path) -> None:
    store, folder = Store(tmp_path), tmp_path / "cells" / "c0"
    store.write_lists("c0", some_lists(0))
    first = store.write_record(a_record(n_users=1))
    writer = Store(tmp_path)
    writer.write_lists("c0", some_lists(1)._replace(above=None))
    assert Store(tmp_path).record("c0") == first
    np.testing.assert_array_equal(Store(tmp_path).lists("c0").items, some_lists(0).items)
    second = writer.write_record(a_record(n_users=2))
    assert Store(tmp_path).record("c0") == second
    np.testing.assert_array_equal(Store(tmp_path).lists("c0").items, some_lists(1).items)
    assert {p.name for p in folder.iterdir()} == {"record.json", "items.npy", "scores.npy"}
    with pytest.raises(UsageError, match="was run again while it was read"):
        store.lists("c0")  # of its record were other lists


def test_a_record_that_is_not_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cells" / "c0" / "record.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(UsageError, match=r"record\.json: not JSON"):
        Store(tmp_path).record("c0")


def test_fields_of_a_later_version_do_not_matter(tmp_path: Path) -> None:
    stored = {**a_record().as_json(), "invented_later": 1}
    write_json(tmp_path / "cells" / "c0" / "record.json", stored)
    assert Store(tmp_path).record("c0") == a_record()


def test_lists_come_back_without_a_copy(tmp_path: Path) -> None:
    store = Store(tmp_path)
    lists = some_lists()
    store.write_lists("c0", lists)
    store.write_record(a_record())
    loaded = store.lists("c0")
    assert isinstance(loaded.items, np.memmap)
    np.testing.assert_array_equal(loaded.items, lists.items)
    np.testing.assert_array_equal(loaded.scores, lists.scores)
    np.testing.assert_array_equal(loaded.above, lists.above)
    assert loaded.ties is None


@pytest.mark.parametrize("damage", ["missing", "cut short"])
def test_lists_that_are_missing_or_damaged_are_named(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path)
    whole = StoredLists(np.zeros((9, 2), np.int32), np.zeros((9, 2), np.float32), None, None, None)
    store.write_lists("c0", whole)
    store.write_record(a_record())
    path = tmp_path / "cells/c0/items.npy"
    path.write_bytes(path.read_bytes()[:-8])
    if damage == "missing":
        path.unlink()
    with pytest.raises(UsageError, match=r"items\.npy: .*; run its command again"):
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
    store.write_data("d0", Blocks().load())
    store.write_split("p0", split, "d0")
    store.write_split("p0", split, "d0")
    assert store.has_split("p0")
    assert store.split("p0").fingerprint == split.fingerprint
    assert [p.name for p in (tmp_path / "splits").iterdir()] == ["p0"]


def test_a_data_set_is_stored_with_the_story_of_its_preparation(tmp_path: Path) -> None:
    store, dataset = Store(tmp_path), Blocks().load()
    store.write_data("d0", dataset)
    loaded = store.data("d0")
    assert loaded.interactions.fingerprint == dataset.interactions.fingerprint
    assert loaded.steps == dataset.steps


def test_a_record_names_the_hashes_of_its_files_and_of_what_it_was_computed_from(tmp_path: Path) -> None:
    cell = Cell(
        {"_target_": "toys.Blocks", "name": "blocks"},
        {"_target_": "bakeoff.splits.per_user.Random", "name": "random", "ratio": 0.7},
        {"name": "m", "build": {"_target_": "toys.ByItem"}},
        depth=6,
    )
    workspace, ndcg = Workspace(Store(tmp_path)), {"ndcg": "bakeoff.evaluation.ranking.ndcg"}
    store = workspace.store
    record = run_cell(cell, workspace, EvaluationSpec((5,), ndcg), debug=True)
    assert record == store.record(cell.key)
    assert set(record.files) == {"items.npy", "scores.npy", "per_user.parquet"}
    deeper = remeasure(record, cell, workspace, EvaluationSpec((3,), ndcg))
    assert deeper.files["items.npy"] == record.files["items.npy"]
    assert deeper.files["per_user.parquet"] != record.files["per_user.parquet"]
    folders = (
        (store.cell_folder(cell.key), deeper.files, "record.json"),
        *(
            (folder, json.loads((folder / "manifest.json").read_text())["files"], "manifest.json")
            for folder in (store.split_folder(cell.split_key), store.data_folder(cell.data_key))
        ),
    )
    for folder, files, names_them in folders:
        assert files == {
            path.name: hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
            for path in folder.iterdir()
            if path.name != names_them
        }
    content = {
        name: hashlib.blake2b(
            json.dumps(
                {n: h for n, h in files.items() if n.endswith(".npy")}, sort_keys=True, separators=(",", ":")
            ).encode(),
            digest_size=16,
        ).hexdigest()
        for name, (_, files, _) in zip(("split", "data"), folders[1:], strict=True)
    }
    assert record.inputs == content
    cut_from = json.loads((store.split_folder(cell.split_key) / "manifest.json").read_text())["inputs"]
    assert cut_from == {"data": content["data"]}
    for folder in (store.split_folder(cell.split_key), store.data_folder(cell.data_key)):
        (folder / "manifest.json").unlink()  # as an earlier version stored it
    assert store.inputs(cell.split_key) == {"split": content["split"]}


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.long)])
def test_each_byte_of_a_record_is_under_its_own_hash(tmp_path: Path, step: int) -> None:
    store = Store(tmp_path)
    store.write_record(a_record())
    path = tmp_path / "cells" / "c0" / "record.json"
    whole = path.read_bytes()
    for position in range(0, len(whole), step):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 7
        path.write_bytes(damaged)
        with pytest.raises(DamagedFileError, match=r"record\.json: "):
            store.record("c0")


def test_a_record_of_a_version_without_hashes_is_read(tmp_path: Path) -> None:
    stored = a_record().as_json()
    del stored["files"], stored["inputs"]
    path = tmp_path / "cells" / "c0" / "record.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(stored))
    assert Store(tmp_path).record("c0") == a_record()


def test_json_is_written_sorted_and_refuses_what_is_no_number(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": 2})
    assert list(json.loads((tmp_path / "a.json").read_text())) == ["a", "b", "blake2b"]
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "b.json", {"a": float("nan")})


CELL = '"cell": {"dataset": {}, "split": {}, "model": {}}'
DAMAGES = {
    "": "not JSON",
    '{"key": ': "not JSON",
    "[]": "expected object, found array",
    "{}": "required field key",
    '{"key": "c0", "status": "done", "reason": "", "cell": []}': "cell: expected object, found array",
    f'{{"key": "c0", "status": "fine", "reason": "", {CELL}}}': "status: ",
    f'{{"key": "c0", "status": "missing", "reason": "", {CELL}}}': "status: expected done or",
    '{"key": "c0", "status": "done", "reason": "", "cell": {"dataset": {}}}': "cell: Object missing required",
}


@pytest.mark.parametrize("text", DAMAGES)
def test_what_is_wrong_with_a_record_is_said_with_its_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cells" / "c0" / "record.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(DamagedFileError, match="run its command again") as caught:
        Store(tmp_path).record("c0")
    assert str(path) in str(caught.value) and DAMAGES[text] in str(caught.value)
    assert Store(tmp_path).readable("c0") == (None, caught.value.fault)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("metrics", {"map": {"5": [1, None]}, "ndcg": [0.1]}, "metrics.ndcg: "),
        ("metrics", {"map": {}, "ndcg": {"5": [0.1, 0.1], "10": ["0.1", None]}}, "metrics.ndcg.10[0]: "),
        ("seconds", {"load": 1, "fit": "long"}, "seconds.fit: expected float, found str"),
        ("n_users", True, "n_users: expected int, found bool"),
        ("notes", "a note", "notes: expected array, found str"),
        ("environment", {"libraries": {"numpy": "numpy 2", "scipy": 1}}, "environment.libraries.scipy: "),
        ("key", "c1", "key: expected c0, found 'c1'"),
    ],
)
def test_a_wrong_value_is_named_by_its_path(tmp_path: Path, field: str, value: object, message: str) -> None:
    path = tmp_path / "cells" / "c0" / "record.json"
    write_json(path, {**a_record().as_json(), field: value})
    with pytest.raises(DamagedFileError) as caught:
        Store(tmp_path).record("c0")
    assert f"{path}: {message}" in str(caught.value)


def test_a_wrong_value_in_a_trial_is_named_by_its_path(tmp_path: Path) -> None:
    stored = a_record().as_json()
    stored["tuning"]["trials"][1]["values"] = {"ndcg@10": "high"}
    write_json(tmp_path / "cells" / "c0" / "record.json", stored)
    with pytest.raises(DamagedFileError, match=r"tuning\.trials\[1\]\.values\.ndcg@10: expected float"):
        Store(tmp_path).record("c0")


def test_an_experiment_names_the_path_of_a_wrong_value(tmp_path: Path) -> None:
    (tmp_path / "experiment.json").write_text('{"name": "e", "cells": [{"key": "c0", "cell": 3}]}')
    with pytest.raises(UsageError, match=r"experiment\.json: cells\[0\]\.cell: .*run its command again"):
        Experiment.read(tmp_path, "e")
