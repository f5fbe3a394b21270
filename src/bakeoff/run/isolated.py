"""Run one cell in a fresh process: its limits hold, its peak memory is its own, and it can only kill itself.

The child is `python -m bakeoff.run.isolated`: it reads the cell as JSON on stdin and stores the result.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict

from bakeoff.run.cell import Cell
from bakeoff.run.environment import environment
from bakeoff.run.runner import EvaluationSpec, Workspace, run_cell
from bakeoff.storage.record import Record
from bakeoff.storage.store import Store

_POLL_SECONDS = 0.05


def run_isolated(
    cell: Cell,
    store: Store,
    wanted: EvaluationSpec,
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
    job = {"cell": cell.as_json(), "store": str(store.root.resolve()), "wanted": asdict(wanted)}
    child = subprocess.Popen([sys.executable, "-m", "bakeoff.run.isolated"], stdin=subprocess.PIPE, text=True)
    try:
        assert child.stdin is not None
        child.stdin.write(json.dumps(job))
        child.stdin.close()
        why = _watch(child, time_limit, memory_limit)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    record = store.record(cell.key)
    if record is not None and why is None:
        return record
    reason = why or f"the process of the cell ended with exit code {child.returncode} and without a result"
    if why is None and child.returncode < 0:
        reason = f"the process of the cell was killed by signal {-child.returncode} (out of memory?)"
    failed = Record(
        key=cell.key, status="failed", reason=reason, cell=cell.as_json(), environment=environment()
    )
    store.write_record(failed)
    return failed


def _watch(child: subprocess.Popen[str], time_limit: float | None, memory_limit: float | None) -> str | None:
    """Wait for the child; end it and say why when it passes a limit."""
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
    return None


def main() -> None:
    sys.path.insert(0, "")  # a user's own class is found from the working directory, as in the parent
    job = json.load(sys.stdin)
    wanted = EvaluationSpec(**{**job["wanted"], "ks": tuple(job["wanted"]["ks"])})
    run_cell(Cell(**job["cell"]), Workspace(Store(job["store"])), wanted)


if __name__ == "__main__":
    main()
