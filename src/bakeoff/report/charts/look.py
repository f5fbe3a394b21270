"""How a model looks: one colour, shape and dash for it in every chart of a report."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

COLOURS = ("#0b6fb8", "#d55e00", "#00966b", "#d876b4", "#c8a200", "#5db1e6", "#a03a48")
"""After Okabe and Ito 2008, darker where white paper needs it.

Any two of them differ by 0.065 or more in OKLab to people with normal sight and with protan, deutan and
tritan vision (Machado et al. 2009), and each has a contrast of 2.3 or more on white and on #1b1b1b.
"""

GREYS = ("#767676", "#a3a3a3")
"""Of the baselines, which are there to be beaten."""

SHAPES = (
    "circle",
    "square",
    "triangle-up",
    "diamond",
    "cross",
    "triangle-down",
    "triangle-right",
    "triangle-left",
)
DASHES = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3))

NEUTRAL = "#858585"
"""Of what belongs to no model: readable on white and on black."""


@dataclass(frozen=True)
class Look:
    """A colour as #rrggbb, a shape of Vega's, and a dash pattern in pixels."""

    colour: str
    shape: str
    dash: tuple[int, ...]


def looks(models: Sequence[str], baselines: Collection[str] = ()) -> dict[str, Look]:
    """A look for each model, in their order; no two have both colour and shape in common up to 56."""
    found: dict[str, Look] = {}
    plain = greys = 0
    for model in models:
        if model in baselines and greys < len(GREYS):
            found[model] = Look(GREYS[greys], SHAPES[4 - greys], DASHES[0])
            greys += 1
            continue
        turn, colour = divmod(plain, len(COLOURS))
        found[model] = Look(
            COLOURS[colour], SHAPES[(colour + turn) % len(SHAPES)], DASHES[turn % len(DASHES)]
        )
        plain += 1
    return found
