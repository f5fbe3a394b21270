"""CPU seconds and peak memory of reading a large CSV into coded interactions, beside plain pandas.

    python bench/ingest.py [--rows 10000000] [--repeat 1] [--keep FILE]

The file has two ids of 16 characters, a count and a timestamp a row: 200,000 users, 50,000 items, a long
tail. Each engine runs in a fresh process. "extra MB" is the peak of resident memory above what the
process held after its imports.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np


def write(path: Path, rows: int) -> None:
    """A log of this many rows, in chunks."""
    import pyarrow as pa
    import pyarrow.csv as pacsv

    chance = np.random.default_rng(1)
    users = pa.array([f"u{n:015x}" for n in chance.permutation(200_000)])
    items = pa.array([f"i{n:015x}" for n in chance.permutation(50_000)])
    writer = None
    for start in range(0, rows, 1_000_000):
        n = min(1_000_000, rows - start)
        columns = {
            "user": users.take(pa.array(chance.integers(0, len(users), n))),
            "item": items.take(pa.array((len(items) * chance.random(n) ** 3).astype(np.int64))),
            "count": pa.array(chance.geometric(0.2, n)),
            "time": pa.array(chance.integers(1_500_000_000, 1_600_000_000, n)),
        }
        table = pa.table(columns)
        writer = writer or pacsv.CSVWriter(path, table.schema)
        writer.write(table)
    assert writer is not None
    writer.close()


def with_bakeoff(path: str) -> Callable[[], object]:
    import pyarrow.csv  # noqa: F401 - imports are not measured

    from bakeoff.data.readers import Table

    return lambda: Table(path=path, value="count", time="time").load().interactions.summary()["pairs"]


def with_bakeoff_counts(path: str) -> Callable[[], object]:
    import pyarrow.csv  # noqa: F401

    from bakeoff.data.readers import Table

    return lambda: Table(path=path, value="count").load().interactions.matrix().nnz


def with_pandas(path: str) -> Callable[[], object]:
    import pandas as pd
    from scipy import sparse

    def run() -> object:
        frame = pd.read_csv(path)
        users, _ = pd.factorize(frame["user"])
        items, _ = pd.factorize(frame["item"])
        return sparse.csr_matrix((frame["count"].to_numpy(np.float32), (users, items))).nnz

    return run


ENGINES = {"bakeoff, events": with_bakeoff, "bakeoff, no times": with_bakeoff_counts, "pandas": with_pandas}


def measure(engine: str, path: str) -> None:
    """Run in a process of its own; print the figures as JSON."""
    import resource
    import threading
    import time

    import psutil

    run = ENGINES[engine](path)
    process, peak, done = psutil.Process(), 0, threading.Event()
    base = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    before, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    pairs = run()
    after, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - wall
    done.set()
    watcher.join()
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"cpu": seconds, "wall": wall, "mb": (peak - base) / 2**20, "pairs": pairs}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="where the file is written, or found from an earlier run")
    parser.add_argument("--engine", choices=ENGINES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.engine:
        measure(given.engine, str(given.keep))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = given.keep or Path(folder) / "log.csv"
        if not path.exists():
            write(path, given.rows)
        print(f"{path.stat().st_size / 2**20:.0f} MB, {given.rows:,} rows, {given.repeat} run(s), medians")
        print(f"{'engine':<20}{'CPU s':>8}{'wall s':>8}{'extra MB':>10}{'pairs':>12}")
        for engine in ENGINES:
            command = [sys.executable, __file__, "--engine", engine, "--keep", str(path)]
            runs = [json.loads(subprocess.check_output(command)) for _ in range(given.repeat)]
            cpu, wall, mb = (statistics.median(r[k] for r in runs) for k in ("cpu", "wall", "mb"))
            print(f"{engine:<20}{cpu:>8.1f}{wall:>8.1f}{mb:>10.0f}{runs[0]['pairs']:>12,}")


if __name__ == "__main__":
    main()
