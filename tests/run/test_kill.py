"""kill -9 at random moments: nothing is lost, and the result is that of an undisturbed run."""

from __future__ import annotations

import json
import random
import shutil
import time
from pathlib import Path

import pytest

from commands import HERE, Warm
from test_end_to_end import timeless

RUN = (
    *("run", f"--config-dir={HERE / 'conf'}", "dataset=blocks", "k=[3]", "depth=10", "metrics=accuracy"),
    *("model=by_item,shuffled", "split=random,random_rows", "split_seed=1,2", "baselines=[]"),
)


@pytest.mark.slow
def test_a_sweep_killed_at_any_moment_goes_on_and_ends_with_the_same_bytes(
    tmp_path: Path, warm: Warm
) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    begun = time.monotonic()
    assert warm.wait(warm.start(whole, RUN)) == 0
    took = time.monotonic() - begun
    expected = timeless(whole / "results")
    assert sum(name.endswith("record.json") for name in expected) == 8

    moments, killed = random.Random(0), 0
    for attempt in range(12):
        folder = tmp_path / f"killed{attempt}"
        folder.mkdir()
        running = warm.start(folder, RUN)
        time.sleep(moments.uniform(0.1, 0.95) * took)
        killed += warm.kill(running)
        done = {p: p.stat().st_mtime_ns for p in folder.rglob("record.json")}
        assert all(json.loads(p.read_text())["status"] == "done" for p in done)
        assert warm.wait(warm.start(folder, RUN)) == 0
        assert all(p.stat().st_mtime_ns == at for p, at in done.items()), "a finished cell ran again"
        files = {n: v for n, v in timeless(folder / "results").items() if not Path(n).name.startswith(".")}
        assert {n: v for n, v in files.items() if "/." not in n} == expected
        shutil.rmtree(folder)
    assert killed >= 8, "the machine was too uneven to tell when a run ends"
