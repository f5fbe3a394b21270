"""Every shipped preset: what it sets wins, and it runs."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from bakeoff import config_files
from conftest import Bakeoff

PRESETS = config_files.options("experiment")
TINY = (
    *("dataset.n_users=60", "dataset.n_items=120", "dataset.n_rows=1500", "dataset.n_genres=4"),
    *("dataset.n_countries=3", "depth=20", "k=[5]"),
)


def composed(*overrides: str) -> dict[str, Any]:
    with initialize_config_dir(str(config_files.folder()), version_base="1.3"):
        config = compose("config", list(overrides), return_hydra_config=True)
    return {
        **{str(k): v for k, v in config.items() if k != "hydra"},
        "hydra": {"sweeper": OmegaConf.to_container(config.hydra.sweeper, resolve=False)},
    }


def inside(part: Any, whole: Any) -> bool:
    """Whether every value of a nested mapping stands at its place in the other."""
    if isinstance(part, dict):
        return all(k in whole and inside(v, whole[k]) for k, v in part.items())
    return bool(part == whole)


def written(preset: str) -> dict[str, Any]:
    content = config_files.read(config_files.folder() / "experiment" / f"{preset}.yaml")
    content.pop("defaults", None)
    return content


@pytest.mark.parametrize("preset", PRESETS)
def test_what_a_preset_says_wins_over_the_defaults(preset: str) -> None:
    assert inside(written(preset), composed(f"experiment={preset}"))


@pytest.mark.parametrize("preset", PRESETS)
def test_the_command_line_wins_over_a_preset(preset: str) -> None:
    config = composed(f"experiment={preset}", "k=[7]", "name=mine")
    assert (config["k"], config["name"]) == ([7], "mine")


def test_the_demo_keeps_its_own_cutoffs_and_name() -> None:
    config = composed("experiment=demo")
    assert (config["k"], config["name"]) == ([5, 10, 20], "demo")
    assert composed()["k"] != config["k"]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_begins_with_the_command_that_runs_it(preset: str) -> None:
    lines = (config_files.folder() / "experiment" / f"{preset}.yaml").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# @package _global_"
    assert lines[1].startswith(f"# bakeoff run experiment={preset}")


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_runs_on_tiny_data(bakeoff: Bakeoff, tmp_path: Path, preset: str) -> None:
    axes = written(preset)["hydra"]["sweeper"]["params"]
    done = bakeoff("run", f"experiment={preset}", "dataset=simulated", *TINY, "name=tiny")
    assert done.returncode == 0, done.stdout + done.stderr
    with (tmp_path / "results/tiny/cells.csv").open(newline="", encoding="utf-8") as file:
        cells = list(csv.DictReader(file))
    assert {c["status"] for c in cells} == {"done"}
    for column in ("model", "split", "seed"):
        assert {c[column] for c in cells} == set(axes[column].split(","))
