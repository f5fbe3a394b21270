"""The real command line, from words to files, on toy data sets and models."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import commands
from commands import PATH
from conftest import HERE, Bakeoff

GRID = (
    "dataset=blocks",
    "model=by_item,shuffled",
    "split=random,temporal",
    "seed=1,2",
    "k=[3,5]",
    "depth=10",
    "metrics=accuracy",
)

TIMES = ("_s", "peak_mb")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def timeless(folder: Path) -> dict[str, object]:
    """Everything below a results folder that must not depend on when and how often it was made."""
    files: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir() or name.endswith((".md", ".tex", ".html")):
            continue
        if path.name == "record.json":
            record = json.loads(path.read_text())
            for volatile in ("seconds", "peak_mb", "started", "blake2b"):
                del record[volatile]
            files[name] = record
        elif path.name == "cells.parquet":  # the rows of cells.csv, seconds and all
            continue
        elif path.name == "cells.csv":
            files[name] = [{k: v for k, v in r.items() if not k.endswith(TIMES)} for r in rows(path)]
        else:
            files[name] = path.read_bytes()
    return files


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which the grid has run, and what the command has printed."""
    folder = tmp_path_factory.mktemp("grid")
    done = commands.run(["run", f"--config-dir={HERE / 'conf'}", *GRID], folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


@pytest.fixture
def _grid(finished: tuple[Path, str], tmp_path: Path) -> None:
    """Let the grid have run in the folder of the test."""
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)


@pytest.mark.usefixtures("_grid")
def test_a_grid_runs_and_a_second_run_fits_nothing(
    bakeoff: Bakeoff, finished: tuple[Path, str], tmp_path: Path
) -> None:
    assert "by_item" in finished[1] and "popularity" in finished[1]
    before = timeless(tmp_path / "results")
    records = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("record.json")}
    assert records
    second = bakeoff("run", *GRID)
    assert second.returncode == 0, second.stderr
    assert timeless(tmp_path / "results") == before
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("record.json")} == records


def test_the_files_have_the_columns_of_the_contract(finished: tuple[Path, str]) -> None:
    folder = finished[0] / "results" / "blocks"
    metrics, cells = rows(folder / "metrics.csv"), rows(folder / "cells.csv")
    assert (
        list(metrics[0])
        == (
            "key dataset split split_seed fold split_fingerprint model variant tune seed k metric value "
            "stderr n_users"
        ).split()
    )
    assert (
        list(cells[0])
        == (
            "key dataset split split_seed fold split_fingerprint model variant tune seed status reason "
            "parameters load_s split_s tune_s fit_s recommend_s evaluate_s write_s peak_mb"
        ).split()
    )
    # 2 splits x 2 seeds x (2 models + 2 baselines): a row for each, models without chance too
    assert len(cells) == 16
    assert len({c["key"] for c in cells}) == 12
    assert {m["k"] for m in metrics if m["metric"] == "ndcg"} == {"3", "5"}
    assert {m["k"] for m in metrics if m["metric"] == "auc"} <= {""}
    for name in ("report.md", "report.tex", "report.html", "experiment.json"):
        assert (folder / name).stat().st_size > 0


def test_one_failing_cell_does_not_stop_the_others(bakeoff: Bakeoff, tmp_path: Path) -> None:
    done = bakeoff("run", "dataset=blocks", "model=by_item,breaks,refuses,recommends_seen", "k=[3]")
    assert done.returncode == 1
    status = {c["model"]: (c["status"], c["reason"]) for c in rows(tmp_path / "results/blocks/cells.csv")}
    assert status["by_item"][0] == status["popularity"][0] == "done"
    assert status["breaks"] == ("failed", "ValueError: the matrix is singular")
    assert status["refuses"] == ("skipped", "needs item features; the data set has none")
    assert status["recommends_seen"][0] == "failed" and "has been seen" in status["recommends_seen"][1]
    assert "the matrix is singular" in (tmp_path / "results/blocks/report.md").read_text()


