"""Items in bands of popularity: what the lists hold of each band, and what they find of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Codes, Doubles
from bakeoff.queries.grouping import BAND_NAMES, popularity_bands
from bakeoff.report.figures.store_access import SplitFits, shared_user_codes
from bakeoff.report.figures.user_groups import Means, mean_by_group


@dataclass(frozen=True, eq=False)
class Bands:
    """Items by popularity in train, and what the lists hold of them.

    Args:
        names: of the bands, most popular first.
        n_items, n_test: int64 [b], items of the catalogue and test pairs in each band, mean over splits.
        recall: for each row the recall of test items of each band, arrays [k, band]; None without.
        shares: for each row float64 [k, b], share of all recommended items; None without.
    """

    names: tuple[str, ...]
    n_items: Array
    n_test: Array
    recall: tuple[Means | None, ...]
    shares: tuple[Doubles | None, ...]


def item_bands(fits: Sequence[SplitFits], ks: Sequence[int]) -> Bands | None:
    """Return recall and shares by band for each row of a table; None without a split or a cutoff."""
    if not fits or not ks:
        return None
    names = list(BAND_NAMES)
    bands = [popularity_bands(f.item_users) for f in fits]
    if any((b < 0).any() for b in bands):
        names.append("not in train")
        bands = [np.where(b < 0, len(BAND_NAMES), b) for b in bands]
    n = len(names)
    items = [np.bincount(b, minlength=n) for b in bands]
    test = [np.bincount(b[f.split.test.indices], minlength=n) for f, b in zip(fits, bands, strict=True)]
    rows = [_row(fits, bands, row, n, ks) for row in range(len(fits[0].keys))]
    return Bands(
        tuple(names),
        np.rint(np.mean(items, axis=0)).astype(np.int64),
        np.rint(np.mean(test, axis=0)).astype(np.int64),
        tuple(recall for recall, _ in rows),
        tuple(shares for _, shares in rows),
    )


def _row(
    fits: Sequence[SplitFits], bands: Sequence[Array], row: int, n_bands: int, ks: Sequence[int]
) -> tuple[Means | None, Doubles | None]:
    """Return recall, in which a user counts once, and shares, in which a fit counts once, of one row."""
    users, recalls, shares = [], [], []
    for one, of_items, codes in zip(fits, bands, shared_user_codes(fits), strict=True):
        test = one.split.test[one.split.users]
        for key in one.keys[row]:
            items = one.items(key, max(ks))
            users.append(codes)
            recalls.append(band_recall(test, items, of_items, n_bands, ks))
            shares.append(band_shares(items, of_items, n_bands, ks))
    if not users:
        return None, None
    all_users = np.concatenate(users)
    one_group = sparse.csr_matrix(np.ones((len(all_users), 1), dtype=np.float32))
    means = mean_by_group(all_users, np.concatenate(recalls, axis=1), one_group)
    shape = len(ks), n_bands
    by_band = Means(*(np.reshape(a, shape) for a in (means.n_users, means.mean, means.half)))
    return by_band, np.mean(shares, axis=0)


def band_recall(test: CSR, items: Codes, bands: Array, n_bands: int, ks: Sequence[int]) -> Doubles:
    """Return float64 [ks * bands, m]: share of a user's test items of a band in the first k; NaN without.

    Args:
        test: CSR [m, I], rows in the order of the lists.
        items: int32 [m, depth], -1 padded.
        bands: int64 [I].
    """
    m, width = test.shape
    owners = np.repeat(np.arange(m), np.diff(test.indptr))
    tested = np.zeros((n_bands, m))
    np.add.at(tested, (bands[test.indices], owners), 1.0)
    relevant = np.sort(owners * np.int64(width) + test.indices)
    rows, ranks = np.nonzero(items >= 0)
    listed = rows * np.int64(width) + items[rows, ranks]
    at = np.minimum(np.searchsorted(relevant, listed), max(len(relevant) - 1, 0))
    hit = relevant[at] == listed
    rows, ranks, of_hit = rows[hit], ranks[hit], bands[items[rows[hit], ranks[hit]]]
    recalls = []
    for k in ks:
        counts = np.zeros((n_bands, m))
        np.add.at(counts, (of_hit[ranks < k], rows[ranks < k]), 1.0)
        with np.errstate(invalid="ignore"):
            recalls.append(counts / tested)
    return np.where(np.tile(tested, (len(ks), 1)) > 0, np.concatenate(recalls), np.nan)


def band_shares(items: Codes, bands: Array, n_bands: int, ks: Sequence[int]) -> Doubles:
    """Return float64 [ks, bands]: share of the items of each band among the first k of all lists."""
    shares = []
    for k in ks:
        listed = items[:, :k]
        counts = np.bincount(bands[listed[listed >= 0]], minlength=n_bands)
        shares.append(counts / max(int(counts.sum()), 1))
    return np.stack(shares)
