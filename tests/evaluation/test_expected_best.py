"""The expected best of n trials, held to fractions by hand, to all draws in turn, and to simulation."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from scipy import stats

from bakeoff.evaluation.expected_best import expected_best, expected_maximum, mean_over_repeats

INF = float("inf")


def test_the_larger_of_two_draws_from_three_values_by_hand() -> None:
    # Of nine pairs from 1, 2, 3 one has maximum 1, three have 2 and five have 3.
    by_hand = Fraction(1 * 1 + 3 * 2 + 5 * 3, 9)
    assert expected_maximum(np.array([3.0, 1.0, 2.0]), 2).tolist() == pytest.approx([2.0, float(by_hand)])


def test_equal_values_share_their_weight() -> None:
    # 1, 1, 4: both are 1 in four of nine pairs.
    assert expected_maximum(np.array([1.0, 4.0, 1.0]), 2)[1] == pytest.approx((4 * 1 + 5 * 4) / 9)


@pytest.mark.parametrize("values", [[0.5], [0.2, 0.9], [-1.0, -1.0, 3.0, 0.0], [5, 4, 3, 2, 1]])
def test_the_equation_is_the_mean_over_all_draws(values) -> None:
    n = 4
    enumerated = [np.mean([max(draw) for draw in product(values, repeat=i)]) for i in range(1, n + 1)]
    assert expected_maximum(np.array(values), n).tolist() == pytest.approx(enumerated)


def test_many_draws_come_to_the_largest_value() -> None:
    assert expected_maximum(np.array([0.1, 0.7, 0.3]), 200)[-1] == pytest.approx(0.7)


def test_values_of_a_known_distribution_give_its_expected_maximum() -> None:
    uniform = (np.arange(2000) + 0.5) / 2000  # E max of n is n / (n + 1)
    n = np.arange(1, 11)
    assert expected_maximum(uniform, 10).tolist() == pytest.approx((n / (n + 1)).tolist(), abs=1e-3)


def enumerated(first, draws):
    """Mean of the best of the first trial and i draws, i from 0 to all, over every way to draw them."""
    m = len(draws)
    return [np.mean([max((first, *draw)) for draw in product(draws, repeat=i)]) for i in range(m + 1)]


@pytest.mark.parametrize("first", [0.25, 0.0, 0.9])
def test_the_defaults_are_certain_and_the_other_trials_are_drawn(first) -> None:
    draws = [0.1, 0.4, 0.3, 0.4]
    result = expected_best(np.array([[first]]), np.array([[draws]]))
    assert result.tolist() == pytest.approx(enumerated(first, draws))
    assert result[0] == first


def test_a_trial_without_a_value_leaves_the_best_as_it_was() -> None:
    draws = [-INF, 0.4, -INF, 0.2]
    result = expected_best(np.array([[0.3]]), np.array([[draws]]))
    assert result.tolist() == pytest.approx(enumerated(0.3, draws))
    assert result.tolist() == pytest.approx(enumerated(0.3, [0.3, 0.4, 0.3, 0.3]))


def test_without_a_value_of_the_defaults_the_first_is_unknown_and_the_draws_stand_alone() -> None:
    result = expected_best(np.array([[-INF]]), np.array([[[1.0, 2.0, 3.0]]]))
    assert np.isnan(result[0])
    assert result[1:].tolist() == pytest.approx(expected_maximum(np.array([1.0, 2.0, 3.0]), 3).tolist())


def test_nothing_is_said_where_neither_the_defaults_nor_all_draws_have_values() -> None:
    result = expected_best(np.array([[-INF]]), np.array([[[1.0, -INF]]]))
    assert result.shape == (3,) and np.isnan(result).all()


def alone(first, draws):
    return expected_best(np.array([[first]]), np.array([[draws]]))


def test_searches_and_splits_are_averaged() -> None:
    first = np.array([[0.0, 0.3], [0.1, 0.2]])
    draws = np.random.default_rng(2).random((2, 2, 3))
    each = [alone(first[s, r], draws[s, r]) for s in range(2) for r in range(2)]
    assert expected_best(first, draws).tolist() == pytest.approx(np.mean(each, axis=0).tolist())


def test_two_searches_have_a_mean_and_no_interval() -> None:
    result = mean_over_repeats(np.array([[0.1, 0.2], [0.3, 0.6]]))
    assert result.mean.tolist() == pytest.approx([0.2, 0.4])
    assert np.isnan([result.low, result.high]).all()


@pytest.mark.parametrize("n", [5, 30])
def test_the_interval_over_searches_covers_the_expected_best_at_every_budget(n: int) -> None:
    rng = np.random.default_rng(9)
    truth = rng.standard_normal((100_000, n)).max(axis=1).mean()
    covered = 0
    for _ in range(400):
        best = np.maximum.accumulate(rng.standard_normal((4, 30)), axis=1)
        result = mean_over_repeats(best)
        covered += bool(result.low[n - 1] <= truth <= result.high[n - 1])
    assert 0.91 <= covered / 400 <= 0.98


def test_the_mean_of_repeated_searches_has_the_t_interval() -> None:
    values = np.array([[-INF, 0.2, 0.5], [0.1, 0.4, 0.5], [0.3, 0.3, 0.8]])
    result = mean_over_repeats(values)
    assert np.isnan([part[0] for part in result]).all()
    for n in (1, 2):
        low, high = stats.t.interval(0.95, 2, values[:, n].mean(), stats.sem(values[:, n]))
        assert [result.mean[n], result.low[n], result.high[n]] == pytest.approx(
            [values[:, n].mean(), low, high]
        )
