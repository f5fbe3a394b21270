"""Our numbers against those of the libraries whose formula they claim, on lists of a realistic kind."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from bakeoff.data.interactions import Features
from bakeoff.evaluation import beyond, rating
from bakeoff.evaluation.catalogue import LIBRARIES, shipped
from bakeoff.evaluation.metric import EvaluationInputs, Metric
from bakeoff.evaluation.stats import TrainStats
from bakeoff.evaluation.topk import TopK
from evaluation.made_inputs import at_random, toy

# They warn of pandas, numpy and numba; what we ask of them is a number.
pytestmark = pytest.mark.filterwarnings("ignore")
KS = [1, 3, 10, 25]


def library(name: str):
    """An oracle, or a skip with the reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except ImportError as reason:
            pytest.skip(f"{name} is not installed (constraints/test-oracles.txt): {reason}")


@pytest.fixture(scope="module")
def random_lists() -> EvaluationInputs:
    return at_random(11, m=120, n_items=100, depth=25, levels=30, unserved=6, short=True)


@pytest.fixture(scope="module")
def movie_lists(real_data) -> EvaluationInputs:
    """ml-100k cut at random; each user's list is a draw that likes popular items."""
    rows = pd.read_csv(real_data / "ml-100k" / "u.data", sep="\t", names=["user", "item", "value", "time"])
    rng = np.random.default_rng(0)
    held_out = rng.random(len(rows)) < 0.2
    shape = rows.user.max(), rows.item.max()

    def matrix(part: pd.DataFrame) -> sparse.csr_matrix:
        values = part.value.to_numpy(np.float32)
        return sparse.csr_matrix((values, (part.user - 1, part.item - 1)), shape=shape)

    train, test = matrix(rows[~held_out]), matrix(rows[held_out])
    users = np.flatnonzero(np.diff(test.indptr)).astype(np.int32)
    popularity = np.bincount(train.indices, minlength=shape[1])
    scores = np.log1p(popularity) + rng.gumbel(size=(len(users), shape[1]))
    scores[train[users].toarray() > 0] = -np.inf
    items = np.argsort(-scores, axis=1, kind="stable")[:, :25].astype(np.int32)
    items[[5, 50, 500]] = -1
    history = train[users]
    listed = np.where(items >= 0, np.take_along_axis(scores, items, axis=1), -np.inf).astype(np.float32)
    lists = TopK.build(users, items, listed, history=history, test=test[users])
    return EvaluationInputs(lists, test[users], history, TrainStats(train))


@pytest.fixture(
    params=["toy", "random_lists", pytest.param("movie_lists", marks=[pytest.mark.real_data])], scope="module"
)
def lists(request) -> EvaluationInputs:
    return toy() if request.param == "toy" else request.getfixturevalue(request.param)


def cutoffs(inputs: EvaluationInputs) -> list[int]:
    return [k for k in KS if k <= inputs.lists.depth]


def truth_table(inputs: EvaluationInputs, user: str, item: str) -> pd.DataFrame:
    rows = np.repeat(inputs.lists.users, inputs.lists.n_relevant)
    return pd.DataFrame({user: rows, item: inputs.test.indices})


def train_table(inputs: EvaluationInputs, user: str, item: str) -> pd.DataFrame:
    coo = inputs.train.train.tocoo()
    return pd.DataFrame({user: coo.row, item: coo.col})


def list_table(inputs: EvaluationInputs, user: str, item: str, depth: int | None = None) -> pd.DataFrame:
    rows, columns = np.nonzero(inputs.lists.items[:, :depth] >= 0)
    return pd.DataFrame(
        {
            user: inputs.lists.users[rows],
            item: inputs.lists.items[rows, columns],
            "rank": columns + 1,
            "relevance": inputs.lists.hits[rows, columns].astype(float),
        }
    )


def means(metric, inputs: EvaluationInputs, ks: list[int]) -> np.ndarray:
    values = metric(inputs, ks)
    return np.nanmean(values, axis=1) if metric.per_user else values


def own(library: str, word: str) -> Metric:
    """The shipped metric that the table says to be the library's."""
    return shipped()[LIBRARIES[library].metrics[word]]


RECOMMENDERS = {
    "precision": "precision_at_k",
    "recall": "recall_at_k",
    "ndcg": "ndcg_at_k",
    "map": "map",
    "map_at_k": "map_at_k",
    "r_precision": "r_precision_at_k",
}


