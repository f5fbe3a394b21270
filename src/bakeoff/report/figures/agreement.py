"""How alike the lists of two models are: rank-biased overlap and Jaccard at k. Numbers only.

Rank-biased overlap is RBO_EXT of Webber, Moffat and Zobel 2010, "A similarity measure for indefinite
rankings", TOIS 28(4): the overlap of two lists at every depth d, weighted by p^d, extrapolated beyond their
ends (equation 30, and 32 where they end at different depths).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bakeoff.arrays import Array, Codes, Doubles
from bakeoff.report.figures.material import Fits

PERSISTENCE = 0.9
"""p: the first ten places carry 86 % of the weight."""

_SCRATCH = 2**22
"""Numbers in the dense scratch of one block of users: it should stay in the cache."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """Means over the users of one split, [n, n] over n models; symmetric, 1 on the diagonal but see `again`.

    Args:
        rows: positions of the models in the table's rows.
        keys: the cell of each that was compared: its first on that split.
        n_users: of the split.
        rbo: float64 [n, n].
        ks, jaccard: float64 [len(ks), n, n]: size of the intersection / of the union of the first k.
        again: models of which a second cell on the same split was compared with the first: the diagonal
            then tells how much the model agrees with itself under another seed.
    """

    rows: tuple[int, ...]
    keys: tuple[str, ...]
    n_users: int
    rbo: Doubles
    ks: tuple[int, ...]
    jaccard: Doubles
    again: tuple[bool, ...]


def agreement(fits: Fits, ks: Sequence[int]) -> Agreement:
    """Compare the lists of every two models on one split."""
    rows = tuple(at for at, keys in enumerate(fits.keys) if keys)
    first = [fits.items(fits.keys[at][0]) for at in rows]
    again = [fits.items(fits.keys[at][1]) if len(fits.keys[at]) > 1 else None for at in rows]
    n = len(rows)
    rbo, jaccard = np.ones((n, n)), np.ones((len(ks), n, n))
    for i in range(n):
        others = [*first[i + 1 :], *([] if again[i] is None else [again[i]])]
        places = [*range(i + 1, n), *([] if again[i] is None else [i])]
        for j, (overlap, common) in zip(
            places,
            compared(first[i], [o for o in others if o is not None], fits.split.train.n_items, ks),
            strict=True,
        ):
            rbo[i, j] = rbo[j, i] = overlap
            jaccard[:, i, j] = jaccard[:, j, i] = common
    return Agreement(
        rows,
        tuple(fits.keys[at][0] for at in rows),
        len(fits.split.users),
        rbo,
        tuple(ks),
        jaccard,
        tuple(a is not None for a in again),
    )


def compared(
    items: Codes, others: Sequence[Codes], n_items: int, ks: Sequence[int]
) -> Iterator[tuple[float, Doubles]]:
    """Mean rank-biased overlap, and mean Jaccard at each k, of one model's lists with those of others.

    Args:
        items: int32 [m, D], -1 padded at the end; others likewise, to a depth of their own.
        n_items: I.
    """
    m = len(items)
    height = max(1, min(m, _SCRATCH // (n_items + 1)))
    scratch = np.zeros(height * (n_items + 1), dtype=np.int16 if items.shape[1] < 2**15 else np.int32)
    rbos = np.zeros(len(others))
    jaccards = np.zeros((len(others), len(ks)))
    for start in range(0, m, height):
        block = items[start : start + height]
        # A pad, -1, falls on the spare place before a row; it is taken out again.
        rows = np.arange(len(block))[:, None] * (n_items + 1) + 1
        places = rows + block
        scratch[places] = np.arange(1, block.shape[1] + 1)
        scratch[rows - 1] = 0
        for at, other in enumerate(others):
            beside = other[start : start + height]
            found = scratch[rows + beside]
            depths = np.where(found > 0, np.maximum(found, np.arange(1, beside.shape[1] + 1)), 0)
            ends = np.count_nonzero(block >= 0, axis=1), np.count_nonzero(beside >= 0, axis=1)
            rbos[at] += rbo_of(depths, *ends).sum()
            jaccards[at] += [jaccard_of(depths, *ends, k).sum() for k in ks]
        scratch[places] = 0
    for rbo, jaccard in zip(rbos / max(m, 1), jaccards / max(m, 1), strict=True):
        yield float(rbo), jaccard


def rbo_of(depths: Array, first: Array, second: Array, p: float = PERSISTENCE) -> Doubles:
    """float64 [m]: RBO_EXT of pairs of lists.

    Args:
        depths: int [m, D]: the depth at which an item of one list is in both, 0 where it never is; in any
            order along a row.
        first, second: int64 [m], the lengths of the lists. Two empty lists agree, an empty and another not.
        p: persistence, above 0 and below 1.
    """
    short, long = np.minimum(first, second), np.maximum(first, second)
    found = np.zeros(len(depths))
    deepest = int(depths.max(initial=0))
    for s, l in np.unique(np.stack([short, long], axis=1), axis=0).tolist():  # noqa: E741 - the paper's names
        own = (short == s) & (long == l)
        weights, constant = _weights(s, l, deepest, p)
        found[own] = weights[depths[own]].sum(axis=1) + constant
    return found


def _weights(short: int, long: int, deepest: int, p: float) -> tuple[Doubles, float]:
    """What a common item that is in both from each depth on adds to RBO_EXT; 0 at depth 0, which is none.

    With s and l the ends, X_d the number of common items to depth d:
    (1-p)/p (sum_{d<=l} X_d/d p^d + sum_{s<d<=l} X_s (d-s)/(s d) p^d) + ((X_l - X_s)/l + X_s/s) p^l.
    Every term is linear in X_d, so an item that is common from depth t on adds the terms with d >= t.
    """
    weights = np.zeros(max(deepest, long) + 1)
    if short == 0:
        return weights, float(long == 0)
    d = np.arange(1, long + 1)
    terms = (1 - p) / p * p**d / d
    weights[1 : long + 1] = np.cumsum(terms[::-1])[::-1] + p**long / long
    beyond = d[short:]
    of_short = (1 - p) / p * np.sum(p**beyond * (beyond - short) / (short * beyond))
    weights[1 : short + 1] += of_short + p**long * (1 / short - 1 / long)
    return weights, 0.0


def jaccard_of(depths: Array, first: Array, second: Array, k: int) -> Doubles:
    """float64 [m]: size of the intersection / of the union of the first k; 1 where both are empty."""
    common = np.count_nonzero((depths > 0) & (depths <= k), axis=1)
    union = np.minimum(first, k) + np.minimum(second, k) - common
    return np.where(union > 0, common / np.maximum(union, 1), 1.0)
