"""Every shipped model, made small, from its YAML."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bakeoff import config_files
from bakeoff.data.interactions import Interactions
from bakeoff.models.base import Model
from bakeoff.models.fitting import limit_threads
from bakeoff.run.cell import build_model

SMALL = {"factors": 8, "no_components": 8, "iterations": 100, "epochs": 15, "K": 16, "l2": 5.0}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with limit_threads(1):
        yield


@pytest.fixture
def made(tmp_path: Path) -> Callable[[str, Interactions], Model]:
    """The model of a file in conf/model; known is what it will be fitted on, and what is held out of it.

    Where a model reads lists, it gets a file of them: what is new to a user, items of its parity first.
    """

    def make(name: str, train: Interactions) -> Model:
        config = config_files.read(config_files.folder() / "model" / f"{name}.yaml")
        build = {k: v for k, v in config["build"].items() if not str(v).startswith("${")}
        build |= {k: v for k, v in SMALL.items() if k in build}
        if config.get("path") == "???":
            build["path"] = str(tmp_path / "lists.csv")
            Path(build["path"]).write_text(_lists(train), encoding="utf-8")
        return build_model({"name": name, "build": build})

    return make


def _lists(train: Interactions) -> str:
    matrix, rows = train.matrix().toarray(), ["user,item,score"]
    for user, user_id in enumerate(train.user_ids.values):
        for item, item_id in enumerate(train.item_ids.values):
            if not matrix[user, item]:
                rows.append(f"{user_id},{item_id},{int(user % 2 == item % 2) - item / 1000}")
    return "\n".join(rows) + "\n"
