"""Interactions: user, item, value and time, with the ids and the side features of users and items."""

from __future__ import annotations

import bisect
import difflib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Bools, Codes, Floats, Hashes, Times, frozen
from bakeoff.errors import DataError, UsageError
from bakeoff.hashing import digest_rows, hash_numbers, hash_texts


@dataclass(frozen=True, eq=False)
class Ids:
    """The user's own ids, distinct and sorted: integers by size, texts by code point.

    Texts are kept as one block of UTF-8 bytes with offsets, so that ids load from disk without being decoded
    and cost their own length, not that of the longest. A code (int32) is a position in this list.

    Args:
        integers: int64 [n], or None where the ids are texts.
        utf8: uint8 [bytes] and offsets: int64 [n + 1], or None where the ids are whole numbers.
    """

    integers: Array | None = None
    utf8: Array | None = None
    offsets: Array | None = None

    @classmethod
    def of(cls, values: Iterable[Any]) -> Ids:
        """Build from any iterable. Integers stay integers; everything else becomes its text."""
        distinct = list(dict.fromkeys(v.item() if isinstance(v, np.generic) else v for v in values))
        if all(type(v) is int and -(2**63) <= v < 2**63 for v in distinct):
            return cls(integers=np.array(sorted(distinct), dtype=np.int64))
        encoded = [t.encode() for t in sorted({str(v) for v in distinct})]
        offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(e) for e in encoded], out=offsets[1:])
        return cls(utf8=np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets=offsets)

    def __len__(self) -> int:
        if self.integers is not None:
            return len(self.integers)
        return len(self.offsets) - 1 if self.offsets is not None else 0

    @cached_property
    def values(self) -> Array:
        """All ids, int64 [n] or object [n] of str."""
        if self.integers is not None:
            return self.integers
        if self.utf8 is None or self.offsets is None:
            return np.zeros(0, dtype=np.int64)
        blob, cuts = self.utf8.tobytes(), self.offsets.tolist()
        texts = np.empty(len(self), dtype=object)
        texts[:] = [blob[a:b].decode() for a, b in itertools.pairwise(cuts)]
        return texts

    @cached_property
    def hashes(self) -> Hashes:
        """Hash of each id as text, uint64 [n]; 7 and "7" are one id, whatever type a file gave it."""
        return hash_texts(str(v) for v in self.values.tolist())

    def take(self, codes: Array) -> Ids:
        """Return the ids at ascending codes."""
        if self.utf8 is None or self.offsets is None:
            return Ids(integers=self.values[codes])
        starts, lengths = self.offsets[codes], np.diff(self.offsets)[codes]
        offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        places = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        return Ids(utf8=self.utf8[places], offsets=offsets)

    def codes(self, values: Array) -> Codes:
        """Return the code of each value, int32 [n]; -1 for one that is not in the list."""
        code_of = {v: c for c, v in enumerate(self.values.tolist())}
        text = self.integers is None
        return np.fromiter(
            (code_of.get(str(v) if text else v, -1) for v in values.tolist()),
            dtype=np.int32,
            count=len(values),
        )


Merge = Literal["sum", "max", "last"]


@dataclass(frozen=True)
class ValueOperation:
    """An operation on the values of merged pairs: `min_value` leaves out those below the bound, the others
    transform each value (`binary` to 1, `log1p`, `clip` to at most the bound).
    """

    name: Literal["min_value", "binary", "log1p", "clip"]
    bound: float = 0.0

    def apply(self, pairs: Interactions) -> Interactions:
        """Return the pairs after the operation. A pair without a value counts 1.

        Raises:
            DataError: log1p of a value of -1 or less.
        """
        values = np.ones(len(pairs), dtype=np.float32) if pairs.values is None else pairs.values
        if self.name == "min_value":
            return pairs.take(values >= self.bound)
        if self.name == "binary":  # the maximum, so that pairs of two parts are 1 together, too
            return replace(pairs, values=np.ones_like(values), merge="max")
        if self.name == "clip":
            return replace(pairs, values=np.minimum(values, np.float32(self.bound)))
        if (values <= -1).any():
            raise DataError(
                "the transform log1p needs values above -1; choose another, or a min_value filter"
            )
        return replace(pairs, values=np.log1p(values))


