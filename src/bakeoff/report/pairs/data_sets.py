"""Models ranked over data sets: numbers for a critical-difference diagram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bakeoff.errors import Unsupported
from bakeoff.evaluation.metric import Metric
from bakeoff.evaluation.significance import CriticalDifference, critical_difference
from bakeoff.report.comparison import complete
from bakeoff.report.tables import Column, Row, Table


@dataclass(frozen=True, eq=False)
class OverDataSets:
    """k models over N data sets that were split alike.

    Args:
        split: name and settings of the split.
        column: the metric and its cutoff.
        data_sets: names and settings of the N data sets.
        models: the k models as a row of the first data set's table, in the order of `found.ranks`.
        found: mean ranks, Friedman's p, the critical difference and the groups that it leaves together.
    """

    split: tuple[str, str]
    column: Column
    data_sets: tuple[tuple[str, str], ...]
    models: tuple[Row, ...]
    found: CriticalDifference


def over_data_sets(
    tables: Sequence[Table],
    metrics: Mapping[str, Metric],
    column: Column,
    split: tuple[str, str],
    confidence: float = 0.95,
) -> OverDataSets:
    """Rank the models that have all their runs on every data set with this split (name and settings).

    A data set counts once, by the mean over its runs: its splits, folds and seeds are no new data.

    Raises:
        Unsupported: the metric has no direction, or there are too few data sets or models.
    """
    higher = metrics[column.metric].higher_is_better
    if higher is None:
        raise Unsupported(f"{column.metric} has no better end: its models cannot be ranked")
    found: dict[tuple[str, str], dict[tuple[str, str, str, str], Row]] = {}
    for table in tables:
        if (table.split, table.split_variant) == split:
            rows = [row for row in table.rows if complete(row, column, len(table.runs))]
            by_name = {(r.model, r.variant, r.differs, r.tune): r for r in rows}
            found.setdefault((table.dataset, table.dataset_variant), by_name)
    shared = [m for m in next(iter(found.values()), {}) if all(m in rows for rows in found.values())]
    scores = np.array([[rows[m].values[column].mean for m in shared] for rows in found.values()])
    signed = (scores if higher else -scores).reshape(len(found), len(shared))
    models = tuple(next(iter(found.values()))[m] for m in shared) if shared else ()
    return OverDataSets(split, column, tuple(found), models, critical_difference(signed, confidence))
