"""Results on disk: one folder a cell, splits and prepared data stored once, nothing half-written.

    <root>/cells/<key>/   record.json  items.npy  scores.npy  [above.npy ties.npy predicted.npy]
                          per_user.parquet  [model.npz model.json]
    <root>/splits/<key>/  the arrays of a split, split.json and manifest.json
    <root>/data/<key>/    a prepared data set, likewise

Every file has its hash: in the record of its cell or in the manifest of its folder, and these hold their own.
A record and a manifest also name the hashes of what they were computed from.

    <root>/quarantine/    what was damaged, under the names of its folder and its own

Every file and folder is written under a temporary name beside its place and moved there whole. The files of a
cell wait in a hidden folder until its record is written; then they take their places under a lock, the record
last. A cell without a record was never finished, and a reader of a cell that is run again sees one run or the
other.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from zipfile import BadZipFile

import msgspec
import numpy as np
from msgspec.structs import replace

from bakeoff.arrays import Array, Codes, Floats
from bakeoff.data.serialization import load_dataset, save_dataset
from bakeoff.data.source import Dataset
from bakeoff.errors import ConfigError, UsageError, check_file_name, check_inside
from bakeoff.hashing import canonical_json, content_hash, file_hash
from bakeoff.run.cell import StoredCell
from bakeoff.secret import without_credentials
from bakeoff.splits.base import Split, load_split, save_split
from bakeoff.storage.record import STORED, Record

T = TypeVar("T")

_RECORD = "record.json"
_MANIFEST = "manifest.json"
_DAY = 86_400.0

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


class DamagedFileError(UsageError):
    """A stored file that is missing, cannot be read, or is not as it was written.

    fault: the file and what is wrong with it, for a message that says by itself what to do.
    """

    def __init__(self, fault: str) -> None:
        self.fault = fault
        super().__init__(f"{fault}; run its command again: what is damaged is set aside and computed again")


class Store:
    """The results below one folder."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self._written: dict[str, dict[str, str]] = {}  # staged files of each cell that this process runs
        self._files: dict[str, Mapping[str, str]] = {}  # `Record.files` as last read or written here
        self._inside: set[Path] = set()  # folders that lead nowhere else

    def cell_folder(self, key: str) -> Path:
        return self._folder("cells", key)

    def split_folder(self, key: str) -> Path:
        return self._folder("splits", key)

    def data_folder(self, key: str) -> Path:
        return self._folder("data", key)

    def _folder(self, kind: str, key: str) -> Path:
        """Return a folder of the store.

        Raises:
            UsageError: the key is no file name, or the folder leads out of the store.
        """
        parent = self.root / kind
        folder = parent / check_file_name("key", key)
        if folder not in self._inside:
            if parent.is_symlink():
                raise UsageError(f"{parent}: a link; expected a folder of the store")
            self._inside.add(check_inside(folder))
        return folder

    # -- cells -----------------------------------------------------------------------------------

    def record(self, key: str) -> Record | None:
        """Return the stored record, or None if the cell has none.

        Raises:
            DamagedFileError: the file exists and is not a record of this cell.
        """
        path = self.cell_folder(key) / _RECORD
        if not path.exists():
            return None
        try:
            record = read_json(path, Record)
        except ValueError as error:
            raise DamagedFileError(str(error)) from error
        for name, value, expected in (("key", record.key, (key,)), ("status", record.status, STORED)):
            if value not in expected:
                raise DamagedFileError(f"{path}: {name}: expected {' or '.join(expected)}, found {value!r}")
        try:
            stored = replace(record, cell=StoredCell.of(record.cell))
        except ConfigError as error:
            raise DamagedFileError(f"{path}: {error}") from error
        self._files[key] = record.files
        return stored

    def readable(self, key: str) -> tuple[Record | None, str]:
        """Return the record and "" if no file of the cell is damaged, else None and the first fault.

        None and "" if nothing is stored.
        """
        record, faults = self._examine(key)
        return (None, faults[0]) if faults else (record, "")

    def cell_faults(self, key: str) -> list[str]:
        """Return what is wrong with the files of a cell: each damaged file, what was expected and found."""
        return self._examine(key)[1]

    def _examine(self, key: str) -> tuple[Record | None, list[str]]:
        """Return the record, if one can be read, and what is wrong with the files of its cell."""
        record = None
        try:
            record = self.record(key)
            if record is None or not record.done:
                return record, []
            faults = _faults(self.cell_folder(key), record.files)
            if not record.files:  # of a version without hashes: what can be opened is believed
                self.lists(key), self.per_user(key)
        except DamagedFileError as damage:
            return record, [damage.fault]
        return record, faults or self._stale(record)

    def _stale(self, record: Record) -> list[str]:
        """Return that a cell was computed on another split than the stored one."""
        expected, key = record.inputs.get("split"), record.split_key
        with suppress(DamagedFileError):  # then it is the split that has to be cut again
            if expected is not None and self.has_split(key) and self.inputs(key)["split"] != expected:
                folder, found = self.split_folder(key), self.inputs(key)["split"]
                return [f"{folder}: cell {record.key} was computed on content {expected}, this is {found}"]
        return []

    def hashed(self, record: Record) -> Record:
        """Return a stored record with the hashes of its files; a version without hashes left them out."""
        folder = self.cell_folder(record.key)
        return record if record.files else replace(record, files=_hashes(folder, _RECORD))

    def set_aside_cell(self, key: str) -> list[str]:
        """Move a cell with damaged files to the quarantine, and return its faults."""
        return self._set_aside(self.cell_folder(key), lambda: self.cell_faults(key))

    def done(self, key: str) -> bool:
        """Return whether the cell is done. Failed and skipped cells are run again."""
        record = self.record(key)
        return record is not None and record.done

    def model_answered(self, key: str) -> bool:
        """Return whether the cell's model is stored, or the reason why it cannot be."""
        return (self.cell_folder(key) / "model.json").exists()

    def write_lists(self, key: str, lists: StoredLists) -> None:
        for name, array in lists._asdict().items():
            if array is not None:
                with self.writing(key, f"{name}.npy") as path:
                    write_array(path, array)

    def lists(self, key: str) -> StoredLists:
        """Return the stored lists, memory-mapped.

        Raises:
            DamagedFileError: the cell's lists are missing or damaged.
        """

        def load(path: Path) -> Any:
            return np.load(path, mmap_mode="r", allow_pickle=False)

        names = {"items", "scores"} | {n for n in StoredLists._fields if self._has(key, f"{n}.npy")}
        arrays: dict[str, Any] = {
            n: self.read(key, f"{n}.npy", load) if n in names else None for n in StoredLists._fields
        }
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

        def load(path: Path) -> dict[str, Array]:
            with parquet.ParquetFile(path) as file:
                stored = file.schema_arrow.names
                names = stored if columns is None else dict.fromkeys(("user", *columns))
                names = [name for name in names if name in stored]
                table = file.read(columns=names, use_threads=False)
            return {name: table.column(name).to_numpy() for name in names}

        return self.read(key, "per_user.parquet", load) if self._has(key, "per_user.parquet") else None

    def _has(self, key: str, name: str) -> bool:
        """Return whether a cell has a file: its record names it, or, if it names none, it is there."""
        if key not in self._files:
            self.record(key)
        files = self._files.get(key)
        return name in files if files else (self.cell_folder(key) / name).exists()

    def read(self, key: str, name: str, load: Callable[[Path], T]) -> T:
        """Return what a function reads from a file of a cell, which has the hash that the record names.

        The record is the one that this store has read or written last: values of one run of the cell never
        stand beside those of another.

        Raises:
            DamagedFileError: the file is missing or damaged.
            UsageError: the cell was run again, with another result, after its record was read.
        """
        path = self.cell_folder(key) / name
        self._check(key, path)
        try:
            value = load(path)
        except PermissionError:
            raise
        except (OSError, ValueError, EOFError, KeyError, BadZipFile) as error:
            raise DamagedFileError(f"{path}: {_reason(error)}") from error
        self._check(key, path)  # it has not been replaced while it was read
        return value

    def _check(self, key: str, path: Path) -> None:
        files = self._files.get(key, {})
        if path.name not in files or not (fault := _fault(path, files[path.name])):
            return
        with locked(path.parent):  # a writer may have been between two files of the cell
            self.record(key)
            now = self._files.get(key, {})
            if path.name not in now or _fault(path, now[path.name]):
                raise DamagedFileError(fault)
        if now.get("items.npy") != files.get("items.npy"):
            raise UsageError(f"cell {key}: it was run again while it was read; give the command again")

    @contextmanager
    def writing(self, key: str, name: str) -> Iterator[Path]:
        """Give a path to write a file of a cell to; it takes its place with the next record of the cell."""
        with replacing(_temporary(self.cell_folder(key)) / name) as path:
            yield path
            self._written.setdefault(key, {})[name] = file_hash(path)

    def write_record(self, record: Record) -> Record:
        """Store the files of a cell that were written before, with their hashes in the record; return it.

        Of an earlier run nothing remains, and its record is there until the new one replaces it.
        """
        key, folder = record.key, self.cell_folder(record.key)
        staged = _temporary(folder)
        written = self._written.pop(key, {}) if record.done else {}
        record = replace(
            record,
            cell=record.cell.without_credentials(),
            reason=without_credentials(record.reason),
            traceback=without_credentials(record.traceback),
            files={**record.files, **written} if record.done else {},
        )
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            with suppress(DamagedFileError):
                earlier = self.record(key)
                if earlier is not None and earlier.done and not earlier.files:
                    (folder / _RECORD).unlink()  # it has no hashes, so it would pass for one of the new files
            for name in written:
                (staged / name).replace(folder / name)
            write_json(folder / _RECORD, record)
            for path in folder.iterdir():
                if path.name != _RECORD and path.name not in record.files and not path.name.startswith("."):
                    path.unlink()
        shutil.rmtree(staged, ignore_errors=True)
        self._files[key] = record.files
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
        try:
            manifest = _manifest(self.split_folder(split_key))
        except ValueError as error:
            raise DamagedFileError(str(error)) from error
        return {**manifest.inputs, "split": manifest.content}

    def split(self, key: str) -> Split:
        """Return a stored split, memory-mapped.

        Raises:
            DamagedFileError: a file of it is missing or damaged.
        """
        return _load(self.split_folder(key), load_split)

    def set_aside_split(self, key: str) -> list[str]:
        """Move a split with damaged files to the quarantine, and return its faults."""
        folder = self.split_folder(key)
        return self._set_aside(folder, lambda: folder_faults(folder, load_split))

    def has_data(self, key: str) -> bool:
        return self.data_folder(key).is_dir()

    def write_data(self, key: str, dataset: Dataset) -> None:
        self._fill(self.data_folder(key), lambda folder: save_dataset(dataset, folder), {})

    def data(self, key: str) -> Dataset:
        """Return a stored data set, memory-mapped.

        Raises:
            DamagedFileError: a file of it is missing or damaged.
        """
        return _load(self.data_folder(key), load_dataset)

    def set_aside_data(self, key: str) -> list[str]:
        """Move a data set with damaged files to the quarantine, and return its faults."""
        folder = self.data_folder(key)
        return self._set_aside(folder, lambda: folder_faults(folder, load_dataset))

    def _fill(self, target: Path, fill: Callable[[Path], None], inputs: Mapping[str, str]) -> None:
        """Write a folder and its manifest atomically: it exists with all its files, or not at all."""
        if target.is_dir():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary(target)
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            with _named(temporary):
                temporary.mkdir()
                fill(temporary)
                write_json(temporary / _MANIFEST, Manifest(_hashes(temporary), inputs))
                temporary.replace(target)
        except OSError:
            if not target.is_dir():  # else another process wrote the same content first
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _set_aside(self, folder: Path, faults: Callable[[], list[str]]) -> list[str]:
        if not folder.exists():
            return []
        with locked(folder):
            damages = faults()
            if damages:
                self.set_aside(folder)
        return damages

    def set_aside(self, path: Path) -> None:
        """Move a damaged file or folder to the quarantine."""
        quarantine = self.root / "quarantine" / path.parent.name
        quarantine.mkdir(parents=True, exist_ok=True)
        names = (quarantine / f"{path.name}.{n}" for n in itertools.count(1))
        path.rename(next(name for name in names if not name.exists()))

    def leftovers(self, *others: Path) -> list[Path]:
        """Return the temporary files of dead processes in the store and in other folders."""
        folders = [self.root / kind for kind in ("cells", "splits", "data")]
        folders += [path for path in (self.root / "cells").glob("*") if path.is_dir()]
        return [path for folder in (*folders, *others) for path in folder.glob(".*") if _is_left(path)]

    def remove_leftovers(self, *others: Path) -> int:
        """Remove the temporary files of dead processes, and return their number."""
        paths = self.leftovers(*others)
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return len(paths)


