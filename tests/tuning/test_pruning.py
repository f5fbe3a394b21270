"""Which fits are ended early, on curves made by hand."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from bakeoff.tuning.pruning import (
    LAST_EPOCH,
    SAMPLE_SCORE,
    ExtrapolationPruner,
    Hyperband,
    pruner,
    prunes_trial,
    reports_at,
)
from bakeoff.tuning.storage import NOT_COUNTED


def study(*finished: float, direction: str = "maximize") -> Any:
    """A study with finished trials of these values."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    made = optuna.create_study(direction=direction, pruner=ExtrapolationPruner())
    for value in finished:
        trial = made.ask()
        trial.set_user_attr(SAMPLE_SCORE, value)
        made.tell(trial, value)
    return made


def cut_at(made: Any, curve: Mapping[int, float], ends: int | None = 100) -> int | None:
    """The epoch at which a fit with this curve is cut, or None."""
    trial = made.ask()
    if ends is not None:
        trial.set_user_attr(LAST_EPOCH, ends)
    last_epoch = None
    for epoch, value in curve.items():
        trial.report(value, epoch)
        if last_epoch is None and trial.should_prune():
            last_epoch = epoch
    made.tell(trial, state=TrialState.PRUNED)
    return last_epoch


def test_a_fit_is_cut_when_its_pace_does_not_lead_among_the_best_five_by_its_end() -> None:
    # After 8 of 100 epochs it gains 0.02 in 4 epochs: 0.32 + 92 x 0.005 = 0.78 is below 0.8.
    curve = {1: 0.1, 2: 0.2, 4: 0.3, 8: 0.32}
    assert cut_at(study(0.9, 0.8, 0.95, 0.8, 0.85), curve) == 8
    assert cut_at(study(0.9, 0.77, 0.95, 0.8, 0.85), curve) is None
    assert cut_at(study(0.1, 0.9, 0.8, 0.95, 0.8, 0.85), curve) == 8


def test_of_many_trials_a_tenth_are_the_best() -> None:
    curve = {1: 0.1, 2: 0.2, 4: 0.3, 8: 0.32}  # 0.78, as above
    made = study(*[0.8] * 5, *[0.7] * 44)
    assert cut_at(made, curve) == 8  # of 50 trials, this one among them, five are the best
    assert cut_at(made, curve) is None  # of 51, six


def test_a_shorter_fit_has_less_time_to_catch_up() -> None:
    curve = {1: 0.1, 2: 0.2, 4: 0.3, 8: 0.32}
    assert cut_at(study(*[0.5] * 5), curve, ends=40) == 8  # 0.32 + 32 x 0.005 = 0.48
    assert cut_at(study(*[0.5] * 5), curve, ends=48) is None  # 0.32 + 40 x 0.005 = 0.52


def test_a_fit_that_falls_is_cut_where_it_has_fallen_below_the_best() -> None:
    curve = {1: 0.1, 2: 0.3, 4: 0.5, 8: 0.45, 16: 0.38, 32: 0.3}
    assert cut_at(study(*[0.4] * 5), curve) == 16


def test_a_fit_that_has_not_left_the_level_it_began_at_is_never_cut() -> None:
    flat = {1: 0.15, 2: 0.15, 4: 0.16, 8: 0.15, 16: 0.15, 32: 0.14, 64: 0.16}
    assert cut_at(study(*[0.2] * 5), flat) is None
    assert cut_at(study(*[0.2] * 5), {**flat, 3: 0.18}) is not None  # once it has


def test_a_level_is_left_by_a_tenth_of_the_best_score() -> None:
    curve = {1: 0.1, 2: 0.15, 4: 0.2, 8: 0.25}
    assert cut_at(study(*[0.9] * 4, 2.0), curve, ends=8) is None  # it has risen by 0.15, not by 0.2
    assert cut_at(study(*[0.9] * 4, 1.4), curve, ends=8) == 8


