"""Recall and places by popularity of items, against loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import sparse

from bakeoff.report.figures.popularity_bands import band_recall, band_shares


@pytest.mark.parametrize("seed", range(4))
def test_recall_of_a_band_is_that_of_its_test_items_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    m, width, ks = 12, 20, [1, 3, 6]
    test = sparse.csr_matrix((rng.random((m, width)) < 0.25).astype(np.float32))
    bands = rng.integers(0, 3, width)
    items = np.stack([rng.permutation(width)[:6] for _ in range(m)]).astype(np.int32)
    items[0, 2:] = -1
    got = band_recall(test, items, bands, 3, ks)
    shares = band_shares(items, bands, 3, ks)
    for at, k in enumerate(ks):
        shown = [i for row in items for i in row[:k] if i >= 0]
        for band in range(3):
            assert shares[at, band] == pytest.approx(sum(bands[i] == band for i in shown) / len(shown))
            for user in range(m):
                relevant = {int(i) for i in test[user].indices if bands[i] == band}
                recall = got[at * 3 + band, user]
                if not relevant:
                    assert math.isnan(recall)
                else:
                    assert recall == len(relevant & set(items[user, :k].tolist())) / len(relevant)
