"""Rows of interactions read from a file: checked, coded and counted while they stream by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bakeoff.arrays import Array, Bools, Codes, Floats, Times
from bakeoff.data.columns import (
    Coder,
    Growing,
    TimeUnit,
    UnreadableTimeError,
    ids_of,
    joined,
    read_times,
    to_seconds,
)
from bakeoff.data.files import Kind, batches, check_columns, row_of
from bakeoff.data.interactions import Interactions, Merge
from bakeoff.data.prepare import Condition
from bakeoff.data.source import Step
from bakeoff.data.text import Layout
from bakeoff.errors import ConfigError, DataError

_MISSING = 255  # the stage that drops rows without an id, a value or a time


@dataclass(eq=False)
class Reading:
    """All n rows of a file, coded, with the stage that drops each.

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

    def steps(self) -> list[Step]:
        """How many rows, users and items the file has, and what each condition left of them."""
        found = [self._step("read", np.ones(len(self), dtype=bool), 0)]
        left = np.ones(len(self), dtype=bool)
        for number, label in [*enumerate(self.labels, 1), (_MISSING, "nothing missing")]:
            dropped = self.stages == number
            if number == _MISSING and not dropped.any():
                continue
            left &= ~dropped
            found.append(self._step(label, left, int(dropped.sum())))
        return found

    def _step(self, name: str, left: Bools, removed: int) -> Step:
        counts = []
        for codes, distinct in (self.users, self.items):
            rows = codes if left.all() else codes[left]
            counts.append(int((np.bincount(rows + 1, minlength=len(distinct) + 1)[1:] > 0).sum()))
        return Step(name, int(left.sum()), counts[0], counts[1], f"{removed} rows removed" if removed else "")

    def interactions(self, merge: Merge) -> Interactions:
        """The rows that are kept, in canonical order. The reading is used up: its arrays are let go."""
        kept = self.stages == 0
        self.stages = np.zeros(0, dtype=np.uint8)

        def taken(array: Array | None) -> Any:
            return array if array is None or kept.all() else array[kept]

        (codes, distinct), self.users = self.users, (np.zeros(0, dtype=np.int32), None)
        users, user_ids = ids_of(taken(codes), distinct)
        (codes, distinct), self.items = self.items, (np.zeros(0, dtype=np.int32), None)
        items, item_ids = ids_of(taken(codes), distinct)
        del codes, distinct
        values, times, self.values, self.times = taken(self.values), taken(self.times), None, None
        return Interactions.of(users, items, values, times, user_ids, item_ids, merge=merge)


