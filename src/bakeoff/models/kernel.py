"""Exact selection from a block of scores: the best k of each row, and how many stand above a target.

Both work on float32 [b, I] without NaN, with -inf where an item is no candidate. Nothing here loops over
items in Python; what is chosen by size was measured by `bench/topk.py`.
"""

from __future__ import annotations

import numpy as np

from bakeoff.arrays import Array, Bools, Codes, Floats

_SIGN = np.uint32(0x80000000)
_LOW = np.uint64(0xFFFFFFFF)
_LAST = np.uint64(0xFFFFFFFFFFFFFFFF)
_WIDEST = 128  # items in a chunk; wider ones save nothing on top of the one pass that finds their maxima
_SORT_US, _PASS_US, _CALL_US = 1e-3, 1e-4, 1.3  # µs for n log2(n) of a sort, per item of a pass, per pass


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
        scores: float32 [b, I], C-contiguous.
        floor: only scores above it are listed.

    Returns:
        items int32 [b, k] and scores float32 [b, k], padded with -1 and -inf.
    """
    b, n = scores.shape
    depth = min(k, n)
    if not depth or not b:
        return best_of_entries(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32), b, k)
    above_floor = np.nextafter(np.float32(floor), np.float32(np.inf))
    lowest = np.maximum(_lower_bounds(scores, depth), above_floor)
    reached = scores >= lowest[:, None]
    if np.count_nonzero(reached) > b * (2 * depth + 64):
        _thin(reached, scores, lowest, depth)
    found = np.flatnonzero(reached)
    rows, items = np.divmod(found, n)
    return best_of_entries(rows, items, scores.ravel()[found], b, k)


def _thin(reached: Bools, scores: Floats, lowest: Floats, depth: int) -> None:
    """Leave out of reached (bool [b, I]) what ties with the lowest of its row behind the first depth ties.

    Rows whose scores all tie, as those of users without factors do, would fill memory with candidates.
    """
    for row in range(len(reached)):
        if np.count_nonzero(reached[row]) > 2 * depth + 64:
            reached[row, np.flatnonzero(scores[row] == lowest[row])[depth:]] = False


def best_of_entries(rows: Array, items: Array, scores: Floats, b: int, k: int) -> tuple[Codes, Floats]:
    """As :func:`best`, from candidates: rows [c], rising, their items [c] and scores float32 [c]."""
    keys = order_keys(scores, items)
    counts = np.bincount(rows, minlength=b)
    starts = np.cumsum(counts) - counts
    table = np.full((b, k), _LAST, dtype=np.uint64)
    # A row with far more candidates than wanted (its scores tie, or it is one of entries) is cut first, so
    # that it does not widen the table of all.
    crowded = counts > 2 * k + 64
    for row in np.flatnonzero(crowded):
        own = keys[starts[row] : starts[row] + counts[row]]
        table[row] = np.sort(np.partition(own, k - 1)[:k]) if k else own[:0]
    plain = ~crowded[rows]
    wide = np.full((b, max(k, int(counts[~crowded].max(initial=0)))), _LAST, dtype=np.uint64)
    wide[rows[plain], (np.arange(len(rows)) - starts[rows])[plain]] = keys[plain]
    wide.sort(axis=1)
    table = np.where(crowded[:, None], table, wide[:, :k])
    empty = table == _LAST
    listed = np.where(empty, np.int32(-1), items_of(table))
    return listed, np.where(empty, np.float32(-np.inf), scores_of(table))


def places(scores: Floats, rows: Array, items: Array) -> tuple[Codes, Codes]:
    """How many scores of its row stand strictly above each target, and how many others equal it.

    Sorts the rows where that costs less than two passes over the row for each target; scores are then
    left sorted.

    Args:
        scores: float32 [b, I], C-contiguous.
        rows, items: [t], the targets, all of them candidates; rows rising.

    Returns:
        above int32 [t], ties int32 [t].
    """
    b, n = scores.shape
    values = scores[rows, items]
    above = np.empty(len(rows), dtype=np.int32)
    not_below = np.empty(len(rows), dtype=np.int32)
    cuts = np.searchsorted(rows, np.arange(b + 1))
    if b * n * np.log2(max(n, 2)) * _SORT_US < 2 * len(rows) * (_CALL_US + n * _PASS_US):
        scores.sort(axis=1)
        for row in np.flatnonzero(np.diff(cuts)):
            own = slice(cuts[row], cuts[row + 1])
            above[own] = n - np.searchsorted(scores[row], values[own], side="right")
            not_below[own] = n - np.searchsorted(scores[row], values[own], side="left")
    else:
        answer = np.empty(n, dtype=bool)
        for at, (row, value) in enumerate(zip(rows.tolist(), values, strict=True)):
            above[at] = np.count_nonzero(np.greater(scores[row], value, out=answer))
            not_below[at] = np.count_nonzero(np.greater_equal(scores[row], value, out=answer))
    return above, not_below - above - np.int32(1)


def places_among(
    scores: Floats, starts: Array, unscored: Array, rows: Array, values: Floats
) -> tuple[Codes, Codes]:
    """As :func:`places`, where only some candidates have a score and the others stand at 0.

    Args:
        scores: float32 [c], those that there are, row by row.
        starts: int64 [b + 1], where each row begins.
        unscored: int64 [b], how many candidates of each row have none.
        rows: [t], rising, and values: float32 [t], 0 where there is none: the targets.

    Returns:
        above int32 [t], ties int32 [t].
    """
    above = np.where(values < 0, unscored[rows], 0).astype(np.int32)
    ties = np.where(values == 0, unscored[rows], 0).astype(np.int32) - np.int32(1)
    for at, (row, value) in enumerate(zip(rows.tolist(), values, strict=True)):
        own = scores[starts[row] : starts[row + 1]]
        above[at] += np.count_nonzero(own > value)
        ties[at] += np.count_nonzero(own == value)
    return above, ties


def _lower_bounds(scores: Floats, depth: int) -> Floats:
    """float32 [b]: a score that at least `depth` of the row reach, near the best such one.

    The depth-th largest maximum of disjoint chunks of the row cannot lie above its depth-th largest score.
    The chunks are strided (item i is in chunk i modulo their number), so that maxima are taken of whole
    vectors.
    """
    b, n = scores.shape
    width = min(_WIDEST, n // (2 * depth))
    found: Floats
    if width < 4:
        found = np.partition(scores, n - depth, axis=1)[:, n - depth]
        return found
    chunks = n // width
    maxima = scores[:, : chunks * width].reshape(b, width, chunks).max(axis=1)
    found = np.partition(maxima, chunks - depth, axis=1)[:, chunks - depth]
    return found
