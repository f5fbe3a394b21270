"""Spread over users, against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from bakeoff.report.charts.distributions import LEVELS, summarize


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_quantiles_mean_and_zeros_are_those_of_the_known_values(n: int) -> None:
    rng = np.random.default_rng(n)
    values = rng.integers(0, 4, size=(3, n)) / 4
    values[1, : n // 2] = np.nan
    for row, found in zip(values, summarize(values), strict=True):
        known = row[~np.isnan(row)]
        assert found is not None
        assert found.n == len(known)
        assert found.mean == pytest.approx(known.mean())
        assert found.quantiles == pytest.approx(np.quantile(known, LEVELS))
        assert found.zeros == pytest.approx((known == 0).mean())


def test_nothing_is_said_where_nobody_has_a_value() -> None:
    assert summarize(np.full((1, 4), np.nan)) == [None]
