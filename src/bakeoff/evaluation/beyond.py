"""Beyond-accuracy metrics: coverage, popularity, novelty, diversity, unexpectedness, serendipity.

Coverage, novelty, diversity, unexpectedness and serendipity are those of recommenders 1.2.1
(`evaluation/python_evaluation.py`). Notation: k the cutoff, L the items in the first k positions of a user's
list and n their number, n_i the number of train users of item i, P the number of pairs in train, I the number
of items in the catalogue, x_i the number of lists that have item i within the first k.

A user without a list, or for whom a denominator is 0, has no value and is not in the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from bakeoff.arrays import Array, Doubles
from bakeoff.errors import Unsupported
from bakeoff.evaluation.metric import EvaluationInputs, metric
from bakeoff.evaluation.stats import Closeness, ItemCosine

list_metric = partial(metric, kind="lists")


def exposure_at(inputs: EvaluationInputs, ks: Sequence[int]) -> Array:
    """Return x, the number of lists that have each item within the first k, int64 [len(ks), I]."""

    def count() -> Array:
        items, width = inputs.lists.items, inputs.lists.n_items
        # Pads (-1) are counted in column 0, which is dropped.
        return np.stack([np.bincount((items[:, :k] + 1).ravel(), minlength=width + 1)[1:] for k in ks])

    return inputs.once(("exposure", tuple(ks)), count)


def mean_over_list(inputs: EvaluationInputs, ks: Sequence[int], values: Doubles) -> Doubles:
    """Return the mean over L of values (float64 [m, max(ks)]), float64 [len(ks), m]; NaN without a list."""
    lists = inputs.lists
    listed = lists.items[:, : max(ks)] >= 0
    sums = np.cumsum(np.where(listed, values, 0.0), axis=1)
    return np.stack([_divided(sums[:, k - 1], np.minimum(lists.lengths, k)) for k in ks])


def _divided(sums: Doubles, counts: Array) -> Doubles:
    quotients: Doubles = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
    return quotients


@list_metric(
    "items in any list / items in train",
    "0 to 1",
    'Shani and Gunawardana 2010, "Evaluating recommendation systems", section 8.3.3',
    per_user=False,
)
def catalog_coverage(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """Above 1 only where a split keeps items in the catalogue that train does not hold."""
    in_train = np.count_nonzero(inputs.train.item_users)
    return np.asarray(np.count_nonzero(exposure_at(inputs, ks), axis=1) / in_train)


@list_metric(
    "entropy of the exposure: - sum of p_i log2 p_i, p_i = x_i / sum of x",
    "0 to log2(I), in bits",
    'Shani and Gunawardana 2010, "Evaluating recommendation systems", formula 21',
    per_user=False,
)
def distributional_coverage(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    entropies = []
    for counts in exposure_at(inputs, ks):
        shares = counts[counts > 0] / max(int(counts.sum()), 1)
        entropies.append(-float(np.sum(shares * np.log2(shares))))
    return np.array(entropies)


@list_metric(
    "Gini index of the exposure: sum over r of (2 r - I - 1) x_(r) / (I * sum of x), x_(r) "
    "ascending over all I items",
    "0 (all items equally often) to 1 - 1 / I (one item only)",
    'Fleder and Hosanagar 2009, "Blockbuster culture\'s next rise or fall", Management Science'
    " 55(5); over the whole catalogue as in Shani and Gunawardana 2010",
    higher_is_better=False,
    per_user=False,
)
def gini(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """NaN where all lists are empty."""
    x = np.sort(exposure_at(inputs, ks), axis=1)
    n = x.shape[1]
    weighted = x @ (2.0 * np.arange(1, n + 1) - n - 1)
    return _divided(weighted, n * x.sum(axis=1))


@list_metric(
    "mean over all positions of all lists of -log2(n_i / P)",
    "from 0, in bits",
    'Castells, Vargas and Wang 2011, "Novelty and diversity metrics for recommender systems",'
    " ECIR workshop, item choice model",
    per_user=False,
)
def novelty(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """An item that train does not hold adds 0, as in recommenders. NaN where all lists are empty."""
    counts = inputs.train.item_users
    rarity = np.zeros(len(counts))
    rarity[counts > 0] = -np.log2(counts[counts > 0] / counts.sum())
    x = exposure_at(inputs, ks)
    return _divided(x @ rarity, x.sum(axis=1))


@list_metric(
    "mean of n_i over the list",
    "0 to the number of users, in train users per item",
    'Yin et al. 2012, "Challenging the long tail recommendation", VLDB; average '
    "recommendation popularity (ARP) in Abdollahpouri et al. 2019",
    higher_is_better=None,
)
def mean_popularity(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    counts = inputs.train.item_users.astype(np.float64)
    return mean_over_list(inputs, ks, counts[inputs.lists.items[:, : max(ks)]])


@list_metric(
    "share of the list's items that are in the long tail",
    "0 to 1",
    "average percentage of long tail items (APLT) in Abdollahpouri, Burke and Mobasher 2019, "
    '"Managing popularity bias in recommender systems with personalized re-ranking", FLAIRS',
    higher_is_better=None,
)
def long_tail_share(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """The long tail is the catalogue without the short head, the fewest items that together hold 80 % of the
    pairs in train.
    """
    tail = inputs.train.long_tail.astype(np.float64)
    return mean_over_list(inputs, ks, tail[inputs.lists.items[:, : max(ks)]])


@list_metric(
    "1 - mean of s(i, j) over the pairs of the list, s the cosine by users",
    "0 to 1",
    'Ziegler et al. 2005, "Improving recommendation lists through topic diversification", '
    'WWW; Zhang et al. 2012, "Auralist", WSDM, formula 3',
)
def diversity(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """NaN for a list of fewer than two items."""
    return _diversity(inputs, ks, "users")


@list_metric(
    "as diversity, s the cosine of the items' features",
    "0 to 1 where no feature is negative",
    "as diversity",
    optional=True,
)
def diversity_features(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """Raises:
    Unsupported: the items have no features.
    """
    return _diversity(inputs, ks, "features")


@list_metric(
    "mean over the list of 1 - mean of s(i, j), j in the user's history, s the cosine by users",
    "0 to 1",
    'Zhang et al. 2012, "Auralist: introducing serendipity into music recommendation", WSDM, '
    "formula 6; serendipity in recommenders without a relevance column",
)
def unexpectedness(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """NaN for an empty list or an empty history."""
    return mean_over_list(inputs, ks, _unexpected(inputs, ks, "users"))


@list_metric(
    "as unexpectedness, s the cosine of the items' features",
    "0 to 1 where no feature is negative",
    "as unexpectedness",
    optional=True,
)
def unexpectedness_features(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """Raises:
    Unsupported: the items have no features.
    """
    return mean_over_list(inputs, ks, _unexpected(inputs, ks, "features"))


@list_metric(
    "as unexpectedness, items that are not hits counting 0",
    "0 to H / n",
    'Zhang et al. 2012, "Auralist: introducing serendipity into music recommendation", WSDM, '
    "with relevance = being a test item",
)
def serendipity(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """NaN for an empty list or an empty history."""
    return mean_over_list(inputs, ks, _unexpected(inputs, ks, "users") * _hits(inputs, ks))


@list_metric(
    "as serendipity, s the cosine of the items' features",
    "0 to H / n where no feature is negative",
    "as serendipity",
    optional=True,
)
def serendipity_features(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
    """Raises:
    Unsupported: the items have no features.
    """
    return mean_over_list(inputs, ks, _unexpected(inputs, ks, "features") * _hits(inputs, ks))


def _diversity(inputs: EvaluationInputs, ks: Sequence[int], kind: str) -> Doubles:
    likeness = np.cumsum(_closeness(inputs, ks, kind).above, axis=1)
    n = np.minimum(inputs.lists.lengths, np.asarray(ks)[:, None])
    return 1.0 - np.stack([_divided(likeness[:, k - 1], c * (c - 1) / 2) for k, c in zip(ks, n, strict=True)])


def _unexpected(inputs: EvaluationInputs, ks: Sequence[int], kind: str) -> Doubles:
    return 1.0 - _closeness(inputs, ks, kind).history


def _hits(inputs: EvaluationInputs, ks: Sequence[int]) -> Array:
    return inputs.lists.hits[:, : max(ks)]


def _closeness(inputs: EvaluationInputs, ks: Sequence[int], kind: str) -> Closeness:
    similarity: ItemCosine | None = (
        inputs.train.cooccurrence if kind == "users" else inputs.train.feature_similarity
    )
    if similarity is None:
        raise Unsupported("needs item features; the data set has none")
    return inputs.once(
        ("closeness", kind, max(ks)),
        lambda: similarity.closeness(inputs.lists, inputs.history, max(ks)),
    )
