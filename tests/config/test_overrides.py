from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from bakeoff.config.overrides import SETTINGS, Grid, check_keys, check_overrides, check_settings, command_line
from bakeoff.errors import ConfigError
from bakeoff.evaluation.catalogue import shipped


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("model", "key=value"),
        ("=als", "key=value"),
        ("split=null", "choose one of: .*random_rows"),
        ("model=[als, bpr]", "model=als,bpr$"),
        ("metrics=[ndgc]", "'ndcg'"),
        ("metrics=NDCG", "'ndcg'"),
        ("metrics=Accuracy", "'accuracy'"),
        ("metrics=[]", "at least one"),
    ],
)
def test_a_word_without_a_meaning_is_answered_with_what_is_expected(word: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        command_line(["seed=1", word])


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["model=als,", "ease"], "write model=als,ease"),
        (["model=als", ",ease"], "write model=als,ease"),
        (["k=[5,", "10]"], "write 'k=[5,10]'"),
        (["model=als,", "ease,", "warp", "seed=1"], "write model=als,ease,warp"),
        (["metrics=ndcg,", "recall"], "write metrics=ndcg,recall"),
    ],
)
def test_a_value_that_the_shell_split_at_a_space_is_answered_with_the_word_to_write(
    words: list[str], answer: str
) -> None:
    with pytest.raises(ConfigError) as error:
        command_line(words)
    assert str(error.value).endswith(answer)


@pytest.mark.parametrize("word", ["metrics=[ndcg,recall]", "metrics=[ndcg, recall]", "metrics=ndcg,recall"])
def test_metrics_are_given_by_name_as_to_a_report(word: str) -> None:
    paths = ",".join(f"{name}:{shipped()[name].path}" for name in ("ndcg", "recall"))
    assert command_line([word]).overrides == (f"++metrics={{only:{{{paths}}}}}",)


def test_a_set_of_metrics_is_named_like_its_members() -> None:
    assert command_line(["metrics=accuracy,recall"]).overrides == command_line(["metrics=accuracy"]).overrides


