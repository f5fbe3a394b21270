from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from bakeoff.errors import ModelError
from bakeoff.models import static
from bakeoff.models.base import Ranked
from bakeoff.models.static import StaticModel
from bakeoff.models.topk import ScoringModel


class Fixed(StaticModel):
    def __init__(self, scores: np.ndarray) -> None:
        self.item_scores = np.asarray(scores, np.float32)


class Scored(ScoringModel):
    """The same scores, ranked by the pass over the whole catalogue."""

    def __init__(self, scores: np.ndarray) -> None:
        self.item_scores = np.asarray(scores, np.float32)

    def scores(self, users: np.ndarray, history: object) -> np.ndarray:
        return np.tile(self.item_scores, (len(users), 1))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 25), st.integers(0, 30))
def test_positions_give_what_scores_give(seed: int, n_users: int, n_items: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, rng.integers(1, 30), n_items)
    kinds = rng.choice(3, (n_users, n_items))
    history, targets = (sparse.csr_matrix((kinds == kind).astype(np.float32)) for kind in (1, 2))
    users = np.arange(n_users, dtype=np.int32)
    found = Fixed(scores).rank(users, history, k, targets)
    expected = Scored(scores).rank(users, history, k, targets)
    for name in Ranked._fields:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)
        assert getattr(found, name).dtype == getattr(expected, name).dtype


def test_lists_do_not_depend_on_how_users_are_cut_into_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    model = Fixed(rng.integers(0, 9, 40))
    history = sparse.random(30, 40, 0.3, "csr", dtype=np.float32, random_state=3)
    users = np.arange(30, dtype=np.int32)
    whole = model.recommend(users, history, 6)[0]
    monkeypatch.setattr(static, "BLOCK_ENTRIES", 50)
    np.testing.assert_array_equal(model.recommend(users, history, 6)[0], whole)


def test_a_score_that_is_not_finite_is_refused() -> None:
    history = sparse.csr_matrix((1, 3), dtype=np.float32)
    with pytest.raises(ModelError, match="Fixed: the score of item 1 is not finite"):
        Fixed(np.array([1, np.inf, 2])).recommend(np.zeros(1, np.int32), history, 2)
