"""What becomes of the cells of a grid that cannot run: failures are the user's errors, skips are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bakeoff.errors import UsageError
from bakeoff.report.render.run import progress
from bakeoff.run import grid
from bakeoff.run.cell import Cell, with_content_hashes
from bakeoff.run.runner import EvaluationSpec, Workspace
from bakeoff.storage.record import CellRequest, Record
from bakeoff.storage.store import Store
from toys import blocks

SPEC = EvaluationSpec((3,), {"ndcg": "bakeoff.evaluation.ranking.ndcg"})
SPLITS = {"random": "bakeoff.splits.per_user.Random", "temporal": "bakeoff.splits.temporal.Temporal"}


@pytest.fixture
def dataset(tmp_path: Path) -> Any:
    """Return the configuration of a file without times, whose users stand in a column of the given name."""
    data = blocks()
    rows = list(zip(data.user_ids.values[data.users], data.item_ids.values[data.items], strict=True))

    def make(column: str) -> dict[str, Any]:
        path = tmp_path / f"{column}.csv"
        path.write_text(f"{column},item\n" + "".join(f"{u},{i}\n" for u, i in rows))
        return {"_target_": "bakeoff.data.readers.Table", "name": column, "path": str(path)}

    return make


def cell(dataset: dict[str, Any], split: str = "random") -> CellRequest:
    config = {"name": split, "_target_": SPLITS[split]}
    model = {"name": "popularity", "build": {"_target_": "bakeoff.models.baselines.Popularity"}}
    result = with_content_hashes(Cell(dataset, config, model, depth=5))
    return CellRequest(result.key, result)


def run(store: Path, *cells: CellRequest) -> list[Record]:
    workspace = Workspace(Store(store))
    planned = grid.prepare(grid.plan(cells, workspace.store), workspace, SPEC)
    return grid.run(planned, workspace, SPEC, grid.Options(), progress())


def test_a_data_set_without_a_column_that_is_named_fails_and_the_others_run(
    dataset: Any, tmp_path: Path
) -> None:
    cells = (cell(dataset("user")), cell(dataset("usr")))
    records = {r.key: r for r in run(tmp_path / "store", *cells)}
    good, bad = (records[c.key] for c in cells)
    assert (good.status, bad.status) == ("done", "failed")
    assert "'user'" in bad.reason and "usr.csv" in bad.reason
    stored = Store(tmp_path / "store").record(bad.key)
    assert stored is not None and stored.status == "failed"


def test_a_split_by_time_of_data_without_times_is_a_skip_beside_cells_that_run(
    dataset: Any, tmp_path: Path
) -> None:
    cells = (cell(dataset("user")), cell(dataset("user"), "temporal"))
    records = {r.key: r for r in run(tmp_path / "store", *cells)}
    assert [records[c.key].status for c in cells] == ["done", "skipped"]
    assert "needs timestamps" in records[cells[1].key].reason


@pytest.mark.parametrize(("column", "split"), [("usr", "random"), ("user", "temporal")])
def test_a_grid_without_a_cell_that_can_run_is_an_error_and_nothing_is_written(
    dataset: Any, tmp_path: Path, column: str, split: str
) -> None:
    with pytest.raises(UsageError):
        run(tmp_path / "store", cell(dataset(column), split))
    assert not (tmp_path / "store").exists()
