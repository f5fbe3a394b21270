"""Ask a fitted model for the lists of a split's users: the same way in a test and inside tuning."""

from __future__ import annotations

import numpy as np

from bakeoff.arrays import Array, Floats
from bakeoff.errors import ModelError
from bakeoff.evaluation.metric import EvaluationInputs
from bakeoff.evaluation.stats import TrainStats
from bakeoff.evaluation.topk import TopK
from bakeoff.models.base import Model, PredictsValues, RanksTargets
from bakeoff.splits.base import Split

USERS_AT_ONCE = 8192
"""Users a model is asked for in one call; it bounds the copy of their histories, not the result."""


def recommend(model: Model, split: Split, depth: int, *, ranked: bool = True) -> tuple[TopK, Floats | None]:
    """Ask a fitted model once for the lists of every evaluated user, to `depth` or the whole catalogue.

    ranked: whether to rank the test items too, which costs more than short lists do.

    Returns the checked lists, and float32 [t] predicted values of the test pairs (None where the model
    predicts none).
    """
    depth = min(depth, split.train.n_items)
    parts: list[tuple[Array, ...]] = []
    for start in range(0, len(split.users), USERS_AT_ONCE):
        users = split.users[start : start + USERS_AT_ONCE]
        history = split.history[users]
        if ranked and isinstance(model, RanksTargets):
            parts.append(model.rank(users, history, depth, split.test[users]))
        else:
            parts.append(model.recommend(users, history, depth))
    items, scores, *ranks = (np.concatenate(column) for column in zip(*parts, strict=True))
    above, ties = ranks or (None, None)
    test = split.test[split.users]
    lists = TopK.build(
        split.users, items, scores, history=split.history[split.users], test=test, above=above, ties=ties
    )
    if len(lists.users) and not lists.lengths.any():
        raise ModelError(f"the lists of all {len(lists.users)} users are empty: expected at least one item")
    predicted = None
    if isinstance(model, PredictsValues):
        predicted = model.predict(np.repeat(split.users, np.diff(test.indptr)), test.indices)
    return lists, predicted


def evaluation_inputs(
    lists: TopK, predicted: Floats | None, split: Split, stats: TrainStats
) -> EvaluationInputs:
    """Return the inputs of metrics for the evaluated users of a split."""
    return EvaluationInputs(lists, split.test[split.users], split.history[split.users], stats, predicted)
