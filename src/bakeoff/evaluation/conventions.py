"""Metrics as other libraries define them under names that they share with ours, to compare numbers.

A library's metric that is not here has our formula. Notation as in `ranking`; n is the number of items within
the first k positions of a list, N the number of candidates that are not test items. `docs/metrics.md` shows
which library uses which formula; the tests reproduce the libraries' values.
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


def _list_lengths(lists: TopK, ks: Sequence[int]) -> Array:
    """Return n, int64 [len(ks), m]."""
    n: Array = np.minimum(lists.lengths, np.asarray(ks)[:, None])
    return n


def _or_zero(numerator: Doubles, denominator: Array) -> Doubles:
    """Return the quotient, 0 where the denominator is 0."""
    quotient: Doubles = np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
    return quotient


def _with_list(lists: TopK, values: Doubles) -> Doubles:
    """Return values with NaN for users without a list, which are thereby left out of the mean."""
    return np.where(lists.lengths > 0, values, np.nan)


def _k(ks: Sequence[int]) -> Doubles:
    """Return the cutoffs as a column, float64 [len(ks), 1]."""
    return np.array(ks, dtype=np.float64)[:, None]


def _losses(inputs: EvaluationInputs) -> tuple[Array, Array]:
    """Return the row of each test item's user, and the number of other candidates that score >= it."""
    lists = inputs.lists
    if lists.above is None or lists.ties is None:
        raise Unsupported("needs the rank of every test item; the model gives lists only")
    return np.repeat(np.arange(len(lists.users)), lists.n_relevant), lists.above + lists.ties


