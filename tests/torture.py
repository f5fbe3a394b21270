"""Faults at random moments: `make torture MINUTES=5`, or `python tests/torture.py MINUTES [SEED]`.

Each round starts 1, 2, 4 or 8 commands on one store, of a grid or of a tuned cell, sends SIGKILL, SIGTERM or
SIGINT to each at a random moment, or lets a write of one fail, and runs the command once more: the files must
be those of an undisturbed run, no finished cell runs again, and no process of a command outlives it.
A round may meet locks of dead processes, and times that lie in the future or the past: of files, and of the
heartbeat of a dead worker on another host.
"""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bakeoff.tuning.storage import OWNER, open_study
from commands import HERE, Answer, Warm, run
from test_end_to_end import rows, timeless
from tuning_studies import timeless as without_times

_COMMON = ("run", f"--config-dir={HERE / 'conf'}", "dataset=blocks", "depth=10", "baselines=[]", "name=toy")
COMMANDS = {
    "grid": (
        *(*_COMMON, "k=[3]", "metrics=accuracy", "model=by_item,shuffled"),
        *("split=random,random_rows", "split_seed=1,2"),
    ),
    "tuned": (*_COMMON, "k=[3,5]", "model=starts_at", "tune=optuna", "tune.trials=8", "tune.metric=ndcg@5"),
}
_VOLATILE = ("seconds", "peak_mb", "started", "blake2b")
_JUMP_SECONDS = 10 * 86400
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


@dataclass
class Tally:
    """Faults by kind, and what is wrong with the results of rounds ("lost")."""

    injected: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)


def contents(folder: Path) -> dict[str, object]:
    """Return the files of a run without times (and the hash over them), studies and hidden files."""
    files = {
        n: f for n, f in timeless(folder / "results").items() if "studies" not in n and "/." not in f"/{n}"
    }
    for name in files:
        if name.endswith("tuning.csv"):
            files[name] = rows(folder / "results" / name)
        if name.endswith(("tuning.csv", "record.json")):
            files[name] = without_times(files[name], _VOLATILE)
    return files


def finished(folder: Path) -> dict[Path, bytes]:
    """Return the records of cells that are done, seconds and all."""
    texts = {path: path.read_bytes() for path in folder.glob("results/store/cells/*/record.json")}
    return {path: text for path, text in texts.items() if json.loads(text)["status"] == "done"}


def remaining(folder: Path, seconds: float = 10) -> list[int]:
    """Return the processes that still work in a folder after some seconds."""
    deadline = time.monotonic() + seconds
    while True:
        pids = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if Path(process.cwd()) == folder.resolve():
                    pids.append(process.pid)
        if not pids or time.monotonic() > deadline:
            return pids
        time.sleep(0.01)


def add_dead_worker(log: Path, heartbeat: float) -> None:
    """Enter a worker of another host, and a trial of its, in a study."""
    from optuna.trial import TrialState, create_trial

    name = f"elsewhere 1 0.0 {heartbeat}"
    with open_study(log.stem, log.parent, None, ["maximize"]) as study:
        study.set_user_attr(f"worker {name}", heartbeat)
        study.add_trial(create_trial(state=TrialState.RUNNING, user_attrs={OWNER: name}))


def torture(
    warm: Warm, folder: Path, chance: random.Random, deadline: float, rounds: int = 10**6, most: int = 8
) -> Tally:
    """Run rounds, of the grid and of the tuned cell in turns, until the deadline (of `time.monotonic`).

    Args:
        most: number of commands at once.
    """
    expected, seconds, tally = {}, {}, Tally()
    for name, words in COMMANDS.items():
        (folder / name).mkdir()
        start = time.monotonic()
        assert warm.wait(warm.start(folder / name, words)) == 0
        seconds[name] = time.monotonic() - start
        expected[name] = contents(folder / name)
    for number in range(rounds):
        if time.monotonic() > deadline:
            break
        name, n = sorted(COMMANDS)[number % 2], min(most, chance.choice((1, 1, 2, 4, 8)))
        words, own = COMMANDS[name], folder / f"round{number}"
        own.mkdir()
        children = [warm.start(own, words) for _ in range(n)]
        moments = sorted((chance.uniform(0, 1.2 * seconds[name]), child) for child in children)
        start = time.monotonic()
        for moment, child in moments:
            time.sleep(max(0.0, start + moment - time.monotonic()))
            if warm.poll(child) is None:
                kind = chance.choice(SIGNALS)
                os.kill(child, kind)
                tally.injected[kind.name] += 1
        for child in children:
            code = warm.wait(child)
            if code not in (0, 1, 130, 143, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT):
                tally.lost.append(f"round {number}, {name}: {n} commands, exit code {code}")
        if left := remaining(own):
            tally.lost.append(f"round {number}, {name}: {n} commands, processes {left} remain")
        done = finished(own)
        for path in own.rglob("*"):  # a clock that jumps
            if path.is_file() and chance.random() < 0.1:
                at = time.time() + chance.choice((-1, 1)) * _JUMP_SECONDS
                os.utime(path, (at, at))
                tally.injected["clock"] += 1
        for path in own.glob("results/store/studies/*.log"):
            if not done:
                add_dead_worker(path, time.time() + chance.choice((-1, 1)) * _JUMP_SECONDS)
                tally.injected["heartbeat"] += 1
        for path in own.glob("results/store/studies/*.log"):  # a lock of a dead process
            lock = Path(f"{path}.lock")
            if not lock.is_symlink():
                lock.symlink_to(path)
                tally.injected["lock"] += 1
        code = warm.wait(warm.start(own, words))
        after = contents(own)
        differing = sorted(k for k in {*after, *expected[name]} if after.get(k) != expected[name].get(k))
        if name == "tuned" and n > 1:  # which trial comes next depends on which process ends first: no bytes
            (record,) = (json.loads(p.read_text()) for p in own.glob("results/store/cells/*/record.json"))
            differing = [] if len(record["tuning"]["trials"]) == 8 else ["trials"]
        again = [path for path, text in done.items() if path.read_bytes() != text]
        if code or differing or again:
            tally.lost.append(
                f"round {number}, {name}: {n} commands, then exit code {code}, {differing[:4]}, {again}"
            )
        else:
            shutil.rmtree(own)
    return tally


