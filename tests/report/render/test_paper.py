"""One table for a paper: its marks, its order, and that LaTeX takes it."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from bakeoff.queries.comparison import comparison
from bakeoff.report.render.paper import BEST, SECOND, as_document, paper_table, render


@pytest.fixture
def tables(make, metrics):
    """Three models on two data sets; the second of them marks b as not distinguishable from the best."""
    scores = {"x": {"a": 0.4, "b": 0.3, "c & d": 0.1}, "y_1": {"a": 0.2, "b": 0.25, "c & d": 0.3}}
    results = [
        make(model, {"ndcg": {"5": (mean, 0.01), "10": (mean / 2, 0.01)}}, dataset=data)
        for data, of_data in scores.items()
        for model, mean in of_data.items()
    ]
    first, second = comparison(results, (5, 10), {"ndcg": metrics["ndcg"]})
    rows = [
        replace(row, values={c: replace(v, tied=row.model == "b") for c, v in row.values.items()})
        for row in second.rows
    ]
    return [first, replace(second, rows=tuple(rows))]


def test_the_best_and_the_second_best_of_each_column_are_marked(tables, metrics) -> None:
    table = paper_table(tables, metrics)
    ranks = {label: [figure.rank for figure in figures] for label, figures in table.rows}
    assert ranks == {
        "a": [BEST, BEST, "", ""],
        "b": [SECOND, SECOND, SECOND, SECOND],
        "c & d": ["", "", BEST, BEST],
    }


def test_rows_are_in_the_given_order_or_by_their_mean_rank(tables, metrics) -> None:
    # ranks over the four columns, 0 is best: a 0 0 2 2, b 1 1 1 1, c 2 2 0 0: all equal, so by name
    assert [label for label, _ in paper_table(tables, metrics).rows] == ["a", "b", "c & d"]
    only_first = paper_table(tables[1:], metrics)
    assert [label for label, _ in only_first.rows] == ["c & d", "b", "a"]
    chosen = paper_table(tables, metrics, ["b", "a"])
    assert [label for label, _ in chosen.rows] == ["b", "a"]


def test_a_model_that_a_data_set_lacks_has_an_empty_figure(tables, metrics) -> None:
    lacking = replace(tables[1], rows=tuple(r for r in tables[1].rows if r.model != "c & d"))
    table = paper_table([tables[0], lacking], metrics)
    assert [figure.value for figure in dict(table.rows)["c & d"]][2:] == [None, None]


def test_intervals_are_shown_on_demand(tables, metrics) -> None:
    assert "±" not in render(paper_table(tables, metrics), "markdown")
    assert "±" in render(paper_table(tables, metrics, intervals=True), "markdown")


def test_markdown_has_a_line_for_each_model_and_the_marks(tables, metrics) -> None:
    lines = render(paper_table(tables, metrics), "markdown").splitlines()
    assert lines[1] == "| --- | ---: | ---: | ---: | ---: |"
    assert "**0.4000**" in lines[2] and "<u>0.2500†</u>" in lines[3]


def test_a_column_that_is_the_same_in_every_row_is_a_note(make, metrics) -> None:
    numbers = {m: {"ndcg": {"5": (0.5, None), "10": (v, None)}} for m, v in (("a", 0.25), ("b", 0.125))}
    results = [make(m, numbers[m], dataset=d) for m in numbers for d in "xy"]
    table = paper_table(comparison(results, (5, 10), {"ndcg": metrics["ndcg"]}), metrics)
    text = render(table, "markdown")
    assert "ndcg@5" not in text.splitlines()[0] and text.splitlines()[0].count("ndcg@10") == 2
    assert "x, split random: ndcg@5 0.5000" in text
    assert {row["k"] for row in as_document(table)["rows"]} == {5, 10}


def test_names_from_data_are_no_markup(tables, metrics) -> None:
    class Tags(HTMLParser):
        names: set[str] = set()

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.names.add(tag)

    hostile = [replace(t, rows=tuple(replace(r, model="<script>") for r in t.rows[:1])) for t in tables]
    parser = Tags()
    parser.feed(render(paper_table(hostile, metrics), "html"))
    assert "script" not in parser.names


def test_the_document_has_a_row_for_each_figure(tables, metrics) -> None:
    rows = as_document(paper_table(tables, metrics))["rows"]
    assert len(rows) == 12
    (one,) = [r for r in rows if (r["model"], r["split"][0], r["k"]) == ("b", "y", 5)]
    assert (one["value"], one["rank"], one["tied"], one["metric"]) == (0.25, SECOND, True, "ndcg")
