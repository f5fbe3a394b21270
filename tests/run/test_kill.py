"""Commands that are killed, terminated and interrupted at random moments: a short form of `make torture`."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from commands import Warm
from torture import Disk, disk_faults, torture


@pytest.mark.slow
def test_a_run_after_faults_gives_the_bytes_of_an_undisturbed_one(tmp_path: Path, warm: Warm) -> None:
    tally = torture(warm, tmp_path, random.Random(2), time.monotonic() + 300, rounds=3, most=2)
    assert tally.lost == [] and tally.injected.total() >= 3


@pytest.mark.slow
def test_a_run_after_a_failing_disk_gives_the_bytes_of_an_undisturbed_one(tmp_path: Path) -> None:
    tally = disk_faults(Disk(), tmp_path, random.Random(4), time.monotonic() + 300, rounds=3)
    assert tally.lost == [] and tally.injected.total() == 3
