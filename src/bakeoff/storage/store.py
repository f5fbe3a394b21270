"""Results on disk: one folder a cell, splits and prepared data stored once, nothing half-written.

    <root>/cells/<key>/   record.json  items.npy  scores.npy  [above.npy ties.npy predicted.npy]
                          per_user.parquet  [model.npz model.json]
    <root>/splits/<key>/  the arrays of a split, split.json and manifest.json
    <root>/data/<key>/    a prepared data set, likewise

Every file has its hash: in the record of its cell or in the manifest of its folder, and these hold their own.
A record and a manifest also name the hashes of what they were computed from.

Every file and folder is written under a temporary name beside its place and moved there whole; a cell's
record comes last, so a cell without a record was never finished. Two processes on one key are harmless: both
write the same.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
from msgspec.structs import replace

from bakeoff.arrays import Array, Codes, Floats
from bakeoff.data.serialization import load_dataset, save_dataset
from bakeoff.data.source import Dataset
from bakeoff.errors import UsageError
from bakeoff.hashing import canonical_json, content_hash, file_hash
from bakeoff.run.cell import StoredCell
from bakeoff.splits.base import Split, load_split, save_split
from bakeoff.storage.record import STORED, Record

T = TypeVar("T")

_MANIFEST = "manifest.json"

_HASHED_TEXT = "this file while the digest is empty"
_BEFORE_DIGEST = '\n "blake2b": {\n  "digest": "'


class StoredLists(NamedTuple):
    """The stored part of a cell's lists; the rest of a TopK follows from the split."""

    items: Codes
    scores: Floats
    above: Codes | None
    ties: Codes | None
    predicted: Floats | None


class Manifest(msgspec.Struct, frozen=True):
    """The file `manifest.json` of a stored split or data set.

    Args:
        files: name -> BLAKE2b of every other file in the folder.
        inputs: "data" -> content of the data set that a split was cut from.
    """

    files: Mapping[str, str]
    inputs: Mapping[str, str] = {}

    @property
    def content(self) -> str:
        """Return the hash of the arrays; texts for people and labels do not change it."""
        arrays = {name: hash_ for name, hash_ in self.files.items() if name.endswith(".npy")}
        return content_hash(canonical_json(arrays).encode())


class DamagedRecordError(UsageError):
    """A stored record that cannot be read.

    fault: the file and what is wrong with it, for a message that says by itself what to do.
    """

    def __init__(self, fault: str) -> None:
        self.fault = fault
        super().__init__(f"{fault}; run the cell again, or delete its folder")


