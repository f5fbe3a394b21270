"""Ranges and meanings of the parameters of models, splits and data sets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

import pytest

from bakeoff import config_files
from bakeoff.errors import ConfigError
from bakeoff.importing import import_object
from bakeoff.parameters import (
    REQUIRED,
    Count,
    NonNegative,
    OpenShare,
    Parameter,
    Positive,
    check_parameters,
    parameters_of,
)


def shipped() -> list[str]:
    """Import paths of all models, splits and data sets in conf/."""
    files = [
        p for group in ("model", "split", "dataset") for p in (config_files.folder() / group).glob("*.yaml")
    ]
    targets = [
        config.get("_target_") or config["build"]["_target_"] for config in map(config_files.read, files)
    ]
    return sorted(set(targets))


MODELS = (
    *("implicit.ALS", "implicit.BPR", "implicit.LMF", "neighbours.ItemKNN", "linear.EASE", "sar.SAR"),
    *("lightfm.LightFM", "baselines.Popularity", "baselines.Biases"),
)


def numbers() -> list[tuple[str, str]]:
    result = []
    for path in MODELS:
        made = import_object(f"bakeoff.models.{path}", "model")()
        result += [(path, f.name) for f in fields(made) if type(getattr(made, f.name)) in (int, float)]
    return result


@pytest.mark.parametrize(("path", "name"), numbers(), ids=lambda word: word.rpartition(".")[2])
@pytest.mark.parametrize("value", ["many", -1, float("nan"), True])
def test_what_is_no_number_or_below_zero_is_refused(path: str, name: str, value: object) -> None:
    made = import_object(f"bakeoff.models.{path}", "model")()
    with pytest.raises(ConfigError, match=rf"^model\.build\.{name}=.*: expected a (whole )?number"):
        replace(made, **{name: value})


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.rpartition(".")[2])
def test_a_choice_that_does_not_exist_is_answered_with_the_nearest(path: str) -> None:
    made = import_object(f"bakeoff.models.{path}", "model")()
    for parameter in parameters_of(type(made)):
        for choice in parameter.choices:
            with pytest.raises(
                ConfigError, match=rf"^model\.build\.{parameter.name}='{choice}s': did you mean"
            ):
                replace(made, **{parameter.name: f"{choice}s"})


@dataclass
class Shape:
    """A class of the user's.

    Args:
        sides: number of sides,
            corners as many.
        edge: length, in cm.
        colour: name; see below.
        label: text.

    Raises:
        ValueError: never.
    """

    sides: Count = 3
    edge: Positive | None = None
    colour: Literal["red", "blue"] = "red"
    share: OpenShare = 0.5
    least: NonNegative = 0.0
    label: str = field(default_factory=str)

    def __post_init__(self) -> None:
        check_parameters(self, "shape")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"sides": 0}, "sides=0: expected a whole number >= 1"),
        ({"sides": 1.5}, "sides=1.5: expected a whole number"),
        ({"edge": 0}, "edge=0: expected a number > 0"),
        ({"share": 1.0}, "share=1.0: expected a number > 0 and < 1"),
        ({"least": -1e-9}, "least=-1e-09: expected a number >= 0"),
        ({"colour": "reed"}, "colour='reed': did you mean 'red'?"),
    ],
)
def test_a_value_outside_its_range_is_refused_by_name(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match="^" + re.escape(f"shape.{says}")):
        Shape(**values)


def test_parameters_have_what_annotation_and_docstring_say() -> None:
    assert parameters_of(Shape) == (
        Parameter("sides", "int", 3, "number of sides, corners as many.", low=1, range=">= 1"),
        Parameter("edge", "float or null", None, "length, in cm.", low=0, range="> 0"),
        Parameter("colour", "str", "red", "name; see below.", choices=("red", "blue")),
        Parameter("share", "float", 0.5, "", low=0, high=1, range="> 0, < 1"),
        Parameter("least", "float", 0.0, "", low=0, range=">= 0"),
        Parameter("label", "str", "", "text."),
    )


def test_a_class_without_annotations_has_names_and_defaults() -> None:
    class Plain:
        def __init__(self, a, b=2):  # type: ignore[no-untyped-def]
            self.a, self.b = a, b

    assert parameters_of(Plain) == (Parameter("a", "", REQUIRED, ""), Parameter("b", "", 2, ""))


@pytest.mark.parametrize("path", shipped())
def test_each_parameter_of_a_shipped_class_has_a_meaning_and_each_number_a_range(path: str) -> None:
    for parameter in parameters_of(import_object(path, "test")):
        assert parameter.meaning, parameter.name
        if parameter.type in ("int", "float") and not isinstance(parameter.default, bool):
            assert parameter.range, parameter.name
