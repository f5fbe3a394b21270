"""Run each cell in a process of its own: a crash, a leak or a hang costs one cell.

    command --jobs--> server --fork--> worker: run_cell
            <--ends--        <--wait--

A server is warm: it has imported the libraries and loaded the split, so a worker costs a fork and no import.
It runs one cell at a time. The worker's descendants are the server's too, also those that left the worker's
session: limits hold for all of them together, and none outlives the cell. The server ends with the command,
however that ends, because the pipe of its jobs closes then.

Servers are forked from the command where that is safe, on Linux without other threads of Python's; elsewhere
they are started as `python -m bakeoff.run.isolated`. Where a server cannot fork safely either (macOS), each
worker is a fresh interpreter.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import importlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO, NoReturn, Self

import msgspec
import numpy as np

from bakeoff.errors import ConfigError
from bakeoff.log import logger
from bakeoff.models.fitting import limit_threads
from bakeoff.run.cell import Cell
from bakeoff.run.naming import cell_label
from bakeoff.run.resources import environment
from bakeoff.run.runner import EvaluationSpec, Workspace, run_cell
from bakeoff.storage.record import CellRequest, Record
from bakeoff.storage.store import Store

FORK_IS_SAFE = sys.platform == "linux"
"""Elsewhere system libraries start threads of their own, or there is no fork."""

_POLL_SECONDS = 0.05
_KILL_SECONDS = 10
_OUTPUT_BYTES = 4096
"""Bytes of a cell's output that are kept at each end."""

_LIBRARIES = (
    *("scipy.linalg", "pandas", "pyarrow.pandas_compat", "concurrent.futures.thread"),
    *("implicit.als", "implicit.bpr", "implicit.nearest_neighbours", "lightfm"),
)
_TUNING_LIBRARIES = ("bakeoff.tuning", "bakeoff.tuning.importance", "sqlalchemy", "cmaes")
"""What a server imports once for all its workers."""

_STORED = 99
"""Exit code of a worker that has stored its record; 0 is what a model's own `os._exit` would give."""


class Job(msgspec.Struct, frozen=True):
    """A cell to run.

    Args:
        store: absolute path of the store's folder.
        time_limit: wall seconds, or None.
        memory_limit: 10^6 bytes of all processes of the cell together, or None.
    """

    cell: Cell
    store: str
    spec: EvaluationSpec
    time_limit: float | None = None
    memory_limit: float | None = None


class End(msgspec.Struct, frozen=True):
    """How a worker ended.

    Args:
        reason: why no record is stored, or "".
        output: what the cell printed, without the middle of a long text.
    """

    reason: str = ""
    output: str = ""


# -- in the command ----------------------------------------------------------------------------------


