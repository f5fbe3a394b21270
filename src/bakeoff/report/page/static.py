"""Charts as SVG files beside the Markdown report: few, and from the same specifications as on the page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.report.charts import Chart, ChartSection
from bakeoff.report.page.board import Board

FOLDER = "charts"
"""Folder of the charts beside report.md."""

SHOWN: dict[str, dict[str, str]] = {"leader-board": {}, "curves": {}, "tradeoff": {"goal": "coverage"}}
"""Which charts, if they begin with these parameters: who leads, whether that depends on k, and what accuracy
costs in coverage. Costs in seconds differ from run to run; these files must not."""

WIDTH = 480
"""Pixels of a chart that is as wide as its container."""

_CONFIG = {"background": "white", "font": "sans-serif", "padding": 12, "view": {"stroke": None}}


@dataclass(frozen=True)
class Drawing:
    """One chart of one comparison.

    Args:
        section: position of the comparison in the report.
        file: path beside report.md; stable, of letters, digits, underscores and hyphens.
        alt: what it shows, plain text.
        svg: the drawing; the same for the same specification.
    """

    section: int
    file: str
    alt: str
    svg: str


def drawings(sections: Iterable[ChartSection], boards: Sequence[Board]) -> list[Drawing]:
    """Draw the charts of SHOWN for each comparison with numbers."""
    charts = {chart.id: chart for section in sections for chart in section.charts}
    result: list[Drawing] = []
    for number, board in enumerate(boards):
        for name in (
            n for n, params in SHOWN.items() if board.columns and n in charts and _begins(charts[n], params)
        ):
            file = f"{FOLDER}/{number + 1}-{_slug(board.dataset)}-{_slug(board.split)}-{name}.svg"
            alt = f"{charts[name].title}, {board.title}"
            result.append(Drawing(number, file, alt, _svg(charts[name], board)))
    return result


def _begins(chart: Chart, params: dict[str, str]) -> bool:
    return params.items() <= {p["name"]: p.get("value") for p in chart.spec["params"] if "value" in p}.items()


def _slug(text: str) -> str:
    """Return a name of letters, digits and underscores; other characters become hyphens."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-")[:40].lower() or "x"


def _svg(chart: Chart, board: Board) -> str:
    import vl_convert

    spec: dict[str, Any] = {**chart.spec, "params": _at(chart.spec.get("params", []), board)}
    if spec.get("width") == "container":
        spec |= {"width": WIDTH}
        spec.pop("autosize", None)
    return str(vl_convert.vegalite_to_svg(json.dumps(spec), config=_CONFIG)) + "\n"


def _at(params: Iterable[dict[str, Any]], board: Board) -> list[dict[str, Any]]:
    """Return the parameters of a chart, set to one data set and split."""
    number = {"dataset": board.dataset, "split": board.split}
    return [{**p, "value": number[p["name"]]} if p["name"] in number else p for p in params]
