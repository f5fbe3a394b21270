import pytest

from bakeoff import errors
from bakeoff.errors import BakeoffError, ConfigError, UsageError, check_choice, check_range, nearest


def test_every_error_is_a_bakeoff_error_and_stands_in_the_drawn_tree() -> None:
    kinds = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    assert len(kinds) == 6
    for kind in kinds:
        assert issubclass(kind, BakeoffError)
        assert kind.__name__ in (errors.__doc__ or "")


def test_wrong_configuration_and_wrong_data_are_usage_errors() -> None:
    assert issubclass(errors.ConfigError, UsageError)
    assert issubclass(errors.DataError, UsageError)
    assert not issubclass(errors.Unsupported, UsageError)
    assert not issubclass(errors.ModelError, UsageError)


def test_a_name_like_no_other_is_answered_with_all_that_there_is() -> None:
    assert nearest("zzz", ["bpr", "als"]) == "choose one of: als, bpr"


@pytest.mark.parametrize("value", [0, 1, 0.5])
def test_a_number_inside_its_bounds_passes(value: float) -> None:
    check_range("x", value, low=0, high=1)


@pytest.mark.parametrize(
    ("value", "bounds", "message"),
    [
        (-1, {"low": 0}, "x=-1: expected a number >= 0"),
        (2, {"low": 0, "high": 1}, "x=2: expected a number >= 0 and <= 1"),
        (0, {"above": 0}, "x=0: expected a number > 0"),
        (1.0, {"above": 0, "below": 1}, "x=1.0: expected a number > 0 and < 1"),
        (1.5, {"low": 1, "integer": True}, "x=1.5: expected a whole number"),
        (True, {}, "x=True: expected a number"),
        ("3", {}, "x='3': expected a number"),
        (None, {}, "x=None: expected a number"),
        (float("nan"), {"low": 0}, "x=nan: expected a number >= 0"),
        (float("nan"), {}, "x=nan: expected a number"),
    ],
)
def test_a_number_outside_its_bounds_is_named_with_them(value, bounds, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_range("x", value, **bounds)
    assert str(caught.value) == message


def test_a_choice_that_is_known_passes() -> None:
    check_choice("split.cold_users", "drop", ["drop", "keep"])


def test_a_name_in_other_letter_case_is_answered_with_the_name() -> None:
    assert nearest("ALS", ["als", "bpr"]).startswith("did you mean 'als'?")


def test_a_choice_that_is_not_known_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r"^split.cold_users='dorp': did you mean 'drop'\? choose one of: drop, keep$"
    ):
        check_choice("split.cold_users", "dorp", ["drop", "keep"])