class Servers:
    """The servers of a grid, inside a `with` block; at its end they end, with the processes of their cells.

    Args:
        workspace: forked servers share what it has loaded.
        n: number of cells at once.
        fork: whether servers and workers are forked; None forks where it is safe.
    """

    def __init__(self, workspace: Workspace, n: int, *, fork: bool | None = None) -> None:
        if not hasattr(os, "setsid"):
            raise ConfigError(
                f"isolate=true needs POSIX processes, which {sys.platform} lacks: isolate=false"
            )
        self._workspace, self._n = workspace, n
        self._fork = FORK_IS_SAFE if fork is None else fork
        self._open: list[_Server] = []

    def __enter__(self) -> Self:
        forked = self._fork and threading.active_count() == 1
        if forked:
            _warm_up()
        for _ in range(self._n):
            self._open.append(self._start(forked=forked))
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._open:
            server.jobs.close()
        for server in self._open:
            server.wait()

    def run(
        self,
        requests: Sequence[CellRequest],
        spec: EvaluationSpec,
        begin: Callable[[CellRequest], Record | None],
        time_limit: float | None = None,
        memory_limit: float | None = None,
    ) -> Iterator[tuple[CellRequest, Record]]:
        """Run cells and yield each with its record when it ends.

        Args:
            begin: called before a cell starts; a record that it returns takes the place of the run.
        """
        store = self._workspace.store
        waiting, running = deque(requests), dict[_Server, CellRequest]()
        while waiting or running:
            idle = [server for server in self._open if server not in running]
            while waiting and idle:
                request = waiting.popleft()
                if (record := begin(request)) is not None:
                    yield request, record
                    continue
                job = Job(request.cell, str(store.root.resolve()), spec, time_limit, memory_limit)
                server = idle.pop()
                server.send(job)
                running[server] = request
            for server in select.select(list(running), [], [])[0] if running else ():
                request, end = running.pop(server), server.receive()
                if end is None:
                    self._open.remove(server)
                    self._open.append(self._start(forked=False))
                    end = End("the process that watches the cell was killed")
                yield request, _record(request.cell, store, end)

    def _start(self, *, forked: bool) -> _Server:
        own, jobs = os.pipe()
        ends, own_ends = os.pipe()
        if not forked:
            words = [sys.executable, "-m", "bakeoff.run.isolated", "fork" if self._fork else "fresh"]
            paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            process = subprocess.Popen(words, stdin=own, stdout=own_ends, env={**os.environ, **paths})
            pid = process.pid
            process.returncode = 0  # _Server waits for it
        elif not (pid := _fork()):
            with _ending():
                for fd in (jobs, ends, *(fd for other in self._open for fd in other.fds)):
                    os.close(fd)
                _serve(own, own_ends, self._workspace, fork=True)
        for fd in (own, own_ends):
            os.close(fd)
        return _Server(pid, os.fdopen(jobs, "wb"), os.fdopen(ends, "rb"))


class _Server:
    """The command's side of a server."""

    def __init__(self, pid: int, jobs: BinaryIO, ends: BinaryIO) -> None:
        self.pid, self.jobs, self.ends = pid, jobs, ends

    @property
    def fds(self) -> tuple[int, int]:
        return self.jobs.fileno(), self.ends.fileno()

    def fileno(self) -> int:
        return self.ends.fileno()

    def send(self, job: Job) -> None:
        with suppress(BrokenPipeError):  # it is dead, which `receive` tells
            self.jobs.write(msgspec.json.encode(job) + b"\n")
            self.jobs.flush()

    def receive(self) -> End | None:
        """Return the end of the running cell, or None if the server is dead."""
        line = self.ends.readline()
        if line.endswith(b"\n"):
            return msgspec.json.decode(line, type=End)
        with suppress(BrokenPipeError):
            self.jobs.close()
        self.wait()
        return None

    def wait(self) -> None:
        """Wait until the server has ended its cell and itself; kill it if that takes too long."""
        deadline = time.monotonic() + 2 * _KILL_SECONDS
        with suppress(ChildProcessError):
            while not os.waitpid(self.pid, os.WNOHANG)[0]:
                if time.monotonic() > deadline:
                    os.kill(self.pid, signal.SIGKILL)
                time.sleep(0.002)
        self.ends.close()


def _record(cell: Cell, store: Store, end: End) -> Record:
    """Return the record that a worker stored; if it did not, store that of a failed cell and return it."""
    if end.output:
        logger.debug("output of %s: %s", cell_label(cell), end.output)
    record = None if end.reason else store.record(cell.key)
    if record is None:
        reason = end.reason or "its record was removed while it ran"
        record = Record(*(cell.key, "failed", reason, cell), environment=environment(), traceback=end.output)
        store.write_record(record)
    return record


# -- in the server -----------------------------------------------------------------------------------


