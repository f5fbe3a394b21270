"""Differences against scipy; overlap of lists by hand, by the formula, and by sets."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bakeoff.evaluation import significance
from bakeoff.queries.comparison import Column, comparison
from bakeoff.queries.pairs import pairwise
from bakeoff.report.charts import charts
from bakeoff.report.charts.pairs import PERSISTENCE, list_overlap


def test_the_interval_on_one_split_is_that_of_the_paired_t_test(experiment: Any) -> None:
    table = experiment.tables[0]
    column = Column("ndcg", 5)
    tests = pairwise(
        table,
        experiment.metrics,
        experiment.store,
        significance.TestConfig(question="models"),
        [column],
        intervals=False,
    )
    one = tests.pairs[column]
    values = []
    for row in one.rows:
        keys = list(dict.fromkeys(r.request.key for r in table.rows[row].results))
        values.append(np.mean([experiment.store.per_user(k, ["ndcg@5"])["ndcg@5"] for k in keys], axis=0))
    expected = stats.ttest_rel(values[2], values[0]).confidence_interval(0.95)
    assert (one.low[2, 0], one.high[2, 0]) == pytest.approx((expected.low, expected.high))


def test_ranks_over_data_sets_are_drawn_from_five_on(make: Any, metrics: Any) -> None:
    def results(n: int) -> list[Any]:
        scores = (("als", 0.3), ("bpr", 0.2), ("ease", 0.1))
        return [
            make(m, {"ndcg": {"10": (a + (0.3 if (m, d) == ("ease", 0) else 0), 0.01)}}, dataset=f"d{d}")
            for d in range(n)
            for m, a in scores
        ]

    for n in (4, 5):
        sections = {s.id: s for s in charts(comparison(results(n), [10], metrics), metrics, None)}
        section = sections["differences"]
        if n == 4:
            assert section.charts == ()
            assert "at least 5 data sets and three models; this report has 4 data sets." in section.text
            continue
        (chart,) = section.charts
        (rows,) = chart.spec["datasets"].values()
        # ease is first on one data set and last on four
        assert {r["model"]: r["rank"] for r in rows} == {"als": [1.2], "bpr": [2.2], "ease": [2.6]}
        # Wilcoxon with 5 data sets has no p below 2 / 32; the second of three is corrected to twice that
        assert {r["model"]: r["wilcoxon"] for r in rows} == {"als": [1.0], "bpr": [0.19], "ease": [0.25]}
        assert rows[0]["p_f"][0] < rows[0]["p"][0]
        q = stats.studentized_range.ppf(0.95, 3, np.inf) / np.sqrt(2)
        reach = [r["reach"][0] - r["rank"][0] for r in rows]
        assert reach == pytest.approx([q * np.sqrt(3 * 4 / (6 * 5))] * 3, abs=2e-3)


N_ITEMS = 30


def brute(a: list[int], b: list[int], p: float) -> float:
    """Equation 32 of Webber et al. 2010, term by term."""
    s, l = sorted((a, b), key=len)  # noqa: E741 - the paper's names
    if not s:
        return float(not l)

    def x(d: int) -> int:
        return len(set(s[:d]) & set(l[:d]))

    n_s, n_l = len(s), len(l)
    agreement = sum(x(d) / d * p**d for d in range(1, n_l + 1))
    beyond = sum(x(n_s) * (d - n_s) / (n_s * d) * p**d for d in range(n_s + 1, n_l + 1))
    return (1 - p) / p * (agreement + beyond) + ((x(n_l) - x(n_s)) / n_l + x(n_s) / n_s) * p**n_l


def lists(rows: list[list[int]], depth: int) -> Any:
    return np.array([r + [-1] * (depth - len(r)) for r in rows], dtype=np.int32)


def mean(a: list[list[int]], b: list[list[int]], ks: Any = (1, 2, 5)) -> tuple[float, Any]:
    depths = [max(max(map(len, side)), 1) for side in (a, b)]
    (overlap,) = list_overlap(lists(a, depths[0]), [lists(b, depths[1])], N_ITEMS, ks)
    return overlap


def test_two_swapped_items_by_hand() -> None:
    # a, b against b, a: X_1 = 0, X_2 = 2; RBO_EXT = (1-p)/p * (2/2) p^2 + 2/2 p^2 = (1-p) p + p^2 = p
    assert mean([[0, 1]], [[1, 0]])[0] == pytest.approx(0.9)


def test_three_places_by_hand() -> None:
    # a, b, c against a, d, b: overlaps 1, 1/2, 2/3; with p = 9/10 in exact fractions
    p = Fraction(9, 10)
    sums = p + Fraction(1, 2) * p**2 + Fraction(2, 3) * p**3
    expected = (1 - p) / p * sums + Fraction(2, 3) * p**3
    assert mean([[0, 1, 2]], [[0, 3, 1]])[0] == pytest.approx(float(expected))


def test_a_shorter_list_by_hand() -> None:
    # a against a, b: s = 1, l = 2, X_1 = X_2 = 1
    p = Fraction(9, 10)
    expected = (1 - p) / p * (p + Fraction(1, 2) * p**2 + Fraction(1, 2) * p**2) + (0 + 1) * p**2
    assert mean([[0]], [[0, 1]])[0] == pytest.approx(float(expected)) == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(6))
def test_lists_of_all_lengths_follow_the_formula(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sides = [[rng.permutation(N_ITEMS)[: rng.integers(0, 12)].tolist() for _ in range(40)] for _ in range(2)]
    rbo, jaccard = mean(*sides)
    pairs = list(zip(*sides, strict=True))
    assert rbo == pytest.approx(np.mean([brute(a, b, PERSISTENCE) for a, b in pairs]))
    for k, overlap in zip((1, 2, 5), jaccard, strict=True):
        sets = [(set(a[:k]), set(b[:k])) for a, b in pairs]
        assert overlap == pytest.approx(np.mean([len(a & b) / len(a | b) if a | b else 1.0 for a, b in sets]))


def test_equal_lists_agree_wholly_and_disjoint_ones_not_at_all() -> None:
    rng = np.random.default_rng(1)
    a = [rng.permutation(N_ITEMS)[:9].tolist() for _ in range(5)]
    assert mean(a, a)[0] == pytest.approx(1.0)
    assert mean([list(range(8))], [list(range(8, 16))])[0] == 0.0


def test_blocks_of_users_do_not_change_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    sides = [[rng.permutation(N_ITEMS)[:6].tolist() for _ in range(25)] for _ in range(2)]
    whole = mean(*sides)
    monkeypatch.setattr("bakeoff.report.charts.pairs._BLOCK", 4 * (N_ITEMS + 1))
    parts = mean(*sides)
    assert parts[0] == pytest.approx(whole[0])
    assert parts[1] == pytest.approx(whole[1])