def _is_left(path: Path) -> bool:
    """Return whether a hidden file is the temporary one of a dead process.

    The process of another machine, and that of an earlier version without its number in the name, is taken
    for dead when the file is a day old.
    """
    import psutil

    owner = re.search(r"\.(\d+)(?:@(.+))?\.tmp$", path.name)
    if owner is not None and owner[2] in (None, socket.gethostname()):
        return not psutil.pid_exists(int(owner[1]))
    named = owner is not None or re.fullmatch(r"\.[a-z][0-9a-f]{15}\.\w{8}", path.name) is not None
    with suppress(FileNotFoundError):
        return named and time.time() - path.stat().st_mtime > _DAY
    return False


def folder_faults(folder: Path, load: Callable[[Path], object] | None = None) -> list[str]:
    """Return what is wrong with the files of a stored split or data set; without hashes, if it loads."""
    path = folder / _MANIFEST
    try:
        with _damage_of(folder):
            if path.exists():
                files = read_json(path, Manifest).files
                others = {p.name for p in folder.iterdir()} - files.keys() - {_MANIFEST}
                unnamed = [f"{folder / name}: not in {_MANIFEST}" for name in sorted(others)]
                return _faults(folder, files) + unnamed
            if load is not None:
                load(folder)
    except DamagedFileError as damage:
        return [damage.fault]
    return []


