"""A chart of a report as an object that shows itself in a notebook."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bakeoff.report.charts import Chart


@dataclass(frozen=True, eq=False)
class Drawing:
    """One chart with its data in it: `spec` is Vega-Lite, `altair()` gives Altair's object of it.

    A notebook that knows Vega-Lite shows the chart that one can choose in and point at, every other one the
    same chart as a still picture. Neither asks any other address for anything.
    """

    chart: Chart

    @property
    def spec(self) -> dict[str, Any]:
        """The Vega-Lite specification."""
        return self.chart.spec

    @cached_property
    def svg(self) -> str:
        """The chart as it is before anybody chooses, drawn here."""
        import vl_convert

        drawn: str = vl_convert.vegalite_to_svg(json.dumps(self.spec))
        return drawn

    def altair(self) -> Any:
        """An `altair.Chart` (or layered, concatenated chart) of the same specification, to build on."""
        import altair

        return altair.Chart.from_dict(self.spec)

    def __repr__(self) -> str:
        return f"{self.chart.title}\n{self.chart.caption}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        version = str(self.spec.get("$schema", "")).rpartition("/v")[2].partition(".")[0]
        rich = {f"application/vnd.vegalite.v{version}+json": self.spec} if version else {}
        return {**rich, "image/svg+xml": self.svg, "text/plain": repr(self)}
