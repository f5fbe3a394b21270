"""What proof and isolation cost: a grid of small cells, run and run again, with and without.

    python bench/store.py            # 100 cells
    python bench/store.py 500 --rounds 1

Each command is a process of its own; the figures are medians of its user + system seconds and of those of all
its children. "checked" is reading the records and hashing
every file of the store, which `run` and `plan` do.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

DATA = (
    *("dataset=simulated", "dataset.n_users=1500", "dataset.n_items=800", "dataset.n_rows=40000"),
    *("split=random", "split_seed=1", "k=[5,10]", "depth=100", "baselines=[]"),
)
MODELS = ("als", "random")
"""One with a fit of usual length, one without: half of the cells each."""


def command(*words: str) -> float:
    """Return the CPU seconds of a command of bakeoff and of its children."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bakeoff", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"bakeoff {' '.join(words)}: ended with status {status}")
    return used.ru_utime + used.ru_stime


def cpu(function: Callable[[], object]) -> float:
    """Return the CPU seconds of a function in this process."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    function()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def one_round(n_cells: int) -> dict[str, float]:
    """Return what each command took, and the megabytes of the store."""
    from bakeoff.storage.store import Store

    seeds = ",".join(str(n) for n in range(1, n_cells // len(MODELS) + 1))
    grid = (*DATA, f"model={','.join(MODELS)}", f"seed={seeds}")
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("false", "true"):
            words = ("run", *grid, f"isolate={name}", f"results_dir={folder}/{name}", "name=bench")
            seconds[f"run, isolate={name}"] = command(*words)
        start = time.perf_counter()
        seconds["run again, all stored"] = command(*words)
        seconds["run again, wall"] = time.perf_counter() - start
        seconds["plan, all stored"] = command("plan", *words[1:])
        seconds["report"] = command("report", "bench", words[-2])
        root = Path(folder) / "true" / "store"
        store, keys = Store(root), [path.name for path in (root / "cells").iterdir()]
        seconds["checked"] = cpu(lambda: [store.cell_faults(key) for key in keys])
        seconds["records alone"] = cpu(lambda: [store.record(key) for key in keys])
        seconds["megabytes"] = sum(p.stat().st_size for p in root.rglob("*") if p.is_file()) / 1e6
    return seconds


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cells", type=int, nargs="?", default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    rounds = [one_round(options.cells) for _ in range(options.rounds)]
    sys.stdout.write(f"| {options.cells} cells | CPU s |\n|---|---|\n")
    for name in rounds[0]:
        sys.stdout.write(f"| {name} | {statistics.median(r[name] for r in rounds):.2f} |\n")


if __name__ == "__main__":
    main()
