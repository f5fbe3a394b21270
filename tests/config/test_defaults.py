"""Defaults stand in the signatures of classes; the YAML files and the contract repeat them and agree."""

from __future__ import annotations

import re
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from bakeoff import config_files
from bakeoff.config.overrides import SETTINGS
from bakeoff.config.settings import Settings
from bakeoff.evaluation.significance import TestConfig as PairedTest
from bakeoff.importing import import_object
from bakeoff.parameters import REQUIRED, Parameter, parameters_of
from bakeoff.run.grid import Options
from bakeoff.tuning.spec import TuningSpec

ROOT = Path(__file__).parents[2]
OPTIONS = [(g, o) for g in ("model", "split", "dataset") for o in config_files.options(g)]
COMMENTED = [(g, o) for g, o in OPTIONS if g != "dataset" or o in ("csv", "simulated")]
"""Options whose files explain every parameter; the other data sets explain what is special to them."""


@cache
def class_parameters(group: str, option: str) -> tuple[dict[str, Any], dict[str, Parameter]]:
    """The values of an option's file, and the parameters of its class by name."""
    content = config_files.option(group, option)
    values = content["build"] if group == "model" else content
    return values, {p.name: p for p in parameters_of(import_object(values["_target_"], group))}


def first_clause(text: str) -> str:
    depth = 0
    for position, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and text[position : position + 2] in ("; ", ". "):
            return text[:position]
    return text.rstrip(".")


def explanation(parameter: Parameter) -> str:
    """What the comment of a parameter begins with: meaning, range, choices."""
    meaning = first_clause(parameter.meaning)
    choices = ", ".join(parameter.choices) if not all(c in meaning for c in parameter.choices) else ""
    return "; ".join(filter(None, (meaning, parameter.range, choices)))


def comments(group: str, option: str) -> dict[str, str]:
    """The comment beside each key on the level of the parameters."""
    text = config_files.option_file(group, option).read_text(encoding="utf-8")
    if group == "model":
        text = text.partition("build:\n")[2].partition("\nspace:")[0].replace("\n  ", "\n")
        text = text.removeprefix("  ")
    lines = (re.fullmatch(r"(\w+):.*?(?:\s#\s(.*))?", line) for line in text.splitlines())
    return {m[1]: m[2] or "" for m in lines if m}


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_a_file_names_parameters_of_its_class_alone(group: str, option: str) -> None:
    values, parameters = class_parameters(group, option)
    assert values.keys() - {"_target_", "name"} <= parameters.keys()


@pytest.mark.parametrize(("group", "option"), COMMENTED)
def test_a_file_lists_every_parameter_with_what_the_class_says_of_it(group: str, option: str) -> None:
    values, parameters = class_parameters(group, option)
    beside = comments(group, option)
    absent = {"origin", "layouts", "note"} if group == "dataset" else {"name"}
    assert parameters.keys() - values.keys() <= absent
    expected = {k: explanation(p) for k, p in parameters.items() if k in values and k != "name"}
    documented = {k: beside[k][: len(text)] for k, text in expected.items()}
    assert documented == expected


@pytest.mark.parametrize(("group", "option"), COMMENTED)
def test_a_value_that_is_not_the_default_of_the_class_says_so(group: str, option: str) -> None:
    values, parameters = class_parameters(group, option)
    beside = comments(group, option)
    for name, parameter in parameters.items():
        value, default = values.get(name), parameter.default
        fixed = default is REQUIRED or str(value).startswith("${") or name == "name"
        if name not in values or fixed or value == default or not (value or default):
            continue
        text = str(default).lower() if isinstance(default, bool) else default
        assert f"default of the class: {text}" in beside[name], f"{name}={value}"


def test_the_tuner_has_the_defaults_of_its_class() -> None:
    written = config_files.option("tune", "optuna")
    selection = {k: v for k, v in written["pareto_selection"].items() if v is not None}
    spec = asdict(TuningSpec())
    assert {**written, "pareto_selection": selection} == {**spec, "objectives": list(spec["objectives"])}


def test_the_settings_have_the_defaults_of_their_classes() -> None:
    written = config_files.primary()
    settings = Settings.of({**written, "metrics": {}})
    assert settings.options == Options()
    assert settings.tests == PairedTest()
    assert not settings.fresh and settings.mlflow is None
    assert written["statistics"].keys() == asdict(PairedTest()).keys()


@pytest.mark.parametrize("page", ["docs/contract.md"])
def test_the_contract_gives_the_scalars_of_the_configuration(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("Scalars and defaults:"))
    stated = dict(re.findall(r"`(\w+)=([^`=]+)`", line))
    stated.pop("fresh", None), stated.pop("tune", None)
    written = config_files.primary()
    assert {k: yaml.safe_load(v) for k, v in stated.items()} == {k: written[k] for k in stated}
    assert set(config_files.scalars()) - {"baselines", "params_from", "statistics"} <= set(
        re.findall(r"`(\w+)[=`]", line)
    )


def test_a_key_of_the_configuration_is_an_axis_or_a_setting_of_all_cells() -> None:
    axes = {"name", "depth", "seed", "split_seed", "params_from"}
    assert {key.partition(".")[0] for key in SETTINGS} == set(config_files.scalars()) - axes | {"metrics"}
    assert {f"statistics.{key}" for key in config_files.statistics()} <= set(SETTINGS)
