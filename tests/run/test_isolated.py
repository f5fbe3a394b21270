"""One cell never ends a sweep: models that exit, crash, hang, leak, print and lie, beside a good cell."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import psutil
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse

from bakeoff.report.render.run import progress
from bakeoff.run import grid
from bakeoff.run.cell import Cell
from bakeoff.run.isolated import Servers
from bakeoff.run.runner import EvaluationSpec, Workspace
from bakeoff.storage.record import CellRequest, Record
from bakeoff.storage.store import Store
from commands import HERE, Warm
from toys import ByItem


@pytest.fixture(autouse=True)
def _no_process_remains() -> Iterator[None]:
    before = set(psutil.Process().children(recursive=True))
    yield
    assert set(psutil.Process().children(recursive=True)) <= before


SPEC = EvaluationSpec((3,), {"ndcg": "bakeoff.evaluation.ranking.ndcg"})
DEPTH = 5


class Exits(BaseException):
    """Neither an Exception nor an exit."""


def raises(error: BaseException) -> None:
    raise error


def allocate(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=False)


def daemonize() -> None:
    """Leave a process that has left its session and its parent."""
    if not os.fork():
        os.setsid()
        if os.fork():
            os._exit(0)
        Path("daemon.pid").write_text(str(os.getpid()))
        time.sleep(60)
    while not Path("daemon.pid").exists() or not Path("daemon.pid").read_text():
        time.sleep(0.001)


def ask_for_threads() -> None:
    """Let libgomp ask for 100,000 threads in little memory: it crashes or exits."""
    limit = psutil.Process().memory_info().vms + (2 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    AlternatingLeastSquares(factors=2, iterations=1, num_threads=100_000).fit(
        sparse.identity(50, format="csr")
    )


def print_until_killed() -> None:
    os.write(1, b"first\n")
    for n in range(20_000):
        os.write(2, b"%-999d\n" % n)
    os.write(1, b"last\n")
    os.kill(os.getpid(), signal.SIGKILL)


def upset() -> None:
    """Change what a process has one of, and go on."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    warnings.simplefilter("error")
    np.random.seed(0)  # noqa: NPY002
    os.environ.clear()
    os.chdir("/")


def print_without_end() -> None:
    for n in range(20_000):
        os.write(1, b"%-999d\n" % n)
    raise ValueError("enough")


FIT: dict[str, Callable[[], Any]] = {
    "sys.exit": lambda: sys.exit(0),
    "os._exit": lambda: os._exit(0),
    "interrupt": lambda: raises(KeyboardInterrupt()),
    "base": lambda: raises(Exits("of no kind")),
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "terminate": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "print": print_without_end,
    "print, killed": print_until_killed,
    "threads": ask_for_threads,
    "daemon": daemonize,
    "upset": upset,
    "hang": lambda: time.sleep(600),
    "child hangs": lambda: allocate("import time; time.sleep(600)"),
    "child leaks": lambda: allocate("import time; a = bytearray(800 << 20); time.sleep(600)"),
}

LISTS: dict[str, Callable[[Any, Any], tuple[Any, Any]]] = {
    "none": lambda items, scores: (np.full_like(items, -1), np.full_like(scores, -np.inf)),
    "float ids": lambda items, scores: (items.astype(np.float64), scores),
    "Python lists": lambda items, scores: (items.tolist(), scores.tolist()),
    "too few": lambda items, scores: (items[1:], scores[1:]),
    "NaN": lambda items, scores: (items, np.full_like(scores, np.nan)),
    "repeated": lambda items, scores: (np.repeat(items[:, :1], items.shape[1], axis=1), scores),
    "outside": lambda items, scores: (items + 1000, scores),
}


@dataclass
class Hostile(ByItem):
    """Does what its name says while it is fitted, or to its lists."""

    does: str = ""
    stochastic: ClassVar[bool] = False

    def fit(self, train: Any, *, seed: int, on_epoch: Any = None) -> None:
        super().fit(train, seed=seed)
        if self.does == "write":
            train.items[:] = 0
        FIT.get(self.does, lambda: None)()

    def recommend(self, users: Any, history: Any, k: int) -> tuple[Any, Any]:
        history.data[:] = -1  # a copy: it changes nothing for metrics
        if self.does == "seen":
            history = type(history)(history.shape)
        items, scores = super().recommend(users, history, k)
        return LISTS.get(self.does, lambda *lists: lists)(items, scores)


def request(does: str) -> CellRequest:
    cell = Cell(
        dataset={"_target_": "toys.Blocks", "name": "blocks"},
        split={"_target_": "bakeoff.splits.per_user.Random", "name": "random"},
        model={"name": "toy", "build": {"_target_": f"{Hostile.__module__}.Hostile", "does": does}},
        depth=DEPTH,
        variant=does,
    )
    return CellRequest(cell.key, cell)


def run(folder: Path, *does: str, **options: Any) -> dict[str, Record]:
    """Run cells and return their records by what the models do."""
    requests = [request(name) for name in does]
    workspace = Workspace(Store(folder))
    planned = grid.prepare(grid.plan(requests, workspace.store), workspace, SPEC)
    records = grid.run(planned, workspace, SPEC, grid.Options(**options), progress())
    return {record.cell.variant: record for record in records}


