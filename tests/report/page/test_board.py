from __future__ import annotations

import pytest

from bakeoff.queries.comparison import Column, comparison
from bakeoff.report.page.board import boards, cell_text, column_header, ordered

NDCG = Column("ndcg", 10)


def numbers(mean, error=0.01):
    return {"ndcg": {"10": (mean, error)}}


def of(results, metrics):
    (table,) = comparison(results, (10,), metrics)
    return boards([table])[0]


def test_the_interval_of_one_fit_is_over_its_users(make, metrics) -> None:
    (row,) = of([make("a", numbers(0.5), n_users=11)], metrics).rows
    half = 2.228 * 0.01  # t with 10 degrees of freedom, from a printed table
    assert (row.values[0].low, row.values[0].high) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-5)


def test_a_metric_of_the_whole_set_has_no_interval_on_one_fit_and_one_over_three(make, metrics) -> None:
    whole = {"gini": {"10": (0.5, None)}}
    (point,) = of([make("a", whole)], metrics).rows[0].values
    assert (point.mean, point.low, point.high, point.tied) == (0.5, None, None, False)
    other = {"gini": {"10": (0.4, None)}}
    fits = [make("a", numbers, seed=at) for at, numbers in enumerate((whole, other, whole))]
    (point,) = of(fits, metrics).rows[0].values
    half = 4.303 * 0.1 / 3  # t with 2 degrees of freedom, from a printed table; deviation 0.1 / sqrt(3)
    assert (point.low, point.high) == pytest.approx((1.4 / 3 - half, 1.4 / 3 + half), abs=1e-4)


def test_a_point_has_the_interval_of_its_mean(make, metrics) -> None:
    results = [make("a", numbers(0.3))]
    (row,) = of(results, metrics).rows
    (table,) = comparison(results, (10,), metrics)
    half = table.rows[0].values[table.columns[0]].half
    assert row.values[0].mean == pytest.approx(0.3)
    assert row.values[0].high - row.values[0].mean == pytest.approx(half)


def test_users_per_second_is_the_mean_over_the_fits(make, metrics) -> None:
    fits = [
        make("a", numbers(0.1), seed=s, n_users=100, seconds={"fit": 2.0, "recommend": t})
        for s, t in ((1, 0.5), (2, 1.0))
    ]
    made = of(fits, metrics)
    assert made.costs == ("fit s", "users / s", "peak MB")
    assert [cost.text for cost in made.rows[0].costs] == ["2.00", "150", "200"]


def test_a_row_without_numbers_says_why_and_comes_last(make, metrics) -> None:
    results = [
        make("a", status="failed", reason="broke", traceback="Traceback\nmore"),
        make("b", numbers(0.1)),
        make("c", numbers(0.3)),
    ]
    made = ordered(of(results, metrics), NDCG, ascending=False)
    assert [row.model for row in made.rows] == ["c", "b", "a"]
    assert [row.model for row in ordered(made, NDCG, ascending=True).rows] == ["b", "c", "a"]
    failed = made.rows[-1]
    assert (failed.state, failed.reason) == ("failed", "failed: broke")
    assert made.incomplete
    assert cell_text(failed, made, NDCG).text == "–"  # noqa: RUF001
    assert failed.detail.failures[0].traceback == "Traceback\nmore"


def test_values_are_shown_with_four_figures_and_their_interval(make, metrics) -> None:
    made = of([make("a", numbers(0.25)), make("b", numbers(0.125, None))], metrics)
    assert column_header(NDCG) == "ndcg@10"
    assert column_header(Column("auc", None)) == "auc"
    assert cell_text(made.rows[0], made, NDCG) == ("0.2500", "0.2299 to 0.2701", True)
    assert cell_text(made.rows[1], made, NDCG) == ("0.1250", "–", False)  # noqa: RUF001


def test_boards_of_one_name_are_told_apart_by_what_their_splits_hold(make, metrics) -> None:
    pairs = [make("a", numbers(0.1), split_family=f"f{n}", fingerprint=f"s{n}", key=f"c{n}") for n in (1, 2)]
    made = boards(comparison(pairs, (10,), metrics))
    assert [b.split for b in made] == ["random [s1]", "random [s2]"]
