"""The wheel: what is in it, and that it runs away from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import bakeoff

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


def pip(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="hatchling builds the wheel; constraints/test.txt pins it")
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", str(ROOT), "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder))
    (built,) = folder.glob("bakeoff-*.whl")
    return built


def test_the_wheel_has_the_version_that_the_package_says(wheel: Path) -> None:
    assert wheel.name == f"bakeoff-{bakeoff.__version__}-py3-none-any.whl"


def test_the_wheel_holds_the_whole_configuration_and_the_plug_in(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    shipped = {f"bakeoff/{p.relative_to(ROOT)}" for p in (ROOT / "conf").rglob("*.yaml")}
    assert shipped and shipped <= names
    assert "hydra_plugins/bakeoff_grid/sweeper.py" in names
    assert "hydra_plugins/__init__.py" not in names  # the namespace is shared with other plug-ins
    assert {"bakeoff/py.typed", "bakeoff/report/templates/report.html.j2"} <= names
    assert not [n for n in names if n.startswith(("tests/", "src/", "results/"))]


def test_an_installed_wheel_runs_in_another_folder(wheel: Path, tmp_path: Path) -> None:
    installed, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    elsewhere.mkdir()
    pip("install", "--no-deps", "--no-index", "--target", str(installed), str(wheel))
    # In front of the editable install, which would stand in for the wheel.
    environment = {**os.environ, "PYTHONPATH": str(installed), "COLUMNS": "200", "TERM": "dumb"}

    def python(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=elsewhere,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = "import bakeoff.config_files as c, hydra_plugins.bakeoff_grid as g; print(c.folder(), g.__file__)"
    for path in python("-c", where).split():
        assert Path(path).is_relative_to(installed)
    parameters = ("dataset.n_users=120", "dataset.n_items=300", "dataset.n_rows=3000", "model=als", "k=[5]")
    assert "als" in python("-m", "bakeoff", "run", *parameters)
    assert (elsewhere / "results/simulated/metrics.csv").stat().st_size > 0
