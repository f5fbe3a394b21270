"""experiment.json: what several commands add to it, and what becomes of a damaged one."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bakeoff import cli
from bakeoff.run import grid
from conftest import HERE
from test_end_to_end import timeless

WORDS = ("dataset=blocks", "split=random", "k=[3]", "depth=10", "baselines=[]", "metrics=[ndcg]", "name=toy")
FILE = Path("results/toy/experiment.json")


def command(verb: str, *models: str) -> int:
    return cli.main([verb, f"--config-dir={HERE / 'conf'}", *WORDS, f"model={','.join(models)}"])


def models() -> dict[str, set[str]]:
    """Return the models that each file of the experiment names."""
    with FILE.with_name("cells.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["model"] for row in csv.DictReader(file)}
    stored = json.loads(FILE.read_text())
    return {"cells": {c["cell"]["model"]["name"] for c in stored["cells"]}, "report": rows}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as here:
        here.chdir(folder)
        assert command("run", "by_item", "shuffled") == 0
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(finished / "results", tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("moment", ["prepare", "run"])
def test_a_run_that_ends_while_another_works_loses_none_of_its_cells(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    step: Callable[..., Any] = getattr(grid, moment)

    def with_another(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(grid, moment, step)
        assert command("run", "shuffled") == 0
        return step(*arguments, **options)

    monkeypatch.setattr(grid, moment, with_another)
    assert command("run", "by_item") == 0
    assert models() == {"cells": {"by_item", "shuffled"}, "report": {"by_item", "shuffled"}}
    assert cli.main(["verify", "toy", "references=[]"]) == 0


@pytest.mark.parametrize("damage", [b"", b"{", b'{"name": "e", "cells": [{"key": "c0", "cell": 3}]}', None])
def test_a_damaged_experiment_is_refused_by_readers_and_written_anew_by_run(
    damage: bytes | None, copy: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = FILE.read_bytes()
    damaged = whole.replace(b"by_item", b"by_itex", 1) if damage is None else damage
    FILE.write_bytes(damaged)
    for words in (["report", "toy"], ["verify", "toy"], ["export", "toy", "--to", "out"]):
        assert cli.main(words) == 2
        message = capsys.readouterr().err
        assert message.count("\n") == 1 and str(FILE) in message and "run" in message
    assert command("plan", "by_item") == 0
    assert FILE.read_bytes() == damaged and str(FILE) in capsys.readouterr().err
    assert command("run", "by_item") == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if str(FILE) in line]
    (aside,) = Path("results/store/quarantine").glob("*/experiment.json.*")
    assert aside.read_bytes() == damaged and "set aside" in line
    assert models() == {"cells": {"by_item", "shuffled"}, "report": {"by_item", "shuffled"}}
    assert cli.main(["verify", "toy", "references=[]"]) == 0
    assert command("run", "by_item", "shuffled") == 0
    shutil.rmtree(aside.parent.parent)
    after, before = timeless(copy / "results"), timeless(finished / "results")
    assert {n: f for n, f in after.items() if n.startswith("store/")} == {
        n: f for n, f in before.items() if n.startswith("store/")
    }