@dataclass(frozen=True, eq=False)
class Features:
    """Side features as a sparse matrix with column names: CSR float32 [n users or items, n features]."""

    matrix: CSR
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.matrix.shape[1] != len(self.names):
            raise TypeError(f"features: {self.matrix.shape[1]} columns, {len(self.names)} names")

    def take(self, codes: Array) -> Features:
        """Return the rows at codes."""
        return Features(self.matrix[codes], self.names)


@dataclass(frozen=True, eq=False)
class Interactions:
    """Interactions of U users and I items, n rows in one canonical order.

    Rows are sorted by user, item, time and value; build one with :meth:`of`, which sorts. A (user, item) pair
    may occur in several rows (events of a log); :meth:`merged` merges them as `merge` says, and applies
    `operations` to the merged pairs: a split by time cuts events first, and each part is merged by itself.

    Args:
        users: int32 [n], codes into user_ids.
        items: int32 [n], codes into item_ids.
        values: float32 [n], finite (counts, ratings, quantities), or None where every event counts as 1.
        times: int64 [n], unix seconds, or None.
        user_ids: the U users' own ids; users without a row are allowed.
        item_ids: the I items' own ids.
        merge: value of a repeated pair: the sum, the maximum, or the last in time of its values.
        operations: what is still to be done with the merged pairs, in order.
        user_features: side features, one row a user, or None.
        item_features: side features, one row an item, or None.
    """

    users: Codes
    items: Codes
    values: Floats | None
    times: Times | None
    user_ids: Ids
    item_ids: Ids
    merge: Merge = "sum"
    operations: tuple[ValueOperation, ...] = ()
    user_features: Features | None = None
    item_features: Features | None = None

    def __post_init__(self) -> None:
        dtypes: dict[str, type[np.generic]] = {
            "users": np.int32,
            "items": np.int32,
            "values": np.float32,
            "times": np.int64,
        }
        for name, dtype in dtypes.items():
            array = getattr(self, name)
            if array is None and name in ("values", "times"):
                continue
            array = frozen(name, array, dtype)
            if len(array) != len(self.users):
                raise TypeError(f"{name}: expected {len(self.users)} rows, got {len(array)}")
            object.__setattr__(self, name, array)
        if self.merge not in get_args(Merge):
            raise TypeError(f"merge: expected one of {get_args(Merge)}, got {self.merge!r}")
        for name, codes, size in (("users", self.users, self.n_users), ("items", self.items, self.n_items)):
            if len(codes) and not (codes.min() >= 0 and codes.max() < size):
                raise TypeError(f"{name}: expected codes in 0..{size - 1}, got {codes.min()}..{codes.max()}")
        if (self.users[1:] < self.users[:-1]).any() or (
            (self.users[1:] == self.users[:-1]) & (self.items[1:] < self.items[:-1])
        ).any():
            raise TypeError("rows: expected sorted by user and item; build with Interactions.of")
        for name, features, size in (
            ("user_features", self.user_features, self.n_users),
            ("item_features", self.item_features, self.n_items),
        ):
            if features is not None and features.matrix.shape[0] != size:
                raise TypeError(f"{name}: expected {size} rows, got {features.matrix.shape[0]}")

    @classmethod
    def of(
        cls,
        users: Codes,
        items: Codes,
        values: Floats | None,
        times: Times | None,
        user_ids: Ids,
        item_ids: Ids,
        **rest: Any,
    ) -> Interactions:
        """Build from rows in any order."""
        minor = [a for a in (values, times) if a is not None]
        order = _canonical_order(users, items, max(len(item_ids), 1), minor)
        return cls(
            users[order],
            items[order],
            None if values is None else values[order],
            None if times is None else times[order],
            user_ids,
            item_ids,
            **rest,
        )

    def __len__(self) -> int:
        return len(self.users)

    @property
    def n_users(self) -> int:
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        return len(self.item_ids)

    @property
    def starts(self) -> Bools:
        """Which rows are the first of their pair, bool [n]; the others repeat it."""
        first = np.ones(len(self), dtype=bool)
        first[1:] = (self.users[1:] != self.users[:-1]) | (self.items[1:] != self.items[:-1])
        return first

    def take(self, rows: Bools | Array) -> Interactions:
        """Return the rows at a boolean mask or at ascending row numbers; ids and features stay whole."""
        return replace(
            self,
            users=self.users[rows],
            items=self.items[rows],
            values=None if self.values is None else self.values[rows],
            times=None if self.times is None else self.times[rows],
        )

    def with_items(self, selected: Bools) -> Interactions:
        """Return the rows of selected items (bool [I]), with the catalogue reduced to those."""
        codes = np.flatnonzero(selected)
        recoded = np.cumsum(selected, dtype=np.int32) - np.int32(1)
        rows = self.take(selected[self.items])
        return replace(
            rows,
            items=recoded[rows.items],
            item_ids=self.item_ids.take(codes),
            item_features=None if self.item_features is None else self.item_features.take(codes),
        )

    def merged(self) -> Interactions:
        """Merge the rows of each pair, and apply the operations: nothing is left to be done with the result.

        The value of a pair follows `merge`, its time is the last one. Where there are no values, the sum is
        the number of events, and the other rules leave none.

        Raises:
            DataError: the last value of a repeated pair is asked for, and there are no times.
        """
        first = self.starts
        pairs = self if first.all() else self._merge_repeats(first)
        for operation in self.operations:
            pairs = operation.apply(pairs)
        return replace(pairs, operations=()) if self.operations else pairs

    def _merge_repeats(self, first: Bools) -> Interactions:
        starts = np.flatnonzero(first)
        ends = np.append(starts[1:], len(self))
        values, times = self.values, self.times
        if self.merge == "sum":
            ones = np.ones(len(self)) if values is None else values.astype(np.float64)
            values = np.add.reduceat(ones, starts).astype(np.float32)
        elif values is not None:
            if self.merge == "last" and times is None:
                raise DataError(
                    f"{int((~first).sum())} rows repeat a pair, and merge=last cannot tell which value is "
                    "the last: name the column of times (dataset.time), or use merge=max or merge=sum"
                )
            values = np.maximum.reduceat(values, starts) if self.merge == "max" else values[ends - 1]
        return replace(
            self,
            users=self.users[starts],
            items=self.items[starts],
            values=values,
            times=None if times is None else np.maximum.reduceat(times, starts),
        )

    def matrix(self) -> CSR:
        """Return the merged pairs as CSR float32 [U, I], indices sorted; 1 where there are no values."""
        return self._matrix.copy()

    @cached_property
    def _matrix(self) -> CSR:
        pairs = self.merged()
        values = np.ones(len(pairs), dtype=np.float32) if pairs.values is None else pairs.values
        indptr = np.zeros(self.n_users + 1, dtype=np.int32)
        np.cumsum(np.bincount(pairs.users, minlength=self.n_users), out=indptr[1:])
        return sparse.csr_matrix((values, pairs.items, indptr), shape=(self.n_users, self.n_items))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the rows in the user's own ids; row order, coding and dtype do not change it."""
        columns: list[Hashes] = [self.user_ids.hashes[self.users], self.item_ids.hashes[self.items]]
        columns += [hash_numbers(a) for a in (self.values, self.times) if a is not None]
        return digest_rows(*columns)

    def summary(self) -> dict[str, int | float | None]:
        """Return counts, density and first and last time; users and items without a row do not count."""
        users = int((np.bincount(self.users, minlength=self.n_users) > 0).sum())
        items = int((np.bincount(self.items, minlength=self.n_items) > 0).sum())
        pairs = int(self.starts.sum())
        return {
            "rows": len(self),
            "pairs": pairs,
            "users": users,
            "items": items,
            "density": pairs / (users * items) if pairs else 0.0,
            "first": None if self.times is None or not len(self) else int(self.times.min()),
            "last": None if self.times is None or not len(self) else int(self.times.max()),
        }


