"""Models ranked over data sets."""

from __future__ import annotations

import pytest

from bakeoff.errors import Unsupported
from bakeoff.report.comparison import comparison
from bakeoff.report.pairs.data_sets import over_data_sets
from bakeoff.report.tables import Column

NDCG = Column("ndcg", 10)


def tables_of(make, metrics, n, models="abc"):
    results = [
        make(m, {"ndcg": {"10": (0.1 * (i + 1) + 0.001 * d, 0.01)}}, dataset=f"d{d}", split=split)
        for d in range(n)
        for i, m in enumerate(models)
        for split in ("random", "temporal")
    ]
    results.append(make("extra", {"ndcg": {"10": (0.9, 0.01)}}, dataset="d0"))
    return comparison(results, (10,), metrics)


def test_models_that_every_data_set_has_are_ranked(make, metrics) -> None:
    found = over_data_sets(tables_of(make, metrics, 6), metrics, NDCG, ("random", ""))
    assert [row.model for row in found.models] == ["a", "b", "c"]
    assert found.found.ranks.tolist() == [3.0, 2.0, 1.0]
    assert [name for name, _ in found.data_sets] == [f"d{d}" for d in range(6)]
    assert found.found.n_data_sets == 6


@pytest.mark.parametrize(("n", "split"), [(2, "random"), (6, "kfold")])
def test_too_few_data_sets_are_refused(make, metrics, n, split) -> None:
    with pytest.raises(Unsupported, match="5 data sets"):
        over_data_sets(tables_of(make, metrics, n), metrics, NDCG, (split, ""))


def test_a_metric_without_direction_ranks_nothing(make, metrics) -> None:
    with pytest.raises(Unsupported, match="no better end"):
        over_data_sets([], metrics, Column("mean_popularity", 10), ("random", ""))
