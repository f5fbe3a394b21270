"""What is known of skips before anything is read, against what a run then does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bakeoff.errors import UsageError
from bakeoff.run.cell import Cell, with_content_hashes
from bakeoff.run.preflight import preflight
from bakeoff.run.runner import EvaluationSpec, Workspace, run_cell
from bakeoff.storage.record import CellRequest
from bakeoff.storage.store import Store
from toys import blocks

WANTED = EvaluationSpec((3,), {"ndcg": "bakeoff.evaluation.ranking.ndcg"})
SPLITS = {
    "random": {"_target_": "bakeoff.splits.per_user.Random"},
    "temporal": {"_target_": "bakeoff.splits.temporal.Temporal"},
    "held_out_users": {"_target_": "bakeoff.splits.held_out_users.HeldOutUsers", "share": 0.3},
}
MODELS: dict[str, dict[str, Any]] = {
    "als": {"_target_": "bakeoff.models.implicit.ALS", "factors": 2, "iterations": 1},
    "bpr": {"_target_": "bakeoff.models.implicit.BPR", "factors": 2, "iterations": 1},
    "features": {"_target_": "bakeoff.models.lightfm.LightFM", "item_features": True, "epochs": 1},
    "recent": {"_target_": "bakeoff.models.baselines.Popularity", "by": "recent"},
    "decaying": {"_target_": "bakeoff.models.sar.SAR", "timedecay_formula": True},
}


@pytest.fixture
def plays(tmp_path: Path) -> dict[str, Any]:
    """The configuration of a file without times and features."""
    data, path = blocks(), tmp_path / "plays.csv"
    rows = zip(data.user_ids.values[data.users], data.item_ids.values[data.items], strict=True)
    path.write_text("user,item\n" + "".join(f"{u},{i}\n" for u, i in rows))
    return {"_target_": "bakeoff.data.readers.Table", "name": "plays", "path": str(path)}


def cells(dataset: dict[str, Any], *splits: str, **more: Any) -> Iterator[CellRequest]:
    for split in splits:
        for model, build in MODELS.items():
            config = {"name": split, **SPLITS[split]}
            cell = with_content_hashes(
                Cell(dataset, config, {"name": model, "build": build, **more}, depth=5)
            )
            yield CellRequest(cell.key, cell)


@pytest.mark.parametrize("stored", [False, True], ids=["from configurations", "from the store"])
def test_what_is_foreseen_is_what_a_run_skips(plays: dict[str, Any], tmp_path: Path, stored: bool) -> None:
    requests = list(cells(plays, "random", "held_out_users"))
    run = {a.key: run_cell(a.cell, Workspace(Store(tmp_path / "ran")), WANTED) for a in requests}
    skipped = {key for key, record in run.items() if record.status == "skipped"}
    assert {r.status for r in run.values()} == {"done", "skipped"}
    ahead = preflight(requests, Store(tmp_path / ("ran" if stored else "empty")), WANTED)
    assert set(ahead.skipped) == skipped and not ahead.refused
    reasons = {a.cell.model["name"]: ahead.skipped[a.key] for a in requests if a.key in skipped}
    assert reasons["features"].startswith("LightFM cannot serve users it was not fitted on")
    assert reasons["recent"] == "needs timestamps; the data set has none"
    for key in skipped:  # a model may say whose times it needs
        assert ahead.skipped[key] in run[key].reason or ahead.skipped[key].startswith("needs timestamps")


def test_a_split_by_time_of_a_file_without_times_is_refused(plays: dict[str, Any], tmp_path: Path) -> None:
    requests = list(cells(plays, "random", "temporal"))
    ahead = preflight(requests, Store(tmp_path), WANTED)
    by_time = {a.key for a in requests if a.cell.split["name"] == "temporal"}
    assert set(ahead.refused) == by_time and by_time <= set(ahead.reasons)
    with pytest.raises(UsageError, match="'temporal' needs timestamps; data set 'plays' has none"):
        preflight([a for a in requests if a.key in by_time], Store(tmp_path), WANTED)


def test_a_cutoff_beyond_the_catalogue_of_a_stored_split_is_refused(
    plays: dict[str, Any], tmp_path: Path
) -> None:
    requests = list(cells(plays, "random"))
    beyond = EvaluationSpec((99,), WANTED.metrics)
    assert not preflight(requests, Store(tmp_path), beyond).refused, "the catalogue is not known yet"
    run_cell(requests[0].cell, Workspace(Store(tmp_path)), WANTED)
    with pytest.raises(UsageError, match="k=99 is larger than the catalogue"):
        preflight(requests, Store(tmp_path), beyond)


def test_nothing_is_said_of_data_that_only_reading_would_tell(tmp_path: Path) -> None:
    toy = {"_target_": "toys.Blocks", "name": "blocks", "with_times": False}
    ahead = preflight(list(cells(toy, "random", "temporal")), Store(tmp_path), WANTED)
    assert not ahead.reasons


def test_a_search_may_find_what_needs_less_than_the_defaults(plays: dict[str, Any], tmp_path: Path) -> None:
    space = {
        "by": {"_target_": "optuna.distributions.CategoricalDistribution", "choices": ["recent", "users"]}
    }
    (recent,) = [a for a in cells(plays, "random", space=space) if a.cell.model["name"] == "recent"]
    tuned = replace(recent.cell, tune={"name": "optuna"})
    assert preflight([recent], Store(tmp_path), WANTED).skipped
    assert not preflight([CellRequest("c1", tuned)], Store(tmp_path), WANTED).skipped
