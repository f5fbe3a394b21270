from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bakeoff.errors import Unsupported
from bakeoff.evaluation import conventions, ranking
from bakeoff.evaluation.measure import measure
from bakeoff.evaluation.metric import Metric
from evaluation.made_inputs import at_random, from_scores, toy

METRICS = {
    name: value
    for module in (ranking, conventions)
    for name, value in vars(module).items()
    if isinstance(value, Metric)
}

# What each library answers on the toy, k = 3, to five decimals: run by itself, or by its formula (marked f).
TOY = [
    ("recommenders", "precision_recommenders", 0.41667),
    ("recommenders", "recall_recommenders", 0.47500),
    ("recommenders", "ndcg", 0.45965),
    ("recommenders", "map_recommenders", 0.43333),
    ("recommenders", "map_at_k_recommenders", 0.50000),
    ("recommenders", "r_precision_recommenders", 0.46667),
    ("RecTools", "precision", 0.33333),
    ("RecTools", "recall", 0.38000),
    ("RecTools", "ndcg_rectools", 0.38771),
    ("RecTools", "map_r", 0.34667),
    ("RecTools", "map_rectools_by_k", 0.31111),
    ("RecTools r_precision", "recall_capped", 0.43333),
    ("RecTools", "hit_rate", 0.6),
    ("RecTools", "mrr", 0.6),
    ("RecTools divide_by_achievable", "ndcg", 0.45965),
    ("ranx", "precision", 0.33333),
    ("ranx", "recall", 0.38000),
    ("ranx", "ndcg", 0.45965),
    ("ranx", "map_r", 0.34667),
    ("ranx", "r_precision_ranx", 0.28),
    ("ranx", "f1", 0.34),
    ("ranx", "mrr", 0.6),
    ("ranx", "hit_rate", 0.6),
    ("RePlay", "precision", 0.33333),
    ("RePlay", "map", 0.40000),
    ("RePlay", "auc_replay", 0.5),
    ("Cornac", "recall", 0.38000),
    ("Cornac", "ndcg", 0.45965),
    ("implicit", "precision_implicit", 0.55556),
    ("implicit", "ndcg", 0.45965),
    ("implicit", "map", 0.40000),
    ("implicit", "auc_implicit", 0.60688),
    ("LightFM", "precision", 0.33333),
    ("LightFM", "recall", 0.38000),
    ("LightFM", "auc_lightfm", 0.6765),
    ("LightFM", "reciprocal_rank_lightfm", 0.6556),
    ("LensKit", "precision_lenskit", 0.46667),
    ("LensKit", "recall_capped", 0.43333),
    ("LensKit", "ndcg_lenskit", 0.41513),
    ("LensKit", "map_lenskit", 0.50000),
    ("LensKit", "mrr", 0.6),
    ("irspack", "precision_lenskit", 0.46667),
    ("irspack", "recall", 0.38000),
    ("irspack", "ndcg_irspack", 0.53702),
    ("irspack", "map_r", 0.34667),
    ("RecBole f", "map", 0.40000),
    ("RecSys2019 f", "precision_lenskit", 0.46667),
    ("RecSys2019 f", "ndcg_recsys2019", 0.41720),
    ("RecSys2019 f", "map_lenskit", 0.50000),
    ("daisyRec f", "ndcg_daisyrec", 0.58394),
    ("daisyRec f", "map_daisyrec", 0.56667),
    ("Elliot f", "map_elliot", 0.44444),
]


@pytest.mark.parametrize(("library", "name", "answer"), TOY)
def test_the_toy_gives_each_library_its_answer(library, name, answer):
    mean, _ = measure(toy(), {name: METRICS[name]}, [3]).means[name, 3 if METRICS[name].cutoff else None]
    digits = 4 if answer in (0.6765, 0.6556) else 5
    assert round(mean, digits) == answer


def test_the_auc_of_lightfm_is_ours_where_nothing_ties_and_lower_where_test_items_tie_with_others():
    plain = at_random(0)
    assert conventions.auc_lightfm(plain) == pytest.approx(ranking.auc(plain), abs=1e-12)
    tied = at_random(0, levels=1)
    assert (conventions.auc_lightfm(tied) <= ranking.auc(tied) + 1e-12).all()
    assert conventions.auc_lightfm(tied).mean() < ranking.auc(tied).mean()


def test_a_user_to_whom_every_candidate_is_relevant_tells_no_auc():
    test = np.array([[True, True, False], [True, False, False]])
    train = np.array([[False, False, True], [False, False, False]])
    inputs = from_scores(np.array([[2.0, 1.0, 0.0], [2.0, 1.0, 0.0]]), train, test, 2)
    assert conventions.auc_lightfm(inputs).tolist() == [0.5, 1.0]
    assert conventions.auc_recbole(inputs).tolist() == [1.0]


@pytest.mark.parametrize("name", ["auc_lightfm", "reciprocal_rank_lightfm", "auc_recbole"])
def test_a_metric_of_the_whole_ranking_needs_the_rank_of_every_test_item(name):
    inputs = at_random(0)
    without = replace(inputs, lists=replace(inputs.lists, above=None, ties=None))
    with pytest.raises(Unsupported, match="rank of every test item"):
        METRICS[name](without)


def test_the_auc_of_recbole_needs_a_user_with_something_to_tell_apart():
    everything = np.ones((2, 3), dtype=bool)
    inputs = from_scores(np.zeros((2, 3)), ~everything, everything, 2)
    with pytest.raises(Unsupported, match="no user has a candidate"):
        conventions.auc_recbole(inputs)
