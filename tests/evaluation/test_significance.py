"""Paired comparisons against other libraries, against enumeration, and at their edges."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from bakeoff.errors import ConfigError, Unsupported
from bakeoff.evaluation.significance import (
    SMALLEST,
    Sample,
    TestConfig,
    _bootstrap_means,
    _expanded,
    all_pairs,
    benjamini_hochberg,
    compare,
    corrected,
    critical_difference,
    holm,
    iman_davenport,
    moments_of,
    outcomes_of,
    p_of_pairs,
    p_values,
    pair_spread,
    pool,
    t_half_width,
    t_quantile,
)
from bakeoff.evaluation.variance import summarise
from numerics import assert_close

PAIR = np.array([[0, 1]])


def sample(*systems):
    """One metric; each argument holds a system's values by user."""
    values = np.array([systems], dtype=np.float64)
    return Sample(np.arange(values.shape[2]), values)


def noisy(seed, n=60, m=4, c=3):
    rng = np.random.default_rng(seed)
    shared = rng.random((c, 1, n))
    return Sample(np.arange(n), shared + rng.normal(0, 0.3, (c, m, n)) + rng.normal(0, 0.05, (c, m, 1)))


def test_the_paired_t_is_that_of_scipy() -> None:
    result, pairs = noisy(1), all_pairs(4)
    expected = stats.ttest_rel(result.values[:, pairs[:, 0]], result.values[:, pairs[:, 1]], axis=2).pvalue
    assert p_values(result, pairs, TestConfig(test="t")) == pytest.approx(expected, rel=1e-9)


def test_wilcoxon_is_that_of_scipy() -> None:
    result = noisy(2)
    p = p_values(result, PAIR, TestConfig(test="wilcoxon"))
    difference = result.values[0, 0] - result.values[0, 1]
    assert p[0, 0] == pytest.approx(stats.wilcoxon(difference).pvalue, rel=1e-9)


def test_wilcoxon_is_exact_for_few_and_fast_with_ties() -> None:
    rng = np.random.default_rng(3)
    few, tied = rng.normal(0.3, 1, 12), rng.integers(-1, 2, 13).astype(float)
    p = [p_values(sample(d, np.zeros(len(d))), PAIR, TestConfig(test="wilcoxon"))[0, 0] for d in (few, tied)]
    assert p[0] == pytest.approx(stats.wilcoxon(few, method="exact").pvalue, rel=1e-9)
    larger, differ = int((tied > 0).sum()), int((tied != 0).sum())
    assert p[1] == pytest.approx(stats.binomtest(larger, differ).pvalue, rel=1e-9), "all of one size"


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_quantiles_of_student_are_those_of_scipy(confidence: float) -> None:
    """The expanded percentiles are those of Hesterberg 2015, section 3.4."""
    for n in (2, 3, 30):
        expected = stats.t.ppf((1 + confidence) / 2, n - 1)
        assert t_quantile(n - 1, confidence) == pytest.approx(expected)
        assert t_half_width(0.1, n, confidence) == pytest.approx(0.1 * expected)
        low = stats.norm.cdf(-np.sqrt(n / (n - 1)) * expected)
        assert _expanded(n, confidence) == pytest.approx((low, 1 - low))
    assert t_half_width(0.1, 1) is None and t_half_width(None, 9) is None and np.isnan(t_quantile(0))


def test_users_that_differ_both_ways_count_as_differing() -> None:
    difference = np.repeat([1.0, -0.1], 20)
    result = compare([sample(difference, np.zeros(40))], PAIR, TestConfig(test="t"))
    expected = stats.ttest_1samp(difference, 0).confidence_interval(0.95)
    assert (result.low[0, 0], result.high[0, 0]) == pytest.approx((expected.low, expected.high))


def test_the_variance_model_of_a_pair_takes_no_part_of_other_systems() -> None:
    rng = np.random.default_rng(1)
    values = rng.random((2, 1, 3, 30))
    samples = [Sample(np.arange(30), v) for v in values]
    alone = [Sample(np.arange(30), v[:, [0, 2]]) for v in values]
    spread, expected = (
        pair_spread(s, pair, TestConfig()) for s, pair in ((samples, (0, 2)), (alone, (0, 1)))
    )
    assert spread.difference == pytest.approx((values[:, 0, 0] - values[:, 0, 2]).mean())
    assert spread.difference == expected.difference and spread.users.tolist() == list(range(30))
    assert_close(spread.spread.half_widths(), expected.spread.half_widths(), 1e-12)


