"""Every number that a shipped model takes is checked, and refused by its name on the command line."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from bakeoff.errors import ConfigError
from bakeoff.importing import import_object
from bakeoff.models.knobs import check_knobs

MODELS = (
    *("implicit.ALS", "implicit.BPR", "implicit.LMF", "neighbours.ItemKNN", "linear.EASE", "sar.SAR"),
    *("lightfm.LightFM", "baselines.Popularity", "baselines.Biases"),
)


def numbers() -> list[tuple[str, str]]:
    found = []
    for path in MODELS:
        made = import_object(f"bakeoff.models.{path}", "model")()
        found += [(path, f.name) for f in fields(made) if type(getattr(made, f.name)) in (int, float)]
    return found


@pytest.mark.parametrize(("path", "name"), numbers(), ids=lambda word: word.rpartition(".")[2])
@pytest.mark.parametrize("value", ["many", -1, float("nan"), True])
def test_what_is_no_number_or_below_zero_is_refused(path: str, name: str, value: object) -> None:
    made = import_object(f"bakeoff.models.{path}", "model")()
    with pytest.raises(ConfigError, match=rf"^model\.build\.{name}=.*: expected a (whole )?number"):
        replace(made, **{name: value})


@pytest.mark.parametrize(
    ("kind", "right", "wrong", "says"),
    [
        ("counts", 1, 0, "expected a whole number >= 1"),
        ("counts", 1, 1.5, "expected a whole number"),
        ("above_zero", 1e-9, 0, "expected a number > 0"),
        ("from_zero", 0, -1e-9, "expected a number >= 0"),
    ],
)
def test_each_kind_has_one_rule_and_one_wording(kind: str, right: float, wrong: float, says: str) -> None:
    class Model:
        knob: float = right

    check_knobs(Model(), **{kind: ("knob",)})
    Model.knob = wrong
    with pytest.raises(ConfigError, match=rf"^model\.build\.knob={wrong!r}: {says}$"):
        check_knobs(Model(), **{kind: ("knob",)})
