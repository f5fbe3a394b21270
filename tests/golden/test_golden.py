"""Five experiments whose keys, labels and numbers are those of the first version that stored them.

To move one on purpose, write the files anew (`python tests/golden/test_golden.py FOLDER`) and say so
under Results in the changelog.
"""

from __future__ import annotations

import csv
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from bakeoff import cli

HERE = Path(__file__).parent
SMALL = ("dataset.n_users=90", "dataset.n_items=160", "dataset.n_rows=2000", "depth=20")

EXPERIMENTS: dict[str, tuple[str, ...]] = {
    "models": (
        *SMALL,
        "model=als,biases,bpr,ease,itemknn_bm25,itemknn_cosine,itemknn_tfidf,lightfm_bpr,lightfm_logistic,lmf,"
        "sar,warp,warp_features,warp_kos",
        "seed=1,2",
        "k=[1,10]",
    ),
    "splits": (
        *SMALL,
        "split=random,random_rows,chronological,temporal,leave_last_out,held_out_users,kfold",
        "split_seed=1,2",
        "model=itemknn_cosine,ease",
        "k=[3]",
        "metrics=conventions",
    ),
    "tuned": (
        *SMALL,
        "model=als,itemknn_cosine,ease,lightfm_bpr",
        "tune=none,optuna",
        "tune.trials=4",
        "k=[10]",
        "metrics=accuracy",
    ),
    "objectives": (
        *SMALL,
        "model=bpr,itemknn_bm25",
        "split=temporal",
        "tune=optuna",
        "tune.trials=3",
        "tune.objectives=[ndcg@10,catalog_coverage@10]",
        "tune.sampler=random",
        "k=[10]",
    ),
    "ml_100k": (
        "dataset=ml_100k",
        "split=temporal",
        "model=sar,itemknn_cosine,biases",
        "k=[5,20]",
        "depth=50",
        "metrics=accuracy",
    ),
}

MEASURED = {"load_s", "split_s", "tune_s", "fit_s", "recommend_s", "evaluate_s", "write_s", "peak_mb"}
"""Columns that differ from run to run."""


def run(name: str, results: Path) -> Path:
    """Run an experiment and return its folder."""
    assert cli.main(["run", *EXPERIMENTS[name], f"results_dir={results}", f"name={name}"]) == 0
    return results / name


def rows(path: Path, *without: str) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [{k: v for k, v in row.items() if k not in without} for row in csv.DictReader(file)]


@pytest.mark.parametrize("name", [n for n in EXPERIMENTS if n != "ml_100k"])
def test_an_experiment_has_the_keys_labels_and_numbers_of_the_golden_files(name: str, tmp_path: Path) -> None:
    check(name, run(name, tmp_path))


@pytest.mark.real_data
def test_an_experiment_on_public_data_has_them_too(real_data: Path, tmp_path: Path) -> None:
    check("ml_100k", run("ml_100k", tmp_path))


def check(name: str, folder: Path) -> None:
    assert rows(folder / "cells.csv", *MEASURED) == rows(HERE / name / "cells.csv", *MEASURED)
    new, golden = (rows(f / "metrics.csv", "value", "stderr") for f in (folder, HERE / name))
    assert new == golden
    for column in ("value", "stderr"):
        values = [
            np.array([float(row[column] or 0) for row in rows(f / "metrics.csv")])
            for f in (folder, HERE / name)
        ]
        # Another BLAS kernel may swap two neighbours of a list: a mean over users moves by less.
        scale = np.array([max(1.0, abs(value)) for value in values[1]])
        np.testing.assert_array_less(np.abs(values[0] - values[1]) / scale, 0.02)


if __name__ == "__main__":
    for experiment in EXPERIMENTS:
        written = run(experiment, Path(sys.argv[1]))
        (HERE / experiment).mkdir(exist_ok=True)
        for file in ("metrics.csv", "cells.csv"):
            shutil.copy(written / file, HERE / experiment / file)
