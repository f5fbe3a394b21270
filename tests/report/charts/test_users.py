"""Spread over users, means by groups of users, recall by popularity of items: against numpy and loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import sparse, stats

import toys
from bakeoff.report.charts.users import LEVELS, band_recall, band_shares, mean_by_group, summarize


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_quantiles_mean_and_zeros_are_those_of_the_known_values(n: int) -> None:
    rng = np.random.default_rng(n)
    values = rng.integers(0, 4, size=(3, n)) / 4
    values[1, : n // 2] = np.nan
    for row, summary in zip(values, summarize(values), strict=True):
        measured = row[~np.isnan(row)]
        assert summary is not None
        assert summary.n == len(measured)
        assert summary.mean == pytest.approx(measured.mean())
        assert summary.quantiles == pytest.approx(np.quantile(measured, LEVELS))
        assert summary.zeros == pytest.approx((measured == 0).mean())


def test_nothing_is_said_where_nobody_has_a_value() -> None:
    assert summarize(np.full((1, 4), np.nan)) == [None]


def by_loop(users: Any, values: Any, members: Any) -> dict[tuple[int, int], tuple[int, float, float]]:
    result = {}
    for c in range(values.shape[0]):
        for s in range(members.shape[1]):
            own: dict[int, list[float]] = {}
            for at in range(len(users)):
                if members[at, s] and not math.isnan(values[c, at]):
                    own.setdefault(users[at], []).append(values[c, at])
            means = [sum(v) / len(v) for v in own.values()]
            if len(means) < 2:
                result[c, s] = len(means), means[0] if means else math.nan, math.nan
                continue
            low, high = stats.t.interval(0.95, len(means) - 1, np.mean(means), stats.sem(means))
            result[c, s] = len(means), float(np.mean(means)), (high - low) / 2
    return result


@pytest.mark.parametrize("seed", range(4))
def test_every_group_has_the_mean_of_its_users_and_their_t_interval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    users = rng.integers(0, 12, 40).astype(np.int32)
    values = np.where(rng.random((3, 40)) < 0.2, np.nan, rng.random((3, 40)))
    members = (rng.random((40, 5)) < [0.5, 0.4, 0.3, 0.05, 0.0]).astype(np.float32)
    got = mean_by_group(users, values, sparse.csr_matrix(members))
    for (c, s), (n, mean, half) in by_loop(users, values, members).items():
        assert got.n_users[c, s] == n
        assert got.mean[c, s] == pytest.approx(mean, nan_ok=True)
        assert got.half[c, s] == pytest.approx(half, nan_ok=True)


def test_a_user_under_two_seeds_counts_once() -> None:
    once = mean_by_group(*_entries([0.2, 0.4]))
    twice = mean_by_group(*_entries([0.2, 0.4, 0.2, 0.4]))
    assert twice.n_users.tolist() == [[2]]
    assert twice.half == pytest.approx(once.half)


def _entries(values: list[float]) -> tuple[Any, Any, Any]:
    users = np.array([at % 2 for at in range(len(values))], dtype=np.int32)
    return users, np.array([values]), sparse.csr_matrix(np.ones((len(values), 1), dtype=np.float32))


def test_the_groups_of_users_hold_everybody_once(split: Any) -> None:
    from bakeoff.queries.segments import by_history, by_known_history, history_edges

    for grouping in (by_history(split, history_edges(split)), by_known_history(split)):
        assert grouping.members.sum(axis=1).ravel().tolist() == [[1.0] * len(split.users)]
        assert len(grouping.names) == grouping.members.shape[1]


def test_bands_of_history_say_their_ends(split: Any) -> None:
    from bakeoff.queries.segments import by_history

    lengths = np.diff(split.history.indptr)[split.users]
    edges = (int(np.median(lengths)), int(lengths.max()))
    grouping = by_history(split, edges)
    assert grouping.names == (f"1 to {edges[0]}", f"{edges[0] + 1} or more")
    assert grouping.members[:, 0].toarray().ravel().tolist() == (lengths <= edges[0]).tolist()


def test_a_user_has_one_code_in_all_splits() -> None:
    from bakeoff.report.charts.frame import SplitFits, shared_user_codes
    from bakeoff.splits.kfold import KFold

    rows = toys.blocks(60, 30)
    rows = rows.take((rows.users % 5 > 0) | (np.diff(rows.users, prepend=-1) > 0))  # every fifth has one row
    cuts = [KFold(fold=fold, within="all").split(rows, seed=1) for fold in range(3)]
    assert len({cut.train.n_users for cut in cuts}) > 1
    fits: list[Any] = []
    for cut in cuts:
        fits.append(SplitFits(store=Any, split_key="", keys=()))  # type: ignore[arg-type]
        fits[-1].__dict__["split"] = cut
    id_of: dict[int, str] = {}
    for cut, codes in zip(cuts, shared_user_codes(fits), strict=True):
        for code, user in zip(codes.tolist(), cut.train.user_ids.values[cut.users], strict=True):
            assert id_of.setdefault(code, user) == user
    assert len(set(id_of.values())) == len(id_of)


@pytest.fixture
def split() -> Any:
    from bakeoff.splits.per_user import Random

    return Random(ratio=0.7).split(toys.blocks(60, 30), seed=3)


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
