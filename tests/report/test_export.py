"""A cell as plain tables: there with all its files, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from bakeoff.errors import UsageError
from bakeoff.report import export
from bakeoff.report.export import export_cell, export_cells
from bakeoff.run.cell import Cell
from bakeoff.run.runner import EvaluationSpec, Workspace, run_cell
from bakeoff.storage.store import Store

TABLES = ["lists.parquet", "test.parquet", "train.parquet"]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, list[str]]:
    workspace = Workspace(Store(tmp_path_factory.mktemp("store")))
    spec = EvaluationSpec((3,), {"ndcg": "bakeoff.evaluation.ranking.ndcg"})
    made = [
        Cell(
            dataset={"_target_": "toys.Blocks", "name": "blocks"},
            split={"_target_": "bakeoff.splits.per_user.Random", "name": "random"},
            model={"name": "by_item", "build": {"_target_": "toys.ByItem", "offset": offset}},
        )
        for offset in (0, 1)
    ]
    for cell in made:
        run_cell(cell, workspace, spec, debug=True)
    return workspace, [cell.key for cell in made]


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def break_at(monkeypatch: pytest.MonkeyPatch, table: int) -> None:
    """Make the n-th table that is written fail, as a full disk would."""
    left, write = iter(range(table)), export.write_table

    def broken(path: Path, columns: dict[str, object]) -> None:
        if next(left, None) is None:
            raise OSError(28, "No space left on device", str(path))
        write(path, columns)

    monkeypatch.setattr(export, "write_table", broken)


@pytest.mark.parametrize("table", [0, 1, 2, 4])
def test_an_export_that_breaks_off_leaves_nothing(
    stored: tuple[Workspace, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: int
) -> None:
    workspace, keys = stored
    break_at(monkeypatch, table)
    with pytest.raises(OSError, match="No space left"):
        export_cells(keys, tmp_path / "out", workspace)
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_breaks_off_leaves_an_earlier_one_as_it_was(
    stored: tuple[Workspace, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, keys = stored
    export_cell(keys[0], tmp_path / "out", workspace)
    before = {n: (tmp_path / "out" / n).read_bytes() for n in TABLES}
    break_at(monkeypatch, 2)
    with pytest.raises(OSError, match="No space left"):
        export_cell(keys[1], tmp_path / "out", workspace)
    assert {n: (tmp_path / n).read_bytes() for n in names(tmp_path)} == {
        f"out/{n}": content for n, content in before.items()
    }


def test_an_experiment_gives_a_folder_a_cell_beside_what_is_there(
    stored: tuple[Workspace, list[str]], tmp_path: Path
) -> None:
    workspace, keys = stored
    export_cells(keys[:1], tmp_path / "new", workspace)
    (tmp_path / "there" / keys[0]).mkdir(parents=True)
    (tmp_path / "there" / "notes.txt").write_text("mine")
    for _ in range(2):  # the second replaces the first
        export_cells(keys, tmp_path / "there", workspace)
    assert names(tmp_path / "new") == [f"{keys[0]}/{n}" for n in TABLES]
    assert names(tmp_path / "there") == sorted(["notes.txt", *(f"{k}/{n}" for k in keys for n in TABLES)])
    assert (tmp_path / "new").stat().st_mode & 0o777 == (tmp_path / "there").stat().st_mode & 0o777


def test_a_folder_that_is_no_export_is_not_replaced(
    stored: tuple[Workspace, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, keys = stored
    for at, to in enumerate((tmp_path / "mine", tmp_path / "cells" / keys[1])):
        to.mkdir(parents=True)
        (to / "thesis.tex").write_text("mine")
        with pytest.raises(UsageError, match=r"it holds 'thesis\.tex'.*expected a new or empty folder"):
            export_cell(keys[0], to, workspace) if not at else export_cells(keys, to.parent, workspace)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="a file; expected a folder"):
        export_cell(keys[0], tmp_path / "file", workspace)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UsageError, match="name one inside it"):
        export_cell(keys[0], Path(), workspace)
    assert names(tmp_path) == [f"cells/{keys[1]}/thesis.tex", "file", "mine/thesis.tex"]


def test_train_and_test_together_hold_every_pair_with_its_own_time(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    rng = np.random.default_rng(3)
    pairs = rng.permutation(20 * 30)[:300]
    rows = [f"u{p // 30},i{p % 30},{n}" for n, p in enumerate(pairs.tolist())]
    log.write_text("\n".join(["who,what,when", *rows]) + "\n")
    table = {"user": "who", "item": "what", "time": "when", "path": str(log)}
    cell = Cell(
        dataset={"_target_": "bakeoff.data.readers.Table", "name": "log", **table},
        split={"_target_": "bakeoff.splits.temporal.Temporal", "name": "temporal", "ratio": 0.7},
        model={"name": "popularity", "build": {"_target_": "bakeoff.models.baselines.Popularity"}},
    )
    workspace = Workspace(Store(tmp_path / "store"))
    run_cell(cell, workspace, EvaluationSpec((3,), {"ndcg": "bakeoff.evaluation.ranking.ndcg"}), debug=True)
    export_cell(cell.key, tmp_path / "out", workspace)
    train, test = (parquet.read_table(tmp_path / f"out/{n}.parquet").to_pylist() for n in ("train", "test"))
    written = {f"{r['user']},{r['item']},{r['time']}" for r in (*train, *test)}
    assert test and written <= set(rows)
    assert max(r["time"] for r in train) < min(r["time"] for r in test)
