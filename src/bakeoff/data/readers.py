"""Data sets in CSV, TSV and Parquet files, with their columns named in YAML."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bakeoff.arrays import Array, Bools, Codes, Floats, Times
from bakeoff.data.columns import (
    GrowableArray,
    IdEncoder,
    TimeUnit,
    UnreadableTimeError,
    join_columns,
    read_times,
    similar_ids,
    sorted_ids,
    to_seconds,
)
from bakeoff.data.download import Origin, sha256
from bakeoff.data.file_formats import CsvDialect, Kind, check_columns, read_batches, row_number
from bakeoff.data.interactions import Interactions, Merge
from bakeoff.data.prepare import (
    Condition,
    Transform,
    check_filters,
    check_size,
    count_step,
    prepare,
)
from bakeoff.data.side_tables import SideTable, TitleTable
from bakeoff.data.source import Dataset, Step
from bakeoff.errors import ConfigError, DataError, nearest, shortened
from bakeoff.parameters import Positive, check_parameters

MAX_ID_BYTES = 10_000
_MISSING = 255  # the stage that drops rows without an id, a value or a time


@dataclass(eq=False)
class CodedRows:
    """All n rows of a file, encoded, with the stage that drops each.

    Args:
        users: int32 [n] codes and the distinct ids (Arrow); -1 where there is none.
        items: likewise.
        values: float32 [n], or None.
        times: int64 [n], unix seconds, or None.
        stages: uint8 [n], 0 where a row is kept, else the number of the condition it fails, or 255.
        labels: the conditions in words.
    """

    users: tuple[Codes, Any]
    items: tuple[Codes, Any]
    values: Floats | None
    times: Times | None
    stages: Array
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.stages)

    def steps(self, part: str) -> list[Step]:
        """Return the counts of the file, and after each condition."""
        steps = [self._step("read", np.ones(len(self), dtype=bool), 0, part)]
        remaining = np.ones(len(self), dtype=bool)
        for number, label in [*enumerate(self.labels, 1), (_MISSING, "nothing missing")]:
            dropped = self.stages == number
            if number == _MISSING and not dropped.any():
                continue
            remaining &= ~dropped
            steps.append(self._step(label, remaining, int(dropped.sum()), part))
        return steps

    def _step(self, name: str, remaining: Bools, removed: int, part: str) -> Step:
        counts = []
        for codes, distinct in (self.users, self.items):
            rows = codes if remaining.all() else codes[remaining]
            counts.append(int((np.bincount(rows + 1, minlength=len(distinct) + 1)[1:] > 0).sum()))
        note, left = f"{removed} rows removed" if removed else "", int(remaining.sum())
        total = float(left)
        if self.values is not None:  # a row that is dropped may hold anything
            total = float(self.values.sum(where=remaining & np.isfinite(self.values), dtype=np.float64))
        return Step(name, left, counts[0], counts[1], note, total, part)

    def interactions(self, merge: Merge, *, in_order: bool) -> Interactions:
        """Return the remaining rows in canonical order. The object is used up: its arrays are released.

        Args:
            merge: of the interactions.
            in_order: take the row numbers for the times that there are not.
        """
        selected = self.stages == 0
        self.stages = np.zeros(0, dtype=np.uint8)

        def take(array: Array | None) -> Any:
            return array if array is None or selected.all() else array[selected]

        (codes, distinct), self.users = self.users, (np.zeros(0, dtype=np.int32), None)
        users, user_ids = sorted_ids(take(codes), distinct)
        (codes, distinct), self.items = self.items, (np.zeros(0, dtype=np.int32), None)
        items, item_ids = sorted_ids(take(codes), distinct)
        del codes, distinct
        values, times, self.values, self.times = take(self.values), take(self.times), None, None
        times = np.arange(len(users)) if in_order else times
        return Interactions.of(users, items, values, times, user_ids, item_ids, merge=merge)


class _FieldError(Exception):
    """An error in a column at a position of its batch."""

    def __init__(self, at: int, column: str, message: str) -> None:
        super().__init__(message)
        self.at, self.column = at, column


class _RowReader:
    """Reads the rows of one file as a table declares them: checked, encoded and counted while they stream."""

    def __init__(self, table: Table) -> None:
        self._table, self._conditions = table, table._conditions
        self._items = _as_list(table.item)
        self._user_encoder, self._item_encoders = IdEncoder(), [IdEncoder() for _ in self._items]
        self._values, self._times = GrowableArray(np.float32), GrowableArray(np.int64)
        self._stages = GrowableArray(np.uint8)
        self._unix = False
        self._length = 0

    def read(self, path: Path) -> CodedRows:
        """Read a file.

        Raises:
            DataError: a row that is not what was declared, named by its row and column.
        """
        kinds = self._kinds()
        check_columns(path, self._table, {name: parameter for name, (_, parameter) in kinds.items()})
        for batch in read_batches(path, self._table, {name: kind for name, (kind, _) in kinds.items()}):
            self._check_memory(path)
            try:
                self._add(dict(zip(batch.schema.names, batch.columns, strict=True)))
            except _FieldError as error:
                row = row_number(path, self._table, self._length + error.at)
                raise DataError(f"{path}: row {row}, column {error.column!r}: {error}") from None
        if not self._length:
            raise DataError(f"{path}: no rows; expected interactions after the header")
        stages, times = self._stages.finish(), self._times.finish()
        times[stages[: len(times)] > 0] = 0  # a row that is dropped may hold anything
        try:
            seconds = to_seconds(times, self._table.time_unit if self._unix else "s")
        except UnreadableTimeError as error:
            row = row_number(path, self._table, error.at)
            raise DataError(f"{path}: row {row}, column {self._table.time!r}: {error}") from None
        return CodedRows(
            self._user_encoder.finish(),
            join_columns([encoder.finish() for encoder in self._item_encoders]),
            None if self._table.value is None else self._values.finish(),
            None if self._table.time is None else seconds,
            stages,
            tuple(map(str, self._conditions)),
        )

    def _check_memory(self, path: Path) -> None:
        encoders, arrays = (self._user_encoder, *self._item_encoders), (self._values, self._times)
        used = sum(e.nbytes for e in encoders) + sum(a.nbytes for a in (*arrays, self._stages))
        limit = self._table.memory_limit
        if used > limit * 1e6:
            raise DataError(
                f"{path}: {self._length:,} rows take {used / 1e6:.3g} MB, expected at most {limit:g}; raise "
                "dataset.memory_limit (to prepare them takes three times as much)"
            )

    def _kinds(self) -> dict[str, tuple[Kind, str]]:
        """Return the kind of each column that is read, and the parameter that names it."""
        table = self._table
        columns: list[tuple[str | None, Kind, str]] = [(table.user, "id", "dataset.user")]
        columns += [(name, "id", "dataset.item") for name in self._items]
        columns += [(table.value, "number", "dataset.value"), (table.time, "time", "dataset.time")]
        kinds: dict[str, tuple[Kind, str]] = {}
        for name, kind, parameter in columns:
            if name in kinds:
                raise ConfigError(
                    f"{parameter}={name!r}: this column is {kinds[name][1]} already; expected another"
                )
            if name is not None:
                kinds[name] = (kind, parameter)
        for condition in self._conditions:
            kinds.setdefault(condition.column, ("number" if condition.numeric else "id", "dataset.where"))
        return kinds

    def _add(self, column: dict[str, Any]) -> None:
        """Add a batch; _FieldError for its first row that is refused."""
        table = self._table
        encoders = [(table.user, self._user_encoder), *zip(self._items, self._item_encoders, strict=True)]
        for name, encoder in encoders:
            encoder.add(_checked_ids(name, column[name]))
        stages = self._stages_of(column)
        if table.value is not None:
            self._values.add(self._values_of(column[table.value], stages == 0))
        if table.time is not None:
            try:
                times, self._unix = read_times(column[table.time], table.timezone)
            except UnreadableTimeError as error:
                raise _FieldError(error.at, table.time, str(error)) from None
            self._times.add(times)
        self._stages.add(stages)
        self._length += len(stages)

    def _stages_of(self, column: dict[str, Any]) -> Array:
        """Return the stage that drops each row, uint8 [n]; _FieldError where a value is missing."""
        import pyarrow.compute as pc

        table = self._table
        stages = np.zeros(len(column[table.user]), dtype=np.uint8)
        for number, condition in enumerate(self._conditions, 1):
            stages[(stages == 0) & ~condition.passes(column[condition.column])] = number
        for name in (table.user, *self._items, table.value, table.time):
            if name is None or not column[name].null_count:
                continue
            missing = pc.is_null(column[name]).to_numpy(zero_copy_only=False) & (stages == 0)
            if missing.any() and table.missing == "refuse":
                message = "found nothing, expected a value; dataset.missing=drop leaves such rows out"
                raise _FieldError(int(np.argmax(missing)), name, message)
            stages[missing] = _MISSING
        return stages

    def _values_of(self, column: Any, selected: Bools) -> Floats:
        """Return values, float32 [n]; _FieldError for the first that is not finite or is refused."""
        from_rank = self._table.from_rank
        values = column.fill_null(0).to_numpy()
        if from_rank is not None:
            values = from_rank - values
        largest = float(np.finfo(np.float32).max)
        checks = [
            (np.isnan(values), "a number"),
            (~(np.abs(values) <= largest), f"a finite number, at most {largest:.1e}"),
        ]
        if self._table.negative == "refuse":
            hint = (
                "; dataset.negative=keep allows it" if from_rank is None else f" after {from_rank:g} - rank"
            )
            checks.append((values < 0, f"a number that is not negative{hint}"))
        for wrong, expected in checks:
            wrong = wrong & selected
            if wrong.any():
                at = int(np.argmax(wrong))
                message = f"found {shortened(column[at].as_py())}, expected {expected}"
                raise _FieldError(at, str(self._table.value), message)
        with np.errstate(over="ignore"):
            floats: Floats = values.astype(np.float32)
        return floats


def _checked_ids(name: str, column: Any) -> Any:
    """Return a column of ids; _FieldError for the first text that is longer than MAX_ID_BYTES."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_integer(column.dictionary.type):
        lengths = pc.binary_length(column.dictionary)
        if (pc.max(lengths).as_py() or 0) > MAX_ID_BYTES:
            code = pc.index(pc.greater(lengths, MAX_ID_BYTES), True).as_py()
            at = pc.index(column.indices, code).as_py()
            raise _FieldError(
                at, name, f"found {lengths[code].as_py():,} bytes, expected an id of at most {MAX_ID_BYTES:,}"
            )
    return column


