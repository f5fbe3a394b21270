"""The chain of hashes behind a report, and its check against what is stored.

source -> data -> split -> model -> lists -> numbers
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from bakeoff._version import __version__
from bakeoff.errors import BakeoffError
from bakeoff.hashing import canonical_json, content_hash, file_hash
from bakeoff.run.cell import Cell, with_content_hashes
from bakeoff.storage.experiment import ReportRecord
from bakeoff.storage.record import CellRequest, Record
from bakeoff.storage.store import DamagedFileError, Manifest, Store

LINKS = ("source", "data", "split", "model", "lists", "numbers")
"""What is hashed of a cell: the configuration of its data set with the hashes of the files that it reads; the
arrays of the prepared data and of the split; class, seed and final hyperparameters of the model; the arrays
of its lists; the numbers in the report."""

SHORT = 12
"""Hex digits of a link."""


def chain(
    results: Iterable[tuple[CellRequest, Record]], ks: Collection[int], metrics: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Return the links of each done cell by key; "" for one that a record without hashes does not tell.

    Args:
        ks, metrics: of the report; a record may have more.
    """
    done = {request.key: (request.cell, record) for request, record in results if record.done}
    return {key: _links(cell, record, ks, metrics) for key, (cell, record) in sorted(done.items())}


def _links(cell: Cell, record: Record, ks: Collection[int], metrics: Collection[str]) -> tuple[str, ...]:
    arrays = {name: hash_ for name, hash_ in record.files.items() if name.endswith(".npy")}
    numbers = [
        [metric, k, *pair]
        for metric, k, pair in record.measurements()
        if metric in metrics and (k is None or k in ks)
    ]
    dataset = cell.contents.get("dataset") or {k: v for k, v in cell.dataset.items() if k != "name"}
    return (
        _short(dataset),
        record.inputs.get("data", "")[:SHORT],
        record.inputs.get("split", "")[:SHORT],
        _short([cell.model_target, record.parameters, record.cell.seed]),
        _short(arrays) if arrays else "",
        _short(numbers),
    )


def _short(value: Any) -> str:
    return content_hash(canonical_json(value).encode())[:SHORT]


class ChainCheck:
    """Follows the chains of cells through the files of a store; what cells share is hashed once.

    Args:
        trust: whether to build what the experiment configures, to hash its source files and compute its keys.

    Attributes:
        unknown: what was not followed -> the reason.
    """

    def __init__(self, store: Store, *, trust: bool = False) -> None:
        self._store, self._trust = store, trust
        self._contents: dict[Path, str] = {}
        self._sources: dict[str, Any] = {}
        self.unknown: dict[str, str] = {}

    def faults(self, request: CellRequest, record: Record, report: ReportRecord | None) -> Iterator[str]:
        """Yield the broken links of a done cell, up to its report if there is one."""
        if self._trust:
            yield from self._source_faults(request, record)
        elif request.cell.contents:
            self.unknown["source -> data"] = "source files are read with --trust alone"
        if not record.inputs:
            self.unknown["cells of a version without hashes"] = "rerun=true stores them with hashes"
        yield from self._stored_faults(request.cell, record)
        links = () if report is None else report.chain.get(request.key, ())
        current = () if report is None else _links(request.cell, record, report.ks, dict(report.metrics))
        for name, expected, actual in zip(LINKS, links, current, strict=False):
            if expected and expected != actual:
                yield f"{name} -> report: the report says {expected}, the store {actual or 'none'}"

    def _source_faults(self, request: CellRequest, record: Record) -> Iterator[str]:
        """Yield where the files or the configuration are not those that the key names."""
        cell = replace(request.cell)  # without its stored identity
        try:
            hashed = with_content_hashes(cell, self._sources)
            key = hashed.key
        except (BakeoffError, OSError) as error:
            self.unknown[f"source -> data of {cell.dataset_name}"] = str(error)
            return
        for name, expected in cell.contents.items():
            if canonical_json(hashed.contents.get(name)) != canonical_json(expected):
                yield f"source -> data: {name}: the files are not those that it was made from"
                return
        if key != request.key and record.environment.bakeoff == __version__:
            yield f"source -> model: experiment.json configures the cell {key}"

    def _stored_faults(self, cell: Cell, record: Record) -> Iterator[str]:
        """Yield where the arrays of data, split and lists are not those that the record names."""
        store = self._store
        data, split = store.data_folder(cell.data_key), store.split_folder(cell.split_key)
        for name, folder in (("data", data), ("split", split)):
            expected, actual = record.inputs.get(name), self._content(folder)
            if expected and actual and expected != actual:
                yield f"{name} -> model: fitted on {expected[:SHORT]}, {folder} has {actual[:SHORT]}"
        try:
            cut_from = store.inputs(cell.split_key).get("data") if split.is_dir() else None
        except DamagedFileError as damage:  # a fault of its own, which the check of all files names
            self.unknown["data -> split"], cut_from = damage.fault, None
        if cut_from and self._content(data) not in ("", cut_from):
            yield f"data -> split: cut from {cut_from[:SHORT]}, {data} has {self._content(data)[:SHORT]}"
        for name, expected in record.files.items():
            path = store.cell_folder(record.key) / name
            if name.endswith(".npy") and path.is_file() and (actual := file_hash(path)) != expected:
                yield f"lists -> numbers: measured on {name} {expected[:SHORT]}, {path} has {actual[:SHORT]}"

    def _content(self, folder: Path) -> str:
        """Return `Manifest.content` of the files themselves; "" if there is no folder."""
        if folder not in self._contents:
            arrays = {path.name: file_hash(path) for path in sorted(folder.glob("*.npy")) if path.is_file()}
            self._contents[folder] = Manifest(arrays).content if arrays else ""
        return self._contents[folder]
