from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import commands

os.environ.setdefault("NUMBA_DISABLE_JIT", "1")  # compiling ranx takes longer than running it on small data

HERE = Path(__file__).parent

Bakeoff = Callable[..., commands.Answer]


@pytest.fixture
def bakeoff(tmp_path: Path) -> Bakeoff:
    """The command line in a folder of its own, with the toys beside the shipped names."""

    def run(verb: str, *words: str) -> commands.Answer:
        toys = [f"--config-dir={HERE / 'conf'}"] if verb in ("run", "plan", "describe") else []
        return commands.run([verb, *toys, *words], tmp_path)

    return run


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[commands.Warm]:
    """A process that has imported what a command needs, and forks one for each command."""
    process = commands.Warm(tmp_path_factory.mktemp("warm"))
    yield process
    process.close()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of public data sets; tests that need it are skipped without."""
    folder = os.environ.get("BAKEOFF_DATA")
    if not folder:
        pytest.skip("BAKEOFF_DATA names no folder of public data sets")
    return Path(folder)
