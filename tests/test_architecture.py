"""The architecture: contracts of import-linter and bans of ruff in pyproject.toml, and no import cycle."""

from __future__ import annotations

import os
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]


def test_imports_go_one_way() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_no_modules_import_each_other_in_a_cycle() -> None:
    """Imports inside functions and for type checks count."""
    graph = grimp.build_graph("bakeoff", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(imports).prepare()


def test_the_namespace_of_plug_ins_is_shared() -> None:
    assert not (ROOT / "src" / "hydra_plugins" / "__init__.py").exists()
