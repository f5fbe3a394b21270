from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from bakeoff.errors import ModelError
from bakeoff.models.base import EpochParam
from bakeoff.models.implicit import ALS, BPR, LMF
from bakeoff.models.lightfm import LightFM
from bakeoff.run.cell import Cell
from bakeoff.storage.store import Store
from bakeoff.tuning.objective import FitPlanner, FitRequest
from bakeoff.tuning.space import parse
from bakeoff.tuning.spec import TuningSpec
from bakeoff.tuning.tune import tune
from tuning_studies import Child, split_of, timeless, with_tuning
from tuning_toys import Counts

INT = "optuna.distributions.IntDistribution"
FLOAT = "optuna.distributions.FloatDistribution"
CHOICES = "optuna.distributions.CategoricalDistribution"
EPOCHS = {"_target_": CHOICES, "choices": [2, 3, 5, 8]}
NOISE = {"_target_": CHOICES, "choices": [0, 1, 2]}


@pytest.fixture(autouse=True)
def _nothing_ran_yet() -> None:
    Counts.ran.clear()


def of(cell: Cell, space: dict[str, Any], target: str = "tuning_toys.Counts", **build: Any) -> Cell:
    model = {"name": "toy", "build": {"_target_": target, **build}, "space": space}
    return replace(cell, model=model, tune={**(cell.tune or {}), "trials": 12, "sampler": "grid"})


def run(cell: Cell, folder: Path, plain: bool = False) -> Any:
    if not plain:
        return tune(cell, split_of(cell), Store(folder))
    with patch.object(FitPlanner, "of", lambda _, chosen: FitRequest(chosen)):
        return tune(cell, split_of(cell), Store(folder))


def outcomes(record: Any) -> dict[str, Any]:
    return {str(t.parameters): (t.state, t.value) for t in record.trials}


@pytest.mark.parametrize("repeats", [1, 2])
def test_one_run_serves_every_number_of_epochs_of_a_grid(cell: Cell, tmp_path: Path, repeats: int) -> None:
    # The middle of the grid is the default, so that no trial stands outside of it.
    grid = with_tuning(of(cell, {"epochs": EPOCHS, "noise": NOISE}, epochs=5), repeats=repeats, pruner="none")
    sharing, served = run(grid, tmp_path / "a"), list(Counts.ran)
    Counts.ran.clear()
    plain = run(grid, tmp_path / "b", plain=True)
    assert outcomes(sharing) == outcomes(plain)
    best = (sharing.best_number, sharing.best_value, sharing.best_parameters)
    assert best == (plain.best_number, plain.best_value, plain.best_parameters)
    assert sorted(set(served)) == [(0, 8), (1, 8), (2, 8)] and len(served) == 3 * repeats
    assert len(Counts.ran) == 12 * repeats
    assert sharing.n_from_memory == 9


def test_several_objectives_are_answered_alike(cell: Cell, tmp_path: Path) -> None:
    grid = of(cell, {"epochs": EPOCHS, "noise": NOISE}, epochs=5)
    grid = with_tuning(grid, objectives=["ndcg@5", "catalog_coverage@5"])
    assert run(grid, tmp_path / "a").pareto == run(grid, tmp_path / "b", plain=True).pareto


def test_where_numbers_of_epochs_are_many_or_nothing_comes_again_each_trial_has_its_own_run(
    cell: Cell,
) -> None:
    tuning = TuningSpec(trials=12)
    rate = {"_target_": FLOAT, "low": 0.0, "high": 0.1}
    many = {"_target_": INT, "low": 1, "high": 30}
    for space in ({"epochs": EPOCHS, "wait": rate}, {"epochs": many, "noise": NOISE}, {"noise": NOISE}):
        toy = of(cell, space)
        chosen = {"epochs": 3, "noise": 0}
        assert FitPlanner(toy, parse(toy.model), tuning).of(chosen) == FitRequest(chosen)
    toy = of(cell, {"epochs": many, "noise": NOISE})
    assert (
        len(FitPlanner(toy, parse(toy.model), TuningSpec(trials=90)).of({"epochs": 3, "noise": 0}).stops)
        == 30
    )


def test_a_run_also_stops_at_configured_epochs_outside_of_the_space(cell: Cell) -> None:
    toy = of(cell, {"epochs": EPOCHS, "noise": NOISE})
    record = FitPlanner(toy, parse(toy.model), TuningSpec(trials=12)).of({"epochs": 11, "noise": 0})
    assert (record.own, record.stops) == (11, (2, 3, 5, 8, 11))
    assert record.parameters == {"epochs": 11, "noise": 0}


