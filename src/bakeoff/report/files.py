"""The files of an experiment's report, all from the same results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bakeoff.evaluation.metric import Metric
from bakeoff.report import rows
from bakeoff.report.comparison import comparison
from bakeoff.report.document import document
from bakeoff.report.render import csv, html, latex, markdown, parquet
from bakeoff.report.tables import Result, Table
from bakeoff.store import replacing


def write(
    folder: Path,
    name: str,
    results: Sequence[Result],
    ks: Sequence[int],
    metrics: Mapping[str, Metric],
    commands: Sequence[str],
    *,
    tables: Sequence[Table] | None = None,
) -> None:
    """Write metrics and cells (.csv, .parquet) and the report (.md, .tex, .html) into the folder.

    Where a cell was tuned there is tuning.csv too; where none was, an old one goes.

    The same results give the same bytes; each file is replaced whole, and none is touched before all are
    made.

    Args:
        tables: the comparison, where it has been made (with marks); None makes it.

    Raises:
        UsageError: results of one split family were made on different splits.
    """
    compared = comparison(results, ks, metrics) if tables is None else tables
    wide, page, paper = (
        document(name, results, compared, metrics, commands, per_grid=n)
        for n in (None, markdown.COLUMNS, latex.COLUMNS)
    )
    files: dict[str, str | bytes] = {
        "metrics.csv": csv.render(rows.METRIC_COLUMNS, rows.metric_rows(results, ks, metrics)),
        "metrics.parquet": parquet.render(rows.METRIC_COLUMNS, rows.metric_rows(results, ks, metrics)),
        "cells.csv": csv.render(rows.CELL_COLUMNS, rows.cell_rows(results)),
        "cells.parquet": parquet.render(rows.CELL_COLUMNS, rows.cell_rows(results)),
        "report.md": markdown.render(page),
        "report.tex": latex.render(paper),
        "report.html": html.render(wide),
    }
    trials = rows.tuning_rows(results)
    if trials:
        files["tuning.csv"] = csv.render(rows.TUNING_COLUMNS, trials)
    for file, content in files.items():
        with replacing(folder / file) as temporary:
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    if not trials:
        (folder / "tuning.csv").unlink(missing_ok=True)
