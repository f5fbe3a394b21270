from __future__ import annotations

import numpy as np

from bakeoff.data.describe import describe
from bakeoff.data.source import Dataset, Step
from bakeoff.queries.comparison import comparison
from bakeoff.report.page.compared import dataset_grid, missing_grid, model_grid, split_grid, subjects, unknown
from toys import blocks

NUMBERS = {"ndcg": {"10": (0.25, 0.01)}}


def texts(grid):
    return [dict(zip([h.text for h in grid.heads], [e.text for e in row], strict=True)) for row in grid.rows]


def test_a_data_set_is_told_by_size_density_and_long_tail(make) -> None:
    data = blocks()
    dataset = Dataset("plays", data, (Step("read", len(data), 24, 16, "<b>"),))
    (row,) = texts(dataset_grid([make("a"), make("b")], lambda cell: describe(dataset)))
    pairs = {(u, i) for u, i in zip(data.users, data.items, strict=True)}
    counts = np.sort(np.bincount([i for _, i in pairs]))[::-1]
    assert (row["users"], row["items"], row["interactions"]) == ("24", "16", str(len(pairs)))
    assert row["density"] == f"{100 * len(pairs) / (24 * 16):.3g} %"
    assert row["top 10 % hold"] == f"{100 * counts[:2].sum() / counts.sum():.3g} %"  # 10 % of 16, rounded up
    assert row["prepared"] == f"read (<b>): {len(data):,} rows"


def test_a_data_set_that_is_not_at_hand_says_so(make) -> None:
    grid = dataset_grid([make("a")], unknown)
    (row,) = texts(grid)
    assert row["prepared"] == "the data are not at hand"
    assert subjects(grid, ()).startswith("0 models on plays; ")


def test_splits_show_dates_cold_counts_and_fingerprints(make, metrics) -> None:
    counts = {
        "catalogue": 900, "train_pairs": 8000, "test_pairs": 1999, "test_users": 50, "dropped_cold_users": 3,
        "dropped_cold_items": 7, "train_first": "2020-01-01T00:00:00Z", "train_last": "2020-12-31T10:00:00Z",
        "test_first": "2021-01-01T00:00:00Z", "test_last": "2021-02-01T00:00:00Z",
        "dropped_seen_in_train": 12,
    }  # fmt: skip
    tables = comparison([make("a", NUMBERS, counts=counts, fingerprint="s123")], (10,), metrics)
    (row,) = texts(split_grid(tables))
    assert row["cold users dropped"] == "3"
    assert row["cold items dropped"] == "7"
    assert row["train pairs"] == "8,000"
    assert row["train"] == "2020-01-01 to 2020-12-31"
    assert row["test"] == "2021-01-01 to 2021-02-01"
    assert row["other counts"] == "dropped seen in train 12"
    assert row["fingerprint"] == "s123"


def test_models_show_class_budget_and_what_became_of_their_cells(make, metrics) -> None:
    tune = {"name": "optuna", "trials": 50, "seconds": 600, "metric": "ndcg@10", "sampler": "tpe"}
    results = [
        make("a", NUMBERS, seed=1),
        make("a", status="failed", reason="x", seed=2),
        make("b", status="skipped", reason="y", tune=tune),
    ]
    first, second = texts(model_grid(comparison(results, (10,), metrics)))
    assert (first["class"], first["tuning budget"]) == ("toys.Model", "none: as configured")
    assert [first[s] for s in ("done", "skipped", "failed")] == ["1", "0", "1"]
    assert second["tuning budget"] == "50 trials or 600 seconds by ndcg@10 (tpe), inside train"


def test_what_has_no_numbers_stands_with_its_reasons(make, metrics) -> None:
    results = [make("a", NUMBERS), make("b", status="skipped", reason="needs times")]
    assert texts(missing_grid(comparison(results, (10,), metrics))) == [
        {
            "data set, split": "plays, split random",
            "model": "b",
            "settings": "",
            "status": "skipped",
            "reason": "skipped: needs times",
        }
    ]
    assert not missing_grid(comparison(results[:1], (10,), metrics)).rows