def test_trials_that_do_not_count_move_no_trial_to_another_bracket() -> None:
    def brackets(counts: list[bool]) -> list[int]:
        made = optuna.create_study(study_name="one", pruner=optuna.pruners.NopPruner())
        for is_counted in counts:
            trial = made.ask()
            for epoch in (1, 3, 9, 27):
                trial.report(0.5, epoch)
            if not is_counted:
                trial.set_user_attr(NOT_COUNTED, True)
            made.tell(trial, 0.5)
        pruner = Hyperband()
        pruner._try_initialization(made)
        return [pruner._get_bracket_id(made, trial) for trial in made.trials]

    whole = brackets([True] * 12)
    assert len(set(whole)) > 1 and min(whole) >= 0
    some = brackets([True, False, True, True, False] * 4)
    assert [bracket for bracket in some if bracket >= 0] == whole
    assert some.count(-1) == 8


def test_nothing_is_cut_before_five_trials_have_finished() -> None:
    curve = {1: 0.1, 2: 0.3, 4: 0.3, 8: 0.3}
    assert cut_at(study(*[0.9] * 4), curve) is None
    assert cut_at(study(*[0.9] * 5), curve) == 4


def test_a_fit_whose_end_is_not_known_is_not_cut() -> None:
    curve = {1: 0.1, 2: 0.3, 4: 0.3, 8: 0.3}
    assert cut_at(study(*[0.9] * 5), curve, ends=None) is None


def test_only_values_on_the_pruners_users_are_compared() -> None:
    made = study(*[0.2] * 5)
    made.tell(made.ask(), 0.9)  # without a value on the sample
    assert cut_at(made, {1: 0.1, 2: 0.2, 4: 0.3, 8: 0.3}) is None


rising = st.lists(st.floats(0.001, 1), min_size=4, max_size=9)


@settings(deadline=None)
@given(rising, rising)
def test_what_is_minimised_is_cut_at_the_same_epochs_as_its_mirror(
    best: list[float], gains: list[float]
) -> None:
    curve = {2**at: sum(gains[: at + 1]) for at in range(len(gains))}
    mirror = {epoch: -value for epoch, value in curve.items()}
    mirrored = study(*(-value for value in best), direction="minimize")
    assert cut_at(study(*best), curve) == cut_at(mirrored, mirror)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=20, max_size=60), st.integers(0, 3))
def test_a_fit_whose_gains_shrink_is_never_cut_if_it_would_end_as_the_best(
    steps: list[float], below: int
) -> None:
    gains = sorted(steps, reverse=True)
    curve = {epoch: sum(gains[:epoch]) for epoch in range(1, len(gains) + 1)}
    assert all(a <= b for a, b in pairwise(curve.values()))
    ends = len(curve)
    best = curve[ends] - 1e-9 - 0.1 * below
    scores = {epoch: curve[epoch] for epoch in (1, 2, 4, 8, 16)}
    assert cut_at(study(*[best] * 5), scores, ends) is None


def test_scores_are_asked_for_after_fewer_and_fewer_epochs() -> None:
    def epochs_of(name: str, longest: int | None = None) -> list[int]:
        return [epoch for epoch in range(1, 40) if reports_at(name, epoch, longest)]

    assert epochs_of("pace") == [1, 2, 4, 8, 16, 32]
    assert epochs_of("hyperband") == epochs_of("median") == [1, 2, 3, 4, 6, 8, 12, 16, 24, 32]
    assert epochs_of("median", 100) == [12, 16, 24, 32]  # not in the first tenth
    assert epochs_of("pace", 100) == epochs_of("pace")


def test_the_defaults_always_finish() -> None:
    assert [at for at in range(8) if prunes_trial("pace", at)] == [5, 6, 7]
    assert [at for at in range(6) if prunes_trial("median", at)] == [1, 2, 3, 4, 5]
    assert not any(prunes_trial("none", at) for at in range(6))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("pace", "ExtrapolationPruner"),
        ("median", "MedianPruner"),
        ("hyperband", "Hyperband"),
        ("none", "NopPruner"),
    ],
)
def test_a_pruner_is_made_by_its_name(name: str, kind: str) -> None:
    assert type(pruner(name)).__name__ == kind
