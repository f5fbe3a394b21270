"""Marks for what is not distinguishable from the best."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from bakeoff.evaluation.significance import TestConfig
from bakeoff.queries.comparison import comparison
from bakeoff.queries.tables import Column, Marks
from bakeoff.report.document import document
from bakeoff.report.marks import marked
from bakeoff.report.render import console, latex, markdown
from bakeoff.report.wording import how_tested, legend, notes
from bakeoff.storage.store import Store

NDCG = Column("ndcg", 10)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def results(make, store):
    """Three models with 100 users: b is best, a is close to it, c is far."""
    rng = np.random.default_rng(0)
    shared, found = rng.random(100), []
    for model, shift in (("a", 0.295), ("b", 0.3), ("c", 0.0)):
        values = shared + shift + rng.normal(0, 0.05, 100)
        made = make(model, {"ndcg": {"10": (float(values.mean()), 0.01)}, "gini": {"10": (0.5, None)}})
        store.write_per_user(made.asked.key, {"user": np.arange(100), "ndcg@10": values})
        found.append(made)
    return found


def test_what_is_not_apart_from_the_best_is_marked(results, store, metrics) -> None:
    (table,) = marked(comparison(results, (10,), metrics), metrics, store, TestConfig())
    shown = {row.model: (row.values[NDCG].best, row.values[NDCG].tied) for row in table.rows}
    assert shown == {"a": (False, True), "b": (True, False), "c": (False, False)}


@pytest.mark.parametrize("test", ["t", "randomization", "wilcoxon"])
@pytest.mark.parametrize("correction", ["holm", "bh"])
def test_the_configured_test_makes_the_marks(results, store, metrics, test, correction) -> None:
    rules = TestConfig(test=test, correction=correction, resamples=999)
    (table,) = marked(comparison(results, (10,), metrics), metrics, store, rules)
    assert [row.values[NDCG].tied for row in table.rows] == [True, False, False]
    assert table.marks is not None and table.marks.rules is rules


def test_every_output_shows_and_explains_them(results, store, metrics, tmp_path) -> None:
    tables = marked(comparison(results, (10,), metrics), metrics, store, TestConfig())
    told = "†: not distinguishable from the best (paired t-test over users, Holm over all pairs, level 5 %)"
    doc = document("x", results, tables, metrics, ["bakeoff run"])
    (a, _, _) = doc.sections[0].metrics[0].rows
    assert a[1].text.endswith("†")
    page = markdown.render(doc)
    assert "†" in page and told in page
    paper = latex.render(doc)
    assert r"$^{\dagger}$" in paper and "†" not in paper and "not distinguishable from the best" in paper
    screen = io.StringIO()
    console.print_tables(
        "x", results, (10,), metrics, tmp_path, Console(file=screen, width=200, no_color=True), tables
    )
    assert "†" in screen.getvalue() and told in screen.getvalue()


def test_metrics_of_the_whole_set_say_that_they_have_no_test(results, store, metrics) -> None:
    (table,) = marked(comparison(results, (10,), metrics), metrics, store, TestConfig())
    (note,) = [n for n in notes(table) if n.startswith("Not tested")]
    assert note == "Not tested: gini (one number for the whole set of lists, no value for each user)."


def test_metrics_of_the_whole_set_have_a_best_and_no_mark(make, store, metrics, tmp_path) -> None:
    results = [
        make(model, {"gini": {"10": (gini, None)}, "ndcg": {"10": (0.5, 0.01)}})
        for model, gini in (("a", 0.5), ("b", 0.4), ("c", 0.4))
    ]
    for made in results:
        store.write_per_user(made.asked.key, {"user": np.arange(9), "ndcg@10": np.arange(9) / 9})
    tables = marked(comparison(results, (10,), metrics), metrics, store, TestConfig())
    values = [row.values[Column("gini", 10)] for row in tables[0].rows]
    assert [(v.best, v.tied, v.half) for v in values] == [
        (False, False, None),
        (True, False, None),
        (True, False, None),
    ]
    doc = document("x", results, tables, metrics, ["bakeoff run"])
    shown = [[entry.text for entry in row] for row in doc.sections[0].metrics[0].rows]
    at = [head.text for head in doc.sections[0].metrics[0].heads].index("gini")
    assert [row[at] for row in shown] == ["0.5000", "0.4000", "0.4000"]
    for text in (markdown.render(doc), latex.render(doc)):
        assert "no value for each user" in text


def test_without_the_values_there_are_no_marks_and_a_note(results, metrics, tmp_path) -> None:
    (table,) = marked(comparison(results, (10,), metrics), metrics, Store(tmp_path / "empty"), TestConfig())
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
    rules = TestConfig(test="randomization", resamples=100, confidence=0.99)
    (table,) = marked(comparison(results, (10,), metrics), metrics, store, rules)
    assert [row.values[NDCG].tied for row in table.rows] == [True, False, True]
    assert any("cannot reach a corrected p below 0.03" in n for n in notes(table))


def test_several_splits_are_said_to_be_combined(make, store, metrics) -> None:
    rng, results = np.random.default_rng(1), []
    for model, shift in (("a", 0.0), ("b", 0.2)):
        for split_seed in (1, 2, 3):
            values = shift + rng.random(60)
            counts = {"train_pairs": 400, "test_pairs": 100}
            made = make(
                model, {"ndcg": {"10": (float(values.mean()), 0.01)}}, split_seed=split_seed, counts=counts
            )
            store.write_per_user(made.asked.key, {"user": np.arange(60), "ndcg@10": values})
            results.append(made)
    (table,) = marked(comparison(results, (10,), metrics), metrics, store, TestConfig(correction="bh"))
    assert table.marks is not None
    assert how_tested(table.marks) == (
        "corrected resampled t-test over 3 splits, Benjamini-Hochberg over all pairs, level 5 %"
    )


@pytest.mark.parametrize(("n", "told"), [(1, False), (2, True), (3, True), (4, False)])
def test_few_splits_say_that_they_tell_hardly_anything_apart(results, metrics, n, told) -> None:
    (table,) = comparison(results, (10,), metrics)
    marks = Marks(rules=TestConfig(), n_splits=n, finest=0.0, untested={})
    assert any("of freedom" in note for note in notes(replace(table, marks=marks))) == told
