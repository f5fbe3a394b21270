"""What users write themselves, wrong: one line that names the place, exit code 2, nothing written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from bakeoff import cli, config_files

SMALL = ("dataset.n_users=60", "dataset.n_items=120", "dataset.n_rows=1200")

Plan = Callable[..., tuple[int, str, str]]


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Plan:
    """`bakeoff plan` on small data in an empty folder, with the user's own folder `mine`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    for group in ("model", "experiment"):
        (tmp_path / "mine" / group).mkdir(parents=True)

    def run(*words: str) -> tuple[int, str, str]:
        code = cli.main(["plan", "--config-dir", "mine", *SMALL, *words])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def refused(answer: tuple[int, str, str]) -> str:
    code, out, err = answer
    assert (code, out, err.count("\n")) == (2, "", 1), answer
    return err


def test_yaml_that_does_not_parse_is_named_with_its_line(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "mine/model/bad.yaml").write_text("name: bad\nbuild: {_target_: toys.X\nx: 1\n")
    assert "bad.yaml, line 3: not YAML" in refused(plan("model=bad"))


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import os\nraise RuntimeError('no licence')", "RuntimeError: no licence (own_a.py, line 2)"),
        ("x = 1\ndef broken(:\n    pass", "SyntaxError: invalid syntax (own_b.py, line 2)"),
        (
            "class Own:\n    def __init__(self):\n        import json\n        json.loads('{')",
            "own_d.Own breaks: JSONDecodeError: Expecting property name enclosed in double quotes: "
            "line 1 column 2 (char 1) (own_d.py, line 4)",
        ),
        (
            "class Own:\n    def fit(self, train): ...",
            "own_c.Own has no 'stochastic', 'folds_in', 'recommend'",
        ),
    ],
)
def test_a_class_of_ones_own_that_breaks_is_named_with_its_place(
    plan: Plan, tmp_path: Path, code: str, says: str
) -> None:
    module = next(name for name in ("own_a", "own_b", "own_c", "own_d") if name in says)
    (tmp_path / f"{module}.py").write_text(code)
    (tmp_path / "mine/model/own.yaml").write_text(f"name: own\nbuild: {{_target_: {module}.Own}}\n")
    assert says in refused(plan("model=own"))


@pytest.mark.parametrize("breaks", ["identity", "load"])
def test_a_source_of_ones_own_that_breaks_is_named_with_its_place(
    plan: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str], breaks: str
) -> None:
    lines = ["class Own:", "    name = 'own'", "    def files(self): return {}"]
    for method in ("identity", "load"):
        lines += [f"    def {method}(self): return {'{}[3]' if method == breaks else '{}'}"]
    (tmp_path / f"own_{breaks}.py").write_text("\n".join(lines))
    (tmp_path / "mine/dataset").mkdir()
    (tmp_path / "mine/dataset/own.yaml").write_text(f"_target_: own_{breaks}.Own\n")
    assert cli.main(["run", "--config-dir", "mine", "dataset=own"]) == 2
    line = 4 if breaks == "identity" else 5
    message = f"bakeoff: dataset: own_{breaks}.Own breaks: KeyError: 3 (own_{breaks}.py, line {line})\n"
    assert capsys.readouterr().err == message
    assert not (tmp_path / "results").exists()


def test_yaml_in_another_encoding_is_named(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "mine/model/own.yaml").write_bytes("name: café".encode("latin-1"))
    assert "mine/model/own.yaml: not UTF-8" in refused(plan("model=own"))


def test_a_preset_without_its_first_line_is_told_of_it(plan: Plan, tmp_path: Path) -> None:
    preset = tmp_path / "mine/experiment/own.yaml"
    for text in ("k: [3]\n", "defaults:\n  - override /model: als\n"):
        preset.write_text(text)
        assert "a preset begins with the line `# @package _global_`" in refused(plan("experiment=own"))


def test_a_key_of_a_preset_that_does_not_exist_is_refused(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "mine/experiment/own.yaml").write_text("# @package _global_\nk: [3]\nsede: 7\n")
    assert "sede: there is no such option" in refused(plan("experiment=own"))


