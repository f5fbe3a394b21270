"""What lists find and show of popular and of rare items: numbers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Codes, Doubles
from bakeoff.queries.grouping import BAND_NAMES, popularity_bands
from bakeoff.report.figures.group_means import Means, mean_by_group
from bakeoff.report.figures.material import Fits


@dataclass(frozen=True, eq=False)
class Bands:
    """Items by popularity in train, and what the lists hold of them.

    Args:
        names: of the bands, most popular first.
        n_items, n_test: int64 [b], items of the catalogue and test pairs in each band, mean over splits.
        recall: for each row the recall of test items of each band, columns are (k, band) by k; None without.
        shares: for each row float64 [k, b], share of the places of the lists; None without.
    """

    names: tuple[str, ...]
    n_items: Array
    n_test: Array
    ks: tuple[int, ...]
    recall: tuple[Means | None, ...]
    shares: tuple[Doubles | None, ...]


def item_bands(fits: Sequence[Fits], ks: Sequence[int]) -> Bands | None:
    """Recall and places by band of popularity, for each row of a table; None without a split or a cutoff."""
    if not fits or not ks:
        return None
    names = list(BAND_NAMES)
    bands = [popularity_bands(f.item_users) for f in fits]
    if any((b < 0).any() for b in bands):
        names.append("not in train")
        bands = [np.where(b < 0, len(BAND_NAMES), b) for b in bands]
    counted = [np.bincount(b, minlength=len(names)) for b in bands]
    tested = [
        np.bincount(b[f.split.test.indices], minlength=len(names)) for f, b in zip(fits, bands, strict=True)
    ]
    rows = [_row(fits, bands, row, len(names), ks) for row in range(len(fits[0].keys))]
    return Bands(
        tuple(names),
        np.rint(np.mean(counted, axis=0)).astype(np.int64),
        np.rint(np.mean(tested, axis=0)).astype(np.int64),
        tuple(ks),
        tuple(recall for recall, _ in rows),
        tuple(shares for _, shares in rows),
    )


def _row(
    fits: Sequence[Fits], bands: Sequence[Array], row: int, n_bands: int, ks: Sequence[int]
) -> tuple[Means | None, Doubles | None]:
    """One row of a table: every user counts once in the recall, every fit once in the shares."""
    users, recalls, shares = [], [], []
    for one, of_items in zip(fits, bands, strict=True):
        test = one.split.test[one.split.users]
        for key in one.keys[row]:
            items = one.items(key, max(ks))
            users.append(one.split.users)
            recalls.append(band_recall(test, items, of_items, n_bands, ks))
            shares.append(band_shares(items, of_items, n_bands, ks))
    if not users:
        return None, None
    together = np.concatenate(users)
    everybody = sparse.csr_matrix(np.ones((len(together), 1), dtype=np.float32))
    return mean_by_group(together, np.concatenate(recalls, axis=1), everybody), np.mean(shares, axis=0)


def band_recall(test: CSR, items: Codes, bands: Array, n_bands: int, ks: Sequence[int]) -> Doubles:
    """float64 [ks * bands, m]: share of a user's test items of a band in the first k; NaN without.

    Args:
        test: CSR [m, I], rows in the order of the lists.
        items: int32 [m, depth], -1 padded.
        bands: int64 [I].
    """
    m, width = test.shape
    owners = np.repeat(np.arange(m), np.diff(test.indptr))
    tested = np.zeros((n_bands, m))
    np.add.at(tested, (bands[test.indices], owners), 1.0)
    wanted = np.sort(owners * np.int64(width) + test.indices)
    rows, places = np.nonzero(items >= 0)
    listed = rows * np.int64(width) + items[rows, places]
    at = np.minimum(np.searchsorted(wanted, listed), max(len(wanted) - 1, 0))
    hit = wanted[at] == listed
    rows, places, of = rows[hit], places[hit], bands[items[rows[hit], places[hit]]]
    found = []
    for k in ks:
        near = places < k
        counts = np.zeros((n_bands, m))
        np.add.at(counts, (of[near], rows[near]), 1.0)
        with np.errstate(invalid="ignore"):
            found.append(counts / tested)
    return np.where(np.tile(tested, (len(ks), 1)) > 0, np.concatenate(found), np.nan)


def band_shares(items: Codes, bands: Array, n_bands: int, ks: Sequence[int]) -> Doubles:
    """float64 [ks, bands]: share of the places of all lists to each k that items of a band hold."""
    found = []
    for k in ks:
        listed = items[:, :k]
        counts = np.bincount(bands[listed[listed >= 0]], minlength=n_bands)
        found.append(counts / max(int(counts.sum()), 1))
    return np.stack(found)
