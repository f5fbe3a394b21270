"""The variance model against classical formulas, numerical integration, and its own claims."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, stats

from bakeoff.arrays import Doubles
from bakeoff.errors import Unsupported
from bakeoff.evaluation.variance import (
    FIT_PRIOR,
    SEARCH_SCALE,
    SPLIT_PRIOR,
    Spread,
    scatter_half_width,
    summarise,
)
from numerics import assert_close

PAIR = np.array([[0, 1]])


def close(actual: Doubles | float, expected: Doubles | float, tolerance: float = 1e-9) -> None:
    assert_close(actual, expected, tolerance)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_one_fit_on_one_split_is_the_paired_t_test(rng: np.random.Generator) -> None:
    a, b = rng.normal(size=(2, 40)) + 0.3 * np.arange(2)[:, None]
    means, spread = summarise([[a[None]], [b[None]]]).differences(PAIR)
    expected = stats.ttest_rel(a, b)
    close(spread.p_values(means)[0], expected.pvalue)
    low, high = expected.confidence_interval(0.9)
    close(spread.half_widths(0.9)[0], (high - low) / 2, 1e-8)


def test_a_mean_of_one_fit_on_one_split_has_the_t_interval_over_users(rng: np.random.Generator) -> None:
    values = rng.normal(size=30)
    summary = summarise([[values[None]]])
    close(summary.means[0], values.mean())
    close(summary.spread.half_widths()[0], stats.t.ppf(0.975, 29) * stats.sem(values), 1e-8)


def test_on_complete_splits_the_parts_are_the_mean_squares_of_a_two_way_analysis(
    rng: np.random.Generator,
) -> None:
    n_splits, n_users = 4, 25
    a, b = rng.normal(size=(2, n_splits, n_users)) + rng.normal(size=(1, n_splits, 1))
    d = a - b
    grand, by_user, by_split = d.mean(), d.mean(axis=0), d.mean(axis=1)
    n = n_splits * n_users
    users = n_splits * np.square(by_user - grand).sum() / (n_users - 1)
    splits = n_users * np.square(by_split - grand).sum() / (n_splits - 1)
    both = np.square(d - by_user - by_split[:, None] + grand).sum() / ((n_users - 1) * (n_splits - 1))
    means, spread = summarise([[row[None] for row in model] for model in (a, b)]).differences(PAIR)
    close(means[0], grand)
    close(spread.users[0], users / n)
    close(spread.splits[0], splits / n)
    close(spread.splits_by_users[0], both / n)


def test_splits_with_users_of_their_own_have_the_variances_of_independent_samples(
    rng: np.random.Generator,
) -> None:
    values = rng.normal(size=(3, 60))
    owner = np.arange(60) % 3
    values[owner[None, :] != np.arange(3)[:, None]] = np.nan
    spread = summarise([[row[None] for row in values]]).spread
    within = np.mean([np.nanvar(row, ddof=0) / 20 for row in values]) / 3 * 60 / 59
    close(spread.users[0], within)
    close(spread.splits_by_users[0], within)
    close(spread.splits[0], np.var([np.nanmean(row) for row in values], ddof=1) / 3)


def test_fits_on_one_split_are_told_from_what_users_vary_by(rng: np.random.Generator) -> None:
    fits = rng.normal(size=(4, 50)) + rng.normal(size=(4, 1))
    spread = summarise([[fits]]).spread
    close(spread.fits[0], np.var(fits.mean(axis=1), ddof=1) / 4)
    centred = fits - fits.mean(axis=0) - fits.mean(axis=1)[:, None] + fits.mean()
    close(spread.fits_by_users[0], np.square(centred).sum() / (3 * 4 * 50 * 49))
    assert spread.fits_df[0] == 3


def test_p_values_are_those_of_the_integral_over_the_prior(rng: np.random.Generator) -> None:
    a, b = rng.normal(size=(2, 3, 300)) + 0.05 * rng.normal(size=(2, 3, 1))
    means, spread = summarise([[row[None] for row in model] for model in (a, b)]).differences(PAIR)
    df, scale = SPLIT_PRIOR
    unit = scale * np.sqrt(spread.splits_by_users[0])

    def posterior(effect: float) -> float:
        expected = spread.splits_by_users[0] + effect**2
        return float(
            stats.t.pdf(effect / unit, df) / expected * np.exp(-spread.splits[0] / expected)
        )  # chi-squared with two degrees of freedom

    def tail(effect: float) -> float:
        return float(2 * stats.norm.sf(abs(means[0]) / np.sqrt(spread.users[0] + effect**2)))

    points = [unit * x for x in (0.1, 1, 10)]
    mass = integrate.quad(posterior, 0, 1000 * unit, points=points, limit=500)[0]
    p = integrate.quad(lambda e: posterior(e) * tail(e), 0, 1000 * unit, points=points, limit=500)[0] / mass
    close(spread.p_values(means)[0], p, 0.01)


@pytest.mark.parametrize(("splits", "fits"), [(1, 1), (1, 3), (2, 1), (3, 2)])
def test_an_interval_holds_0_exactly_where_the_p_value_is_above_the_level(
    rng: np.random.Generator, splits: int, fits: int
) -> None:
    values = rng.normal(size=(12, splits, fits, 60)) + 0.2 * rng.normal(size=(12, splits, fits, 1))
    pairs = np.array([(i, j) for i in range(12) for j in range(i)])
    means, spread = summarise([list(model) for model in values]).differences(pairs)
    for level in (0.5, 0.05):
        p, half = spread.p_values(means), spread.half_widths(1 - level)
        assert ((p > level) == (np.abs(means) < half)).all()


def test_order_of_users_and_splits_changes_nothing(rng: np.random.Generator) -> None:
    values = rng.normal(size=(2, 3, 1, 40))
    values[:, 1, :, :7] = np.nan
    means, spread = summarise([list(model) for model in values]).differences(PAIR)
    moved = values[:, [2, 0, 1]][..., rng.permutation(40)]
    means_moved, spread_moved = summarise([list(model) for model in moved]).differences(PAIR)
    close(means_moved, means)
    close(spread_moved.p_values(means_moved), spread.p_values(means))


def test_equal_models_have_p_1_and_no_width(rng: np.random.Generator) -> None:
    values = rng.normal(size=(2, 1, 30))
    means, spread = summarise([list(values), list(values)]).differences(PAIR)
    assert means[0] == 0
    assert spread.p_values(means)[0] == 1
    assert spread.half_widths()[0] == 0


def test_a_difference_that_is_the_same_for_all_users_has_the_p_value_of_the_sign_test(
    rng: np.random.Generator,
) -> None:
    values = rng.integers(0, 9, size=20).astype(float)
    means, spread = summarise([[values[None] + 1], [values[None]]]).differences(PAIR)
    close(spread.p_values(means)[0], 2.0**-19)


def test_the_question_about_these_models_leaves_splits_and_fits_out(rng: np.random.Generator) -> None:
    values = rng.normal(size=(2, 2, 3, 50)) + rng.normal(size=(2, 2, 3, 1))
    means, spread = summarise([list(model) for model in values]).differences(PAIR)
    by_user = values.mean(axis=(1, 2))
    close(spread.fixed().p_values(means)[0], stats.ttest_rel(*by_user).pvalue, 1e-8)


def test_more_fits_and_more_splits_are_expected_to_narrow_an_interval(rng: np.random.Generator) -> None:
    values = rng.normal(size=(2, 3, 2, 80)) + 0.3 * rng.normal(size=(2, 3, 2, 1))
    _, spread = summarise([list(model) for model in values]).differences(PAIR)
    now = spread.half_widths()[0]
    assert spread.with_splits(3).half_widths()[0] == pytest.approx(now, rel=0.5)
    widths = [spread.with_splits(n).half_widths()[0] for n in (4, 8, 16, 64)]
    assert widths == sorted(widths, reverse=True)
    _, spread = summarise([list(model[:1]) for model in values]).differences(PAIR)
    widths = [spread.with_fits(times).half_widths()[0] for times in (1, 1.5, 2, 4)]
    assert widths == sorted(widths, reverse=True)


def test_a_split_needs_two_users() -> None:
    with pytest.raises(Unsupported, match="1 users"):
        summarise([[np.array([[1.0, np.nan]])]])


def test_a_metric_of_whole_lists_has_an_interval_from_three_splits_or_fits_on() -> None:
    assert scatter_half_width([[0.1], [0.2]]) is None
    assert scatter_half_width([[0.1, 0.3]]) is None
    expected = stats.t.ppf(0.975, 2) * stats.sem([0.1, 0.2, 0.4])
    assert scatter_half_width([[0.1], [0.1, 0.3], [0.4]]) == pytest.approx(expected)
    assert scatter_half_width([[0.1, 0.2, 0.4]]) == pytest.approx(expected)


@pytest.mark.parametrize(("splits", "fits", "spread_of_fits"), [(3, 1, 0.0), (1, 3, 1.0)])
def test_an_interval_covers_as_often_as_it_says(splits: int, fits: int, spread_of_fits: float) -> None:
    """A small version of bench/variance.py: 800 repeats, where chance moves a rate by 1.5 points."""
    rng = np.random.default_rng(11)
    n_users, repeats = 80, 800
    values = rng.normal(size=(repeats, 2, 1, 1, n_users)) * np.sqrt(0.5)
    values = values + rng.normal(size=(repeats, 2, splits, fits, n_users)) * np.sqrt(0.5)
    values += spread_of_fits / np.sqrt(n_users) * rng.normal(size=(repeats, 2, splits, fits, 1))
    pairs = np.arange(2 * repeats).reshape(-1, 2)
    means, spread = summarise([list(model) for pair in values for model in pair]).differences(pairs)
    false = (spread.p_values(means) <= 0.05).mean()
    assert 0.01 < false < 0.07


def test_two_searches_that_differ_much_are_no_more_often_told_apart_than_the_level_says() -> None:
    """Tuned fits of real models differ by six standard errors of the users (bench/variance.py)."""
    rng = np.random.default_rng(12)
    n_users, repeats = 80, 800
    values = rng.normal(size=(repeats, 2, 1, 2, n_users))
    values += 6 / np.sqrt(n_users) * rng.normal(size=(repeats, 2, 1, 2, 1))
    pairs = np.arange(2 * repeats).reshape(-1, 2)
    models = [list(model) for pair in values for model in pair]
    false = {}
    for tuned in (range(len(models)), range(0, len(models), 2), ()):
        means, spread = summarise(models, tuned).differences(pairs)
        false[len(tuned)] = (spread.p_values(means) <= 0.05).mean()
    assert false[2 * repeats] == false[repeats] < 0.06 < false[0]


def test_a_search_alone_on_each_split_changes_nothing(rng: np.random.Generator) -> None:
    values = list(rng.normal(size=(2, 3, 1, 40)))
    means, spread = summarise(values).differences(PAIR)
    means_tuned, spread_tuned = summarise(values, (0, 1)).differences(PAIR)
    assert spread_tuned.p_values(means_tuned) == spread.p_values(means)


def test_scales_of_the_priors_are_those_of_the_simulations() -> None:
    assert (SPLIT_PRIOR, FIT_PRIOR, SEARCH_SCALE) == ((3.0, 1.2), (1.0, 0.8), 3.0)


def test_more_users_divide_what_users_alone_make_and_leave_the_rest() -> None:
    numbers = np.array([4.0]), 9.0, np.array([5.0]), np.array([2.0]), 3, np.array([3.0]), np.array([1.0])
    spread = Spread(*numbers, np.array([2.0]), np.array([1.0]), np.array([0.8]))
    doubled = spread.with_users(2)
    assert (doubled.users[0], doubled.users_df) == (2.0, 19.0)
    assert (doubled.splits[0], doubled.splits_by_users[0]) == (4.0, 1.0)
    assert (doubled.fits[0], doubled.fits_by_users[0]) == (2.5, 0.5)
    refitted = spread.with_fits(2)
    assert (refitted.users[0], refitted.fits[0], refitted.fits_by_users[0]) == (3.5, 1.5, 0.5)
    assert (refitted.splits[0], refitted.splits_by_users[0], refitted.fits_df[0]) == (3.5, 1.5, 5.0)
    more = spread.with_splits(6)
    assert (more.users[0], more.splits[0], more.splits_by_users[0]) == (3.0, 2.5, 1.0)
    assert (more.n_splits, more.fits[0], more.fits_by_users[0]) == (6, 1.5, 0.5)
    assert (more.fits_df[0], more.fits_groups[0]) == (4.0, 2.0)
    noisy = replace(spread, splits=np.array([1.0])).with_users(2)
    assert noisy.splits[0] == 1.0, "no variance is below 0"


def test_two_users_have_an_interval_and_one_has_none() -> None:
    values = np.array([0.2, 0.5])
    close(summarise([[values[None]]]).spread.half_widths()[0], stats.t.ppf(0.975, 1) * 0.15, 1e-8)
