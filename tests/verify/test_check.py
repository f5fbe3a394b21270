"""A verification agrees with what was measured, and finds whatever is not as it was."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from bakeoff.errors import ConfigError, UsageError
from bakeoff.evaluation.catalogue import shipped
from bakeoff.queries.select import Result
from bakeoff.report.rows import METRIC_COLUMNS, csv_text, metric_rows
from bakeoff.run.cell import Cell, with_content_hashes
from bakeoff.run.runner import EvaluationSpec, Workspace, run_cell
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.record import CellRequest
from bakeoff.storage.store import Store, write_array, write_json
from bakeoff.verify.check import TOLERANCE, Verification, verify
from bakeoff.verify.libraries import LIBRARIES, select_libraries
from toys import without_hashes

METRICS = {name: metric.path for name, metric in shipped().items()}
MODELS = {
    "popularity": ("bakeoff.models.baselines.Popularity", {}),
    "biases": ("bakeoff.models.baselines.Biases", {}),
    "knn": ("bakeoff.models.neighbours.ItemKNN", {"K": 4}),
    "by_item": ("toys.ByItem", {}),
    "random": ("bakeoff.models.baselines.Random", {}),
}
SPLITS = {
    "random": {"_target_": "bakeoff.splits.per_user.Random", "ratio": 0.7},
    "held_out_users": {"_target_": "bakeoff.splits.held_out_users.HeldOutUsers", "share": 0.4},
    "temporal": {"_target_": "bakeoff.splits.temporal.Temporal", "cold_items": "keep"},
}
Made = tuple[Experiment, Path, Store]


def make(folder: Path, *cells: Cell, ks: tuple[int, ...] = (1, 3, 8), metrics: Any = METRICS) -> Made:
    """An experiment that was run, with its metrics.csv."""
    store = Store(folder / "store")
    workspace = Workspace(store)
    requests = [CellRequest(c.key, c) for c in map(with_content_hashes, cells)]
    records = [run_cell(a.cell, workspace, EvaluationSpec(ks, metrics), debug=True) for a in requests]
    experiment = Experiment("e", tuple(requests))
    experiment.write(folder / "e")
    results = [Result(a, r) for a, r in zip(requests, records, strict=True)]
    (folder / "e" / "metrics.csv").write_text(csv_text(METRIC_COLUMNS, metric_rows(results, ks)), "utf-8")
    return experiment, folder / "e", store


def cell(model: str, split: str = "random", **rest: Any) -> Cell:
    target, parameters = MODELS[model]
    return Cell(
        dataset={"_target_": "verify_toys.Described", "name": "blocks", "n_items": 18},
        split={"name": split, **SPLITS[split]},
        model={"name": model, "build": {"_target_": target, **parameters}},
        depth=12,
        **rest,
    )


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Made:
    few = {m: METRICS[m] for m in ("ndcg", "recall", "auc", "novelty", "diversity", "rmse")}
    return make(tmp_path_factory.mktemp("made"), cell("popularity"), cell("biases"), metrics=few)


@pytest.fixture
def made(original: Made, tmp_path: Path) -> Made:
    """Two cells to tamper with."""
    experiment, folder, _ = original
    shutil.copytree(folder.parent, tmp_path / "made")
    return experiment, tmp_path / "made" / "e", Store(tmp_path / "made" / "store")


def check(made: Made) -> Verification:
    """Verify as if the store had no hashes: its contents themselves must tell."""
    experiment, folder, store = made
    return verify(experiment, folder, without_hashes(store), [])


def rows(made: Made) -> list[dict[str, str]]:
    with (made[1] / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_rows(made: Made, changed: list[dict[str, str]]) -> None:
    with (made[1] / "metrics.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, METRIC_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(changed)


def key(made: Made, model: str) -> str:
    return next(a.key for a in made[0].requests if a.cell.model["name"] == model)


def faults(made: Made, model: str) -> str:
    """Return all messages about one cell; the other must have no fault."""
    result = check(made)
    assert not result.agrees
    assert {f.key for f in result.faults} == {key(made, model)}
    assert all(f.label.startswith(f"{model} on blocks, split random") for f in result.faults)
    return "\n".join(f.message for f in result.faults)


@pytest.mark.parametrize("split", SPLITS)
def test_every_metric_that_is_shipped_agrees(tmp_path: Path, split: str) -> None:
    made = make(tmp_path, *(cell(m, split) for m in MODELS))
    result = check(made)
    assert result.faults == [] and result.unverified == {}
    assert result.n_rows == len(rows(made)) and result.n_cells == len(MODELS)
    assert max(metric.largest for metric in result.metrics.values()) <= TOLERANCE
    measured = {row["metric"] for row in rows(made)}
    assert set(result.metrics) == measured and len(measured) > len(METRICS) - 4


def test_it_shares_no_code_with_the_evaluation() -> None:
    program = (
        "import sys, bakeoff.verify.check, bakeoff.verify.libraries;"
        "print([m for m in sys.modules if m.startswith('bakeoff.evaluation')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_row_for_each_seed_of_a_model_without_chance_is_looked_at(tmp_path: Path) -> None:
    made = make(tmp_path, *(cell("popularity", seed=s) for s in (1, 2)), metrics={"ndcg": METRICS["ndcg"]})
    assert len({r["key"] for r in rows(made)}) == 1 and len(rows(made)) == 6
    assert check(made).agrees
    changed = rows(made)
    changed[-1]["value"] = "0.123"
    write_rows(made, changed)
    assert {f.message.split(":")[0] for f in check(made).faults} == {"ndcg@8"}


class TestWhatWasTamperedWith:
    def test_a_digit_of_the_csv(self, made: Made) -> None:
        changed = rows(made)
        row = next(r for r in changed if r["key"] == key(made, "biases") and r["metric"] == "ndcg")
        row["value"] = repr(float(row["value"]) + 2e-9)
        write_rows(made, changed)
        text = faults(made, "biases")
        assert f"ndcg@{row['k']}: metrics.csv says {row['value']}, recomputed 0." in text
        assert f"ndcg@{row['k']}: metrics.csv says {row['value']} and standard error" in text  # the record

    def test_a_standard_error_alone(self, made: Made) -> None:
        changed = rows(made)
        row = next(r for r in changed if r["key"] == key(made, "popularity") and r["metric"] == "auc")
        row["stderr"] = "0.5"
        write_rows(made, changed)
        assert "standard error of auc: metrics.csv says 0.5, recomputed" in faults(made, "popularity")

    @pytest.mark.parametrize("text", ["", "nan", "much"])
    def test_what_is_no_number(self, made: Made, text: str) -> None:
        changed = rows(made)
        next(r for r in changed if r["key"] == key(made, "biases"))["value"] = text
        write_rows(made, changed)
        assert f"metrics.csv says {text or 'nothing'}, recomputed" in faults(made, "biases")

    def test_csv_and_record_alike(self, made: Made) -> None:
        changed, own = rows(made), key(made, "biases")
        row = next(r for r in changed if (r["key"], r["metric"], r["k"]) == (own, "recall", "3"))
        row["value"] = "0.5"
        write_rows(made, changed)
        path = made[2].cell_folder(own) / "record.json"
        record = json.loads(path.read_text())
        record["metrics"]["recall"]["3"][0] = 0.5
        write_json(path, record)
        assert faults(made, "biases").startswith("recall@3: metrics.csv says 0.5, recomputed")

    def test_a_stored_list_with_a_hit_moved_to_its_top(self, made: Made) -> None:
        store, own = made[2], key(made, "popularity")
        split, items = store.split(made[0].requests[0].cell.split_key), np.array(store.lists(own).items)
        hits = split.test[split.users].toarray()[np.arange(len(items))[:, None], items] > 0
        row = int(np.flatnonzero(~hits[:, 0] & hits.any(axis=1))[0])
        hit = int(np.flatnonzero(hits[row])[0])
        items[row, [0, hit]] = items[row, [hit, 0]]
        write_array(store.cell_folder(own) / "items.npy", items)
        text = faults(made, "popularity")
        assert "ndcg@1: metrics.csv says" in text and "recall@1" in text
        assert "per_user.parquet differs for 1 users" in text

    def test_a_list_with_a_seen_item(self, made: Made) -> None:
        self._first_item(made, "popularity", lambda split, row, items: split.history[row].indices)
        assert "an item was seen in train: user u" in faults(made, "popularity")

    def test_a_list_with_an_item_twice(self, made: Made) -> None:
        self._first_item(made, "popularity", lambda split, row, items: items[1:2])
        assert "an item is repeated: user u" in faults(made, "popularity")

    def test_an_item_outside_the_catalogue(self, made: Made) -> None:
        self._first_item(made, "popularity", lambda split, row, items: np.array([999]))
        text = faults(made, "popularity")
        assert "an item is outside the catalogue" in text and "were not recomputed" in text

    def _first_item(self, made: Made, model: str, choose: Callable[..., Any]) -> None:
        store, own = made[2], key(made, model)
        split = store.split(made[0].requests[0].cell.split_key)
        items = np.array(store.lists(own).items)
        new = next(i for i in choose(split, split.users[0], items[0]).tolist() if i != items[0, 0])
        items[0, 0] = new
        write_array(store.cell_folder(own) / "items.npy", items)

    def test_scores_that_rise(self, made: Made) -> None:
        store, own = made[2], key(made, "popularity")
        write_array(store.cell_folder(own) / "scores.npy", np.array(store.lists(own).scores)[:, ::-1].copy())
        assert "scores rise along the list or are not finite" in faults(made, "popularity")

    def test_a_rank_that_the_list_contradicts(self, made: Made) -> None:
        store, own = made[2], key(made, "popularity")
        stored = store.lists(own)
        split = store.split(made[0].requests[0].cell.split_key)
        hit = int(np.flatnonzero(np.isin(split.test[split.users[0]].indices, stored.items[0]))[0])
        above = np.array(stored.above)
        above[hit] = 11
        write_array(store.cell_folder(own) / "above.npy", above)
        text = faults(made, "popularity")
        assert "1 ranks of test items contradict the lists" in text and "auc: metrics.csv says" in text

    def test_a_value_of_one_user(self, made: Made) -> None:
        path = made[2].cell_folder(key(made, "popularity")) / "per_user.parquet"
        table = parquet.read_table(path)
        values = table["auc"].to_pylist()
        values[2] += 0.01
        parquet.write_table(table.set_column(table.column_names.index("auc"), "auc", [values]), path)
        text = faults(made, "popularity")
        assert text.startswith("auc: per_user.parquet differs for 1 users; the first, in row 3, has")

    def test_a_predicted_value(self, made: Made) -> None:
        store, own = made[2], key(made, "biases")
        predicted = np.array(store.lists(own).predicted)
        predicted[0] += 1
        write_array(store.cell_folder(own) / "predicted.npy", predicted)
        assert faults(made, "biases").startswith("rmse: metrics.csv says")

    def test_the_stored_split(self, made: Made) -> None:
        store = made[2]
        folder = store.split_folder(made[0].requests[0].cell.split_key)
        values = np.load(folder / "test.data.npy")
        values[0] += 1
        np.save(folder / "test.data.npy", values)
        result = check(made)
        assert {f.key for f in result.faults} == {key(made, m) for m in ("popularity", "biases")}
        assert "the stored split has fingerprint s" in result.faults[0].message

    def test_rows_left_out_or_of_another_cell(self, made: Made) -> None:
        changed = rows(made)
        for row in changed:
            row["key"] = "c0" if row["key"] == key(made, "biases") else row["key"]
        write_rows(made, changed)
        text = [(f.key, f.message) for f in check(made).faults]
        assert any(k == "c0" and "rows of no cell of the experiment" in what for k, what in text)
        assert (key(made, "biases"), "it is done, and metrics.csv has no row of it") in text

    def test_lists_that_are_gone(self, made: Made) -> None:
        (made[2].cell_folder(key(made, "biases")) / "items.npy").unlink()
        assert "items.npy: No such file" in faults(made, "biases")


def test_a_metric_of_the_users_own_is_named_as_not_verified(tmp_path: Path) -> None:
    made = make(tmp_path, cell("popularity"), metrics={"mine": METRICS["ndcg"], "recall": METRICS["recall"]})
    result = check(made)
    assert result.agrees and result.unverified == {"mine": "there is no second formula for it"}


def test_cells_without_numbers_are_named(made: Made) -> None:
    more = with_content_hashes(cell("knn"))
    experiment = Experiment("e", (*made[0].requests, CellRequest(more.key, more)))
    result = verify(experiment, made[1], made[2], [])
    assert result.agrees and result.without_numbers == [
        "knn on blocks, split random, split_seed 42, seed 1: has not run"
    ]


def test_without_tables_or_a_store_it_says_what_is_missing(made: Made, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no finished cell of experiment 'e' to verify"):
        verify(made[0], made[1], Store(tmp_path / "elsewhere"), [])
    (made[1] / "metrics.csv").unlink()
    with pytest.raises(UsageError, match=r"metrics\.csv: no such file; `bakeoff report e` writes it"):
        check(made)


class TestLibraries:
    def test_one_that_is_not_known_or_not_installed_names_what_to_do(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(ConfigError, match="references=ranks: did you mean 'ranx'"):
            select_libraries(["ranks"])
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(ConfigError, match=r"ranx is not installed: pip install 'bakeoff\[verify\]'"):
            select_libraries(["ranx"])
        assert select_libraries(None) == []

    def test_recommenders_is_not_asked_on_pandas_3(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
        monkeypatch.setattr("importlib.metadata.version", lambda name: "3.1.0")
        with pytest.raises(ConfigError, match=r"on pandas 3\.1\.0 its numbers are wrong"):
            select_libraries(["recommenders"])

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["ranx", "recommenders", "sklearn"])
    def test_they_agree_where_their_formula_is_the_same(self, tmp_path: Path, name: str) -> None:
        library = next(x for x in LIBRARIES if x.name == name)
        if library.unavailable():
            pytest.skip(library.unavailable())
        made = make(tmp_path, cell("popularity"), cell("biases"), cell("knn"))
        result = verify(*made, [library])
        checked = {name: check for name, check in result.metrics.items() if check.n_library}
        assert result.faults == [] and result.libraries == [library.title]
        expected = {"ranx": 8, "recommenders": 12, "sklearn": 4}[name]
        assert len(checked) == expected, sorted(checked)
        assert all(check.library_largest <= TOLERANCE for check in checked.values())

    def test_one_that_disagrees_is_a_difference(self, made: Made) -> None:
        library = LIBRARIES[0].__class__("odd", "pandas", "", lambda inputs, columns: {("ndcg", 3): 0.0})
        result = verify(*made, [library])
        assert {f.message.split(":")[0] for f in result.faults} == {"ndcg@3"}
        assert "pandas" in result.faults[0].message
