"""kill -9 at random moments: nothing is lost, and the result is that of an undisturbed run."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import HERE
from test_end_to_end import timeless

TWELVE = (
    *("dataset=blocks", "model=by_item,shuffled", "split=random,random_rows", "split_seed=1,2,3"),
    *("k=[3,5]", "depth=10", "baselines=[]"),
)


def start(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bakeoff", "run", f"--config-dir={HERE / 'conf'}", *TWELVE]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(HERE)}, **quiet)


@pytest.mark.slow
def test_a_sweep_killed_at_any_moment_goes_on_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    begun = time.monotonic()
    assert start(whole).wait(timeout=120) == 0
    took = time.monotonic() - begun
    expected = timeless(whole / "results")
    assert sum(name.endswith("record.json") for name in expected) == 12

    moments = random.Random(0)
    for attempt in range(20):
        folder = tmp_path / f"killed{attempt}"
        folder.mkdir()
        running = start(folder)
        time.sleep(moments.uniform(0.3, 0.95) * took)
        running.send_signal(signal.SIGKILL)
        running.wait()
        done = {p: p.stat().st_mtime_ns for p in folder.rglob("record.json")}
        assert all(json.loads(p.read_text())["status"] == "done" for p in done)
        assert start(folder).wait(timeout=120) == 0
        assert all(p.stat().st_mtime_ns == at for p, at in done.items()), "a finished cell ran again"
        found = {n: v for n, v in timeless(folder / "results").items() if not Path(n).name.startswith(".")}
        assert {n: v for n, v in found.items() if "/." not in n} == expected
        shutil.rmtree(folder)
