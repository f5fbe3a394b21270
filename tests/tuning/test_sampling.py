from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bakeoff.errors import ConfigError
from bakeoff.run.cell import Cell
from bakeoff.storage.store import Store
from bakeoff.tuning.sampling import SamplerPlan, sampler_plan
from bakeoff.tuning.space import Space, parse
from bakeoff.tuning.spec import TuningSpec
from bakeoff.tuning.storage import discard, quiet
from bakeoff.tuning.tune import check, tune
from tuning_studies import split_of

INT = "optuna.distributions.IntDistribution"
FLOAT = "optuna.distributions.FloatDistribution"
CHOICE = "optuna.distributions.CategoricalDistribution"

NUMBERS: dict[str, Any] = {
    "first": {"_target_": INT, "low": 0, "high": 12},
    "wait": {"_target_": FLOAT, "low": 1e-6, "high": 1e-3, "log": True},
}
MIXED: dict[str, Any] = {
    **NUMBERS,
    "noise": {"_target_": CHOICE, "choices": [0, 1]},
    "fails_at": {"_target_": INT, "low": -9, "high": -1, "when": {"noise": 1}},
}
STEPS: dict[str, Any] = {
    "first": {"_target_": INT, "low": 3, "high": 9, "step": 3},
    "noise": {"_target_": CHOICE, "choices": [0, 1]},
    "fails_at": {"_target_": INT, "low": -2, "high": -1, "when": {"noise": 1}},
}
ONE: Any = ("maximize",)


def with_space(cell: Cell, space: dict[str, Any], **tune: Any) -> Cell:
    build = {**cell.model_build, "wait": 1e-4}
    return replace(
        cell, model={**cell.model, "build": build, "space": space}, tune={**(cell.tune or {}), **tune}
    )


def proposed(cell: Cell, space: dict[str, Any], sampler: str, seed: int = 1) -> tuple[SamplerPlan, Space]:
    parsed = parse(with_space(cell, space).model)
    with quiet():
        return sampler_plan(TuningSpec(sampler=sampler), parsed, seed, ONE), parsed


def proposals_of(
    proposals: SamplerPlan, space: Space, n: int, killed: tuple[int, ...] = ()
) -> list[dict[str, Any]]:
    """Parameters of n trials that count; those of `killed` (by position) are asked for and killed first."""
    import optuna

    with quiet():
        study = optuna.create_study(direction="maximize", sampler=proposals.sampler)
        points: list[dict[str, Any]] = []
        while len(points) < n:
            if len(points) in killed and len(study.trials) < len(points) + killed.index(len(points)) + 1:
                trial = study.ask()
                space.suggest(trial)
                discard(study, trial, "killed")
                continue
            trial = study.ask()
            points.append(space.suggest(trial))
            study.tell(trial, -float(points[-1]["first"]))
    return points


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "cmaes", "optuna.samplers.NSGAIISampler"])
def test_a_killed_trial_changes_nothing_of_what_follows(cell: Cell, sampler: str) -> None:
    whole = proposals_of(*proposed(cell, MIXED, sampler), 24)
    assert proposals_of(*proposed(cell, MIXED, sampler), 24, killed=(0, 3, 11, 19)) == whole


def test_a_killed_trial_leaves_no_point_of_a_grid_out(cell: Cell) -> None:
    whole = proposals_of(*proposed(cell, STEPS, "grid"), 9)
    assert proposals_of(*proposed(cell, STEPS, "grid"), 9, killed=(0, 2, 7)) == whole


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "cmaes"])
def test_another_seed_proposes_something_else(cell: Cell, sampler: str) -> None:
    assert (
        proposals_of(*proposed(cell, MIXED, sampler, 1), 6)[1:]
        != proposals_of(*proposed(cell, MIXED, sampler, 2), 6)[1:]
    )


def test_the_first_trial_is_the_defaults(cell: Cell) -> None:
    for sampler in ("tpe", "random", "qmc", "cmaes"):
        assert proposals_of(*proposed(cell, MIXED, sampler), 1)[0] == {"first": 9, "wait": 1e-4, "noise": 0}


