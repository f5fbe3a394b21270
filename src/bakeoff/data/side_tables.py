"""SideTable tables: features of users and items, and titles of items."""

from __future__ import annotations

import fnmatch
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from bakeoff.arrays import Array, Codes, Doubles
from bakeoff.data.columns import GrowableArray, IdEncoder, join_columns
from bakeoff.data.file_formats import CsvDialect, Kind, check_columns, column_names, read_batches, row_number
from bakeoff.data.interactions import Features, Ids
from bakeoff.errors import ConfigError, DataError, shortened

_FALSE = {"0", "0.0", "False", "false", "FALSE", ""}


class FeatureBlock(NamedTuple):
    """Features of one column: n entries at (entity, feature), and the names of the features."""

    rows: Array
    columns: Array
    data: Array
    names: list[str]


@dataclass(frozen=True)
class SideTable(CsvDialect):
    """A side table with features of users or items.

    A key may occur in several rows: its categories are united, its numbers averaged. Rows whose key is not in
    the data are skipped. The identity of each user or item is no column here: models that use features add it
    (their parameter `identity`, on by default).

    Args:
        role: users or items.
        key: the column, or columns, of the id.
        path: the file; null takes the file of the interactions, with its dialect.
        categorical: columns of which each value is a feature: `country=UK`.
        multi: columns that hold several values, each with the text between them: `{genres: "|"}`.
        numeric: columns of numbers, each `standardise` (mean 0, deviation 1) or a list of bin edges.
        flags: groups of columns that say yes (1, True) or no (0, False, nothing), named or by pattern:
            `{genre: [Action, Comedy]}` gives `genre=Action`, `{active: ["*active*"]}` all that match.
        labels: for a column of codes, the table of labels: `{tagID: {path: ..., key: ..., label: ...}}`.
    """

    role: str
    key: str | Sequence[str]
    path: str | None = None
    categorical: Sequence[str] = ()
    multi: Mapping[str, str] = field(default_factory=dict)
    numeric: Mapping[str, str | Sequence[float]] = field(default_factory=dict)
    flags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        where = f"dataset.{self.role}"
        if not (self.categorical or self.multi or self.numeric or self.flags):
            raise ConfigError(
                f"{where}: no features; name columns under categorical, multi, numeric or flags"
            )
        for column, how in self.numeric.items():
            edges = list(how) if isinstance(how, Sequence) and not isinstance(how, str) else []
            finite = all(isinstance(e, int | float) and math.isfinite(e) for e in edges)
            if how != "standardise" and (not edges or not finite or edges != sorted(set(edges))):
                raise ConfigError(
                    f"{where}.numeric.{column}={how!r}: expected standardise or bin edges, ascending numbers"
                )
        for column, separator in self.multi.items():
            if not separator:
                raise ConfigError(f"{where}.multi.{column}={separator!r}: expected the text between values")
        for column, table in self.labels.items():
            if not {"path", "key", "label"} <= set(table):
                raise ConfigError(f"{where}.labels.{column}: expected path, key and label")

    def paths(self) -> dict[str, str]:
        """Return the table's own files, by role."""
        paths = {} if self.path is None else {"": self.path}
        return paths | {f".labels.{column}": str(table["path"]) for column, table in self.labels.items()}

    def identity(self) -> dict[str, Any]:
        """Return the parameters without paths."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("path", "role")}
        values["labels"] = {c: {k: v for k, v in t.items() if k != "path"} for c, t in self.labels.items()}
        return values

    def features(
        self, ids: Ids, path: Path, files: Mapping[str, Path], shared: CsvDialect
    ) -> tuple[Features, str]:
        """Return the features of the users or items in ids, and a sentence on how many have any.

        Args:
            ids: of all users, or of all items.
            path: the side table's file.
            files: its own files by role (see `paths`).
            shared: dialect of the interactions' file, used where the side table has no file of its own.
        """
        dialect = shared if self.path is None else self
        columns = read_columns(path, dialect, self._kinds(path, dialect))
        keys = [self.key] if isinstance(self.key, str) else list(self.key)
        codes, distinct = join_columns([columns[k] for k in keys])
        code_of = {str(v): c for c, v in enumerate(ids.values.tolist())}
        entity = np.array([code_of.get(str(k), -1) for k in distinct.to_pylist()] + [-1], dtype=np.int64)
        rows = entity[codes]
        if not (rows >= 0).any():
            example = shortened(distinct[0].as_py()) if len(distinct) else "none"
            raise DataError(
                f"{path}: none of {len(distinct)} keys in column {', '.join(map(repr, keys))} is one of the "
                f"{len(ids)} {self.role} of the data (a key is {example}, one of the {self.role} is "
                f"{shortened(ids.values[0])}); name the column of their ids with dataset.{self.role}.key"
            )
        blocks = []
        for column in self.categorical:
            blocks.append(_category_block(column, rows, *columns[column], self._names(column, files)))
        for column, separator in self.multi.items():
            blocks.append(
                _category_block(column, rows, *columns[column], self._names(column, files), separator)
            )
        for column, how in self.numeric.items():
            blocks.append(_number_block(column, rows, columns[column][0], len(ids), how))
        for group, flag_columns in self._flagged(path, dialect).items():
            blocks += [_flag_block(f"{group}={column}", rows, *columns[column]) for column in flag_columns]
        return _combined(blocks, len(ids), self.role)

    def _kinds(self, path: Path, dialect: CsvDialect) -> dict[str, Kind]:
        keys = [self.key] if isinstance(self.key, str) else list(self.key)
        flag_columns = [c for group in self._flagged(path, dialect).values() for c in group]
        kinds: dict[str, Kind] = dict.fromkeys([*keys, *self.categorical, *self.multi, *flag_columns], "id")
        both = set(kinds) & set(self.numeric)
        if both:
            raise ConfigError(
                f"dataset.{self.role}.numeric: {min(both)!r} is a key, a category or a flag already"
            )
        kinds |= dict.fromkeys(self.numeric, "number")
        check_columns(path, dialect, dict.fromkeys(kinds, f"dataset.{self.role}"))
        return kinds

    def _flagged(self, path: Path, dialect: CsvDialect) -> dict[str, list[str]]:
        """Return the columns of each group of flags; a pattern may match none."""
        if not self.flags:
            return {}
        present = column_names(path, dialect)
        return {
            group: [
                name
                for pattern in patterns
                for name in (fnmatch.filter(present, pattern) if set(pattern) & set("*?[") else [pattern])
            ]
            for group, patterns in self.flags.items()
        }

    def _names(self, column: str, files: Mapping[str, Path]) -> dict[str, str]:
        """Return the labels of a column's codes; empty where it has none."""
        if column not in self.labels:
            return {}
        values = dict(self.labels[column])
        key, label, path = values.pop("key"), values.pop("label"), files[f".labels.{column}"]
        values.pop("path")
        dialect = CsvDialect(**values)
        check_columns(path, dialect, dict.fromkeys((key, label), f"dataset.{self.role}.labels.{column}"))
        pairs_ = read_columns(path, dialect, {key: "id", label: "id"})
        texts = [[None, *map(str, distinct.to_pylist())] for _, distinct in (pairs_[key], pairs_[label])]
        pairs = zip(pairs_[key][0] + 1, pairs_[label][0] + 1, strict=True)
        return {str(texts[0][k]): str(texts[1][v]) for k, v in pairs if k and v}


