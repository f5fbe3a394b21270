"""Fitted models that are saved with their cells as arrays and JSON; loading executes nothing of the files.

<store>/cells/<key>/  model.npz   the state; of a CSR matrix its parts
                      model.json  ModelFile: the model's class, or why it was not saved
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from scipy import sparse

from bakeoff.arrays import Array
from bakeoff.errors import ConfigError, UsageError
from bakeoff.models.base import Model, Serializable, State
from bakeoff.run.cell import Cell, build_model, check_shipped
from bakeoff.splits.base import Split
from bakeoff.storage.record import Record
from bakeoff.storage.store import Store, read_json, write_json

_COMPARED_USERS = 64
_CSR_PARTS = ("data", "indices", "indptr", "shape")


class ModelNotSaved(UsageError):  # noqa: N818 - a state, like Unsupported
    """The cell has no saved model; the message says why and what to do."""


class ModelFile(msgspec.Struct, frozen=True):
    """The file `model.json`.

    Args:
        target: import path of the model's class.
        split_fingerprint: of the split that it was fitted on.
        saved: whether `model.npz` holds its state.
        reason: why not, else "".
    """

    target: str
    split_fingerprint: str
    saved: bool = msgspec.field(name="kept")
    reason: str = ""


def save_model(
    model: Model, cell: Cell, parameters: Mapping[str, Any], split: Split, depth: int, store: Store
) -> str:
    """Save a fitted model with its cell; return "", or why it cannot be saved. The reason is stored too.

    A restored copy must recommend the same lists: a class may inherit `state` and yet learn more than that.
    """
    reason = ""
    if isinstance(model, Serializable):
        try:
            arrays = to_arrays(model.state())
        except TypeError as error:
            reason = str(error)
        else:
            reason = _difference(model, cell, parameters, arrays, split, depth)
    else:
        reason = f"{type(model).__name__} has no state() and restore()"
    if not reason:
        with store.writing(cell.key, "model.npz") as path:
            write_arrays(path, arrays)
    with store.writing(cell.key, "model.json") as path:
        write_json(path, ModelFile(cell.model_target, split.fingerprint, not reason, reason))
    return reason


def build_stored(record: Record, *, trust: bool = False) -> Model:
    """Return the model of a stored cell with its final parameters, not fitted.

    Args:
        trust: whether classes may be imported that are not shipped.

    Raises:
        ModelNotSaved: its class is not shipped, and not trusted.
    """
    if not trust:
        try:
            check_shipped([record.cell.model_build, record.parameters], "model.build")
        except ConfigError as error:
            raise ModelNotSaved(str(error)) from error
    return build_model(record.cell.model, **record.parameters)


def load_model(record: Record, store: Store, *, trust: bool = False) -> Model:
    """Return the saved model of a done cell, of a class as `build_stored` builds it.

    Raises:
        ModelNotSaved: the cell has no saved model, or its class is not trusted.
        UsageError: its files are damaged, or belong to another cell.
    """
    folder = store.cell_folder(record.key)
    if not (folder / "model.json").exists():
        raise ModelNotSaved("its model was not saved; run the same command with save_model=true")
    about = store.read(record.key, "model.json", lambda path: read_json(path, ModelFile))
    if not about.saved:
        raise ModelNotSaved(f"its model could not be saved: {about.reason}")
    cell = record.cell
    expected = ModelFile(cell.model_target, record.split_fingerprint, saved=True)
    for name in ("target", "split_fingerprint"):
        actual, value = getattr(about, name), getattr(expected, name)
        if actual != value:
            raise _damaged(f"{folder / 'model.json'}: {name}: expected {value!r}, found {actual!r}")
    model = build_stored(record, trust=trust)
    if not isinstance(model, Serializable):
        raise ModelNotSaved(f"{type(model).__name__} no longer has state() and restore()")
    try:
        model.restore(from_arrays(store.read(record.key, "model.npz", read_arrays)))
    except (KeyError, ValueError, TypeError) as error:
        raise _damaged(f"{folder / 'model.npz'}: its arrays do not fit the model ({error})") from error
    return model


def to_arrays(state: State) -> dict[str, Array]:
    """Return a state as arrays alone; a CSR matrix becomes four.

    Raises:
        TypeError: a value is neither an array of numbers nor a sparse matrix.
    """
    arrays: dict[str, Array] = {}
    for name, value in state.items():
        if sparse.issparse(value):
            matrix = sparse.csr_matrix(value)
            parts = (matrix.data, matrix.indices, matrix.indptr, np.array(matrix.shape, dtype=np.int64))
            arrays |= {f"{name}.{part}": array for part, array in zip(_CSR_PARTS, parts, strict=True)}
            continue
        array = np.asarray(value)
        if array.dtype.hasobject:
            raise TypeError(f"its state {name!r} holds objects; expected arrays of numbers or CSR matrices")
        arrays[name] = array
    return arrays


def from_arrays(arrays: Mapping[str, Array]) -> State:
    """Return the state that `to_arrays` was given.

    Raises:
        KeyError: a part of a matrix is missing.
        ValueError: the parts of a matrix do not fit together.
    """
    state: dict[str, Any] = {}
    for name, array in arrays.items():
        stem, _, part = name.rpartition(".")
        if part == "shape":
            data, indices, indptr, shape = (arrays[f"{stem}.{p}"] for p in _CSR_PARTS)
            state[stem] = sparse.csr_matrix((data, indices, indptr), tuple(shape.tolist()), copy=False)
            state[stem].check_format(full_check=True)  # wrong indices would reach beyond the arrays
        elif part not in _CSR_PARTS or f"{stem}.shape" not in arrays:
            state[name] = array
    return state


def _difference(
    model: Model,
    cell: Cell,
    parameters: Mapping[str, Any],
    arrays: Mapping[str, Array],
    split: Split,
    depth: int,
) -> str:
    """Return "", or that a restored copy recommends other lists."""
    copy = build_model(cell.model, **parameters)
    assert isinstance(copy, Serializable)
    copy.restore(from_arrays(arrays))
    users = split.users[:_COMPARED_USERS]
    lists, of_copy = (m.recommend(users, split.history[users], depth) for m in (model, copy))
    if all(np.array_equal(a, b) for a, b in zip(lists, of_copy, strict=True)):
        return ""
    return f"{type(model).__name__}.state() is incomplete: the restored model recommends other items"


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write an .npz file whose bytes depend on the arrays alone."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def read_arrays(path: Path) -> dict[str, Array]:
    """Return the arrays of an .npz file, in memory; arrays of objects are refused, not unpickled.

    Raises:
        UsageError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise _damaged(f"{path}: {error}") from error


def _damaged(fault: str) -> UsageError:
    return UsageError(f"{fault}; save the model again with save_model=true rerun=true")