def test_qmc_fills_the_space_evenly(cell: Cell) -> None:
    """16 points of a Sobol sequence: two in each eighth of every axis."""
    points = proposals_of(*proposed(cell, MIXED, "qmc"), 17)[1:]
    at = [(np.log(p["wait"]) - np.log(1e-6)) / np.log(1e3) for p in points]
    assert np.bincount((np.asarray(at) * 8).astype(int), minlength=8).tolist() == [2] * 8
    assert sorted(p["noise"] for p in points) == [0] * 8 + [1] * 8
    assert all(("fails_at" in p) == (p["noise"] == 1) for p in points)


def test_cmaes_comes_nearer(cell: Cell) -> None:
    points = proposals_of(*proposed(cell, NUMBERS, "cmaes"), 60)
    assert np.mean([p["first"] for p in points[-15:]]) < np.mean([p["first"] for p in points[1:16]]) - 2


def test_cmaes_says_what_it_leaves_out(cell: Cell, tmp_path: Path) -> None:
    mixed = with_space(cell, MIXED, sampler="cmaes")
    note = "cmaes leaves out what has choices or a condition, drawn at random: noise, fails_at"
    assert tune(mixed, split_of(mixed), Store(tmp_path)).notes == (note,)
    assert proposed(cell, NUMBERS, "cmaes")[0].notes == ()


def test_a_grid_holds_every_combination_once_and_the_defaults_first(cell: Cell, tmp_path: Path) -> None:
    gridded = with_space(cell, STEPS, sampler="grid", trials=50)
    record = tune(gridded, split_of(gridded), Store(tmp_path))
    expected = [{"first": f, "noise": 0} for f in (3, 6, 9)]
    expected += [{"first": f, "noise": 1, "fails_at": a} for f in (3, 6, 9) for a in (-2, -1)]
    parameters = [t.parameters for t in record.trials]
    assert parameters[0] == {"first": 9, "noise": 0}
    assert sorted(map(str, parameters)) == sorted(map(str, expected))
    assert record.notes == ("grid: all of its 9 trials were run, before tune.trials=50",)
    assert record.n_from_memory == 0


def test_a_budget_below_the_grid_is_kept(cell: Cell, tmp_path: Path) -> None:
    gridded = with_space(cell, STEPS, sampler="grid", trials=5)
    record = tune(gridded, split_of(gridded), Store(tmp_path))
    assert len(record.trials) == 5 and record.notes == ("grid: 4 of its 9 trials were not run",)


def test_steps_of_a_float_are_decimal(cell: Cell) -> None:
    space = {"wait": {"_target_": FLOAT, "low": 0.1, "high": 0.5, "step": 0.1}}
    assert [p["wait"] for p in parse(with_space(cell, space).model).points(9, "")] == [
        0.1,
        0.2,
        0.3,
        0.4,
        0.5,
    ]


@pytest.mark.parametrize(
    ("sampler", "space", "expected"),
    [
        ("grid", NUMBERS, r"tune\.sampler='grid': model/from\.yaml: model\.space\.wait has no steps"),
        (
            "grid",
            {
                "first": {"_target_": INT, "low": 0, "high": 999},
                "noise": {"_target_": INT, "low": 0, "high": 99999},
            },
            r"has 100000000 points with 'noise'; expected at most 100000",
        ),
        ("cmaes", STEPS, r"needs two axes that are numbers .*from\.yaml has first"),
        ("optuna.samplers.BruteForceSampler", NUMBERS, r"does not support the space of model/from\.yaml"),
        ("optuna.samplers.PartialFixedSampler", NUMBERS, r"expected a sampler that takes a seed"),
        ("optuna.samplers.GridSampler", NUMBERS, r"has no steps"),
        ("optuna.study.create_study", NUMBERS, r"expected a sampler that takes a seed"),
    ],
)
def test_a_sampler_that_cannot_do_a_space_is_refused(
    cell: Cell, sampler: str, space: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        check(with_space(cell, space, sampler=sampler))
    assert "\n" not in str(caught.value)


def test_cmaes_is_refused_with_several_objectives(cell: Cell) -> None:
    with pytest.raises(ConfigError, match="does not support several objectives"):
        check(with_space(cell, NUMBERS, sampler="cmaes", objectives=["ndcg@5", "auc"]))


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "grid", "optuna.samplers.NSGAIISampler"])
def test_a_study_of_several_objectives_runs(cell: Cell, tmp_path: Path, sampler: str) -> None:
    two = with_space(cell, STEPS, sampler=sampler, objectives=["ndcg@5", "novelty@5"], trials=9)
    check(two)
    assert len(tune(two, split_of(two), Store(tmp_path)).trials) == 9
