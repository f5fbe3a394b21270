from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from pyarrow import csv, parquet

from bakeoff.errors import ConfigError, ModelError, Unsupported
from bakeoff.models import command
from bakeoff.models.command import Command
from bakeoff.run.cell import Cell, build_model, check_shipped, with_content_hashes
from toys import blocks

TRAIN = blocks(12, 8)
UNSEEN = {
    u: [i for i in range(8) if not TRAIN.matrix()[u, i]] for u in range(12) if TRAIN.matrix()[u].nnz < 8
}
USERS = np.arange(12, dtype=np.int32)


def script(tmp_path: Path, text: str, arguments: str = "{train} {out}", **more: Any) -> Command:
    """A command that runs text in Python, with json and sys imported."""
    path = tmp_path / "program.py"
    path.write_text(f"import json, os, sys, time\n{text}\n")
    return Command(f"{sys.executable} {path} {arguments}", **{"files": "csv", **more})


def writing(lines: list[str]) -> str:
    return f"open(sys.argv[2], 'w').write({chr(10).join(lines)!r})"


FIRST = writing(["user,item,score", *(f"u{u:03},i{items[0]:03},1.5" for u, items in UNSEEN.items())])


def test_lists_are_those_that_the_program_writes(tmp_path: Path) -> None:
    model = script(tmp_path, FIRST)
    model.fit(TRAIN, seed=1)
    items, scores = model.recommend(USERS, TRAIN.matrix(), 2)
    assert {u: int(items[u, 0]) for u in UNSEEN} == {u: unseen[0] for u, unseen in UNSEEN.items()}
    assert (items[:, 1] == -1).all() and (scores[list(UNSEEN), 0] == 1.5).all()
    twin = script(tmp_path, "")
    twin.restore(model.state())
    np.testing.assert_array_equal(twin.recommend(USERS, TRAIN.matrix(), 2)[0], items)


@pytest.mark.parametrize("files", ["csv", "parquet"])
def test_the_program_is_given_train_users_and_hyperparameters_and_nothing_else(
    tmp_path: Path, files: str
) -> None:
    copy = f"import shutil; shutil.copytree(sys.argv[1], {str(tmp_path / 'copy')!r}); print(sys.argv[2:])"
    model = script(
        tmp_path, copy, "{folder} {lr} {flag} {length} {out}", files=files, length=3, lr=0.1, flag=True
    )
    with pytest.raises(ModelError, match="wrote no file"):
        model.fit(TRAIN, seed=7)
    folder = tmp_path / "copy"
    assert sorted(p.name for p in folder.iterdir()) == ["params.json", f"train.{files}", f"users.{files}"]
    read = parquet.read_table if files == "parquet" else csv.read_csv
    train = read(folder / f"train.{files}").to_pydict()
    assert train["user"] == [f"u{u:03}" for u in TRAIN.users]
    assert train["item"] == [f"i{i:03}" for i in TRAIN.items]
    assert read(folder / f"users.{files}").to_pydict() == {"user": TRAIN.user_ids.values.tolist()}
    assert json.loads((folder / "params.json").read_text()) == {
        "lr": 0.1,
        "flag": True,
        "seed": 7,
        "length": 3,
    }


def test_values_are_arguments_and_no_shell_reads_them(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    text = f"open({str(told)!r}, 'w').write(json.dumps(sys.argv[2:]))"
    model = script(
        tmp_path,
        text,
        "{train} --lr={lr} '{name}' {on} {none} {out}",
        lr=1e-3,
        name="$HOME; ls *",
        on=False,
        none=None,
    )
    with pytest.raises(ModelError):
        model.fit(TRAIN, seed=1)
    assert json.loads(told.read_text())[:4] == ["--lr=0.001", "$HOME; ls *", "false", "null"]


@pytest.mark.parametrize(
    ("run", "more", "expected"),
    [
        ("python t.py {train} {out} {lr}", {}, "{lr}"),
        ("python t.py {train} {out}", {"lr": 0.1}, "model.build.lr"),
        ("python t.py {train}", {}, "{out}"),
        ("python t.py {train} {out} {seed}", {"seed": 3}, "model.build.seed"),
        ("python t.py {train} {out} {params}", {"lr": [1, 2]}, "model.build.lr"),
        ("python 't.py {train} {out}", {}, "quotation"),
        ("", {}, "model.run"),
        ("python t.py {train} {out}", {"length": 0}, "model.build.length"),
        ("python t.py {train} {out}", {"files": "xml"}, "model.build.files"),
    ],
)
def test_a_command_is_checked_before_it_runs(run: str, more: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        Command(run, **more)


def test_a_program_that_does_not_exist_is_refused_by_the_plan() -> None:
    with pytest.raises(ConfigError, match="no-such-program"):
        Command("no-such-program {train} {out}").identity()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["user,item,score", "u000,nonsense,1"], "outside the catalogue"),
        (["user,item,score", "u000,{new},1", "nobody,{new},1"], "user that the data set does not have"),
        (["user,item,score", "u000,{seen},1"], "lists an item that the user has in train"),
        (["user,item,score", "u000,{new},1", "u000,{new},2"], "a second time"),
        (["user,item,score", "u000,{new},nan"], "finite"),
        (["user,item,rank", "u000,{new},0"], "rank"),
        (["user,item"], "score"),
        (["user,item,score"], "no rows"),
        (["\x00\xff"], "lists.csv"),
    ],
)
def test_lists_that_break_a_rule_fail_with_the_row(tmp_path: Path, rows: list[str], expected: str) -> None:
    new, seen = f"i{UNSEEN[0][0]:03}", f"i{TRAIN.items[0]:03}"
    model = script(tmp_path, writing([row.format(new=new, seen=seen) for row in rows]))
    with pytest.raises(ModelError, match=expected):
        model.fit(TRAIN, seed=1)


