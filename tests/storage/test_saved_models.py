"""Models that are kept with their cells come back as they were, as data alone."""

from __future__ import annotations

import json
import os
import pickle
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from scipy import sparse

from bakeoff import config_files
from bakeoff.errors import UsageError
from bakeoff.models.base import Model
from bakeoff.models.topk import FactorModel
from bakeoff.run import grid
from bakeoff.run.cell import Cell, with_content_hashes
from bakeoff.run.isolated import Servers
from bakeoff.run.runner import EvaluationSpec, Workspace, run_cell
from bakeoff.storage.record import CellRequest, Record
from bakeoff.storage.saved_models import (
    ModelNotSaved,
    from_arrays,
    load_model,
    read_arrays,
    to_arrays,
    write_arrays,
)
from bakeoff.storage.store import Store, write_json
from toys import without_hashes

WANTED = EvaluationSpec((5,), {"ndcg": "bakeoff.evaluation.ranking.ndcg"}, save_model=True)


def a_cell(target: str = "bakeoff.models.implicit.ALS", **parameters: Any) -> Cell:
    return Cell(
        dataset={"_target_": "toys.Blocks", "name": "blocks"},
        split={"_target_": "bakeoff.splits.per_user.Random", "name": "random", "ratio": 0.7},
        model={"name": "m", "build": {"_target_": target, **parameters}},
        depth=6,
    )


def run(cell: Cell, folder: Path, spec: EvaluationSpec = WANTED) -> tuple[Record, Workspace]:
    workspace = Workspace(Store(folder))
    return run_cell(cell, workspace, spec, debug=True), workspace


@dataclass
class Inherits(FactorModel):
    """Learns more than the factors that its base class keeps."""

    stochastic = False
    folds_in = False

    def fit(self, train: Any, *, seed: int, on_epoch: Any = None) -> None:
        self.user_factors = np.ones((train.n_users, 2), np.float32)
        self.item_factors = np.ones((train.n_items, 2), np.float32)
        self.offsets = np.arange(train.n_items, dtype=np.float32)

    def scores(self, users: Any, history: Any) -> Any:
        offsets = getattr(self, "offsets", None)
        result = super().scores(users, history)
        return result if offsets is None else result + offsets

    def _parts(self, *args: Any) -> Any:
        return super(FactorModel, self)._parts(*args)


@dataclass
class KeepsCode(Inherits):
    """Has a state that is no data."""

    def state(self) -> Mapping[str, Any]:
        return {"f": np.array([len], dtype=object)}


def lists(model: Model, workspace: Workspace, cell: Cell) -> Any:
    split = workspace.split(cell)
    return model.recommend(split.users, split.history[split.users], cell.depth)[0]


@pytest.mark.parametrize("isolated", [False, True], ids=["here", "in a process of its own"])
def test_a_kept_model_makes_the_lists_of_its_cell_again(
    tmp_path: Path, isolated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=os.pathsep)
    cell = a_cell(factors=4, iterations=3)
    workspace = Workspace(Store(tmp_path))
    if isolated:
        request = CellRequest(cell.key, cell)
        with Servers(workspace, 1) as servers:
            ((_, record),) = servers.run([request], WANTED, lambda _: None)
    else:
        record = run_cell(cell, workspace, WANTED, debug=True)
    assert record.done and record.notes == ()
    result = lists(load_model(record, workspace.store), workspace, cell)
    np.testing.assert_array_equal(result, workspace.store.lists(cell.key).items)


def test_hyperparameters_that_tuning_chose_are_those_of_the_model(tmp_path: Path) -> None:
    cell = a_cell(factors=4, iterations=2)
    record, workspace = run(cell, tmp_path)
    chosen = replace(record, parameters={**record.parameters, "factors": 7})
    assert load_model(chosen, workspace.store).factors == 7  # type: ignore[attr-defined]


def test_to_keep_a_model_moves_no_number(tmp_path: Path) -> None:
    cell = a_cell(factors=4, iterations=2)
    saving, _ = run(cell, tmp_path / "a")
    plain, workspace = run(cell, tmp_path / "b", EvaluationSpec(WANTED.ks, WANTED.metrics))
    assert (saving.key, saving.metrics, saving.notes) == (plain.key, plain.metrics, plain.notes)
    with pytest.raises(ModelNotSaved, match="save_model=true"):
        load_model(plain, workspace.store)


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    arrays = {"a": np.arange(3.0), "file": np.array(2)}
    for name in ("one", "two"):
        write_arrays(tmp_path / name, arrays)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert set(read_arrays(tmp_path / "one")) == {"a", "file"}


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("toys.ByItem", r"ByItem has no state\(\) and restore\(\)"),
        ("test_kept.Inherits", r"state\(\) is incomplete"),
        ("test_kept.KeepsCode", r"its state 'f' holds objects"),
    ],
)
def test_a_model_that_cannot_be_kept_is_done_and_says_why(
    tmp_path: Path, target: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "test_kept", sys.modules[__name__])
    record, workspace = run(a_cell(target), tmp_path)
    assert record.done
    assert any(note.startswith("the model is not saved") for note in record.notes)
    with pytest.raises(ModelNotSaved, match=why):
        load_model(record, workspace.store)
    assert not (workspace.store.cell_folder(record.key) / "model.npz").exists()


