"""SideTable tables: features of users and items, and titles of items."""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from bakeoff.arrays import Array, Codes, Doubles
from bakeoff.data.columns import GrowableArray, IdEncoder, joined
from bakeoff.data.file_formats import CsvDialect, Kind, batches, check_columns, column_names, row_of
from bakeoff.data.interactions import Features, Ids
from bakeoff.errors import ConfigError, DataError

_FALSE = {"0", "0.0", "False", "false", "FALSE", ""}


class Block(NamedTuple):
    """Features of one column: n entries at (entity, feature), and the features' names."""

    rows: Array
    columns: Array
    data: Array
    names: list[str]


@dataclass(frozen=True)
class SideTable:
    """A side table: what is known of users or items beside their interactions.

    A key may stand in several rows: its categories are put together, of its numbers the mean is taken.
    Rows whose key is not in the data are left out. The identity of each user or item is no column here:
    models that use features add it (their knob `identity`, on by default).

    Args:
        role: users or items.
        key: the column, or columns, of the id.
        path: the file; None takes the file of the interactions, with its layout.
        categorical: columns of which each value is a feature: `country=UK`.
        multi: columns that hold several values, each with the text between them: `{genres: "|"}`.
        numeric: columns of numbers, each `standardise` (mean 0, deviation 1) or a list of bin edges.
        flags: groups of columns that say yes (1, True) or no (0, False, nothing), named or by pattern:
            `{genre: [Action, Comedy]}` gives `genre=Action`, `{active: ["*active*"]}` all that match.
        labels: for a column of codes the table of their names: `{tagID: {path: ..., key: ..., label: ...}}`.
        separator, quote, encoding, columns: see `CsvDialect`.
    """

    role: str
    key: str | Sequence[str]
    path: str | None = None
    categorical: Sequence[str] = ()
    multi: Mapping[str, str] = field(default_factory=dict)
    numeric: Mapping[str, str | Sequence[float]] = field(default_factory=dict)
    flags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    separator: str | None = None
    quote: str | None = '"'
    encoding: str = "utf8"
    columns: Sequence[str] | None = None

    def __post_init__(self) -> None:
        knob = f"dataset.{self.role}"
        if not (self.categorical or self.multi or self.numeric or self.flags):
            raise ConfigError(f"{knob}: no features; name columns under categorical, multi, numeric or flags")
        for column, how in self.numeric.items():
            edges = [] if isinstance(how, str) else list(how)
            if how != "standardise" and (not edges or edges != sorted(set(edges))):
                raise ConfigError(
                    f"{knob}.numeric.{column}={how!r}: expected standardise or ascending bin edges"
                )
        for column, table in self.labels.items():
            if not {"path", "key", "label"} <= set(table):
                raise ConfigError(f"{knob}.labels.{column}: expected path, key and label")

    def paths(self) -> dict[str, str]:
        """The table's own files, by role."""
        own = {} if self.path is None else {"": self.path}
        return own | {f".labels.{column}": str(table["path"]) for column, table in self.labels.items()}

    def identity(self) -> dict[str, Any]:
        """The knobs, without paths."""
        knobs = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("path", "role")}
        knobs["labels"] = {c: {k: v for k, v in t.items() if k != "path"} for c, t in self.labels.items()}
        return knobs

    def features(
        self, ids: Ids, path: Path, files: Mapping[str, Path], shared: CsvDialect
    ) -> tuple[Features, str]:
        """The features of the users or items in ids, and a sentence on how many have any.

        Args:
            ids: of all users, or of all items.
            path: the side table's file.
            files: its own files by role (see `paths`).
            shared: the layout of the interactions' file, used where the side table has no file of its own.
        """
        own = None if self.columns is None else tuple(self.columns)
        layout = shared if self.path is None else CsvDialect(self.separator, self.quote, self.encoding, own)
        columns = _read(path, layout, self._kinds(path, layout))
        keys = [self.key] if isinstance(self.key, str) else list(self.key)
        codes, distinct = joined([columns[k] for k in keys])
        known = {str(v): c for c, v in enumerate(ids.values.tolist())}
        entity = np.array([known.get(str(k), -1) for k in distinct.to_pylist()] + [-1], dtype=np.int64)
        rows = entity[codes]
        blocks = []
        for column in self.categorical:
            blocks.append(_categories(column, rows, *columns[column], self._names(column, files)))
        for column, separator in self.multi.items():
            blocks.append(_categories(column, rows, *columns[column], self._names(column, files), separator))
        for column, how in self.numeric.items():
            blocks.append(_numbers(column, rows, columns[column][0], len(ids), how))
        for group, flagged in self._flagged(path, layout).items():
            blocks += [_flag(f"{group}={column}", rows, *columns[column]) for column in flagged]
        return _assembled(blocks, len(ids), self.role)

    def _kinds(self, path: Path, layout: CsvDialect) -> dict[str, Kind]:
        keys = [self.key] if isinstance(self.key, str) else list(self.key)
        flagged = [c for group in self._flagged(path, layout).values() for c in group]
        kinds: dict[str, Kind] = dict.fromkeys([*keys, *self.categorical, *self.multi, *flagged], "id")
        both = set(kinds) & set(self.numeric)
        if both:
            raise ConfigError(
                f"dataset.{self.role}.numeric: {min(both)!r} is a key, a category or a flag already"
            )
        kinds |= dict.fromkeys(self.numeric, "number")
        check_columns(path, layout, dict.fromkeys(kinds, f"dataset.{self.role}"))
        return kinds

    def _flagged(self, path: Path, layout: CsvDialect) -> dict[str, list[str]]:
        """The columns of each group of flags; a pattern may match none."""
        if not self.flags:
            return {}
        there = column_names(path, layout)
        return {
            group: [
                name
                for pattern in patterns
                for name in (fnmatch.filter(there, pattern) if set(pattern) & set("*?[") else [pattern])
            ]
            for group, patterns in self.flags.items()
        }

    def _names(self, column: str, files: Mapping[str, Path]) -> dict[str, str]:
        """What codes of a column are called; empty where they are their own names."""
        if column not in self.labels:
            return {}
        knobs = dict(self.labels[column])
        key, label, path = knobs.pop("key"), knobs.pop("label"), files[f".labels.{column}"]
        knobs.pop("path")
        layout = CsvDialect(**knobs)
        check_columns(path, layout, dict.fromkeys((key, label), f"dataset.{self.role}.labels.{column}"))
        found = _read(path, layout, {key: "id", label: "id"})
        texts = [[None, *map(str, distinct.to_pylist())] for _, distinct in (found[key], found[label])]
        pairs = zip(found[key][0] + 1, found[label][0] + 1, strict=True)
        return {str(texts[0][k]): str(texts[1][v]) for k, v in pairs if k and v}


