"""The ranges that hyperparameters of many models have: one rule by kind of number, one wording."""

from __future__ import annotations

from collections.abc import Iterable

from bakeoff.errors import check_range


def check_knobs(
    model: object,
    *,
    counts: Iterable[str] = (),
    above_zero: Iterable[str] = (),
    from_zero: Iterable[str] = (),
) -> None:
    """Raise ConfigError for the first hyperparameter that is out of its range.

    Args:
        model: whose attributes they are; the message calls one `model.build.NAME`, as a command does.
        counts: whole numbers of 1 and more.
        above_zero: numbers larger than 0, such as rates.
        from_zero: numbers of 0 and more, such as penalties.
    """
    for name in counts:
        check_range(f"model.build.{name}", getattr(model, name), 1, integer=True)
    for name in above_zero:
        check_range(f"model.build.{name}", getattr(model, name), above=0)
    for name in from_zero:
        check_range(f"model.build.{name}", getattr(model, name), 0)