def test_sign_flips_agree_with_all_of_them() -> None:
    difference = np.array([0.5, 0.25, -0.125, 1.0, 0.0, 0.75, -0.25, 0.5, 0.125, -0.5])
    flips = np.array(list(itertools.product((-1, 1), repeat=len(difference))))
    exact = np.mean(np.abs(flips @ difference) >= abs(difference.sum()) - 1e-12)
    result = p_values(
        sample(difference, np.zeros(10)), PAIR, TestConfig(test="randomization", resamples=200_000)
    )[0, 0]
    assert result == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 200_000))


def test_sign_flips_agree_with_scipy_and_repeat_at_a_seed() -> None:
    result = noisy(3, n=40)
    config = TestConfig(test="randomization", resamples=20_000, seed=7)
    p = p_values(result, all_pairs(4), config)
    expected = stats.permutation_test(
        (result.values[0, 0] - result.values[0, 1],),
        np.mean,
        permutation_type="samples",
        n_resamples=20_000,
        vectorized=True,
        rng=np.random.default_rng(0),
    ).pvalue
    assert p[0, 0] == pytest.approx(expected, abs=0.015)
    assert (p == p_values(result, all_pairs(4), config)).all()
    other = p_values(result, all_pairs(4), TestConfig(test="randomization", resamples=20_000, seed=8))
    assert (p != other).any()


def test_flips_of_a_metric_do_not_depend_on_the_metrics_beside_it() -> None:
    result = noisy(4)
    config = TestConfig(test="randomization", resamples=500)
    alone = p_values(Sample(result.users, result.values[1:2]), all_pairs(4), config)
    assert (p_values(result, all_pairs(4), config)[1] == alone[0]).all()


@pytest.mark.parametrize("test", ["t", "randomization", "wilcoxon"])
def test_equal_systems_have_p_1_and_an_interval_of_0(test) -> None:
    values = np.random.default_rng(0).random(50)
    result = compare([sample(values, values.copy())], PAIR, TestConfig(test=test, resamples=200))
    assert (result.p[0, 0], result.mean[0, 0], result.effect[0, 0]) == (1.0, 0.0, 0.0)
    assert (result.low[0, 0], result.high[0, 0]) == (0.0, 0.0)
    assert [int(o[0, 0]) for o in result.outcomes] == [0, 50, 0]


@pytest.mark.parametrize("test", ["t", "randomization", "wilcoxon"])
def test_p_is_never_0(test) -> None:
    rng = np.random.default_rng(0)
    apart = sample(rng.normal(1e6, 1e-3, 5000), np.zeros(5000))
    p = p_values(apart, PAIR, TestConfig(test=test, resamples=500))[0, 0]
    assert p >= SMALLEST and p > 0
    if test == "randomization":
        assert p == 1 / 501


def test_all_users_apart_by_the_same_have_the_p_of_flips_alone() -> None:
    result = compare([sample(np.full(5, 0.25), np.zeros(5))], PAIR, TestConfig(resamples=200))
    assert result.p[0, 0] == 2**-4
    assert result.effect[0, 0] == np.inf
    assert result.low[0, 0] <= 0 < result.high[0, 0]  # five users cannot be significant at 5 %


@pytest.mark.parametrize("test", ["t", "randomization"])
def test_few_users_that_differ_leave_0_in_the_interval(test) -> None:
    few, enough = np.zeros(1000), np.zeros(1000)
    few[:5], enough[:12] = 1.0, 1.0
    config = TestConfig(test=test)
    small, large = (compare([sample(x, np.zeros(1000))], PAIR, config) for x in (few, enough))
    assert small.low[0, 0] <= 0 < large.low[0, 0]
    assert large.p[0, 0] <= 0.05 < small.p[0, 0]


def test_an_interval_by_t_holds_0_where_its_p_value_is_above_the_level() -> None:
    result = compare([noisy(3, n=8)], all_pairs(4), TestConfig())
    assert ((result.p > 0.05) == ((result.low < 0) & (result.high > 0))).all()


def test_rounding_does_not_break_ties() -> None:
    """Sums that are equal on paper: 2 of the 8 flips of (x, x, x) are as far from 0 as x + x + x."""
    thirds = sample(np.full(3, 1 / 3), np.full(3, 1 / 30))
    p = p_values(thirds, PAIR, TestConfig(test="randomization", resamples=20_000))[0, 0]
    assert p == pytest.approx(0.25, abs=0.02)