def _read(path: Path, layout: CsvDialect, kinds: Mapping[str, Kind]) -> dict[str, tuple[Array, Any]]:
    """Columns as codes with their distinct ids, or as float64 (NaN where there is none) with None."""
    coders = {name: IdEncoder() for name, kind in kinds.items() if kind == "id"}
    numbers = {name: GrowableArray(np.float64) for name, kind in kinds.items() if kind == "number"}
    record = 0
    for batch in batches(path, layout, kinds):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if name in coders:
                coders[name].add(column)
                continue
            values = column.fill_null(np.nan).to_numpy()
            if np.isinf(values).any():
                row = row_of(path, layout, record + int(np.argmax(np.isinf(values))))
                raise DataError(
                    f"{path}: row {row}, column {name!r}: found an infinite value, expected a number"
                )
            numbers[name].add(values)
        record += batch.num_rows
    if not record:
        raise DataError(f"{path}: no rows; expected a side table")
    return {name: coder.finish() for name, coder in coders.items()} | {
        name: (values.finish(), None) for name, values in numbers.items()
    }


def _categories(
    column: str,
    rows: Array,
    codes: Codes,
    distinct: Any,
    names: Mapping[str, str],
    separator: str | None = None,
) -> Block:
    """One feature a value; values are texts, cut at the separator where there is one."""
    texts = [str(t) for t in distinct.to_pylist()]
    values = [t.split(separator) if separator else [t] for t in texts]
    kept = [[names.get(v.strip(), v.strip()) for v in some if v.strip()] for some in values]
    order = sorted({v for some in kept for v in some}, key=_natural)
    number = {v: i for i, v in enumerate(order)}
    pairs = np.unique(np.stack([rows, codes])[:, (rows >= 0) & (codes >= 0)], axis=1)
    lengths = np.array([len(some) for some in kept], dtype=np.int64)
    flat = np.array([number[v] for some in kept for v in some], dtype=np.int64)
    starts = np.concatenate(([0], np.cumsum(lengths)))[:-1] if len(lengths) else lengths
    times = lengths[pairs[1]]
    within = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    found = np.unique(
        np.stack([np.repeat(pairs[0], times), flat[np.repeat(starts[pairs[1]], times) + within]]), axis=1
    )
    return Block(found[0], found[1], np.ones(found.shape[1]), [f"{column}={v}" for v in order])