class Store:
    """The results below one folder."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self._written: dict[str, dict[str, str]] = {}

    def cell_folder(self, key: str) -> Path:
        return self.root / "cells" / key

    def split_folder(self, key: str) -> Path:
        return self.root / "splits" / key

    def data_folder(self, key: str) -> Path:
        return self.root / "data" / key

    # -- cells -----------------------------------------------------------------------------------

    def record(self, key: str) -> Record | None:
        """Return the stored record, or None if the cell has none.

        Raises:
            DamagedRecordError: the file exists and is not a record of this cell.
        """
        path = self.cell_folder(key) / "record.json"
        if not path.exists():
            return None
        try:
            record = read_json(path, Record)
        except ValueError as error:
            raise DamagedRecordError(str(error)) from error
        for name, value, expected in (("key", record.key, (key,)), ("status", record.status, STORED)):
            if value not in expected:
                raise DamagedRecordError(f"{path}: {name}: expected {' or '.join(expected)}, found {value!r}")
        return replace(record, cell=StoredCell.of(record.cell))

    def readable(self, key: str) -> tuple[Record | None, str]:
        """Return the stored record and "", or None and the fault of a damaged one ("" if there is none)."""
        try:
            return self.record(key), ""
        except DamagedRecordError as damage:
            return None, damage.fault

    def done(self, key: str) -> bool:
        """Return whether the cell is done. Failed and skipped cells are run again."""
        record = self.record(key)
        return record is not None and record.done

    def model_answered(self, key: str) -> bool:
        """Return whether the cell's model is stored, or the reason why it cannot be."""
        return (self.cell_folder(key) / "model.json").exists()

    def begin(self, key: str) -> None:
        """Remove the record and model of an earlier run, so that they never belong to other lists."""
        for name in ("record.json", "model.json", "model.npz"):
            (self.cell_folder(key) / name).unlink(missing_ok=True)

    def write_lists(self, key: str, lists: StoredLists) -> None:
        for name, array in lists._asdict().items():
            if array is not None:
                with self.writing(key, f"{name}.npy") as path:
                    write_array(path, array)

    def lists(self, key: str) -> StoredLists:
        """Return the stored lists, memory-mapped.

        Raises:
            UsageError: the cell's lists are missing or damaged.
        """
        folder = self.cell_folder(key)
        paths = {name: folder / f"{name}.npy" for name in StoredLists._fields}
        expected = {n for n, path in paths.items() if n in ("items", "scores") or path.exists()}
        try:
            arrays: dict[str, Any] = {
                name: np.load(path, mmap_mode="r", allow_pickle=False) if name in expected else None
                for name, path in paths.items()
            }
        except (FileNotFoundError, ValueError, EOFError) as error:
            raise UsageError(
                f"{folder}: its lists are missing or damaged ({error}); "
                "delete the folder to have the cell run again"
            ) from error
        return StoredLists(**arrays)

    def write_per_user(self, key: str, columns: dict[str, Array]) -> None:
        """Write one row for each user, with a column for each metric and k, as Parquet."""
        import pyarrow as pa
        from pyarrow import parquet

        with self.writing(key, "per_user.parquet") as path:
            parquet.write_table(pa.table(columns), path, compression="zstd")

    def per_user(self, key: str, columns: Sequence[str] | None = None) -> dict[str, Array] | None:
        """Return users' ids (`user`) and values (`ndcg@10`, `auc`); columns that the file lacks are left out.

        None if the cell has no such file.
        """
        from pyarrow import parquet

        path = self.cell_folder(key) / "per_user.parquet"
        if not path.exists():
            return None
        with parquet.ParquetFile(path) as file:
            stored = file.schema_arrow.names
            names = stored if columns is None else dict.fromkeys(("user", *columns))
            names = [name for name in names if name in stored]
            table = file.read(columns=names, use_threads=False)
        return {name: table.column(name).to_numpy() for name in names}

    @contextmanager
    def writing(self, key: str, name: str) -> Iterator[Path]:
        """Give a path to write a file of a cell to; the next record of the cell names its hash."""
        with replacing(self.cell_folder(key) / name) as path:
            yield path
            self._written.setdefault(key, {})[name] = file_hash(path)

    def write_record(self, record: Record) -> Record:
        """Write the record of a cell, with the hashes of the files written before it, and return it."""
        files = {**record.files, **self._written.pop(record.key, {})} if record.done else {}
        record = replace(record, files=files)
        write_json(self.cell_folder(record.key) / "record.json", record)
        return record

    # -- splits and data -------------------------------------------------------------------------

    def has_split(self, key: str) -> bool:
        return self.split_folder(key).is_dir()

    def write_split(self, key: str, split: Split, data_key: str) -> None:
        """Write a split that was cut from a stored data set."""
        inputs = {"data": _manifest(self.data_folder(data_key)).content}
        self._fill(self.split_folder(key), lambda folder: save_split(split, folder), inputs)

    def inputs(self, split_key: str) -> dict[str, str]:
        """Return the hashes of what a cell on a stored split is computed from: the split, and its data."""
        manifest = _manifest(self.split_folder(split_key))
        return {**manifest.inputs, "split": manifest.content}

    def split(self, key: str) -> Split:
        return load_split(self.split_folder(key))

    def has_data(self, key: str) -> bool:
        return self.data_folder(key).is_dir()

    def write_data(self, key: str, dataset: Dataset) -> None:
        self._fill(self.data_folder(key), lambda folder: save_dataset(dataset, folder), {})

    def data(self, key: str) -> Dataset:
        return load_dataset(self.data_folder(key))

    def _fill(self, target: Path, fill: Callable[[Path], None], inputs: Mapping[str, str]) -> None:
        """Write a folder and its manifest atomically: it exists with all its files, or not at all."""
        if target.is_dir():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            fill(temporary)
            write_json(temporary / _MANIFEST, Manifest(_hashes(temporary), inputs))
            temporary.chmod(0o755)  # mkdtemp gives a folder nobody else may read
            temporary.replace(target)
        except OSError:
            if not target.is_dir():  # else another process wrote the same content first
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _manifest(folder: Path) -> Manifest:
    """Return the manifest of a folder; one that an earlier version stored without is hashed now."""
    path = folder / _MANIFEST
    return read_json(path, Manifest) if path.exists() else Manifest(_hashes(folder))


