from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from bakeoff.errors import Unsupported
from bakeoff.evaluation import ranking
from bakeoff.evaluation.metric import Metric
from evaluation.made_inputs import at_random, from_scores, toy

KS = [1, 2, 5, 20]
AT_K = {
    name: metric for name, metric in vars(ranking).items() if isinstance(metric, Metric) and metric.cutoff
}
seeds = st.integers(0, 10_000)


def test_the_toy_gives_the_fractions_computed_by_hand():
    at_3 = {name: metric(toy(), [3])[0] for name, metric in AT_K.items()}
    by_hand = {
        "precision": ["2/3", "2/3", "0", "1/3", "0"],
        "recall": ["1", "2/5", "0", "1/2", "0"],
        "recall_capped": ["1", "2/3", "0", "1/2", "0"],
        "hit_rate": ["1", "1", "0", "1", "0"],
        "map": ["5/6", "2/3", "0", "1/2", "0"],
        "map_r": ["5/6", "2/5", "0", "1/2", "0"],
        "mrr": ["1", "1", "0", "1", "0"],
        "r_precision": ["1/2", "2/3", "0", "1/2", "0"],
    }
    for name, fractions in by_hand.items():
        assert at_3[name] == pytest.approx([float(Fraction(f)) for f in fractions], abs=1e-12), name
    two, three = 1 + 1 / math.log2(3), 1.5 + 1 / math.log2(3)
    assert at_3["ndcg"] == pytest.approx([1.5 / two, two / three, 0, 1 / two, 0], abs=1e-12)


@given(seed=seeds)
@settings(max_examples=25, deadline=None)
def test_metrics_stay_within_0_and_1(seed):
    inputs = at_random(seed, m=8, n_items=25, levels=3)
    for metric in [*AT_K.values(), ranking.auc]:
        values = metric(inputs, KS)
        assert np.isfinite(values).all()
        assert (values >= 0).all()
        assert (values <= 1 + 1e-12).all()


@given(seed=seeds)
@settings(max_examples=15, deadline=None)
def test_the_order_of_users_and_the_names_of_items_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    state, scores = rng.random((9, 20)), rng.random((9, 20))
    train, test = state < 0.2, (state >= 0.2) & (state < 0.45)
    test[:, 0], train[:, 0] = True, False
    users, items = rng.permutation(9), rng.permutation(20)
    plain = from_scores(scores, train, test, 10)
    mixed = from_scores(*(a[users][:, items] for a in (scores, train, test)), 10)
    for metric in AT_K.values():
        assert metric(mixed, [1, 5, 10]) == pytest.approx(metric(plain, [1, 5, 10])[:, users], abs=1e-12)
    assert ranking.auc(mixed) == pytest.approx(ranking.auc(plain)[users], abs=1e-12)


@given(seed=seeds, k=st.integers(1, 19))
@settings(max_examples=25, deadline=None)
def test_a_miss_at_the_tail_never_raises_a_metric_and_a_hit_never_lowers_one(seed, k):
    inputs = at_random(seed, m=10, n_items=30)
    hit = inputs.lists.hits[:, k]
    for name in ("precision", "recall", "map_r", "hit_rate", "mrr"):
        shorter, longer = AT_K[name](inputs, [k, k + 1])
        assert (longer[~hit] <= shorter[~hit] + 1e-12).all(), name
        assert name == "precision" or (longer[hit] >= shorter[hit] - 1e-12).all(), name
    for name in ("ndcg", "map", "recall_capped"):
        shorter, longer = AT_K[name](inputs, [k, k + 1])
        assert (longer[~hit] <= shorter[~hit] + 1e-12).all(), name


@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.parametrize("name", ["recall_capped", "ndcg", "map", "r_precision", "hit_rate", "mrr"])
def test_a_perfect_list_scores_1_whether_or_not_there_are_k_test_items(name, k):
    rng = np.random.default_rng(0)
    test = np.zeros((6, 25), dtype=bool)
    for u, r in enumerate([1, 2, 3, 5, 10, 20]):
        test[u, rng.choice(25, r, replace=False)] = True
    inputs = from_scores(test.astype(float), np.zeros_like(test), test, 10)
    assert AT_K[name](inputs, [k])[0] == pytest.approx(np.ones(6), abs=1e-12)


def test_a_user_without_a_list_counts_0():
    inputs = at_random(3, unserved=4)
    without = inputs.lists.lengths == 0
    assert without.sum() == 4
    for name, metric in AT_K.items():
        assert (metric(inputs, KS)[:, without] == 0).all(), name


def test_all_ties_give_an_auc_of_one_half():
    inputs = at_random(1)
    m, n_items = inputs.test.shape
    tied = from_scores(np.zeros((m, n_items)), inputs.history.toarray() > 0, inputs.test.toarray() > 0, 5)
    assert ranking.auc(tied) == pytest.approx(np.full(m, 0.5), abs=1e-12)


@given(seed=seeds, levels=st.sampled_from([None, 2, 5]))
@settings(max_examples=20, deadline=None)
def test_auc_is_that_of_scikit_learn_over_the_unseen_items(seed, levels):
    rng = np.random.default_rng(seed)
    state, scores = rng.random((6, 30)), rng.random((6, 30))
    if levels:
        scores = np.floor(scores * levels)
    train, test = state < 0.3, (state >= 0.3) & (state < 0.5)
    test[:, 0], train[:, 0] = True, False
    test[:, 1], train[:, 1] = False, False
    got = ranking.auc(from_scores(scores, train, test, 5))
    expected = [roc_auc_score(test[u, ~train[u]], scores[u, ~train[u]]) for u in range(6)]
    assert got == pytest.approx(expected, abs=1e-12)


def test_a_user_to_whom_every_candidate_is_relevant_has_an_auc_of_one_half():
    test = np.array([[True, True, False], [True, False, False]])
    train = np.array([[False, False, True], [False, False, False]])
    inputs = from_scores(np.array([[2.0, 1.0, 0.0], [2.0, 1.0, 0.0]]), train, test, 2)
    assert ranking.auc(inputs).tolist() == [0.5, 1.0]


def test_auc_needs_the_rank_of_every_test_item():
    inputs = at_random(0)
    without = replace(inputs, lists=replace(inputs.lists, above=None, ties=None))
    with pytest.raises(Unsupported, match="rank of every test item"):
        ranking.auc(without)


def test_the_ideal_gain_of_n_hits_is_the_sum_of_the_first_n_discounts():
    expected = [sum(1 / math.log2(rank + 1) for rank in range(1, n + 1)) for n in (0, 1, 2, 7)]
    assert ranking.ideal_dcg(np.array([0, 1, 2, 7])) == pytest.approx(expected)
    assert ranking.ideal_dcg(np.array([0])).tolist() == [0.0]
