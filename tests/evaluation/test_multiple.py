"""Corrections by hand and by statsmodels, and ranks over data sets."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bakeoff.errors import ConfigError, Unsupported
from bakeoff.evaluation.multiple import benjamini_hochberg, corrected, critical_difference, holm


@pytest.mark.parametrize(
    ("p", "by_holm", "by_bh"),
    [
        # 3 x .02 = .06; 2 x .03 = .06; .04 is lifted to .06. BH: .06, .045, .04: all .04
        ((0.02, 0.03, 0.04), (0.06, 0.06, 0.06), (0.04, 0.04, 0.04)),
        # 2 x .03 = .06, .04 lifted. BH: 2 x .03 = .06 lowered to .04
        ((0.03, 0.04), (0.06, 0.06), (0.04, 0.04)),
        # sorted .001 .01 .02 .3: Holm .004 .03 .04 .3; BH .004 .02 .08/3 .3; in the order given
        ((0.3, 0.01, 0.001, 0.02), (0.3, 0.03, 0.004, 0.04), (0.3, 0.02, 0.004, 0.08 / 3)),
        ((0.5, 0.9), (1.0, 1.0), (0.9, 0.9)),
        ((0.04,), (0.04,), (0.04,)),
        ((), (), ()),
    ],
)
def test_corrections_by_hand(p, by_holm, by_bh) -> None:
    assert holm(np.array(p)) == pytest.approx(by_holm, rel=1e-12)
    assert benjamini_hochberg(np.array(p)) == pytest.approx(by_bh, rel=1e-12)


@pytest.mark.slow  # seconds to import statsmodels
@pytest.mark.parametrize(("how", "theirs"), [("holm", "holm"), ("bh", "fdr_bh")])
def test_corrections_are_those_of_statsmodels(how, theirs) -> None:
    from statsmodels.stats.multitest import multipletests

    rng = np.random.default_rng(0)
    families = rng.beta(0.4, 2, (50, 12))
    families[:, 3] = families[:, 7]  # ties
    found = corrected(families, how)
    for ours, p in zip(found, families, strict=True):
        assert ours == pytest.approx(multipletests(p, method=theirs)[1], rel=1e-9, abs=1e-12)


def test_an_unknown_correction_is_refused() -> None:
    with pytest.raises(ConfigError, match="bh, holm"):
        corrected(np.array([0.1]), "tukey")


def test_friedman_and_nemenyi_by_hand() -> None:
    """Demsar 2006, table 5: q of .05 for 3 models is 2.343; CD = 2.343 sqrt(3 x 4 / (6 x 6))."""
    scores = np.array([[3, 2, 1]] * 5 + [[2.0, 3.0, 1.0]])
    found = critical_difference(scores)
    assert found.ranks == pytest.approx([7 / 6, 11 / 6, 3.0])
    assert found.distance == pytest.approx(2.343 * np.sqrt(12 / 36), abs=1e-3)
    assert found.p == pytest.approx(stats.friedmanchisquare(*scores.T).pvalue)
    assert found.groups == ((0, 1), (1, 2))  # 1.83 to 3 is 1.17 < 1.353; 1.17 to 3 is not


def test_models_that_tie_everywhere_are_one_group() -> None:
    found = critical_difference(np.ones((6, 4)))
    assert (found.p, found.groups, found.ranks.tolist()) == (1.0, ((0, 1, 2, 3),), [2.5] * 4)


def test_models_far_apart_are_in_no_group() -> None:
    assert critical_difference(np.tile([3.0, 2.0, 1.0], (40, 1))).groups == ()


@pytest.mark.parametrize("shape", [(4, 3), (5, 2)])
def test_too_little_is_refused(shape) -> None:
    with pytest.raises(Unsupported, match="5 data sets and 3 models"):
        critical_difference(np.ones(shape))