ENDS = {
    "sys.exit": "SystemExit",
    "os._exit": "exit code 0",
    "interrupt": "KeyboardInterrupt",
    "base": "of no kind",
    "segfault": "SIGSEGV",
    "abort": "SIGABRT",
    "kill": "SIGKILL",
    "terminate": "SIGTERM",
    "print": "enough",
    "print, killed": "SIGKILL",
    "threads": "the process",
    "write": "read-only",
    "none": "empty",
    "float ids": "int32",
    "Python lists": "int32",
    "too few": "users",
    "NaN": "not finite",
    "repeated": "more than once",
    "seen": "seen by the user",
    "outside": "outside the catalogue",
}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Record]:
    folder = tmp_path_factory.mktemp("hostile")
    return run(folder / "store", *ENDS, "upset", "good", workers=2)


@pytest.mark.parametrize("does", ENDS)
def test_a_cell_that_breaks_has_failed_with_its_reason(records: dict[str, Record], does: str) -> None:
    record = records[does]
    assert record.status == "failed" and ENDS[does] in record.reason, record.reason
    assert "\n" not in record.reason and len(record.traceback) < 20_000


def test_a_process_that_one_model_has_changed_is_not_that_of_the_next(records: dict[str, Record]) -> None:
    good, upset = records["good"], records["upset"]
    assert good.done and upset.done and good.metrics == upset.metrics
    assert dict(os.environ) and signal.getsignal(signal.SIGTERM) != signal.SIG_IGN


def test_the_output_of_a_killed_cell_has_its_head_and_its_tail(records: dict[str, Record]) -> None:
    assert "in fit" in records["segfault"].traceback  # the Python stack of a crash
    output = records["print, killed"].traceback
    assert len(output) < 9000 and output.startswith("first") and output.rstrip().endswith("last")


@pytest.mark.parametrize("does", ["hang", "child hangs"])
def test_a_time_limit_holds_for_all_processes_of_a_cell(tmp_path: Path, does: str) -> None:
    start = time.monotonic()
    records = run(tmp_path, does, "good", time_limit=1.5)
    assert records[does].reason.startswith("time limit") and records["good"].done
    assert time.monotonic() - start < 60


def test_a_memory_limit_holds_for_all_processes_of_a_cell(tmp_path: Path) -> None:
    records = run(tmp_path, "child leaks", "good", memory_limit=750)
    assert records["child leaks"].reason.startswith("memory limit") and records["good"].done


def test_cells_of_a_process_with_threads_are_isolated_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        records = run(tmp_path, "segfault", "good")
    finally:
        ended.set()
        thread.join()
    assert "SIGSEGV" in records["segfault"].reason and records["good"].done


LEAVES = """
import os, subprocess, time
from pathlib import Path
from toys import ByItem

class Leaves(ByItem):
    def fit(self, train, *, seed, on_epoch=None):
        children = [subprocess.Popen(["sleep", "600"], start_new_session=new) for new in (False, True)]
        pids = [os.getpid(), os.getppid(), *(child.pid for child in children)]
        Path("pids.part").write_text(" ".join(map(str, pids)))
        os.rename("pids.part", "pids")
        time.sleep(600)
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_command(tmp_path: Path, warm: Warm, sent: signal.Signals) -> None:
    (tmp_path / "leaves.py").write_text(LEAVES)
    (tmp_path / "own" / "model").mkdir(parents=True)
    (tmp_path / "own" / "model" / "leaves.yaml").write_text(
        "name: leaves\nbuild:\n  _target_: leaves.Leaves\n"
    )
    options = (f"--config-dir={HERE / 'conf'}", "--config-dir=own", "dataset=blocks", "split=random")
    command = warm.start(tmp_path, ["run", *options, "model=leaves", "k=[3]", "depth=10", "baselines=[]"])
    pids = tmp_path / "pids"
    wait_for(pids.exists)
    os.kill(command, sent)
    assert warm.wait(command) == {"SIGINT": 130, "SIGTERM": 143, "SIGKILL": -9}[sent.name]
    left = [psutil.Process(pid) for pid in map(int, pids.read_text().split()) if psutil.pid_exists(pid)]
    wait_for(lambda: not any(process.is_running() for process in left))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_daemon_ends_with_its_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(tmp_path / "store", "daemon")["daemon"].done
    assert not psutil.pid_exists(int((tmp_path / "daemon.pid").read_text()))


def test_without_isolation_an_exit_of_a_model_is_a_failure_too(tmp_path: Path) -> None:
    records = run(tmp_path, "sys.exit", "base", "good", isolate=False)
    assert [records[d].status for d in ("sys.exit", "base", "good")] == ["failed", "failed", "done"]


@pytest.mark.slow
def test_where_nothing_can_be_forked_each_cell_is_a_fresh_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    workspace, requests = Workspace(Store(tmp_path)), [request(d) for d in ("segfault", "good")]
    grid.prepare(grid.plan(requests, workspace.store), workspace, SPEC)
    with Servers(workspace, 1, fork=False) as servers:
        records = [record for _, record in servers.run(requests, SPEC, lambda _: None)]
    assert "SIGSEGV" in records[0].reason and records[1].done


def test_a_server_that_is_killed_costs_one_cell(tmp_path: Path) -> None:
    workspace, requests = Workspace(Store(tmp_path)), [request(d) for d in ("hang", "good")]
    grid.prepare(grid.plan(requests, workspace.store), workspace, SPEC)

    others = set(psutil.Process().children())

    def begin(started: CellRequest) -> None:
        if started.cell.variant == "good":
            return
        (server,) = set(psutil.Process().children()) - others
        server.kill()

    with Servers(workspace, 1) as servers:
        records = {r.cell.variant: r for r in (r for _, r in servers.run(requests, SPEC, begin))}
    assert records["hang"].status == "failed" and records["good"].done