def _canonical_order(users: Codes, items: Codes, width: int, minor: Sequence[Array]) -> Array:
    """Return the order of rows by user, item, then the last of minor, and so on to its first, int64 [n].

    Pair and row number are packed in one number where 63 bits hold both, so that one plain sort, several
    times faster than a sort of indices, gives the order.
    """
    pairs = users.astype(np.int64) * width + items
    shift = max(len(pairs) - 1, 0).bit_length()
    if int(pairs.max(initial=0)).bit_length() + shift < 64:
        pairs <<= shift
        pairs |= np.arange(len(pairs))
        pairs.sort()
        order = pairs & ((1 << shift) - 1)
        pairs >>= shift
    else:
        order = np.argsort(pairs, kind="stable")
        pairs = pairs[order]
    repeats = pairs[1:] == pairs[:-1]
    if minor and repeats.any():
        among = np.zeros(len(pairs), dtype=bool)  # rows of repeated pairs
        among[1:] |= repeats
        among[:-1] |= repeats
        rows = order[among]
        order[among] = rows[np.lexsort((*(a[rows] for a in minor), pairs[among]))]
    return order


def concatenate(parts: Sequence[Interactions]) -> Interactions:
    """Concatenate the rows of parts that share their ids."""
    first = parts[0]
    if any(p.user_ids is not first.user_ids or p.item_ids is not first.item_ids for p in parts):
        raise DataError("parts with different ids cannot be concatenated")

    def column(name: str) -> Any:
        arrays = [getattr(p, name) for p in parts]
        return None if any(a is None for a in arrays) else np.concatenate(arrays)

    return Interactions.of(
        column("users"),
        column("items"),
        column("values"),
        column("times"),
        first.user_ids,
        first.item_ids,
        merge=first.merge,
        operations=first.operations,
        user_features=first.user_features,
        item_features=first.item_features,
    )


