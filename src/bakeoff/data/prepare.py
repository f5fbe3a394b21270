"""What is done to the rows of a data set before they are cut, in the declared order, each step counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from bakeoff.arrays import Bools
from bakeoff.data.interactions import Interactions, ValueOperation
from bakeoff.data.source import Step
from bakeoff.errors import ConfigError, DataError, check_range, nearest

Transform = Literal["none", "binary", "log1p", "clip"]


@dataclass(frozen=True)
class Condition:
    """A condition on a column: rows that fail its one test are left out.

    Args:
        column: the column's name.
        present: True keeps rows that have a value.
        matches: a regular expression that the whole text must match.
        excludes: a regular expression that the whole text must not match.
        min: the smallest number that is kept.
        max: the largest.
    """

    column: str
    present: bool | None = None
    matches: str | None = None
    excludes: str | None = None
    min: float | None = None
    max: float | None = None

    def __post_init__(self) -> None:
        tests = [t for t in ("present", "matches", "excludes", "min", "max") if getattr(self, t) is not None]
        if len(tests) != 1 or self.present is False:
            raise ConfigError(
                f"dataset.where, column {self.column!r}: expected one test of "
                f"present: true, matches, excludes, min, max; got {', '.join(tests) or 'none'}"
            )
        if self.numeric:
            check_range(f"dataset.where, column {self.column!r}: {tests[0]}", getattr(self, tests[0]))
        if self._pattern is not None:
            import pyarrow as pa
            import pyarrow.compute as pc

            try:
                pc.match_substring_regex(pa.array([""]), self._pattern)
            except pa.ArrowInvalid as error:
                raise ConfigError(
                    f"dataset.where, column {self.column!r}: {str(error).splitlines()[0]}"
                ) from None

    @property
    def _pattern(self) -> str | None:
        """A regular expression (RE2) for the whole text."""
        pattern = self.excludes if self.matches is None else self.matches
        return None if pattern is None else f"^(?:{pattern})$"

    @property
    def numeric(self) -> bool:
        return self.min is not None or self.max is not None

    def __str__(self) -> str:
        test = {
            "present": "is present",
            "matches": f"matches {self.matches}",
            "excludes": f"does not match {self.excludes}",
            "min": f">= {self.min}",
            "max": f"<= {self.max}",
        }
        return f"{self.column} {next(words for t, words in test.items() if getattr(self, t) is not None)}"

    def passes(self, column: Any) -> Bools:
        """Return which rows of an Arrow array pass, bool [n]; a null passes `excludes` alone."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.present:
            passed = pc.is_valid(column)
        elif self.numeric:
            bound = self.min if self.min is not None else self.max
            try:
                numbers = pc.cast(column, pa.float64(), safe=False)
                passed = (pc.greater_equal if self.min is not None else pc.less_equal)(numbers, bound)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                raise DataError(
                    f"dataset.where: column {self.column!r} holds no numbers, which '{self}' needs"
                ) from None
        else:
            distinct = column.dictionary if pa.types.is_dictionary(column.type) else column
            hits = pc.match_substring_regex(pc.cast(distinct, pa.string()), self._pattern)
            passed = hits.take(column.indices) if pa.types.is_dictionary(column.type) else hits
            passed = pc.fill_null(passed, False)
            if self.excludes is not None:
                passed = pc.invert(passed)
        return np.asarray(pc.fill_null(passed, False).to_numpy(zero_copy_only=False), dtype=bool)


def count_step(name: str, data: Interactions, note: str = "", part: str = "") -> Step:
    """Return the counts after a step."""
    users, items = (int((np.bincount(codes) > 0).sum()) for codes in (data.users, data.items))
    total = len(data) if data.values is None else data.values.sum(dtype=np.float64)
    return Step(name, len(data), users, items, note, float(total), part)


def check_filters(filters: Sequence[Mapping[str, Any]]) -> None:
    """Raise ConfigError unless each filter is one name of FILTERS with a number in its range."""
    for at, entry in enumerate(filters):
        if not isinstance(entry, Mapping) or len(entry) != 1:
            raise ConfigError(
                f"dataset.filters[{at}]={entry!r}: expected one name and its number, as in {{k_core: 5}}"
            )
        ((name, value),) = entry.items()
        if name not in FILTERS:
            raise ConfigError(f"dataset.filters[{at}]: no filter {name!r}; {nearest(name, FILTERS)}")
        if name == "min_value":
            check_range(f"dataset.filters[{at}].{name}", value)
        else:
            check_range(f"dataset.filters[{at}].{name}", value, 1, integer=True)