class Disk:
    """A disk that fails on what Python does to files of a folder: an audit hook of this process raises.

    Libraries in C open their files without Python; `files_of_at_most` holds for them too.
    """

    def __init__(self) -> None:
        self.first, self.error, self.count = 0, 0, 0
        self._folder = ""
        sys.addaudithook(self._hook)

    def run(self, folder: Path, words: Sequence[str], first: int = 0, error: int = 0) -> Answer:
        """Run a command and return its answer; `count` is the number of its operations that write.

        Args:
            first: the operation that fails, counted from 1: with EIO alone, else with all that follow.
        """
        self.first, self.error, self.count, self._folder = first, error, 0, f"{folder.resolve()}{os.sep}"
        try:
            return run(words, folder)
        finally:
            self._folder = ""

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._folder or event not in _WRITES or not isinstance(arguments[0], (str, os.PathLike)):
            return
        if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        path = os.fspath(arguments[0])
        if not str(Path(path).absolute()).startswith(self._folder):
            return
        self.count += 1
        removes = event in ("os.remove", "os.rmdir") and self.error == errno.ENOSPC
        fails = self.count == self.first if self.error == errno.EIO else self.count >= self.first
        if self.first and fails and not removes:
            raise OSError(self.error, os.strerror(self.error), path)


_WRITES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate"}


@contextmanager
def files_of_at_most(n_bytes: int) -> Iterator[None]:
    """Let each file have so many bytes only: a write that comes to them is short, the next one fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def disk_faults(
    disk: Disk, folder: Path, chance: random.Random, deadline: float, rounds: int = 10**6
) -> Tally:
    """Let the n-th write of a run fail, then run it once more: the files are those of an undisturbed run.

    Half of the runs add a model to a finished one: its cells stay as they are.
    """
    tally, expected, counts, base = Tally(), {}, {}, {}
    for name, words in COMMANDS.items():
        own = base[name] = folder / f"{name}-disk"
        own.mkdir()
        assert disk.run(own, [*words, "isolate=false"]).returncode == 0
        expected[name], counts[name] = contents(own), disk.count
    for number in range(rounds):
        if time.monotonic() > deadline:
            break
        name, own = chance.choice(sorted(COMMANDS)), folder / f"disk{number}"
        words = [*COMMANDS[name], "isolate=false"]
        own.mkdir()
        if chance.random() < 0.5:  # one cell is there already
            shutil.copytree(base[name] / "results", own / "results")
            for path in sorted(own.glob("results/store/cells/*"))[1:]:
                shutil.rmtree(path)
        before = finished(own)
        kind = chance.choice(("ENOSPC", "EROFS", "EIO", "short write"))
        moment = chance.randint(1, counts[name])
        if kind == "short write":
            moment = chance.choice((0, 1, 100, 500, 1000, 2000, 5000, 20000, 100000))
            with files_of_at_most(moment):
                answer = disk.run(own, words)
        else:
            answer = disk.run(own, words, moment, getattr(errno, kind))
        tally.injected[kind] += 1
        lines = answer.stderr.splitlines()
        plain = answer.returncode in (0, 1) or "".join(lines[-1:]).startswith("bakeoff: ")
        lost = [str(path) for path, text in before.items() if path.read_bytes() != text]
        again = disk.run(own, words)
        after = contents(own)
        differing = sorted(k for k in {*after, *expected[name]} if after.get(k) != expected[name].get(k))
        if answer.returncode not in (0, 1, 2) or not plain or lost or again.returncode or differing:
            tally.lost.append(
                f"disk {number}, {name}, {kind} at {moment}: exit code {answer.returncode}, {lines[-1:]}, "
                f"then {again.returncode}, {lost}, {differing[:4]}"
            )
        shutil.rmtree(own)
    return tally


def main(minutes: str = "5", seed: str = "") -> int:
    """Print the seed, and the faults injected, survived and lost; return 1 if any was lost."""
    start = int(seed or random.SystemRandom().randrange(10**6))
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    sys.stdout.write(f"seed {start}, {folder}\n")
    warm = Warm(folder)
    chance, end = random.Random(start), time.monotonic() + 60 * float(minutes)
    tally = torture(warm, folder, chance, end - 20 * float(minutes))
    warm.close()
    disk = disk_faults(Disk(), folder, chance, end)
    tally = Tally(tally.injected + disk.injected, tally.lost + disk.lost)
    injected, lost = tally.injected.total(), len(tally.lost)
    sys.stdout.write("\n".join([*tally.lost, str(dict(tally.injected)), ""]))
    sys.stdout.write(f"faults injected {injected}, rounds lost {lost}\n")
    return int(bool(lost))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
