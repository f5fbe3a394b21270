"""The files of conf/split: what they name exists, and they hold every parameter with its default."""

from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from bakeoff.importing import import_object
from bakeoff.run.cell import build_splitter

CONF = Path(__file__).parents[2] / "conf" / "split"
FILES = sorted(CONF.glob("*.yaml"))


def content(path: Path) -> dict[str, Any]:
    content_of: dict[str, Any] = yaml.safe_load(path.read_text())
    return content_of


def test_there_is_a_file_for_every_name_of_the_contract() -> None:
    assert {p.stem for p in FILES} == {
        "random",
        "random_rows",
        "chronological",
        "temporal",
        "leave_last_out",
        "held_out_users",
        "kfold",
        "predefined",
        "new_items",
    }


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_file_names_every_parameter_with_its_default(path: Path) -> None:
    content_of = content(path)
    family = import_object(content_of.pop("_target_"), "split._target_")
    assert content_of.pop("name") == path.stem
    content_of.pop("table", None)  # the data set, in the file of predefined
    assert content_of == {
        f.name: f.default for f in fields(family) if f.default is not MISSING and f.name != "table"
    }


@pytest.mark.parametrize("path", [p for p in FILES if p.stem != "predefined"], ids=lambda p: p.stem)
def test_a_file_builds_its_family(path: Path) -> None:
    splitter = build_splitter(content(path))
    assert isinstance(splitter.seeded, bool)
    assert isinstance(splitter.needs_times, bool)
