"""What `list` and `show` tell: each name, and each parameter with its meaning, default, range and space."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bakeoff import cli, config_files
from bakeoff.errors import UsageError
from bakeoff.evaluation.catalogue import shipped
from bakeoff.queries.reference import GROUPS, ParameterEntry, Reference, entries, reference
from bakeoff.report.view import space_text

SHIPPED = [(kind, name) for kind, group in GROUPS.items() for name in config_files.options(group)]
PARAMETERS = [(kind, name) for kind, name in SHIPPED if kind != "preset"]


def shown(kind: str, name: str) -> Reference:
    return reference(kind, name, Path("results"))


@pytest.mark.parametrize(("kind", "name"), PARAMETERS)
def test_every_parameter_has_a_meaning(kind: str, name: str) -> None:
    assert [parameter.key for parameter in shown(kind, name).parameters if not parameter.meaning] == []


@pytest.mark.parametrize(("kind", "name"), PARAMETERS)
def test_the_keys_are_those_of_the_yaml(kind: str, name: str) -> None:
    option = config_files.option(GROUPS[kind], name)
    build = option.get("build", option) if kind == "model" else option
    written = {key for key in build if key not in ("_target_", "name")}
    parameters = {
        parameter.key.split(".")[2 if ".build." in parameter.key else 1]: parameter
        for parameter in shown(kind, name).parameters
    }
    from_elsewhere = {key for key in written if str(build[key]).startswith("${")}
    plain = {key for key, parameter in parameters.items() if not parameter.key.startswith("+")} - {"name"}
    set_above = {"path", "run"}  # as model.path, which `build` takes over
    assert plain - set_above == written - from_elsewhere - set_above


@pytest.mark.parametrize(("kind", "name"), [pair for pair in PARAMETERS if pair[0] == "model"])
def test_search_spaces_are_within_the_ranges_and_of_known_parameters(kind: str, name: str) -> None:
    space = config_files.option(kind, name).get("space", {})
    parameters = {
        parameter.key.removeprefix("model.build."): parameter for parameter in shown(kind, name).parameters
    }
    assert set(space) <= set(parameters)
    for key, searched in space.items():
        assert parameters[key].space == searched
        for value in searched.get("choices", (searched.get("low"), searched.get("high"))):
            assert allows(parameters[key], value), (key, value)


def allows(parameter: ParameterEntry, value: Any) -> bool:
    """Whether a value is in the range that is shown for a parameter."""
    if " | " in parameter.range:
        return value in parameter.range.split(" | ")
    signs = {">=": float.__ge__, ">": float.__gt__, "<=": float.__le__, "<": float.__lt__}
    bounds = [bound.split() for bound in parameter.range.split(", ") if bound]
    return all(signs[sign](float(value), float(limit)) for sign, limit in bounds)


def test_a_model_is_told_in_full() -> None:
    als = shown("model", "als")
    (factors,) = [parameter for parameter in als.parameters if parameter.key == "model.build.factors"]
    assert (factors.type, factors.default, factors.range) == ("int", 64, ">= 1")
    assert space_text(factors.space or {}) == "8 to 512 (log)"
    (dtype,) = [parameter for parameter in als.parameters if parameter.key == "model.build.dtype"]
    assert (dtype.range, dtype.space) == ("float32 | float64", None)
    assert als.facts["class"] == "bakeoff.models.implicit.ALS" and als.example == "bakeoff run model=als"


def test_a_key_that_a_command_must_set_is_in_the_example() -> None:
    external = shown("model", "external")
    assert [(parameter.key, parameter.default) for parameter in external.parameters] == [
        ("model.path", "???"),
        ("model.build.seen", "refuse"),
    ]
    assert external.example == "bakeoff run model=external model.path=..."


@pytest.mark.parametrize(
    ("space", "text"),
    [
        ({"_target_": "x", "low": 0.001, "high": 300.0, "log": True}, "0.001 to 300 (log)"),
        ({"_target_": "x", "low": 1, "high": 9, "step": 2}, "1 to 9 by 2"),
        ({"_target_": "x", "choices": ["none", None, True]}, "none, null, true"),
        ({"low": 0, "high": 1, "when": {"loss": "warp"}}, "0 to 1, when loss=warp"),
        ({"_target_": "mine.Distribution"}, "_target_=mine.Distribution"),
    ],
)
def test_a_search_space_is_one_line(space: dict[str, Any], text: str) -> None:
    assert space_text(space) == text


@pytest.mark.parametrize("kind", ["models", "datasets", "splits", "presets"])
def test_a_list_has_every_option_with_a_description(kind: str) -> None:
    rows = entries(kind, Path("results"))
    assert [row.name for row in rows] == config_files.options(GROUPS[kind.removesuffix("s")])
    assert all(row.description for row in rows)


def test_metrics_are_listed_and_shown_from_their_catalogue() -> None:
    assert [row.name for row in entries("metrics", Path("results"))] == list(shipped())
    ndcg = shown("metric", "ndcg")
    assert ndcg.facts["range"] == "0 to 1" and ndcg.facts["direction"] == "higher is better"
    assert shown("metric", "bakeoff.evaluation.ranking.ndcg").facts == ndcg.facts


@pytest.mark.parametrize("kind", [*GROUPS, "metric", "experiment"])
def test_an_unknown_name_is_refused(kind: str) -> None:
    with pytest.raises(UsageError, match="nothing_of_this_name"):
        shown(kind, "nothing_of_this_name")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a model of one's own in `conf` and another in a folder that is named."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_models.py").write_text(
        "class Mine:\n"
        '    """Guess.\n\n    Args:\n        depth: how deep.\n    """\n\n'
        "    def __init__(self, depth: int = 2) -> None: ...\n"
    )
    for folder, name in (("conf", "mine"), ("other", "theirs")):
        (tmp_path / folder / "model").mkdir(parents=True)
        text = f"# By {name}.\nname: {name}\nbuild: {{_target_: own_models.Mine, depth: 3}}\n"
        (tmp_path / folder / "model" / f"{name}.yaml").write_text(text)
    return tmp_path


def test_models_of_ones_own_are_listed_and_shown(own: Path) -> None:
    assert {"mine", "als"} <= {row.name for row in entries("models", Path("results"))}
    assert "theirs" in {row.name for row in entries("models", Path("results"), ["other"])}
    (depth,) = reference("model", "theirs", Path("results"), ["other"]).parameters
    assert (depth.key, depth.default, depth.meaning) == ("model.build.depth", 3, "how deep.")


def test_on_a_pipe_a_line_is_a_name_and_then_the_rest(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", "models"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert ["mine", "By mine."] in lines
    assert cli.main(["show", "model", "mine"]) == 0
    fields = [line.split("\t") for line in capsys.readouterr().out.splitlines() if "\t" in line]
    assert fields == [["model.build.depth", "3", "int", "", "how deep."]]


def test_json_is_one_document(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list", "model", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {"name": "mine", "description": "By mine."} in document["models"]
    assert cli.main(["show", "models", "mine", "format=json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["name"], document["class"]) == ("model", "mine", "own_models.Mine")
    assert document["parameters"][0]["key"] == "model.build.depth"
