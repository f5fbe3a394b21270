"""Running and loading an experiment from Python, with its store and without."""

from __future__ import annotations

import csv
import json
import logging
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bakeoff as bo
from bakeoff.errors import ConfigError, UsageError
from bakeoff.evaluation.variance import summarise
from bakeoff.storage.store import write_json

TOYS = f"--config-dir={Path(__file__).parents[1] / 'conf'}"
GRID = {
    "dataset": "blocks",
    "split": "random",
    "model": "by_item,shuffled",
    "seed": "1,2",
    "k": [2, 4],
    "depth": 8,
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with one experiment, made through the function that a notebook calls."""
    folder = tmp_path_factory.mktemp("notebook") / "results"
    made = bo.run(TOYS, **GRID, name="toys", results_dir=str(folder))
    assert set(made.cells["status"]) == {"done"}
    return folder


@pytest.fixture
def run(results: Path) -> bo.Loaded:
    return bo.load(results / "toys")


@pytest.fixture
def bare(results: Path, tmp_path: Path) -> bo.Loaded:
    """The committed folder alone, as a clone of the repository has it."""
    shutil.copytree(results / "toys", tmp_path / "results" / "toys")
    return bo.load(tmp_path / "results" / "toys")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# -- running -------------------------------------------------------------------------------------


def test_a_second_run_in_the_same_process_fits_nothing(results: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in results.rglob("record.json")}
    again = bo.run(TOYS, **GRID, name="toys", results_dir=str(results))
    assert {p: p.stat().st_mtime_ns for p in results.rglob("record.json")} == before
    assert len(again.results) == 8


def test_the_command_is_kept_as_the_command_line_would_have_it(results: Path) -> None:
    commands = json.loads((results / "toys" / "experiment.json").read_text())["commands"]
    assert len(commands) == 1
    assert (
        commands[0].startswith("bakeoff run")
        and "model=by_item,shuffled" in commands[0]
        and "'k=[2,4]'" in commands[0]
    )


def test_nothing_of_hydra_is_left_behind(tmp_path: Path) -> None:
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    handlers, argv = list(logging.getLogger().handlers), list(sys.argv)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.yaml").write_text("answer: 42\n")
    with initialize_config_dir(str(tmp_path / "mine"), version_base="1.3"):
        bo.run(TOYS, dataset="blocks", model="by_item", k=[2], depth=8, results_dir=str(tmp_path / "results"))
        assert compose("config").answer == 42  # the Hydra of the notebook is as it was
    assert not GlobalHydra.instance().is_initialized()
    assert "HYDRA_FULL_ERROR" not in os.environ
    assert (list(logging.getLogger().handlers), list(sys.argv)) == (handlers, argv)
    with pytest.raises(ConfigError, match="model=nothing"):
        bo.run(TOYS, model="nothing", results_dir=str(tmp_path / "results"))
    assert not GlobalHydra.instance().is_initialized()


def test_one_call_makes_one_experiment(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"makes 2 experiments .*give one name"):
        bo.run(TOYS, dataset="blocks,simulated", k=[2], depth=8, results_dir=str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_failed_cell_is_data(tmp_path: Path) -> None:
    words = {"dataset": "blocks", "model": "breaks", "k": [2], "depth": 8, "name": "x"}
    made = bo.run(TOYS, **words, results_dir=str(tmp_path))
    failed = made.cells.set_index("model").loc["breaks"]
    assert failed["status"] == "failed" and "singular" in failed["reason"]
    assert np.isnan(made.leaderboard(2).set_index("model").loc["breaks", "ndcg@2"])


# -- loading -------------------------------------------------------------------------------------


def test_frames_are_the_files(run: bo.Loaded, results: Path) -> None:
    for frame, file in ((run.metrics, "metrics"), (run.cells, "cells")):
        written = rows(results / "toys" / f"{file}.csv")
        assert list(frame.columns) == list(written[0])
        assert frame["key"].tolist() == [row["key"] for row in written]
    assert run.metrics["value"].tolist() == [
        float(r["value"]) for r in rows(results / "toys" / "metrics.csv")
    ]
    assert run.metrics["k"].dtype == pd.Int64Dtype()
    assert run.metrics[run.metrics["k"] == 4]["metric"].nunique() > 5


def test_the_leader_board_holds_means_over_fits(run: bo.Loaded) -> None:
    board = run.leaderboard(k=4, metrics=["ndcg", "catalog_coverage"])
    written = run.metrics.query("k == 4 and metric == 'ndcg'")
    for _, row in board.iterrows():
        own = written[written["model"] == row["model"]].drop_duplicates("key")
        assert row["ndcg@4"] == pytest.approx(own["value"].mean(), abs=1e-12)
        assert (row["runs"], row["fits"]) == (2, len(own))
        values = [run.workspace.store.per_user(key, ["ndcg@4"])["ndcg@4"] for key in own["key"]]
        half = summarise([[np.stack(values)]]).spread.half_widths()[0]
        assert row["ndcg@4_high"] - row["ndcg@4"] == pytest.approx(half, abs=1e-9)
    assert board["ndcg@4"].is_monotonic_decreasing


def test_another_cutoff_is_measured_from_the_stored_lists(run: bo.Loaded) -> None:
    assert run.leaderboard(k=[2, 7], metrics="hit_rate")["hit_rate@7"].notna().all()
    with pytest.raises(ConfigError, match="k=9 is larger than depth=8"):
        run.leaderboard(k=9)


def test_names_that_nobody_has_are_answered_with_those_there_are(run: bo.Loaded) -> None:
    with pytest.raises(UsageError, match="did you mean 'ndcg'"):
        run.leaderboard(k=4, metrics="ndgc")
    with pytest.raises(UsageError, match="did you mean 'by_item'"):
        run.lists("by_itme")
    with pytest.raises(UsageError, match="dataset 'nothing'"):
        run.leaderboard(k=4, dataset="nothing")
    with pytest.raises(UsageError, match="did you mean 'seed'"):
        run.lists(sed=1)
    with pytest.raises(UsageError, match="did you mean 'leader-board'"):
        run.chart("leaderboard")
    with pytest.raises(UsageError, match=r"no experiment.*did you mean 'toys'"):
        bo.load(run.folder.parent / "tois")


def test_a_comparison_is_the_mean_of_the_users_differences(run: bo.Loaded) -> None:
    (row,) = run.compare("by_item", "popularity", metrics="recall", k=4).to_dict("records")
    values = [run.per_user(m).groupby("user")["recall@4"].mean() for m in ("by_item", "popularity")]
    differences = values[0] - values[1]
    assert row["difference"] == pytest.approx(differences.mean(), abs=1e-12)
    assert (row["wins"], row["losses"]) == ((differences > 0).sum(), (differences < 0).sum())
    assert row["wins"] + row["ties"] + row["losses"] == row["users"] == len(differences)
    assert row["low"] <= row["difference"] <= row["high"]
    assert row["p"] <= row["p_corrected"] <= 1
    (back,) = run.compare("popularity", "by_item", metrics="recall", k=4).to_dict("records")
    assert back["difference"] == -row["difference"] and back["p"] == row["p"]
    assert len(run.compare(k=4)) == 6  # all pairs of four models
    assert set(run.compare("by_item", k=4)["second"]) == {"popularity", "random", "shuffled"}
    with pytest.raises(UsageError, match="cannot be tested: one number for the whole set"):
        run.compare(metrics="catalog_coverage", k=4)
    with pytest.raises(UsageError, match="first and second are both 'by_item'"):
        run.compare("by_item", "by_item")


def test_lists_are_in_the_users_own_ids(run: bo.Loaded) -> None:
    lists = run.lists("by_item")
    assert list(lists.columns) == ["key", "model", "user", "item", "rank", "score"]
    assert lists["user"].str.match(r"u\d{3}").all() and lists["item"].str.match(r"i\d{3}").all()
    assert lists.groupby("user")["rank"].apply(lambda r: r.tolist() == list(range(1, len(r) + 1))).all()
    assert run.lists("shuffled")["key"].nunique() == 2
    assert run.lists("shuffled", seed=2)["key"].nunique() == 1


def test_charts_show_themselves_without_asking_an_address(run: bo.Loaded) -> None:
    chart = run.chart()
    shown = chart._repr_mimebundle_()
    assert {"text/plain", "image/svg+xml"} < set(shown)
    assert shown["image/svg+xml"].startswith("<svg")
    (rich,) = [mime for mime in shown if mime.startswith("application/vnd.vegalite.")]
    assert shown[rich] == chart.spec
    assert chart.altair().to_dict()["title"] == chart.spec["title"]


def test_a_run_shows_a_leader_board_in_which_names_are_data(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results / "toys", tmp_path / "toys")
    text = (tmp_path / "toys" / "experiment.json").read_text()
    hostile = "<script>alert(1)</script>"
    renamed = text.replace('"name": "by_item"', f'"name": "{hostile}"')
    write_json(tmp_path / "toys" / "experiment.json", json.loads(renamed))
    page = bo.load(tmp_path / "toys", store=results / "store")._repr_html_()
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "0." in page and "shuffled" in page


# -- without the store ---------------------------------------------------------------------------


def test_tables_alone_give_the_same_tables(run: bo.Loaded, bare: bo.Loaded) -> None:
    assert len(bare.bare) == len({r.request.key for r in run.results})
    pd.testing.assert_frame_equal(
        bare.metrics, bo.load(run.folder).metrics.query("k.isna() or k in (2, 4)").reset_index(drop=True)
    )
    pd.testing.assert_frame_equal(bare.cells, run.cells)
    for k in (2, 4):
        board = run.leaderboard(k, metrics=["ndcg", "gini"]).drop(columns="settings", errors="ignore")
        tables = bare.leaderboard(k, metrics=["ndcg", "gini"]).drop(columns="settings")
        several = tables["fits"] > 1  # their intervals need the values by user
        ends = [f"ndcg@{k}_{end}" for end in ("low", "high")]
        assert tables.loc[several, ends].isna().all(axis=None)
        board.loc[several, ends] = np.nan
        pd.testing.assert_frame_equal(tables, board)


def test_what_needs_the_store_says_what_is_missing_and_what_to_do(bare: bo.Loaded) -> None:
    assert "not in the store" in repr(bare) and "tables only" in bare._repr_html_()
    for ask in (bare.lists, bare.per_user, bare.tuning, bare.compare, bare.split):
        with pytest.raises(UsageError, match=r"store.*bring the store.*bakeoff run"):
            ask(k=4) if ask == bare.compare else ask()
    with pytest.raises(UsageError, match=r"tables in .* do not hold k=3: bring"):
        bare.leaderboard(k=3)


def test_tables_that_are_not_whole_are_refused(bare: bo.Loaded) -> None:
    cells = bare.folder / "cells.csv"
    lines = cells.read_text().splitlines(keepends=True)
    cells.write_text("".join(lines[:-1]))
    with pytest.raises(UsageError, match="no row of cell"):
        bo.load(bare.folder)
    cells.write_text("".join(lines).replace("done", "done", 1).replace("key,", "clef,", 1))
    with pytest.raises(UsageError, match="no column 'key'"):
        bo.load(bare.folder)
    cells.unlink()
    with pytest.raises(UsageError, match="no such file"):
        bo.load(bare.folder)


def test_no_class_of_the_experiment_is_imported_to_read_its_tables(bare: bo.Loaded) -> None:
    stored = bare.folder / "experiment.json"
    moved = stored.read_text().replace("toys.", "gone_since.").replace("bakeoff.splits.", "gone.since.")
    write_json(stored, json.loads(moved))
    pd.testing.assert_frame_equal(
        bo.load(bare.folder).leaderboard(4, metrics="ndcg"), bare.leaderboard(4, metrics="ndcg")
    )
