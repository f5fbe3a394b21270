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
from bakeoff.errors import DataError, shortened

TimeUnit = Literal["auto", "s", "ms", "us", "ns"]

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_YEAR_1, _YEAR_10000 = -62_135_596_800, 253_402_300_800  # in unix seconds
_INTEGER = r"^(0|-?[1-9][0-9]{0,18})$"  # canonical integers: no leading zeros, no -0


class GrowableArray:
    """An array built from batches, without holding all batches and the whole at once."""

    def __init__(self, dtype: type[np.generic]) -> None:
        self._array: Array = np.empty(0, dtype=dtype)
        self._length = 0

    @property
    def nbytes(self) -> int:
        return self._length * self._array.itemsize

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
        self._length = self._pending_bytes = 0
        self._codes = GrowableArray(np.int32)

    @property
    def nbytes(self) -> int:
        distinct = 0 if self._distinct is None else self._distinct.nbytes
        return self._codes.nbytes + int(distinct) + self._pending_bytes

    def add(self, column: Any) -> None:
        """Add a batch, an Arrow dictionary array; nulls get the code -1."""
        self._pending.append(column)
        self._length += len(column.dictionary)
        self._pending_bytes += column.nbytes
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
        self._pending, self._length, self._pending_bytes = [], 0, 0


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


def similar_ids(ids: Ids) -> str:
    """Return a sentence on ids that differ from another only in case, spaces around them or leading zeros.

    Empty where there are none, as among whole numbers.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if ids.utf8 is None or ids.offsets is None or not len(ids):
        return ""
    buffers = pa.py_buffer(np.ascontiguousarray(ids.offsets)), pa.py_buffer(np.ascontiguousarray(ids.utf8))
    texts = pa.LargeStringArray.from_buffers(len(ids), *buffers)
    plain = pc.utf8_ltrim(pc.utf8_lower(pc.utf8_trim_whitespace(texts)), characters="0").dictionary_encode()
    codes = plain.indices.to_numpy()
    n_similar = len(ids) - len(plain.dictionary)
    if not n_similar:
        return ""
    pair = np.flatnonzero(codes == np.argmax(np.bincount(codes) > 1))[:2]
    one, other = (shortened(texts[int(at)].as_py()) for at in pair)
    return (
        f"{n_similar} differ from another only in case, in spaces around them or in leading zeros, "
        f"as {one} and {other}"
    )


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
    """Return unix seconds (int64, rounded down) of unix numbers; `auto` infers the unit from their size.

    Seconds stay below 10^11 until the year 5138; the smallest milliseconds above it are of March 1973. 0 is
    of every unit.

    Raises:
        UnreadableTimeError: the unit is to be inferred, and the numbers are dates written as 20200131 or of
            several units; or a time is not of the years 1 to 9999.
    """
    if unit == "auto":
        if _are_dates(numbers):
            expected = "unix seconds, not a date in digits: write 2020-01-31, or declare dataset.time_unit=s"
            raise UnreadableTimeError(0, int(numbers[0]), expected)
        sizes = np.digitize(np.abs(numbers.astype(np.float64)), [1, 1e11, 1e14, 1e17])
        largest = max(int(sizes.max(initial=1)), 1)
        units: tuple[TimeUnit, ...] = ("s", "ms", "us", "ns")
        unit = units[largest - 1]
        others = np.flatnonzero((sizes > 0) & (sizes < largest))
        if len(others):
            at = int(others[0])
            expected = (
                f"one unit in the whole column: this looks like {units[sizes[at] - 1]}, and "
                f"{numbers[np.argmax(sizes)]} like {unit}; declare dataset.time_unit if all are of one"
            )
            raise UnreadableTimeError(at, int(numbers[at]), expected)
    whole: Times = numbers.astype(np.int64, copy=False)
    seconds = whole if unit == "s" else whole // _PER_SECOND[unit]
    outside = (seconds < _YEAR_1) | (seconds >= _YEAR_10000)
    if outside.any():
        at = int(np.argmax(outside))
        raise UnreadableTimeError(at, int(numbers[at]), f"a time of the years 1 to 9999, in {unit}")
    return seconds


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

    try:
        return _numbers_or_seconds(column, timezone)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        for at in range(len(column)):
            try:
                _numbers_or_seconds(column.slice(at, 1), timezone)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                raise UnreadableTimeError(at, column[at].as_py()) from None
        raise


def _numbers_or_seconds(column: Any, timezone: str) -> tuple[Array, bool]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_integer(column.type):
        return pc.cast(column.fill_null(0), pa.int64()).to_numpy(), True
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        floats = pc.cast(column, pa.float64()).fill_null(0).to_numpy()
        unreadable = np.flatnonzero(~(np.abs(floats) < 2.0**63))
        if len(unreadable):
            raise UnreadableTimeError(int(unreadable[0]), float(floats[unreadable[0]]))
        return np.floor(floats).astype(np.int64), True
    if pa.types.is_date(column.type):
        column = pc.cast(column, pa.timestamp("ms"))
    if pa.types.is_timestamp(column.type):
        return _seconds_of_timestamps(column, timezone), False
    return _seconds_of_texts(pc.cast(column, pa.string()), timezone), False


class UnreadableTimeError(DataError):
    """A value that is not a time, at a position in its batch."""

    def __init__(
        self, at: int, value: object, expected: str = "unix seconds or milliseconds, or an ISO 8601 time"
    ) -> None:
        super().__init__(f"found {shortened(value)}, expected {expected}")
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
