"""Several processes on one study, and killed ones: one budget, no trial twice, one final fit."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bakeoff.run.cell import Cell
from bakeoff.storage.store import Store
from bakeoff.tuning.tune import tune
from commands import HERE, Warm
from tuning_studies import Child, made, split_of, timeless, with_tuning

FLOAT = "optuna.distributions.FloatDistribution"
VOLATILE = ("seconds", "peak_mb", "started", "blake2b")


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.slow
@pytest.mark.parametrize("kills", [4, pytest.param(10, marks=pytest.mark.long)])
def test_killed_at_random_moments_it_ends_as_if_undisturbed(cell: Cell, tmp_path: Path, kills: int) -> None:
    slow = with_tuning(made(cell, wait=0.1), trials=16)
    undisturbed = tune(slow, split_of(slow), Store(tmp_path / "whole"))
    chance = random.Random(5)
    journal = tmp_path / "cut" / "studies" / f"{slow.key}.log"
    killed = 0
    for _ in range(kills):
        goal = lines(journal) + chance.randrange(1, 10)
        child = Child(slow, tmp_path / "cut")
        while child.poll() is None and lines(journal) < goal:
            time.sleep(0.005)
        time.sleep(chance.random() * 0.05)
        if child.poll() is None:
            child.kill()
            killed += 1
    assert killed == kills
    resumed = tune(slow, split_of(slow), Store(tmp_path / "cut"))
    assert timeless(resumed, VOLATILE) == timeless(undisturbed, VOLATILE)


@pytest.mark.slow
def test_two_processes_on_one_journal_spend_one_budget(cell: Cell, tmp_path: Path) -> None:
    slow = with_tuning(made(cell, wait=0.1), trials=16)
    children = [Child(slow, tmp_path) for _ in range(2)]
    records = [child.result() for child in children]
    assert records[0] == records[1]
    assert len(records[0].trials) == 16
    fitted = [str(t.parameters) for t in records[0].trials if not t.from_memory]
    assert len(fitted) == len(set(fitted))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sampler", "pruner"),
    [
        ("tpe", "pace"),
        ("random", "hyperband"),
        pytest.param("qmc", "median", marks=pytest.mark.long),
        pytest.param("cmaes", "none", marks=pytest.mark.long),
        pytest.param("grid", "median", marks=pytest.mark.long),
        pytest.param("tpe", "hyperband", marks=pytest.mark.long),
    ],
)
def test_every_sampler_and_pruner_goes_on_exactly_after_a_kill(
    cell: Cell, tmp_path: Path, sampler: str, pruner: str
) -> None:
    space = {**cell.model["space"], "noise": {**cell.model["space"]["first"], "low": 1, "high": 60}}
    slow = with_tuning(made(cell, wait=0.05, noise=1), trials=24, sampler=sampler, pruner=pruner)
    slow = replace(slow, model={**slow.model, "space": space})
    undisturbed = tune(slow, split_of(slow), Store(tmp_path / "whole"))
    journal = tmp_path / "cut" / "studies" / f"{slow.key}.log"
    chance = random.Random(sampler + pruner)
    for _ in range(4):
        goal = lines(journal) + chance.randrange(8, 40)
        child = Child(slow, tmp_path / "cut")
        while child.poll() is None and lines(journal) < goal:
            time.sleep(0.002)
        child.kill()
    assert b"killed" not in journal.read_bytes().splitlines()[0]
    resumed = tune(slow, split_of(slow), Store(tmp_path / "cut"))
    assert b"killed" in journal.read_bytes()
    assert timeless(resumed, VOLATILE) == timeless(undisturbed, VOLATILE)
    if pruner == "hyperband":
        assert resumed.count("pruned")


WORDS = (
    *("dataset=blocks", "model=starts_at", "split=random", "baselines=[]", "k=[3,5]", "depth=10", "name=toy"),
    *("tune=optuna", "tune.trials=12", "tune.metric=ndcg@5", "model.build.log=fits.log"),
)


def start(warm: Warm, folder: Path, wait: float) -> int:
    folder.mkdir(exist_ok=True)
    return warm.start(folder, ("run", *WORDS, f"model.build.wait={wait}", f"--config-dir={HERE / 'conf'}"))


def record_of(folder: Path) -> Any:
    (path,) = folder.glob("results/store/cells/*/record.json")
    return json.loads(path.read_text())


def fits(folder: Path) -> tuple[Counter[str], int]:
    """Fits of each trial's parameters, and the number of fits of the whole train part."""
    fit_lines = [line.split() for line in (folder / "fits.log").read_text().splitlines()]
    whole = max(int(rows) for rows, _ in fit_lines)
    trials = Counter(first for rows, first in fit_lines if int(rows) < whole)
    return trials, sum(int(rows) == whole for rows, _ in fit_lines)


@pytest.mark.slow
def test_two_commands_on_one_store_spend_one_budget_and_fit_the_winner_once(
    warm: Warm, tmp_path: Path
) -> None:
    """Twice: by a third that finds nothing to do, too."""
    commands = [start(warm, tmp_path, 0.3) for _ in range(2)]
    assert [warm.wait(command) for command in commands] == [0, 0]
    record = record_of(tmp_path)
    assert record["status"] == "done" and len(record["tuning"]["trials"]) == 12
    trials, final = fits(tmp_path)
    assert final == 1
    assert sum(trials.values()) == sum(not t["from_memory"] for t in record["tuning"]["trials"])
    assert warm.wait(start(warm, tmp_path, 0.3)) == 0
    assert record_of(tmp_path) == record and fits(tmp_path) == (trials, 1)


@pytest.mark.slow
def test_a_command_killed_at_any_moment_ends_as_if_undisturbed(warm: Warm, tmp_path: Path) -> None:
    assert warm.wait(start(warm, tmp_path / "whole", 0.1)) == 0
    expected = record_of(tmp_path / "whole")
    whole = (tmp_path / "whole" / "fits.log").read_text().splitlines()
    folder, chance, killed = tmp_path / "cut", random.Random(3), 0
    for goal in (1, 3, 4, 7, 9, len(whole)):  # the last is the final fit
        command = start(warm, folder, 0.1)
        log = folder / "fits.log"
        while warm.poll(command) is None and not (log.exists() and lines(log) >= goal + killed):
            time.sleep(0.005)
        time.sleep(chance.random() * 0.1)
        killed += warm.kill(command)
    assert killed >= 4
    assert warm.wait(start(warm, folder, 0.1)) == 0
    assert timeless(record_of(folder), VOLATILE) == timeless(expected, VOLATILE)
