"""The verdict, from stored values by user, and its sentences against the numbers."""

from __future__ import annotations

import re

import numpy as np
import pytest

from bakeoff.evaluation.significance import TestConfig
from bakeoff.queries.comparison import Column, comparison
from bakeoff.queries.pairs import pairwise, with_uncertainty
from bakeoff.queries.verdict import with_verdicts
from bakeoff.report.view import paragraphs, text_of

NDCG = Column("ndcg", 10)


@pytest.fixture
def judge(make, store, metrics):
    """Return the table of models with the given values float64 [splits, seeds, users], with its verdict."""

    def judged(target="mine.Model", **models):
        results = []
        for model, values in models.items():
            for split, seed in np.ndindex(values.shape[:2]):
                users = values[split, seed]
                error = float(users.std(ddof=1) / np.sqrt(len(users)))
                numbers = {
                    m: {"5": (float(users.mean()), error), "10": (float(users.mean()), error)}
                    for m in ("ndcg", "recall")
                }
                shipped = {n: f"bakeoff.models.baselines.{n.capitalize()}" for n in ("popularity", "random")}
                kind = shipped.get(model, target)
                made = make(model, numbers, split_seed=split, seed=seed, n_users=len(users), target=kind)
                stored = {f"{m}@{k}": users for m in ("ndcg", "recall") for k in (5, 10)}
                store.write_per_user(made.request.key, {"user": np.arange(len(users)), **stored})
                store.write_record(made.record)
                results.append(made)
        tables = with_uncertainty(comparison(results, (5, 10), metrics), metrics, store, TestConfig())
        (table,) = with_verdicts(tables, metrics, store, TestConfig())
        return table

    return judged


@pytest.fixture
def values():
    """Values of 200 users under three models: a is best, b cannot be told from it, c is far behind."""
    rng = np.random.default_rng(0)
    users = rng.random(200)
    return {
        name: users + shift + rng.normal(0, 0.05, (1, 1, 200))
        for name, shift in (("a", 0.3), ("b", 0.298), ("c", 0.0))
    }


def test_the_leader_its_ties_and_the_best_that_it_is_told_from(judge, values) -> None:
    verdict = judge(**values).verdict
    assert verdict.column == NDCG and verdict.tested and verdict.single
    assert {verdict.leader.label, *(c.label for c in verdict.ties)} == {"a", "b"}
    assert verdict.behind.other == "c" and verdict.behind.low > 0
    assert [lead.p_corrected > 0.05 for lead in verdict.against_ties] == [True]


def test_a_tie_says_what_would_be_expected_to_settle_it(judge, values) -> None:
    verdict = judge(**values).verdict
    assert verdict.needed.users > 200 and verdict.needed.splits is None
    assert f"about {verdict.needed.users:,} users" in text_of(verdict)


def test_its_numbers_are_those_of_the_table_and_of_the_pairwise_tests(judge, values, metrics, store) -> None:
    table = judge(**values)
    verdict = table.verdict
    row = next(row for row in table.rows if row.label == verdict.leader.label)
    assert (verdict.leader.mean, verdict.leader.half_width) == (row.values[NDCG].mean, row.values[NDCG].half)
    pair = pairwise(table, metrics, store, TestConfig(), [NDCG]).pairs[NDCG]
    labels = [table.rows[at].label for at in pair.rows]
    i, j = labels.index(verdict.leader.label), labels.index("c")
    assert (verdict.behind.difference, verdict.behind.low) == (pair.difference[i, j], pair.low[i, j])


def test_the_sentences_hold_the_numbers(judge, values) -> None:
    verdict = judge(**values).verdict
    text = text_of(verdict)
    figures = {float(x) for x in re.findall(r"\d+\.\d+", text)}
    for number in (
        verdict.leader.mean,
        verdict.leader.half_width,
        verdict.behind.difference,
        verdict.behind.low,
    ):
        assert any(abs(figure - number) <= 0.5e-3 for figure in figures), (number, text)
    for label in (verdict.leader.label, verdict.ties[0].label, verdict.behind.other):
        assert re.search(rf"\b{label}\b", text)
    assert "not distinguishable from" in text and "these fitted models" in text


