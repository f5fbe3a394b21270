from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bakeoff.splits.base import Split, assemble
from bakeoff.splits.chronological import Chronological
from bakeoff.splits.files import load, save
from bakeoff.splits.held_out_users import HeldOutUsers
from bakeoff.splits.kfold import KFold
from bakeoff.splits.per_user import Random
from bakeoff.splits.temporal import Temporal

ROWS = [
    (f"user {u}", (3 * u + i) % 20, 1 + i % 3, (7 * u + 11 * i) % 50) for u in range(30) for i in range(9)
]
REPEATS = [*ROWS, *((u, i, v, t + 1) for u, i, v, t in ROWS[::4])]


def check_same(one: Split, other: Split) -> None:
    for name in ("test", "history"):
        assert (getattr(one, name) != getattr(other, name)).nnz == 0
        assert getattr(other, name).dtype == np.float32
    for name in ("train", "events"):
        assert getattr(one, name).fingerprint == getattr(other, name).fingerprint
    assert one.users.tolist() == other.users.tolist()
    assert (one.held_out, one.level, dict(one.info)) == (other.held_out, other.level, other.info)
    recomputed = replace(other)  # without the stored fingerprint
    assert one.fingerprint == other.fingerprint == recomputed.fingerprint


@pytest.mark.parametrize(
    "splitter",
    [Random(), Chronological(), Temporal(), HeldOutUsers(share=0.3), KFold()],
    ids=lambda s: type(s).__name__,
)
@pytest.mark.parametrize("values", [True, False])
def test_a_split_comes_back_as_it_was_and_so_does_its_inner_split(
    tmp_path: Path, log, splitter, values
) -> None:
    data = log(REPEATS, values=True)
    split = splitter.split(data if values else replace(data, values=None), seed=1)
    save(split, tmp_path)
    back = load(tmp_path)
    check_same(split, back)
    check_same(splitter.inner(split, 1), splitter.inner(back, 1))


def test_validation_rows_come_back(tmp_path: Path, log) -> None:
    data = log(ROWS, values=True)
    train, validation, test = (data.take((np.arange(len(data)) % 3) == n) for n in range(3))
    split = assemble(train, test, validation=validation)
    save(split, tmp_path)
    back = load(tmp_path)
    assert split.validation is not None
    assert back.validation is not None
    assert len(back.validation) > 50
    assert back.validation.fingerprint == split.validation.fingerprint
    assert back.validation.item_ids is back.train.item_ids


def test_the_same_split_gives_the_same_bytes(tmp_path: Path, log) -> None:
    contents = []
    for name, rows in (("one", REPEATS), ("two", REPEATS[::-1])):
        folder = tmp_path / name
        folder.mkdir()
        save(Chronological().split(log(rows, values=True), seed=1), folder)
        contents.append({f.name: f.read_bytes() for f in folder.iterdir()})
    assert contents[0] == contents[1]


def test_nothing_is_stored_twice(tmp_path: Path, log) -> None:
    save(Random().split(log(ROWS, values=True), seed=1), tmp_path)
    names = {f.name.split(".")[0] for f in tmp_path.iterdir()}
    assert names == {"split", "train", "test", "users"}  # no history and no events: they are train's


def test_a_history_of_its_own_is_stored_even_where_nobody_is_held_out(tmp_path: Path, log) -> None:
    split = Random().split(log(ROWS, values=True), seed=1)
    doubled = replace(split, history=split.history * 2)
    save(doubled, tmp_path)
    assert (load(tmp_path).history != doubled.history).nnz == 0


def test_loaded_arrays_cannot_be_written_but_matrices_of_train_can(tmp_path: Path, log) -> None:
    save(Random().split(log(ROWS, values=True), seed=1), tmp_path)
    back = load(tmp_path)
    assert not back.train.users.flags.writeable
    assert not back.history.data.flags.writeable
    back.train.matrix().data[:] = 0  # models may do so with their copy
    assert back.train.matrix().sum() > 0
