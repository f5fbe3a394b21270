"""Accuracy metrics: one value per user, for every cutoff from the same hits.

Notation: k the cutoff, R the number of the user's test items, h_i = 1 if the item at rank i is one of them,
else 0; H = sum of h_i over the first k, DCG = sum of h_i / log2(i + 1) over the first k, IDCG(n) the DCG of n
hits at the top, AP = sum over the first k of h_i * (hits up to rank i) / i. A position without an item is a
miss, so a user without a list has 0. Every test user is in the mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bakeoff.arrays import Array, Doubles
from bakeoff.errors import Unsupported
from bakeoff.evaluation.metric import EvaluationInputs, metric
from bakeoff.evaluation.topk import TopK


def hits_at(lists: TopK, ks: Sequence[int], weights: Array | None = None) -> Doubles:
    """Return each list's number of hits (or the sum of their weights [h]) within k, float64 [len(ks), m]."""
    hits, m = lists.hit_positions, len(lists.users)
    sums = np.empty((len(ks), m))
    for row, k in zip(sums, ks, strict=True):
        within = hits.ranks <= k
        row[:] = np.bincount(
            hits.rows[within], weights=None if weights is None else weights[within], minlength=m
        )
    return sums


def dcg_at(lists: TopK, ks: Sequence[int]) -> Doubles:
    """Return the discounted cumulative gain with binary relevance, float64 [len(ks), m]."""
    return hits_at(lists, ks, 1.0 / np.log2(lists.hit_positions.ranks + 1.0))


def ideal_dcg(counts: Array) -> Doubles:
    """Return IDCG(n), the DCG of n hits at the top, for each n in counts (integers >= 0)."""
    gains = 1.0 / np.log2(np.arange(2, int(counts.max(initial=0)) + 2))
    ideal: Doubles = np.concatenate(([0.0], np.cumsum(gains)))[counts]
    return ideal


def average_precision_at(lists: TopK, ks: Sequence[int]) -> Doubles:
    """Return AP, the sum over hits of the precision at their rank, float64 [len(ks), m]."""
    return hits_at(lists, ks, lists.hit_positions.ordinals / lists.hit_positions.ranks)


def reachable(lists: TopK, ks: Sequence[int]) -> Array:
    """Return min(k, R), the most hits that a list of k items can have, int64 [len(ks), m]."""
    counts: Array = np.minimum(np.asarray(ks, dtype=np.int64)[:, None], lists.n_relevant)
    return counts


def first_hit_rank(lists: TopK) -> Doubles:
    """Return the rank of the first hit in the whole list, float64 [m]; infinite if there is none."""
    ranks = np.full(len(lists.users), np.inf)
    hits = lists.hit_positions
    first = hits.ordinals == 1
    ranks[hits.rows[first]] = hits.ranks[first]
    return ranks


@metric(
    "H / k",
    "0 to min(k, R) / k",
    'Herlocker et al. 2004, "Evaluating collaborative filtering recommender systems", ACM TOIS 22(1)',
)
def precision(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    return hits_at(inputs.lists, ks) / np.array(ks, dtype=np.float64)[:, None]


@metric(
    "H / R",
    "0 to min(k, R) / R",
    'Herlocker et al. 2004, "Evaluating collaborative filtering recommender systems", ACM TOIS 22(1)',
)
def recall(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    return hits_at(inputs.lists, ks) / inputs.lists.n_relevant


@metric(
    "H / min(k, R)",
    "0 to 1",
    'Liang et al. 2018, "Variational autoencoders for collaborative filtering", WWW, as Recall@k',
)
def recall_capped(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    return hits_at(inputs.lists, ks) / reachable(inputs.lists, ks)


@metric(
    "1 if H > 0, else 0",
    "0 to 1",
    'Deshpande and Karypis 2004, "Item-based top-N recommendation algorithms", ACM TOIS 22(1)',
)
def hit_rate(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    return np.asarray(first_hit_rank(inputs.lists) <= np.asarray(ks)[:, None], dtype=np.float64)


@metric(
    "DCG / IDCG(min(k, R)) with binary relevance",
    "0 to 1",
    'Järvelin and Kekäläinen 2002, "Cumulated gain-based evaluation of IR techniques", ACM '
    "TOIS 20(4), with the discount log2(rank + 1)",
)
def ndcg(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """The base of the logarithm cancels out."""
    return dcg_at(inputs.lists, ks) / ideal_dcg(reachable(inputs.lists, ks))


@metric("AP / min(k, R)", "0 to 1", "implicit, RePlay and RecBole")
def map(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:  # noqa: A001 - the name that tables use
    """A list of k hits scores 1, also where R > k."""
    return average_precision_at(inputs.lists, ks) / reachable(inputs.lists, ks)


@metric(
    "AP / R",
    "0 to min(k, R) / R",
    'Manning, Raghavan and Schütze 2008, "Introduction to Information Retrieval", section 8.4, cut at k',
)
def map_r(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    return average_precision_at(inputs.lists, ks) / inputs.lists.n_relevant


@metric(
    "1 / rank of the first hit within the first k, 0 without a hit",
    "0 to 1",
    'Voorhees 1999, "The TREC-8 question answering track report", cut at k',
)
def mrr(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    ranks = first_hit_rank(inputs.lists)
    return np.where(ranks <= np.asarray(ks)[:, None], 1.0 / ranks, 0.0)


@metric(
    "hits in the first min(k, R) / min(k, R)",
    "0 to 1",
    'Manning, Raghavan and Schütze 2008, "Introduction to Information Retrieval", section '
    "8.4, with R capped at k",
)
def r_precision(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    return hits_in_first(inputs.lists, reachable(inputs.lists, ks)) / reachable(inputs.lists, ks)


def hits_in_first(lists: TopK, counts: Array) -> Doubles:
    """Return the number of hits among the first counts[., u] items of user u; both [n, m], float64."""
    hits = lists.hit_positions
    within = hits.ranks <= counts[:, hits.rows]
    return np.stack([np.bincount(hits.rows[w], minlength=len(lists.users)) for w in within]).astype(float)


@metric(
    "share of pairs (test item, other candidate) in which the test item scores higher; a tie counts half",
    "0 to 1, 0.5 by chance",
    'Rendle et al. 2009, "BPR: Bayesian personalized ranking from implicit feedback", UAI, section 6.2',
    cutoff=False,
)
def auc(inputs: EvaluationInputs, ks: Sequence[int] = ()) -> Doubles:
    """Candidates are the items outside the user's history; other candidates are those that are not test
    items. The whole ranking counts, whatever k. 0.5 for a user without another candidate.

    Raises:
        Unsupported: the model does not give the rank of its test items among all candidates.
    """
    lists = inputs.lists
    if lists.above is None or lists.ties is None:
        raise Unsupported("needs the rank of every test item; the model gives lists only")
    return auc_of_losses(lists, lists.above + 0.5 * lists.ties)


def auc_of_losses(lists: TopK, losses: Doubles) -> Doubles:
    """Return the AUC of each user, float64 [m].

    Args:
        losses: float64 [t], the number of candidates that each test item loses to, other test items included:
            R (R - 1) / 2 losses of a user, which are subtracted.
    """
    r = lists.n_relevant.astype(np.float64)
    owners = np.repeat(np.arange(len(r)), lists.n_relevant)
    lost = np.bincount(owners, weights=losses, minlength=len(r)) - r * (r - 1) / 2
    pairs = r * (lists.n_candidates - r)
    return np.where(pairs > 0, 1.0 - lost / np.maximum(pairs, 1.0), 0.5)