def test_users_without_a_value_are_left_out() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.random(30), rng.random(30)
    a[3], b[[7, 8]] = np.nan, np.nan
    complete = ~np.isnan(a) & ~np.isnan(b)
    for config in (TestConfig(), TestConfig(test="wilcoxon")):
        result = compare([sample(a, b)], PAIR, config)
        whole = compare([sample(a[complete], b[complete])], PAIR, config)
        assert result.p[0, 0] == pytest.approx(whole.p[0, 0], rel=1e-12)
        assert result.mean[0, 0] == pytest.approx((a - b)[complete].mean(), rel=1e-12)
        assert result.n_users.tolist() == [27]
        assert sum(int(o[0, 0]) for o in result.outcomes) == 27
        assert result.low[0, 0] < result.mean[0, 0] < result.high[0, 0]


def test_a_difference_far_below_the_values_is_not_lost_to_rounding() -> None:
    rng = np.random.default_rng(6)
    base, step = rng.random(500) * 1e3, rng.normal(1e-5, 1e-6, 500)
    moments = moments_of(sample(base + step, base), PAIR)
    assert moments.mean[0, 0] == pytest.approx(((base + step) - base).mean(), rel=1e-9)
    assert moments.deviation[0, 0] == pytest.approx(((base + step) - base).std(ddof=1), rel=1e-9)


def test_the_interval_is_close_to_students_where_differences_are_normal() -> None:
    rng = np.random.default_rng(7)
    a, b = rng.normal(0.1, 1, 25), np.zeros(25)
    result = compare([sample(a, b)], PAIR, TestConfig(test="randomization", resamples=20_000))
    low, high = stats.t.interval(0.95, 24, a.mean(), stats.sem(a))
    assert (result.low[0, 0], result.high[0, 0]) == pytest.approx((low, high), abs=0.05)


def test_means_of_drawn_users_have_the_moments_of_all_draws() -> None:
    values, present = np.array([[[0.5, -1.0, 2.0, 0.0]]]), np.array([[True, True, True, False]])
    draws = np.array(list(itertools.product(range(4), repeat=4)))
    n_present = np.maximum(present[0, draws].sum(axis=1), 1)
    means = (values[0, 0, draws] * present[0, draws]).sum(axis=1) / n_present
    drawn = _bootstrap_means(values, present, 40_000, seed=3)[:, 0, 0]
    assert drawn.mean() == pytest.approx(means.mean(), abs=4 * means.std() / 200)
    assert drawn.std() == pytest.approx(means.std(), rel=0.02)
    complete = _bootstrap_means(values, present | True, 40_000, seed=3)[:, 0, 0]
    assert complete.std() == pytest.approx(values.std() / 2, rel=0.02)


def test_a_difference_of_1_for_every_user_has_the_p_of_the_sign_test() -> None:
    result = p_values(sample(np.ones(6), np.zeros(6)), PAIR, TestConfig(test="t"))
    assert result[0, 0] == pytest.approx(2.0**-5)


def test_resamples_are_a_whole_number() -> None:
    with pytest.raises(ConfigError, match="resamples"):
        TestConfig(resamples=100.5)  # type: ignore[arg-type]


def test_intervals_only_where_they_are_wanted() -> None:
    config = TestConfig(test="randomization", resamples=200)
    result = compare([noisy(8)], all_pairs(4), config, intervals=all_pairs(4)[:, 0] == 0)
    assert np.isnan(result.low[:, 3:]).all() and not np.isnan(result.low[:, :3]).any()


def test_turning_a_pair_round_turns_signs_and_keeps_p() -> None:
    there, back = (
        compare([noisy(9)], np.array([pair]), TestConfig(resamples=500)) for pair in ((0, 1), (1, 0))
    )
    assert_close(there.mean, -back.mean, 1e-12)
    assert_close(there.p, back.p, 1e-9)
    assert_close(there.low, -back.high, 1e-9)
    assert_close(there.effect, -back.effect, 1e-9)
    assert (there.outcomes.larger == back.outcomes.smaller).all()


