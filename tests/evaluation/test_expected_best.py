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
    result = expected_best(np.array([[first]]), np.array([[draws]]), seed=1)
    assert result.mean.tolist() == pytest.approx(enumerated(first, draws))
    assert result.mean[0] == result.low[0] == result.high[0] == first


def test_a_trial_without_a_value_leaves_the_best_as_it_was() -> None:
    draws = [-INF, 0.4, -INF, 0.2]
    result = expected_best(np.array([[0.3]]), np.array([[draws]]), seed=1)
    assert result.mean.tolist() == pytest.approx(enumerated(0.3, draws))
    assert result.mean.tolist() == pytest.approx(enumerated(0.3, [0.3, 0.4, 0.3, 0.3]))


def test_without_a_value_of_the_defaults_the_first_is_unknown_and_the_draws_stand_alone() -> None:
    result = expected_best(np.array([[-INF]]), np.array([[[1.0, 2.0, 3.0]]]), seed=1)
    assert np.isnan([result.mean[0], result.low[0], result.high[0]]).all()
    assert result.mean[1:].tolist() == pytest.approx(expected_maximum(np.array([1.0, 2.0, 3.0]), 3).tolist())


def test_nothing_is_said_where_neither_the_defaults_nor_all_draws_have_values() -> None:
    result = expected_best(np.array([[-INF]]), np.array([[[1.0, -INF]]]), seed=1)
    assert np.isnan(np.concatenate(result)).all()


def alone(first, draws, seed=3):
    return expected_best(np.array([[first]]), np.array([[draws]]), seed=seed)


def test_searches_and_splits_are_averaged() -> None:
    first = np.array([[0.0, 0.3], [0.1, 0.2]])
    draws = np.random.default_rng(2).random((2, 2, 3))
    each = [alone(first[s, r], draws[s, r]).mean for s in range(2) for r in range(2)]
    assert expected_best(first, draws, seed=3).mean.tolist() == pytest.approx(np.mean(each, axis=0).tolist())


def test_the_splits_of_a_search_share_their_draws_and_searches_do_not() -> None:
    draws = np.random.default_rng(4).random(12)
    one = alone(0.0, draws)
    splits = expected_best(np.zeros((1, 2)), np.array([[draws, draws]]), seed=3)
    searches = expected_best(np.zeros((2, 1)), np.array([[draws], [draws]]), seed=3)
    assert np.concatenate(splits).tolist() == pytest.approx(np.concatenate(one).tolist())
    narrower = (searches.high - searches.low)[4] / (one.high - one.low)[4]
    assert narrower == pytest.approx(1 / np.sqrt(2), abs=0.15)


def test_the_seed_decides_the_interval_and_the_global_state_does_not() -> None:
    draws = np.random.default_rng(0).random((1, 1, 12))
    first, again, other = (expected_best(np.zeros((1, 1)), draws, seed=s) for s in (1, 1, 2))
    assert first.low.tolist() == again.low.tolist()
    assert first.low.tolist() != other.low.tolist()
    assert first.mean.tolist() == other.mean.tolist()


def test_the_interval_holds_the_mean_and_grows_narrow_with_more_draws() -> None:
    generator = np.random.default_rng(5)
    few, many = (alone(0.0, generator.random(m)) for m in (10, 160))
    for result in (few, many):
        assert (result.low <= result.mean + 1e-12).all()
        assert (result.mean <= result.high + 1e-12).all()
    assert many.high[3] - many.low[3] < few.high[3] - few.low[3]


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(9)
    truth = 3 / 4  # of three draws, each uniform
    result = [alone(-INF, generator.random(40), s) for s in range(200)]
    covered = np.mean([f.low[3] <= truth <= f.high[3] for f in result])
    assert 0.88 <= covered <= 0.99


def test_the_mean_of_repeated_searches_has_the_t_interval() -> None:
    values = np.array([[-INF, 0.2, 0.5], [0.1, 0.4, 0.5], [0.3, 0.3, 0.8]])
    result = mean_over_repeats(values)
    assert np.isnan([part[0] for part in result]).all()
    for n in (1, 2):
        low, high = stats.t.interval(0.95, 2, values[:, n].mean(), stats.sem(values[:, n]))
        assert [result.mean[n], result.low[n], result.high[n]] == pytest.approx(
            [values[:, n].mean(), low, high]
        )
