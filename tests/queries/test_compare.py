"""The numbers of a comparison, and what a gate answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bakeoff.errors import ConfigError
from bakeoff.evaluation.significance import TestConfig, holm
from bakeoff.queries.compare import (
    EXIT_CODES,
    Difference,
    MetricComparison,
    all_of,
    compare_matches,
    gate,
    match_cells,
    match_experiments,
    match_models,
)
from bakeoff.queries.comparison import Column, comparison

NDCG = Column("ndcg", 10)
RULES = TestConfig(resamples=500)


def values_of(seed, shift, n=60):
    rng = np.random.default_rng(seed)
    return np.random.default_rng(0).random(n) + shift + rng.normal(0, 0.1, n)


def test_a_line_holds_means_difference_and_who_wins(stored, store, metrics) -> None:
    a, b = values_of(1, 0.05), values_of(2, 0.0)
    (result,) = compare_matches(match_cells(stored("a", a), stored("b", b)), metrics, (10,), store, RULES)
    (line,) = result.metrics
    assert (line.column, line.candidate, line.baseline) == (NDCG, a.mean(), b.mean())
    tested = line.tested
    assert tested.difference == pytest.approx((a - b).mean())
    assert tested.p == tested.corrected == pytest.approx(stats.ttest_rel(a, b).pvalue, rel=1e-9)
    assert (tested.wins, tested.ties, tested.losses) == ((a > b).sum(), 0, (a < b).sum())
    assert tested.low < tested.difference < tested.high
    assert (result.n_splits, result.n_seeds, result.family_size) == (1, (1, 1), 1)


def test_the_family_of_two_models_is_all_pairs_of_their_table(stored, store, metrics) -> None:
    values = {m: values_of(i, s) for i, (m, s) in enumerate((("a", 0.02), ("b", 0.0), ("c", 0.01)))}
    tables = comparison([stored(m, v) for m, v in values.items()], (10,), metrics)
    (result,) = compare_matches(match_models("c", "a", tables), metrics, (10,), store, RULES)
    p = np.array([stats.ttest_rel(values[x], values[y]).pvalue for x, y in ("ca", "cb", "ab")])
    assert result.metrics[0].tested.corrected == pytest.approx(holm(p)[0], rel=1e-9)
    assert result.family_size == 3


def test_the_family_of_two_experiments_is_their_models(stored, store, metrics) -> None:
    new = {m: stored(m, values_of(i, 0.03), key=f"n{m}") for i, m in enumerate("ab")}
    old = {m: stored(m, values_of(i + 5, 0.0), key=f"o{m}") for i, m in enumerate("ab")}
    tables = [comparison(list(side.values()), (10,), metrics) for side in (new, old)]
    results = compare_matches(match_experiments(*tables, ("new", "old")), metrics, (10,), store, RULES)
    p = np.array([one.metrics[0].tested.p for one in results])
    assert [one.metrics[0].tested.corrected for one in results] == pytest.approx(holm(p).tolist())
    assert [one.family_size for one in results] == [2, 2]


def test_several_splits_and_seeds_are_put_together(stored, store, metrics) -> None:
    results = [
        stored(m, values_of(10 * p + s, shift), split_seed=p, seed=s)
        for m, shift in (("a", 0.1), ("b", 0.0))
        for p in (1, 2, 3)
        for s in (1, 2)
    ]
    (result,) = compare_matches(
        match_models("a", "b", comparison(results, (10,), metrics)), metrics, (10,), store, RULES
    )
    assert (result.n_splits, result.n_seeds) == (3, (2, 2))
    assert result.metrics[0].tested.difference == pytest.approx(
        result.metrics[0].candidate - result.metrics[0].baseline
    )


def test_what_cannot_be_tested_says_why(make, store, metrics) -> None:
    both = {"ndcg": {"10": (0.1, 0.01)}, "gini": {"10": (0.5, None)}}
    (result,) = compare_matches(match_cells(make("a", both), make("b", both)), metrics, (10,), store, RULES)
    why = {line.column.metric: line.untested for line in result.metrics}
    assert "no values by user" in why["ndcg"] and "whole set of lists" in why["gini"]
    with pytest.raises(ConfigError, match="gate=gini@10: it has no interval"):
        gate(next(line for line in result.metrics if line.column.metric == "gini"), 0.0)


def test_turns_of_few_columns_give_the_same(stored, store, metrics, monkeypatch) -> None:
    cells = match_cells(stored("a", values_of(1, 0.0)), stored("b", values_of(2, 0.0)))
    whole = compare_matches(cells, metrics, (10,), store, RULES)[0].metrics
    monkeypatch.setattr("bakeoff.queries.pairs._AT_ONCE", 1)
    assert compare_matches(cells, metrics, (10,), store, RULES)[0].metrics == whole


def line(low, high, higher=True):
    tested = Difference((low + high) / 2, low, high, 0.01, 0.01, 0.1, 1, 1, 1, 3)
    return MetricComparison(NDCG, higher, 0.2, 0.1, tested)


@pytest.mark.parametrize(
    ("low", "high", "tolerance", "answer"),
    [
        (0.003, 0.004, 0.002, "PROMOTED"),
        (0.002, 0.004, 0.002, "UNDECIDED"),
        (-0.004, -0.003, 0.002, "REJECTED"),
        (-0.004, -0.002, 0.002, "UNDECIDED"),
        (-0.001, 0.001, 0.0, "UNDECIDED"),
        (0.0, 0.0, 0.0, "UNDECIDED"),
        (1e-9, 0.1, 0.0, "PROMOTED"),
    ],
)
def test_a_gate_asks_where_the_interval_lies(low, high, tolerance, answer) -> None:
    assert gate(line(low, high), tolerance) == answer
    turned = {"PROMOTED": "REJECTED", "REJECTED": "PROMOTED"}.get(answer, answer)
    assert gate(line(low, high, higher=False), tolerance) == turned


def test_a_metric_without_a_better_end_promotes_nothing() -> None:
    with pytest.raises(ConfigError, match="no better end"):
        gate(line(0.1, 0.2, higher=None), 0.0)


def test_all_must_be_promoted_and_one_rejected_rejects() -> None:
    assert all_of(["PROMOTED", "PROMOTED"]) == "PROMOTED"
    assert all_of(["PROMOTED", "UNDECIDED"]) == "UNDECIDED"
    assert all_of(["PROMOTED", "UNDECIDED", "REJECTED"]) == "REJECTED"
    assert EXIT_CODES == {"PROMOTED": 0, "REJECTED": 3, "UNDECIDED": 4}


def test_a_candidate_behind_is_worse_by_the_direction() -> None:
    assert line(0.1, 0.2).worse is False and line(0.1, 0.2, higher=False).worse is True
    assert line(0.1, 0.2, higher=None).worse is None and line(-0.1, 0.1).worse is None
    assert replace(line(0.1, 0.2), tested=None).worse is False


@pytest.mark.parametrize("seed", range(5))
def test_a_model_against_itself_is_never_decided_and_a_plainly_worse_one_always(
    stored, store, metrics, seed
) -> None:
    rng = np.random.default_rng(seed)
    good = rng.random(100)
    bad = np.clip(good - rng.uniform(0.1, 0.4, 100), 0, None)
    cells = stored("good", good), stored("bad", bad), stored("same", good)

    def answer(a, b):
        (result,) = compare_matches(
            match_cells(a, b), metrics, (10,), store, TestConfig(seed=seed, resamples=1000)
        )
        return gate(result.metrics[0], 0.002)

    assert answer(cells[0], cells[0]) == answer(cells[0], cells[2]) == "UNDECIDED"
    assert (answer(cells[0], cells[1]), answer(cells[1], cells[0])) == ("PROMOTED", "REJECTED")
