from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ.setdefault("NUMBA_DISABLE_JIT", "1")  # compiling ranx takes longer than running it on small data

HERE = Path(__file__).parent
PATH = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
"""PYTHONPATH of a child: the toys, and whatever this process was told to take modules from."""

Bakeoff = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def bakeoff(tmp_path: Path) -> Bakeoff:
    """The real command line in a folder of its own, with the toys beside the shipped names."""

    def run(verb: str, *words: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        toys = [f"--config-dir={HERE / 'conf'}"] if verb in ("run", "plan", "describe") else []
        environment = {**os.environ, "PYTHONPATH": PATH, "COLUMNS": "200", "TERM": "dumb"}
        return subprocess.run(
            [sys.executable, "-m", "bakeoff", verb, *toys, *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of public data sets; tests that need it are skipped without."""
    folder = os.environ.get("BAKEOFF_DATA")
    if not folder:
        pytest.skip("BAKEOFF_DATA names no folder of public data sets")
    return Path(folder)