@pytest.mark.parametrize("name", RECOMMENDERS)
def test_accuracy_is_that_of_recommenders(name, lists):
    oracle = getattr(library("recommenders.evaluation.python_evaluation"), RECOMMENDERS[name])
    truth = truth_table(lists, "userID", "itemID").assign(rating=1.0)
    listed = list_table(lists, "userID", "itemID")
    listed["prediction"] = -listed["rank"].astype(float)
    ks = cutoffs(lists)
    expected = [oracle(truth, listed[["userID", "itemID", "prediction"]], k=k) for k in ks]
    assert means(own("recommenders", name), lists, ks) == pytest.approx(expected, abs=1e-9)


def few_users(inputs: EvaluationInputs, n: int = 250) -> EvaluationInputs:
    """recommenders joins all pairs of items of a user: this many users fit."""
    rows = np.flatnonzero(inputs.lists.users < n)
    part = inputs.lists
    built = TopK.build(
        part.users[rows],
        part.items[rows],
        part.scores[rows],
        history=inputs.history[rows],
        test=inputs.test[rows],
    )
    train = inputs.train.train.copy()
    train = sparse.vstack([train[:n], sparse.csr_matrix((max(train.shape[0] - n, 0), train.shape[1]))])
    stats = TrainStats(sparse.csr_matrix(train, dtype=np.float32), inputs.train.item_features)
    return EvaluationInputs(built, inputs.test[rows], inputs.history[rows], stats)


BEYOND = ("catalog_coverage", "distributional_coverage", "novelty", "diversity", "serendipity")


@pytest.fixture(
    params=["random_lists", pytest.param("movie_lists", marks=[pytest.mark.real_data])], scope="module"
)
def lists_with_train(request) -> EvaluationInputs:
    return few_users(request.getfixturevalue(request.param))


@pytest.mark.parametrize("name", BEYOND)
def test_what_lists_are_like_is_that_of_recommenders(name, lists_with_train):
    oracle = getattr(library("recommenders.evaluation.python_evaluation"), name)
    train = train_table(lists_with_train, "userID", "itemID")
    expected = [
        oracle(train, list_table(lists_with_train, "userID", "itemID", k)[["userID", "itemID"]])
        for k in (3, 10)
    ]
    assert means(own("recommenders", name), lists_with_train, [3, 10]) == pytest.approx(expected, abs=1e-9)


def test_serendipity_is_that_of_recommenders_with_hits_as_relevance(lists_with_train):
    oracle = library("recommenders.evaluation.python_evaluation")
    train = train_table(lists_with_train, "userID", "itemID")
    listed = list_table(lists_with_train, "userID", "itemID", 10).drop(columns="rank")
    expected = oracle.serendipity(train, listed, col_relevance="relevance")
    assert means(own("recommenders", "serendipity_relevance"), lists_with_train, [10]) == pytest.approx(
        [expected], abs=1e-9
    )
    by_user = oracle.user_serendipity(train, listed, col_relevance="relevance")["user_serendipity"]
    values = beyond.serendipity(lists_with_train, [10])[0]
    assert values[~np.isnan(values)] == pytest.approx(by_user.to_numpy(), abs=1e-9)


@pytest.mark.parametrize(
    ("name", "metric"),
    [("diversity", beyond.diversity_features), ("serendipity", beyond.unexpectedness_features)],
)
def test_similarity_of_features_is_that_of_recommenders(name, metric):
    oracle = getattr(library("recommenders.evaluation.python_evaluation"), name)
    inputs = at_random(4, m=30, n_items=40, depth=10)
    vectors = inputs.train.item_features.matrix.toarray().astype(np.float64)
    vectors[np.linalg.norm(vectors, axis=1) == 0, 0] = 1.0  # recommenders has no cosine for a zero vector
    features = Features(sparse.csr_matrix(vectors), inputs.train.item_features.names)
    inputs = replace(inputs, train=replace(inputs.train, item_features=features))
    described = pd.DataFrame({"itemID": np.arange(40), "features": list(vectors)})
    listed = list_table(inputs, "userID", "itemID", 5)[["userID", "itemID"]]
    expected = oracle(
        train_table(inputs, "userID", "itemID"),
        listed,
        item_feature_df=described,
        item_sim_measure="item_feature_vector",
    )
    assert means(metric, inputs, [5]) == pytest.approx([expected], abs=1e-9)


