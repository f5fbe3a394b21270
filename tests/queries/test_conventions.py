"""What libraries would have printed, for the models of an experiment."""

from __future__ import annotations

import json

import pytest

from bakeoff.evaluation.catalogue import LIBRARIES, conventions, shipped, words
from bakeoff.queries import conventions as by_convention
from bakeoff.queries.comparison import comparison

VALUES = {"ndcg": 0.3, "ndcg_rectools": 0.2, "map": 0.25, "map_recommenders": 0.1, "auc_implicit": 0.6}


@pytest.fixture
def table(make):
    def record(factor):
        return {name: {"10": (value * factor, 0.01), "5": (value, 0.01)} for name, value in VALUES.items()}

    results = [make("als", record(1.0)), make("warp", record(0.5))]
    return comparison(results, [5, 10], {name: shipped()[name] for name in VALUES})[0]


def test_a_library_prints_what_the_metric_of_its_formula_is(table):
    printed = by_convention.as_printed(conventions(["recommenders", "implicit"]), table, 10)
    values = {name: row.values for row in printed.rows for name in row.names}
    assert values["recommenders:map@10"] == {"als": 0.1, "warp": 0.05}
    assert values["implicit:map@10"] == {"als": 0.25, "warp": 0.125}
    assert values["recommenders:ndcg@10"] == values["implicit:ndcg@10"]
    assert set(printed.libraries) == {"recommenders 1.2.1", "implicit 0.7"}


def test_formulas_of_a_word_stand_side_by_side_with_their_spread(table):
    shown = by_convention.explained(conventions(word="ndcg"), table, 10)
    of = {row.metric: row for row in shown.rows}
    assert {"implicit:ndcg@10", "ranx:ndcg@10"} <= set(of["ndcg"].names)
    assert of["ndcg_rectools"].names == ("rectools:ndcg@10",)
    assert shown.spread["als"] == (0.2, 0.3) and shown.spread["warp"] == (0.1, 0.15)
    low, high = shown.spread["toy"]
    assert (round(low, 5), round(high, 5)) == (0.38771, 0.58394)


def test_without_an_experiment_there_are_the_toy_lists_alone():
    shown = by_convention.explained(conventions(word="precision"), None)
    assert [round(end, 5) for end in shown.spread["toy"]] == [0.33333, 0.55556]
    assert "r_precision" not in {row.metric for row in shown.rows}
    assert all("@" not in name for row in shown.rows for name in row.names)


def test_every_word_has_a_metric():
    assert {metric for of in LIBRARIES.values() for metric in of.metrics.values()} <= set(shipped())


def test_the_commands_measure_stored_lists_and_write_no_report(bakeoff, tmp_path):
    small = ("dataset.n_users=60", "dataset.n_items=100", "dataset.n_rows=1200", "depth=10", "k=[3,5]")
    assert (
        bakeoff("run", *small, "name=lab", "model=popularity", "metrics=ndcg", "isolate=false").returncode
        == 0
    )
    before = (tmp_path / "results" / "lab" / "metrics.csv").read_bytes()
    report = json.loads(bakeoff("report", "lab", "--conventions", "rectools,recbole", "--format=json").stdout)
    names = {name for row in report["tables"][0]["rows"] for name in row["names"]}
    assert {"rectools:ndcg@5", "recbole:map@5", "recbole:auc"} <= names and report["k"] == [5]
    explained = bakeoff("explain", "auc", "lab", "k=3", "--format=json")
    rows = json.loads(explained.stdout)["tables"][0]["rows"]
    assert {row["metric"] for row in rows} == {"auc_implicit", "auc_lightfm", "auc_recbole", "auc_replay"}
    assert all(set(row["values"]) == {"popularity", "random"} for row in rows)
    assert "rectools:map@3" in bakeoff("explain", "map", "lab", "k=[3]", "--format=markdown").stdout
    assert (tmp_path / "results" / "lab" / "metrics.csv").read_bytes() == before
    for form in ("latex", "html", "table"):
        assert "0.5839" in bakeoff("explain", "ndcg", f"--format={form}").stdout


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("report", "lab", "--conventions", "rectool"), "rectools"),
        (("explain", "ngcd"), "ndcg"),
        (("explain", "ndcg", "k=5"), "WORD NAME"),
        (("report", "lab", "--conventions", "ranx", "metrics=ndcg"), "conventions="),
        (("explain",), "explain --help"),
    ],
)
def test_a_wrong_name_or_choice_is_refused(bakeoff, words, named):
    answer = bakeoff(*words)
    assert answer.returncode == 2 and named in answer.stderr


def test_a_variant_of_a_word_is_found_by_the_word_alone():
    assert {"map", "ndcg", "precision"} <= set(words()) and "map_divide_by_k" not in words()
    assert "rectools:map_divide_by_k" in [c.name for c in conventions(word="map")]
