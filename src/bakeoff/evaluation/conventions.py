"""What other libraries compute under the names that they share with us: for comparing with their numbers.

A library's metric that is not here has the formula of ours. Notation as in `ranking`, and n for the number of
items within the first k places of a list, N for the number of candidates that are no test items. CellFilter
library means which is shown in `docs/metrics.md`; the tests reproduce their answers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bakeoff.arrays import Array, Doubles
from bakeoff.errors import Unsupported
from bakeoff.evaluation.beyond import mean_over_list
from bakeoff.evaluation.metric import EvaluationInputs, metric
from bakeoff.evaluation.ranking import (
    auc,
    average_precision_at,
    dcg_at,
    hits_at,
    hits_in_first,
    ideal_dcg,
    reachable,
)
from bakeoff.evaluation.topk import TopK


def _lengths(lists: TopK, ks: Sequence[int]) -> Array:
    n: Array = np.minimum(lists.lengths, np.asarray(ks)[:, None])
    return n


def _or_zero(numerator: Doubles, denominator: Array) -> Doubles:
    """Quotient, 0 where the denominator is."""
    quotient: Doubles = np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
    return quotient


def _of_served(lists: TopK, values: Doubles) -> Doubles:
    """Values of the users that have a list; NaN, so out of the mean, for the others."""
    return np.where(lists.lengths > 0, values, np.nan)


def _k(ks: Sequence[int]) -> Doubles:
    return np.array(ks, dtype=np.float64)[:, None]


def _losses(evidence: EvaluationInputs) -> tuple[Array, Array]:
    """Which list each test item belongs to, and how many other candidates score as high or higher."""
    lists = evidence.lists
    if lists.above is None or lists.ties is None:
        raise Unsupported("needs the rank of every test item; the model gives lists only")
    return np.repeat(np.arange(len(lists.users)), lists.n_relevant), lists.above + lists.ties


@metric()
def precision_recommenders(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """H / k, over the users that have a list (recommenders `precision_at_k`)."""
    return _of_served(evidence.lists, hits_at(evidence.lists, ks) / _k(ks))


@metric()
def recall_recommenders(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """H / R, over the users that have a list (recommenders `recall_at_k`)."""
    return _of_served(evidence.lists, hits_at(evidence.lists, ks) / evidence.lists.n_relevant)


@metric()
def map_recommenders(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """AP / R, over the users that have a list (recommenders `map`)."""
    return _of_served(evidence.lists, average_precision_at(evidence.lists, ks) / evidence.lists.n_relevant)


@metric()
def map_at_k_recommenders(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """AP / min(k, R), over the users that have a list (recommenders `map_at_k`)."""
    lists = evidence.lists
    return _of_served(lists, average_precision_at(lists, ks) / reachable(lists, ks))


@metric()
def r_precision_recommenders(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """Hits in the first min(k, R) / R, over users with such a hit (recommenders `r_precision_at_k`)."""
    found = hits_in_first(evidence.lists, reachable(evidence.lists, ks))
    return np.where(found > 0, found / evidence.lists.n_relevant, np.nan)


@metric(per_user=False)
def precision_implicit(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """Sum over users of H / sum over users of min(k, R) (implicit `precision_at_k`)."""
    hits, most = hits_at(evidence.lists, ks), reachable(evidence.lists, ks)
    return np.asarray(hits.sum(axis=1) / most.sum(axis=1))


@metric()
def auc_implicit(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """AUC within the first k, each item below them counted as (H + R) / 2 (implicit `AUC_at_k`).

    The negatives are all items of the catalogue but the R test items: those of the history are among them.
    A place without an item is a miss.
    """
    lists = evidence.lists
    r = lists.n_relevant.astype(np.float64)
    negatives, found = lists.n_items - r, lists.hit_positions
    values = []
    for k, hits in zip(ks, hits_at(lists, ks), strict=True):
        within = found.ranks <= k
        # A hit at rank i with j hits up to it wins against the misses below it within the first k.
        below = (k - hits[found.rows]) - (found.ranks - found.ordinals)
        won = np.bincount(found.rows[within], weights=below[within], minlength=len(r))
        rest = (hits + r) / 2 * (negatives - (k - hits))
        values.append(_or_zero(won + rest, r * negatives))
    return np.stack(values)


@metric(cutoff=False)
def auc_lightfm(evidence: EvaluationInputs, ks: Sequence[int] = ()) -> Doubles:
    """Mean over test items of 1 - losses / N (LightFM `auc_score`).

    Test items by rising number of candidates that score as high or higher; from the i-th, i from 0, i losses
    are taken off as those to other test items, but none below 0. So a tie is a loss. 0.5 where N = 0.
    """
    lists = evidence.lists
    owners, beaten = _losses(evidence)
    order = np.lexsort((beaten, owners))
    before = np.arange(len(owners)) - np.repeat(
        np.cumsum(lists.n_relevant) - lists.n_relevant, lists.n_relevant
    )
    losses = np.maximum(beaten[order] - before, 0)
    total: Doubles = np.bincount(owners, weights=losses, minlength=len(lists.users)).astype(np.float64)
    pairs = lists.n_relevant * (lists.n_candidates - lists.n_relevant).astype(np.float64)
    return np.where(pairs > 0, 1.0 - _or_zero(total, pairs), 0.5)


@metric(cutoff=False)
def reciprocal_rank_lightfm(evidence: EvaluationInputs, ks: Sequence[int] = ()) -> Doubles:
    """1 / rank of the best test item in the whole ranking, behind all that tie with it (LightFM)."""
    owners, beaten = _losses(evidence)
    best = np.full(len(evidence.lists.users), np.inf)
    np.minimum.at(best, owners, beaten + 1.0)
    return 1.0 / best


@metric()
def ndcg_rectools(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """dcg / IDCG(k), so below 1 where R < k (RecTools `NDCG` by default)."""
    return dcg_at(evidence.lists, ks) / ideal_dcg(np.array(ks))[:, None]


@metric()
def map_rectools_by_k(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """AP / k (RecTools `MAP` with `divide_by_k`)."""
    return average_precision_at(evidence.lists, ks) / _k(ks)


@metric()
def partial_auc_rectools(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """AUC of all test items against the first k misses of the whole list (RecTools `PartialAUC`).

    A test item that the list does not hold loses to all; so it depends on the depth of the lists.
    """
    lists = evidence.lists
    gains = [np.maximum(k - (lists.hit_positions.ranks - lists.hit_positions.ordinals), 0) for k in ks]
    won = [hits_at(lists, [lists.depth], gain)[0] for gain in gains]
    return np.stack(won) / (lists.n_relevant * _k(ks))


@metric()
def pap_rectools(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """As partial_auc_rectools for the first min(k, R) test items of the list alone (RecTools `PAP`)."""
    lists, found = evidence.lists, evidence.lists.hit_positions
    gains = [np.maximum(k - (found.ranks - found.ordinals), 0) * (found.ordinals <= k) for k in ks]
    won = [hits_at(lists, [lists.depth], gain)[0] for gain in gains]
    return np.stack(won) / (reachable(lists, ks) * _k(ks))


@metric()
def novelty_rectools(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """Mean over the list of -log2(n_i / U), n_i at least 1, U the number of train users with any item.

    RecTools `MeanInvUserFreq`.
    """
    n_users = np.count_nonzero(np.diff(evidence.train.train.indptr))
    rarity = -np.log2(np.maximum(evidence.train.item_users, 1) / n_users)
    return mean_over_list(evidence, ks, rarity[evidence.lists.items[:, : max(ks)]])


@metric()
def f1(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """Harmonic mean of H / k and H / R, 2 H / (k + R) (ranx `f1`, RecTools `F1Beta`)."""
    return 2.0 * hits_at(evidence.lists, ks) / (_k(ks) + evidence.lists.n_relevant)


@metric(cutoff=False)
def r_precision_ranx(evidence: EvaluationInputs, ks: Sequence[int] = ()) -> Doubles:
    """Hits in the first R of the whole list / R (ranx `r_precision`, which has no cutoff)."""
    lists = evidence.lists
    return np.asarray(hits_in_first(lists, lists.n_relevant[None, :])[0] / lists.n_relevant)


@metric()
def auc_replay(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """AUC among the items within the first k; 1 where all are hits, 0 where none is (RePlay `RocAuc`)."""
    lists, found = evidence.lists, evidence.lists.hit_positions
    hits = hits_at(lists, ks)
    misses = _lengths(lists, ks) - hits
    lost = hits_at(lists, ks, (found.ranks - found.ordinals).astype(np.float64))
    pairs = hits * misses
    return np.where(pairs > 0, 1.0 - _or_zero(lost, pairs), (hits > 0).astype(np.float64))


@metric(per_user=False, cutoff=False)
def auc_recbole(evidence: EvaluationInputs, ks: Sequence[int] = ()) -> Doubles:
    """AUC of each user weighted by R, over the users with N > 0 (RecBole `GAUC`)."""
    lists = evidence.lists
    weights = np.where(lists.n_candidates > lists.n_relevant, lists.n_relevant, 0)
    if not weights.any():
        raise Unsupported("no user has a candidate that is no test item")
    return np.array([np.average(auc(evidence), weights=weights)])


@metric()
def precision_lenskit(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """H / n, 0 for an empty list (LensKit, irspack and RecSys2019 `precision`)."""
    return _or_zero(hits_at(evidence.lists, ks), _lengths(evidence.lists, ks))


@metric()
def min_precision_recsys2019(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """H / min(n, R), 0 for an empty list (RecSys2019 evaluation, precision with the smaller denominator)."""
    lists = evidence.lists
    return _or_zero(hits_at(lists, ks), np.minimum(_lengths(lists, ks), lists.n_relevant))


@metric()
def ndcg_lenskit(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """dcg / its ideal for min(k, R), both with discount log2(max(rank, 2)): ranks 1 and 2 weigh the same.

    LensKit `NDCG`; 0 for an empty list.
    """
    lists = evidence.lists
    gains = 1.0 / np.log2(np.maximum(np.arange(1, lists.depth + 1), 2))
    ideal = np.concatenate(([0.0], np.cumsum(gains)))[reachable(lists, ks)]
    return hits_at(lists, ks, gains[lists.hit_positions.ranks - 1]) / ideal


@metric()
def map_lenskit(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """AP / min(n, R), 0 for an empty list (LensKit `AveragePrecision`, RecSys2019 `map`)."""
    lists = evidence.lists
    return _or_zero(average_precision_at(lists, ks), np.minimum(_lengths(lists, ks), lists.n_relevant))


@metric()
def ndcg_irspack(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """dcg / IDCG(min(n, R)), 0 for an empty list (irspack `ndcg`)."""
    lists = evidence.lists
    return _or_zero(dcg_at(lists, ks), ideal_dcg(np.minimum(_lengths(lists, ks), lists.n_relevant)))


@metric()
def ndcg_recsys2019(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """dcg / IDCG(R), the ideal not cut at k, so below 1 where R > k (RecSys2019 evaluation `ndcg`)."""
    return dcg_at(evidence.lists, ks) / ideal_dcg(evidence.lists.n_relevant)


@metric()
def ndcg_daisyrec(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """dcg / IDCG(H): the ideal is the same hits at the top, so only their order counts (daisyRec)."""
    ideal = ideal_dcg(hits_at(evidence.lists, ks).astype(np.int64))
    return _or_zero(dcg_at(evidence.lists, ks), ideal)


@metric()
def map_daisyrec(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """AP / H, 0 where H = 0 (daisyRec)."""
    return _or_zero(average_precision_at(evidence.lists, ks), hits_at(evidence.lists, ks))


@metric()
def map_elliot(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """Mean of the precision at 1, 2, ..., k, whether the place is a hit or not (Elliot `MAP`)."""
    precisions = np.cumsum(evidence.lists.hits[:, : max(ks)], axis=1) / np.arange(1, max(ks) + 1)
    return np.stack([precisions[:, :k].mean(axis=1) for k in ks])
