"""One cell: what its record holds when a phase breaks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakeoff.run.cell import Cell
from bakeoff.run.runner import EvaluationSpec, Workspace, run_cell
from bakeoff.storage.store import Store
from toys import ByItem

SPEC = EvaluationSpec((3,), {"ndcg": "bakeoff.evaluation.ranking.ndcg"})


@dataclass
class Diverges(ByItem):
    """Reports a training loss that is not a number from its second epoch on."""

    def fit(self, train: Any, *, seed: int, on_epoch: Any = None) -> None:
        super().fit(train, seed=seed)
        for epoch, loss in enumerate((0.5, math.nan, math.inf), 1):
            on_epoch(epoch, loss)


def a_cell(target: str) -> Cell:
    return Cell(
        dataset={"_target_": "toys.Blocks", "name": "blocks"},
        split={"_target_": "bakeoff.splits.per_user.Random", "name": "random"},
        model={"name": "toy", "build": {"_target_": target}},
        depth=5,
    )


def test_a_training_loss_that_is_not_finite_is_a_note_and_ends_nothing(tmp_path: Path) -> None:
    cell = a_cell(f"{__name__}.Diverges")
    record = run_cell(cell, Workspace(Store(tmp_path)), SPEC)
    assert record.done and record.training_loss == (0.5,)
    assert any("not finite from epoch 2" in note for note in record.notes)
    assert Store(tmp_path).record(cell.key) == record


def test_a_cell_that_breaks_keeps_what_was_known_before(tmp_path: Path) -> None:
    record = run_cell(a_cell("toys.Breaks"), Workspace(Store(tmp_path)), SPEC)
    assert (record.status, record.reason) == ("failed", "ValueError: the matrix is singular")
    assert record.parameters == {"offset": 0} and record.n_users == 24 and record.split_fingerprint
    assert "toys.py" in record.traceback and record.metrics == {} and record.seconds["fit"] > 0
