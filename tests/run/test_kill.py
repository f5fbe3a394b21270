"""Commands that are killed, terminated and interrupted at random moments: a short form of `make torture`."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from commands import Warm
from torture import COMMANDS, Disk, disk_faults, torture


@pytest.mark.slow
def test_a_run_after_faults_gives_the_bytes_of_an_undisturbed_one(tmp_path: Path, warm: Warm) -> None:
    tally = torture(warm, tmp_path, random.Random(2), time.monotonic() + 300, rounds=3, most=2)
    assert tally.lost == [] and tally.injected.total() >= 3


@pytest.mark.slow
def test_a_run_after_a_failing_disk_gives_the_bytes_of_an_undisturbed_one(tmp_path: Path) -> None:
    tally = disk_faults(Disk(), tmp_path, random.Random(4), time.monotonic() + 300, rounds=3)
    assert tally.lost == [] and tally.injected.total() == 3


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, pytest.param(8, marks=pytest.mark.long)])
def test_a_report_beside_runs_of_the_same_cells_lacks_none(n: int, tmp_path: Path, warm: Warm) -> None:
    words = [*COMMANDS["grid"], "split=random", "split_seed=1"]
    assert warm.wait(warm.start(tmp_path, words)) == 0
    numbers = (tmp_path / "results/toy/metrics.csv").read_bytes()
    runs = [warm.start(tmp_path, [*words, "rerun=true"]) for _ in range(n)]
    n_reports = 0
    while any(warm.poll(child) is None for child in runs):
        assert warm.wait(warm.start(tmp_path, ["report", "toy", "metrics=accuracy"])) == 0
        assert (tmp_path / "results/toy/metrics.csv").read_bytes() == numbers
        n_reports += 1
    assert [warm.wait(child) for child in runs] == [0] * n and n_reports
