"""What a verification finds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

TOLERANCE = 1e-9
"""Largest difference that is none: |a - b| / max(1, |b|)."""


@dataclass(frozen=True)
class Fault:
    """Something that is not as it should be: where, and what."""

    key: str
    who: str
    what: str


@dataclass
class Line:
    """What was found of one metric.

    numbers, users: means and per-user values that were recomputed; largest: the largest difference.
    library, asked, library_largest: likewise for a library's means.
    """

    numbers: int = 0
    users: int = 0
    largest: float = 0.0
    library: str = ""
    asked: int = 0
    library_largest: float = 0.0


@dataclass
class Verdict:
    """What came of it.

    splits: fingerprint -> what it is a split of.
    unverified: metric -> why its numbers could not be recomputed.
    left_out: cells without numbers, and why.
    asked: libraries that gave numbers, with their versions.
    """

    cells: int = 0
    numbers: int = 0
    lists: int = 0
    splits: dict[str, str] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    unverified: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return not self.faults


def difference(found: float, expected: float) -> float:
    """|found - expected|, relative where expected is above 1."""
    return abs(found - expected) / max(1.0, abs(expected))


def gap(said: str, expected: float | None) -> float:
    """The difference of a number as it is written; infinite where one of the two is no number."""
    if expected is None:
        return math.inf
    try:
        found = difference(float(said), expected)
    except ValueError:
        return math.inf
    return math.inf if math.isnan(found) else found
