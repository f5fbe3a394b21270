from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from bakeoff.storage.record import TrialRecord
from bakeoff.tuning.importance import FEWEST, importance

FLOAT = "optuna.distributions.FloatDistribution"
INT = "optuna.distributions.IntDistribution"
CHOICE = "optuna.distributions.CategoricalDistribution"
SPACE = {
    "strong": {"_target_": FLOAT, "low": 0.001, "high": 10.0, "log": True},
    "size": {"_target_": INT, "low": 1, "high": 100},
    "kind": {"_target_": CHOICE, "choices": ["none", "log1p"]},
}


def trials(n=60, value=None, seed=0):
    """Random search in SPACE; the defaults come first and lie outside of it."""
    generator = np.random.default_rng(seed)
    value = value or (lambda p: -abs(np.log10(p["strong"])))  # best at 1, whatever the others are
    records = [TrialRecord(number=0, value=0.0, parameters={"strong": 0.0})]
    for number in range(1, n + 1):
        parameters = {
            "strong": float(10 ** generator.uniform(-3, 1)),
            "size": int(generator.integers(1, 101)),
            "kind": str(generator.choice(["none", "log1p"])),
        }
        records.append(TrialRecord(number=number, value=float(value(parameters)), parameters=parameters))
    return records


def pruned(trial):
    return replace(trial, state="pruned", value=None)


def without_size(trial):
    return replace(trial, parameters={n: v for n, v in trial.parameters.items() if n != "size"})


@pytest.mark.parametrize("seed", range(3))
def test_the_hyperparameter_that_was_planted_is_the_most_important(seed) -> None:
    result = importance(SPACE, trials(seed=seed), ["maximize"])
    assert set(result.shares) == set(SPACE)
    assert max(result.shares, key=result.shares.__getitem__) == "strong"
    assert result.shares["strong"] > 0.5
    assert sum(result.shares.values()) == pytest.approx(1.0)
    assert (result.trials, result.top, result.absent) == (60, 6, "")


def test_it_is_the_same_where_less_is_better() -> None:
    def loss(p):
        return abs(np.log10(p["strong"]))

    down = importance(SPACE, trials(value=loss), ["minimize"])
    assert down.shares == importance(SPACE, trials(), ["maximize"]).shares
    assert down.shares != importance(SPACE, trials(value=loss), ["maximize"]).shares


def test_a_categorical_one_is_found_too() -> None:
    result = importance(
        SPACE, trials(value=lambda p: (p["kind"] == "log1p") + p["size"] * 1e-6), ["maximize"]
    )
    assert result.shares["kind"] > result.shares["strong"]


def test_few_trials_say_so_and_failed_ones_do_not_count() -> None:
    few = [*trials(FEWEST - 1), TrialRecord(number=99, state="failed")]
    result = importance(SPACE, few, ["maximize"])
    assert (result.shares, result.trials) == ({}, FEWEST - 1)
    assert result.absent == "19 trials beside the defaults, at least 20 are needed"
    assert importance(SPACE, trials(FEWEST), ["maximize"]).top == 5


@pytest.mark.parametrize(("direction", "sign"), [("maximize", 1), ("minimize", -1)])
def test_a_pruned_trial_counts_as_worse_than_all_that_finished(direction, sign) -> None:
    result = trials(value=lambda p: -sign * abs(np.log10(p["strong"])))
    whole = importance(SPACE, result, [direction])
    median = np.median([t.value for t in result[1:]])
    result = [result[0], *(pruned(t) if sign * t.value < sign * median else t for t in result[1:])]
    assert importance(SPACE, result, [direction]) == whole  # the best are the best, whatever was thrown away


def test_with_too_few_finished_trials_the_best_are_not_known() -> None:
    result = trials()
    result = [*result[:6], *map(pruned, result[6:])]
    assert importance(SPACE, result, ["maximize"]).absent == "5 of 60 trials finished, at least 6 are needed"


def test_nothing_is_said_of_one_hyperparameter_or_of_equal_values() -> None:
    assert "one hyperparameter" in importance({"strong": SPACE["strong"]}, trials(), ["maximize"]).absent
    assert "the same value" in importance(SPACE, trials(value=lambda p: 1.0), ["maximize"]).absent


def test_a_hyperparameter_that_is_not_always_looked_at_is_weighed_where_it_is() -> None:
    space = {**SPACE, "size": {**SPACE["size"], "when": {"kind": "none"}}}
    result = [without_size(t) if t.parameters.get("kind") == "log1p" else t for t in trials()]
    assert set(importance(space, result, ["maximize"]).shares) == set(SPACE)


def test_with_several_objectives_it_is_the_importance_to_be_near_the_pareto_set() -> None:
    result = [replace(t, values={"a": t.value, "b": t.value * 2}) for t in trials()]
    shares = importance(SPACE, result, ["maximize", "maximize"]).shares
    assert max(shares, key=shares.__getitem__) == "strong"


def test_what_optuna_warns_of_is_kept_as_a_remark() -> None:
    result = trials(FEWEST + 1)
    result = [*result[:2], *map(without_size, result[2:])]
    (remark,) = importance(SPACE, result, ["maximize"]).remarks
    assert "size" in remark
