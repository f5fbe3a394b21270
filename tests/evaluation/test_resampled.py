"""The corrected resampled t-test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bakeoff.evaluation.resampled import corrected_resampled


def test_p_and_interval_by_hand() -> None:
    # mean .02, deviations -.01 0 .01: variance 1e-4; (1/3 + 1/4) 1e-4 = 5.8333e-5; t = .02 / .0076376
    p, low, high = corrected_resampled(np.array([0.01, 0.02, 0.03]), 0.25, 0.95)
    assert p == pytest.approx(2 * stats.t.sf(0.02 / np.sqrt(7 / 12 * 1e-4), 2), rel=1e-9)
    half = 4.302653 * np.sqrt(7 / 12 * 1e-4)
    assert (low, high) == pytest.approx((0.02 - half, 0.02 + half), rel=1e-6)


def test_without_overlap_it_is_students_test() -> None:
    differences = np.random.default_rng(0).normal(0.1, 1, (5, 10))
    p, low, high = corrected_resampled(differences, 0.0, 0.9)
    assert p == pytest.approx(stats.ttest_1samp(differences, 0, axis=1).pvalue, rel=1e-9)
    theirs = stats.t.interval(0.9, 9, differences.mean(axis=1), stats.sem(differences, axis=1))
    assert np.stack([low, high]) == pytest.approx(np.stack(theirs), rel=1e-9)


def test_no_difference_has_p_1_and_a_constant_one_is_never_0() -> None:
    p, low, high = corrected_resampled(np.array([[0.0] * 4, [0.5] * 4]), 0.25, 0.95)
    assert p.tolist() == [1.0, 0.125]
    assert low.tolist() == high.tolist() == [0.0, 0.5]


def test_one_split_cannot_be_combined() -> None:
    with pytest.raises(ValueError, match="two splits"):
        corrected_resampled(np.array([0.1]), 0.25, 0.95)