@pytest.mark.parametrize(("name", "oracle"), [("r2", "rsquared"), ("explained_variance", "exp_var")])
def test_rating_errors_are_those_of_recommenders(name, oracle):
    inputs, rng = at_random(0), np.random.default_rng(0)
    inputs.test.data[:] = rng.integers(1, 6, inputs.test.nnz)
    predicted = (inputs.test.data + rng.normal(size=inputs.test.nnz)).astype(np.float32)
    inputs = replace(inputs, predicted=predicted)
    module = library("recommenders.evaluation.python_evaluation")
    truth = truth_table(inputs, "userID", "itemID")
    real = truth.assign(rating=inputs.test.data.astype(np.float64))
    guess = truth.assign(prediction=predicted.astype(np.float64))
    for own_name, function in ((name, oracle), ("rmse", "rmse"), ("mae", "mae")):
        expected = getattr(module, function)(real, guess)
        assert getattr(rating, own_name)(inputs)[0] == pytest.approx(expected, abs=1e-9)


class Lists:
    """Gives `implicit.evaluation` the lists instead of a model's."""

    def __init__(self, inputs: EvaluationInputs, n_users: int) -> None:
        self.items = np.full((n_users, inputs.lists.depth), -1, dtype=np.int32)
        self.items[inputs.lists.users] = inputs.lists.items

    def recommend(self, users, history, N=10, **_):
        return self.items[users, :N], np.zeros((len(users), N), dtype=np.float32)


def test_accuracy_is_that_of_implicit(lists):
    implicit = library("implicit.evaluation")
    n_users = int(lists.lists.users.max()) + 1
    test = sparse.lil_matrix((n_users, lists.lists.n_items), dtype=np.float32)
    test[lists.lists.users] = lists.test
    for k in cutoffs(lists):
        expected = implicit.ranking_metrics_at_k(
            Lists(lists, n_users), test.tocsr(), test.tocsr(), K=k, show_progress=False, num_threads=1
        )
        assert set(expected) == set(LIBRARIES["implicit"].metrics)
        for name, value in expected.items():
            assert means(own("implicit", name), lists, [k])[0] == pytest.approx(value, abs=1e-9), (name, k)


@pytest.mark.parametrize("levels", [None, 3])
def test_accuracy_is_that_of_lightfm(levels):
    """A LightFM model whose scores are the ones that the lists were made from.

    LightFM counts in float32, which holds no more than seven digits of its averages.
    """
    library("lightfm.evaluation")
    from lightfm import LightFM, evaluation

    given = at_random(8, m=60, n_items=50, depth=25, levels=levels, unserved=0)
    n_items = given.test.shape[1]
    model = LightFM(no_components=n_items)
    model.fit(given.history, epochs=0)
    model.item_embeddings[:] = np.eye(n_items)
    model.item_biases[:], model.user_biases[:] = 0.0, 0.0
    model.user_embeddings[:] = _scores_behind(given)
    args = {"train_interactions": given.history, "check_intersections": False}
    auc = evaluation.auc_score(model, given.test, **args)
    assert own("lightfm", "auc")(given) == pytest.approx(auc, abs=1e-6)
    first = evaluation.reciprocal_rank(model, given.test, **args)
    assert own("lightfm", "mrr")(given) == pytest.approx(first, abs=1e-7)
    if levels is None:  # it ranks an item behind those that tie with it, a list cannot
        for k in KS:
            precision = evaluation.precision_at_k(model, given.test, k=k, **args)
            assert own("lightfm", "precision")(given, [k])[0] == pytest.approx(precision, abs=1e-7)
            recall = evaluation.recall_at_k(model, given.test, k=k, **args)
            assert own("lightfm", "recall")(given, [k])[0] == pytest.approx(recall, abs=1e-7)


def _scores_behind(inputs: EvaluationInputs) -> np.ndarray:
    """Scores [m, I] under which every test item has just the rank, and the ties, that the inputs states."""
    m, n_items = inputs.test.shape
    scores = np.zeros((m, n_items), dtype=np.float32)
    for u in range(m):
        span = slice(*inputs.test.indptr[u : u + 2])
        test = inputs.test.indices[span]
        above, ties = inputs.lists.above[span], inputs.lists.ties[span]
        others = sorted(set(range(n_items)) - set(test) - set(inputs.history[u].indices))
        levels = sorted(set(zip(above.tolist(), ties.tolist(), strict=True)))
        filled, rest = 0, list(others)
        for a, t in levels:
            for i in range(a - filled):
                scores[u, rest.pop(0)] = -filled - i
            tied = test[above == a]
            scores[u, tied] = -a
            for _ in range(t + 1 - len(tied)):
                scores[u, rest.pop(0)] = -a
            filled = a + t + 1
        for i, item in enumerate(rest):
            scores[u, item] = -filled - i
    return scores


