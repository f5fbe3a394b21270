"""Rank items by score: exact selection of the best k, ranks of targets, base classes of scoring models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Bools, Codes, Floats
from bakeoff.errors import ModelError
from bakeoff.models.base import Ranked, StoredAttributes

_SIGN = np.uint32(0x80000000)
_LOW = np.uint64(0xFFFFFFFF)
_LAST = np.uint64(0xFFFFFFFFFFFFFFFF)
_WIDEST = 128  # items in a chunk; wider chunks are no faster
_SORT_US, _PASS_US, _CALL_US = 1e-3, 1e-4, 1.3  # µs for n log2(n) of a sort, per item of a pass, per pass


def order_keys(scores: Floats, items: Array) -> Array:
    """Return uint64 keys that sort by falling score, then rising item code; -0.0 and 0.0 are one score."""
    bits = (scores + np.float32(0)).view(np.uint32)
    rising = np.where(bits & _SIGN, ~bits, bits | _SIGN)
    return (~rising).astype(np.uint64) << np.uint64(32) | items.astype(np.uint64)


def items_of(keys: Array) -> Codes:
    """Return the item codes inside keys, int32."""
    return (keys & _LOW).astype(np.int32)


def scores_of(keys: Array) -> Floats:
    """Return the scores inside keys, float32."""
    rising = ~(keys >> np.uint64(32)).astype(np.uint32)
    return np.where(rising & _SIGN, rising ^ _SIGN, ~rising).view(np.float32)


def top_k(scores: Floats, k: int, floor: float = -np.inf) -> tuple[Codes, Floats]:
    """Return the k best items of each row, by falling score, then rising item code.

    Args:
        scores: float32 [b, I], C-contiguous.
        floor: only scores above it are listed.

    Returns:
        items int32 [b, k] and scores float32 [b, k], padded with -1 and -inf.
    """
    b, n = scores.shape
    depth = min(k, n)
    if not depth or not b:
        return top_k_of_entries(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32), b, k)
    above_floor = np.nextafter(np.float32(floor), np.float32(np.inf))
    lowest = np.maximum(_lower_bounds(scores, depth), above_floor)
    reached = scores >= lowest[:, None]
    if np.count_nonzero(reached) > b * (2 * depth + 64):
        _drop_excess_ties(reached, scores, lowest, depth)
    candidates = np.flatnonzero(reached)
    rows, items = np.divmod(candidates, n)
    return top_k_of_entries(rows, items, scores.ravel()[candidates], b, k)


def _drop_excess_ties(reached: Bools, scores: Floats, lowest: Floats, depth: int) -> None:
    """Drop from reached (bool [b, I]) the ties with the row's lowest score beyond the first depth of them.

    Rows whose scores all tie, as those of users without factors do, would fill memory with candidates.
    """
    for row in range(len(reached)):
        if np.count_nonzero(reached[row]) > 2 * depth + 64:
            reached[row, np.flatnonzero(scores[row] == lowest[row])[depth:]] = False


def top_k_of_entries(rows: Array, items: Array, scores: Floats, b: int, k: int) -> tuple[Codes, Floats]:
    """Return :func:`top_k` of candidates: rows [c], rising, their items [c] and scores float32 [c]."""
    keys = order_keys(scores, items)
    counts = np.bincount(rows, minlength=b)
    starts = np.cumsum(counts) - counts
    table = np.full((b, k), _LAST, dtype=np.uint64)
    # A row with far more than k candidates (ties, or a dense row among sparse ones) is cut first, so that it
    # does not widen the table of all rows.
    crowded = counts > 2 * k + 64
    for row in np.flatnonzero(crowded):
        row_keys = keys[starts[row] : starts[row] + counts[row]]
        table[row] = np.sort(np.partition(row_keys, k - 1)[:k]) if k else row_keys[:0]
    plain = ~crowded[rows]
    wide = np.full((b, max(k, int(counts[~crowded].max(initial=0)))), _LAST, dtype=np.uint64)
    wide[rows[plain], (np.arange(len(rows)) - starts[rows])[plain]] = keys[plain]
    wide.sort(axis=1)
    table = np.where(crowded[:, None], table, wide[:, :k])
    empty = table == _LAST
    listed = np.where(empty, np.int32(-1), items_of(table))
    return listed, np.where(empty, np.float32(-np.inf), scores_of(table))


def target_ranks(scores: Floats, rows: Array, items: Array) -> tuple[Codes, Codes]:
    """Count the scores of its row that are strictly above each target, and the others that equal it.

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
            row_slice = slice(cuts[row], cuts[row + 1])
            above[row_slice] = n - np.searchsorted(scores[row], values[row_slice], side="right")
            not_below[row_slice] = n - np.searchsorted(scores[row], values[row_slice], side="left")
    else:
        answer = np.empty(n, dtype=bool)
        for at, (row, value) in enumerate(zip(rows.tolist(), values, strict=True)):
            above[at] = np.count_nonzero(np.greater(scores[row], value, out=answer))
            not_below[at] = np.count_nonzero(np.greater_equal(scores[row], value, out=answer))
    return above, not_below - above - np.int32(1)


