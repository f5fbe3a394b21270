"""Intervals of means over users and fits, against scipy, by hand, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bakeoff.queries.uncertainty import Fit, half_width


def fit_of(values: np.ndarray, split: str = "s") -> Fit:
    return Fit(float(values.mean()), float(stats.sem(values)), len(values), split)


def test_one_fit_has_the_t_interval_over_its_users() -> None:
    values = np.random.default_rng(0).random(40)
    low, high = stats.t.interval(0.95, 39, values.mean(), stats.sem(values))
    assert half_width([fit_of(values)]) == pytest.approx((high - low) / 2)


def test_seeds_that_agree_leave_the_interval_over_users() -> None:
    values = np.random.default_rng(0).random(40)
    assert half_width([fit_of(values)] * 3) == pytest.approx(half_width([fit_of(values)]))


def test_users_and_fits_are_added_as_squares_with_welchs_degrees_of_freedom() -> None:
    # Users: 0.03^2 with 99 degrees of freedom. Fits 0.4 and 0.5: variance 0.005, over 2: 0.0025, with 1.
    users, fits = 0.03**2, 0.0025
    degrees = (users + fits) ** 2 / (users**2 / 99 + fits**2 / 1)
    expected = stats.t.ppf(0.975, degrees) * math.sqrt(users + fits)
    found = half_width([Fit(0.4, 0.02, 100, "s"), Fit(0.5, 0.04, 120, "s")])
    assert found == pytest.approx(expected)


def test_without_users_errors_to_speak_of_it_is_the_t_interval_over_fits() -> None:
    means = [0.1, 0.2, 0.6]
    low, high = stats.t.interval(0.95, 2, np.mean(means), stats.sem(means))
    assert half_width([Fit(m, 0.0, 50, "s") for m in means]) == pytest.approx((high - low) / 2)
    assert half_width([Fit(m, None, 50, "s") for m in means]) == pytest.approx((high - low) / 2)


def test_seeds_on_one_split_are_averaged_before_splits_are_compared() -> None:
    nested = [Fit(m, 0.01, 50, s) for s, pair in (("a", (0.1, 0.3)), ("b", (0.4, 0.4))) for m in pair]
    of_splits = [Fit(0.2, 0.01, 50, "a"), Fit(0.4, 0.01, 50, "b")]
    assert half_width(nested) == pytest.approx(half_width(of_splits))


def test_two_fits_alone_say_nothing_of_a_metric_of_the_whole_set_of_lists() -> None:
    assert half_width([Fit(0.3, None, 50, "s")]) is None
    assert half_width([Fit(0.3, None, 50, "s"), Fit(0.4, None, 50, "s")]) is None


def test_one_user_has_no_interval() -> None:
    assert half_width([Fit(0.3, math.nan, 1, "s")]) is None


error = st.floats(0.001, 0.2)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), error), min_size=1, max_size=6))
def test_it_is_never_narrower_than_what_the_users_vary_by(found: list[tuple[float, float]]) -> None:
    fits = [Fit(mean, se, 200, "s") for mean, se in found]
    users = stats.t.ppf(0.975, 199) * np.mean([se for _, se in found])
    assert half_width(fits) >= users * (1 - 1e-9)


@pytest.mark.parametrize(("of_seed", "noise"), [(0.0, 0.1), (0.02, 0.1), (0.05, 0.0)])
def test_it_holds_the_truth_at_least_as_often_as_it_says(of_seed: float, noise: float) -> None:
    # Users of their own level, seeds of their own luck, and noise of each user under each seed.
    rng, held, n_users, n_seeds, repeats = np.random.default_rng(1), 0, 60, 3, 400
    for _ in range(repeats):
        users = rng.normal(0.5, 0.2, n_users)
        seeds = rng.normal(0, of_seed, n_seeds)
        values = users + seeds[:, None] + rng.normal(0, noise, (n_seeds, n_users))
        half = half_width([fit_of(v) for v in values])
        held += abs(values.mean() - 0.5) <= half
    assert held / repeats >= 0.93  # 95 % less two standard errors of 400 draws