Columns = str | Sequence[str]


@dataclass(frozen=True)
class Table(CsvDialect):
    """A log of interactions in one file, optionally with side tables: the class behind `dataset=csv`.

    Everything is done in one order: rows are read, selected by `where`, refused or dropped where something
    is missing; their pairs are merged, then filtered, then transformed. `where` acts on rows; all that
    follows acts on pairs, whether or not there are times. A split by time cuts the rows, then merges, filters
    by value and transforms inside each part; a split in files treats each file alike. Filters by count are
    decided once, on the whole data set (for a split in files: on train).

    Args:
        path: the file: CSV, TSV or Parquet, compressed or not, as its suffix says.
        name: name of the data set in tables; empty takes the file's stem.
        user: column of the user's id.
        item: column of the item's id, or several columns that are one key (joined by " | ").
        value: column of counts, ratings or quantities; null counts each row as 1.
        time: column of times: unix numbers, ISO 8601 texts or Parquet timestamps; null has none.
        merge: value of a pair in several rows: their sum, their max, or the last in time (or in `order`).
        order: file takes the order of the rows for their order in time, where there are no times; null does
            not.
        negative: refuse or keep values below 0.
        missing: refuse or drop rows without a user, an item, a value or a time.
        where: conditions on columns; rows that fail one are left out (see `Condition`).
        filters: filters of pairs, in order: `{min_value: x}`, `{min_user_interactions: n}`,
            `{min_item_interactions: n}`, `{k_core: n}`; a pair that stands in several rows counts once.
        transform: transform of each value: none, binary (1), log1p, or clip (to at most `clip`).
        clip: largest value, for transform=clip.
        from_rank: the value column is a rank (1 is best), and the value is from_rank minus the rank; null: it
            is no rank.
        timezone: time zone of times that name none, as in Europe/London.
        time_unit: unit of unix numbers: s, ms, us or ns; auto infers it from their size.
        memory_limit: memory that the rows may take while they are read, in megabytes (10^6 bytes); their
            preparation takes about three times as much.
        users: side table of users (see `SideTable`).
        items: side table of items (see `SideTable`).
        item_names: table of the items' titles; no computation uses them (see `TitleTable`).
        origin: where a public data set comes from (see `Origin`); path is then a file of it.
        layouts: parameters by file name, for a data set that comes in several layouts; the first file that
            exists is read, unless path names one.
        note: what a reader of the numbers should know.

    Raises:
        ConfigError: a parameter has a value that it cannot have.
    """

    path: str | None = None
    name: str = ""
    user: str = "user"
    item: Columns = "item"
    value: str | None = None
    time: str | None = None
    merge: Merge = "sum"
    order: Literal["file"] | None = None
    negative: Literal["refuse", "keep"] = "refuse"
    missing: Literal["refuse", "drop"] = "refuse"
    where: Sequence[Mapping[str, Any]] = ()
    filters: Sequence[Mapping[str, Any]] = ()
    transform: Transform = "none"
    clip: Positive | None = None
    from_rank: float | None = None
    timezone: str = "UTC"
    time_unit: TimeUnit = "auto"
    memory_limit: Positive = 1000
    users: Mapping[str, Any] | None = None
    items: Mapping[str, Any] | None = None
    item_names: Mapping[str, Any] | None = None
    origin: Mapping[str, Any] | None = None
    layouts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        if not self.path and not self.layouts:
            raise ConfigError("dataset.path: no file; name one, as in dataset.path=plays.csv")
        object.__setattr__(self, "name", self.name or _stem(str(self.path)))
        object.__setattr__(self, "layouts", dict(self.layouts or {}))
        super().__post_init__()
        check_parameters(self, "dataset")
        if (self.clip is not None) != (self.transform == "clip"):
            raise ConfigError(
                f"dataset.clip={self.clip!r}: expected a bound with dataset.transform=clip, and only there"
            )
        check_filters(self.filters)
        if not self.item:
            raise ConfigError(f"dataset.item={self.item!r}: expected the name of a column, or of several")
        if self.merge == "last" and self.time is None and self.order is None and not self.layouts:
            raise ConfigError(
                "dataset.merge=last: expected times, which tell the last value of a pair; name their column "
                "with dataset.time, or declare dataset.order=file where later rows are later in time"
            )
        if self.order is not None and (self.merge != "last" or self.time is not None):
            raise ConfigError(
                f"dataset.order={self.order}: expected with dataset.merge=last and without dataset.time; "
                "leave it out"
            )
        if self.value is None and self.merge != "sum" and any("min_value" in entry for entry in self.filters):
            raise ConfigError("dataset.filters: min_value needs values; name their column with dataset.value")
        try:
            zoneinfo.ZoneInfo(self.timezone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            raise ConfigError(
                f"dataset.timezone={self.timezone!r}: expected a name like Europe/London"
            ) from None
        # Built here so that a wrong parameter is an error before anything is read.
        self._conditions, self._sides, self._names, self._origin  # noqa: B018

    def files(self) -> dict[str, Path]:
        """Return the files by role: `rows`, and `users` and `items` where side tables have their own."""
        table = self._resolved
        files = {"rows": table._find(str(table.path))}
        for role, side in table._sides.items():
            files |= {f"{role}{part}": table._find(path) for part, path in side.paths().items()}
        return files

    def identity(self) -> dict[str, Any]:
        """Return the parameters and the SHA-256 of each file, without paths and texts for people."""
        table = self._resolved
        values = {f.name: getattr(table, f.name) for f in fields(table)}
        for name in ("path", "name", "origin", "layouts", "note", "item_names", "memory_limit"):
            del values[name]
        for role, side in table._sides.items():
            values[role] = side.identity()
        if table.order is None:
            del values["order"]
        by_value = any("min_value" in entry for entry in table.filters)
        if table.time is not None and (by_value or table.transform in ("log1p", "clip")):
            # Before, these acted on rows: what was computed from them has another identity.
            values["prepared"] = "pairs"
        return {**values, "files": {role: sha256(path) for role, path in self.files().items()}}

    def load(self) -> Dataset:
        """Read and prepare the data.

        Raises:
            DataError: a file does not match its declared schema, or too little is left.
        """
        table, files = self._resolved, self.files()
        data, steps = table._prepare(files["rows"])
        check_size(data, str(files["rows"]))
        changed = [] if table._origin is None else table._origin.changed(files)
        similar = {"user": similar_ids(data.user_ids), "item": similar_ids(data.item_ids)}
        notes = [n for n in (table.note, *changed) if n]
        notes += [f"of the {side} ids {note}" for side, note in similar.items() if note]
        steps[0] = replace(steps[0], note="; ".join(notes))
        features: dict[str, Any] = {}
        for role, side in table._sides.items():
            ids = data.user_ids if role == "users" else data.item_ids
            own_files = {part: files[role + part] for part in side.paths()}
            path = own_files.get("", files["rows"])
            features[role[:-1] + "_features"], note = side.features(ids, path, own_files, table)
            steps.append(count_step(f"{role[:-1]} features", data, note))
        return Dataset(table.name, replace(data, **features), tuple(steps))

    @property
    def parts(self) -> frozenset[str]:
        """The optional parts of the interactions (see `DeclaresColumns`)."""
        table = self._resolved
        features = {f"{role[:-1]}_features" for role in table._sides}
        return frozenset(features | ({"times"} if table.time is not None else set()))

    def names_of_items(self) -> dict[str, str]:
        """Return titles of items by their ids as texts; empty without a table of titles. Downloads
        nothing.
        """
        table = self._resolved
        if (names := table._names) is None:
            return {}
        file, origin = names.path or str(table.path), table._origin
        if origin is not None and not Path(file).expanduser().is_file() and not origin.present(file):
            raise DataError(f"{file} of {origin.folder} is not here")
        return names.read(table._find(file), table)

    def part(self, path: str, name: str, train: Interactions) -> tuple[Interactions, list[Step]]:
        """Return the pairs of another file with the same columns, prepared as train was, and the steps."""
        table = self._resolved
        return table._prepare(table._find(path), name, train)

    def _prepare(
        self, path: Path, part: str = "", train: Interactions | None = None
    ) -> tuple[Interactions, list[Step]]:
        rows = _RowReader(self).read(path)
        steps = rows.steps(part)
        if not steps[-1].rows:
            raise DataError(
                f"{path}: none of {len(rows)} rows is left by dataset.where and dataset.missing; loosen them"
            )
        data, more = prepare(
            rows.interactions(self.merge, in_order=self.order == "file"),
            self.filters,
            self.transform,
            self.clip,
            events=self.time is not None and not part,
            where=str(path),
            part=part,
            train=train,
        )
        return replace(data, times=None) if self.time is None else data, [*steps, *more]

    @property
    def _conditions(self) -> list[Condition]:
        return [from_mapping(Condition, one, f"dataset.where[{at}]") for at, one in enumerate(self.where)]

    @property
    def _sides(self) -> dict[str, SideTable]:
        tables = {"users": self.users, "items": self.items}
        keys = {"users": [self.user], "items": _as_list(self.item)}
        return {
            role: from_mapping(SideTable, values, f"dataset.{role}", {"key": keys[role]}, {"role": role})
            for role, values in tables.items()
            if values
        }

    @property
    def _names(self) -> TitleTable | None:
        key = {"key": _as_list(self.item)}
        return (
            from_mapping(TitleTable, self.item_names, "dataset.item_names", key) if self.item_names else None
        )

    @property
    def _origin(self) -> Origin | None:
        return None if self.origin is None else from_mapping(Origin, self.origin, "dataset.origin")

    @property
    def _resolved(self) -> Table:
        """Return the table with the parameters of its file's layout."""
        if not self.layouts:
            return self
        if self.path:
            path = self.path
        else:
            existing = (n for n in self.layouts if self._origin and self._origin.present(n))
            path = next(existing, next(iter(self.layouts)))
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        layout_values = self.layouts.get(Path(path).name, {})
        table: Table = from_mapping(
            Table, {**values, **layout_values, "path": path, "layouts": {}}, f"dataset.layouts.{path}"
        )
        return table

    def _find(self, path: str) -> Path:
        return Path(path).expanduser() if self._origin is None else self._origin.find(path)


def from_mapping(
    kind: Any,
    values: Mapping[str, Any],
    where: str,
    defaults: Mapping[str, Any] | None = None,
    fixed: Mapping[str, Any] | None = None,
) -> Any:
    """Build a dataclass from a mapping; ConfigError names a key that is unknown or missing."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where}={shortened(values)}: expected names with values")
    values = {**(defaults or {}), **values, **(fixed or {})}
    by_name = {f.name: f for f in fields(kind)}
    for name in values:
        if name not in by_name:
            raise ConfigError(f"{where}.{name}: no such parameter; {nearest(name, by_name)}")
    for name, field_ in by_name.items():
        if name not in values and field_.default is MISSING and field_.default_factory is MISSING:
            raise ConfigError(f"{where}.{name}: no value; give one")
    return kind(**values)


def _as_list(columns: Columns) -> list[str]:
    return [columns] if isinstance(columns, str) else list(columns)


def _stem(path: str) -> str:
    """Return the file's name without its suffixes: plays for plays.csv.gz, u for u.data."""
    name = Path(path).name
    return re.sub(
        r"(\.(gz|bz2|zst|lz4|xz|zip))?$",
        "",
        re.sub(r"(?<=.)\.(csv|tsv|tab|txt|dat|data|parquet|pq)(?=\.|$)", "", name),
    )
