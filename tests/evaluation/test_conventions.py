from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bakeoff.errors import Unsupported
from bakeoff.evaluation import conventions, ranking
from bakeoff.evaluation.catalogue import LIBRARIES, Convention, shipped
from bakeoff.evaluation.catalogue import conventions as conventions_of
from bakeoff.evaluation.measure import measure
from evaluation.made_inputs import at_random, from_scores, toy

METRICS = shipped()

# What each library answers on the toy, k = 3, to five decimals (of LightFM's own two, four). Down to irspack
# they were run, or their values are those of a library that was; the others follow from their formulas.
TOY = {
    "recommenders": {
        "precision": 0.41667,
        "recall": 0.47500,
        "ndcg": 0.45965,
        "map": 0.43333,
        "map_at_k": 0.50000,
        "r_precision": 0.46667,
    },
    "rectools": {
        "precision": 0.33333,
        "recall": 0.38000,
        "ndcg": 0.38771,
        "map": 0.34667,
        "map_divide_by_k": 0.31111,
        "precision_r_precision": 0.43333,
        "hit_rate": 0.60000,
        "mrr": 0.60000,
        "ndcg_divide_by_achievable": 0.45965,
    },
    "ranx": {
        "precision": 0.33333,
        "recall": 0.38000,
        "ndcg": 0.45965,
        "map": 0.34667,
        "r_precision": 0.28000,
        "f1": 0.34000,
        "mrr": 0.60000,
        "hit_rate": 0.60000,
    },
    "replay": {
        "precision": 0.33333,
        "recall": 0.38000,
        "ndcg": 0.45965,
        "map": 0.40000,
        "mrr": 0.60000,
        "hit_rate": 0.60000,
        "auc": 0.50000,
    },
    "cornac": {"precision": 0.33333, "recall": 0.38000, "ndcg": 0.45965, "hit_rate": 0.60000, "f1": 0.34000},
    "implicit": {"precision": 0.55556, "ndcg": 0.45965, "map": 0.40000, "auc": 0.60688},
    "lightfm": {"precision": 0.33333, "recall": 0.38000, "auc": 0.6765, "mrr": 0.6556},
    "lenskit": {
        "precision": 0.46667,
        "recall": 0.43333,
        "ndcg": 0.41513,
        "map": 0.50000,
        "mrr": 0.60000,
        "hit_rate": 0.60000,
    },
    "irspack": {
        "precision": 0.46667,
        "recall": 0.38000,
        "ndcg": 0.53702,
        "map": 0.34667,
        "hit_rate": 0.60000,
    },
    "recbole": {
        "precision": 0.33333,
        "recall": 0.38000,
        "ndcg": 0.45965,
        "map": 0.40000,
        "mrr": 0.60000,
        "hit_rate": 0.60000,
        "auc": 0.78996,
    },
    "recpack": {"precision": 0.33333, "recall": 0.38000, "recall_calibrated": 0.43333, "ndcg": 0.45965},
    "recsys2019": {
        "precision": 0.46667,
        "precision_min_den": 0.53333,
        "recall": 0.38000,
        "ndcg": 0.41720,
        "map": 0.50000,
    },
    "daisyrec": {
        "precision": 0.33333,
        "recall": 0.38000,
        "ndcg": 0.58394,
        "map": 0.56667,
        "mrr": 0.60000,
        "hit_rate": 0.60000,
        "auc": 0.50000,
    },
    "elliot": {"precision": 0.33333, "recall": 0.38000, "ndcg": 0.45965, "map": 0.44444},
    "warprec": {"precision": 0.33333, "recall": 0.38000, "map": 0.40000},
    "bars": {"recall": 0.38000, "ndcg": 0.45965},
    "liang2018": {"recall": 0.43333, "ndcg": 0.45965},
}


@pytest.mark.parametrize("convention", conventions_of(), ids=lambda c: c.name)
def test_the_toy_gives_each_library_its_answer(convention: Convention) -> None:
    answers, own = TOY[convention.library], METRICS[convention.metric]
    if convention.word not in answers:  # no train part, no answer: test_metrics_oracles asks the library
        assert convention.library in ("recommenders", "rectools")
        assert own.kind == "lists" or convention.word in ("partial_auc", "pap", "f1")
        return
    mean, _ = measure(toy(), {own.name: own}, [3]).means[own.name, 3 if own.cutoff else None]
    digits = 4 if convention.name in ("lightfm:auc", "lightfm:mrr") else 5
    assert round(mean, digits) == answers[convention.word]


def test_every_answer_is_to_a_word_of_the_table() -> None:
    assert set(TOY) == set(LIBRARIES)
    assert all(set(answers) <= set(LIBRARIES[library].metrics) for library, answers in TOY.items())


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
