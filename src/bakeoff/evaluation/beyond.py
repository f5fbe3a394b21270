"""What the lists are like beside being right: spread over the catalogue, popularity, novelty, likeness.

The meaning of coverage, novelty, diversity, unexpectedness and serendipity is that of recommenders 1.2.1
(`evaluation/python_evaluation.py`). Notation: k the cutoff, L the items in the first k places of a user's
list and n their number, H the user's history, n_i how many train users have item i, N the number of train
pairs, I the number of items in the catalogue, x_i in how many lists item i is within the first k.

A user without a list, or without what a formula divides by, has no value here and is not in the mean:
nothing can be said of the character of a list that does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bakeoff.arrays import Array, Doubles
from bakeoff.errors import Unsupported
from bakeoff.evaluation.metric import EvaluationInputs, metric
from bakeoff.evaluation.similarity import Closeness, ItemCosine


def exposure_at(evidence: EvaluationInputs, ks: Sequence[int]) -> Array:
    """int64 [len(ks), I]: x, in how many lists each item is within the first k."""

    def count() -> Array:
        items, width = evidence.lists.items, evidence.lists.n_items
        # Pads are counted in place 0, which is cut off.
        return np.stack([np.bincount((items[:, :k] + 1).ravel(), minlength=width + 1)[1:] for k in ks])

    return evidence.once(("exposure", tuple(ks)), count)


def mean_over_list(evidence: EvaluationInputs, ks: Sequence[int], values: Doubles) -> Doubles:
    """float64 [len(ks), m]: mean of values (float64 [m, max(ks)]) over the items of L; NaN without a list."""
    lists = evidence.lists
    listed = lists.items[:, : max(ks)] >= 0
    sums = np.cumsum(np.where(listed, values, 0.0), axis=1)
    return np.stack([_divided(sums[:, k - 1], np.minimum(lists.lengths, k)) for k in ks])


def _divided(sums: Doubles, counts: Array) -> Doubles:
    quotients: Doubles = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
    return quotients


@metric(per_user=False)
def catalog_coverage(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """Items that stand in any list / items that train holds. Range 0 to 1; higher means more of them.

    Above 1 only where a split keeps items in the catalogue that train does not hold.
    Source: Shani and Gunawardana 2010, "Evaluating recommendation systems", section 8.3.3.
    """
    in_train = np.count_nonzero(evidence.train.item_users)
    return np.asarray(np.count_nonzero(exposure_at(evidence, ks), axis=1) / in_train)


@metric(per_user=False)
def distributional_coverage(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """Entropy in bits of the share x_i / sum of x that each item has of all places. Range 0 to log2(I).

    Higher means that places are spread more evenly. Source: Shani and Gunawardana 2010, formula 21.
    """
    entropies = []
    for counts in exposure_at(evidence, ks):
        shares = counts[counts > 0] / max(int(counts.sum()), 1)
        entropies.append(-float(np.sum(shares * np.log2(shares))))
    return np.array(entropies)


@metric(higher_is_better=False, per_user=False)
def gini(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """Gini index of x over all I items: sum of (2 r - I - 1) x_(r) / (I sum of x), x_(r) ascending.

    Range 0 (every item stands in as many lists) to 1 - 1 / I (one item fills all); lower means more even.
    NaN where all lists are empty. Source: Fleder and Hosanagar 2009, "Blockbuster culture's next rise or
    fall", Management Science 55(5); over the whole catalogue as in Shani and Gunawardana 2010.
    """
    x = np.sort(exposure_at(evidence, ks), axis=1)
    n = x.shape[1]
    weighted = x @ (2.0 * np.arange(1, n + 1) - n - 1)
    return _divided(weighted, n * x.sum(axis=1))


@metric(per_user=False)
def novelty(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """Mean over all places of all lists of -log2(n_i / N), in bits. Range 0 upwards; higher means rarer.

    An item that train does not hold adds 0, as in recommenders. NaN where all lists are empty. Source:
    Castells, Vargas and Wang 2011, "Novelty and diversity metrics for recommender systems", ECIR workshop,
    with the item choice model.
    """
    counts = evidence.train.item_users
    rarity = np.zeros(len(counts))
    rarity[counts > 0] = -np.log2(counts[counts > 0] / counts.sum())
    x = exposure_at(evidence, ks)
    return _divided(x @ rarity, x.sum(axis=1))


@metric(higher_is_better=None)
def mean_popularity(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """Mean of n_i over L. Range 0 to the number of users, in train users an item; neither end is the goal.

    Source: Yin et al. 2012, "Challenging the long tail recommendation", VLDB; named average recommendation
    popularity (ARP) in Abdollahpouri et al. 2019.
    """
    counts = evidence.train.item_users.astype(np.float64)
    return mean_over_list(evidence, ks, counts[evidence.lists.items[:, : max(ks)]])


@metric(higher_is_better=None)
def long_tail_share(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """Share of L that lies in the long tail. Range 0 to 1; neither end is the goal.

    The tail is what is left of the catalogue without the short head, the fewest items that together hold 80 %
    of train's pairs. Source: average percentage of long tail items (APLT), Abdollahpouri, Burke and Mobasher
    2019, "Managing popularity bias in recommender systems with personalized re-ranking", FLAIRS.
    """
    tail = evidence.train.long_tail.astype(np.float64)
    return mean_over_list(evidence, ks, tail[evidence.lists.items[:, : max(ks)]])


@metric()
def diversity(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """1 - mean cosine of the pairs of items in L, by the users they share: c_ij / sqrt(n_i n_j).

    c_ij is the number of train users that have both. Range 0 to 1; higher means less alike. NaN where n < 2.
    Source: Ziegler et al. 2005, "Improving recommendation lists through topic diversification", WWW; Zhang et
    al. 2012, "Auralist", WSDM, formula 3.
    """
    return _diversity(evidence, ks, "users")


@metric()
def diversity_features(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """As diversity, the cosine being that of the items' features. Range 0 to 1 where no feature is negative.

    Raises:
        Unsupported: the items have no features.
    """
    return _diversity(evidence, ks, "features")


@metric()
def unexpectedness(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """Mean over L of 1 - mean cosine of the item with the items of H, by the users they share.

    Range 0 to 1; higher means further from what the user has had. NaN where H or L is empty. Source: Zhang et
    al. 2012, "Auralist", WSDM, formula 6; what recommenders calls serendipity without a relevance column.
    """
    return mean_over_list(evidence, ks, _unexpected(evidence, ks, "users"))


@metric()
def unexpectedness_features(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """As unexpectedness, the cosine being that of the items' features.

    Raises:
        Unsupported: the items have no features.
    """
    return mean_over_list(evidence, ks, _unexpected(evidence, ks, "features"))


@metric()
def serendipity(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """Mean over L of (1 - mean cosine of the item with the items of H) where the item is a hit, else 0.

    Range 0 to the share of hits in L, higher is better. NaN where H or L is empty. Source: as unexpectedness,
    with relevance = being a test item.
    """
    return mean_over_list(evidence, ks, _unexpected(evidence, ks, "users") * _hits(evidence, ks))


@metric()
def serendipity_features(evidence: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """As serendipity, the cosine being that of the items' features.

    Raises:
        Unsupported: the items have no features.
    """
    return mean_over_list(evidence, ks, _unexpected(evidence, ks, "features") * _hits(evidence, ks))


def _diversity(evidence: EvaluationInputs, ks: Sequence[int], kind: str) -> Doubles:
    likeness = np.cumsum(_closeness(evidence, ks, kind).above, axis=1)
    n = np.minimum(evidence.lists.lengths, np.asarray(ks)[:, None])
    return 1.0 - np.stack([_divided(likeness[:, k - 1], c * (c - 1) / 2) for k, c in zip(ks, n, strict=True)])


def _unexpected(evidence: EvaluationInputs, ks: Sequence[int], kind: str) -> Doubles:
    return 1.0 - _closeness(evidence, ks, kind).history


def _hits(evidence: EvaluationInputs, ks: Sequence[int]) -> Array:
    return evidence.lists.hits[:, : max(ks)]


def _closeness(evidence: EvaluationInputs, ks: Sequence[int], kind: str) -> Closeness:
    similarity: ItemCosine | None = (
        evidence.train.cooccurrence if kind == "users" else evidence.train.feature_similarity
    )
    if similarity is None:
        raise Unsupported("needs item features; the data set has none")
    return evidence.once(
        ("closeness", kind, max(ks)),
        lambda: similarity.closeness(evidence.lists, evidence.history, max(ks)),
    )
