"""What holds the house together: imports go one way, and nobody takes a short cut."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src"
FILES = sorted(SRC.rglob("*.py"))

LAYERS = (
    ("errors", "log", "parameters", "arrays", "hashing", "importing", "config_files"),
    ("data",),
    ("splits", "models", "evaluation"),
    ("run", "storage", "tuning", "queries", "verify"),
    ("report", "tracking"),
    ("commands", "config", "cli", "completion", "__main__"),
    ("notebook",),
)
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
SIBLINGS = ("splits", "models", "evaluation")
HYDRA = ("hydra", "omegaconf")
HEAVY = (
    "pandas", "pyarrow", "implicit", "lightfm", "optuna", "rich", "altair", "jinja2", "recommenders",
    "mlflow", "vl_convert",
)  # fmt: skip
DERIVED = {"sampling.py", "pruning.py"}  # derive from classes of Optuna's, and are imported only to tune


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(body: ast.AST | list[ast.stmt]) -> Iterator[str]:
    """Dotted names that a tree, or its top level alone, imports."""
    for node in body if isinstance(body, list) else ast.walk(body):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part(name: str) -> str:
    """The part of the house that a dotted name lies in; empty outside of it."""
    words = name.split(".")
    return words[1] if len(words) > 1 and words[0] == "bakeoff" and words[1] in LEVEL else ""


def owner(path: Path) -> str:
    return path.relative_to(SRC / "bakeoff").parts[0].removesuffix(".py")


HOUSE = [p for p in FILES if p.is_relative_to(SRC / "bakeoff") and p != SRC / "bakeoff" / "__init__.py"]


@pytest.mark.parametrize("path", HOUSE, ids=lambda p: str(p.relative_to(SRC)))
def test_imports_go_one_way(path: Path) -> None:
    mine = owner(path)
    assert mine in LEVEL, f"{mine}: give the new part a place in LAYERS"
    for name in imported(tree(path)):
        other = part(name)
        if not other or other == mine:
            continue
        assert LEVEL[other] <= LEVEL[mine], f"{mine} imports {name}, which lies above it"
        assert not (mine in SIBLINGS and other in SIBLINGS), f"{mine} imports its sibling {other}"


def test_hydra_is_known_to_the_edge_alone() -> None:
    for path in FILES:
        if {"config", "hydra_plugins"} & set(path.parts):
            continue
        assert not [n for n in imported(tree(path)) if n.split(".")[0] in HYDRA], path


def test_heavy_libraries_are_imported_where_they_are_used() -> None:
    for path in FILES:
        if path.name in DERIVED:
            continue
        assert not [n for n in imported(tree(path).body) if n.split(".")[0] in HEAVY], path


def test_nothing_is_pickled_evaluated_or_printed() -> None:
    for path in FILES:
        assert not [n for n in imported(tree(path)) if n.split(".")[0] in ("pickle", "marshal")], path
        calls = [
            n.func.id
            for n in ast.walk(tree(path))
            if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
        ]
        assert not {"print", "eval", "exec"} & set(calls), path


def test_the_plug_in_namespace_is_shared() -> None:
    assert not (SRC / "hydra_plugins" / "__init__.py").exists()
