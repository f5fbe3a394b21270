"""Hold a written report to the store: make it again, compare it, and follow the chain of its hashes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from bakeoff.evaluation.catalogue import resolve, shipped
from bakeoff.evaluation.metric import Metric
from bakeoff.evaluation.significance import TestConfig
from bakeoff.queries.comparison import Table, comparison
from bakeoff.queries.pairs import with_uncertainty
from bakeoff.queries.select import Result, stored_record
from bakeoff.queries.verdict import with_verdicts
from bakeoff.report import files, rows
from bakeoff.report.document import is_sealed, writer
from bakeoff.run.naming import cell_label
from bakeoff.run.runner import EvaluationSpec
from bakeoff.storage.experiment import Experiment, ReportRecord, row_name
from bakeoff.storage.store import DamagedFileError, Store
from bakeoff.verify.chain import ChainCheck, chain
from bakeoff.verify.check import Fault, Verification

_BEFORE, _SHOWN = 16, 48
"""Letters of a line that are shown: before its first difference, and in all."""


def tables(
    results: Sequence[Result],
    ks: Sequence[int],
    metrics: Mapping[str, Metric],
    store: Store,
    test_config: TestConfig,
) -> list[Table]:
    """Return the comparison of a report, with intervals, marks and verdicts."""
    compared = with_uncertainty(comparison(results, ks, metrics), metrics, store, test_config)
    return with_verdicts(compared, metrics, store, test_config)


def record(
    folder: Path,
    experiment: Experiment,
    results: Sequence[Result],
    evaluation: EvaluationSpec,
    test_config: TestConfig,
) -> None:
    """Write into experiment.json what its report was made from."""
    report = ReportRecord(
        writer=writer(),
        ks=tuple(evaluation.ks),
        metrics=tuple(evaluation.metrics.items()),
        statistics=asdict(test_config),
        rows=tuple(row_name(result.request) for result in results),
        n_commands=len(experiment.commands),
        chain=chain(results, evaluation.ks, evaluation.metrics),
    )
    replace(Experiment.read(folder, experiment.name), report=report).write(folder)


def follow(
    experiment: Experiment, report: ReportRecord | None, store: Store, result: Verification, *, trust: bool
) -> None:
    """Follow the chain of hashes of each done cell, and add its broken links to a verification."""
    check = ChainCheck(store, trust=trust)
    for key, request in {r.key: r for r in experiment.requests}.items():
        record, _ = store.readable(key)
        if record is None or not record.done:
            continue
        messages = check.faults(request, record, report)
        result.faults += [Fault(key, cell_label(request.cell), message) for message in messages]
        result.n_chains += 1
    result.not_checked |= check.unknown


def compare(experiment: Experiment, folder: Path, store: Store, result: Verification, *, trust: bool) -> None:
    """Make every file of a report again from the store, and add what differs to a verification."""
    report = experiment.report
    if report is None:
        result.not_checked["the report"] = (
            "an earlier version wrote it, or none was written since; "
            f"`bakeoff report {experiment.name}` writes it again"
        )
        report = _earlier_report(experiment, folder)
    names = set(report.rows)
    requests = [request for request in experiment.requests if row_name(request) in names]
    results = [Result(request, stored_record(request, store)) for request in requests]
    for table, (columns, lines) in files.rows_of(results, report.ks, dict(report.metrics)).items():
        for suffix in ("csv",) if table == "tuning" else ("csv", "parquet"):
            _add(result, f"{table}.{suffix}", _table_faults(folder / f"{table}.{suffix}", columns, lines))
    if experiment.report is None:
        return
    if report.writer != writer():
        result.not_checked["the text of the report"] = (
            f"written by {report.writer}, this is {writer()}; "
            f"`bakeoff report {experiment.name}` writes it again"
        )
        for name in ("report.md", "report.tex", "report.html"):
            _add(result, name, _seal_faults(folder / name))
        return
    own = sorted(set(dict(report.metrics).values()) - {metric.path for metric in shipped().values()})
    if own and not trust:
        result.not_checked["the text of the report"] = f"it has a metric of your own ({own[0]}); add --trust"
        return
    metrics = resolve(dict(report.metrics))
    commands = experiment.commands[: report.n_commands]
    try:
        compared = tables(results, report.ks, metrics, store, TestConfig(**report.statistics))
        made = files.texts(experiment.name, results, compared, metrics, commands, store)
    except DamagedFileError as damage:
        result.not_checked["the text of the report"] = f"what it is made from is damaged: {damage.fault}"
        return
    for name, content in made.items():
        text = content if isinstance(content, str) else content.decode()
        _add(result, name, _text_faults(folder / name, text))


def _add(result: Verification, name: str, messages: Iterator[str]) -> None:
    before = len(result.faults)
    result.faults += [Fault("", name, message) for message in messages]
    result.files[name] = "as made again" if len(result.faults) == before else "differs"


def _earlier_report(experiment: Experiment, folder: Path) -> ReportRecord:
    """Return what can be told of a report without a record from its tables."""
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        numbers = list(csv.DictReader(file))
    with (folder / "cells.csv").open(newline="", encoding="utf-8") as file:
        keys = {row.get("key") for row in csv.DictReader(file)}
    ks = tuple(sorted({int(row["k"]) for row in numbers if row["k"]}))
    metrics = tuple(dict.fromkeys((row["metric"], "") for row in numbers))
    names = tuple(row_name(request) for request in experiment.requests if request.key in keys)
    return ReportRecord("", ks, metrics, {}, names, 0, {})


# -- files -------------------------------------------------------------------------------------------


def _table_faults(path: Path, columns: Sequence[str], content: Sequence[rows.CsvRow]) -> Iterator[str]:
    """Yield where a table differs from the records, value by value."""
    try:
        if path.suffix == ".csv":
            written = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
            expected = list(csv.reader(io.StringIO(rows.csv_text(columns, content), newline="")))
        else:
            from pyarrow import parquet

            written = _lines(parquet.read_table(path))
            expected = _lines(rows.arrow_table(columns, content))
    except (OSError, ValueError) as error:
        yield f"it cannot be read ({error}){_again(path)}"
        return
    if len(written) != len(expected):
        yield f"{len(written) - 1} rows, the store has {len(expected) - 1}{_again(path)}"
    for number, (own, other) in enumerate(zip(written, expected, strict=False), 1):
        for column, value, stored in zip_longest(columns, own, other):
            if value != stored:
                cell = "" if number == 1 else f" of cell {other[0]}"
                yield f"line {number}, {column}{cell}: {value}, the store has {stored}"


def _lines(table: Any) -> list[list[str]]:
    """Return the names of the columns, then the values of each row."""
    columns = table.to_pydict().values()
    return [table.column_names, *([repr(value) for value in line] for line in zip(*columns, strict=True))]


def _text_faults(path: Path, expected: str) -> Iterator[str]:
    """Yield the first difference of a text from the one that is made again."""
    try:
        written = path.read_bytes().decode(errors="replace")
    except OSError as error:
        yield f"it cannot be read ({error.strerror}){_again(path)}"
        return
    pairs = list(zip_longest(written.split("\n"), expected.split("\n"), fillvalue=""))
    different = [number for number, (own, other) in enumerate(pairs) if own != other]
    if not different:
        return
    own, other = pairs[different[0]]
    column = next((n for n, (a, b) in enumerate(zip(own, other, strict=False)) if a != b), len(own))
    shown = slice(max(column - _BEFORE, 0), max(column - _BEFORE, 0) + _SHOWN)
    since = "" if path.suffix == ".svg" else ", changed since it was written"
    if since and is_sealed(written):
        since = ", as it was written: the store or the experiment has changed since"
    yield (
        f"line {different[0] + 1} of {len(different)} that differ: {own[shown]!r}, "
        f"made again {other[shown]!r}{since}"
    )


def _seal_faults(path: Path) -> Iterator[str]:
    """Yield that the text of another version does not have its own digest."""
    try:
        if not is_sealed(path.read_bytes().decode(errors="replace")):
            yield f"it is not as it was written: its digest is of another text{_again(path)}"
    except OSError as error:
        yield f"it cannot be read ({error.strerror}){_again(path)}"


def _again(path: Path) -> str:
    return f"; `bakeoff report {path.parent.name}` writes it again"
