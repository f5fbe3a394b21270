from __future__ import annotations

from typing import Any

import pytest

from bakeoff import config_files
from bakeoff.config import overrides
from bakeoff.errors import ConfigError


def test_flags_come_first_with_their_values() -> None:
    words = ["model=als", "--config-dir", "mine", "tune.trials=3", "--config-name=other"]
    assert overrides.ordered(words) == [
        *("--config-dir", "mine", "--config-name=other", "model=als", "++tune.trials=3"),
    ]


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("--foo", "there is no such flag"),
        ("--config-dir", "no value"),
        ("model", "expected key=value"),
        ("=als", "expected key=value"),
        ("split=null", "choose one of: "),
        ("model=[als, bpr]", "without brackets: model=als,bpr"),
        ("metrics=[]", "at least one"),
        ("metrics=ndgc", "did you mean 'ndcg'"),
    ],
)
def test_a_word_that_means_nothing_is_refused(word: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        overrides.ordered(["seed=1", word])


def test_metrics_are_given_by_name_with_or_without_brackets() -> None:
    paths = "ndcg:bakeoff.evaluation.ranking.ndcg,top_hit:my_metrics.top_hit"
    for word in ("metrics=ndcg,my_metrics.top_hit", "metrics=[ndcg, my_metrics.top_hit]"):
        assert overrides.ordered([word]) == [f"++metrics={{only:{{{paths}}}}}"]
    assert overrides.ordered(["metrics=accuracy,recall"]) == overrides.ordered(["metrics=accuracy"])


def test_what_may_differ_between_cells_is_an_axis() -> None:
    overrides.check([["model=als", "seed=1", "k=[5]"], ["model=ease", "seed=2", "k=[5]", "+model.build.x=1"]])
    overrides.check([["~model.space", "name=a", "depth=10"], ["~model.space", "name=b", "depth=20"]])


@pytest.mark.parametrize(
    ("jobs", "says"),
    [
        ([["k=5"], ["k=10"]], r"k=5,10: .* give a list, k=\[5,10\]"),
        ([["baselines=als"], ["baselines=ease"]], r"give a list, baselines=\[als,ease\]"),
        ([["k=[5]"], ["k=[10]"]], r"give a list, k=\[5,10\]"),
        ([["statistics.test=t"], ["statistics.test=wilcoxon"]], "no axis"),
        ([["+modle=als"]], "modle: there is no such option; did you mean 'model'"),
        ([["~model=null"]], "model cannot be left out"),
    ],
)
def test_what_would_be_dropped_in_silence_is_refused(jobs: list[list[str]], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        overrides.check(jobs)


def test_a_word_that_hydra_cannot_read_is_answered_with_one_that_it_can() -> None:
    assert overrides.unreadable("dataset.separator=;").endswith("as in \"dataset.separator=';'\"")
    assert "a comma with nothing before or after it" in overrides.unreadable("model=als,")


WRITTEN = {
    "seed": 1,
    "k": [5],
    **{group: {} for group in ("dataset", "split", "tune", "metrics", "statistics")},
    "model": {"name": "own", "path": "a.csv", "build": {"path": "${..path}"}},
}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"sede": 7}, r"sede: .* did you mean 'seed'"),
        ({"statistics": {"tst": "t"}}, r"statistics.tst: did you mean 'test'"),
        ({"model": "als"}, "model='als': expected keys .* override /model: NAME"),
        ({"metrics": ["ndcg"]}, r"metrics=\['ndcg'\]: expected keys"),
        ({"model": {"name": "own", "spase": {}}}, "model.spase: nobody reads it; did you mean 'space'"),
        ({"experiment": {"k": [3]}}, "experiment.k: nobody reads it there; .*# @package _global_"),
    ],
)
def test_what_a_yaml_brings_and_nobody_reads_is_refused(more: dict[str, Any], says: str) -> None:
    overrides.check_keys(WRITTEN)
    with pytest.raises(ConfigError, match=says):
        overrides.check_keys({**WRITTEN, **more})


def test_presets_of_one_grid_agree_in_what_is_said_once() -> None:
    settings = {**config_files.read(config_files.folder() / "config.yaml"), "metrics": {}}
    overrides.check_presets({"a": settings, "b": {**settings, "seed": 2}})
    with pytest.raises(ConfigError, match=r"experiment=a,b: they differ in k, .* one after the other"):
        overrides.check_presets({"a": settings, "b": {**settings, "k": [3]}})


def test_folders_of_ones_own_are_read_from_either_way_of_writing_them() -> None:
    assert overrides.folders(["model=als", "--config-dir", "a", "-cd=b", "seed=1"]) == ["a", "b"]
