"""Interactions and data sets in a folder of .npy files, mapped into memory when they are read again.

Nothing is decoded or checked on reading: what is stored was checked when it was built. The same content gives
the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array
from bakeoff.data.interactions import Features, Ids, Interactions, ValueOperation
from bakeoff.data.source import Dataset, Step

_COLUMNS = ("users", "items", "values", "times")


def save_interactions(data: Interactions, folder: Path, prefix: str = "") -> None:
    """Write rows, ids and features into an existing folder; every file's name starts with prefix."""
    save_rows(data, folder, prefix)
    names: dict[str, list[str]] = {}
    for side in ("user", "item"):
        ids: Ids = getattr(data, f"{side}_ids")
        for part in ("integers", "utf8", "offsets"):
            _save_optional(getattr(ids, part), folder, f"{prefix}{side}_ids.{part}")
        features: Features | None = getattr(data, f"{side}_features")
        if features is not None:
            save_matrix(features.matrix, folder, f"{prefix}{side}_features")
            names[side] = list(features.names)
    about = {
        "merge": data.merge,
        "n_users": data.n_users,
        "n_items": data.n_items,
        "features": names,
        "operations": [asdict(operation) for operation in data.operations],
    }
    save_json(about, folder, f"{prefix}interactions")


def load_interactions(folder: Path, prefix: str = "") -> Interactions:
    """Read what `save_interactions` wrote."""
    about = load_json(folder, f"{prefix}interactions")
    rest: dict[str, Any] = {}
    for side in ("user", "item"):
        parts = {
            p: _load_optional(folder, f"{prefix}{side}_ids.{p}") for p in ("integers", "utf8", "offsets")
        }
        rest[f"{side}_ids"] = Ids(**parts)
        names = about["features"].get(side)
        shape = (about[f"n_{side}s"], len(names or ()))
        matrix = None if names is None else load_matrix(folder, f"{prefix}{side}_features", shape)
        rest[f"{side}_features"] = None if matrix is None else Features(matrix, tuple(names))
    rest["operations"] = operations_of(about)
    return _unchecked({**_load_columns(folder, prefix), **rest, "merge": about["merge"]})


def operations_of(about: Mapping[str, Any]) -> tuple[ValueOperation, ...]:
    """Return the operations that stored JSON names; none in what an earlier version stored."""
    return tuple(ValueOperation(**one) for one in about.get("operations", ()))


def save_rows(data: Interactions, folder: Path, prefix: str) -> None:
    """Write the rows alone."""
    for name in _COLUMNS:
        _save_optional(getattr(data, name), folder, prefix + name)


def load_rows(
    folder: Path, prefix: str, like: Interactions, operations: tuple[ValueOperation, ...] = ()
) -> Interactions:
    """Read rows whose ids, features and merge rule are those of other interactions."""
    fields = {name: getattr(like, name) for name in like.__dataclass_fields__}
    return _unchecked({**fields, **_load_columns(folder, prefix), "operations": operations})


def save_dataset(dataset: Dataset, folder: Path) -> None:
    """Write a prepared data set and its steps into an existing folder."""
    save_interactions(dataset.interactions, folder)
    save_json({"name": dataset.name, "steps": [asdict(step) for step in dataset.steps]}, folder, "dataset")


def load_dataset(folder: Path) -> Dataset:
    """Read what `save_dataset` wrote."""
    about = load_json(folder, "dataset")
    steps = tuple(Step(**step) for step in about["steps"])
    return Dataset(about["name"], load_interactions(folder), steps)


def save_matrix(matrix: CSR, folder: Path, name: str) -> None:
    """Write the three arrays of a CSR matrix with sorted indices."""
    ordered = matrix.sorted_indices()
    for part in ("data", "indices", "indptr"):
        save_array(getattr(ordered, part), folder, f"{name}.{part}")


def load_matrix(folder: Path, name: str, shape: tuple[int, int]) -> CSR:
    """Read what `save_matrix` wrote."""
    data, indices, indptr = (load_array(folder, f"{name}.{part}") for part in ("data", "indices", "indptr"))
    return csr(data, indices, indptr, shape)


def csr(data: Array, indices: Array, indptr: Array, shape: tuple[int, int]) -> CSR:
    """Return a CSR matrix over arrays that are sorted and without repeats."""
    matrix = sparse.csr_matrix((data, indices, indptr), shape=shape, copy=False)
    matrix.has_sorted_indices = matrix.has_canonical_format = True  # else SciPy checks at every load
    return matrix


def save_array(array: Array, folder: Path, name: str) -> None:
    np.save(folder / f"{name}.npy", array, allow_pickle=False)


def load_array(folder: Path, name: str) -> Array:
    """Return the array, read-only and mapped into memory (an empty one cannot be mapped, and is read)."""
    path = folder / f"{name}.npy"
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except ValueError:
        return np.load(path, allow_pickle=False)  # type: ignore[no-any-return]


def save_json(value: Mapping[str, Any], folder: Path, name: str) -> None:
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def load_json(folder: Path, name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return value


def _save_optional(array: Array | None, folder: Path, name: str) -> None:
    if array is not None:
        save_array(array, folder, name)


def _load_optional(folder: Path, name: str) -> Array | None:
    return load_array(folder, name) if (folder / f"{name}.npy").exists() else None


def _load_columns(folder: Path, prefix: str) -> dict[str, Array | None]:
    return {name: _load_optional(folder, prefix + name) for name in _COLUMNS}


def _unchecked(fields: Mapping[str, Any]) -> Interactions:
    """Build Interactions without their checks, which would read every row."""
    made = object.__new__(Interactions)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


def row_columns(rows: Interactions) -> dict[str, Array]:
    """Return rows as columns in the user's own ids: user, item[, value, time (unix seconds)]."""
    columns = {"user": rows.user_ids.values[rows.users], "item": rows.item_ids.values[rows.items]}
    optional = {"value": rows.values, "time": rows.times}
    return columns | {name: column for name, column in optional.items() if column is not None}


def write_table(path: Path, columns: Mapping[str, Array]) -> None:
    """Write columns as Parquet, or as CSV where the path ends so."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    table = pa.table(dict(columns))
    if path.suffix == ".csv":
        csv.write_csv(table, path)
    else:
        parquet.write_table(table, path, compression="zstd")
