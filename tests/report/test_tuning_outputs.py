"""Tuning in the files of a report: in each format the same rows, and text from data stays data."""

from __future__ import annotations

import csv
import json

import pytest
from markdown_it import MarkdownIt
from msgspec.structs import replace

from bakeoff.report import files
from bakeoff.report.rows import TUNING_COLUMNS, tuning_rows
from tuned_records import FAILED, PRUNED, SPACE, TUNE, tuning

NDCG = {"ndcg": {"10": (0.25, 0.01)}}
HOSTILE = "<script>|_x_ [a](b) {{ y }} 50 % \\input{z}\nnew"


@pytest.fixture
def results(make):
    record = tuning([0.1, 0.3, PRUNED, FAILED])
    repeated = replace(record.trials[1], from_memory=True)
    record = replace(record, trials=(record.trials[0], repeated, *record.trials[2:]))
    tuned = make("als", NDCG, space=SPACE, tune=TUNE, tuning=record, key="t", environment={"bakeoff": "1"})
    return [make("popularity", NDCG, target="toys.Popularity"), make("als", NDCG, space=SPACE), tuned]


def test_there_is_a_row_for_each_trial(results) -> None:
    rows = [dict(zip(TUNING_COLUMNS, row, strict=True)) for row in tuning_rows(results)]
    assert [(r["key"], r["model"], r["tune"], r["trial"], r["state"], r["value"]) for r in rows] == [
        ("t", "als", "optuna", 0, "complete", 0.1),
        ("t", "als", "optuna", 1, "complete", 0.3),
        ("t", "als", "optuna", 2, "pruned", None),
        ("t", "als", "optuna", 3, "failed", None),
    ]
    assert [r["epochs"] for r in rows] == [None, None, 4, None]
    assert [(r["from_memory"], r["best"], r["reason"]) for r in rows] == [
        *((0, 0, ""), (1, 1, ""), (0, 0, ""), (0, 0, "MemoryError: 9 GB")),
    ]
    assert json.loads(rows[1]["parameters"]) == {"reg": 1.5, "weights": "none"}


def test_several_objectives_stand_beside_the_first(make) -> None:
    record = tuning([0.1, 0.2], objectives={"ndcg@10": [0.1, 0.2], "novelty@10": [3.0, 2.0]})
    rows = tuning_rows([make("als", NDCG, space=SPACE, tune=TUNE, tuning=record)])
    at = TUNING_COLUMNS.index("values")
    assert [json.loads(str(row[at])) for row in rows] == [
        {"ndcg@10": 0.1, "novelty@10": 3.0},
        {"ndcg@10": 0.2, "novelty@10": 2.0},
    ]


def test_the_file_is_there_only_where_something_was_tuned(results, metrics, tmp_path) -> None:
    files.write(tmp_path, "x", results, (10,), metrics, [])
    with (tmp_path / "tuning.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == list(TUNING_COLUMNS)
    assert [float(r["value"]) for r in lines if r["value"]] == [0.1, 0.3]
    files.write(tmp_path, "x", results[:2], (10,), metrics, [])
    assert not (tmp_path / "tuning.csv").exists()


def test_the_same_results_give_the_same_bytes(results, metrics, tmp_path) -> None:
    for name, order in (("a", results), ("b", results[::-1])):
        files.write(tmp_path / name, "x", order, (10,), metrics, ["bakeoff run"])
    for path in (p for p in (tmp_path / "a").rglob("*") if p.is_file()):
        other = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert path.read_bytes() == other.read_bytes(), path.name


def test_every_format_says_what_was_best(results, metrics, tmp_path) -> None:
    files.write(tmp_path, "x", results, (10,), metrics, [])
    for name, text in (
        ("report.md", "reg=1.5, weights=none"),
        ("report.tex", "reg=1.5, weights=none"),
        ("report.html", "reg=1.5, weights=none"),
    ):
        content = (tmp_path / name).read_text()
        assert text in content, name
        assert "No search space, so as configured" in content, name


def test_words_of_a_space_and_of_a_failure_are_no_markup(make, metrics, tmp_path) -> None:
    record = tuning([0.1, 0.3, FAILED], edges=[f"{HOSTILE} lies at the low end"])
    hostile = {"parameters": {HOSTILE: HOSTILE}, "reason": HOSTILE}
    trials = tuple(replace(trial, **hostile) for trial in record.trials)
    record = replace(record, trials=trials, best=trials[1])
    choices = {"_target_": "optuna.distributions.CategoricalDistribution", "choices": [HOSTILE]}
    result = make(HOSTILE, NDCG, space={HOSTILE: choices}, tune=TUNE, tuning=record)
    files.write(tmp_path, "x", [result], (10,), metrics, [])
    page = (tmp_path / "report.html").read_text()
    assert HOSTILE.partition("\n")[0] not in page
    shown = HOSTILE.replace("\n", "\\n")
    text = MarkdownIt("gfm-like", {"linkify": False}).parse((tmp_path / "report.md").read_text())
    cells = [t.children[0].content for t in text if t.type == "inline" and len(t.children or []) == 1]
    assert f"{shown}={shown}" in cells
    with (tmp_path / "tuning.csv").open(newline="") as file:
        assert [json.loads(r["parameters"]) for r in csv.DictReader(file)] == [{HOSTILE: HOSTILE}] * 3