def parsed(*words: str) -> list[Any]:
    return OverridesParser.create().parse_overrides(list(words))


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("+modle=als", "did you mean 'model'"),
        ("~model=null", "model cannot be left out"),
    ],
)
def test_what_hydra_would_accept_without_effect_is_refused(word: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        check_overrides(parsed(word))


def test_what_may_differ_between_cells_is_swept() -> None:
    check_overrides(
        parsed("seed=1,2", "k=[5]", "+model.build.x=1", "~model.space", "name=a,b", "depth=10,20")
    )


OPTIONS: dict[str, dict[str, Any]] = {
    "model": {
        "als": {"name": "als", "build": {"_target_": "x", "factors": 64}, "space": {}},
        "warp": {"name": "warp", "build": {"_target_": "x", "no_components": 64}},
        "popularity": {"name": "popularity", "build": {"_target_": "x", "by": "users"}},
        "random": {"name": "random", "build": {"_target_": "x"}},
        "external": {"name": "external", "path": "???", "build": {"_target_": "x", "path": "${..path}"}},
    },
    "split": {"random": {"ratio": 0.8}, "temporal": {"ratio": 0.8, "at": None}},
    "dataset": {"simulated": {"n_users": 9}},
    "tune": {"none": {}, "optuna": {"trials": 50}},
}


def grid(*words: str) -> Grid:
    """The grid of words over OPTIONS, composed without Hydra."""

    def compose(job: Sequence[str]) -> Any:
        choices = {"model": "als", "split": "random", "dataset": "simulated", "tune": "none"}
        choices |= {key: value for key, _, value in (w.partition("=") for w in job) if key in choices}
        groups = {group: OmegaConf.create(OPTIONS[group][name]) for group, name in choices.items()}
        runtime = SimpleNamespace(runtime=SimpleNamespace(choices=choices))
        return _Config(groups, runtime)

    return Grid([], parsed(*words), compose)


class _Config(dict[str, Any]):
    def __init__(self, groups: dict[str, Any], hydra: Any) -> None:
        super().__init__(groups)
        self.hydra = hydra


class TestValuesOfOneOption:
    def test_each_model_has_values_of_its_own(self) -> None:
        words = ("model=als,warp", "als.factors=64,128", "warp.no_components=32", "seed=1")
        assert grid(*words).jobs() == [
            ("model=als", "seed=1", "model.build.factors=64"),
            ("model=als", "seed=1", "model.build.factors=128"),
            ("model=warp", "seed=1", "model.build.no_components=32"),
        ]

    def test_several_lists_of_one_model_multiply(self) -> None:
        jobs = grid("model=als", "als.factors=8,16", "als.space.x=1,2").jobs()
        assert jobs == [
            ("model=als", f"model.build.factors={f}", f"model.space.x={x}") for f in (8, 16) for x in (1, 2)
        ]

    def test_a_value_of_one_model_wins_over_that_of_all(self) -> None:
        assert grid("model=als", "model.build.factors=8", "als.factors=16").jobs() == [
            ("model=als", "model.build.factors=16")
        ]

    def test_the_default_model_is_named_like_any_other(self) -> None:
        assert grid("als.factors=16").jobs() == [("model.build.factors=16",)]

    def test_splits_and_tuners_have_values_of_their_own_too(self) -> None:
        assert grid("split=random,temporal", "temporal.at=1,2").jobs() == [
            ("split=random",),
            ("split=temporal", "split.at=1"),
            ("split=temporal", "split.at=2"),
        ]

    def test_a_name_of_a_model_and_of_a_split_is_told_by_the_parameter(self) -> None:
        assert grid("model=random", "split=random", "random.ratio=0.5").jobs() == [
            ("model=random", "split=random", "split.ratio=0.5")
        ]

    def test_a_parameter_is_added_as_in_hydra(self) -> None:
        assert grid("+als.extra=1").jobs() == [("+model.build.extra=1",)]

    def test_a_baseline_has_values_of_its_own(self) -> None:
        one = grid("model=als", "popularity.by=count,users")
        assert list(one.expand(("seed=1", "model=popularity"))) == [
            ("seed=1", "model=popularity", "model.build.by=count"),
            ("seed=1", "model=popularity", "model.build.by=users"),
        ]
        one.check_all_used()

    def test_a_model_that_is_not_in_the_grid_is_refused(self) -> None:
        one = grid("model=als", "warp.no_components=32")
        one.jobs()
        with pytest.raises(ConfigError, match=r"warp.no_components: .*'warp'"):
            one.check_all_used()

    @pytest.mark.parametrize(
        ("words", "answer"),
        [
            (("als.factor=64",), "'factors'"),
            (("random.x=64", "model=random"), "'random' has no option 'x'"),
            (("asl.factors=64",), "als.factors=64"),
            (("als=64",), "write model=als"),
            (("factors=64",), "write model.build.factors=64"),
            (("model=als,warp", "factors=64,128"), "write als.factors=64,128"),
            (("split=temporal", "at=3"), "write split.at=3"),
            (("fold=0,1",), "kfold.fold=0,1"),
        ],
    )
    def test_a_near_miss_is_answered_with_the_word_to_write(
        self, words: tuple[str, ...], answer: str
    ) -> None:
        with pytest.raises(ConfigError, match=answer):
            grid(*words)


def test_parameters_of_the_tuner_hold_for_the_jobs_that_tune() -> None:
    assert grid("tune=none,optuna", "tune.trials=3,4").jobs() == [
        ("tune=none",),
        ("tune=optuna", "tune.trials=3"),
        ("tune=optuna", "tune.trials=4"),
    ]


def test_the_path_of_lists_holds_for_the_models_that_read_a_file() -> None:
    assert grid("model=als,external", "model.path=a.csv").jobs() == [
        ("model=als",),
        ("model=external", "model.path=a.csv"),
    ]


WRITTEN = {
    "seed": 1,
    "k": [5],
    **{group: {} for group in ("dataset", "split", "tune", "metrics", "statistics")},
    "model": {"name": "own", "path": "a.csv", "build": {"path": "${..path}"}},
}


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"sede": 7}, r"sede: .* did you mean 'seed'"),
        ({"statistics": {"tst": "t"}}, r"statistics.tst: did you mean 'test'"),
        ({"model": "als"}, "model='als': .* override /model: NAME"),
        ({"metrics": ["ndcg"]}, r"metrics=\['ndcg'\]: expected keys"),
        ({"model": {"name": "own", "spase": {}}}, "model.spase: .*'space'"),
        ({"experiment": {"k": [3]}}, "experiment.k: .*# @package _global_"),
    ],
)
def test_what_a_yaml_sets_and_bakeoff_does_not_read_is_refused(more: dict[str, Any], named: str) -> None:
    check_keys(WRITTEN)
    with pytest.raises(ConfigError, match=named):
        check_keys({**WRITTEN, **more})


@pytest.mark.parametrize(
    ("key", "values", "named"),
    [
        ("k", (5, 10), r"'k=\[5,10\]'"),
        ("k", ([5], [5, 10]), r"'k=\[5,10\]'"),
        ("baselines", ("als", "ease"), r"'baselines=\[als,ease\]'"),
        ("statistics.test", ("t", "wilcoxon"), "'statistics.test'.* one value"),
    ],
)
def test_a_setting_has_one_value_for_all_cells(key: str, values: tuple[Any, Any], named: str) -> None:
    settings = dict.fromkeys(SETTINGS, 1)
    check_settings([settings, {**settings, "seed": 2}])
    with pytest.raises(ConfigError, match=named):
        check_settings({**settings, key: value} for value in values)
