"""What a shell is offered in place of the last word of a line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bakeoff import cli, completion, config_files


def offered(line: str) -> list[str]:
    return completion.candidates(cli.bakeoff, line)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with an experiment `lab` and an own model."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results" / "lab").mkdir(parents=True)
    cell = {"dataset": {"name": "plays"}, "split": {"name": "random"}, "variant": "", "tune": None}
    cell |= {"dataset_variant": "", "split_variant": ""}
    als = {**cell, "model": {"name": "als"}, "variant": "factors=8,dtype=float64", "tune": {"name": "optuna"}}
    cells = [{"cell": {**cell, "model": {"name": "popularity"}}}, {"cell": als}]
    (tmp_path / "results" / "lab" / "experiment.json").write_text(json.dumps({"cells": cells}))
    (tmp_path / "results" / "broken").mkdir()
    (tmp_path / "results" / "broken" / "experiment.json").write_text("{")
    for folder, name in (("conf", "mine"), ("other", "theirs")):
        (tmp_path / folder / "model").mkdir(parents=True)
        (tmp_path / folder / "model" / f"{name}.yaml").write_text(
            "name: x\nbuild: {_target_: m.X, depth: 3}\n"
        )
    return tmp_path


LABEL = "als (factors=8,dtype=float64, tune=optuna)"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("bakeoff re", ["report", "recommend"]),
        (
            "bakeoff run model=lmf,it",
            [f"model=lmf,itemknn_{kind}" for kind in ("asymmetric", "bm25", "cosine", "dice")],
        ),
        ("bakeoff run model=m", ["model=mine"]),
        ("bakeoff run --config-dir other model=th", ["model=theirs"]),
        ("bakeoff run model=mine model.build.", ["model.build.depth="]),
        ("bakeoff run model.build.fac", ["model.build.factors="]),
        ("bakeoff plan model=ease,als model.build.l", ["model.build.l2="]),
        (
            "bakeoff plan model=als model.build.weights=",
            [f"model.build.weights={w}" for w in ("none", "log1p")],
        ),
        ("bakeoff run model=als model.build.use_cg=f", ["model.build.use_cg=false"]),
        ("bakeoff run model=als,ease ease.l", ["ease.l2="]),
        ("bakeoff run model=als,ease als.weights=l", ["als.weights=log1p"]),
        ("bakeoff run split=random,temporal temporal.a", ["temporal.at="]),
        ("bakeoff run model=als,warp als.fac", ["als.factors="]),
        ("bakeoff run model=als,warp warp.weights=l", ["warp.weights=log1p"]),
        ("bakeoff describe dataset=csv dataset.time_", ["dataset.time_unit="]),
        ("bakeoff run tune.pareto_selection.r", ["tune.pareto_selection.rule="]),
        ("bakeoff run statistics.te", ["statistics.test="]),
        ("bakeoff run --split ran", ["random", "random_rows"]),
        ("bakeoff run ++split_", ["++split_seed="]),
        ("bakeoff run nothing=", []),
        ("bakeoff report l", ["lab"]),
        ("bakeoff report n", ["name="]),
        ("bakeoff verify name=", ["name=broken", "name=lab"]),
        ("bakeoff verify --name=l", ["--name=lab"]),
        ("bakeoff verify --ref", ["--references"]),
        ("bakeoff explain nd", ["ndcg"]),
        ("bakeoff explain ndcg l", ["lab"]),
        ("bakeoff report lab --conventions implicit,recs", ["implicit,recsys2019"]),
        ("bakeoff compare name=lab als", ["als", LABEL]),
        ("bakeoff compare --name lab 'als (", [LABEL]),
        ("bakeoff compare l", ["lab"]),
        (
            "bakeoff recommend lab models=popularity,als",
            ["models=popularity,als", f"models=popularity,{LABEL}"],
        ),
        ("bakeoff recommend lab --split r", ["random"]),
        ("bakeoff report --results-dir elsewhere ", ["k="]),
        ("bakeoff report lab statistics.correction=", [f"statistics.correction={c}" for c in ("holm", "bh")]),
        ("bakeoff completion ", ["bash", "zsh", "fish"]),
    ],
)
def test_the_last_word_is_completed(line: str, expected: list[str], workspace: Path) -> None:
    assert offered(line)[: max(len(expected), 1)] == expected


def test_every_command_and_every_key_is_offered() -> None:
    assert offered("bakeoff ") == list(cli.bakeoff.commands)
    keys = {f"{key}=" for key in config_files.roots()}
    assert set(offered("bakeoff run ")) == keys


def test_metrics_are_offered_one_by_one() -> None:
    assert "metrics=ndcg,recall" in offered("bakeoff report lab metrics=ndcg,rec")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert f"_BAKEOFF_COMPLETE={shell}" in text
    if shutil.which(shell) is not None:
        check = subprocess.run([shell, "-n"], input=text, capture_output=True, text=True, check=False)
        assert (check.returncode, check.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes(workspace: Path) -> None:
    """In a real bash, whose words end at `=`: what follows it is what is replaced."""
    program = workspace / "bin" / "bakeoff"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m bakeoff "$@"\n')
    program.chmod(0o755)
    lines = ["bakeoff run model=lm", "bakeoff pla", "bakeoff compare name=lab als", "bakeoff verify --name=l"]
    call = '_bakeoff_complete bakeoff; echo "${COMPREPLY[*]}"'
    calls = "".join(f"COMP_LINE={json.dumps(line)}; COMP_POINT={len(line)}; {call}\n" for line in lines)
    script = f"compopt() {{ :; }}\n{completion.script('bash')}\n{calls}"
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
    )
    assert done.stderr == ""
    quoted = r"als als\ \(factors=8,dtype=float64,\ tune=optuna\)"
    assert done.stdout.splitlines() == ["lmf", "plan", quoted, "lab"]
