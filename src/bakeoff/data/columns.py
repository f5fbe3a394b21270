"""Columns of a file as arrays: ids encoded while they are read, keys of several columns, unix seconds."""

from __future__ import annotations

import datetime
import re
import zoneinfo
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from bakeoff.arrays import Array, Codes, Doubles, Times
from bakeoff.data.interactions import Ids
from bakeoff.errors import DataError

TimeUnit = Literal["auto", "s", "ms", "us", "ns"]

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_INTEGER = r"^(0|-?[1-9][0-9]{0,18})$"  # canonical integers: no leading zeros, no -0


class GrowableArray:
    """An array built from batches, without holding all batches and the whole at once."""

    def __init__(self, dtype: type[np.generic]) -> None:
        self._array: Array = np.empty(0, dtype=dtype)
        self._length = 0

    def add(self, batch: Array) -> None:
        end = self._length + len(batch)
        if end > len(self._array):  # memory beyond the end is reserved, not touched
            self._array.resize(max(end, 2 * len(self._array)), refcheck=False)
        self._array[self._length : end] = batch
        self._length = end

    def finish(self) -> Array:
        """Return the whole array, and start anew."""
        whole, self._array = self._array, np.empty(0, dtype=self._array.dtype)
        whole.resize(self._length, refcheck=False)
        self._length = 0
        return whole


class IdEncoder:
    """Encodes a dictionary-encoded column, batch by batch, against one growing list of distinct ids.

    It stores one code (int32) a row, and the distinct ids once. Dictionaries of batches are merged into the
    list when they are as long as it is: a logarithmic number of merges.
    """

    def __init__(self) -> None:
        self._distinct: Any = None
        self._pending: list[Any] = []
        self._length = 0
        self._codes = GrowableArray(np.int32)

    def add(self, column: Any) -> None:
        """Add a batch, an Arrow dictionary array; nulls get the code -1."""
        self._pending.append(column)
        self._length += len(column.dictionary)
        if self._length > max(1 << 20, 0 if self._distinct is None else len(self._distinct)):
            self._settle()

    def finish(self) -> tuple[Codes, Any]:
        """Return int32 [n] codes, and the Arrow array of distinct ids in arbitrary order."""
        import pyarrow as pa

        self._settle()
        codes = self._codes.finish()
        return codes, pa.array([], pa.string()) if self._distinct is None else self._distinct

    def _settle(self) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        chunks = self._pending
        if not chunks:
            return
        if self._distinct is not None:  # first, so that its codes do not change
            chunks = [pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), self._distinct), *chunks]
        one = pa.chunked_array(chunks).unify_dictionaries()
        self._distinct = one.chunk(0).dictionary
        for chunk in one.chunks[len(chunks) - len(self._pending) :]:
            self._codes.add(pc.fill_null(chunk.indices, -1).to_numpy(zero_copy_only=False))
        self._pending, self._length = [], 0


