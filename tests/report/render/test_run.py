"""What a command would do, for people: keys are copied from it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from bakeoff.report.render.run import print_plan
from bakeoff.run.cell import Cell
from bakeoff.run.grid import Plan, plan
from bakeoff.run.preflight import DurationEstimator, PreflightResult
from bakeoff.storage.record import CellRequest
from bakeoff.storage.store import Store

MODELS = (
    *("popularity", "random", "itemknn_tfidf", "als", "bpr", "warp", "lightfm_logistic", "warp_features"),
    "ease",
)
SPLITS = {"random": "per_user.Random", "held_out_users": "held_out_users.HeldOutUsers"}


def requests(
    *, datasets: tuple[str, ...] = ("lastfm_top_tracks",), variant: str = "", **changes: Any
) -> list[CellRequest]:
    made = [
        Cell(
            dataset={"_target_": "toys.Blocks", "name": dataset},
            split={"_target_": f"bakeoff.splits.{target}", "name": split},
            model={"name": model, "build": {"_target_": "toys.Shuffled", "offset": at}},
            seed=seed,
            variant=variant,
            **changes,
        )
        for dataset in datasets
        for split, target in SPLITS.items()
        for at, model in enumerate(MODELS)
        for seed in (1, 2)
    ]
    return [CellRequest(c.key, c) for c in made]


def printed(planned: Plan, tmp_path: Path, *, terminal: bool = True, ahead: Any = None) -> list[str]:
    console = Console(file=io.StringIO(), width=80, force_terminal=terminal, color_system=None)
    estimate = DurationEstimator(Store(tmp_path), planned.requests)
    print_plan("first [x]", planned, PreflightResult(skipped=ahead or {}), estimate, 1, console)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


def test_a_plan_of_nine_models_fits_80_columns_with_every_key_whole(tmp_path: Path) -> None:
    planned = plan(requests(), Store(tmp_path))
    lines = printed(planned, tmp_path)
    table = lines[1 : 3 + len(planned.requests)]
    assert max(map(cell_len, table)) <= 80
    assert [line.split()[-3] for line in table[2:]] == [a.key for a in planned.requests]
    assert all(f"  {a.key}  to run" in line for a, line in zip(planned.requests, table[2:], strict=True))


def test_what_is_the_same_in_all_rows_is_said_once_above_them(tmp_path: Path) -> None:
    head, columns, *_ = printed(plan(requests(), Store(tmp_path)), tmp_path)
    assert head == "Experiment first [x]: data set lastfm_top_tracks, split seed 42"
    assert columns.split() == ["split", "model", "seed", "key", "state"]


@pytest.mark.parametrize("terminal", [True, False])
def test_long_names_are_broken_on_a_narrow_terminal_alone_and_keys_never(
    tmp_path: Path, terminal: bool
) -> None:
    variant = "factors=128,iterations=30,regularization=0.001"
    planned = plan(requests(datasets=("online_retail", "simulated"), variant=variant), Store(tmp_path))
    lines = printed(planned, tmp_path, terminal=terminal)
    text = "\n".join(lines)
    assert all(a.key in text for a in planned.requests)
    assert (max(map(cell_len, lines[1:-1])) <= 80) is terminal
    assert all(f"{model} ({variant})" in text for model in MODELS) is not terminal


def test_skips_are_told_with_their_reason_and_are_not_counted_as_to_run(tmp_path: Path) -> None:
    planned = plan(requests(), Store(tmp_path))
    ahead = {a.key: "cannot [do] it" for a in planned.requests if a.cell.model["name"] in ("bpr", "warp")}
    lines = printed(planned, tmp_path, ahead=ahead)
    assert sum(line.rstrip().endswith("will skip") for line in lines) == 8
    assert lines[-2] == "Will skip bpr, warp: cannot [do] it."
    assert lines[-1].startswith("36 cells: 0 stored, 28 to run, 8 to be skipped")
