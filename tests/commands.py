"""Commands without the seconds of their start-up: in this process, or in children of a warm one."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

HERE = Path(__file__).parent
PATH = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
"""PYTHONPATH of a child: the toys, and the folders that this process imports from."""

MODULES = (
    *("bakeoff.config.compose", "bakeoff.commands", "bakeoff.report.files", "hydra.main", "rich.live"),
    *("bakeoff.tuning", "bakeoff.tuning.importance", "bakeoff.report.charts", "sqlalchemy"),
    *("pandas", "pyarrow.parquet", "altair", "jinja2", "scipy.stats", "psutil", "toys", "tuning_toys"),
)


class Answer(subprocess.CompletedProcess[str]):
    """What a command has printed, and its exit code."""


def run(words: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Answer:
    """Run a command of bakeoff in this process, in a folder, and return its answer.

    Nothing of it remains: neither the working directory, nor the environment, nor the modules that it has
    imported from the folder. An error that would be a traceback is raised.
    """
    from bakeoff import cli

    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    changed = {"PYTHONPATH": PATH, "COLUMNS": "200", "TERM": "dumb", **(environment or {})}
    place = (chdir(folder), patch.dict(os.environ, changed), _own_modules(folder))
    with ExitStack() as stack:
        for context in (*place, redirect_stdout(out), redirect_stderr(err)):
            stack.enter_context(context)
        code = cli.main(words)
    texts = []
    for stream in (out, err):
        stream.seek(0)
        texts.append(stream.read())
    return Answer(["bakeoff", *words], code, *texts)


@contextmanager
def _own_modules(folder: Path) -> Iterator[None]:
    """Forget at the end what was imported from a folder."""
    before, path = set(sys.modules), list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and folder.resolve() in Path(file).resolve().parents:
                del sys.modules[name]


def run_line(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line that a page tells the reader to type: bakeoff in this process, other programs in a shell."""
    words = shlex.split(line)
    if words[0] == "bakeoff" and not set(shlex.shlex(line, posix=False, punctuation_chars=True)) & _SHELL:
        return run(words[1:], folder)
    shell = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(["sh", "-c", line], cwd=folder, env=shell, capture_output=True, text=True)


_SHELL = {"|", "||", "&", "&&", ";", "<", ">", ">>"}


class Warm:
    """A process that has imported what a command needs, and forks a child for each command.

    Nothing but modules is shared: a child is killed like any other command. Several run at once.
    """

    def __init__(self, folder: Path) -> None:
        one = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # a process with threads must not fork
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())],
            cwd=folder,  # what a process knows of where it is, the commit for one, is known for all
            env={**os.environ, **one, "PYTHONPATH": PATH},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def start(self, folder: Path, words: Sequence[str]) -> int:
        """Begin a command in a folder and return its process id."""
        return self._ask("start", str(folder), *words)

    def wait(self, child: int) -> int:
        """Return the exit code of a command when it has ended, negative for a signal."""
        return self._ask("wait", child)

    def poll(self, child: int) -> int | None:
        """Return the exit code of a command, None while it runs."""
        return None if (code := self._ask("poll", child)) == _RUNNING else code

    def kill(self, child: int) -> bool:
        """Send SIGKILL to a command and return whether it was still running."""
        return self._ask("kill", child) == -9

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _ask(self, *words: object) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


_RUNNING = 999


def _serve() -> None:
    import importlib
    import threading

    for name in MODULES:
        importlib.import_module(name)
    from bakeoff.run.resources import environment

    environment()
    assert threading.active_count() == 1
    codes: dict[int, int] = {}
    _say(0)
    for line in sys.stdin:
        verb, *words = json.loads(line)
        _say(_begin(*words) if verb == "start" else _end(verb, words[0], codes))


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _begin(folder: str, *words: str) -> int:
    """Fork a command and return its process id."""
    from bakeoff import cli

    child = os.fork()
    if not child:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        os.chdir(folder)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
        os._exit(cli.main(words))
    return child


def _end(verb: str, child: int, codes: dict[int, int]) -> int:
    """Return the exit code of a command; kill it before if told to."""
    if child not in codes:
        if verb == "kill":
            os.kill(child, 9)
        done, status = os.waitpid(child, os.WNOHANG if verb == "poll" else 0)
        if not done:
            return _RUNNING
        codes[child] = os.waitstatus_to_exitcode(status)
    return codes[child]


if __name__ == "__main__":
    _serve()
