from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from bakeoff.evaluation.significance import t_half_width
from bakeoff.queries.comparison import Value, comparison
from bakeoff.queries.searches import Point, searches, without_space
from tuned_records import FAILED, PRUNED, SPACE, TUNE, trial, tuning

NDCG = {"ndcg": {"10": (0.3, 0.01)}}


def mean(value: float, error: float | None) -> Value:
    """The mean of one fit over 50 users."""
    return Value(value, t_half_width(error, 50), 1)


@pytest.fixture
def search(make, metrics):
    """The search of the one tuned row of a table; keyword arguments go to `tuning`."""

    def of(*results):
        (table,) = comparison(results, (10,), metrics)
        (outcome,) = (s for s in searches(table) if s is not None)
        return outcome

    return of


@pytest.fixture
def tuned(make):
    """A tuned result."""

    def of(values, *, seed=1, split_seed=42, fold=None, measured=NDCG, model="als", tune=TUNE, **more):
        key = f"t-{model}-{seed}-{split_seed}-{fold}"
        where = {"seed": seed, "split_seed": split_seed, "fold": fold, "key": key}
        return make(model, measured, space=SPACE, tune=tune, tuning=tuning(values, **more), **where)

    return of


# -- the curve -----------------------------------------------------------------------------------


def test_the_best_so_far_never_falls_and_waits_for_a_first_value(tuned, search) -> None:
    result = tuned([FAILED, 0.2, 0.1, PRUNED, 0.4], seconds=[1, 2, 3, 4, 5])
    (study,) = search(result).studies
    assert study.curve == (
        *(Point(1, 1.0, None), Point(2, 3.0, 0.2), Point(3, 6.0, 0.2)),
        *(Point(4, 10.0, 0.2), Point(5, 15.0, 0.4)),
    )


def test_where_less_is_better_the_best_so_far_never_rises(tuned, search) -> None:
    (study,) = search(tuned([0.9, 0.7, 0.8, 0.5], metric="rmse", direction="minimize")).studies
    assert [p.best for p in study.curve] == [0.9, 0.7, 0.7, 0.5]


def test_budgets_are_read_off_the_curve(tuned, search) -> None:
    outcome = search(tuned([0.1, 0.3, 0.2], seconds=[1.0, 1.0, 4.0]))
    assert [outcome.after_trials(n) and outcome.after_trials(n).mean for n in (1, 2, 3, 4)] == [
        *(0.1, 0.3, 0.3),
        None,
    ]
    assert outcome.after_seconds(0.5) is None
    assert outcome.after_seconds(1.0).mean == 0.1
    assert outcome.after_seconds(60.0).mean == 0.3
    assert outcome.after_seconds(60.0, before=6.0) is None  # it ended after six seconds


def test_over_several_studies_there_is_a_mean_with_its_interval(tuned, search) -> None:
    outcome = search(tuned([0.1, 0.3], seed=1), tuned([0.2, 0.2], seed=2), tuned([0.3, 0.4], seed=3))
    value = outcome.after_trials(2)
    low, high = stats.t.interval(0.95, 2, np.mean([0.3, 0.2, 0.4]), stats.sem([0.3, 0.2, 0.4]))
    assert (value.mean, value.fits) == (pytest.approx(0.3), 3)
    assert value.half == pytest.approx((high - low) / 2)


def test_a_study_that_is_shared_by_several_split_seeds_counts_once(make, tuned, search) -> None:
    one = tuned([0.1, 0.2])
    again = make("als", NDCG, space=SPACE, tune=TUNE, split_seed=43, key=one.request.key, fingerprint="s42")
    assert len(search(one, again._replace(record=one.record)).studies) == 1


# -- before and after ----------------------------------------------------------------------------


def test_test_scores_before_and_after_are_those_of_the_same_model(make, tuned, search) -> None:
    plain = make("als", {"ndcg": {"10": (0.2, 0.02)}}, space=SPACE)
    other = make("als", {"ndcg": {"10": (0.9, 0.02)}}, build={"factors": 8}, variant="factors=8")
    (study,) = search(plain, other, tuned([0.1, 0.4])).studies
    before, after = mean(0.2, 0.02), mean(0.3, 0.01)
    assert (study.before, study.after, study.untested) == (before, after, "")


