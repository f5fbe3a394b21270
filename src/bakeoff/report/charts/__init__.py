"""The charts of a report, made from stored results: nothing is fitted, nothing is fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bakeoff.evaluation.metric import Metric
from bakeoff.queries.comparison import Table
from bakeoff.report.charts import leaders, pairs, tradeoffs, tuning, users
from bakeoff.report.charts.frame import frame
from bakeoff.report.charts.vega import Chart, ChartSection
from bakeoff.storage.store import Store

__all__ = ["Chart", "ChartSection", "charts"]


def charts(
    tables: Sequence[Table], metrics: Mapping[str, Metric], store: Store | None
) -> tuple[ChartSection, ...]:
    """Return all charts of a report, by the question that they answer.

    Args:
        tables: `comparison(...)`; its cutoffs are those of the charts.
        metrics: by name; one that was not measured is left out.
        store: where lists and values by user are; None leaves out the charts that need them, and the text of
            their section says so.

    Sections without charts are returned too, where their text says why there is none.
    """
    shared = frame(tables, metrics, store)
    if shared is None:
        return ()
    leading, *ranks = leaders.sections(shared)
    return (
        leading,
        *tradeoffs.sections(shared),
        *pairs.differences(shared),
        *ranks,
        *users.spread(shared),
        *users.segments(shared),
        *pairs.agreement(shared),
        *tuning.sections(shared),
    )
