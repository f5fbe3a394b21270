"""The user's own ids of users and items, and the codes that stand for them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bakeoff.arrays import Array, Codes, Hashes
from bakeoff.hashing import hash_texts


@dataclass(frozen=True, eq=False)
class Ids:
    """The user's own ids, distinct and sorted: whole numbers by size, texts by code point.

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
        """Distinct ids from any iterable. Whole numbers stay numbers; everything else becomes its text."""
        found = list(dict.fromkeys(v.item() if isinstance(v, np.generic) else v for v in values))
        if all(type(v) is int and -(2**63) <= v < 2**63 for v in found):
            return cls(integers=np.array(sorted(found), dtype=np.int64))
        encoded = [t.encode() for t in sorted({str(v) for v in found})]
        offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(e) for e in encoded], out=offsets[1:])
        return cls(utf8=np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets=offsets)

    def __len__(self) -> int:
        if self.integers is not None:
            return len(self.integers)
        return len(self.offsets) - 1 if self.offsets is not None else 0

    @cached_property
    def values(self) -> Array:
        """All ids: int64 [n], or object [n] of str."""
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
        """uint64 [n]: hash of each id's text, so that 7 and "7" are one id whatever type a file gave it."""
        return hash_texts(str(v) for v in self.values.tolist())

    def take(self, codes: Array) -> Ids:
        """The ids at ascending codes, as a smaller list."""
        if self.utf8 is None or self.offsets is None:
            return Ids(integers=self.values[codes])
        starts, lengths = self.offsets[codes], np.diff(self.offsets)[codes]
        offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        places = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        return Ids(utf8=self.utf8[places], offsets=offsets)

    def codes(self, values: Array) -> Codes:
        """int32 [n]: the code of each value, -1 for one that is not in the list."""
        known = {v: c for c, v in enumerate(self.values.tolist())}
        text = self.integers is None
        return np.fromiter(
            (known.get(str(v) if text else v, -1) for v in values.tolist()), dtype=np.int32, count=len(values)
        )
