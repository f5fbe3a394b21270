"""Room for what stands in a chart: its height by what is shown, its names by its width."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bakeoff.report.charts.chart import Row

ROOM = "width > 0 && isFinite(containerSize()[0]) ? containerSize()[0] - 12 : 460"
"""Pixels for a title; it names the width, so that it is looked at again when that changes."""

EMPTY = 40
"""Pixels of a chart that has no line for what is chosen."""

SLANTED = 7
"""So many names stand at a slant on a phone, beside long names on the other axis."""

PADDING = {"left": 5, "top": 5, "right": 15, "bottom": 5}
"""Pixels around a chart. The last figure of an axis may reach out further than when the width was found."""

_PHONE = 330
"""Pixels of a chart on a phone of 390, without its padding at the right."""

SYMBOL = 26
"""Pixels of a symbol in a legend with its gaps."""

_LETTER, _AXIS = 7, 40
"""Pixels of a letter, and of an axis with numbers."""

_LABEL = 150
"""Pixels that a name on an axis has at most."""


@dataclass(frozen=True)
class Lines:
    """The height of a chart that has a line for each name: so many pixels for each.

    Places of a report hold different models. Vega-Lite's own steps would follow them too, but it complains
    of steps in a chart that is as wide as its place.

    Args:
        counts: data set -> split -> number of lines.
    """

    pixels: float
    counts: Mapping[str, Mapping[str, int]]

    def parameters(self) -> list[Any]:
        """Parameters that follow dataset and split: `drawn` is the number of lines, `height` theirs."""
        import altair as alt

        counts = {dataset: dict(by_split) for dataset, by_split in self.counts.items()}
        return [
            alt.param(name="lines", value=counts),
            alt.param(name="drawn", expr="lines[dataset] && lines[dataset][split] || 0"),
            alt.param(name="height", expr=f"drawn > 0 ? {self.pixels:g} * drawn : {EMPTY}"),
        ]


def line_for_each(pixels: float, rows: Iterable[Row], *fields: str) -> Lines:
    """A line for each different value of some fields in the rows of a place; none named: of the model."""
    seen: dict[str, dict[str, set[Any]]] = {}
    for row in rows:
        found = tuple(row[field] for field in fields or ("model",))
        seen.setdefault(row["dataset"], {}).setdefault(row["split"], set()).add(found)
    return Lines(pixels, {d: {s: len(found) for s, found in by.items()} for d, by in seen.items()})


def slanted(n: int) -> dict[str, Any]:
    """Properties of an axis below with n names: at a slant, or upright where they would touch on a phone.

    The number decides, not the width: the height of the names is laid out before the width is known.
    """
    if n <= SLANTED:
        return {"labelAngle": -40, "labelLimit": 130}
    return {"labelAngle": -90, "labelLimit": 130}


def figures(channel: str) -> str:
    """What the labels of an axis say: the figure of one value alone is not rounded to a whole number."""
    ends = f"domain('{channel}')"
    return f"{ends}[0] == {ends}[1] ? format(datum.value, '.4~r') : datum.label"


def legend_columns(names: Iterable[str], beside: Iterable[str] = ()) -> int:
    """How many columns of a legend fit on a phone, three at most; of two or three some long names are cut.

    >>> legend_columns(["als", "bpr"]), legend_columns(["als"], beside=["an artist of half of the users"])
    (3, 3)
    >>> legend_columns(["itemknn_cosine"]), legend_columns(["itemknn_cosine"], beside=["itemknn_cosine"])
    (2, 1)
    """
    longest, at_left = (max(map(len, some), default=0) * _LETTER for some in (names, beside))
    room = _PHONE - (min(at_left, _LABEL) + 10 if at_left else _AXIS)
    return next((n for n in (3, 2) if longest + SYMBOL <= room / n), 2 if room > 250 else 1)
