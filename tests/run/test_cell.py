from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from bakeoff.errors import ConfigError
from bakeoff.run.cell import Cell, build, build_model, parameters, with_content_hashes


def a_cell(**changes: Any) -> Cell:
    cell = Cell(
        dataset={"_target_": "toys.Blocks", "name": "blocks"},
        split={"_target_": "bakeoff.splits.per_user.Random", "name": "random", "ratio": 0.8},
        model={"name": "mine", "build": {"_target_": "toys.Shuffled", "offset": 0}},
    )
    return with_content_hashes(replace(cell, **changes))


def test_the_key_is_a_letter_and_fifteen_digits_and_repeats() -> None:
    assert len(a_cell().key) == 16 and a_cell().key[0] == "c"
    assert a_cell().key == a_cell().key


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 2},
        {"split_seed": 43},
        {"depth": 50},
        {"dataset": {"_target_": "toys.Blocks", "name": "blocks", "n_users": 30}},
        {"split": {"_target_": "bakeoff.splits.per_user.Random", "name": "random", "ratio": 0.7}},
        {"model": {"name": "mine", "build": {"_target_": "toys.Shuffled", "offset": 1}}},
        {"tune": {"trials": 3}},
    ],
)
def test_whatever_can_move_a_number_changes_the_key(changes: dict[str, Any]) -> None:
    assert a_cell(**changes).key != a_cell().key


def test_names_and_labels_do_not_change_the_key() -> None:
    renamed = a_cell(
        dataset={"_target_": "toys.Blocks", "name": "other"},
        split={"_target_": "bakeoff.splits.per_user.Random", "name": "r", "ratio": 0.8},
        model={"name": "m", "build": {"_target_": "toys.Shuffled", "offset": 0}},
        variant="x=1",
    )
    assert renamed.key == a_cell().key


def test_a_default_that_is_written_out_does_not_change_the_key() -> None:
    terse = a_cell(model={"name": "mine", "build": {"_target_": "toys.Shuffled"}})
    assert terse.key == a_cell().key


def test_equal_numbers_are_one_number_whatever_their_type() -> None:
    one = a_cell(model={"name": "m", "build": {"_target_": "toys.Sleeps", "seconds": 3}})
    other = a_cell(model={"name": "m", "build": {"_target_": "toys.Sleeps", "seconds": 3.0}})
    assert one.key == other.key


def test_the_seed_of_a_model_without_chance_is_not_part_of_its_key() -> None:
    model = {"name": "by item", "build": {"_target_": "toys.ByItem"}}
    assert a_cell(model=model, seed=1).key == a_cell(model=model, seed=2).key


def test_the_seed_of_a_split_without_chance_is_not_part_of_its_key() -> None:
    split = {"_target_": "bakeoff.splits.temporal.Temporal", "name": "temporal"}
    assert a_cell(split=split, split_seed=1).split_key == a_cell(split=split, split_seed=2).split_key


def test_seeds_of_one_split_share_a_family() -> None:
    assert a_cell(split_seed=1).split_family == a_cell(split_seed=2).split_family
    other = {"_target_": "bakeoff.splits.per_user.Random", "name": "random", "ratio": 0.7}
    assert a_cell(split=other).split_family != a_cell().split_family


def test_a_cell_survives_json() -> None:
    cell = a_cell()
    assert cell.key
    value = msgspec.json.decode(msgspec.json.encode(cell))
    assert msgspec.convert(value, Cell).key == cell.key
    del value["identity"]
    assert msgspec.convert(value, Cell).key == cell.key


def test_an_unknown_parameter_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r"model\.build\.ofset: toys\.ByItem has no such parameter; did you mean 'offset'"
    ):
        parameters({"_target_": "toys.ByItem", "ofset": 1}, "model.build")


def test_a_parameter_without_a_value_is_asked_for() -> None:
    with pytest.raises(ConfigError, match=r"x\.path: no value; give one as x\.path="):
        build({"_target_": "toys.from_path"}, "x")


def test_tuned_values_take_the_place_of_configured_ones() -> None:
    model: Any = build_model({"name": "m", "build": {"_target_": "toys.ByItem", "offset": 1}}, offset=5)
    assert model.offset == 5
