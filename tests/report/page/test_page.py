from __future__ import annotations

import json

from bakeoff.queries.comparison import Column, comparison
from bakeoff.report.document import document
from bakeoff.report.page.page import BESIDE_N, page


def paged(results, metrics, ks=(5, 10, 20)):
    tables = comparison(results, ks, metrics)
    return page(document("x", results, tables, metrics, []), results, tables, metrics)


def test_the_metric_most_asked_for_is_shown_first_at_ten(make, metrics) -> None:
    both = {"gini": {"10": (0.5, None)}, "ndcg": dict.fromkeys(("5", "10", "20"), (0.1, 0.01))}
    ((first, *beside),) = paged([make("a", both)], metrics).shown
    assert first == Column("ndcg", 10)
    assert beside == [None] * BESIDE_N
    ((first, *_),) = paged([make("a", both)], metrics, ks=(5, 20)).shown
    assert first == Column("ndcg", 5)


def test_what_was_not_measured_has_an_empty_board(make, metrics) -> None:
    result = paged([make("a", status="failed", reason="broke")], metrics)
    assert result.shown == ((None,) * (BESIDE_N + 1),)
    assert json.loads(result.data)["boards"][0]["columns"] == []


def test_the_legend_explains_what_stands_in_the_board(make, metrics) -> None:
    numbers = {"ndcg": {"10": (0.1, 0.01)}}
    (one,) = paged([make("a", numbers), make("b", numbers)], metrics).legends
    assert one == "Bold: best of its column; ties are all bold. Interval: 95 %, over users."
    (several,) = paged([make("a", numbers, seed=s) for s in (1, 2)], metrics).legends
    assert several == ""  # the interval of several fits needs their values by user


def test_only_what_there_is_stands_under_what_was_compared(make, metrics) -> None:
    result = paged([make("a", status="failed", reason="broke", fingerprint="")], metrics)
    assert [grid.caption for grid in result.compared] == ["Data sets", "Models and budgets"]
    assert result.missing.rows