def _serve(jobs: int, ends: int, workspace: Workspace | None, *, fork: bool) -> None:
    """Run jobs, one at a time, until their pipe closes."""
    os.setsid()  # Ctrl-C reaches the command alone
    _set_process_option(_PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    gc.freeze()  # a collection in a worker would copy every page of the server
    with os.fdopen(jobs, "rb") as lines, os.fdopen(ends, "wb") as answers:
        for line in lines:
            job = msgspec.json.decode(line, type=Job)
            if workspace is None or str(workspace.store.root.resolve()) != job.store:
                workspace = Workspace(Store(job.store))
            with suppress(Exception):  # the worker meets the same error, and records it
                workspace.warm(job.cell, job.spec)
                _import(_TUNING_LIBRARIES if job.cell.tune is not None else ())
            answers.write(msgspec.json.encode(_run(job, jobs, ends, workspace if fork else None)) + b"\n")
            answers.flush()


def _import(modules: Sequence[str]) -> None:
    for module in modules:
        importlib.import_module(module)


def _warm_up() -> None:
    """Do once, for all workers, what takes long the first time."""
    _import(_LIBRARIES)
    import pyarrow as pa
    from pyarrow import parquet

    with limit_threads(1):
        table = pa.table({"user": np.array(["a"], dtype=object)})
    parquet.write_table(table, pa.BufferOutputStream(), compression="zstd")
    environment()


def _run(job: Job, jobs: int, ends: int, workspace: Workspace | None) -> End:
    """Run a cell in a worker and return how it ended.

    workspace: for a forked worker; None starts a fresh interpreter.
    """
    output, written = os.pipe()
    kills = _oom_kills()
    if workspace is None:
        command = [sys.executable, "-m", "bakeoff.run.isolated", "worker"]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=written, stderr=written, start_new_session=True
        )
        worker = process.pid
        assert process.stdin is not None
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(msgspec.json.encode(job))
        process.returncode = 0  # `_watch` waits for it
    elif not (worker := _fork()):
        with _ending():
            _work(job, workspace, written, close=(jobs, ends, output))
    os.close(written)
    text = _Text()
    try:
        code, exceeded = _watch(worker, output, jobs, job, text)
    finally:
        left = _end_descendants(worker)
        os.close(output)
    if left and not exceeded:
        text.add(f"\n[{left} processes that the cell left behind were ended]\n".encode())
    reason = exceeded or ("" if code == _STORED else _ended(code, text, oom=_oom_kills() > kills))
    return End(reason, str(text))


def _watch(worker: int, output: int, jobs: int, job: Job, text: _Text) -> tuple[int, str]:
    """Wait for a worker; return its exit code and "", or 0 and which limit the cell exceeded."""
    start, pause = time.monotonic(), _POLL_SECONDS
    poll = select.poll()
    poll.register(output, select.POLLIN)
    poll.register(jobs, 0)  # reports that it was closed, nothing else
    while True:
        for fd, _ in poll.poll(1000 * pause):
            if fd == jobs:
                sys.exit()  # the command has ended
            if content := os.read(output, 2**16):
                text.add(content)
            else:
                poll.unregister(output)
                pause = 0.0005  # as a rule the worker ends at once
        done, status = os.waitpid(worker, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), ""
        pause = min(2 * pause, _POLL_SECONDS)
        if job.time_limit is not None and time.monotonic() - start > job.time_limit:
            return 0, f"time limit: not done after {job.time_limit:g} s"
        if job.memory_limit is not None and (used := _memory_mb(job.memory_limit)) > job.memory_limit:
            return 0, f"memory limit: {used:.0f} MB used, {job.memory_limit:g} MB allowed"


def _memory_mb(limit: float) -> float:
    """Return the memory of this process's descendants in 10^6 bytes: pages that several share count once.

    That takes long, so it is measured only where the sum of their resident memory exceeds the limit.
    """
    import psutil

    def total(measure: Callable[[psutil.Process], int]) -> float:
        used = 0
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                used += measure(process)
        return used / 1e6

    resident = total(lambda p: int(p.memory_info().rss))
    if resident <= limit or sys.platform != "linux":
        return resident
    return total(lambda p: int(p.memory_full_info().pss))