def test_a_space_of_ones_own_is_named_by_the_file_it_stands_in(plan: Plan, tmp_path: Path) -> None:
    text = "name: own\nbuild: {_target_: bakeoff.models.implicit.ALS}\nspace: {factors: {_target_: "
    text += "optuna.distributions.IntDistribution, low: 9, high: 3}}\n"
    (tmp_path / "mine/model/own.yaml").write_text(text)
    line = refused(plan("model=own", "tune=optuna"))
    assert line.startswith("bakeoff: model/own.yaml: model.space.factors.low=9")


def test_one_value_of_a_parameter_reaches_every_model_that_has_it(plan: Plan) -> None:
    code, shown, _ = plan("model=warp,lightfm_bpr", "model.build.no_components=30", "baselines=[]")
    assert code == 0
    assert "warp (no_components=30)" in shown and "lightfm_bpr (no_components=30)" in shown


def test_a_parameter_that_one_model_lacks_names_that_model(plan: Plan) -> None:
    assert "no such option of model 'warp'" in refused(plan("model=ease,warp", "model.build.l2=300"))


def test_a_parameter_without_its_group_is_answered_with_it(plan: Plan) -> None:
    assert "write split.fold=0,1" in refused(plan("split=kfold", "fold=0,1"))


def test_lists_made_elsewhere_stand_in_one_grid_with_models(plan: Plan, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(f"user,item,rank\nu1,{name},1\n")
    assert "no such option of model 'ease'" in refused(plan("model=ease", "model.path=a.csv"))
    assert "model.path: no value" in refused(plan("model=ease,external"))
    several = plan("model=ease,external", "model.path=a.csv,b.csv", "baselines=[]")
    assert several[0] == 0 and "3 cells:" in several[1]


def keys(shown: str) -> dict[str, str]:
    """Label -> key of the rows that `plan` prints."""
    rows = (line.rsplit("  ", 2) for line in shown.splitlines() if line.endswith("to run"))
    return {label.strip(): key.strip() for label, key, _ in rows}


def test_each_model_has_values_of_its_own_in_one_grid(plan: Plan) -> None:
    code, shown, _ = plan("model=als,ease", "als.factors=8,16", "ease.l2=2", "popularity.by=count")
    cells = keys(shown)
    assert code == 0
    assert set(cells) == {
        *("als (factors=8)", "als (factors=16)", "ease (l2=2)", "popularity (by=count)", "random")
    }
    _, alone, _ = plan("model=als", "model.build.factors=8", "baselines=[]")
    assert keys(alone) == {"als (factors=8)": cells["als (factors=8)"]}


def test_a_preset_gives_each_model_values_of_its_own(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "mine/experiment/own.yaml").write_text(
        "# @package _global_\nhydra:\n  sweeper:\n    params:\n"
        "      model: als,ease\n      als.factors: 8,16\n      ease.l2: 2\n"
    )
    _, shown, _ = plan("experiment=own", "baselines=[]")
    assert set(keys(shown)) == {"als (factors=8)", "als (factors=16)", "ease (l2=2)"}
    _, shown, _ = plan("experiment=own", "baselines=[]", "model=als", "als.factors=4")
    assert set(keys(shown)) == {"als (factors=4)"}, "the command wins, and may leave a model out"


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("model=ALS",), "write model=als\n"),
        (("dataset=Simulated",), "write dataset=simulated\n"),
        (("split=Temporal",), "write split=temporal\n"),
        (("model=als,bpr", "model.factors=64"), "write model.build.factors=64"),
        (("model=als,ease", "model.build.factors=8,16"), "write als.factors=8,16"),
        (("model=als", "ease.l2=3"), "ease.l2: no cell of this grid has model 'ease'"),
        (("split=random,temporal", "split.at=3"), "write temporal.at=3"),
        (("tune.trials=3",), "add tune=optuna"),
        (("tune=optuna", "tune.trails=3"), "'trials'"),
        (("--config-dir", "none"), "--config-dir none"),
    ],
)
def test_a_near_miss_is_answered_with_the_word_to_write(
    plan: Plan, words: tuple[str, ...], answer: str
) -> None:
    assert answer in refused(plan(*words))


