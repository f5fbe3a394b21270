"""Intervals of means, and marks for what is not distinguishable from the best, from stored values by user."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from bakeoff.evaluation.significance import TestConfig
from bakeoff.evaluation.variance import summarise
from bakeoff.queries.comparison import Column, comparison
from bakeoff.queries.pairs import with_uncertainty
from bakeoff.report.document import document
from bakeoff.report.render import console, latex, markdown
from bakeoff.report.view import how_tested, legend, notes
from bakeoff.storage.store import Store

NDCG = Column("ndcg", 10)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def results(make, store):
    """Three models with 100 users: b is best, a is close to it, c is far."""
    rng = np.random.default_rng(0)
    shared, results = rng.random(100), []
    for model, shift in (("a", 0.295), ("b", 0.3), ("c", 0.0)):
        values = shared + shift + rng.normal(0, 0.05, 100)
        made = make(model, {"ndcg": {"10": (float(values.mean()), 0.01)}, "gini": {"10": (0.5, None)}})
        store.write_per_user(made.request.key, {"user": np.arange(100), "ndcg@10": values})
        store.write_record(made.record)
        results.append(made)
    return results


def test_what_is_not_apart_from_the_best_is_with_uncertainty(results, store, metrics) -> None:
    (table,) = with_uncertainty(comparison(results, (10,), metrics), metrics, store, TestConfig())
    shown = {row.model: (row.values[NDCG].best, row.values[NDCG].tied) for row in table.rows}
    assert shown == {"a": (False, True), "b": (True, False), "c": (False, False)}


@pytest.mark.parametrize("test", ["t", "randomization", "wilcoxon"])
@pytest.mark.parametrize("correction", ["holm", "bh"])
def test_the_configured_test_makes_the_marks(results, store, metrics, test, correction) -> None:
    config = TestConfig(test=test, correction=correction, resamples=999)
    (table,) = with_uncertainty(comparison(results, (10,), metrics), metrics, store, config)
    assert [row.model for row in table.rows if row.values[NDCG].tied] == ["a"]
    assert table.marks is not None and table.marks.test_config is config


def test_every_output_shows_and_explains_them(results, store, metrics, tmp_path) -> None:
    tables = with_uncertainty(comparison(results, (10,), metrics), metrics, store, TestConfig())
    explanation = (
        "†: not distinguishable from the best (paired t-test over users, Holm over all pairs, level 5 %)"
    )
    doc = document("x", results, tables, metrics, ["bakeoff run"])
    (_, a, _) = doc.sections[0].metrics[0].rows
    assert a[1].text.endswith("†")
    page = markdown.render(doc)
    assert "†" in page and explanation in page
    paper = latex.render(doc)
    assert r"$^{\dagger}$" in paper and "†" not in paper and "not distinguishable from the best" in paper
    screen = io.StringIO()
    console.print_tables(
        "x", results, (10,), metrics, tmp_path, Console(file=screen, width=200, no_color=True), tables
    )
    assert "†" in screen.getvalue() and explanation in screen.getvalue()


def test_metrics_of_the_whole_set_say_that_they_have_no_test(results, store, metrics) -> None:
    (table,) = with_uncertainty(comparison(results, (10,), metrics), metrics, store, TestConfig())
    (note,) = [n for n in notes(table) if n.startswith("Not tested")]
    assert note == "Not tested: gini (one number for the whole set of lists, no value for each user)."


def test_metrics_of_the_whole_set_have_a_best_and_no_mark(make, store, metrics, tmp_path) -> None:
    results = [
        make(model, {"gini": {"10": (gini, None)}, "ndcg": {"10": (0.5, 0.01)}})
        for model, gini in (("a", 0.5), ("b", 0.4), ("c", 0.4))
    ]
    for made in results:
        store.write_per_user(made.request.key, {"user": np.arange(9), "ndcg@10": np.arange(9) / 9})
        store.write_record(made.record)
    tables = with_uncertainty(comparison(results, (10,), metrics), metrics, store, TestConfig())
    values = [row.values[Column("gini", 10)] for row in tables[0].rows]
    assert [(v.best, v.tied, v.half) for v in values] == [
        (False, False, None),
        (True, False, None),
        (True, False, None),
    ]
    doc = document("x", results, tables, metrics, ["bakeoff run"])
    shown = [[entry.text for entry in row] for row in doc.sections[0].metrics[0].rows]
    at = [head.text for head in doc.sections[0].metrics[0].heads].index("gini")
    assert [row[at] for row in shown] == ["0.5000", "0.4000★", "0.4000★"]
    for text in (markdown.render(doc), latex.render(doc)):
        assert "no value for each user" in text


def test_without_the_values_there_are_no_marks_and_a_note(results, metrics, tmp_path) -> None:
    (table,) = with_uncertainty(
        comparison(results, (10,), metrics), metrics, Store(tmp_path / "empty"), TestConfig()
    )
    assert not any(value.tied for row in table.rows for value in row.values.values())
    assert any(
        n.startswith("Not tested: ndcg (the store has no values by user of cell") for n in notes(table)
    )
    assert "†" not in legend(table)


def test_a_table_that_nobody_tested_says_nothing_of_it(results, metrics) -> None:
    (table,) = comparison(results, (10,), metrics)
    assert table.marks is None and "†" not in legend(table)
    assert not any(n.startswith("Not tested") for n in notes(table))


def test_too_few_flips_to_tell_anything_apart_are_told(results, store, metrics) -> None:
    config = TestConfig(test="randomization", resamples=100, confidence=0.99)
    (table,) = with_uncertainty(comparison(results, (10,), metrics), metrics, store, config)
    assert [row.model for row in table.rows if row.values[NDCG].tied] == ["a", "c"]
    assert any("cannot reach a corrected p below 0.03" in n for n in notes(table))


@pytest.fixture
def repeat(make, store):
    """Store models on splits by seeds: values float64 [splits, seeds, users] of each model."""

    def stored(**models):
        results = []
        for model, values in models.items():
            for split, seed in np.ndindex(values.shape[:2]):
                users = values[split, seed]
                error = float(users.std(ddof=1) / np.sqrt(len(users)))
                numbers = {
                    "ndcg": {"10": (float(users.mean()), error)},
                    "gini": {"10": (float(users.max()), None)},
                }
                made = make(model, numbers, split_seed=split, seed=seed, n_users=len(users))
                store.write_per_user(made.request.key, {"user": np.arange(len(users)), "ndcg@10": users})
                store.write_record(made.record)
                results.append(made)
        return results

    return stored


def test_several_splits_are_one_model_of_users_and_splits(repeat, store, metrics) -> None:
    rng = np.random.default_rng(1)
    users = rng.random(60)
    values = {m: shift + users + rng.normal(0, 0.1, (3, 1, 60)) for m, shift in (("a", 0.0), ("b", 0.2))}
    tables = comparison(repeat(**values), (10,), metrics)
    (table,) = with_uncertainty(tables, metrics, store, TestConfig(correction="bh"))
    assert table.marks is not None
    assert how_tested(table.marks) == (
        "users, 3 splits and fits as random effects, Benjamini-Hochberg over all pairs, level 5 %"
    )
    shown = {row.model: (row.values[NDCG].best, row.values[NDCG].tied) for row in table.rows}
    assert shown == {"a": (False, False), "b": (True, False)}


def test_the_interval_of_a_mean_over_repetitions_is_of_the_variance_model(repeat, store, metrics) -> None:
    values = np.random.default_rng(2).random((2, 3, 40))
    (table,) = with_uncertainty(comparison(repeat(a=values), (10,), metrics), metrics, store, TestConfig())
    expected = summarise([list(values)]).spread
    (row,) = table.rows
    assert row.values[NDCG].half == pytest.approx(expected.half_widths()[0])
    config = TestConfig(question="models", confidence=0.9)
    (table,) = with_uncertainty(comparison(repeat(a=values), (10,), metrics), metrics, store, config)
    assert table.rows[0].values[NDCG].half == pytest.approx(expected.fixed().half_widths(0.9)[0])


def test_seeds_that_scatter_are_in_the_marks_as_in_the_intervals(repeat, store, metrics) -> None:
    """The faults of the tuned ALS: ahead by its interval's width, yet told apart from the rest."""
    rng = np.random.default_rng(3)
    users = rng.random(400)
    a = users + np.array([0.0, 0.06])[None, :, None] + rng.normal(0, 0.02, (1, 2, 400))
    b = users + 0.05 + np.zeros((1, 2, 400))
    (table,) = with_uncertainty(comparison(repeat(a=a, b=b), (10,), metrics), metrics, store, TestConfig())
    (first, second) = (row.values[NDCG] for row in table.rows)
    assert abs(first.mean - second.mean) < first.half
    assert first.tied or second.tied
    config = TestConfig(question="models")
    (table,) = with_uncertainty(comparison(repeat(a=a, b=b), (10,), metrics), metrics, store, config)
    assert not any(row.values[NDCG].tied for row in table.rows)


def test_a_metric_of_whole_lists_has_an_interval_from_three_fits_on(repeat, store, metrics) -> None:
    for n, has_interval in ((2, False), (3, True)):
        results = repeat(a=np.random.default_rng(4).random((1, n, 30)))
        (table,) = with_uncertainty(comparison(results, (10,), metrics), metrics, store, TestConfig())
        assert (table.rows[0].values[Column("gini", 10)].half is not None) == has_interval


def test_one_fit_of_each_model_speaks_of_these_models(results, store, metrics) -> None:
    (table,) = with_uncertainty(comparison(results, (10,), metrics), metrics, store, TestConfig())
    assert any("these fitted models" in note for note in notes(table))


def test_several_fits_speak_of_the_algorithms(repeat, store, metrics) -> None:
    values = np.random.default_rng(5).random((1, 3, 30))
    (table,) = with_uncertainty(comparison(repeat(a=values), (10,), metrics), metrics, store, TestConfig())
    assert any("about the algorithms" in note for note in notes(table))
    assert "users and fits" in legend(table)
