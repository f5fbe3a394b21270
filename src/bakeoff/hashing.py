"""Hashes that name content: the same on every platform, in every row order and for every dtype.

They serve two ends. A *fingerprint* names a data set or a split by what it holds. A *draw* is the chance
of a split: a number that depends on the seed and on the row's own ids alone, so that neither row order, nor
dtype, nor the other users in the file can change which rows are held out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from bakeoff.arrays import Array, Hashes

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_BLOCK = 1 << 15  # rows hashed at a time, so that all intermediate arrays stay in the processor's cache


def mix(state: Hashes | np.uint64) -> Hashes:
    """Scramble 64-bit integers (finaliser of SplitMix64, Steele et al. 2014): a bijection, no collisions."""
    z = np.atleast_1d(np.asarray(state, dtype=np.uint64)) + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def combine(*parts: Hashes | np.uint64) -> Hashes:
    """Hash several columns of 64-bit integers row by row; the order of the columns matters.

    A column of length 1, or a single number, stands for every row.
    """
    columns = [np.atleast_1d(np.asarray(part, dtype=np.uint64)) for part in parts]
    n = max(len(column) for column in columns)
    columns = [np.broadcast_to(column, n) for column in columns]
    state: Hashes = np.zeros(n, dtype=np.uint64)
    for start in range(0, n, _BLOCK):
        rows = slice(start, start + _BLOCK)
        for column in columns:
            state[rows] = mix(state[rows] ^ mix(column[rows]))
    return state


def hash_texts(texts: Iterable[str]) -> Hashes:
    """Return the 64-bit BLAKE2b of each text's UTF-8 bytes."""
    joined = b"".join(hashlib.blake2b(t.encode(), digest_size=8).digest() for t in texts)
    return np.frombuffer(joined, dtype="<u8").astype(np.uint64)


def hash_text(text: str) -> np.uint64:
    return np.uint64(hash_texts([text])[0])


def hash_numbers(values: Array) -> Hashes:
    """Return the 64-bit pattern of each value as float64 or int64; -0.0 and 0.0 are one value."""
    if np.issubdtype(values.dtype, np.floating):
        return (values.astype(np.float64) + 0.0).view(np.uint64)
    return values.astype(np.int64).view(np.uint64)


def digest_rows(*columns: Hashes) -> str:
    """Return the SHA-256 of a table, independent of the order of its rows; repeated rows count."""
    rows = np.sort(combine(*columns)) if columns[0].size else np.zeros(0, dtype=np.uint64)
    return hashlib.sha256(rows.astype("<u8").tobytes()).hexdigest()


def canonical_json(value: Any) -> str:
    """Return JSON with sorted keys and no spaces, which identities are hashed from; NaN is refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_hash(content: bytes) -> str:
    """Return the 128-bit BLAKE2b of bytes as 32 hex digits."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def file_hash(path: Path) -> str:
    """Return the `content_hash` of a file, read in blocks.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def identity(prefix: str, value: Any) -> str:
    """Return a short name of a JSON value: a letter, then 15 hex digits, so that it is never read as a
    number.
    """
    return prefix + hashlib.sha256(canonical_json(value).encode()).hexdigest()[:15]
