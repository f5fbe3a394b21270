from __future__ import annotations

import pytest

from bakeoff.errors import UsageError
from bakeoff.report import files

TEXTS = {"metrics.csv", "cells.csv", "report.md", "report.tex", "report.html"}
NAMES = {*TEXTS, "metrics.parquet", "cells.parquet"}


def results_of(make):
    numbers = {"ndcg": {"10": (0.25, 0.01)}, "auc": {"": (0.5, 0.02)}}
    done = [make(m, numbers, seed=s, environment={"bakeoff": "1"}) for m in ("als", "warp") for s in (1, 2)]
    return [*done, make("ease", status="skipped", reason="needs 90 GB")]


def read(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_results_give_the_same_bytes(make, metrics, tmp_path) -> None:
    results = results_of(make)
    files.write(tmp_path / "a", "x", results, (10,), metrics, ["bakeoff run"])
    files.write(tmp_path / "b", "x", results[::-1], [10], metrics, ("bakeoff run",))
    assert set(read(tmp_path / "a")) == NAMES
    assert read(tmp_path / "a") == read(tmp_path / "b")
    files.write(tmp_path / "b", "x", results, (10,), metrics, ["bakeoff run"])
    assert read(tmp_path / "a") == read(tmp_path / "b")


def test_seconds_and_memory_do_not_stand_in_the_file_of_numbers(make, metrics, tmp_path) -> None:
    numbers = {"ndcg": {"10": (0.25, 0.01)}}
    for name, time in (("a", 1.0), ("b", 2.0)):
        slow = make("als", numbers, seconds={"fit": time}, peak_mb=time, started=f"{time}")
        files.write(tmp_path / name, "x", [slow], (10,), metrics, [])
    first, second = read(tmp_path / "a"), read(tmp_path / "b")
    assert first["metrics.csv"] == second["metrics.csv"]
    assert first["metrics.parquet"] == second["metrics.parquet"]
    assert first["cells.csv"] != second["cells.csv"]


def test_files_end_lines_as_unix_does(make, metrics, tmp_path) -> None:
    files.write(tmp_path, "x", results_of(make), (10,), metrics, ["bakeoff run"])
    for content in (read(tmp_path)[name] for name in TEXTS):
        assert b"\r" not in content
        assert content.endswith(b"\n")


def test_nothing_is_written_where_splits_are_mixed(make, metrics, tmp_path) -> None:
    results = [make(m, {"ndcg": {"10": (0.1, 0.1)}}, fingerprint=m) for m in ("a", "b")]
    with pytest.raises(UsageError):
        files.write(tmp_path, "x", results, (10,), metrics, [])
    assert not read(tmp_path)


def test_an_experiment_in_which_nothing_ran_still_has_its_report(make, metrics, tmp_path) -> None:
    failed = [make("als", status="failed", reason="broke", fingerprint="")]
    files.write(tmp_path, "x", failed, (10,), metrics, [])
    assert "failed: broke" in (tmp_path / "report.md").read_text()
