from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from bakeoff.data.source import Step
from bakeoff.errors import UsageError
from bakeoff.report import files
from bakeoff.storage.experiment import Experiment

TEXTS = {"metrics.csv", "cells.csv", "report.md", "report.tex", "report.html"}
BOARD = "charts/1-plays-random-leader-board.svg"
NAMES = {*TEXTS, "metrics.parquet", "cells.parquet", BOARD}


def results_of(make):
    numbers = {"ndcg": {"10": (0.25, 0.01)}, "auc": {"": (0.5, 0.02)}}
    done = [make(m, numbers, seed=s, environment={"bakeoff": "1"}) for m in ("als", "warp") for s in (1, 2)]
    return [*done, make("ease", status="skipped", reason="needs 90 GB")]


def read(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


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


def test_the_markdown_report_shows_the_charts_beside_it(make, metrics, tmp_path) -> None:
    files.write(tmp_path, "x", results_of(make), (10,), metrics, [])
    shown = re.findall(r"!\[[^]]+\]\((.+)\)", (tmp_path / "report.md").read_text())
    assert shown == [BOARD]
    drawing = ElementTree.fromstring((tmp_path / BOARD).read_text())
    texts = ["".join(t.itertext()) for t in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert {"als", "warp", "0.25"} <= set(texts)


def test_charts_of_a_former_report_go(make, metrics, tmp_path) -> None:
    files.write(tmp_path, "x", results_of(make), (10,), metrics, [])
    (tmp_path / "charts" / "9-other.svg").write_text("old")
    (tmp_path / "charts" / "mine.txt").write_text("kept")
    files.write(tmp_path, "x", [make("a", status="failed", reason="broke")], (10,), metrics, [])
    assert {n for n in read(tmp_path) if n.startswith("charts")} == {"charts/mine.txt"}


def test_a_report_that_holds_less_than_the_earlier_one_says_how_to_write_that_again(
    make, metrics, tmp_path
) -> None:
    numbers = {"ndcg": {"5": (0.25, 0.01), "10": (0.25, 0.01)}, "auc": {"": (0.5, 0.02)}}
    results = [make(m, numbers) for m in ("als", "warp")]
    folder, ndcg = tmp_path / "x", {"ndcg": metrics["ndcg"]}
    Experiment("x", tuple(r.request for r in results)).write(folder)
    assert files.lost(folder, "x", results, (5, 10), metrics) == ""
    files.write(folder, "x", results, (5, 10), metrics, [])
    assert files.lost(folder, "x", results, (5, 10), metrics) == ""
    text = files.lost(folder, "x", results[:1], (5,), ndcg)
    for part in ("k 10", "metrics auc", "models warp", "report x k=5,10 metrics=auc,ndcg results_dir="):
        assert part in text
    Experiment("x", (results[0].request,)).write(folder)  # fresh=true leaves warp out
    assert "warp" not in files.lost(folder, "x", results[:1], (5,), metrics)


def test_every_report_shows_the_ledger_of_the_preparation(make, metrics, tmp_path, monkeypatch) -> None:
    steps = (Step("read", 1_234_567, 2, 3, total=5.5), Step("5-core", 6, 2, 3, part="test"))
    monkeypatch.setattr(files, "_with_notes", lambda table, store: replace(table, ledger=steps))
    files.write(tmp_path, "x", results_of(make), (10,), metrics, [])
    for name in ("report.md", "report.tex", "report.html"):
        text = (tmp_path / name).read_text()
        assert all(part in text for part in ("1,234,567", "5-core", "5.5")), name