def test_what_failed_is_tried_again_and_what_is_done_is_not(bakeoff: Bakeoff, tmp_path: Path) -> None:
    words = ("dataset=blocks", "model=by_item,breaks", "k=[3]")
    bakeoff("run", *words)
    records = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("record.json")}
    bakeoff("run", *words)
    again = {p for p in records if p.stat().st_mtime_ns != records[p]}
    assert {json.loads(p.read_text())["cell"]["model"]["name"] for p in again} == {"breaks"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("model=by_itm",), "model=by_itm: did you mean 'by_item'"),
        (("dataset=blcks",), "dataset=blcks: did you mean 'blocks'"),
        (("datset=blocks",), "did you mean 'dataset'"),
        (("model=by_item", "model.build.ofset=1"), "did you mean 'offset'"),
        (("model=by_item,popularity", "model.build.offset=1"), "offset"),
        (("k=[17]",), "k=17 is larger than the catalogue"),
        (("k=[0]",), "k=0: expected a whole number >= 1"),
        (("k=[500]",), "depth=100"),
        (("seed=one",), "seed='one': expected a whole number"),
        (("dataset.with_times=false", "split=temporal"), "needs timestamps"),
        (("dataset=unreadable",), "plays.csv, line 7, column 'count'"),
        (("split.ratio=1.5",), "split.ratio"),
        (("name=a/b",), "name 'a/b'"),
        (("results_dir=/dev/null",), "/dev/null/store/data: "),
        (("+x=1",), "x: there is no such option"),
        (("name=ä",), "name='ä'"),
        (("baselines=[1]",), "baselines=[1]"),
        (("model.build=null",), "model.build: no `_target_`"),
        (("workers=0",), "workers=0"),
    ],
)
def test_a_wrong_word_is_one_line_and_writes_nothing(
    bakeoff: Bakeoff, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    chosen = () if any(w.startswith("dataset=") for w in words) else ("dataset=blocks",)
    small = () if any(w.startswith("k=") for w in words) else ("k=[3]",)
    done = bakeoff("run", *chosen, *small, *words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in done.stderr
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()


def test_an_error_in_the_data_of_some_cells_is_a_failure_of_these(bakeoff: Bakeoff, tmp_path: Path) -> None:
    done = bakeoff("run", "dataset=blocks,unreadable", "model=by_item", "k=[3]", "name=both")
    assert done.returncode == 1, done.stderr
    cells = rows(tmp_path / "results/both/cells.csv")
    assert {(c["dataset"], c["status"]) for c in cells} == {("blocks", "done"), ("unreadable", "failed")}
    message = {c["key"]: c["reason"] for c in cells}
    assert bakeoff("report", "both", "k=[2]").returncode == 0
    cells = rows(tmp_path / "results/both/cells.csv")
    assert {(c["dataset"], c["status"]) for c in cells} == {("blocks", "done"), ("unreadable", "failed")}
    assert {c["key"]: c["reason"] for c in cells} == message


def test_a_folder_without_its_store_is_left_as_it_is(bakeoff: Bakeoff, tmp_path: Path) -> None:
    assert bakeoff("run", "dataset=blocks", "model=by_item", "k=[3]").returncode == 0
    (tmp_path / "results/store").rename(tmp_path / "elsewhere")
    before = {p: p.read_bytes() for p in (tmp_path / "results").rglob("*") if p.is_file()}
    done = bakeoff("report", "blocks")
    assert done.returncode == 2 and "it holds no cell of experiment 'blocks'" in done.stderr
    assert {p: p.read_bytes() for p in (tmp_path / "results").rglob("*") if p.is_file()} == before


def test_an_experiment_of_failures_alone_can_be_reported_again(bakeoff: Bakeoff) -> None:
    words = ("dataset=blocks", "model=breaks", "k=[3]", "depth=4", "baselines=[]")
    assert bakeoff("run", *words).returncode == 1
    done = bakeoff("report", "blocks")
    assert done.returncode == 0 and "the matrix is singular" in done.stdout


def test_another_launcher_gives_the_same_numbers(bakeoff: Bakeoff, tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    words = ("dataset=blocks", "model=by_item", "k=[3]")
    for more in ((), ("hydra/launcher=joblib", "hydra.launcher.n_jobs=1")):
        done = bakeoff("run", *words, *more, f"results_dir={len(more)}")
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "0/blocks/metrics.csv").read_bytes() == (
        tmp_path / "2/blocks/metrics.csv"
    ).read_bytes()


def test_a_plan_says_what_would_run_and_writes_nothing(
    bakeoff: Bakeoff, finished: tuple[Path, str], tmp_path: Path
) -> None:
    done = bakeoff("plan", *GRID)
    assert done.returncode == 0, done.stderr
    assert "16 cells: 0 stored, 12 to run" in done.stdout
    assert not (tmp_path / "results").exists()
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    assert "16 cells: 16 stored, 0 to run" in bakeoff("plan", *GRID).stdout


@pytest.mark.usefixtures("_grid")
def test_other_ks_are_measured_from_the_stored_lists(bakeoff: Bakeoff, tmp_path: Path) -> None:
    done = bakeoff("report", "blocks", "k=[2,7]", "metrics=[ndcg,recall]")
    assert done.returncode == 0, done.stderr
    files = {(m["metric"], m["k"]) for m in rows(tmp_path / "results/blocks/metrics.csv")}
    assert {("ndcg", "2"), ("ndcg", "7"), ("recall", "2"), ("recall", "7")} <= files
    refused = bakeoff("report", "blocks", "k=[11]")
    assert refused.returncode == 2 and "depth=10" in refused.stderr


def test_the_exported_tables_hold_what_was_evaluated(bakeoff: Bakeoff, tmp_path: Path) -> None:
    import pandas as pd

    bakeoff("run", "dataset=blocks", "model=by_item", "k=[3]", "baselines=[]")
    done = bakeoff("export", "blocks", "--to", "out")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "out").iterdir()
    train, test, lists = (pd.read_parquet(folder / f"{n}.parquet") for n in ("train", "test", "lists"))
    assert list(train.columns) == ["user", "item", "value", "time"]
    assert list(lists.columns) == ["user", "item", "rank", "score"]
    hits = lists[lists["rank"] <= 3].merge(test, on=["user", "item"]).groupby("user").size()
    precision = hits.reindex(test["user"].unique(), fill_value=0).mean() / 3
    stored = rows(tmp_path / "results/blocks/metrics.csv")
    (value,) = [float(m["value"]) for m in stored if m["metric"] == "precision" and m["k"] == "3"]
    assert value == pytest.approx(precision, abs=1e-12)


def test_a_seed_without_effect_still_has_its_row(bakeoff: Bakeoff, tmp_path: Path) -> None:
    bakeoff("run", "dataset=blocks", "model=by_item", "seed=1,2,3", "k=[3]", "baselines=[]")
    cells = rows(tmp_path / "results/blocks/cells.csv")
    assert [c["seed"] for c in cells] == ["1", "2", "3"]
    assert len({c["key"] for c in cells}) == 1


def test_more_cells_join_a_known_name_and_fresh_starts_anew(bakeoff: Bakeoff, tmp_path: Path) -> None:
    def models() -> set[str]:
        return {c["model"] for c in rows(tmp_path / "results/x/cells.csv")}

    words = ("dataset=blocks", "k=[3]", "name=x", "baselines=[]")
    bakeoff("run", *words, "model=by_item")
    bakeoff("run", *words, "model=shuffled")
    assert models() == {"by_item", "shuffled"}
    bakeoff("run", *words, "model=shuffled", "fresh=true")
    assert models() == {"shuffled"}


def test_changed_data_under_a_stored_split_are_refused(bakeoff: Bakeoff, tmp_path: Path) -> None:
    plays = tmp_path / "plays.csv"
    lines = [f"u{u},i{i},{1 + (u * i) % 5}" for u in range(12) for i in range(10) if (u + i) % 3]
    plays.write_text("\n".join(["user,item,n", *lines]) + "\n")
    words = (
        *("dataset=csv", "dataset.path=plays.csv", "dataset.user=user", "dataset.item=item"),
        *("dataset.value=n", "model=by_item", "k=[3]"),
    )
    assert bakeoff("run", *words).returncode == 0
    plays.write_text("\n".join(["user,item,n", *lines[1:]]) + "\n")
    before = timeless(tmp_path / "results")
    done = bakeoff("run", *words)
    assert done.returncode == 2
    assert "plays.csv" in done.stderr and "changed" in done.stderr and done.stderr.count("\n") == 1
    assert timeless(tmp_path / "results") == before
    assert bakeoff("run", *words, "fresh=true").returncode == 0


def test_isolated_cells_and_several_at_once_give_the_same_bytes(bakeoff: Bakeoff, tmp_path: Path) -> None:
    words = (*GRID, "seed=1", "baselines=[]")
    bakeoff("run", *words, "results_dir=one")
    done = bakeoff("run", *words, "results_dir=two", "workers=2")
    assert done.returncode == 0, done.stderr
    one, two = timeless(tmp_path / "one"), timeless(tmp_path / "two")
    del one["blocks/experiment.json"], two["blocks/experiment.json"]
    assert one == two


def test_a_time_limit_ends_a_cell_and_not_the_sweep(bakeoff: Bakeoff, tmp_path: Path) -> None:
    done = bakeoff("run", "dataset=blocks", "model=by_item,sleeps", "k=[3]", "time_limit=8", "baselines=[]")
    assert done.returncode == 1
    cells = {c["model"]: c for c in rows(tmp_path / "results/blocks/cells.csv")}
    assert cells["by_item"]["status"] == "done"
    assert cells["sleeps"]["reason"] == "time limit: not done after 8 s"


def test_an_interrupt_ends_with_130_and_keeps_what_is_done(bakeoff: Bakeoff, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bakeoff", "run", f"--config-dir={HERE / 'conf'}", "dataset=blocks"]
    command += ["model=by_item,sleeps", "k=[3]", "baselines=[]"]
    running = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": PATH},
        stderr=subprocess.PIPE,
        text=True,
        # A worker of pytest-xdist, or a shell's background job, ignores it, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.rglob("record.json")) and time.monotonic() < deadline:
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    _, stderr = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "interrupted" in stderr and "Traceback" not in stderr
    assert len(list(tmp_path.rglob("record.json"))) == 1


def test_a_grid_may_tune_and_not_tune_and_the_tuners_options_are_for_the_first(bakeoff: Bakeoff) -> None:
    words = ("dataset=blocks", "model=by_item", "k=[5]", "depth=10")
    done = bakeoff("plan", *words, "tune=none,optuna", "tune.trials=3")
    assert done.returncode == 0, done.stderr
    for wrong, message in (("tune.trials=3", "add tune=optuna"), ("tune=optuna tune.trails=3", "'trials'")):
        refused = bakeoff("plan", *words, *wrong.split(" "))
        assert refused.returncode == 2
        assert message in refused.stderr and refused.stderr.count("\n") == 1