def test_a_lead_without_ties_is_said_to_be_one(judge, values) -> None:
    table = judge(a=values["a"], c=values["c"])
    assert text_of(table.verdict).startswith("a leads in ndcg@10 with ")
    assert not table.verdict.ties


def test_models_below_popularity_are_named_best_first_and_chance_is_none_of_them(judge, values) -> None:
    low = {"random": values["c"] - 0.3, "x": values["c"] - 0.2, "y": values["c"] - 0.1}
    verdict = judge(**values, **low, popularity=values["c"] - 0.05).verdict
    assert verdict.below_popularity == ("y", "x")
    assert "Below it: y, x;" in text_of(verdict)
    assert "Below it" not in text_of(judge(**values).verdict)


def test_several_seeds_are_about_the_algorithms_and_count_the_runs_led(judge, values) -> None:
    rng = np.random.default_rng(1)
    a, c = (values[m] + rng.normal(0, 0.02, (1, 3, 200)) for m in "ac")
    verdict = judge(a=a, c=c).verdict
    assert not verdict.single
    assert (len(verdict.runs.led), len(verdict.runs.others)) == (3, 0)
    assert "all 3 runs" in text_of(verdict)


def test_views_with_another_leader_are_named(judge, values, make, store, metrics) -> None:
    verdict = judge(**values).verdict
    assert (verdict.cutoffs.led, verdict.cutoffs.others) == (("k = 5",), {})
    assert "It also has the best mean at k = 5." in text_of(verdict)
    assert verdict.metrics is None  # the table holds no other accuracy metric
    results = [
        make("a", {"ndcg": {"10": (0.4, 0.01)}, "auc": {"": (0.5, 0.01)}}),
        make("b", {"ndcg": {"10": (0.3, 0.01)}, "auc": {"": (0.9, 0.01)}}),
    ]
    (table,) = with_verdicts(comparison(results, (10,), metrics), metrics, None, TestConfig())
    assert table.verdict.metrics.others == {"auc": ("b",)}
    text = text_of(table.verdict)
    assert "b has it in auc" in text and "not tested" in text


def test_what_did_not_run_is_named(make, metrics) -> None:
    results = [
        make("a", {"ndcg": {"10": (0.4, 0.01)}}),
        make("b", status="failed", reason="broke"),
        make("c", status="skipped", reason="needs times"),
    ]
    (table,) = with_verdicts(comparison(results, (10,), metrics), metrics, None, TestConfig())
    assert table.verdict.not_done == {"failed": ("b",), "skipped": ("c",)}
    assert "Failed: b." in text_of(table.verdict) and "Skipped: c." in text_of(table.verdict)


def test_nothing_measured_has_a_verdict_too(make, metrics) -> None:
    tables = comparison([make("a", status="failed", reason="broke")], (10,), metrics)
    (table,) = with_verdicts(tables, metrics, None, TestConfig())
    assert text_of(table.verdict) == "Nothing was measured. Failed: a."


def test_several_comparisons_have_a_verdict_over_all(make, metrics) -> None:
    results = [
        make(model, {"ndcg": {"10": (mean, 0.01)}}, dataset=data)
        for data in ("x", "y")
        for model, mean in (("a", 0.4), ("b", 0.3))
    ]
    tables = with_verdicts(comparison(results, (10,), metrics), metrics, None, TestConfig())
    (title, text), *each = paragraphs(tables)
    assert title == "Over all" and "a has the best mean in 2 of 2" in text
    assert len(each) == 2


def test_rows_are_shown_best_first(judge, values) -> None:
    table = judge(c=values["c"], a=values["a"])
    assert [row.label for row in table.rows] == ["a", "c"]
