"""Several comparisons as one, and what a smaller difference would need."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from bakeoff.evaluation.significance import Sample, TestConfig, pair_spread
from bakeoff.evaluation.variance import Needed, PairSpread, combined, repetitions_needed

BENCH = Path(__file__).parents[2] / "bench" / "gate.py"


def pair_of(*splits: np.ndarray, fits: int = 1, seed: int = 0, users: int = 0) -> PairSpread:
    """Return the pair whose differences by user are given for each split."""
    rng = np.random.default_rng(seed)
    samples = []
    for split in splits:
        base = rng.normal(size=len(split))
        values = np.stack([base + split, base])[None]
        several = {0: values[:, 0] + 0.3 * rng.normal(size=(fits, 1, 1))} if fits > 1 else {}
        samples.append(Sample(np.arange(len(split)) + users, values, several))
    return pair_spread(samples, (0, 1), TestConfig())


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_one_comparison_combined_is_itself(rng: np.random.Generator) -> None:
    pair = pair_of(rng.normal(0.2, 1, 50), rng.normal(0.2, 1, 50), rng.normal(0.4, 1, 50))
    result = combined([pair], ["a"], np.ones(1))
    assert result.difference == pytest.approx(pair.difference)
    assert result.half == pytest.approx(pair.spread.half_widths()[0], rel=5e-3)
    assert result.p == pytest.approx(pair.spread.p_values(np.array([pair.difference]))[0], rel=0.05)


def test_variances_of_data_sets_add_with_the_degrees_of_freedom_of_welch(rng: np.random.Generator) -> None:
    one, two = rng.normal(0.3, 1, 12), rng.normal(0.1, 2, 30)
    result = combined([pair_of(one), pair_of(two)], ["a", "b"], np.array([1.0, -1.0]))
    expected = stats.ttest_ind(one, two, equal_var=False)
    low, high = expected.confidence_interval()
    assert (result.difference, result.half) == pytest.approx((one.mean() - two.mean(), (high - low) / 2))
    assert result.p == pytest.approx(expected.pvalue)


def test_users_of_one_data_set_count_once(rng: np.random.Generator) -> None:
    differences = rng.normal(0.2, 1, 60)
    pair = pair_of(differences)
    twice = combined([pair, pair], ["a", "a"], np.full(2, 0.5))
    assert twice.half == pytest.approx(pair.spread.half_widths()[0])
    apart = combined([pair, pair_of(differences, users=60)], ["a", "a"], np.full(2, 0.5))
    assert apart.half == pytest.approx(twice.half / np.sqrt(2), rel=0.02)


def test_equal_comparisons_have_no_interaction(rng: np.random.Generator) -> None:
    pair = pair_of(rng.normal(0.2, 1, 60))
    result = combined([pair, pair], ["a", "a"], np.array([1.0, -1.0]))
    assert (result.difference, result.half, result.p) == (0, 0, 1)


@pytest.mark.parametrize("n", [3, 10])
def test_one_answer_for_all_comparisons_holds_its_level_where_a_vote_does_not(n: int) -> None:
    rates = runpy.run_path(str(BENCH))["rates"]
    better = runpy.run_path(str(BENCH))["BETTER"]
    vote_promotes, vote_rejects, promotes, rejects, covers, contradicts = rates(n, 1, 0.0, 0.0, 150)
    assert vote_promotes == 0
    assert vote_rejects > (0.03 if n == 3 else 0.14)
    assert max(promotes, rejects) < 0.06 and covers > 0.9 and contradicts < 0.1
    vote_promotes, _, promotes, *_ = rates(n, 1, better, 0.0, 100)
    assert promotes == 1 and vote_promotes < 0.85
    assert rates(n, 1, -better, 0.0, 100, better)[2] < 0.06, "as much worse as the margin"
    assert rates(n, 1, 0.0, 0.0, 50, better)[2] > 0.98, "equal"


def test_the_users_needed_are_those_of_the_usual_formula(rng: np.random.Generator) -> None:
    differences = rng.normal(0, 1, 400)
    needed = repetitions_needed(0.02, [pair_of(differences)], [""], 1)
    expected = (1.96 * differences.std(ddof=1) / 0.02) ** 2
    assert needed.users == pytest.approx(expected, rel=0.01)
    assert (needed.splits, needed.fits) == (None, None), "one split says nothing of what another one adds"


def test_the_splits_and_fits_needed_are_the_smallest_that_are_enough(rng: np.random.Generator) -> None:
    pair = pair_of(*rng.normal(0.0, 1, (3, 200)), fits=3)
    spread = pair.spread
    distance = 0.8 * float(spread.half_widths()[0])
    needed = repetitions_needed(distance, [pair], [""], 3)
    assert needed.splits is not None
    assert spread.with_splits(needed.splits).half_widths()[0] < distance
    assert spread.with_splits(needed.splits - 1).half_widths()[0] >= distance or needed.splits == 4
    if needed.fits is not None:
        assert spread.with_fits(needed.fits / 3).half_widths()[0] < distance


def test_nothing_is_needed_where_the_difference_is_told_apart_or_none_will_do(
    rng: np.random.Generator,
) -> None:
    pair = pair_of(rng.normal(0, 1, 100))
    assert not repetitions_needed(5.0, [pair], [""], 1)
    assert not repetitions_needed(0.0, [pair], [""], 1)
    assert repetitions_needed(1e-6, [pair], [""], 1) == Needed()


def test_what_a_mean_of_comparisons_needs_is_what_tells_it_apart(rng: np.random.Generator) -> None:
    pairs = [pair_of(rng.normal(0.0, 1, 100)) for _ in range(3)]
    weights = np.full(3, 1 / 3)
    half = combined(pairs, ["a", "b", "c"], weights).half
    needed = repetitions_needed(half / 2, pairs, ["a", "b", "c"], 1)
    assert needed.users == pytest.approx(4 * 300, rel=0.02)
    more = [pair.expected(pair.spread.with_users(needed.users / 300)) for pair in pairs]
    assert combined(more, ["a", "b", "c"], weights).half < half / 2
    assert repetitions_needed(half / 2, pairs[:1], ["a"], 1).users > needed.users / 3, "one alone needs more"
    assert not repetitions_needed(2 * half, pairs, ["a", "b", "c"], 1)