def _load(folder: Path, load: Callable[[Path], T]) -> T:
    if faults := folder_faults(folder):
        raise DamagedFileError(faults[0])
    with _damage_of(folder):
        return load(folder)


@contextmanager
def _damage_of(folder: Path) -> Iterator[None]:
    """Turn an error of reading a stored split or data set into a DamagedFileError that names the file."""
    try:
        yield
    except PermissionError:
        raise
    except (OSError, ValueError, EOFError, KeyError, TypeError) as error:
        named = isinstance(error, ValueError) and str(error).startswith(str(folder))  # by `read_json`
        place = getattr(error, "filename", None) or folder
        raise DamagedFileError(str(error) if named else f"{place}: {_reason(error)}") from error


def _faults(folder: Path, files: Mapping[str, str]) -> list[str]:
    return [fault for name, hash_ in files.items() if (fault := _fault(folder / name, hash_))]


def _reason(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _fault(path: Path, expected: str) -> str:
    """Return "" if a file has the expected hash, else what is wrong with it."""
    try:
        actual = _hash(path)
    except PermissionError:
        raise
    except OSError as error:
        return f"{path}: {error.strerror}"
    return "" if actual == expected else f"{path}: expected the BLAKE2b {expected}, found {actual}"


_HASHES: dict[Path, tuple[tuple[int, ...], str]] = {}


def _hash(path: Path) -> str:
    """Return the hash of a file, computed once a process unless the file is replaced or changed."""
    status = path.stat()
    state = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
    if path not in _HASHES or _HASHES[path][0] != state:
        _HASHES[path] = state, file_hash(path)
    return _HASHES[path][1]


def _manifest(folder: Path) -> Manifest:
    """Return the manifest of a folder; one that an earlier version stored without is hashed now."""
    path = folder / _MANIFEST
    return read_json(path, Manifest) if path.exists() else Manifest(_hashes(folder))


def _hashes(folder: Path, besides: str = "") -> dict[str, str]:
    return {path.name: _hash(path) for path in sorted(folder.iterdir()) if path.name != besides}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder, which replaces `path` if the block does not raise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        with _named(path):
            yield temporary
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    """Return the name of an unfinished file or folder: `_is_left` finds in it whose it is."""
    return path.with_name(f".{path.name}.{os.getpid()}@{socket.gethostname()}.tmp")


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Give an error of writing the path that it is about: libraries leave it out on a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno or errno.EIO, error.strerror or str(error), str(path)) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder; other processes wait for it.

    Where the file system has no locks, hashes alone tell a reader that a writer came between.
    """
    import fcntl

    while True:
        handle = os.open(folder, os.O_RDONLY)
        try:
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
            if not folder.exists():
                folder.mkdir(parents=True)
            if os.fstat(handle).st_ino == folder.stat().st_ino:  # else it was set aside meanwhile
                yield
                return
        finally:
            os.close(handle)


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
    try:
        content = path.read_bytes()
    except PermissionError:
        raise
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    try:
        try:
            value = msgspec.json.decode(content, type=kind)
        except msgspec.ValidationError as error:
            raise ValueError(f"{path}: {_located(error, msgspec.json.decode(content), kind)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
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