def _end_descendants(worker: int) -> int:
    """Kill the worker and all that descends from it; return how many others there were."""
    import psutil

    others: set[int] = set()
    deadline = time.monotonic() + _KILL_SECONDS
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(worker, signal.SIGKILL)
    with suppress(ChildProcessError):
        while time.monotonic() < deadline:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
                    others.add(process.pid)
            time.sleep(0.001)
    return len(others - {worker})


def _ended(code: int, text: _Text, *, oom: bool) -> str:
    """Return the reason of a worker that ended without a record."""
    if code >= 0:
        last = text.last_line
        return f"the process ended with exit code {code} and without a result{f': {last}' if last else ''}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    cause = ""
    if -code == signal.SIGKILL:
        cause = (
            ": the kernel ran out of memory"
            if oom
            else ", which neither a limit nor the kernel's memory asked for"
        )
    return f"the process was killed by {name}{cause}"


def _oom_kills() -> int:
    """Return how many processes the kernel has killed for want of memory; 0 where it does not tell."""
    with suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


class _Text:
    """The head and the tail of an output."""

    def __init__(self) -> None:
        self._head, self._tail, self._size = b"", b"", 0

    def add(self, content: bytes) -> None:
        self._size += len(content)
        room = _OUTPUT_BYTES - len(self._head)
        self._head += content[:room]
        self._tail = (self._tail + content[room:])[-_OUTPUT_BYTES:]

    @property
    def last_line(self) -> str:
        lines = [line.strip() for line in str(self).splitlines() if line.strip()]
        return lines[-1][:200] if lines else ""

    def __str__(self) -> str:
        omitted = self._size - len(self._head) - len(self._tail)
        cut = f"\n[... {omitted} bytes ...]\n" if omitted else ""
        return self._head.decode(errors="replace") + cut + self._tail.decode(errors="replace")


# -- in the worker -----------------------------------------------------------------------------------


def _work(job: Job, workspace: Workspace, output: int, close: Sequence[int]) -> NoReturn:
    """Run a cell in a forked worker and end the process."""
    os.setsid()
    _set_process_option(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_DFL)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    for fd, standard in ((nowhere, 0), (output, 1), (output, 2)):
        os.dup2(fd, standard)
    for fd in (nowhere, output, *close):
        os.close(fd)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    _run_cell(job, workspace)


def _run_cell(job: Job, workspace: Workspace) -> NoReturn:
    """Run a cell, store its record and end the process, whatever threads and exit handlers the model has."""
    faulthandler.enable(file=2)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # the kernel kills a cell before the command
    workspace.store = Store(job.store)  # absolute: a model may change the working directory
    run_cell(job.cell, workspace, job.spec)
    sys.stdout.flush(), sys.stderr.flush()
    os._exit(_STORED)


# -- processes ---------------------------------------------------------------------------------------


_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
"""Options of Linux: signal a process when its parent dies; orphaned descendants become one's own children."""


def _set_process_option(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _fork() -> int:
    """Fork. Threads of libraries end before (OpenBLAS) or wait idly for work (Arrow), so no lock is held."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _ending() -> ExitStack:
    """Return a block at whose end a forked process ends, with its traceback if something was raised."""

    def end(kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        if error is not None and kind is not SystemExit:
            traceback.print_exception(error)
        with suppress(Exception):
            sys.stderr.flush()
        os._exit(1)

    stack = ExitStack()
    stack.push(end)
    return stack


def main() -> None:
    """Serve jobs from standard input, or run the one that it describes (`worker`)."""
    sys.path.insert(0, "")  # as in the parent, the working directory is importable
    if sys.argv[1] == "worker":
        job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
        _run_cell(job, Workspace(Store(job.store)))
    jobs, ends = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0), os.dup2(2, 1)
    _warm_up()
    _serve(jobs, ends, None, fork=sys.argv[1] == "fork")


if __name__ == "__main__":
    main()
