"""Pairs of models from their stored values by user."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bakeoff.errors import UsageError
from bakeoff.evaluation.significance import TestConfig, holm
from bakeoff.evaluation.variance import summarise
from bakeoff.queries.comparison import Column, comparison
from bakeoff.queries.pairs import SplitCells, cells_without_values, pairwise, read_sample

NDCG = Column("ndcg", 10)
RULES = TestConfig(resamples=500)


def table_of(results, metrics):
    (table,) = comparison(results, (10,), metrics)
    return table


def values_of(seed, n=80, **means):
    rng = np.random.default_rng(seed)
    shared = rng.random(n)
    return {m: shared + mean + rng.normal(0, 0.1, n) for m, mean in means.items()}


def test_a_family_is_all_pairs_of_one_metric(stored, store, metrics) -> None:
    values = values_of(0, a=0.3, b=0.01, c=0.0)
    tests = pairwise(table_of([stored(m, v) for m, v in values.items()], metrics), metrics, store, RULES)
    (pair,) = tests.pairs.values()
    assert (pair.column, pair.rows, pair.n_users, pair.n_splits) == (NDCG, (0, 1, 2), 80, 1)
    p = [stats.ttest_rel(values[x], values[y]).pvalue for x, y in ("ab", "ac", "bc")]
    upper = np.triu_indices(3, 1)
    assert pair.p[upper] == pytest.approx(p, rel=1e-9)
    assert pair.corrected[upper] == pytest.approx(holm(np.array(p)), rel=1e-9)
    assert pair.difference[0, 2] == pytest.approx((values["a"] - values["c"]).mean())
    assert pair.difference == pytest.approx(-pair.difference.T)
    assert (pair.corrected == pair.corrected.T).all() and (np.diag(pair.p) == 1).all()
    assert 0 < pair.low[0, 2] < pair.difference[0, 2] < pair.high[0, 2]
    assert pair.low[2, 0] == -pair.high[0, 2]
    assert pair.wins[2, 0] == (values["c"] > values["a"]).sum()
    assert pair.wins[0, 2] + pair.wins[2, 0] == 80
    difference = values["a"] - values["c"]
    assert pair.effect[0, 2] == pytest.approx(difference.mean() / difference.std(ddof=1))


def test_what_is_not_apart_from_the_best_is_tied_with_it(stored, store, metrics) -> None:
    values = values_of(0, a=0.0, b=0.005, c=-0.3)
    table = table_of([stored(m, v) for m, v in values.items()], metrics)
    (pair,) = pairwise(table, metrics, store, RULES, intervals=False).pairs.values()
    assert sorted((pair.best.tolist(), pair.tied.tolist())) == sorted(
        ([False, True, False], [True, False, False])
    )
    assert pair.low[0, 1] < 0 < pair.high[0, 1]


def test_lower_is_better_turns_wins_and_best(stored, store, metrics) -> None:
    from dataclasses import replace

    metrics = {"ndcg": replace(metrics["ndcg"], higher_is_better=False)}
    values = values_of(1, a=0.0, b=0.3)
    table = table_of([stored(m, v) for m, v in values.items()], metrics)
    (pair,) = pairwise(table, metrics, store, RULES).pairs.values()
    assert pair.best.tolist() == [True, False] and pair.wins[0, 1] > pair.wins[1, 0]
    assert pair.difference[0, 1] < 0


def test_seeds_are_fits_that_the_question_is_about_or_not(stored, store, metrics) -> None:
    a = [values_of(s, a=0.0)["a"] for s in (1, 2)]
    b = values_of(3, b=0.1)["b"]
    results = [stored("a", v, seed=s) for s, v in enumerate(a)]
    results += [stored("b", b, seed=s, key="c-b") for s in (0, 1)]
    config = TestConfig(question="models")
    (pair,) = pairwise(table_of(results, metrics), metrics, store, config).pairs.values()
    assert pair.n_users == 80
    assert pair.p[0, 1] == pytest.approx(stats.ttest_rel((a[0] + a[1]) / 2, b).pvalue, rel=1e-9)
    (pair,) = pairwise(table_of(results, metrics), metrics, store, TestConfig()).pairs.values()
    difference, spread = summarise([[np.stack(a)], [b[None]]]).differences(np.array([[0, 1]]))
    assert pair.p[0, 1] == pytest.approx(spread.p_values(difference)[0], rel=1e-9)


def test_fits_of_a_tuned_model_have_the_prior_of_searches(stored, store, metrics) -> None:
    values = [[values_of(s, **{m: 0.0})[m] for s in seeds] for m, seeds in (("a", (1, 2)), ("b", (3, 4)))]
    results = [
        stored(m, v, seed=s, tune=tune)
        for m, tune, of_model in zip("ab", ({"name": "optuna"}, None), values, strict=True)
        for s, v in enumerate(of_model)
    ]
    table = table_of(results, metrics)
    (pair,) = pairwise(table, metrics, store, TestConfig()).pairs.values()
    first = next(at for at, row in enumerate(table.rows) if row.tune != "none")
    models = [[np.stack(of_model)] for of_model in values]
    for tuned, equal in (((0,), True), ((), False)):
        difference, spread = summarise(models, tuned).differences(np.array([[0, 1]]))
        same = pair.p[first, 1 - first] == pytest.approx(spread.p_values(difference)[0], rel=1e-9)
        assert same == equal


def test_splits_are_combined_by_the_variance_model(stored, store, metrics) -> None:
    values = {s: values_of(s, a=0.0, b=0.1) for s in (1, 2, 3)}
    results = [stored(m, v, split_seed=s) for s, of in values.items() for m, v in of.items()]
    (pair,) = pairwise(table_of(results, metrics), metrics, store, RULES).pairs.values()
    models = [[values[s][m][None] for s in (1, 2, 3)] for m in "ab"]
    difference, spread = summarise(models).differences(np.array([[0, 1]]))
    assert pair.p[0, 1] == pytest.approx(spread.p_values(difference)[0], rel=1e-9)
    assert (pair.n_splits, pair.n_users) == (3, 80)
    assert pair.wins[0, 1] + pair.wins[1, 0] == 80  # each user once


def test_metrics_of_the_whole_set_have_no_test_and_say_so(make, store, metrics) -> None:
    results = [make(m, {"gini": {"10": (0.5, None)}}) for m in "ab"]
    tests = pairwise(table_of(results, metrics), metrics, store, RULES)
    assert not tests.pairs
    assert "whole set of lists" in tests.untested[Column("gini", 10)]


def test_values_that_are_not_stored_are_named(stored, make, store, metrics) -> None:
    results = [stored("a", [0.1, 0.2]), make("b", {"ndcg": {"10": (0.1, 0.01)}}, key="c-lost")]
    tests = pairwise(table_of(results, metrics), metrics, store, RULES)
    assert "c-lost" in tests.untested[NDCG]


def test_models_without_all_their_runs_are_in_no_family(stored, make, store, metrics) -> None:
    values = values_of(0, a=0.0, b=0.1, c=0.2)
    results = [stored(m, v) for m, v in values.items()]
    results += [stored(m, v, seed=2) for m, v in values.items() if m != "b"]
    results.append(make("b", seed=2, status="failed", reason="broke"))
    table = table_of(results, metrics)
    (pair,) = pairwise(table, metrics, store, RULES).pairs.values()
    assert [table.rows[row].model for row in pair.rows] == ["c", "a"]


def test_a_lone_model_and_a_lone_user_have_no_pair(stored, store, metrics) -> None:
    tests = pairwise(table_of([stored("a", [0.1, 0.2])], metrics), metrics, store, RULES)
    assert "two models" in tests.untested[NDCG]
    two = [stored("a", [0.1, np.nan]), stored("b", [0.1, 0.3])]
    assert "two users" in pairwise(table_of(two, metrics), metrics, store, RULES).untested[NDCG]


def test_more_columns_than_are_held_at_once_give_the_same(stored, store, metrics, monkeypatch) -> None:
    results = []
    for m, shift in (("a", 0.0), ("b", 0.1)):
        made = stored(m, values_of(0, x=shift)["x"])
        columns = store.per_user(made.request.key)
        store.write_per_user(made.request.key, {**columns, "auc": columns["ndcg@10"] ** 2})
        store.write_record(made.record)
        made.record.metrics["auc"] = {"": (0.5, 0.1)}
        results.append(made)
    table = table_of(results, metrics)
    whole = pairwise(table, metrics, store, RULES)
    monkeypatch.setattr("bakeoff.queries.pairs._AT_ONCE", 1)
    turns = pairwise(table, metrics, store, RULES)
    assert list(turns.pairs) == list(whole.pairs) == [NDCG, Column("auc", None)]
    for column, pair in whole.pairs.items():
        assert (pair.p == turns.pairs[column].p).all() and (pair.low == turns.pairs[column].low).all()


def test_other_users_on_one_split_are_refused(stored, store) -> None:
    stored("a", [0.1, 0.2], key="c-a"), stored("b", [0.1, 0.2], users=["u0", "x"], key="c-b")
    with pytest.raises(UsageError, match=r"c-a and c-b.*different users"):
        read_sample(store, SplitCells("s", 2, (("c-a",), ("c-b",))), [NDCG])


def test_a_file_that_is_gone_is_named(store) -> None:
    cells = SplitCells("s", 2, (("c-a",),))
    assert cells_without_values(store, [cells]) == ["c-a"]
    with pytest.raises(UsageError, match=r"c-a.*rerun=true"):
        read_sample(store, cells, [NDCG])
