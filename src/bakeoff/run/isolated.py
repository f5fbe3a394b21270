"""Run one cell in a fresh process: its limits hold, and its peak memory and its crashes are its own.

The child is `python -m bakeoff.run.isolated`: it reads a Job as JSON on standard input and stores the result.
"""

from __future__ import annotations

import subprocess
import sys
import time

import msgspec

from bakeoff.run.cell import Cell
from bakeoff.run.resources import environment
from bakeoff.run.runner import EvaluationSpec, Workspace, run_cell
from bakeoff.storage.record import Record
from bakeoff.storage.store import Store

_POLL_SECONDS = 0.05


class Job(msgspec.Struct, frozen=True):
    """The cell that a child process runs, and the folder of the store it writes to."""

    cell: Cell
    store: str
    spec: EvaluationSpec


def run_isolated(
    cell: Cell,
    store: Store,
    spec: EvaluationSpec,
    *,
    time_limit: float | None = None,
    memory_limit: float | None = None,
) -> Record:
    """Run a cell in a child process and return its record.

    Args:
        time_limit: wall seconds, or None.
        memory_limit: resident memory in 10^6 bytes, or None.
    """
    store.begin(cell.key)
    job = Job(cell, str(store.root.resolve()), spec)
    child = subprocess.Popen([sys.executable, "-m", "bakeoff.run.isolated"], stdin=subprocess.PIPE)
    try:
        assert child.stdin is not None
        child.stdin.write(msgspec.json.encode(job))
        child.stdin.close()
        exceeded = _watch(child, time_limit, memory_limit)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    record = store.record(cell.key)
    if record is not None and not exceeded:
        return record
    reason = exceeded or f"the process ended with exit code {child.returncode} and without a result"
    if not exceeded and child.returncode < 0:
        reason = f"the process was killed by signal {-child.returncode} (out of memory?)"
    failed = Record(key=cell.key, status="failed", reason=reason, cell=cell, environment=environment())
    store.write_record(failed)
    return failed


def _watch(child: subprocess.Popen[bytes], time_limit: float | None, memory_limit: float | None) -> str:
    """Wait for the child and return ""; or return which limit it exceeded."""
    import psutil

    start = time.monotonic()
    while child.poll() is None:
        time.sleep(_POLL_SECONDS)
        if time_limit is not None and time.monotonic() - start > time_limit:
            return f"time limit: not done after {time_limit:g} s"
        if memory_limit is not None:
            try:
                used = psutil.Process(child.pid).memory_info().rss / 1e6
            except psutil.NoSuchProcess:
                continue
            if used > memory_limit:
                return f"memory limit: {used:.0f} MB used, {memory_limit:g} MB allowed"
    return ""


def main() -> None:
    """Run the job that standard input describes."""
    sys.path.insert(0, "")  # as in the parent, the working directory is importable
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    run_cell(job.cell, Workspace(Store(job.store)), job.spec)


if __name__ == "__main__":
    main()
