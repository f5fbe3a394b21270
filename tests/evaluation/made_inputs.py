"""Inputs of metrics made from scores or lists; the rank of every test item is counted by brute force."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from bakeoff.data.interactions import Features
from bakeoff.evaluation.metric import EvaluationInputs
from bakeoff.evaluation.stats import TrainStats
from bakeoff.evaluation.topk import TopK
from bakeoff.queries.conventions import toy_inputs as toy

__all__ = ["at_random", "from_scores", "toy", "with_short_lists"]


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
    short: bool = False,
) -> EvaluationInputs:
    """Random train, test and scores; popular items first, short and long tests, some users without a list.

    With `levels` scores take so few values that they tie; with `short` every other list ends early.
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
    inputs = from_scores(
        scores,
        train,
        test,
        depth,
        without_list=rng.choice(m, unserved, replace=False).tolist(),
        item_features=(rng.random((n_items, 5)) < 0.4) * rng.random((n_items, 5)),
    )
    return with_short_lists(inputs) if short else inputs


def with_short_lists(inputs: EvaluationInputs) -> EvaluationInputs:
    """Return the inputs with the list of every other user cut to between one item and all."""
    lists = inputs.lists
    lengths = np.where(lists.users % 2, 1 + lists.users * 7 % lists.depth, lists.depth)
    beyond = np.arange(lists.depth) >= lengths[:, None]
    items, scores = lists.items.copy(), lists.scores.copy()
    items[beyond], scores[beyond] = -1, -np.inf
    built = TopK.build(
        lists.users,
        items,
        scores,
        history=inputs.history,
        test=inputs.test,
        above=lists.above,
        ties=lists.ties,
    )
    return EvaluationInputs(built, inputs.test, inputs.history, inputs.train, inputs.predicted)
