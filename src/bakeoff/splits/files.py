"""A split in a folder of .npy files, mapped into memory when it is read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bakeoff.data.folder import (
    csr,
    load_array,
    load_interactions,
    load_json,
    load_matrix,
    load_rows,
    save_array,
    save_interactions,
    save_json,
    save_matrix,
    save_rows,
)
from bakeoff.splits.base import Split


def save(split: Split, folder: Path) -> None:
    """Write a split into an existing folder: plain arrays and JSON, the same bytes for the same split."""
    train = split.train
    matrix = train.matrix()
    own_history = any(
        not np.array_equal(getattr(split.history, part), getattr(matrix, part))
        for part in ("indptr", "indices", "data")
    )
    save_interactions(train, folder, "train.")
    save_array(matrix.indptr, folder, "train.indptr")
    save_array(split.users, folder, "users")
    save_matrix(split.test, folder, "test")
    if own_history:
        save_matrix(split.history, folder, "history")
    if split.events is not train:
        save_rows(split.events, folder, "events.")
    if split.validation is not None:
        save_rows(split.validation, folder, "validation.")
    about = {
        "fingerprint": split.fingerprint,
        "held_out": split.held_out,
        "level": split.level,
        "info": dict(split.info),
        "own_history": own_history,
        "own_events": split.events is not train,
        "validation": split.validation is not None,
    }
    save_json(about, folder, "split")


def load(folder: Path) -> Split:
    """Read what `save` wrote; arrays are read-only and come from disk when they are looked at."""
    about = load_json(folder, "split")
    train = load_interactions(folder, "train.")
    shape = train.n_users, train.n_items
    if about["own_history"]:
        history = load_matrix(folder, "history", shape)
    else:
        values = np.ones(len(train), dtype=np.float32) if train.values is None else train.values
        history = csr(values, train.items, load_array(folder, "train.indptr"), shape)
    split = Split(
        train=train,
        test=load_matrix(folder, "test", shape),
        users=load_array(folder, "users"),
        history=history,
        events=load_rows(folder, "events.", train) if about["own_events"] else train,
        held_out=about["held_out"],
        validation=load_rows(folder, "validation.", train) if about["validation"] else None,
        info=about["info"],
        level=about["level"],
    )
    split.__dict__["fingerprint"] = about["fingerprint"]  # hashing it again would read every row
    return split
