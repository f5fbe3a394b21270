"""The names that a notebook imports from bakeoff."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bakeoff
from bakeoff.splits.per_user import Random


def test_every_public_name_is_there_and_they_are_sorted() -> None:
    assert bakeoff.__all__ == sorted(bakeoff.__all__)
    for name in bakeoff.__all__:
        assert getattr(bakeoff, name).__doc__, name
    assert set(bakeoff.__all__) <= set(dir(bakeoff))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = bakeoff.nothing


def test_run_is_the_function_whatever_was_imported_before() -> None:
    code = "import bakeoff.run.cell, bakeoff, bakeoff.run.runner; print(bakeoff.run.__module__)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "bakeoff.notebook.loaded"


def test_what_a_type_checker_sees_is_what_is_imported() -> None:
    tree = ast.parse(Path(bakeoff.__file__).read_text(encoding="utf-8"))
    (seen,) = [n for n in tree.body if isinstance(n, ast.If)]
    homes = {a.name: n.module for n in seen.body if isinstance(n, ast.ImportFrom) for a in n.names}
    assert homes == bakeoff._HOMES
    assert sorted(homes) == bakeoff.__all__


def test_importing_bakeoff_imports_nothing_heavy() -> None:
    code = "import sys, bakeoff; bakeoff.__version__; print(*{n.split('.')[0] for n in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "scipy", "pandas", "pyarrow", "hydra"} & set(loaded.stdout.split())


@dataclass(frozen=True)
class Listening:
    """A data set as a notebook would define one: 8 people, each with the 4 songs that follow their number."""

    name: str = "listening"

    def files(self) -> dict[str, Path]:
        return {}

    def identity(self) -> dict[str, Any]:
        return {}

    def load(self) -> bakeoff.Dataset:
        people = bakeoff.Ids.of([f"person {u}" for u in range(8)])
        songs = bakeoff.Ids.of([f"song {i}" for i in range(6)])
        users, steps = np.divmod(np.arange(32, dtype=np.int32), np.int32(4))
        rows = bakeoff.Interactions.of(users, (users + steps) % np.int32(6), None, None, people, songs)
        return bakeoff.Dataset(self.name, rows)


def test_a_notebook_runs_a_cell_and_reads_its_metric(tmp_path: Path) -> None:
    cell = bakeoff.Cell(
        dataset={"_target_": f"{__name__}.Listening", "name": "listening"},
        split={"_target_": "bakeoff.splits.per_user.Random", "name": "random", "ratio": 0.75},
        model={"name": "popularity", "build": {"_target_": "bakeoff.models.baselines.Popularity"}},
        depth=6,
    )
    workspace = bakeoff.Workspace(bakeoff.Store(tmp_path))
    evaluation = bakeoff.EvaluationSpec((1, 2), {"precision": "bakeoff.evaluation.ranking.precision"})
    record = bakeoff.run_cell(cell, workspace, evaluation)
    assert (record.status, record.reason) == ("done", "")
    assert workspace.store.record(cell.key) == bakeoff.Record.from_json(
        json.loads(json.dumps(record.as_json()))
    )

    split = workspace.split(cell)
    assert split.fingerprint == Random(ratio=0.75).split(Listening().load().interactions, 42).fingerprint
    # By hand: the most liked songs first, less what the person had in train
    train, test = split.train.matrix().toarray() > 0, split.test.toarray() > 0
    assert train.sum(axis=1).tolist() == [3] * 8 and test.sum(axis=1).tolist() == [1] * 8
    lists = workspace.store.lists(cell.key).items
    counts = train.sum(axis=0)
    for user, (first, second) in enumerate(lists[:, :2]):
        unseen = np.flatnonzero(~train[user])
        assert {first, second} <= set(unseen)
        assert sorted(counts[unseen])[-2:] == [counts[second], counts[first]]
    hits = [test[user, lists[user, :2]].sum() for user in range(8)]
    assert record.metrics["precision"]["2"][0] == pytest.approx(sum(hits) / 16, abs=1e-12)
