from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from bakeoff.tuning.summary import front, select

UP: Any = ("maximize", "maximize")
TOLERANCE = {"rule": "tolerance", "tolerance": 0.1}


def test_the_front_is_optunas() -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    values = np.random.default_rng(1).integers(0, 6, (30, 3)).astype(float)
    for directions in itertools.product(("maximize", "minimize"), repeat=3):
        study = optuna.create_study(directions=list(directions))
        study.add_trials([optuna.create_trial(values=list(row)) for row in values])
        expected = {tuple(t.values) for t in study.best_trials}
        own = front([tuple(row) for row in values], directions)  # type: ignore[arg-type]
        assert {tuple(values[at]) for at in own} == expected
        assert len(own) == len(expected)


def test_of_those_within_the_tolerance_the_best_second_objective_is_taken() -> None:
    values = [(1.0, 0.1), (0.95, 0.3), (0.89, 0.9), (0.92, 0.2)]
    assert select(values, UP, TOLERANCE) == 1
    assert select(values, UP, {"rule": "tolerance", "tolerance": 0.0}) == 0
    assert select(values, UP, {"rule": "tolerance", "tolerance": 0.12}) == 2


def test_the_tolerance_is_a_share_where_less_is_better_too() -> None:
    assert select([(1.0, 0.1), (1.05, 0.3), (1.2, 0.9)], ("minimize", "maximize"), TOLERANCE) == 1


def test_weights_are_of_objectives_in_units_of_their_defaults() -> None:
    values = [(0.5, 1000.0), (0.4, 1600.0), (0.46, 1400.0)]  # of the first: (1, 1), (.8, 1.6), (.92, 1.4)
    assert select(values, UP, {"rule": "weights", "weights": [1, 1]}) == 1
    assert select(values, UP, {"rule": "weights", "weights": [4, 1]}) == 2
    assert select(values, UP, {"rule": "weights", "weights": [6, 1]}) == 0


def test_units_are_the_first_that_are_not_0() -> None:
    values = [(0.0, -2.0), (0.5, -1.0), (1.0, -4.0)]
    assert select(values, UP, {"rule": "weights", "weights": [1, 1]}) == 1


def test_a_trial_that_is_not_selected_itself_does_not_move_the_selection() -> None:
    rng = np.random.default_rng(5)
    rule = {"rule": "weights", "weights": [2, 1]}
    for _ in range(200):
        values = [tuple(row) for row in rng.random((8, 2)) + 0.05]
        at = select(values, UP, rule)
        extreme = (1e-4, float(rng.uniform(1, 3)))  # useless, and on the front
        moved = select([*values, extreme], UP, rule)
        assert moved in (at, len(values))
        if moved == len(values):
            unit, other = values[0]
            worth = [2 * a / unit + b / other for a, b in [values[at], extreme]]
            assert worth[1] > worth[0]


@pytest.mark.parametrize("rule", [TOLERANCE, {"rule": "weights", "weights": [1, 2]}])
def test_what_is_picked_is_beaten_by_none_and_the_first_of_equals(rule: dict[str, Any]) -> None:
    chance = np.random.default_rng(3)
    for _ in range(50):
        values = [tuple(row) for row in chance.integers(0, 4, (12, 2)).astype(float)]
        at = select(values, UP, rule)
        assert at in front(values, UP) and values.index(values[at]) == at