RECTOOLS = {
    "precision": ("Precision", {}),
    "precision_r_precision": ("Precision", {"r_precision": True}),
    "recall": ("Recall", {}),
    "hit_rate": ("HitRate", {}),
    "f1": ("F1Beta", {}),
    "ndcg": ("NDCG", {}),
    "ndcg_divide_by_achievable": ("NDCG", {"divide_by_achievable": True}),
    "map": ("MAP", {}),
    "map_divide_by_k": ("MAP", {"divide_by_k": True}),
    "mrr": ("MRR", {}),
    "partial_auc": ("PartialAUC", {}),
    "pap": ("PAP", {}),
}


@pytest.mark.parametrize("name", RECTOOLS)
def test_accuracy_is_that_of_rectools_user_by_user(name, lists):
    module = library("rectools.metrics")
    cls, options = RECTOOLS[name]
    truth, listed = truth_table(lists, "user_id", "item_id"), list_table(lists, "user_id", "item_id")
    ks = cutoffs(lists)
    for k, row in zip(ks, own("rectools", name)(lists, ks), strict=True):
        metric = getattr(module, cls)(k=k, **options)
        expected = metric.calc_per_user(listed, truth).reindex(lists.lists.users).fillna(0.0)
        assert row == pytest.approx(expected.to_numpy(), abs=1e-9), k


RECTOOLS_LISTS = {"novelty": "MeanInvUserFreq", "mean_popularity": "AvgRecPopularity"}


@pytest.mark.parametrize("name", RECTOOLS_LISTS)
def test_popularity_of_lists_is_that_of_rectools_user_by_user(name, lists_with_train):
    metric = getattr(library("rectools.metrics"), RECTOOLS_LISTS[name])(k=10)
    train = train_table(lists_with_train, "user_id", "item_id")
    listed = list_table(lists_with_train, "user_id", "item_id")
    expected = metric.calc_per_user(listed, train).reindex(lists_with_train.lists.users)
    got = own("rectools", name)(lists_with_train, [10])[0]
    assert got == pytest.approx(expected.to_numpy(), abs=1e-9, nan_ok=True)


RANX = ("precision", "recall", "hit_rate", "ndcg", "map", "mrr", "f1")


@pytest.mark.slow
def test_accuracy_is_that_of_ranx_user_by_user(lists):
    ranx = library("ranx")
    users = [str(u) for u in lists.lists.users]
    test, items = lists.test, lists.lists.items
    bounds = test.indptr
    qrels = {q: {str(i): 1 for i in test.indices[bounds[n] : bounds[n + 1]]} for n, q in enumerate(users)}
    run = {
        q: {str(i): 100.0 - rank for rank, i in enumerate(items[n]) if i >= 0}
        for n, q in enumerate(users)
        if items[n, 0] >= 0
    }
    ks = cutoffs(lists)
    by_name = {f"{name}@{k}": own("ranx", name)(lists, [k])[0] for name in RANX for k in ks}
    by_name["r-precision"] = own("ranx", "r_precision")(lists)
    run_of_all, truth = ranx.Run(run), ranx.Qrels(qrels)
    ranx.evaluate(truth, run_of_all, list(by_name), return_mean=False, make_comparable=True)
    for name, values in by_name.items():
        expected = [run_of_all.scores[name][q] for q in users]
        assert values == pytest.approx(expected, abs=1e-9), name


def test_every_word_of_a_library_that_installs_is_held_to_the_library():
    held = {
        "recommenders": {*RECOMMENDERS, *BEYOND, "serendipity_relevance"},
        "implicit": {"precision", "map", "ndcg", "auc"},
        "lightfm": {"precision", "recall", "auc", "mrr"},
        "rectools": {*RECTOOLS, *RECTOOLS_LISTS},
        "ranx": {*RANX, "r_precision"},
    }
    assert {name: set(LIBRARIES[name].metrics) for name in held} == held