def test_seen_items_are_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    every = [f"u000,i{i:03},{i}" for i in range(8)]
    model = script(tmp_path, writing(["user,item,score", *every]), seen="drop")
    model.fit(TRAIN, seed=1)
    assert model.recommend(USERS, TRAIN.matrix(), 8)[0][0].tolist()[: len(UNSEEN[0])] == UNSEEN[0][::-1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sys.exit('out of memory\\n')", "exit code 1: out of memory"),
        ("raise ValueError('bad lr')", "ValueError: bad lr"),
        ("os.abort()", "SIGABRT"),
        ("os.mkfifo(sys.argv[2])", "wrote no file"),
        ("os.symlink('/etc/passwd', sys.argv[2])", "wrote no file"),
        (
            "sys.stderr.write('x' * 10**7 + '\\nlast line'); sys.stdout.write('y' * 10**7); sys.exit(3)",
            "3: last",
        ),
    ],
)
def test_the_end_of_a_program_is_one_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ModelError, match=expected) as raised:
        script(tmp_path, text).fit(TRAIN, seed=1)
    assert len(str(raised.value)) < 400 and "\n" not in str(raised.value)


def test_processes_that_a_program_leaves_behind_are_ended(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    left = (
        "import subprocess\n"
        f"child = subprocess.Popen(['sleep', '60'])\nopen({str(pid)!r}, 'w').write(str(child.pid))\n"
    )
    start = time.monotonic()
    script(tmp_path, left + FIRST).fit(TRAIN, seed=1)
    assert time.monotonic() - start < 20
    number = int(pid.read_text())
    assert not psutil.pid_exists(number) or psutil.Process(number).status() == psutil.STATUS_ZOMBIE


def test_epochs_are_reported_and_whatever_is_raised_there_ends_the_program(tmp_path: Path) -> None:
    lines = ["epoch=1 loss=0.5 score=0.25", "epoch=2 score=0.5", "epoch=2 score=0.6", "epoch=x", "noise"]
    model = script(tmp_path, f"print({chr(10).join(lines)!r}, flush=True)\ntime.sleep(60)")
    told: list[tuple[int, float | None, float | None]] = []

    def on_epoch(epoch: int, loss: float | None) -> None:
        told.append((epoch, loss, model.validation_score))
        if epoch == 2:
            raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        model.fit(TRAIN, seed=1, on_epoch=on_epoch)
    assert told == [(1, 0.5, 0.25), (2, None, 0.5)]
    assert time.monotonic() - start < 20
    assert not any(
        str(tmp_path) in " ".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"])
    )


def test_an_edited_script_is_another_candidate(tmp_path: Path) -> None:
    def key(text: str, **more: Any) -> str:
        model = script(tmp_path, text, "{train} {out} {lr}", lr=0.1, **more)
        build = {"_target_": "bakeoff.models.command.Command", "run": model.run, "lr": 0.1, **more}
        simulated = {"_target_": "bakeoff.data.synthetic.Simulated", "name": "toy"}
        split = {"_target_": "bakeoff.splits.per_user.Random", "name": "random"}
        return with_content_hashes(Cell(simulated, split, {"name": "mine", "build": build})).key

    first = key("a = 1")
    assert first == key("a = 1")
    assert len({first, key("a = 2"), key("a = 1", length=5)}) == 3


def test_a_command_without_seed_has_no_chance_and_features_are_needed_where_named(tmp_path: Path) -> None:
    assert not script(tmp_path, "").stochastic
    assert script(tmp_path, "", "{train} {out} {seed}").stochastic
    model = script(tmp_path, "", "{train} {out} {item_features}")
    assert model.needs == ("item_features",)
    with pytest.raises(Unsupported, match="item_features"):
        model.fit(TRAIN, seed=1)


def test_folders_of_killed_runs_are_removed_and_those_in_use_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(command.tempfile, "tempdir", str(tmp_path))
    left = tmp_path / "bakeoff-command.left"
    left.mkdir()
    with command._folder() as outer:
        for folder in (left, outer):
            os.utime(folder, (0, 0))
        with command._folder():
            assert outer.exists() and not left.exists()
    assert not list(tmp_path.iterdir())


def test_a_program_of_a_stored_file_is_not_run_without_trust() -> None:
    build = {"_target_": "bakeoff.models.command.Command", "run": "touch {train} {out}"}
    assert build_model({"name": "mine", "build": build})
    with pytest.raises(ConfigError, match="--trust"):
        check_shipped(build, "model.build")