def test_splits_are_combined_by_their_means_and_users_count_once() -> None:
    rng = np.random.default_rng(10)
    users = np.array(["a", "b", "c", "d"])
    parts = [Sample(users[: 4 - s], rng.random((1, 2, 4 - s))) for s in range(3)]
    result = compare(parts, PAIR, TestConfig())
    means = [(s.values[0, 0] - s.values[0, 1]).mean() for s in parts]
    assert result.mean[0, 0] == pytest.approx(np.mean(means))
    aligned = np.full((2, 3, 1, 4), np.nan)
    for s, part in enumerate(parts):
        aligned[:, s, 0, : 4 - s] = part.values[0]
    difference, spread = summarise([list(model) for model in aligned]).differences(PAIR)
    assert result.p[0, 0] == pytest.approx(max(spread.p_values(difference)[0], 2.0**-3))
    assert result.high[0, 0] - result.low[0, 0] >= 2 * spread.half_widths()[0] * (1 - 1e-9)
    assert (result.n_splits, result.n_users.tolist()) == (3, [4])
    pooled = pool(parts)
    assert pooled.users.tolist() == ["a", "b", "c", "d"]
    assert pooled.values[0, :, 2] == pytest.approx((parts[0].values[0, :, 2] + parts[1].values[0, :, 2]) / 2)
    assert sum(int(o[0, 0]) for o in outcomes_of(pooled, PAIR)) == 4


def test_fits_count_where_the_question_is_about_the_algorithms() -> None:
    rng = np.random.default_rng(11)
    fits = rng.random((3, 1, 50)) + 0.2 * rng.normal(size=(3, 1, 1))
    values = np.stack([fits.mean(axis=0), rng.random((1, 50))], axis=1)
    one = Sample(np.arange(50), values, {0: fits})
    of_models = compare([one], PAIR, TestConfig(question="models"))
    assert of_models.p[0, 0] == pytest.approx(stats.ttest_rel(values[0, 0], values[0, 1]).pvalue)
    difference, spread = summarise([[fits[:, 0]], [values[:, 1]]]).differences(PAIR)
    of_algorithms = compare([one], PAIR, TestConfig())
    assert of_algorithms.p[0, 0] == pytest.approx(spread.p_values(difference)[0])
    assert p_of_pairs([one], PAIR, TestConfig()) == pytest.approx(of_algorithms.p)


@pytest.mark.parametrize("n_different", [1, 2, 5, 80])
@pytest.mark.parametrize("n_splits", [1, 3])
def test_p_alone_is_that_of_the_comparison_and_no_less_than_the_flips_of_who_differs(
    n_splits: int, n_different: int
) -> None:
    rng = np.random.default_rng(12)
    users = np.arange(100)
    parts = []
    for _ in range(n_splits):
        a, b = rng.random((2, 40, 100))
        a[:, n_different:] = b[:, n_different:]
        parts.append(Sample(users, np.stack([a, b], axis=1)))
    p = p_of_pairs(parts, PAIR, TestConfig())
    assert (p == compare(parts, PAIR, TestConfig()).p).all()
    assert (p >= 2.0 ** (1 - n_different)).all()


def test_one_user_is_no_sample() -> None:
    with pytest.raises(Unsupported, match=r"two users.*got 1"):
        compare([sample([0.5, np.nan], [0.25, 1.0])], PAIR, TestConfig())


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"test": "u"}, "test='u'"),
        ({"correction": "bonferroni"}, "choose one of: bh, holm"),
        ({"resamples": 10}, "resamples=10"),
        ({"seed": -1}, "seed=-1"),
        ({"confidence": 1.0}, "confidence=1.0"),
        ({"question": "users"}, "choose one of: algorithms, models"),
    ],
)
def test_wrong_rules_are_refused(parameters, message) -> None:
    with pytest.raises(ConfigError, match=message):
        TestConfig(**parameters)


def test_the_shape_of_values_is_checked() -> None:
    with pytest.raises(TypeError, match=r"\[c, m, 3\]"):
        Sample(np.arange(3), np.zeros((1, 2, 4)))


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


def closed_testing(p) -> list[float]:
    """Holm by definition: the largest Bonferroni p of all sets of hypotheses with each one."""
    sets = [s for size in range(1, len(p) + 1) for s in itertools.combinations(range(len(p)), size)]
    bonferroni = {s: min(1.0, len(s) * min(p[i] for i in s)) for s in sets}
    return [max(value for s, value in bonferroni.items() if i in s) for i in range(len(p))]


def smallest_rate(p) -> list[float]:
    """Benjamini and Hochberg's procedure by its definition: the smallest rate at which each is rejected."""
    rates = {x: len(p) * x / np.count_nonzero(p <= x) for x in p}
    return [min(rate for x, rate in rates.items() if x >= own) for own in p]