def _natural(text: str) -> tuple[int, int, str]:
    """Whole numbers by size, before texts."""
    return (0, int(text), text) if text.isascii() and text.lstrip("-").isdigit() else (1, 0, text)


def _numbers(column: str, rows: Array, values: Doubles, size: int, how: str | Sequence[float]) -> Block:
    there = (rows >= 0) & ~np.isnan(values)
    counts = np.bincount(rows[there], minlength=size)
    sums = np.bincount(rows[there], weights=values[there], minlength=size)
    known = np.flatnonzero(counts)
    means = sums[known] / counts[known]
    if isinstance(how, str):
        deviation = means.std() if len(means) else 0.0
        scaled = (means - means.mean()) / deviation if deviation > 0 else np.zeros(len(means))
        return Block(known, np.zeros(len(known), dtype=np.int64), scaled, [column])
    edges = [f"{e:g}" for e in how]
    names = [f"<{edges[0]}", *(f"{a}-{b}" for a, b in itertools.pairwise(edges)), f">={edges[-1]}"]
    names = [f"{column}={n}" for n in names]
    return Block(known, np.digitize(means, list(how)), np.ones(len(known)), names)


def _flag(name: str, rows: Array, codes: Codes, distinct: Any) -> Block:
    yes = np.array([str(t) not in _FALSE for t in distinct.to_pylist()] + [False])  # the last is code -1
    found = np.unique(rows[(rows >= 0) & yes[codes]])
    return Block(found, np.zeros(len(found), dtype=np.int64), np.ones(len(found)), [name])


def _assembled(blocks: Sequence[Block], size: int, role: str) -> tuple[Features, str]:
    """One matrix of all blocks, without features that nobody has."""
    names = [n for b in blocks for n in b.names]
    starts = np.cumsum([0, *(len(b.names) for b in blocks)])
    rows = np.concatenate([b.rows for b in blocks])
    columns = np.concatenate([b.columns + s for b, s in zip(blocks, starts, strict=False)])
    data = np.concatenate([b.data for b in blocks]).astype(np.float32)
    kept = np.flatnonzero(np.bincount(columns, weights=data != 0, minlength=len(names)))
    matrix = sparse.csr_matrix((data, (rows, columns)), shape=(size, len(names)))[:, kept]
    matrix.eliminate_zeros()
    matrix.sort_indices()
    having = int((np.diff(matrix.indptr) > 0).sum())
    note = f"{len(kept)} features, {having} of {size} {role} have any"
    return Features(matrix, tuple(names[i] for i in kept)), note


@dataclass(frozen=True)
class TitleTable:
    """A table with the name of each item.

    Args:
        label: the column of the name.
        key: the column, or columns, of the id.
        path: the file; None takes the file of the interactions, with its layout.
        separator, quote, encoding, columns: see `CsvDialect`.
    """

    label: str
    key: str | Sequence[str]
    path: str | None = None
    separator: str | None = None
    quote: str | None = '"'
    encoding: str = "utf8"
    columns: Sequence[str] | None = None

    def read(self, path: Path, shared: CsvDialect) -> dict[str, str]:
        """The first name of each id, both as texts; rows without one of the two are left out.

        Raises:
            DataError: there is no such file or column.
        """
        own = None if self.columns is None else tuple(self.columns)
        layout = shared if self.path is None else CsvDialect(self.separator, self.quote, self.encoding, own)
        keys = [self.key] if isinstance(self.key, str) else list(self.key)
        wanted = [*keys, self.label]
        check_columns(path, layout, dict.fromkeys(wanted, "dataset.item_names"))
        coders = {name: IdEncoder() for name in wanted}
        for batch in batches(path, layout, dict.fromkeys(coders, "id")):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                coders[name].add(column)
        columns = {name: coder.finish() for name, coder in coders.items()}
        ids, distinct = joined([columns[k] for k in keys])
        labels, texts = columns[self.label]
        both = (ids >= 0) & (labels >= 0)
        known, called = [str(v) for v in distinct.to_pylist()], [str(v) for v in texts.to_pylist()]
        pairs = dict(zip(ids[both][::-1].tolist(), labels[both][::-1].tolist(), strict=True))
        return {known[i]: called[label] for i, label in pairs.items()}
