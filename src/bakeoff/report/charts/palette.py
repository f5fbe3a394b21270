"""The style of each model: one colour, shape and dash pattern, the same in every chart of a report."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

COLOURS = ("#0b6fb8", "#d55e00", "#00966b", "#d876b4", "#c8a200", "#5db1e6", "#a03a48")
"""After Okabe and Ito 2008, darker where white paper needs it.

Any two of them differ by 0.065 or more in OKLab to people with normal sight and with protan, deutan and
tritan vision (Machado et al. 2009), and each has a contrast of 2.3 or more on white and on #1b1b1b.
"""

GREYS = ("#767676", "#a3a3a3")
"""Colours of baselines."""

SHAPES = (
    *("circle", "square", "triangle-up", "diamond", "cross"),
    *("triangle-down", "triangle-right", "triangle-left"),
)
DASHES = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3))

NEUTRAL = "#858585"
"""Colour of marks that belong to no model: readable on white and on black."""


@dataclass(frozen=True)
class Style:
    """A colour as #rrggbb, a shape of Vega's, and a dash pattern in pixels."""

    colour: str
    shape: str
    dash: tuple[int, ...]


def styles(models: Sequence[str], baselines: Collection[str] = ()) -> dict[str, Style]:
    """Return a style for each model. Up to 56 models differ in colour or shape."""
    result: dict[str, Style] = {}
    n_models = n_baselines = 0
    for model in models:
        if model in baselines and n_baselines < len(GREYS):
            result[model] = Style(GREYS[n_baselines], SHAPES[4 - n_baselines], DASHES[0])
            n_baselines += 1
            continue
        turn, colour = divmod(n_models, len(COLOURS))
        shape = SHAPES[(colour + turn) % len(SHAPES)]
        result[model] = Style(COLOURS[colour], shape, DASHES[turn % len(DASHES)])
        n_models += 1
    return result
