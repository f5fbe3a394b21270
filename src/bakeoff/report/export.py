"""A cell as plain tables in the user's own ids, so that anybody's evaluator can measure it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bakeoff.arrays import Array
from bakeoff.cell import Cell
from bakeoff.data.interactions import Interactions
from bakeoff.errors import UsageError
from bakeoff.runner import Workspace
from bakeoff.splits.base import Split
from bakeoff.store import StoredLists, replacing


def export_cell(key: str, to: Path, workspace: Workspace) -> None:
    """Write `train.parquet`, `test.parquet` (user, item[, value, time]) and `lists.parquet`.

    Test holds exactly the pairs that were evaluated; lists have user, item, rank (from 1) and score.

    Raises:
        UsageError: the cell was skipped or has failed.
    """
    record = workspace.store.record(key)
    if record is None or not record.done:
        why = "is not stored" if record is None else f"{record.status}: {record.reason}"
        raise UsageError(f"cell {key}: no lists to export ({why})")
    split = workspace.split(Cell(**dict(record.cell)))
    stored = workspace.store.lists(key)
    train = split.train
    user_ids, item_ids = train.user_ids.values, train.item_ids.values
    test_users = np.repeat(np.arange(train.n_users), np.diff(split.test.indptr))
    test: dict[str, Array] = {"user": user_ids[test_users], "item": item_ids[split.test.indices]}
    if train.values is not None:
        test["value"] = split.test.data
    to.mkdir(parents=True, exist_ok=True)
    for name, columns in (("train", _columns(train)), ("test", test), ("lists", listed(split, stored))):
        _write(to / f"{name}.parquet", columns)


def listed(split: Split, stored: StoredLists) -> dict[str, Array]:
    """Stored lists as columns in the user's own ids: user, item, rank (int32, from 1), score (float32)."""
    there = stored.items >= 0
    return {
        "user": split.train.user_ids.values[np.repeat(split.users, there.sum(axis=1))],
        "item": split.train.item_ids.values[stored.items[there]],
        "rank": (np.nonzero(there)[1] + 1).astype(np.int32),
        "score": stored.scores[there],
    }


def _columns(rows: Interactions) -> dict[str, Any]:
    columns = {"user": rows.user_ids.values[rows.users], "item": rows.item_ids.values[rows.items]}
    if rows.values is not None:
        columns["value"] = rows.values
    if rows.times is not None:
        columns["time"] = rows.times
    return columns


def _write(path: Path, columns: dict[str, Any]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    with replacing(path) as temporary:
        parquet.write_table(pa.table(columns), temporary, compression="zstd")
