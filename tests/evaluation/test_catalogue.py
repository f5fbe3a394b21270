from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bakeoff import config_files
from bakeoff.errors import ConfigError
from bakeoff.evaluation import catalogue, conventions, ranking
from bakeoff.evaluation.catalogue import (
    default_paths,
    expand,
    leading_k,
    leading_metric,
    metric_paths,
    resolve,
    shipped,
)
from bakeoff.evaluation.metric import Metric, metric
from bakeoff.tuning.spec import TuningSpec, goals


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_metric_states_what_tables_and_pages_say_of_it(name: str) -> None:
    declared = shipped()[name]
    assert declared.formula and declared.bounds and declared.source
    assert declared.kind in ("accuracy", "lists", "rating")
    assert resolve({name: declared.path}) == {name: declared}
    assert (declared.__doc__ or "").startswith(f"{declared.formula}. Range: {declared.bounds}. ")


def test_the_formula_of_a_users_metric_is_the_first_sentence_of_its_docstring() -> None:
    @metric(higher_is_better=False)
    def novelty(inputs, ks):  # type: ignore[no-untyped-def]
        """Share of items that are new. More follows."""

    assert isinstance(novelty, Metric)
    assert (novelty.formula, novelty.notes) == ("Share of items that are new", "More follows.")
    assert novelty.direction == "lower is better"


def test_the_default_set_holds_every_metric_of_its_modules_except_optional_ones() -> None:
    names = default_paths()
    assert {"ndcg", "auc", "gini", "rmse"} <= names.keys()
    assert not {"diversity_features", "ndcg_rectools"} & names.keys()
    expected = [m for m in shipped().values() if not m.optional and "conventions" not in m.path]
    assert names == {m.name: m.path for m in expected}


@pytest.mark.parametrize(
    "file", sorted((config_files.folder() / "metrics").glob("*.yaml")), ids=lambda f: f.stem
)
def test_a_shipped_set_names_metrics_of_the_catalogue(file: Path) -> None:
    paths = expand(yaml.safe_load(file.read_text()))
    assert paths and paths == {name: shipped()[name].path for name in paths} == metric_paths([file.stem])


def test_a_list_mixes_names_sets_and_import_paths() -> None:
    paths = metric_paths(["novelty", "accuracy", "toys_of_mine.top_hit"])
    assert list(paths)[:2] == ["novelty", "precision"]
    assert paths["ndcg"] == "bakeoff.evaluation.ranking.ndcg"
    assert paths["top_hit"] == "toys_of_mine.top_hit"
    assert metric_paths(["bakeoff.evaluation.ranking.*"]) == metric_paths(["accuracy"])


def test_a_set_of_ones_own_may_build_on_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, lines in (
        ("mine/metrics", "defaults: [accuracy, _self_]\nndcg: own.ndcg\nnovelty: own.novelty\n"),
        ("conf/metrics", "ndcg: beside.ndcg\n"),
    ):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "own.yaml").write_text(lines)
    monkeypatch.chdir(tmp_path)
    paths = metric_paths(["own"], [tmp_path / "mine"])
    assert paths == {**metric_paths(["accuracy"]), "ndcg": "own.ndcg", "novelty": "own.novelty"}
    assert metric_paths(["own"]) == {"ndcg": "beside.ndcg"}


def test_only_stands_in_place_of_all_other_entries() -> None:
    base = yaml.safe_load((config_files.folder() / "metrics" / "default.yaml").read_text())
    for only in ("ndcg", ["ndcg"], {"ndcg": "bakeoff.evaluation.ranking.ndcg"}):
        assert expand({**base, "only": only}) == metric_paths(["ndcg"])


@pytest.mark.parametrize("text", ["ndcg: [", "ndcg", "defaults: [acuracy]"])
def test_a_set_that_cannot_be_read_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "own.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"metrics/own\.yaml"):
        metric_paths(["own"], [tmp_path])


@pytest.mark.parametrize(("name", "nearest"), [("ndgc", "'ndcg'"), ("acuracy", "'accuracy'")])
def test_an_unknown_name_is_answered_with_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(ConfigError, match=f"metrics={name}: .*{nearest}"):
        metric_paths([name])


def test_a_module_without_metrics_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"metrics\._all='json\.\*'"):
        expand({"_all": "json.*"})


def test_something_else_than_a_metric_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^metrics\.mine='bakeoff.*hits_at': not a metric"):
        resolve({"mine": "bakeoff.evaluation.ranking.hits_at"})


def test_every_metric_that_a_report_prints_can_be_tuned_by() -> None:
    (goal,) = goals(TuningSpec(metric="map_lenskit@10"), depth=100)
    assert (goal.metric, goal.k) == (conventions.map_lenskit, 10)
    (goal,) = goals(TuningSpec(metric="bakeoff.evaluation.ranking.ndcg@5"), depth=100)
    assert (goal.metric, goal.k) == (ranking.ndcg, 5)


@pytest.mark.parametrize(
    ("ks", "expected"), [([5, 10, 20], 10), ([1, 12], 12), ([8, 12], 8), ([50], 50), ([None, 3], 3), ([], 10)]
)
def test_the_cutoff_shown_first_is_the_nearest_to_10(ks: list[int | None], expected: int) -> None:
    assert leading_k(ks) == leading_k(reversed(ks)) == expected


def test_the_metric_shown_first_is_the_most_prominent() -> None:
    assert leading_metric(["gini", "auc", "recall"]) == "recall"
    assert leading_metric(["mine", "gini"]) == "mine"
    assert leading_metric([]) is None
    assert {*catalogue.PROMINENT, *catalogue.OVERVIEW} <= set(shipped())
