"""The files of an experiment's report, all from the same results."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bakeoff.data.describe import Description, describe
from bakeoff.errors import ConfigError
from bakeoff.evaluation.metric import Metric
from bakeoff.log import logger
from bakeoff.queries.comparison import Table, comparison
from bakeoff.queries.select import Result
from bakeoff.report import rows
from bakeoff.report.charts import charts
from bakeoff.report.charts.static import FOLDER, drawings
from bakeoff.report.document import document
from bakeoff.report.page import Describe, page, unknown
from bakeoff.report.render import html, latex, markdown
from bakeoff.run.cell import Cell
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.store import Store, replacing


def write(
    folder: Path,
    name: str,
    results: Sequence[Result],
    ks: Sequence[int],
    metrics: Mapping[str, Metric],
    commands: Sequence[str],
    *,
    store: Store | None = None,
    tables: Sequence[Table] | None = None,
) -> None:
    """Write metrics and cells (.csv, .parquet) and the report (.md, .tex, .html) into the folder.

    Where a cell was tuned there is tuning.csv too, and the charts of report.md are charts/*.svg; old ones go.

    The same results give the same bytes; each file is replaced whole, and none is touched before all are
    made.

    Args:
        store: where the data sets, lists and values by user lie; without one the page says what it lacks.
        tables: the comparison, where it has been made (with marks); None makes it.

    Raises:
        UsageError: results of one split family were made on different splits.
    """
    earlier = lost(folder, name, results, ks, metrics)
    compared = comparison(results, ks, metrics) if tables is None else tables
    files = texts(name, results, compared, metrics, commands, store)
    for table, (columns, lines) in rows_of(results, ks, metrics).items():
        files[f"{table}.csv"] = rows.csv_text(columns, lines)
        if table != "tuning":
            files[f"{table}.parquet"] = rows.parquet_bytes(columns, lines)
    for file, content in files.items():
        with replacing(folder / file) as temporary:
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    for old in (folder / "tuning.csv", *(folder / FOLDER).glob("*.svg")):
        if old.relative_to(folder).as_posix() not in files:
            old.unlink(missing_ok=True)
    if earlier:
        logger.warning("%s", earlier)


def rows_of(
    results: Sequence[Result], ks: Sequence[int], metrics: Collection[str]
) -> dict[str, tuple[tuple[str, ...], list[rows.CsvRow]]]:
    """Return columns and rows of `metrics`, `cells` and, where a cell was tuned, `tuning`."""
    tables = {
        "metrics": (rows.METRIC_COLUMNS, rows.metric_rows(results, ks, metrics)),
        "cells": (rows.CELL_COLUMNS, rows.cell_rows(results)),
        "tuning": (rows.TUNING_COLUMNS, rows.tuning_rows(results)),
    }
    return {name: table for name, table in tables.items() if name != "tuning" or table[1]}


def lost(
    folder: Path, name: str, results: Sequence[Result], ks: Sequence[int], metrics: Mapping[str, Metric]
) -> str:
    """Return what the written report holds and the next one lacks, with the command that writes it again.

    It is empty where nothing is lost. Cells that the experiment no longer has (fresh=true) do not count.
    """
    path = folder / "metrics.csv"
    if not path.exists():
        return ""
    cells = {request.key for request in Experiment.read(folder, name).requests}
    with path.open(newline="", encoding="utf-8") as file:
        before = [row for row in csv.DictReader(file) if row.get("key") in cells]
    keys = {result.request.key for result in results}
    old_ks = sorted({int(row["k"]) for row in before if row["k"]})
    old_metrics = sorted({row["metric"] for row in before})
    losses = {
        "k": [str(k) for k in old_ks if k not in ks],
        "metrics": [metric for metric in old_metrics if metric not in metrics],
        "models": sorted({row["model"] for row in before if row["key"] not in keys}),
    }
    if not any(losses.values()):
        return ""
    words = [f"k={','.join(map(str, old_ks))}"] if old_ks else []
    words += [f"metrics={','.join(old_metrics)}"] if losses["metrics"] else []
    words += [f"results_dir={shlex.quote(str(folder.parent))}"] if folder.parent != Path("results") else []
    listed = "; ".join(f"{what} {', '.join(values)}" for what, values in losses.items() if values)
    command = " ".join(["bakeoff report", shlex.quote(name), *words])
    return f"{folder}: the earlier report also had {listed}; `{command}` writes it again"


def texts(
    name: str,
    results: Sequence[Result],
    tables: Sequence[Table],
    metrics: Mapping[str, Metric],
    commands: Sequence[str],
    store: Store | None,
) -> dict[str, str | bytes]:
    """Return the report for each reader, and the charts: name of the file -> content.

    Args:
        tables: the comparison, with intervals and marks.
    """
    tables = [_with_notes(table, store) for table in tables]
    wide, sheet, paper = (
        document(name, results, tables, metrics, commands, per_grid=n)
        for n in (None, markdown.COLUMNS, latex.COLUMNS)
    )
    sections = charts(tables, metrics, store)
    shown = page(wide, results, tables, metrics, sections, _describer(store))
    drawn = drawings(sections, tables)
    return {
        "report.md": markdown.render(sheet, drawn),
        "report.tex": latex.render(paper),
        "report.html": html.render(shown),
        **{drawing.file: drawing.svg for drawing in drawn},
    }


def _with_notes(table: Table, store: Store | None) -> Table:
    """Return the table with the ledger of its data's preparation and the notes of it, if the store has it."""
    cell = next((result.request.cell for row in table.rows for result in row.results), None)
    key = "" if cell is None else _data_key(cell)
    if store is None or cell is None or not key or not store.has_data(key):
        return table
    steps = store.data(key).steps
    parts = store.split(cell.split_key).steps if store.has_split(cell.split_key) else ()
    notes = [step.note for step in (*steps, *parts) if not step.part or step.name.startswith("match")]
    return replace(table, of_data=tuple(note for note in notes if note), ledger=(*steps, *parts))


def _data_key(cell: Cell) -> str:
    """Return the name of a cell's data in the store; "" if a file does not tell it."""
    try:
        return cell.data_key
    except ConfigError:
        return ""


def _describer(store: Store | None) -> Describe:
    """Return a function that describes a data set of a store."""

    def look(cell: Cell) -> Description | str:
        key = _data_key(cell)
        if store is None or not key or not store.has_data(key):
            return unknown(cell)
        return describe(store.data(key))

    return look
