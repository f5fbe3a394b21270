"""Fitted models that stay with their cells, as arrays and JSON: to load one runs none of it.

<store>/cells/<key>/  model.npz   what the model has learnt; of a CSR matrix its parts
                      model.json  whose it is, or why nothing was kept
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from bakeoff.arrays import Array
from bakeoff.errors import UsageError
from bakeoff.models.base import Model, Serializable, State
from bakeoff.run.cell import Cell, build_model
from bakeoff.splits.base import Split
from bakeoff.storage.record import Record
from bakeoff.storage.store import Store, replacing, write_json

_COMPARED_USERS = 64
_MATRIX = ("data", "indices", "indptr", "shape")


class NotKept(UsageError):  # noqa: N818 - a state, like Unsupported
    """There is no kept model; the message says why and what to do."""


def keep(
    model: Model, cell: Cell, parameters: Mapping[str, Any], split: Split, depth: int, store: Store
) -> str:
    """Store a fitted model with its cell.

    Before that it is put back into a new object, whose lists must be the same: a class may inherit how to
    keep a model and yet learn more than that.

    Returns "" or, where nothing was kept, why; both are stored.
    """
    reason = ""
    if isinstance(model, Serializable):
        try:
            arrays = packed(model.state())
        except TypeError as error:
            reason = str(error)
        else:
            reason = _differs(model, cell, parameters, arrays, split, depth)
    else:
        reason = f"{type(model).__name__} has no state() and restore()"
    folder = store.cell_folder(cell.key)
    if not reason:
        write(folder / "model.npz", arrays)
    about = {
        "target": cell.model["build"]["_target_"],
        "split_fingerprint": split.fingerprint,
        "kept": not reason,
        "reason": reason,
    }
    write_json(folder / "model.json", about)
    return reason


def load(record: Record, store: Store) -> Model:
    """The kept model of a done cell, ready to be asked.

    Nothing that lies in the cell's folder is executed or imported: the class is the one that the record's own
    configuration names, built with the record's parameters.

    Raises:
        NotKept: the cell has no kept model.
        UsageError: its files are damaged, or of another cell.
    """
    folder = store.cell_folder(record.key)
    if not (folder / "model.json").exists():
        raise NotKept("its model was not kept; run the same command with save_model=true")
    about = _read_json(folder / "model.json")
    if not about.get("kept"):
        raise NotKept(f"its model could not be kept: {about.get('reason')}")
    cell = Cell(**dict(record.cell))
    own = {"target": cell.model["build"]["_target_"], "split_fingerprint": record.split_fingerprint}
    for name, expected in own.items():
        if about.get(name) != expected:
            raise _damaged(folder / "model.json", f"{name} {about.get(name)!r}, expected {expected!r}")
    model = build_model(cell.model, **dict(record.parameters))
    if not isinstance(model, Serializable):
        raise NotKept(f"{type(model).__name__} no longer has state() and restore()")
    try:
        model.restore(unpacked(read(folder / "model.npz")))
    except (KeyError, ValueError, TypeError) as error:
        raise _damaged(folder / "model.npz", f"its arrays do not fit: {error}") from error
    return model


def packed(state: State) -> dict[str, Array]:
    """A state as arrays alone; TypeError for anything that is not data."""
    found: dict[str, Array] = {}
    for name, value in state.items():
        if sparse.issparse(value):
            matrix = sparse.csr_matrix(value)
            parts = (matrix.data, matrix.indices, matrix.indptr, np.array(matrix.shape, dtype=np.int64))
            found |= {f"{name}.{part}": array for part, array in zip(_MATRIX, parts, strict=True)}
            continue
        array = np.asarray(value)
        if array.dtype.hasobject:
            raise TypeError(f"its state {name!r} holds objects; expected arrays of numbers or CSR matrices")
        found[name] = array
    return found


def unpacked(arrays: Mapping[str, Array]) -> State:
    """The state that `packed` gave arrays of.

    Raises:
        KeyError: a part of a matrix is missing.
        ValueError: the parts of a matrix do not fit together.
    """
    found: dict[str, Any] = {}
    for name, array in arrays.items():
        stem, _, part = name.rpartition(".")
        if part == "shape":
            data, indices, indptr, shape = (arrays[f"{stem}.{p}"] for p in _MATRIX)
            found[stem] = sparse.csr_matrix((data, indices, indptr), tuple(shape.tolist()), copy=False)
            found[stem].check_format(full_check=True)  # wrong indices would reach beyond the arrays
        elif part not in _MATRIX or f"{stem}.shape" not in arrays:
            found[name] = array
    return found


def _differs(
    model: Model,
    cell: Cell,
    parameters: Mapping[str, Any],
    arrays: Mapping[str, Array],
    split: Split,
    depth: int,
) -> str:
    """Why the model put back is not the same, or ""."""
    twin = build_model(cell.model, **parameters)
    assert isinstance(twin, Serializable)
    twin.restore(unpacked(arrays))
    users = split.users[:_COMPARED_USERS]
    one, other = (m.recommend(users, split.history[users], depth) for m in (model, twin))
    if all(np.array_equal(a, b) for a, b in zip(one, other, strict=True)):
        return ""
    return f"{type(model).__name__}.state() is not all that it has learnt: put back, it lists other items"


def write(path: Path, arrays: Mapping[str, Array]) -> None:
    """An .npz whose bytes depend on nothing but the arrays."""
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def read(path: Path) -> dict[str, Array]:
    """What `write` wrote, in memory; an array of objects is refused, not unpickled."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise _damaged(path, str(error)) from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(found, dict):
        raise _damaged(path, f"found {type(found).__name__}, expected an object")
    return found


def _damaged(path: Path, what: str) -> UsageError:
    return UsageError(
        f"{path}: not a kept model ({what}); have it made again with save_model=true rerun=true"
    )
