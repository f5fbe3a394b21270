from __future__ import annotations

import pytest

from bakeoff import overrides
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
        ("split=null", "There are: "),
        ("model=[als, bpr]", "without brackets: model=als,bpr"),
        ("metrics=[ndcg,recall]", "single ones are for reports of stored lists"),
    ],
)
def test_a_word_that_means_nothing_is_refused(word: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        overrides.ordered(["seed=1", word])


def test_what_may_differ_between_cells_is_an_axis() -> None:
    overrides.check([["model=als", "seed=1", "k=[5]"], ["model=ease", "seed=2", "k=[5]", "+model.build.x=1"]])
    overrides.check([["~model.space", "name=a", "depth=10"], ["~model.space", "name=b", "depth=20"]])


@pytest.mark.parametrize(
    ("jobs", "says"),
    [
        ([["k=5"], ["k=10"]], r"k=5,10: .* give a list, k=\[5,10\]"),
        ([["k=[5]"], ["k=[10]"]], r"give a list, k=\[5,10\]"),
        ([["metrics=accuracy"], ["metrics=default"]], "metrics=accuracy,default: it is no axis"),
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


def test_a_key_that_nobody_reads_is_refused_with_the_nearest() -> None:
    overrides.check_keys(["seed", "model", "k", "hydra"])
    with pytest.raises(ConfigError, match=r"sede: .* did you mean 'seed'"):
        overrides.check_keys(["model", "sede"])
