"""A process that has imported what a command needs, and forks a child for each: commands without start-up.

It reads one JSON object a line (folder, words), and answers with the child's id and, when that has ended, its
exit code, negative for a signal. Nothing but modules is shared: a child is killed like any other command.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from conftest import PATH

MODULES = (
    *(
        "bakeoff.config.compose",
        "bakeoff.commands",
        "bakeoff.report.files",
        "bakeoff.queries.uncertainty",
        "hydra.main",
        "rich.live",
    ),
    *("pandas", "pyarrow.parquet", "altair", "jinja2", "scipy.stats", "psutil", "toys"),
)


class Nursery:
    """The process, from outside."""

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

    def start(self, folder: Path, words: tuple[str, ...]) -> int:
        """Begin a command in a folder and return its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([str(folder), words]) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def wait(self) -> int:
        """The exit code of the command that was started last."""
        return self._answer()

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _answer(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _serve() -> None:
    import importlib
    import threading

    for name in MODULES:
        importlib.import_module(name)
    from bakeoff import cli
    from bakeoff.run.resources import environment

    environment()
    assert threading.active_count() == 1
    _say(0)
    for line in sys.stdin:
        folder, words = json.loads(line)
        child = os.fork()
        if not child:
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nowhere, stream)
            os.chdir(folder)
            os._exit(cli.main(words))
        _say(child)
        _say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    _serve()
