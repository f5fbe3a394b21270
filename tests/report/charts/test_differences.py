"""Numbers of the charts of differences, against scipy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from bakeoff.evaluation import significance
from bakeoff.queries.comparison import comparison
from bakeoff.queries.pairs import pairwise
from bakeoff.queries.tables import Column
from bakeoff.report.charts import charts


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
        q = stats.studentized_range.ppf(0.95, 3, np.inf) / np.sqrt(2)
        reach = [r["reach"][0] - r["rank"][0] for r in rows]
        assert reach == pytest.approx([q * np.sqrt(3 * 4 / (6 * 5))] * 3, abs=2e-3)
