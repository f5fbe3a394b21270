from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.errors import Unsupported
from bakeoff.evaluation import beyond
from bakeoff.evaluation import stats as train_stats
from bakeoff.evaluation.metric import Metric
from evaluation.made_inputs import at_random, from_scores

KS = [1, 2, 5, 20]
METRICS = {name: metric for name, metric in vars(beyond).items() if isinstance(metric, Metric)}
seeds = st.integers(0, 10_000)


@pytest.mark.parametrize("scratch", [1, 500, 2**20])
@pytest.mark.parametrize("product", [1, 100, 2**20])
@pytest.mark.parametrize("gather", [1, 7, 2**15])
def test_the_size_of_the_blocks_does_not_change_similarities(monkeypatch, scratch, product, gather):
    names = ("diversity", "unexpectedness", "diversity_features", "serendipity_features")
    whole = {name: METRICS[name](at_random(5, m=15, n_items=40), KS) for name in names}
    for name, size in (("SCRATCH_BYTES", scratch), ("PRODUCT_SIZE", product), ("GATHER_SIZE", gather)):
        monkeypatch.setattr(train_stats, name, size)
    monkeypatch.setattr(train_stats, "WHOLE_BYTES", 0)
    inputs = at_random(5, m=15, n_items=40)
    for name, expected in whole.items():
        assert METRICS[name](inputs, KS) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(seed=seeds)
@settings(max_examples=15, deadline=None)
def test_values_stay_within_their_range(seed):
    inputs = at_random(seed, m=10, n_items=25)
    n_items, n_users = 25, 10
    highest = {"distributional_coverage": math.log2(n_items), "mean_popularity": n_users, "novelty": math.inf}
    highest |= {"gini": 1 - 1 / n_items}
    # Above 1 only where the catalogue has items that train does not hold.
    highest["catalog_coverage"] = n_items / (inputs.train.item_users > 0).sum()
    for name, metric in METRICS.items():
        values = metric(inputs, KS)
        assert (values[~np.isnan(values)] >= -1e-12).all(), name
        assert (values[~np.isnan(values)] <= highest.get(name, 1) + 1e-12).all(), name


def test_the_same_list_for_everybody_is_as_uneven_as_it_gets_and_all_items_once_are_even():
    nothing = np.zeros((4, 8), dtype=bool)
    test = np.eye(4, 8, dtype=bool)
    same = from_scores(np.tile(-np.arange(8.0), (4, 1)), nothing, test, 2)
    assert METRICS["gini"](same, [1])[0] == pytest.approx(1 - 1 / 8)
    assert METRICS["distributional_coverage"](same, [1, 2]).tolist() == [0.0, 1.0]
    scores = np.zeros((4, 8))
    for u in range(4):
        scores[u, [2 * u, 2 * u + 1]] = 1
    each = from_scores(scores, nothing, test, 2)
    assert METRICS["gini"](each, [2])[0] == pytest.approx(0.0)
    assert METRICS["distributional_coverage"](each, [2])[0] == pytest.approx(3.0)


def test_items_that_share_no_user_are_wholly_diverse_and_twins_not_at_all():
    train = np.zeros((4, 6), dtype=bool)
    train[0, [0, 1]] = train[1, [0, 1]] = train[2, [2]] = train[3, [3]] = True
    test = np.zeros((4, 6), dtype=bool)
    test[2, 0] = test[3, 2] = test[0, 5] = test[1, 5] = True
    scores = np.zeros((4, 6))
    scores[2, [0, 1]] = scores[3, [0, 2]] = 1.0
    inputs = from_scores(scores, train, test, 2)
    assert METRICS["diversity"](inputs, [2])[0, 2] == pytest.approx(0.0, abs=1e-12)
    assert METRICS["diversity"](inputs, [2])[0, 3] == 1.0


def test_a_list_of_one_item_has_no_diversity():
    assert np.isnan(METRICS["diversity"](at_random(0), [1])).all()


def test_a_user_without_a_list_or_without_history_has_no_value():
    inputs = at_random(4, unserved=3)
    without = inputs.lists.lengths == 0
    for name in ("diversity", "unexpectedness", "serendipity", "mean_popularity", "long_tail_share"):
        assert np.isnan(METRICS[name](inputs, [5])[0]).tolist() == without.tolist(), name
    train, test = np.array([[False] * 4, [True, True, False, False]]), np.eye(2, 4, k=2, dtype=bool)
    cold = from_scores(np.zeros((2, 4)), train, test, 2)
    assert np.isnan(METRICS["unexpectedness"](cold, [2])[0]).tolist() == [True, False]


def test_lists_that_are_all_empty_leave_no_mean():
    inputs = at_random(0, m=5, unserved=5)
    for name in ("novelty", "gini"):
        assert np.isnan(METRICS[name](inputs, [5])).all(), name
    assert METRICS["catalog_coverage"](inputs, [5]).tolist() == [0.0]


def test_similarity_of_features_needs_features():
    train, test = np.eye(3, 6, dtype=bool), np.eye(3, 6, k=1, dtype=bool)
    inputs = from_scores(np.zeros((3, 6)), train, test, 3)
    for name in ("diversity_features", "unexpectedness_features", "serendipity_features"):
        with pytest.raises(Unsupported, match="needs item features"):
            METRICS[name](inputs, [3])


def test_values_of_the_interactions_do_not_change_what_is_alike():
    plain = at_random(7)
    loud = at_random(7)
    loud.train.train.data[:] = np.arange(1, len(loud.train.train.data) + 1)
    assert METRICS["diversity"](loud, KS) == pytest.approx(METRICS["diversity"](plain, KS), nan_ok=True)
    assert METRICS["novelty"](loud, KS) == pytest.approx(METRICS["novelty"](plain, KS))
