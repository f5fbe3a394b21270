from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

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


@pytest.fixture(scope="session", autouse=True)
def _each_chart_drawn_once() -> Iterator[None]:
    """Draw a specification once in a process: tests make the same reports again and again."""
    import vl_convert

    with patch.object(vl_convert, "vegalite_to_svg", _drawn_once(vl_convert.vegalite_to_svg)):
        yield


def _drawn_once(draw: Callable[..., str]) -> Callable[..., str]:
    drawn: dict[str, str] = {}

    def drawing(spec: str, **options: object) -> str:
        key = f"{spec} {options}"
        if key not in drawn:
            drawn[key] = draw(spec, **options)
        return drawn[key]

    return drawing


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
