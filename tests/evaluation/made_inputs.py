"""Inputs of metrics made from scores or lists; the rank of every test item is counted by brute force."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from bakeoff.data.interactions import Features
from bakeoff.evaluation.metric import EvaluationInputs
from bakeoff.evaluation.stats import TrainStats
from bakeoff.evaluation.topk import TopK


def from_scores(
    scores: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    depth: int,
    *,
    without_list: Sequence[int] = (),
    item_features: np.ndarray | None = None,
    values: np.ndarray | None = None,
    predicted: np.ndarray | None = None,
) -> EvaluationInputs:
    """Return the inputs for a model with these scores [m, I]; train and test are boolean [m, I]."""
    m, n_items = scores.shape
    scores = scores.astype(np.float32)
    items = np.full((m, depth), -1, dtype=np.int32)
    listed = np.full((m, depth), -np.inf, dtype=np.float32)
    above, ties = [], []
    for u in range(m):
        candidates = [i for i in range(n_items) if not train[u, i]]
        best = sorted(candidates, key=lambda i: (-scores[u, i], i))[:depth]
        if u not in without_list:
            items[u, : len(best)] = best
            listed[u, : len(best)] = scores[u, best]
        for i in np.flatnonzero(test[u]):
            others = [j for j in candidates if j != i]
            above.append(sum(scores[u, j] > scores[u, i] for j in others))
            ties.append(sum(scores[u, j] == scores[u, i] for j in others))
    history = sparse.csr_matrix(train.astype(np.float32))
    relevant = sparse.csr_matrix(test.astype(np.float32))
    if values is not None:
        relevant.data[:] = values
    lists = TopK.build(
        np.arange(m, dtype=np.int32),
        items,
        listed,
        history=history,
        test=relevant,
        above=np.array(above, dtype=np.int32),
        ties=np.array(ties, dtype=np.int32),
    )
    features = None
    if item_features is not None:
        names = tuple(f"f{j}" for j in range(item_features.shape[1]))
        features = Features(sparse.csr_matrix(item_features.astype(np.float32)), names)
    return EvaluationInputs(lists, relevant, history, TrainStats(history, features), predicted)


def at_random(
    seed: int,
    m: int = 40,
    n_items: int = 60,
    depth: int = 20,
    *,
    levels: int | None = None,
    unserved: int = 2,
) -> EvaluationInputs:
    """Random train, test and scores; popular items first, short and long tests, some users without a list.

    With `levels` scores take so few values that they tie.
    """
    rng = np.random.default_rng(seed)
    popular = 1.0 / np.arange(1, n_items + 1) ** 0.6
    state = rng.random((m, n_items))
    train = state < 0.4 * popular
    test = ~train & (state < 0.4 * popular + 0.25 * popular)
    for u in range(m):  # everybody has something to find, and something that was known
        free = np.flatnonzero(~train[u])
        test[u, rng.choice(free, 1 + u % 3, replace=False)] = True
        if not train[u].any():
            train[u, np.flatnonzero(~test[u])[0]] = True
    scores = test * 0.7 + popular + rng.random((m, n_items))
    if levels:
        scores = np.floor(scores * levels)
    return from_scores(
        scores,
        train,
        test,
        depth,
        without_list=rng.choice(m, unserved, replace=False).tolist(),
        item_features=(rng.random((n_items, 5)) < 0.4) * rng.random((n_items, 5)),
    )


def toy() -> EvaluationInputs:
    """Five users, twelve items, k = 3, on which fifteen libraries gave their answers (docs/metrics.md).

    What the lists do not hold ranks below them by item code; the last user has no list at all.
    """
    truth = [{0, 1}, {0, 1, 2, 3, 4}, {5}, {6, 7}, {8}]
    lists = [[0, 9, 1], [2, 3, 9], [0, 1, 2], [6], []]
    test = np.array([[i in t for i in range(12)] for t in truth])
    history = np.zeros((5, 12), dtype=bool)
    ranks = [listed + [i for i in range(12) if i not in listed] for listed in lists]
    scores = np.array([[-float(order.index(i)) for i in range(12)] for order in ranks])
    whole = from_scores(scores, history, test, 3)
    items, listed_scores = whole.lists.items.copy(), whole.lists.scores.copy()
    for u, listed in enumerate(lists):
        items[u, len(listed) :], listed_scores[u, len(listed) :] = -1, -np.inf
    built = TopK.build(
        whole.lists.users,
        items,
        listed_scores,
        history=whole.history,
        test=whole.test,
        above=whole.lists.above,
        ties=whole.lists.ties,
    )
    return EvaluationInputs(built, whole.test, whole.history, whole.train)
