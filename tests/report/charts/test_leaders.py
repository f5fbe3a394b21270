"""Ranks of models, against scipy and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import rankdata

from bakeoff.queries.comparison import Column, comparison
from bakeoff.report.charts.leaders import ranked, run_ranks, table_ranks


@pytest.mark.parametrize("seed", range(5))
def test_equal_values_share_the_mean_of_their_ranks(seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 5, 12) / 5
    assert ranked(values, False).tolist() == rankdata(values).tolist()
    assert ranked(values, True).tolist() == rankdata(-values).tolist()


def test_a_value_that_is_not_there_has_no_rank() -> None:
    assert ranked([0.1, float("nan"), 0.2], True).tolist() == pytest.approx([2, float("nan"), 1], nan_ok=True)
    assert np.isnan(ranked([float("nan")], True)).all()


def test_models_are_ranked_by_their_means_in_the_direction_of_the_metric(make: Any, metrics: Any) -> None:
    results = [
        make(m, {"ndcg": {"10": (a, None)}, "gini": {"10": (a, None)}}, seed=seed)
        for m, a in (("als", 0.3), ("bpr", 0.1), ("ease", 0.2))
        for seed in (1, 2)
    ]
    (table,) = comparison(results, [10], metrics)
    assert [row.model for row in table.rows] == ["als", "ease", "bpr"]
    assert table_ranks(table, Column("ndcg", 10), True).tolist() == [1, 2, 3]
    assert table_ranks(table, Column("gini", 10), False).tolist() == [3, 2, 1]


def test_each_run_has_ranks_of_its_own(make: Any, metrics: Any) -> None:
    values = {("als", 1): 0.3, ("als", 2): 0.1, ("ease", 1): 0.2, ("ease", 2): 0.2}
    results = [make(m, {"ndcg": {"10": (v, None)}}, seed=s) for (m, s), v in values.items()]
    results.append(make("broken", status="failed"))
    (table,) = comparison(results, [10], metrics)
    ranks = run_ranks(table, Column("ndcg", 10), True)
    assert ranks[[row.model for row in table.rows].index("als")].tolist() == [1, 2]
