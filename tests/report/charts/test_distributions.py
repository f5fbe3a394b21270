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
    for row, summary in zip(values, summarize(values), strict=True):
        measured = row[~np.isnan(row)]
        assert summary is not None
        assert summary.n == len(measured)
        assert summary.mean == pytest.approx(measured.mean())
        assert summary.quantiles == pytest.approx(np.quantile(measured, LEVELS))
        assert summary.zeros == pytest.approx((measured == 0).mean())


def test_nothing_is_said_where_nobody_has_a_value() -> None:
    assert summarize(np.full((1, 4), np.nan)) == [None]