def read_columns(path: Path, dialect: CsvDialect, kinds: Mapping[str, Kind]) -> dict[str, tuple[Array, Any]]:
    """Return columns as codes with their distinct ids, or as float64 (NaN where empty) with None."""
    coders = {name: IdEncoder() for name, kind in kinds.items() if kind == "id"}
    numbers = {name: GrowableArray(np.float64) for name, kind in kinds.items() if kind == "number"}
    record = 0
    for batch in read_batches(path, dialect, kinds):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if name in coders:
                coders[name].add(column)
                continue
            values = column.fill_null(np.nan).to_numpy()
            if np.isinf(values).any():
                row = row_number(path, dialect, record + int(np.argmax(np.isinf(values))))
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


def _category_block(
    column: str,
    rows: Array,
    codes: Codes,
    distinct: Any,
    names: Mapping[str, str],
    separator: str | None = None,
) -> FeatureBlock:
    """Return one feature per value; texts are split at the separator, if there is one."""
    texts = [str(t) for t in distinct.to_pylist()]
    values = [t.split(separator) if separator else [t] for t in texts]
    labels = [[names.get(v.strip(), v.strip()) for v in some if v.strip()] for some in values]
    order = sorted({v for some in labels for v in some}, key=_natural_order)
    number = {v: i for i, v in enumerate(order)}
    pairs = np.unique(np.stack([rows, codes])[:, (rows >= 0) & (codes >= 0)], axis=1)
    lengths = np.array([len(some) for some in labels], dtype=np.int64)
    flat = np.array([number[v] for some in labels for v in some], dtype=np.int64)
    starts = np.concatenate(([0], np.cumsum(lengths)))[:-1] if len(lengths) else lengths
    times = lengths[pairs[1]]
    within = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    entries = np.unique(
        np.stack([np.repeat(pairs[0], times), flat[np.repeat(starts[pairs[1]], times) + within]]), axis=1
    )
    return FeatureBlock(entries[0], entries[1], np.ones(entries.shape[1]), [f"{column}={v}" for v in order])


