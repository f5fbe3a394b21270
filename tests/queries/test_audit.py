"""Every planted fault is found and named, in files and in stored experiments; clean ones have none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bakeoff.errors import DataError, UsageError
from bakeoff.evaluation.catalogue import shipped
from bakeoff.evaluation.significance import TestConfig
from bakeoff.queries import audit
from bakeoff.queries.comparison import comparison
from bakeoff.queries.pairs import with_uncertainty
from bakeoff.queries.verdict import with_verdicts

N_USERS, N_ITEMS, DEPTH = 60, 120, 10


@dataclass(frozen=True)
class Files:
    """An experiment of two models as frames; `good` finds test items, `weak` does not."""

    train: pd.DataFrame
    test: pd.DataFrame
    lists: pd.DataFrame
    printed: pd.DataFrame | None = None


def clean() -> Files:
    """Train before time 1000, test after it; lists of unseen items of train with falling scores."""
    rng = np.random.default_rng(0)
    train, test, lists = [], [], []
    for user in range(N_USERS):
        own = rng.permutation(N_ITEMS)
        seen, hidden, rest = own[:20], own[20:26], own[26:]
        train += [(user, item, rng.integers(0, 1000)) for item in seen]
        test += [(user, item, rng.integers(1000, 2000)) for item in hidden]
        for model, n_hits in (("good", 3), ("weak", user % 2)):
            listed = rng.permutation([*hidden[:n_hits], *rest[: DEPTH - n_hits]])
            lists += [(user, item, 1.0 - n / 20, model) for n, item in enumerate(listed)]
    return Files(
        pd.DataFrame(train, columns=["user", "item", "time"]),
        pd.DataFrame(test, columns=["user", "item", "time"]),
        pd.DataFrame(lists, columns=["user", "item", "score", "model"]),
    )


def joined(*frames: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True)


def printed(*rows: tuple[str, int, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["metric", "k", "value"]).assign(model="good")


def observed_only(f: Files) -> Files:
    """The candidates of each user are the pairs of test, best first."""
    lists = f.test.assign(score=lambda t: -t.groupby("user").cumcount().astype(float), model="good")
    return replace(f, lists=lists[["user", "item", "score", "model"]])


def in_id_order(f: Files) -> Files:
    lists = f.lists.sort_values(["model", "user", "item"])
    return replace(f, lists=lists.assign(score=-lists.groupby(["model", "user"]).cumcount().astype(float)))


def scores(f: Files, value: float, every: int = 1) -> Files:
    changed = f.lists.score.where(f.lists.index % every != 0, value)
    return replace(f, lists=f.lists.assign(score=changed))


def as_good(f: Files) -> Files:
    """The second model differs from the first by chance alone."""
    weak = f.lists[f.lists.model == "good"].assign(model="weak")
    weak["item"] = weak.groupby("user").item.transform(lambda i: np.roll(i.to_numpy(), int(i.iloc[0]) % 3))
    return replace(f, lists=joined(f.lists[f.lists.model == "good"], weak))


PLANTED: dict[str, tuple[str, Callable[[Files], Files]]] = {
    "test_in_train": ("fault", lambda f: replace(f, train=joined(f.train, f.test.head(9).assign(time=5)))),
    "repeated_test_pairs": ("fault", lambda f: replace(f, test=joined(f.test, f.test.head(4)))),
    "users_only_in_test": ("caution", lambda f: replace(f, train=f.train[f.train.user != 7])),
    "items_only_in_test": (
        "caution",
        lambda f: replace(f, test=joined(f.test, pd.DataFrame({"user": [1], "item": [900], "time": [1500]}))),
    ),
    "looks_ahead": ("caution", lambda f: replace(f, train=f.train.assign(time=f.train.time + 400))),
    "seen_items": (
        "fault",
        lambda f: replace(
            f, lists=joined(f.lists, f.train.head(5)[["user", "item"]].assign(score=0.1, model="weak"))
        ),
    ),
    "repeated_items": ("fault", lambda f: replace(f, lists=joined(f.lists, f.lists.head(3)))),
    "items_outside_train": (
        "fault",
        lambda f: replace(f, lists=f.lists.assign(item=f.lists["item"].where(f.lists.index != 5, 777))),
    ),
    "users_without_list": ("caution", lambda f: replace(f, lists=f.lists[f.lists.user != 3])),
    "observed_only": ("fault", observed_only),
    "scores_not_finite": ("fault", lambda f: scores(f, np.nan, 50)),
    "constant_scores": ("caution", lambda f: scores(f, 1.0)),
    "id_order": ("fault", in_id_order),
    "shifted_ids": ("fault", lambda f: replace(f, lists=f.lists.assign(user=f.lists.user + 1))),
    "above_maximum": ("fault", lambda f: replace(f, printed=printed(("catalog_coverage", 10, 2.45)))),
    "not_of_these_lists": ("fault", lambda f: replace(f, printed=printed(("map", 10, 0.3)))),
    "too_small": ("caution", as_good),
}


def findings(files: Files, folder: Path) -> list[audit.Finding]:
    for name in ("train", "test", "lists"):
        getattr(files, name).to_csv(folder / f"{name}.csv", index=False)
    numbers = None
    if files.printed is not None:
        files.printed.to_csv(numbers := folder / "printed.csv", index=False)
    paths = [folder / f"{name}.csv" for name in ("train", "test", "lists")]
    return audit.findings(audit.of_files(paths[0], paths[1], paths[2:], numbers))


def test_clean_files_have_no_fault_and_no_caution(tmp_path: Path) -> None:
    true = printed(("precision", 10, 0.3), ("recall", 10, 0.5), ("hit_rate", 10, 1.0))
    assert findings(replace(clean(), printed=true), tmp_path) == []


@pytest.mark.parametrize("check", PLANTED)
def test_a_planted_fault_is_found_and_named(check: str, tmp_path: Path) -> None:
    level, plant = PLANTED[check]
    named = {(f.check, f.level) for f in findings(plant(clean()), tmp_path)}
    assert (check, level) in named
    follow = {
        "users_only_in_test": {"looks_ahead"},
        "shifted_ids": {"seen_items", "users_without_list", "too_small"},
        "observed_only": {"users_without_list"},
        "id_order": {"too_small"},
        "scores_not_finite": {"too_small"},
        "constant_scores": {"too_small"},
        "above_maximum": {"not_of_these_lists"},
    }
    assert {other for other, _ in named} - {check} <= follow.get(check, set())


def test_a_printed_number_that_is_another_metric_is_named(tmp_path: Path) -> None:
    found = findings(replace(clean(), printed=printed(("map", 10, 0.3))), tmp_path)
    assert "precision" in found[0].message and "map@10" in found[0].message
    assert found[0].where == "good"


def test_parquet_columns_and_several_files_of_lists_are_read(tmp_path: Path) -> None:
    files = clean()
    for name in ("train", "test"):
        frame = getattr(files, name).rename(columns={"user": "who", "item": "what", "time": "when"})
        frame.to_parquet(tmp_path / f"{name}.parquet")
    paths = []
    for model, rows in files.lists.groupby("model"):
        rows = rows.assign(rank=rows.groupby("user").cumcount() + 1).rename(
            columns={"user": "who", "item": "what"}
        )
        rows[["who", "what", "rank"]].to_parquet(tmp_path / f"{model}.parquet")
        paths.append(tmp_path / f"{model}.parquet")
    names = ("who", "what", "when")
    material = audit.of_files(tmp_path / "train.parquet", tmp_path / "test.parquet", paths, None, names)
    assert [lists.label for lists in material.lists] == ["good", "weak"]
    assert material.train.times is not None and audit.findings(material) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda f: replace(f, lists=f.lists.drop(columns="score")), "rank"),
        (lambda f: replace(f, train=f.train.drop(columns="item")), "item"),
        (lambda f: replace(f, test=f.test.head(0)), "no rows"),
    ],
)
def test_files_that_cannot_be_audited_are_refused(change, named, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=named):
        findings(change(clean()), tmp_path)


# -- stored experiments ----------------------------------------------------------------------------------


def of_table(results, store) -> dict[str, str]:
    metrics = {name: shipped()[name] for name in ("ndcg", "catalog_coverage")}
    tables = with_uncertainty(comparison(results, [10], metrics), metrics, store, TestConfig())
    tables = with_verdicts(tables, metrics, store, TestConfig())
    return {finding.check: finding.message for table in tables for finding in audit.of_table(table)}


def test_a_stored_comparison_without_faults_has_none(stored, store) -> None:
    users = np.linspace(0, 1, 50)
    results = [stored("als", users), stored("popularity", users / 2), stored("ease", users / 3)]
    assert of_table(results, store) == {}


def test_unequal_tuning_is_named(stored, store) -> None:
    users, space = np.linspace(0, 1, 50), {"factors": {"low": 8, "high": 64}}
    tuned = {
        "budget": {"trials": 1},
        "metric": "ndcg@10",
        "direction": "maximize",
        "sampler": "tpe",
        "pruner": "none",
    }
    results = [
        stored("als", users, space=space, tune={"name": "optuna"}, tuning=tuned),
        stored("warp", users / 2, space=space),
    ]
    message = of_table(results, store)["unequal_tuning"]
    assert "als" in message and "no tuning: warp" in message


def test_too_few_users_are_named_with_the_number_that_would_do(stored, store) -> None:
    rng = np.random.default_rng(1)
    users = rng.random(50)
    message = of_table([stored("als", users + 0.02), stored("warp", rng.permutation(users))], store)[
        "too_small"
    ]
    assert "als and warp" in message and "50 users" in message and "expected to do" in message


def test_a_stored_mean_above_its_bound_is_named(stored, store) -> None:
    results = [stored("als", [2.45, 2.45], metric="catalog_coverage"), stored("popularity", [0.1, 0.2])]
    assert "2.45" in of_table(results, store)["above_maximum"]


def test_dropped_test_pairs_are_named(make, store) -> None:
    counts = {"test_pairs": 90, "dropped_seen_in_train": 10, "dropped_cold_users": 50}
    message = of_table([make("als", {"ndcg": {"10": (0.1, 0.01)}}, counts=counts)], store)["dropped_pairs"]
    assert "10 of 100" in message and "seen in train" in message


# -- the command -----------------------------------------------------------------------------------------


def test_the_command_answers_by_exit_code_and_as_json(bakeoff, tmp_path: Path) -> None:
    files = clean()
    findings(files, tmp_path)
    words = ("--train", "train.csv", "--test", "test.csv", "--lists", "lists.csv")
    assert bakeoff("audit", *words).returncode == 0
    findings(PLANTED["users_without_list"][1](files), tmp_path)
    assert [bakeoff("audit", *words, *more).returncode for more in ((), ("--strict",))] == [0, 1]
    findings(PLANTED["seen_items"][1](files), tmp_path)
    answer = bakeoff("audit", *words, "--format=json")
    assert answer.returncode == 1
    assert [f["check"] for f in json.loads(answer.stdout)["findings"]] == ["seen_items"]


def test_a_stored_experiment_is_audited_with_its_order(bakeoff) -> None:
    small = ("dataset.n_users=80", "dataset.n_items=100", "dataset.n_rows=1800", "depth=10", "k=[5,10]")
    models = "model=popularity,itemknn_cosine"
    run = ("name=lab", models, "split=random,temporal", "metrics=accuracy", "isolate=false", *small)
    assert bakeoff("run", *run).returncode == 0
    assert bakeoff("audit", "lab").returncode == 0
    answer = json.loads(bakeoff("audit", "lab", "--format=json").stdout)
    looks_ahead = [f["where"] for f in answer["findings"] if f["check"] == "looks_ahead"]
    assert len(looks_ahead) == 1 and "split random" in looks_ahead[0]
    assert {f["level"] for f in answer["findings"]} == {"caution"}
    (order,) = answer["orders"]
    settings = {agreement["setting"] for agreement in order["agreements"]}
    assert {"ndcg@5", "recall@10", "split temporal"} <= settings and "settings" in order["sentences"][0]


@pytest.mark.parametrize(
    "words", [(), ("lab", "--train", "a.csv"), ("--train", "a.csv"), ("nowhere",), ("a", "b")]
)
def test_a_wrong_request_is_refused(words, bakeoff) -> None:
    assert bakeoff("audit", *words).returncode == 2


def test_a_name_or_files_are_needed() -> None:
    with pytest.raises(UsageError, match="--train"):
        audit.check_request(None, (None, None, None))