def test_a_matrix_comes_back_as_it_was() -> None:
    matrix = sparse.random(5, 7, 0.4, format="csr", random_state=0, dtype=np.float32)
    result = from_arrays(to_arrays({"m": matrix, "m.data.of": np.arange(2), "n": np.array(3)}))
    assert set(result) == {"m", "m.data.of", "n"}
    assert result["m"].shape == matrix.shape and (result["m"] != matrix).nnz == 0


def test_a_matrix_that_reaches_beyond_itself_is_refused(tmp_path: Path) -> None:
    cell = a_cell("bakeoff.models.neighbours.ItemKNN")
    record, workspace = run(cell, tmp_path)
    path = workspace.store.cell_folder(cell.key) / "model.npz"
    arrays = read_arrays(path)
    arrays["similarities.indices"] = arrays["similarities.indices"] + 1000
    write_arrays(path, arrays)
    with pytest.raises(UsageError, match=r"model\.npz: "):
        load_model(record, without_hashes(workspace.store))


def test_a_file_with_code_in_it_is_refused_and_not_run(tmp_path: Path) -> None:
    cell = a_cell(factors=4, iterations=2)
    record, workspace = run(cell, tmp_path)
    marker = tmp_path / "ran"

    class Runs:
        def __reduce__(self) -> Any:
            return Path.touch, (marker,)

    path = workspace.store.cell_folder(cell.key) / "model.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("user_factors.npy", "w") as file:
        np.lib.format.write_array(file, np.array([Runs()], dtype=object), allow_pickle=True)
    with pytest.raises(UsageError, match=r"model\.npz: "):
        load_model(record, without_hashes(workspace.store))
    path.write_bytes(pickle.dumps(Runs()))
    with pytest.raises(UsageError, match=r"model\.npz: "):
        load_model(record, without_hashes(workspace.store))
    assert not marker.exists()


def test_the_class_is_the_records_own_whatever_the_folder_says(tmp_path: Path) -> None:
    cell = a_cell(factors=4, iterations=2)
    record, workspace = run(cell, tmp_path)
    path = workspace.store.cell_folder(cell.key) / "model.json"
    about = json.loads(path.read_text())
    for change in ({"target": "os.system"}, {"split_fingerprint": "s0"}):
        write_json(path, {**about, **change})
        with pytest.raises(UsageError, match=r"model\.json: (target|split_fingerprint): expected"):
            load_model(record, without_hashes(workspace.store))


def test_a_cell_without_its_model_is_missing_where_models_are_asked_for(tmp_path: Path) -> None:
    als, toy = (with_content_hashes(c) for c in (a_cell(factors=4, iterations=2), a_cell("toys.ByItem")))
    requests = [CellRequest(c.key, c) for c in (als, toy)]
    store = Store(tmp_path)
    for cell in (als, toy):
        run(cell, tmp_path, EvaluationSpec(WANTED.ks, WANTED.metrics))
    assert grid.plan(requests, store).missing == ()
    planned = grid.plan(requests, store, save_model=True)
    assert {a.key for a in planned.missing} == planned.refitted == {als.key, toy.key}
    assert grid.DurationEstimator(store, planned.requests).total(planned.missing) is not None
    for cell in (als, toy):
        run(cell, tmp_path)
    # Of the toy it is known that it cannot be kept: it is not fitted for it again and again.
    assert grid.plan(requests, store, save_model=True).missing == ()


class _Silent:
    def start(self, *_: Any) -> None: ...
    def begin(self, *_: Any) -> None: ...
    def end(self, *_: Any) -> None: ...
    def stop(self) -> None: ...


@pytest.mark.parametrize("isolate", [False, True])
def test_a_grid_fits_again_what_lacks_its_model(
    tmp_path: Path, isolate: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=os.pathsep)
    cell = with_content_hashes(a_cell(factors=4, iterations=2))
    before, workspace = run(cell, tmp_path, EvaluationSpec(WANTED.ks, WANTED.metrics))
    planned = grid.plan([CellRequest(cell.key, cell)], workspace.store, save_model=True)
    records = grid.run(planned, workspace, WANTED, grid.Options(isolate=isolate), _Silent())
    assert [r.metrics for r in records] == [before.metrics]
    assert load_model(records[0], workspace.store) is not None


def test_a_tuned_cell_is_fitted_again_without_new_trials(tmp_path: Path) -> None:
    config = config_files.read(config_files.folder() / "tune" / "optuna.yaml")
    space = {"l2": {"_target_": "optuna.distributions.FloatDistribution", "low": 1.0, "high": 50.0}}
    plain = a_cell("bakeoff.models.linear.EASE")
    cell = Cell(
        **{
            **plain.__dict__,
            "model": {**plain.model, "space": space},
            "tune": {**config, "trials": 2, "metric": "ndcg@5"},
        }
    )
    first, workspace = run(cell, tmp_path, EvaluationSpec(WANTED.ks, WANTED.metrics))
    again, _ = run(cell, tmp_path)
    assert again.parameters == first.parameters and again.metrics == first.metrics
    assert load_model(again, workspace.store).l2 == first.parameters["l2"]  # type: ignore[attr-defined]


def test_an_old_model_does_not_stand_beside_new_lists(tmp_path: Path) -> None:
    cell = a_cell(factors=4, iterations=2)
    run(cell, tmp_path)
    record, workspace = run(cell, tmp_path, EvaluationSpec(WANTED.ks, WANTED.metrics))
    with pytest.raises(ModelNotSaved):
        load_model(record, workspace.store)


def test_models_are_not_kept_unless_they_are_asked_for() -> None:
    assert config_files.read(config_files.folder() / "config.yaml")["save_model"] is False