def _hashes(folder: Path) -> dict[str, str]:
    return {path.name: file_hash(path) for path in sorted(folder.iterdir())}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder, which replaces `path` if the block does not raise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_array(path: Path, array: Array) -> None:
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def write_json(path: Path, value: Any) -> None:
    """Write a record, or a mapping, as JSON with sorted keys and the hash of its own text.

    Raises:
        ValueError: it holds NaN or an infinite number.
    """
    plain = {**msgspec.to_builtins(value), "blake2b": {"digest": "", "of": _HASHED_TEXT}}
    text = json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    write_text(path, text.replace(_BEFORE_DIGEST, _BEFORE_DIGEST + content_hash(text.encode()), 1))


def read_json(path: Path, kind: type[T]) -> T:
    """Read a record that `write_json` wrote; unknown fields are ignored, and earlier versions had no hash.

    Raises:
        ValueError: the file is not JSON, or not of this kind: "<path>: metrics.ndcg.10[0]: expected float,
            found str"; or it is not as it was written.
    """
    content = path.read_bytes()
    try:
        try:
            value = msgspec.json.decode(content, type=kind)
        except msgspec.ValidationError as error:
            raise ValueError(f"{path}: {_located(error, msgspec.json.decode(content), kind)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from error
    if b'"blake2b"' in content or _HASHED_TEXT.encode() in content:
        # Each alone is proof of a hash, so that one damaged byte cannot pass for an earlier version.
        start = content.find(_BEFORE_DIGEST.encode()) + len(_BEFORE_DIGEST)
        digest = content[start : start + 32].decode(errors="replace")
        actual = content_hash(content[:start] + content[start + 32 :])
        if digest != actual:
            raise ValueError(f"{path}: expected the BLAKE2b {digest!r}, found {actual!r}")
    return value


def _located(error: msgspec.ValidationError, value: Any, kind: Any) -> str:
    """Return the message of an error with the whole path of the wrong value.

    msgspec writes `[...]` for the key of a mapping: the one that gives the same error when it is alone.
    """
    text, _, steps = str(error).replace("`", "").partition(" - at $")
    path, node = "", value
    for part in re.findall(r"\.\w+|\[\d+\]|\[\.\.\.\]", steps):
        if part == "[...]":
            wrong = next((key for key in list(node) if _fails_alone(node, key, value, kind, error)), None)
            if wrong is None:
                break
            part = f".{wrong}"
        node = node[int(part[1:-1])] if part.startswith("[") else node[part[1:]]
        path += part
    text = re.sub("^Expected (.*), got (.*)$", r"expected \1, found \2", text)
    return f"{path.lstrip('.')}: {text}" if path else text


def _fails_alone(node: dict[str, Any], key: str, value: Any, kind: Any, error: Exception) -> bool:
    everything = dict(node)
    node.clear()
    node[key] = everything[key]
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as again:
        return str(again) == str(error)
    finally:
        node.clear()
        node.update(everything)
    return False


def write_text(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