def prepare(
    data: Interactions,
    filters: Sequence[Mapping[str, Any]],
    transform: Transform,
    clip: float | None,
    *,
    events: bool,
    where: str,
    part: str = "",
    train: Interactions | None = None,
) -> tuple[Interactions, list[Step]]:
    """Merge the pairs, filter them in the declared order, transform their values; return a step for each.

    All of it acts on merged pairs, whether or not there are times. Filters by count choose users and items,
    in the whole data set; filters by value and transforms concern one pair each, and are done in each part of
    a split.

    Args:
        data: the rows.
        filters: see `FILTERS`.
        transform: of the values.
        clip: bound of the transform clip.
        events: return the rows of the users and items that are left, in which a split by time cuts, with the
            operations for their pairs; otherwise return the prepared pairs.
        where: the file, for messages.
        part: name of the part of a split in files, for the steps.
        train: prepared train part of such a split: filters by count take its users and items.

    Raises:
        DataError: nothing is left.
    """
    pairs, operations = data.merged(), list[ValueOperation]()
    repeats = len(data) - len(pairs)
    note = f"{repeats} rows merged into the pair that they repeat" if repeats else "no row repeats a pair"
    if repeats and events:
        note += "; a split by time cuts the rows, and merges inside each part"
    steps = [count_step(f"merge ({data.merge})", pairs, note, part)]
    for entry in filters:
        ((key, bound),) = entry.items()
        label, sides, count_filter = FILTERS[key]
        label, before = label.format(bound), pairs
        if count_filter is None:
            operations.append(ValueOperation("min_value", bound))
            pairs = operations[-1].apply(pairs)
        elif train is None:
            pairs = count_filter(pairs, bound)
        else:
            label += " in train"
            for side in sides:
                known = np.isin(getattr(pairs, f"{side}_ids").hashes, getattr(train, f"{side}_ids").hashes)
                pairs = pairs.take(known[getattr(pairs, f"{side}s")])
        if not len(pairs):
            raise DataError(
                f"{where}: the filter '{label}' leaves nothing of {len(before)} pairs, "
                f"{before.n_users} users and {before.n_items} items; loosen dataset.filters"
            )
        steps.append(count_step(label, pairs, f"{len(before) - len(pairs)} pairs removed", part))
    if transform != "none":
        operations.append(ValueOperation(transform, clip or 0.0))
        pairs = operations[-1].apply(pairs)
        label = transform if clip is None else f"clip at {clip:g}"
        steps.append(count_step(f"transform ({label})", pairs, part=part))
    if events:
        used = [
            np.bincount(codes, minlength=size) > 0
            for codes, size in ((pairs.users, data.n_users), (pairs.items, data.n_items))
        ]
        pairs = replace(data.take(used[0][data.users] & used[1][data.items]), operations=tuple(operations))
    return drop_unused_ids(pairs), steps


def _min_user_interactions(data: Interactions, minimum: int) -> Interactions:
    return data.take((np.bincount(data.users, minlength=data.n_users) >= minimum)[data.users])


def _min_item_interactions(data: Interactions, minimum: int) -> Interactions:
    return data.take((np.bincount(data.items, minlength=data.n_items) >= minimum)[data.items])


def _k_core(data: Interactions, k: int) -> Interactions:
    """Remove users and items with fewer than k different partners, until there are none."""
    while True:
        smaller = _min_item_interactions(_min_user_interactions(data, k), k)
        if len(smaller) == len(data):
            return data
        data = smaller


# What each filter is called, whose number it counts, and the function that counts; None: it looks at values.
FILTERS: dict[str, tuple[str, tuple[str, ...], Callable[[Interactions, int], Interactions] | None]] = {
    "min_value": ("value at least {}", (), None),
    "min_user_interactions": ("users with at least {} items", ("user",), _min_user_interactions),
    "min_item_interactions": ("items with at least {} users", ("item",), _min_item_interactions),
    "k_core": ("{}-core", ("user", "item"), _k_core),
}


def drop_unused_ids(data: Interactions) -> Interactions:
    """Remove the ids of users and items without a row."""
    for name in ("users", "items"):
        codes, ids = getattr(data, name), getattr(data, name[:-1] + "_ids")
        used = np.bincount(codes, minlength=len(ids)) > 0
        if not used.all():
            ranks = np.cumsum(used, dtype=np.int32) - np.int32(1)
            data = replace(data, **{name: ranks[codes], name[:-1] + "_ids": ids.take(np.flatnonzero(used))})
    return data


def check_size(data: Interactions, name: str) -> None:
    """Raise DataError unless there are two users and two items: fewer cannot be compared on."""
    for what, ids in (("user", data.user_ids), ("item", data.item_ids)):
        if len(ids) < 2:
            count = f"only one {what} ({ids.values[0]!s})" if len(ids) else f"no {what}"
            raise DataError(f"{name}: {count} in {len(data)} rows; expected at least 2 {what}s")