def target_ranks_among(
    scores: Floats, starts: Array, unscored: Array, rows: Array, values: Floats
) -> tuple[Codes, Codes]:
    """Compute :func:`target_ranks` where only some candidates have a score and the others have 0.

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
        row_scores = scores[starts[row] : starts[row + 1]]
        above[at] += np.count_nonzero(row_scores > value)
        ties[at] += np.count_nonzero(row_scores == value)
    return above, ties


def _lower_bounds(scores: Floats, depth: int) -> Floats:
    """Return a score that at least `depth` entries of the row reach, near the best such one, float32 [b].

    The depth-th largest maximum of disjoint chunks of the row cannot lie above its depth-th largest score.
    The chunks are strided (item i is in chunk i modulo their number), so that maxima are taken of whole
    vectors.
    """
    b, n = scores.shape
    width = min(_WIDEST, n // (2 * depth))
    result: Floats
    if width < 4:
        result = np.partition(scores, n - depth, axis=1)[:, n - depth]
        return result
    chunks = n // width
    maxima = scores[:, : chunks * width].reshape(b, width, chunks).max(axis=1)
    result = np.partition(maxima, chunks - depth, axis=1)[:, chunks - depth]
    return result


BLOCK_BYTES = 48 * 2**20
"""Scores held at once, on every machine alike: the last digit of a product may depend on its shape."""


class ScoringModel(ABC):
    """A model that scores the whole catalogue for a block of users.

    A subclass defines the scores; this class cuts blocks, masks the history, selects the exact best k and
    ranks targets. Ties are broken everywhere alike: by rising item code.

    Attributes:
        floor: only items that score above it are listed. Target ranks take every score as it is.
    """

    floor: ClassVar[float] = -np.inf

    @abstractmethod
    def scores(self, users: Codes, history: CSR) -> Floats:
        """Return finite scores of the catalogue, float32 [b, I], for users (int32 [b]) with history (CSR [b,
        I]).

        The array is the caller's to write in.
        """

    def recommend(self, users: Codes, history: CSR, k: int) -> tuple[Codes, Floats]:
        """Return the k best unseen items of each user; see :class:`bakeoff.models.base.Model`.

        Raises:
            ModelError: a score is not finite.
        """
        parts = self._parts(users, history, k, sparse.csr_matrix(history.shape, dtype=np.float32))
        return concatenate_blocks(parts, k)[:2]

    def rank(self, users: Codes, history: CSR, k: int, targets: CSR) -> Ranked:
        """Recommend, and rank each target; see :class:`bakeoff.models.base.RanksTargets`."""
        return concatenate_blocks(self._parts(users, history, k, targets), k)

    def _parts(self, users: Codes, history: CSR, k: int, targets: CSR) -> Iterator[Ranked]:
        """Yield the answer block by block."""
        for block in user_blocks(len(users), history.shape[1]):
            values = self.scores(users[block], history[block])
            self._refuse_non_finite(users[block], values)
            values = np.ascontiguousarray(values, dtype=np.float32)
            yield rank_scores(values, history[block], k, targets[block], self.floor)

    def _refuse_non_finite(self, users: Codes, scores: Floats) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            # The sum is not finite if a score is not, or if it overflows: such rows are checked again.
            suspects = np.flatnonzero(~np.isfinite(scores.sum(axis=1)))
        not_finite = [row for row in suspects.tolist() if not np.isfinite(scores[row]).all()]
        if not_finite:
            raise ModelError(
                f"{type(self).__name__}: a score of user {users[not_finite[0]]} is not finite; "
                "expected finite scores: the fit may have diverged, try a smaller learning rate or more "
                "regularisation"
            )


class FactorModel(StoredAttributes, ScoringModel):
    """A model whose score is a dot product; a bias is one more dimension.

    Attributes:
        user_factors: float32 [U, f].
        item_factors: float32 [I, f].
        biases: so many of the last dimensions are biases, which say nothing of what an item is like.
    """

    fitted: ClassVar[tuple[str, ...]] = ("user_factors", "item_factors")
    biases: ClassVar[int] = 0
    user_factors: Floats
    item_factors: Floats

    def similar(self, item: int) -> Floats:
        """Return the cosine of the items' factors without biases, float32 [I]; 0 where one of the two has
        none.
        """
        factors = self.item_factors[:, : self.item_factors.shape[1] - self.biases]
        lengths = np.sqrt(np.einsum("nf,nf->n", factors, factors))
        products = factors @ factors[item]
        norms = lengths * lengths[item]
        result: Floats = np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
        return result

    def factors_of(self, users: Codes, history: CSR) -> Floats:
        """Return the factors of users, float32 [b, f]; a model that folds in computes those of unknown
        ones.
        """
        result: Floats = self.user_factors[users]
        return result

    def scores(self, users: Codes, history: CSR) -> Floats:
        result: Floats = self.factors_of(users, history) @ self.item_factors.T
        return result

    def _parts(self, users: Codes, history: CSR, k: int, targets: CSR) -> Iterator[Ranked]:
        n_items = history.shape[1]
        longest = _largest_norm(self.item_factors)
        # Allocating each block anew would cost as much as the selection.
        scratch = np.empty((0, n_items), dtype=np.float32)
        for block in user_blocks(len(users), n_items):
            factors = self.factors_of(users[block], history[block])
            if len(scratch) < len(factors):
                scratch = np.empty((len(factors), n_items), dtype=np.float32)
            values = np.matmul(factors, self.item_factors.T, out=scratch[: len(factors)])
            # By the Cauchy-Schwarz inequality no score can overflow, so scores are not checked.
            if not longest * _largest_norm(factors) < np.finfo(np.float32).max / 2:
                self._refuse_non_finite(users[block], values)
            yield rank_scores(values, history[block], k, targets[block], self.floor)


def rank_scores(scores: Floats, history: CSR, k: int, targets: CSR, floor: float = -np.inf) -> Ranked:
    """Return lists and target ranks of a block of finite scores (float32 [b, I], C-contiguous,
    overwritten).
    """
    rows, seen = entries(history)
    scores[rows, seen] = -np.inf
    items, values = top_k(scores, k, floor)
    return Ranked(items, values, *target_ranks(scores, *entries(targets)))


def concatenate_blocks(parts: Iterable[Ranked], k: int) -> Ranked:
    """Concatenate the answers of blocks."""
    none = np.zeros(0, dtype=np.int32)
    empty = Ranked(np.zeros((0, k), np.int32), np.zeros((0, k), np.float32), none, none)
    return Ranked(*(np.concatenate(columns) for columns in zip(empty, *parts, strict=True)))


def user_blocks(n_users: int, n_items: int) -> Iterator[slice]:
    """Yield blocks of users whose scores fill about BLOCK_BYTES, on every machine alike."""
    size = max(1, BLOCK_BYTES // max(4 * n_items, 1))
    for start in range(0, n_users, size):
        yield slice(start, min(start + size, n_users))


def entries(matrix: CSR) -> tuple[Array, Array]:
    """Return the row numbers (int64, rising) and the columns of the entries of a CSR matrix."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), matrix.indices


def _largest_norm(factors: Floats) -> float:
    """Return the largest Euclidean length of a row; NaN or infinite where an entry is."""
    with np.errstate(over="ignore"):
        squares = np.einsum("nf,nf->n", factors, factors)
    return float(np.sqrt(squares.max(initial=0.0)))