@dataclass(frozen=True)
class RowReader:
    """What a row is made of, and what of it is refused.

    Args: see `readers.Table`.
    """

    layout: Layout
    user: str
    item: Sequence[str]
    value: str | None = None
    time: str | None = None
    conditions: Sequence[Condition] = ()
    from_rank: float | None = None
    keep_negative: bool = False
    drop_missing: bool = False
    timezone: str = "UTC"
    time_unit: TimeUnit = "auto"

    def read(self, path: Path) -> Reading:
        """Read a file.

        Raises:
            DataError: a row that is not what was declared, named by its row and column.
        """
        kinds = self._kinds()
        check_columns(path, self.layout, {name: knob for name, (_, knob) in kinds.items()})
        gathered = _Gathered(self)
        for batch in batches(path, self.layout, {name: kind for name, (kind, _) in kinds.items()}):
            try:
                gathered.add(dict(zip(batch.schema.names, batch.columns, strict=True)))
            except _Fault as fault:
                row = row_of(path, self.layout, gathered.length + fault.at)
                raise DataError(f"{path}: row {row}, column {fault.column!r}: {fault}") from None
        if not gathered.length:
            raise DataError(f"{path}: no rows; expected interactions after the header")
        return gathered.finish(path)

    def _kinds(self) -> dict[str, tuple[Kind, str]]:
        """Kind of each column that is read, and the knob that asks for it."""
        kinds: dict[str, tuple[Kind, str]] = {}
        wanted: list[tuple[str, Kind, str]] = [(self.user, "id", "dataset.user")]
        wanted += [(name, "id", "dataset.item") for name in self.item]
        wanted += [(self.value, "number", "dataset.value")] if self.value is not None else []
        wanted += [(self.time, "time", "dataset.time")] if self.time is not None else []
        for name, kind, knob in wanted:
            if name in kinds:
                raise ConfigError(
                    f"{knob}={name!r}: this column is {kinds[name][1]} already; expected another"
                )
            kinds[name] = (kind, knob)
        for one in self.conditions:
            kinds.setdefault(one.column, ("number" if one.numeric else "id", "dataset.where"))
        return kinds

    def stages(self, column: dict[str, Any]) -> Array:
        """uint8 [n]: what drops each row of a batch; _Fault where something is missing and may not be."""
        import pyarrow.compute as pc

        stages = np.zeros(len(column[self.user]), dtype=np.uint8)
        for number, one in enumerate(self.conditions, 1):
            stages[(stages == 0) & ~one.passes(column[one.column])] = number
        for name in (self.user, *self.item, self.value, self.time):
            if name is None or not column[name].null_count:
                continue
            missing = pc.is_null(column[name]).to_numpy(zero_copy_only=False) & (stages == 0)
            if missing.any() and not self.drop_missing:
                hint = "found nothing, expected a value; dataset.missing=drop leaves such rows out"
                raise _Fault(int(np.argmax(missing)), name, hint)
            stages[missing] = _MISSING
        return stages

    def values(self, column: Any, kept: Bools) -> Floats:
        """float32 [n]; _Fault for the first kept value that is not finite, or negative and refused."""
        values = column.fill_null(0).to_numpy()
        if self.from_rank is not None:
            values = self.from_rank - values
        largest = float(np.finfo(np.float32).max)
        tests = [
            (np.isnan(values), "a number"),
            (~(np.abs(values) <= largest), f"a finite number, at most {largest:.1e}"),
        ]
        if not self.keep_negative:
            expected = "a number that is not negative"
            expected += (
                "; dataset.negative=keep lets it in"
                if self.from_rank is None
                else f" after {self.from_rank:g} - rank"
            )
            tests.append((values < 0, expected))
        for wrong, expected in tests:
            wrong = wrong & kept
            if wrong.any():
                at = int(np.argmax(wrong))
                raise _Fault(at, str(self.value), f"found {column[at].as_py()!r}, expected {expected}")
        with np.errstate(over="ignore"):
            floats: Floats = values.astype(np.float32)
        return floats


class _Fault(Exception):  # noqa: N818 - caught where the row's number is known
    """What is wrong with a column at a position of its batch."""

    def __init__(self, at: int, column: str, found: str) -> None:
        super().__init__(found)
        self.at, self.column = at, column


class _Gathered:
    """The batches of a file so far."""

    def __init__(self, reader: RowReader) -> None:
        self.length = 0
        self._reader = reader
        self._users, self._parts = Coder(), [Coder() for _ in reader.item]
        self._values, self._times, self._stages = Growing(np.float32), Growing(np.int64), Growing(np.uint8)
        self._unix = False

    def add(self, column: dict[str, Any]) -> None:
        """Take a batch; _Fault for its first row that is refused."""
        reader = self._reader
        self._users.add(column[reader.user])
        for coder, name in zip(self._parts, reader.item, strict=True):
            coder.add(column[name])
        stages = reader.stages(column)
        if reader.value is not None:
            self._values.add(reader.values(column[reader.value], stages == 0))
        if reader.time is not None:
            try:
                times, self._unix = read_times(column[reader.time], reader.timezone)
            except UnreadableTimeError as fault:
                raise _Fault(fault.at, reader.time, str(fault)) from None
            self._times.add(times)
        self._stages.add(stages)
        self.length += len(stages)

    def finish(self, path: Path) -> Reading:
        reader = self._reader
        try:
            clock = to_seconds(self._times.finish(), reader.time_unit if self._unix else "s")
        except DataError as error:
            raise DataError(f"{path}: column {reader.time!r}: {error}") from None
        return Reading(
            self._users.finish(),
            joined([c.finish() for c in self._parts]),
            None if reader.value is None else self._values.finish(),
            None if reader.time is None else clock,
            self._stages.finish(),
            tuple(map(str, reader.conditions)),
        )
