"""Exact selection from a block of scores: the best k of each row, and how many stand above a target."""

from __future__ import annotations

import numpy as np

from bakeoff.arrays import Array, Codes, Floats

_SIGN = np.uint32(0x80000000)
_LOW = np.uint64(0xFFFFFFFF)
_LAST = np.uint64(0xFFFFFFFFFFFFFFFF)


def order_keys(scores: Floats, items: Array) -> Array:
    """uint64 keys whose rising order is: score falling, then item code rising. -0.0 and 0.0 are one score."""
    bits = (scores + np.float32(0)).view(np.uint32)
    rising = np.where(bits & _SIGN, ~bits, bits | _SIGN)
    return (~rising).astype(np.uint64) << np.uint64(32) | items.astype(np.uint64)


def items_of(keys: Array) -> Codes:
    """int32: the item codes inside keys."""
    return (keys & _LOW).astype(np.int32)


def scores_of(keys: Array) -> Floats:
    """float32: the scores inside keys."""
    rising = ~(keys >> np.uint64(32)).astype(np.uint32)
    return np.where(rising & _SIGN, rising ^ _SIGN, ~rising).view(np.float32)


def best(scores: Floats, k: int, floor: float = -np.inf) -> tuple[Codes, Floats]:
    """The k best items of each row, by falling score, then rising item code.

    Args:
        scores: float32 [b, I], without NaN; -inf where an item must not be listed.
        floor: only scores above it are listed.

    Returns:
        items int32 [b, k] and scores float32 [b, k], padded with -1 and -inf.
    """
    b, n = scores.shape
    items = np.full((b, k), -1, dtype=np.int32)
    values = np.full((b, k), -np.inf, dtype=np.float32)
    depth = min(k, n)
    if not depth or not b:
        return items, values
    thresholds = np.partition(scores, n - depth, axis=1)[:, n - depth]
    for row in range(b):
        found = np.flatnonzero((scores[row] >= thresholds[row]) & (scores[row] > floor))
        keys = np.sort(order_keys(scores[row, found], found))[:depth]
        items[row, : len(keys)] = items_of(keys)
        values[row, : len(keys)] = scores_of(keys)
    return items, values


def places(scores: Floats, rows: Array, items: Array) -> tuple[Codes, Codes]:
    """How many scores of its row stand strictly above each target, and how many others equal it.

    Args:
        scores: float32 [b, I], -inf where an item is no candidate.
        rows, items: [t], the targets, all of them candidates.

    Returns:
        above int32 [t], ties int32 [t].
    """
    above = np.empty(len(rows), dtype=np.int32)
    ties = np.empty(len(rows), dtype=np.int32)
    for at, (row, value) in enumerate(zip(rows, scores[rows, items], strict=True)):
        above[at] = np.count_nonzero(scores[row] > value)
        ties[at] = np.count_nonzero(scores[row] == value) - 1
    return above, ties
