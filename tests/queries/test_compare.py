"""The numbers of a comparison, and what a gate answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from bakeoff.errors import ConfigError
from bakeoff.evaluation.significance import TestConfig, holm, pair_spread
from bakeoff.queries.compare import (
    EXIT_CODES,
    CompareRequest,
    Difference,
    MetricComparison,
    answer_of,
    compare_matches,
    decide,
    gate,
    match_cells,
    match_experiments,
    match_models,
    pair_samples,
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
        gate(next(line for line in result.metrics if line.column.metric == "gini"), (0.0, 0.0))


def test_turns_of_few_columns_give_the_same(stored, store, metrics, monkeypatch) -> None:
    cells = match_cells(stored("a", values_of(1, 0.0)), stored("b", values_of(2, 0.0)))
    whole = compare_matches(cells, metrics, (10,), store, RULES)[0].metrics
    monkeypatch.setattr("bakeoff.queries.pairs._AT_ONCE", 1)
    assert compare_matches(cells, metrics, (10,), store, RULES)[0].metrics == whole


def request(**options):
    return CompareRequest("a", "b", Path("none"), gate="ndcg@10", **options)


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
    bounds = request(tolerance=tolerance).bounds
    assert gate(line(low, high), bounds) == answer
    turned = {"PROMOTED": "REJECTED", "REJECTED": "PROMOTED"}.get(answer, answer)
    assert gate(line(low, high, higher=False), bounds) == turned


def test_a_metric_without_a_better_end_promotes_nothing() -> None:
    with pytest.raises(ConfigError, match="no better end"):
        gate(line(0.1, 0.2, higher=None), (0.0, 0.0))


def test_non_inferior_asks_whether_the_candidate_is_worse_by_more_than_the_margin() -> None:
    bounds = request(non_inferior=0.01).bounds
    ends = ((-0.009, 0.02), (-0.011, 0.02), (-0.03, -0.011), (-0.03, -0.009))
    answers = ["PROMOTED", "UNDECIDED", "REJECTED", "UNDECIDED"]
    assert [answer_of(low, high, bounds) for low, high in ends] == answers
    assert [answer_of(-high, -low, bounds, higher_is_better=False) for low, high in ends] == answers
    assert EXIT_CODES == {"PROMOTED": 0, "REJECTED": 3, "UNDECIDED": 4}


@pytest.mark.parametrize(
    "options", [{"non_inferior": 0.0}, {"non_inferior": -1.0}, {"non_inferior": 0.1, "tolerance": 0.1}]
)
def test_a_margin_is_above_0_and_excludes_a_tolerance(options) -> None:
    with pytest.raises(ConfigError, match="non_inferior="):
        request(**options)


@pytest.fixture
def matched(stored, store, metrics):
    """Return the comparisons of a with b on data sets where their mean difference and its noise are given."""

    def make(*shifts, noise=0.2, n=100):
        results = [
            stored(m, values, key=f"{m}{at}", dataset=f"d{at}")
            for at, shift in enumerate(shifts)
            for m, values in zip("ab", pair_of(at, shift, noise, n), strict=True)
        ]
        made = compare_matches(
            match_models("a", "b", comparison(results, (10,), metrics)), metrics, (10,), store, RULES
        )
        return [with_pair(one, store) for one in made]

    return make


def pair_of(seed, shift, noise, n):
    rng = np.random.default_rng([7, seed])
    base, differences = rng.random(n), rng.normal(0, noise, n)
    return base + differences - differences.mean() + shift, base


def with_pair(one, store, asked=None):
    asked = asked or request()
    leading = one.metrics[0]
    pair = pair_spread(pair_samples(one.match, NDCG, store), (0, 1), RULES)
    return replace(one, leading=leading, pair=pair, answer=gate(leading, asked.bounds))


def test_several_matches_are_one_decision_by_the_interval_of_their_mean(matched) -> None:
    matches = matched(0.03, 0.05, 0.03, 0.05)
    assert {one.answer for one in matches} == {"UNDECIDED", "PROMOTED"}
    decision = decide(matches, request())
    tested = [one.leading.tested for one in matches]
    half = np.sqrt(sum(((t.high - t.low) / 2) ** 2 for t in tested)) / 4
    assert decision.answer == "PROMOTED" and decision.n_matches == 4
    assert decision.difference == pytest.approx(0.04)
    assert (decision.high - decision.low) / 2 == pytest.approx(half, rel=0.02)
    assert decision.contradicted_by == ()
    assert decision.smaller is None, "half as much would be told apart too"
    undecided = decide(matches, request(tolerance=0.03))
    assert undecided.answer == "UNDECIDED" and undecided.smaller is not None
    assert (undecided.smaller.difference, undecided.smaller.bound) == (pytest.approx(0.04), 0.03)
    assert undecided.smaller.needed.users == pytest.approx(400 * (half / 0.01) ** 2, rel=0.05)
    assert decide(matches, request(non_inferior=0.001)).answer == "PROMOTED"


def test_one_match_is_decided_by_its_own_interval(matched) -> None:
    (one,) = matched(0.06)
    decision = decide([one], request())
    tested = one.leading.tested
    assert (decision.answer, decision.low, decision.high) == ("PROMOTED", tested.low, tested.high)


def test_matches_that_the_mean_contradicts_are_named(matched) -> None:
    matches = matched(0.2, 0.2, -0.1)
    decision = decide(matches, request())
    assert decision.answer == "PROMOTED" and matches[2].answer == "REJECTED"
    assert any(title.startswith("d2") for title in decision.contradicted_by)


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
        return gate(result.metrics[0], (0.002, -0.002))

    assert answer(cells[0], cells[0]) == answer(cells[0], cells[2]) == "UNDECIDED"
    assert (answer(cells[0], cells[1]), answer(cells[1], cells[0])) == ("PROMOTED", "REJECTED")