def test_a_run_that_the_pruner_cuts_prunes_the_trials_that_last_longer(
    cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # More than so small a grid has.
    monkeypatch.setattr("bakeoff.tuning.pruning._STARTUP_TRIALS", {"median": 5})
    space = {"epochs": EPOCHS, "noise": {"_target_": CHOICES, "choices": [0, 1, 2, 3, 4, 5]}}
    toy = with_tuning(of(cell, space, epochs=5, falls_after=2), trials=24, pruner="median")
    record = run(toy, tmp_path)
    runs = dict(Counts.ran)
    assert len(runs) == len(Counts.ran) == 6
    late = [t for t in record.trials if t.state == "pruned"]
    assert late and any(t.from_memory for t in late)
    for trial in late:
        cut = max(trial.by_epoch)
        short = [
            t
            for t in record.trials
            if t.parameters["noise"] == trial.parameters["noise"] and t.parameters["epochs"] < cut
        ]
        assert all(t.state == "complete" for t in short)


def test_fits_that_cannot_catch_up_are_cut_and_the_best_is_found_still(cell: Cell, tmp_path: Path) -> None:
    axes = {
        "epochs": {"_target_": INT, "low": 2, "high": 40},
        "noise": {"_target_": INT, "low": 0, "high": 5},
    }
    toy = of(cell, axes, epochs=5, falls_after=4)
    random = {"sampler": "random", "trials": 20}
    paced = run(with_tuning(toy, **random, pruner="pace"), tmp_path / "paced")
    assert paced.count("pruned")
    assert all(t.state == "complete" for t in paced.trials[:5])
    whole = run(with_tuning(toy, **random, pruner="none"), tmp_path / "whole")
    assert (paced.best.parameters, paced.best.value) == (
        whole.best.parameters,
        whole.best.value,
    )


def test_what_fails_after_a_trials_own_end_fails_longer_trials_alone(cell: Cell, tmp_path: Path) -> None:
    record = run(
        with_tuning(of(cell, {"epochs": EPOCHS, "noise": NOISE}, epochs=5, breaks_after=4), pruner="none"),
        tmp_path,
    )
    for trial in record.trials:
        assert trial.state == ("complete" if trial.parameters["epochs"] < 4 else "failed")


def test_a_model_that_counts_epochs_and_does_not_tell_fails_with_the_reason(
    cell: Cell, tmp_path: Path
) -> None:
    toy = with_tuning(of(cell, {"epochs": EPOCHS, "noise": NOISE}, epochs=5, silent=True), pruner="none")
    with pytest.raises(ModelError, match=r"Counts was fitted for .* did not report epoch"):
        run(toy, tmp_path)


@pytest.mark.parametrize(
    ("target", "axis"),
    [
        ("bakeoff.models.implicit.ALS", "iterations"),
        ("bakeoff.models.implicit.BPR", "iterations"),
        ("bakeoff.models.implicit.LMF", "iterations"),
        ("bakeoff.models.lightfm.LightFM", "epochs"),
    ],
)
def test_the_shipped_models_are_at_each_epoch_what_a_shorter_fit_is(
    cell: Cell, tmp_path: Path, target: str, axis: str
) -> None:
    width = "no_components" if axis == "epochs" else "factors"
    space = {axis: {**EPOCHS, "choices": [1, 2, 4]}, width: {"_target_": CHOICES, "choices": [3, 6]}}
    grid = with_tuning(of(cell, space, target, **{axis: 2, width: 3}), trials=6, pruner="none")
    sharing, plain = run(grid, tmp_path / "a"), run(grid, tmp_path / "b", plain=True)
    assert outcomes(sharing) == outcomes(plain)
    assert sharing.n_from_memory == 4
    assert plain.n_from_memory == 0


def test_the_shipped_models_say_what_counts_their_epochs() -> None:
    for model in (ALS(), BPR(), LMF(), LightFM()):
        assert isinstance(model, EpochParam)
        assert hasattr(model, model.epochs_in)


@pytest.mark.slow
def test_killed_while_runs_are_shared_it_ends_as_if_undisturbed(cell: Cell, tmp_path: Path) -> None:
    slow = of(cell, {"epochs": EPOCHS, "noise": NOISE}, epochs=5, wait=0.05, falls_after=3)
    undisturbed = run(slow, tmp_path / "whole")
    assert undisturbed.n_from_memory > 0
    chance = np.random.default_rng(7)
    journal = tmp_path / "cut" / "studies" / f"{slow.key}.log"
    killed = 0
    for _ in range(4):
        before = journal.read_bytes().count(b"\n") if journal.exists() else 0
        child = Child(slow, tmp_path / "cut")
        goal = before + int(chance.integers(1, 8))
        while child.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < goal):
            time.sleep(0.005)
        time.sleep(float(chance.random()) * 0.1)
        if child.poll() is None:
            child.kill()
            killed += 1
    assert killed == 4
    assert timeless(run(slow, tmp_path / "cut")) == timeless(undisturbed)
