"""kill -9 at random moments: nothing is lost, and the result is that of an undisturbed run."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import HERE, PATH
from nursery import Nursery
from test_end_to_end import timeless

TWELVE = (
    *("dataset=blocks", "model=by_item,shuffled", "split=random,random_rows", "split_seed=1,2,3"),
    *("k=[3,5]", "depth=10", "baselines=[]"),
)


RUN = ("run", f"--config-dir={HERE / 'conf'}", *TWELVE)


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    started = Nursery(tmp_path)
    yield started
    started.close()


@pytest.mark.slow
def test_a_sweep_killed_at_any_moment_goes_on_and_ends_with_the_same_bytes(
    tmp_path: Path, nursery: Nursery
) -> None:
    whole, warm = tmp_path / "whole", tmp_path / "warm"
    whole.mkdir(), warm.mkdir()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "PYTHONPATH": PATH}
    command = [sys.executable, "-m", "bakeoff", *RUN]
    assert (
        subprocess.run(command, cwd=whole, env=environment, timeout=120, check=False, **quiet).returncode == 0
    )
    expected = timeless(whole / "results")
    assert sum(name.endswith("record.json") for name in expected) == 12
    begun = time.monotonic()
    nursery.start(warm, RUN)
    assert nursery.wait() == 0
    took = time.monotonic() - begun

    moments, killed = random.Random(0), 0
    for attempt in range(20):
        folder = tmp_path / f"killed{attempt}"
        folder.mkdir()
        running = nursery.start(folder, RUN)
        time.sleep(moments.uniform(0.1, 0.95) * took)
        with contextlib.suppress(ProcessLookupError):
            os.kill(running, signal.SIGKILL)
        killed += nursery.wait() == -signal.SIGKILL
        done = {p: p.stat().st_mtime_ns for p in folder.rglob("record.json")}
        assert all(json.loads(p.read_text())["status"] == "done" for p in done)
        nursery.start(folder, RUN)
        assert nursery.wait() == 0
        assert all(p.stat().st_mtime_ns == at for p, at in done.items()), "a finished cell ran again"
        files = {n: v for n, v in timeless(folder / "results").items() if not Path(n).name.startswith(".")}
        assert {n: v for n, v in files.items() if "/." not in n} == expected
        shutil.rmtree(folder)
    assert killed >= 15, "the machine was too uneven to tell when a run ends"
