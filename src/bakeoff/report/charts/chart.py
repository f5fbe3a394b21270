"""What a chart is: a Vega-Lite specification that holds its data, and what people read beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Spec = dict[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True)
class Chart:
    """One chart.

    Args:
        id: letters, digits and hyphens, unique on a page.
        title: what it shows, plain text.
        caption: how to read it, plain text.
        spec: a whole Vega-Lite specification with inline data. Where a page may choose what is shown, the
            specification has parameters named dataset, split, k or metric.
    """

    id: str
    title: str
    caption: str
    spec: Spec = field(repr=False)


@dataclass(frozen=True)
class ChartSection:
    """Charts that answer one question; `text` says what they show, or why there is none. Plain text."""

    id: str
    title: str
    text: str
    charts: tuple[Chart, ...] = ()