_NEIGHBOURS = 200  # ids on each side of an unknown one that are compared with it
_MIN_SIMILARITY = 0.6  # ratio of difflib from which an id is suggested


def find_code(ids: Ids, text: str, what: str, where: str, names: Mapping[str, str] | None = None) -> int:
    """Return the code of an id given as text.

    Raises:
        UsageError: it is not among them; the message names the nearest text, or says what ids there are.
    """
    all_ids = list(map(str, ids.values.tolist())) if ids.integers is None else ids.values.tolist()
    number_or_text: str | int = text
    if ids.integers is not None:
        number_or_text = int(text) if text.lstrip("-").isdecimal() and str(int(text)) == text else text
    if isinstance(number_or_text, str) == (ids.integers is None):
        at = bisect.bisect_left(all_ids, number_or_text)
        if at < len(all_ids) and all_ids[at] == number_or_text:
            return at
    wanted_title = text.strip().casefold()
    titled = next((i for i, name in (names or {}).items() if name.strip().casefold() == wanted_title), None)
    raise UsageError(
        f"{what} {text!r}: not in the train part of {where}; {_hint(all_ids, text, titled, names or {})}"
    )


def _hint(all_ids: Sequence[str | int], text: str, titled: str | None, names: Mapping[str, str]) -> str:
    """Return what was probably meant, else what ids look like."""
    suggestion = titled if titled is not None else _nearest(all_ids, text)
    if suggestion is not None:
        return (
            f"did you mean {suggestion!r}{f' ({names[suggestion].strip()})' if suggestion in names else ''}?"
        )
    if not all_ids:
        return "it has none"
    first, last = all_ids[0], all_ids[-1]
    if isinstance(first, int):
        return f"its ids are {len(all_ids):,} whole numbers from {first} to {last}"
    return f"its {len(all_ids):,} ids are strings from {first!r} to {last!r}"


def _nearest(all_ids: Sequence[str | int], text: str) -> str | None:
    """Return the text id most similar to an unknown one, of its neighbours in order and of those that contain
    it.

    None where none is similar, and for numbers: no number is a likelier typing error than another.
    """
    texts = [i for i in all_ids if isinstance(i, str)]
    if not texts or not any(c.isalpha() for c in text):
        return None
    at = bisect.bisect_left(texts, text)
    neighbours = texts[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS]
    containing = [t for t in texts if text.casefold() in t.casefold()][:_NEIGHBOURS]

    def similarity(other: str) -> tuple[float, int]:
        return difflib.SequenceMatcher(None, text.casefold(), other.casefold()).ratio(), _common_prefix(
            text, other
        )

    nearest_id = max([*containing, *neighbours], key=similarity)
    return nearest_id if similarity(nearest_id)[0] >= _MIN_SIMILARITY else None


def _common_prefix(one: str, other: str) -> int:
    """Return the length of the common prefix."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