def test_each_run_has_its_own_score_before(make, tuned, search) -> None:
    plain = [make("als", {"ndcg": {"10": (s / 10, 0.02)}}, space=SPACE, seed=s) for s in (1, 2)]
    outcome = search(*plain, *(tuned([0.1], seed=s) for s in (1, 2, 3)))
    assert [s.before and s.before.mean for s in outcome.studies] == [0.1, 0.2, None]
    assert "run it with tune=none" in outcome.studies[2].untested


def test_what_was_not_measured_on_test_says_so(make, tuned, search) -> None:
    (study,) = search(tuned([0.1], metric="recall@10")).studies
    assert (study.after, study.untested) == (None, "recall@10 was not measured on test")
    failed = make(
        "als", space=SPACE, tune=TUNE, tuning=tuning([0.1]), status="failed", reason="out of memory", key="x"
    )
    (study,) = search(failed).studies
    assert study.untested == "the tuned model has no results"
    plain = make("als", space=SPACE, status="failed", reason="diverged")
    (study,) = search(plain, tuned([0.1])).studies
    assert study.untested == "the untuned model has no results"


def test_a_metric_by_import_path_is_found_by_its_name_but_not_taken_for_another(tuned, search) -> None:
    (own,) = search(tuned([0.1], metric="mine.gain@10", measured={"gain": {"10": (0.3, None)}})).studies
    assert own.after == mean(0.3, None)
    (same,) = search(tuned([0.1], metric="bakeoff.evaluation.ranking.ndcg@10")).studies
    assert same.after == mean(0.3, 0.01)
    (another,) = search(tuned([0.1], metric="mine.ndcg@10")).studies
    assert another.after is None


def test_a_model_without_a_space_is_known(make, tuned, metrics) -> None:
    (table,) = comparison([make("popularity", NDCG), tuned([0.1])], (10,), metrics)
    assert {row.model: without_space(row) for row in table.rows} == {"popularity": True, "als": False}
    assert [s is None for s in searches(table)] == [False, True]


# -- the expected best ---------------------------------------------------------------------------


def test_of_random_search_it_is_the_mean_over_all_draws_with_the_defaults_certain(tuned, search) -> None:
    values = [0.2, 0.1, 0.5, 0.3, 0.3, 0.4]
    expected = search(tuned(values)).expected
    assert (expected.how, expected.seeds, expected.absent) == ("draws", 1, "")
    for point in expected.points[:4]:
        draws = product(values[1:], repeat=point.trials - 1)
        assert point.mean == pytest.approx(np.mean([max((0.2, *draw)) for draw in draws]))
        assert point.low is point.high is None  # of one search no interval covers
    assert expected.points[0] == (1, 0.2, None, None)
    assert len(expected.points) == len(values)


def test_where_less_is_better_it_is_the_expected_least(tuned, search) -> None:
    values = [0.8, 0.9, 0.5, 0.7, 0.7, 0.6]
    down = search(tuned(values, direction="minimize")).expected
    up = search(tuned([-v for v in values])).expected
    for one, other in zip(down.points, up.points, strict=True):
        assert one[:2] == pytest.approx((one.trials, -other.mean))
    assert down.points[-1].mean <= down.points[0].mean


def test_a_pruned_or_failed_trial_is_a_draw_that_is_never_the_best(tuned, search) -> None:
    outcome = search(tuned([0.2, PRUNED, 0.5, FAILED, 0.3, 0.4])).expected
    as_defaults = search(tuned([0.2, 0.2, 0.5, 0.2, 0.3, 0.4])).expected
    assert outcome.points == as_defaults.points


def test_a_search_that_learns_has_none_from_one_seed_and_one_from_several(tuned, search) -> None:
    alone = search(tuned([0.1, 0.2], sampler="tpe"), tuned([0.1, 0.2], sampler="tpe", split_seed=43))
    assert "tpe" in alone.expected.absent
    assert not alone.expected.points
    outcome = search(
        *(tuned(v, sampler="tpe", seed=s) for s, v in ((1, [0.1, 0.3, 0.2]), (2, [0.1, 0.0, 0.5])))
    )
    assert (outcome.expected.how, outcome.expected.seeds) == ("repeats", 2)
    assert outcome.expected.points[2] == (3, pytest.approx(0.4), None, None)


