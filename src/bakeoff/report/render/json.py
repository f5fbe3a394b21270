"""Answers as JSON documents, for scripts."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bakeoff.queries.compare import CompareRequest, Comparison, Decision, MetricComparison
from bakeoff.queries.comparison import Table
from bakeoff.queries.select import Result
from bakeoff.report import rows
from bakeoff.report.view import text_of


class Reported(NamedTuple):
    """An experiment whose reports were written, and its folder."""

    name: str
    folder: Path
    results: Sequence[Result]
    tables: Sequence[Table] = ()


def write(document: Mapping[str, Any]) -> None:
    """Write one JSON document to standard output."""
    text = json.dumps(plain(document), indent=1, ensure_ascii=False, allow_nan=False)
    sys.stdout.write(text + "\n")


def plain(value: Any) -> Any:
    """Return a value as JSON has it: dataclasses as objects, numbers without a value as null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if hasattr(value, "tolist"):  # an array or a number of numpy's
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    return [plain(entry) for entry in value] if isinstance(value, Iterable) else str(value)


def experiments(
    reported: Sequence[Reported], ks: Collection[int], metrics: Collection[str]
) -> dict[str, Any]:
    """Return the rows of cells.csv and metrics.csv of experiments, verdicts, and boards, best first."""
    cells, values, board = [], [], []
    verdicts: list[dict[str, Any]] = []
    for name, _, results, tables in reported:
        cells += _objects(name, rows.CELL_COLUMNS, rows.cell_rows(results))
        values += _objects(name, rows.METRIC_COLUMNS, rows.metric_rows(results, ks, metrics))
        board += [
            {
                "experiment": name,
                "dataset": table.dataset_label,
                "split": table.split_label,
                "model": row.label,
                "runs": row.done,
                "fits": row.fits,
                "metric": column.metric,
                "k": column.k,
                "mean": value.mean,
                "ci_half_width": value.half,
                "best": value.best,
                "tied": value.tied,
            }
            for table in tables
            for row in table.rows
            for column, value in row.values.items()
        ]
        verdicts += [
            {"experiment": name, "text": text_of(table.verdict), **plain(table.verdict)}
            for table in tables
            if table.verdict is not None
        ]
    for cell in cells:
        cell["parameters"] = json.loads(cell["parameters"])
    folders = {report.name: str(report.folder) for report in reported}
    return {
        "experiments": folders,
        "verdict": verdicts,
        "leaderboard": board,
        "cells": cells,
        "metrics": values,
    }


def comparisons(
    compared: Sequence[Comparison], request: CompareRequest, decision: Decision | None
) -> dict[str, Any]:
    """Return comparisons with a row for each metric and cutoff, and each split by itself."""
    return {
        "gate": request.gate,
        "tolerance": request.tolerance,
        "non_inferior": request.non_inferior,
        "answer": None if decision is None else decision.answer,
        "decision": decision,
        "comparisons": [
            {
                "split": one.match.title,
                "candidate": one.match.candidate,
                "baseline": one.match.baseline,
                "same_cells": bool(one.match.same),
                "answer": one.answer,
                "question": one.question(request.test_config),
                "n_splits": one.n_splits,
                "n_fits": one.n_seeds,
                "smaller": one.smaller,
                "family_size": one.family_size,
                "metrics": [_metric(metric) for metric in one.metrics],
                "splits": one.splits,
            }
            for one in compared
        ],
    }


def _metric(compared: MetricComparison) -> dict[str, Any]:
    tested = plain(compared.tested) if compared.tested is not None else {}
    return {
        "metric": compared.column.metric,
        "k": compared.column.k,
        "higher_is_better": compared.higher_is_better,
        "candidate": compared.candidate,
        "baseline": compared.baseline,
        "difference": compared.candidate - compared.baseline,
        "untested": compared.untested,
        **tested,
    }


def _objects(name: str, columns: Sequence[str], values: Iterable[rows.CsvRow]) -> list[dict[str, Any]]:
    return [{"experiment": name, **dict(zip(columns, row, strict=True))} for row in values]
