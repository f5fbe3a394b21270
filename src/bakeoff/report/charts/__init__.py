"""The charts of a report, all from stored results: nothing is fitted, nothing is fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bakeoff.evaluation.metric import Metric
from bakeoff.queries.select import Result
from bakeoff.queries.tables import Table
from bakeoff.report.charts import (
    agreements,
    bumps,
    differences,
    distributions,
    leaderboard,
    segments,
    tradeoffs,
    tuning,
)
from bakeoff.report.charts.chart import Chart, ChartSection
from bakeoff.report.charts.frame import frame
from bakeoff.report.charts.stored import stored
from bakeoff.storage.store import Store

__all__ = ["Chart", "ChartSection", "charts"]


def charts(
    results: Sequence[Result],
    tables: Sequence[Table],
    metrics: Mapping[str, Metric],
    store: Store | None,
) -> tuple[ChartSection, ...]:
    """All charts of a report, by the question that they answer.

    Args:
        results: the cells of the experiment.
        tables: `comparison(results, ...)`; its cutoffs are those of the charts.
        metrics: by name; one that was not measured is left out.
        store: where lists and per-user values are; None leaves out the charts that need them, and the text
            of their section says so.

    Returns sections without charts too, where their text says why there is none.
    """
    common = frame(tables, metrics)
    if common is None:
        return ()
    from altair.utils.schemapi import debug_mode

    rows, kept = leaderboard.measured(common), stored(common, store)
    with debug_mode(False):  # or Altair checks every part of every chart as it is made; the tests do that
        return (
            *leaderboard.sections(common, rows),
            *differences.sections(common, kept, store),
            *tradeoffs.sections(common),
            *bumps.sections(common, rows),
            *distributions.sections(common, kept),
            *segments.sections(common, kept),
            *agreements.sections(common, kept),
            *tuning.sections(common),
        )