def sorted_ids(codes: Codes, distinct: Any) -> tuple[Codes, Ids]:
    """Return codes into the sorted list of the ids that occur, and that list.

    Texts become integers if all of them are canonical integers: "007" and "1.0" stay texts.

    Args:
        codes: int32 [n], positions in distinct.
        distinct: Arrow array of text or int64, without repeats.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    used = np.flatnonzero(np.bincount(codes, minlength=len(distinct)))
    distinct = distinct.take(pa.array(used))
    if not pa.types.is_integer(distinct.type):
        distinct = _as_integers(distinct)
    order = pc.sort_indices(distinct).to_numpy()
    ranks = np.zeros(used[-1] + 1 if len(used) else 0, dtype=np.int32)
    ranks[used[order]] = np.arange(len(used), dtype=np.int32)
    return ranks[codes], _to_ids(distinct.take(pa.array(order)))


def _as_integers(texts: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pc.all(pc.match_substring_regex(texts, _INTEGER)).as_py():
        return texts
    try:
        return pc.cast(texts, pa.int64())
    except pa.ArrowInvalid:  # too large
        return texts


def _to_ids(distinct: Any) -> Ids:
    import pyarrow as pa

    if pa.types.is_integer(distinct.type):
        return Ids(integers=distinct.to_numpy())
    texts = distinct.cast(pa.large_string())
    _, cuts, data = texts.buffers()
    offsets = np.frombuffer(cuts, dtype=np.int64, count=len(texts) + 1, offset=8 * texts.offset)
    utf8 = np.frombuffer(data, dtype=np.uint8) if data is not None else np.zeros(0, dtype=np.uint8)
    return Ids(utf8=utf8[offsets[0] : offsets[-1]], offsets=offsets - offsets[0])


def join_columns(parts: Sequence[tuple[Codes, Any]]) -> tuple[Codes, Any]:
    """Return one key of several coded columns: its text is the parts joined by " | ", as in `join_key`.

    A row without one of its parts has the code -1.
    """
    if len(parts) == 1:
        return parts[0]
    import pyarrow as pa
    import pyarrow.compute as pc

    codes, texts = parts[0][0], _escaped(parts[0][1])
    for more, others in parts[1:]:
        width = max(len(others), 1)
        pairs = pa.array(
            codes.astype(np.int64) * width + more, mask=(codes < 0) | (more < 0)
        ).dictionary_encode()
        pair_codes = pairs.dictionary.to_numpy()
        codes = pc.fill_null(pairs.indices, -1).to_numpy(zero_copy_only=False)
        left = texts.take(pa.array(pair_codes // width))
        texts = pc.binary_join_element_wise(left, _escaped(others).take(pa.array(pair_codes % width)), " | ")
    return codes, texts


def _escaped(distinct: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pc.cast(distinct, pa.string())
    return pc.replace_substring(pc.replace_substring(texts, "\\", "\\\\"), "|", "\\|")


def join_key(parts: Sequence[str]) -> str:
    r"""Return the id of a key of several columns.

    >>> print(join_key(["AC|DC", "T.N.T."]))
    AC\|DC | T.N.T.
    """
    return " | ".join(p.replace("\\", "\\\\").replace("|", "\\|") for p in parts)


def split_key(key: str) -> list[str]:
    r"""Return the parts of an id that `join_key` made.

    >>> split_key("AC\\|DC | T.N.T.")
    ['AC|DC', 'T.N.T.']
    """
    return [re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL) for part in key.split(" | ")]


def to_seconds(numbers: Array, unit: TimeUnit) -> Times:
    """Return unix seconds (int64, rounded down) of unix numbers; `auto` infers the unit from the largest.

    Seconds stay below 10^11 until the year 5138; the smallest milliseconds above it are of March 1973.

    Raises:
        DataError: the unit is to be told, and the numbers are dates written as 20200131.
    """
    if unit == "auto":
        if _are_dates(numbers):
            raise DataError(
                f"found {numbers[0]}, expected unix seconds, not a date in digits: write 2020-01-31, "
                "or declare dataset.time_unit=s"
            )
        largest = max(int(numbers.max(initial=0)), -int(numbers.min(initial=0)))
        unit = "s" if largest < 10**11 else "ms" if largest < 10**14 else "us" if largest < 10**17 else "ns"
    whole: Times = numbers.astype(np.int64, copy=False)
    return whole if unit == "s" else whole // _PER_SECOND[unit]


def _are_dates(numbers: Array) -> bool:
    """Return whether all numbers are days of 1900 to 2100 as YYYYMMDD (as seconds: one week of 1970)."""
    if not len(numbers) or numbers.min() < 19000101 or numbers.max() > 21001231:
        return False
    months, days = numbers // 100 % 100, numbers % 100
    return bool(((months >= 1) & (months <= 12) & (days >= 1) & (days <= 31)).all())


def read_times(column: Any, timezone: str) -> tuple[Array, bool]:
    """Return times of a batch, int64 or float64 [n], and whether they are unix numbers of unknown unit.

    Texts are ISO 8601, with or without an offset; those without, and timestamps without a zone, are of the
    given time zone. Nulls are 0.

    Raises:
        UnreadableTimeError: the first text that is no time.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_integer(column.type):
        return pc.cast(column.fill_null(0), pa.int64()).to_numpy(), True
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        floats = pc.cast(column, pa.float64()).fill_null(0).to_numpy()
        not_finite = np.flatnonzero(~np.isfinite(floats))
        if len(not_finite):
            raise UnreadableTimeError(int(not_finite[0]), float(floats[not_finite[0]]))
        return np.floor(floats).astype(np.int64), True
    if pa.types.is_date(column.type):
        column = pc.cast(column, pa.timestamp("ms"))
    if pa.types.is_timestamp(column.type):
        return _seconds_of_timestamps(column, timezone), False
    return _seconds_of_texts(pc.cast(column, pa.string()), timezone), False


class UnreadableTimeError(DataError):
    """A value that is not a time, at a position in its batch."""

    def __init__(self, at: int, value: object) -> None:
        super().__init__(f"found {value!r}, expected unix seconds or milliseconds, or an ISO 8601 time")
        self.at = at


def _seconds_of_timestamps(column: Any, timezone: str) -> Times:
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.type.tz is None and timezone != "UTC":
        # An hour that a clock change repeats: its first occurrence. An hour that it skips: the moment after.
        column = pc.assume_timezone(column, timezone, ambiguous="earliest", nonexistent="latest")
    numbers = pc.cast(column, pa.int64()).fill_null(0).to_numpy()
    return to_seconds(numbers, column.type.unit)


def _seconds_of_texts(column: Any, timezone: str) -> Times:
    import pyarrow as pa
    import pyarrow.compute as pc

    for arrow_type in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return _seconds_of_timestamps(pc.cast(column, arrow_type), timezone)
        except pa.ArrowInvalid:
            continue
    zone = zoneinfo.ZoneInfo(timezone)
    seconds: Doubles = np.zeros(len(column))
    for at, text in enumerate(column.to_pylist()):
        if text is not None:
            try:
                moment = datetime.datetime.fromisoformat(text.strip())
            except ValueError:
                raise UnreadableTimeError(at, text) from None
            aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
            seconds[at] = np.floor(aware.timestamp())
    return seconds.astype(np.int64)
