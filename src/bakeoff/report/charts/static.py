"""Charts as SVG files beside the Markdown report: few, and from the same specifications as on the page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.queries.comparison import Table
from bakeoff.report.charts.frame import table_labels
from bakeoff.report.charts.vega import Chart, ChartSection

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


def drawings(sections: Iterable[ChartSection], tables: Sequence[Table]) -> list[Drawing]:
    """Draw the charts of SHOWN for each comparison with numbers."""
    charts = {chart.id: chart for section in sections for chart in section.charts}
    shown = [charts[name] for name, first in SHOWN.items() if name in charts and _begins(charts[name], first)]
    result: list[Drawing] = []
    for number, (table, label) in enumerate(zip(tables, table_labels(tables), strict=True)):
        for chart in shown if table.columns else ():
            place = "-".join(map(_slug, label))
            file = f"{FOLDER}/{number + 1}-{place}-{chart.id}.svg"
            result.append(Drawing(number, file, f"{chart.title}, {table.title}", _svg(chart, *label)))
    return result


def _begins(chart: Chart, params: dict[str, str]) -> bool:
    return params.items() <= {p["name"]: p.get("value") for p in chart.spec["params"] if "value" in p}.items()


def _slug(text: str) -> str:
    """Return a name of letters, digits and underscores; other characters become hyphens."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-")[:40].lower() or "x"


def _svg(chart: Chart, dataset: str, split: str) -> str:
    import vl_convert

    chosen = {"dataset": dataset, "split": split}
    params = [{**p, "value": chosen[p["name"]]} if p["name"] in chosen else p for p in chart.spec["params"]]
    spec: dict[str, Any] = {**chart.spec, "params": params, "width": WIDTH}
    del spec["autosize"]
    return str(vl_convert.vegalite_to_svg(json.dumps(spec), config=_CONFIG)) + "\n"