@metric("H / k over the users that have a list", "0 to min(k, R) / k", "recommenders `precision_at_k`")
def precision_recommenders(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    return _with_list(inputs.lists, hits_at(inputs.lists, ks) / _k(ks))


@metric("H / R over the users that have a list", "0 to min(k, R) / R", "recommenders `recall_at_k`")
def recall_recommenders(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    return _with_list(inputs.lists, hits_at(inputs.lists, ks) / inputs.lists.n_relevant)


@metric("AP / R over the users that have a list", "0 to min(k, R) / R", "recommenders `map`")
def map_recommenders(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    return _with_list(inputs.lists, average_precision_at(inputs.lists, ks) / inputs.lists.n_relevant)


@metric("AP / min(k, R) over the users that have a list", "0 to 1", "recommenders `map_at_k`")
def map_at_k_recommenders(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    lists = inputs.lists
    return _with_list(lists, average_precision_at(lists, ks) / reachable(lists, ks))


@metric(
    "hits in the first min(k, R) / R over the users with such a hit",
    "0 to min(k, R) / R",
    "recommenders `r_precision_at_k`",
)
def r_precision_recommenders(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    n_hits = hits_in_first(inputs.lists, reachable(inputs.lists, ks))
    return np.where(n_hits > 0, n_hits / inputs.lists.n_relevant, np.nan)


@metric(
    "sum over users of H / sum over users of min(k, R)", "0 to 1", "implicit `precision_at_k`", per_user=False
)
def precision_implicit(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    hits, most = hits_at(inputs.lists, ks), reachable(inputs.lists, ks)
    return np.asarray(hits.sum(axis=1) / most.sum(axis=1))


@metric("AUC within the first k; each item below them counts (H + R) / 2", "0 to 1", "implicit `AUC_at_k`")
def auc_implicit(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """The negatives are all items of the catalogue but the R test items, those of the history included. A
    position without an item is a miss.
    """
    lists = inputs.lists
    r = lists.n_relevant.astype(np.float64)
    negatives, positions = lists.n_items - r, lists.hit_positions
    values = []
    for k, hits in zip(ks, hits_at(lists, ks), strict=True):
        within = positions.ranks <= k
        # A hit at rank i with j hits up to it wins against the misses below it within the first k.
        below = (k - hits[positions.rows]) - positions.misses_above
        won = np.bincount(positions.rows[within], weights=below[within], minlength=len(r))
        rest = (hits + r) / 2 * (negatives - (k - hits))
        values.append(_or_zero(won + rest, r * negatives))
    return np.stack(values)


@metric(
    "mean over test items of 1 - losses / N",
    "up to 1; ties can make it negative",
    "LightFM `auc_score`",
    cutoff=False,
)
def auc_lightfm(inputs: EvaluationInputs, ks: Sequence[int] = ()) -> Doubles:
    """Test items are sorted by the number of candidates that score as high or higher. From the i-th,
    starting at 0, i losses to other test items are subtracted, down to 0 at most. A tie is a loss. 0.5 where
    N = 0.
    """
    lists = inputs.lists
    owners, beaten = _losses(inputs)
    order = np.lexsort((beaten, owners))
    before = np.arange(len(owners)) - np.repeat(
        np.cumsum(lists.n_relevant) - lists.n_relevant, lists.n_relevant
    )
    losses = np.maximum(beaten[order] - before, 0)
    total: Doubles = np.bincount(owners, weights=losses, minlength=len(lists.users)).astype(np.float64)
    pairs = lists.n_relevant * (lists.n_candidates - lists.n_relevant).astype(np.float64)
    return np.where(pairs > 0, 1.0 - _or_zero(total, pairs), 0.5)


@metric(
    "1 / rank of the best test item in the whole ranking, behind all items of its score",
    "0 to 1",
    "LightFM `reciprocal_rank`",
    cutoff=False,
)
def reciprocal_rank_lightfm(inputs: EvaluationInputs, ks: Sequence[int] = ()) -> Doubles:
    owners, beaten = _losses(inputs)
    best = np.full(len(inputs.lists.users), np.inf)
    np.minimum.at(best, owners, beaten + 1.0)
    return 1.0 / best


@metric("DCG / IDCG(k), so below 1 where R < k", "0 to 1", "RecTools `NDCG`")
def ndcg_rectools(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    return dcg_at(inputs.lists, ks) / ideal_dcg(np.array(ks))[:, None]


@metric("AP / k", "0 to min(k, R) / k", "RecTools `MAP` with `divide_by_k`")
def map_rectools_by_k(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    return average_precision_at(inputs.lists, ks) / _k(ks)


@metric(
    "AUC of all test items against the first k misses of the whole list", "0 to 1", "RecTools `PartialAUC`"
)
def partial_auc_rectools(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """A test item outside the list loses to all misses, so the value depends on the depth of the lists."""
    lists = inputs.lists
    gains = [np.maximum(k - lists.hit_positions.misses_above, 0) for k in ks]
    won = [hits_at(lists, [lists.depth], gain)[0] for gain in gains]
    return np.stack(won) / (lists.n_relevant * _k(ks))


@metric(
    "as partial_auc_rectools, for the first min(k, R) test items of the list alone",
    "0 to 1",
    "RecTools `PAP`",
)
def pap_rectools(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    lists, positions = inputs.lists, inputs.lists.hit_positions
    gains = [np.maximum(k - positions.misses_above, 0) * (positions.ordinals <= k) for k in ks]
    won = [hits_at(lists, [lists.depth], gain)[0] for gain in gains]
    return np.stack(won) / (reachable(lists, ks) * _k(ks))


@metric(
    "mean over the list of -log2(n_i / U), n_i at least 1, U the number of train users",
    "from 0, in bits",
    "RecTools `MeanInvUserFreq`",
    kind="lists",
)
def novelty_rectools(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """U counts users with at least one train interaction."""
    n_users = np.count_nonzero(np.diff(inputs.train.train.indptr))
    rarity = -np.log2(np.maximum(inputs.train.item_users, 1) / n_users)
    return mean_over_list(inputs, ks, rarity[inputs.lists.items[:, : max(ks)]])


@metric("harmonic mean of precision and recall, 2 H / (k + R)", "0 to 1", "ranx `f1`, RecTools `F1Beta`")
def f1(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    return 2.0 * hits_at(inputs.lists, ks) / (_k(ks) + inputs.lists.n_relevant)


@metric("hits in the first R of the whole list / R", "0 to 1", "ranx `r_precision`", cutoff=False)
def r_precision_ranx(inputs: EvaluationInputs, ks: Sequence[int] = ()) -> Doubles:
    lists = inputs.lists
    return np.asarray(hits_in_first(lists, lists.n_relevant[None, :])[0] / lists.n_relevant)


@metric(
    "AUC among the items within the first k; 1 where all are hits, 0 where none is",
    "0 to 1",
    "RePlay `RocAuc`",
)
def auc_replay(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    lists, positions = inputs.lists, inputs.lists.hit_positions
    hits = hits_at(lists, ks)
    misses = _list_lengths(lists, ks) - hits
    lost = hits_at(lists, ks, positions.misses_above.astype(np.float64))
    pairs = hits * misses
    return np.where(pairs > 0, 1.0 - _or_zero(lost, pairs), (hits > 0).astype(np.float64))


@metric(
    "mean of the users' AUC weighted by R, over the users with N > 0",
    "0 to 1, 0.5 by chance",
    "RecBole `GAUC`",
    per_user=False,
    cutoff=False,
)
def auc_recbole(inputs: EvaluationInputs, ks: Sequence[int] = ()) -> Doubles:
    lists = inputs.lists
    weights = np.where(lists.n_candidates > lists.n_relevant, lists.n_relevant, 0)
    if not weights.any():
        raise Unsupported("no user has a candidate that is no test item")
    return np.array([np.average(auc(inputs), weights=weights)])


@metric("H / n, 0 for an empty list", "0 to 1", "LensKit `Precision`, irspack and RecSys2019 `precision`")
def precision_lenskit(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    return _or_zero(hits_at(inputs.lists, ks), _list_lengths(inputs.lists, ks))


@metric(
    "H / min(n, R), 0 for an empty list",
    "0 to 1",
    "RecSys2019 evaluation, precision with the smaller denominator",
)
def min_precision_recsys2019(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    lists = inputs.lists
    return _or_zero(hits_at(lists, ks), np.minimum(_list_lengths(lists, ks), lists.n_relevant))


@metric("DCG / its ideal for min(k, R), both with discount log2(max(rank, 2))", "0 to 1", "LensKit `NDCG`")
def ndcg_lenskit(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """Ranks 1 and 2 have the same weight."""
    lists = inputs.lists
    gains = 1.0 / np.log2(np.maximum(np.arange(1, lists.depth + 1), 2))
    ideal = np.concatenate(([0.0], np.cumsum(gains)))[reachable(lists, ks)]
    return hits_at(lists, ks, gains[lists.hit_positions.ranks - 1]) / ideal


@metric("AP / min(n, R), 0 for an empty list", "0 to 1", "LensKit `AveragePrecision`, RecSys2019 `map`")
def map_lenskit(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    lists = inputs.lists
    return _or_zero(average_precision_at(lists, ks), np.minimum(_list_lengths(lists, ks), lists.n_relevant))


@metric("DCG / IDCG(min(n, R)), 0 for an empty list", "0 to 1", "irspack `ndcg`")
def ndcg_irspack(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    lists = inputs.lists
    return _or_zero(dcg_at(lists, ks), ideal_dcg(np.minimum(_list_lengths(lists, ks), lists.n_relevant)))


@metric(
    "DCG / IDCG(R), the ideal not cut at k, so below 1 where R > k", "0 to 1", "RecSys2019 evaluation `ndcg`"
)
def ndcg_recsys2019(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    return dcg_at(inputs.lists, ks) / ideal_dcg(inputs.lists.n_relevant)


@metric("DCG / IDCG(H), so only the order of the hits counts", "0 to 1", "daisyRec `NDCG`")
def ndcg_daisyrec(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    ideal = ideal_dcg(hits_at(inputs.lists, ks).astype(np.int64))
    return _or_zero(dcg_at(inputs.lists, ks), ideal)


@metric("AP / H, 0 where H = 0", "0 to 1", "daisyRec `MAP`")
def map_daisyrec(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    return _or_zero(average_precision_at(inputs.lists, ks), hits_at(inputs.lists, ks))


@metric("mean of the precision at 1, 2, ..., k", "0 to 1", "Elliot `MAP`")
def map_elliot(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    precisions = np.cumsum(inputs.lists.hits[:, : max(ks)], axis=1) / np.arange(1, max(ks) + 1)
    return np.stack([precisions[:, :k].mean(axis=1) for k in ks])