def test_a_quoted_value_may_have_spaces_after_its_commas(plan: Plan) -> None:
    code, shown, _ = plan("model=popularity, random", "baselines=[]", "k=[5, 10]")
    assert code == 0 and set(keys(shown)) == {"popularity", "random"}


class TestFolderConf:
    """A folder `conf` in the working directory is on the search path, before the shipped one."""

    @pytest.fixture(autouse=True)
    def conf(self, plan: Plan, tmp_path: Path) -> None:
        for group in ("model", "experiment"):
            (tmp_path / "conf" / group).mkdir(parents=True)
        text = "build: {_target_: bakeoff.models.linear.EASE, l2: 7.0}\n"
        (tmp_path / "conf/model/own.yaml").write_text(f"name: own\n{text}")
        (tmp_path / "conf/model/als.yaml").write_text(f"name: als\n{text}")
        (tmp_path / "conf/experiment/both.yaml").write_text(
            "# @package _global_\nhydra:\n  sweeper:\n    params: {model: 'own,beside'}\n"
        )
        (tmp_path / "conf/config.yaml").write_text("another: program\n")
        (tmp_path / "mine/model/beside.yaml").write_text(f"name: beside\n{text}")

    def test_its_options_and_presets_run_beside_those_of_config_dir(self, plan: Plan) -> None:
        _, shown, _ = plan("experiment=both", "baselines=[]", "own.l2=3")
        assert set(keys(shown)) == {"own (l2=3)", "beside"}

    def test_it_comes_before_the_shipped_files(self, plan: Plan) -> None:
        _, shown, _ = plan(
            "model=als,ease", "ease.l2=7.0", "baselines=[]", "--cfg=job", "--package=model.build.l2"
        )
        assert [line for line in shown.splitlines() if line[0] not in "-#"] == ["7.0", "7.0"]

    def test_its_names_are_listed(self, plan: Plan) -> None:
        assert {"own", "als", "warp"} <= set(config_files.options("model", config_files.search_path()))
        assert "beside" in config_files.options("model", config_files.search_path(["mine"]))
        assert "own" in refused(plan("model=onw"))


class TestPrintedConfiguration:
    def test_it_is_that_of_the_job_and_nothing_is_written(self, plan: Plan, tmp_path: Path) -> None:
        code, shown, _ = plan("--cfg", "job", "model=als", "als.factors=8", "k=[3]")
        config = yaml.safe_load(shown)
        assert code == 0 and "hydra" not in config
        assert (config["k"], config["model"]["build"]["factors"]) == ([3], 8)
        assert config["dataset"]["n_users"] == 60 and not (tmp_path / "results").exists()

    def test_interpolations_are_resolved_on_request(self, plan: Plan) -> None:
        words = ("--cfg", "job", "model=external", "model.path=a.csv", "--package", "model.build")
        for more, path in (((), "${..path}"), (("--resolve",), "a.csv")):
            assert yaml.safe_load(plan(*words, *more)[1])["path"] == path

    def test_it_may_be_a_part_of_what_concerns_hydra(self, plan: Plan) -> None:
        assert "MULTIRUN" in plan("-c", "hydra", "-p", "hydra.mode")[1]

    def test_a_grid_gives_one_document_for_each_job(self, plan: Plan) -> None:
        _, shown, _ = plan("--cfg=job", "model=als,ease", "seed=1,2")
        cells = [(d["model"]["name"], d["seed"]) for d in yaml.safe_load_all(shown)]
        assert cells == [("als", 1), ("als", 2), ("ease", 1), ("ease", 2)]


@pytest.mark.parametrize("words", [("k=5,10",), ("k=[5],[10]",), ("statistics.test=t,wilcoxon",)])
def test_a_setting_is_not_swept(plan: Plan, words: tuple[str, ...]) -> None:
    assert f"'{words[0].partition('=')[0]}' is not swept" in refused(plan(*words, "baselines=[]"))


@pytest.mark.parametrize("words", [("seed=1,-5",), ("split_seed=1,-5",), ("depth=10,5", "k=[7]")])
def test_every_value_of_a_sweep_is_checked(plan: Plan, words: tuple[str, ...]) -> None:
    assert words[0].partition("=")[0] in refused(plan(*words, "model=popularity", "baselines=[]"))