@pytest.mark.parametrize(("correction", "definition"), [("holm", closed_testing), ("bh", smallest_rate)])
def test_corrections_are_those_of_their_definition(correction, definition) -> None:
    families = np.random.default_rng(0).beta(0.4, 2, (20, 7))
    families[:, 3] = families[:, 5]  # ties
    for adjusted, p in zip(corrected(families, correction), families, strict=True):
        assert adjusted == pytest.approx(definition(p), rel=1e-9, abs=1e-12)


def test_an_unknown_correction_is_refused() -> None:
    with pytest.raises(ConfigError, match="bh, holm"):
        corrected(np.array([0.1]), "tukey")


def test_friedman_and_nemenyi_by_hand() -> None:
    """Demsar 2006, table 5: q of .05 for 3 models is 2.343; CD = 2.343 sqrt(3 x 4 / (6 x 6))."""
    scores = np.array([[3, 2, 1]] * 5 + [[2.0, 3.0, 1.0]])
    result = critical_difference(scores)
    assert result.ranks == pytest.approx([7 / 6, 11 / 6, 3.0])
    assert result.distance == pytest.approx(2.343 * np.sqrt(12 / 36), abs=1e-3)
    assert result.p == pytest.approx(stats.friedmanchisquare(*scores.T).pvalue)
    assert result.groups == ((0, 1), (1, 2))  # 1.83 to 3 is 1.17 < 1.353; 1.17 to 3 is not


def test_iman_and_davenport_is_the_f_of_an_analysis_of_variance_of_the_ranks() -> None:
    scores = np.random.default_rng(3).normal(size=(9, 4)).round(1) + np.array([0.0, 0.3, 0.6, 0.6])
    ranks = stats.rankdata(-scores, axis=1)
    models = 9 * ((ranks.mean(axis=0) - 2.5) ** 2).sum()
    rest = ((ranks - 2.5) ** 2).sum() - models
    expected = stats.f.sf(models / 3 / (rest / 24), 3, 24)
    assert critical_difference(scores).p_f == pytest.approx(expected)


def test_iman_and_davenport_by_the_worked_example() -> None:
    """Demsar 2006, section 3.2.2: 14 data sets, 4 models, chi-square 9.28, F(3, 39) = 3.69."""
    assert iman_davenport(9.28, 14, 4) == pytest.approx(stats.f.sf(3.69, 3, 39), rel=0.01)
    assert iman_davenport(10.0, 5, 3) == pytest.approx(1 / 6**4), "one order on all of 5 data sets"


def exact_wilcoxon(differences) -> float:
    """The p of the signed rank test, over all signs of the differences that are not 0."""
    ranks = stats.rankdata(np.abs(differences[differences != 0]))
    sums = np.array(list(itertools.product((-1, 1), repeat=len(ranks)))) @ ranks
    return float(np.mean(np.abs(sums) >= abs(np.sign(differences[differences != 0]) @ ranks) - 1e-9))


def test_pairs_over_data_sets_are_wilcoxons_with_holm() -> None:
    """The first two models are C4.5 with and without tuned m of table 2 of Demsar 2006."""
    plain = [0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.0, 0.940, 0.619, 0.972, 0.957]
    tuned = [0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.0, 0.962, 0.666, 0.981, 0.978]
    other = np.random.default_rng(0).random(14)
    scores = np.stack([plain, tuned, other], axis=1)
    pairs = ((0, 1), (0, 2), (1, 2))
    p = [exact_wilcoxon((scores[:, a] - scores[:, b]).round(12)) for a, b in pairs]
    actual = critical_difference(scores).wilcoxon
    assert [actual[pair] for pair in pairs] == pytest.approx(closed_testing(p))
    assert (actual == actual.T).all() and (np.diag(actual) == 1).all()


def test_models_that_tie_everywhere_are_one_group() -> None:
    result = critical_difference(np.ones((6, 4)))
    assert (result.p, result.groups, result.ranks.tolist()) == (1.0, ((0, 1, 2, 3),), [2.5] * 4)


def test_models_far_apart_are_in_no_group() -> None:
    assert critical_difference(np.tile([3.0, 2.0, 1.0], (40, 1))).groups == ()


@pytest.mark.parametrize("shape", [(4, 3), (5, 2)])
def test_too_little_is_refused(shape) -> None:
    with pytest.raises(Unsupported, match="5 data sets and 3 models"):
        critical_difference(np.ones(shape))