def test_three_searches_have_the_t_interval(tuned, search) -> None:
    values = ([0.1, 0.3, 0.2], [0.1, 0.0, 0.5], [0.1, 0.6, 0.2])
    for sampler in ("tpe", "random"):
        results = [tuned([*v, 0.0, 0.0, 0.0], sampler=sampler, seed=s) for s, v in enumerate(values)]
        expected = search(*results).expected
        low, high = stats.t.interval(0.95, 2, np.mean([0.3, 0.5, 0.6]), stats.sem([0.3, 0.5, 0.6]))
        assert expected.how == "repeats"
        assert expected.points[2] == pytest.approx((3, np.mean([0.3, 0.5, 0.6]), low, high))


def test_splits_are_averaged_within_a_seed_and_seeds_are_the_repeats(tuned, search) -> None:
    values = {(1, 42): [0.1, 0.3], (1, 43): [0.3, 0.3], (2, 42): [0.1, 0.5], (2, 43): [0.3, 0.7]}
    results = [tuned(v, sampler="tpe", seed=s, split_seed=p) for (s, p), v in values.items()]
    extra = tuned([0.9, 0.9], sampler="tpe", seed=1, split_seed=44)  # a split that seed 2 does not have
    expected = search(*results, extra).expected
    assert expected.points[1] == (2, pytest.approx(0.45), None, None)


def test_random_search_over_several_seeds_is_estimated_for_each(tuned, search) -> None:
    values = [[0.2, 0.1, 0.5, 0.3, 0.3, 0.4], [0.3, 0.2, 0.2, 0.6, 0.1, 0.2]]
    alone = [search(tuned(v, seed=s)).expected.points[3].mean for s, v in enumerate(values)]
    both = search(*(tuned(v, seed=s) for s, v in enumerate(values))).expected
    assert (both.how, both.seeds) == ("draws", 2)
    assert both.points[3].mean == pytest.approx(np.mean(alone))


def test_searches_of_unlike_length_are_compared_as_far_as_all_go(tuned, search) -> None:
    outcome = search(
        tuned([0.1] * 4, sampler="tpe", seed=1), tuned([0.1] * 9, sampler="tpe", seed=2)
    ).expected
    assert [p.trials for p in outcome.points] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([0.1, 0.2, 0.3], "2 trials beside the defaults, at least 5"),
        ([FAILED, 0.2, 0.3, PRUNED, 0.3, 0.4], "the defaults gave no value"),
    ],
)
def test_where_it_is_not_known_the_reason_is(tuned, search, values, reason) -> None:
    assert reason in search(tuned(values)).expected.absent


def test_where_only_the_defaults_gave_no_value_it_starts_with_the_second_trial(tuned, search) -> None:
    expected = search(tuned([FAILED, 0.2, 0.3, 0.1, 0.3, 0.4])).expected
    assert [p.trials for p in expected.points] == [2, 3, 4, 5, 6]
    assert expected.points[0].mean == pytest.approx(np.mean([0.2, 0.3, 0.1, 0.3, 0.4]))


def test_several_objectives_have_neither_a_curve_nor_an_expected_best(tuned, search) -> None:
    both = {"objectives": {"ndcg@10": [0.1, 0.2], "novelty@10": [2.0, 1.0]}}
    result = tuned([0.1, 0.2], **both)
    outcome = search(result)
    assert outcome.studies[0].curve == ()
    assert "several objectives" in outcome.expected.absent
    assert outcome.after_trials(1) is None
    assert outcome.after_seconds(9.0) is None


# -- importance ----------------------------------------------------------------------------------


def test_importances_are_averaged_over_studies(tuned, search) -> None:
    def planted(seed):
        generator, trials = np.random.default_rng(seed), []
        for n in range(41):
            reg = 10 ** generator.uniform(-3, 1)
            parameters = {"reg": reg, "weights": str(generator.choice(["none", "log1p"]))}
            trials.append(trial(n, -abs(math.log10(reg)), parameters=parameters))
        return tuned([0.0] * 41, seed=seed, trials=tuple(trials))

    outcome = search(planted(1), planted(2))
    shares = [s.importance.shares for s in outcome.studies]
    assert list(outcome.importances) == ["reg", "weights"]
    assert outcome.importances["reg"] == pytest.approx(np.mean([s["reg"] for s in shares]))
    assert outcome.importances["reg"] > 0.5
    assert search(tuned([0.1, 0.2])).importances == {}