def _natural_order(text: str) -> tuple[int, int, str]:
    """Return a sort key: whole numbers by size, before texts."""
    return (0, int(text), text) if text.isascii() and text.lstrip("-").isdigit() else (1, 0, text)


def _number_block(
    column: str, rows: Array, values: Doubles, size: int, how: str | Sequence[float]
) -> FeatureBlock:
    present = (rows >= 0) & ~np.isnan(values)
    counts = np.bincount(rows[present], minlength=size)
    sums = np.bincount(rows[present], weights=values[present], minlength=size)
    entities = np.flatnonzero(counts)
    means = sums[entities] / counts[entities]
    if isinstance(how, str):
        deviation = means.std() if len(means) else 0.0
        scaled = (means - means.mean()) / deviation if deviation > 0 else np.zeros(len(means))
        return FeatureBlock(entities, np.zeros(len(entities), dtype=np.int64), scaled, [column])
    edges = [f"{e:g}" for e in how]
    names = [f"<{edges[0]}", *(f"{a}-{b}" for a, b in itertools.pairwise(edges)), f">={edges[-1]}"]
    names = [f"{column}={n}" for n in names]
    return FeatureBlock(entities, np.digitize(means, list(how)), np.ones(len(entities)), names)


def _flag_block(name: str, rows: Array, codes: Codes, distinct: Any) -> FeatureBlock:
    yes = np.array(
        [str(t) not in _FALSE for t in distinct.to_pylist()] + [False]
    )  # the last entry is for code -1
    entities = np.unique(rows[(rows >= 0) & yes[codes]])
    return FeatureBlock(entities, np.zeros(len(entities), dtype=np.int64), np.ones(len(entities)), [name])


def _combined(blocks: Sequence[FeatureBlock], size: int, role: str) -> tuple[Features, str]:
    """Return one matrix of all blocks, without features that are always zero."""
    names = [n for b in blocks for n in b.names]
    starts = np.cumsum([0, *(len(b.names) for b in blocks)])
    rows = np.concatenate([b.rows for b in blocks])
    columns = np.concatenate([b.columns + s for b, s in zip(blocks, starts, strict=False)])
    data = np.concatenate([b.data for b in blocks]).astype(np.float32)
    nonzero = np.flatnonzero(np.bincount(columns, weights=data != 0, minlength=len(names)))
    matrix = sparse.csr_matrix((data, (rows, columns)), shape=(size, len(names)))[:, nonzero]
    matrix.eliminate_zeros()
    matrix.sort_indices()
    having = int((np.diff(matrix.indptr) > 0).sum())
    note = f"{len(nonzero)} features, {having} of {size} {role} have any"
    return Features(matrix, tuple(names[i] for i in nonzero)), note


@dataclass(frozen=True)
class TitleTable(CsvDialect):
    """A table with the title of each item.

    Args:
        label: the column of the name.
        key: the column, or columns, of the id.
        path: the file; null takes the file of the interactions, with its dialect.
    """

    label: str
    key: str | Sequence[str]
    path: str | None = None

    def read(self, path: Path, shared: CsvDialect) -> dict[str, str]:
        """Return the first title of each id, both as texts; rows without one of the two are skipped.

        Raises:
            DataError: there is no such file or column.
        """
        dialect = shared if self.path is None else self
        keys = [self.key] if isinstance(self.key, str) else list(self.key)
        kinds: dict[str, Kind] = dict.fromkeys([*keys, self.label], "id")
        check_columns(path, dialect, dict.fromkeys(kinds, "dataset.item_names"))
        columns = read_columns(path, dialect, kinds)
        codes, ids = join_columns([columns[key] for key in keys])
        labels, titles = columns[self.label]
        both = (codes >= 0) & (labels >= 0)
        first = dict(zip(codes[both][::-1].tolist(), labels[both][::-1].tolist(), strict=True))
        return {str(ids[code].as_py()): str(titles[label].as_py()) for code, label in first.items()}
