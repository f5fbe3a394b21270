"""Export a cell as plain tables in the user's own ids, so that any other evaluator can measure it again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bakeoff.arrays import Array
from bakeoff.data.interactions import Interactions
from bakeoff.data.serialization import row_columns, write_table
from bakeoff.errors import UsageError
from bakeoff.run.runner import Workspace
from bakeoff.splits.base import Split
from bakeoff.storage.store import StoredLists

NAMES = ("train", "test", "lists")


def export_cell(key: str, to: Path, workspace: Workspace) -> None:
    """Write `train.parquet`, `test.parquet` (user, item[, value, time]) and `lists.parquet`.

    Test holds exactly the pairs that were evaluated; lists have user, item, rank (from 1) and score. The
    folder is there with all its files or as it was before; an earlier export is replaced.

    Raises:
        UsageError: the cell was skipped or has failed, or the folder holds something else.
    """
    to = to.resolve()
    _check_target(to)
    with _beside(to) as spare:
        _write_cell(key, spare / "new", workspace)
        _move(spare / "new", to, spare / "old")


def export_cells(keys: Sequence[str], to: Path, workspace: Workspace) -> None:
    """Write a folder `to/KEY` for each cell, as `export_cell` does; none before all of them are made.

    Raises:
        UsageError: a cell was skipped or has failed, or a folder of that name holds something else.
    """
    to = to.resolve()
    for key in keys:
        _check_target(to / key)
    with _beside(to / "KEY" if to.exists() else to) as spare:
        for key in keys:
            _write_cell(key, spare / "new" / key, workspace)
        if not to.exists():
            _move(spare / "new", to, spare / "old")
            return
        for key in keys:
            _move(spare / "new" / key, to / key, spare / f"old {key}")


def _check_target(to: Path) -> None:
    """Refuse to replace what is not an earlier export of a cell."""
    if not to.exists():
        return
    if not to.is_dir():
        raise UsageError(f"{to}: a file; expected a folder to write to, new or empty")
    others = sorted(p.name for p in to.iterdir() if p.name not in {f"{name}.parquet" for name in NAMES})
    if others:
        raise UsageError(
            f"{to}: it holds {others[0]!r}, which would be replaced; expected "
            "a new or empty folder, or an earlier export of a cell"
        )
    if to == Path.cwd():
        raise UsageError(f"{to}: the folder of this command, which cannot be replaced; name one inside it")


@contextmanager
def _beside(to: Path) -> Iterator[Path]:
    """Return a hidden folder beside the target, for unfinished and replaced files."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".bakeoff-export.", dir=to.parent) as spare:
        yield Path(spare)


def _move(made: Path, to: Path, old: Path) -> None:
    """Put a folder in its place, whole, and what was there out of the way."""
    if to.exists():
        to.rename(old)
    try:
        made.rename(to)
    except OSError:
        if old.exists():
            old.rename(to)
        raise


def _write_cell(key: str, folder: Path, workspace: Workspace) -> None:
    record = workspace.store.record(key)
    if record is None or not record.done:
        why = "is not stored" if record is None else f"{record.status}: {record.reason}"
        raise UsageError(f"cell {key}: no lists to export ({why})")
    cell = record.cell
    split = workspace.split(cell)
    stored = workspace.store.lists(key)
    train = split.train
    user_ids, item_ids = train.user_ids.values, train.item_ids.values
    test_users = np.repeat(np.arange(train.n_users), np.diff(split.test.indptr))
    test: dict[str, Array] = {"user": user_ids[test_users], "item": item_ids[split.test.indices]}
    if train.values is not None:
        test["value"] = split.test.data
    times = _times_of_test(split, workspace.dataset(cell).interactions)
    if times is not None:
        test["time"] = times
    folder.mkdir(parents=True)
    for name, columns in zip(NAMES, (row_columns(train), test, listed(split, stored)), strict=True):
        write_table(folder / f"{name}.parquet", columns)


def listed(split: Split, stored: StoredLists) -> dict[str, Array]:
    """Return stored lists in the user's own ids: user, item, rank (int32, from 1), score (float32)."""
    there = stored.items >= 0
    return {
        "user": split.train.user_ids.values[np.repeat(split.users, there.sum(axis=1))],
        "item": split.train.item_ids.values[stored.items[there]],
        "rank": (np.nonzero(there)[1] + 1).astype(np.int32),
        "score": stored.scores[there],
    }


def _times_of_test(split: Split, data: Interactions) -> Array | None:
    """Return int64 [pairs of test]: the last time of each pair's rows, unix seconds.

    None where there are no times, or where test was not cut from the data set (predefined parts).
    """
    pairs, train = data.merged(), split.train
    if pairs.times is None or train.times is None:
        return None
    users = np.repeat(data.user_ids.codes(train.user_ids.values), np.diff(split.test.indptr))
    items = data.item_ids.codes(train.item_ids.values)[split.test.indices]
    width = max(data.n_items, 1)
    stored = pairs.users.astype(np.int64) * width + pairs.items
    tested = users.astype(np.int64) * width + items
    positions = np.minimum(np.searchsorted(stored, tested), len(stored) - 1)
    if not np.array_equal(stored[positions], tested):
        return None
    times: Array = pairs.times[positions]
    return times
