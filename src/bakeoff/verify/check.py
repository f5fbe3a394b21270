"""Go over an experiment: every number of metrics.csv and of the per-user tables, every list, every split."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bakeoff.errors import UsageError
from bakeoff.run.cell import Cell
from bakeoff.run.naming import cell_label
from bakeoff.splits.base import Split
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.record import Record
from bakeoff.storage.store import Store, StoredLists
from bakeoff.verify import formulas
from bakeoff.verify.evidence import EvaluationInputs, Train, evidence
from bakeoff.verify.libraries import Library
from bakeoff.verify.structure import fingerprint_of, list_faults, rank_faults, split_faults
from bakeoff.verify.verdict import TOLERANCE, Fault, Line, Verdict, gap

Row = Mapping[str, str]


@dataclass(frozen=True, eq=False)
class _Here:
    """One split, and what is needed to look at its cells."""

    split: Split
    train: Train
    fingerprint: str
    store: Store
    libraries: Sequence[Library]
    verdict: Verdict


def verify(
    experiment: Experiment,
    folder: Path,
    store: Store,
    libraries: Sequence[Library],
    keys: Collection[str] | None = None,
) -> Verdict:
    """Check the stored numbers of an experiment.

    Args:
        keys: of the cells to check; None for all of them, and for rows of metrics.csv that have no cell.

    Raises:
        UsageError: there is no metrics.csv, or nothing in the store to hold it against.
    """
    rows = _read(folder / "metrics.csv")
    cells = {a.key: a.cell for a in experiment.requests}
    unknown = rows.keys() - cells.keys()
    if keys is not None:
        cells, unknown = {key: cells[key] for key in cells if key in keys}, set()
        rows = {key: of_cell for key, of_cell in rows.items() if key in keys}
    verdict = Verdict(numbers=sum(map(len, rows.values())))
    for key in unknown:
        verdict.faults.append(
            Fault(key, "metrics.csv", f"{len(rows[key])} rows of no cell of the experiment")
        )
    by_split: dict[str, list[tuple[Cell, Record]]] = {}
    for key, cell in cells.items():
        record = store.record(key)
        if record is not None and record.done:
            by_split.setdefault(cell.split_key, []).append((cell, record))
        elif key in rows:
            why = "there is no record" if record is None else f"its record says {record.status}"
            verdict.faults.append(
                Fault(key, cell_label(cell), f"{len(rows[key])} rows in metrics.csv, but {why}")
            )
        else:
            why = "has not run" if record is None else f"{record.status}: {record.reason}"
            verdict.left_out.append(f"{cell_label(cell)}: {why}")
    if not by_split:
        raise UsageError(
            f"{store.root}: it holds no finished cell of experiment {experiment.name!r} to verify"
        )
    for split_key, done in by_split.items():
        if not store.has_split(split_key):
            raise UsageError(
                f"{store.root}: it does not hold the split of {cell_label(done[0][0])}; run again"
            )
        split = store.split(split_key)
        here = _Here(split, Train(split), fingerprint_of(split), store, libraries, verdict)
        for cell, record in done:
            found = _cell(here, cell, record, rows.get(record.key, ()))
            verdict.faults += [Fault(record.key, cell_label(cell), what) for what in found]
    return verdict


def _cell(here: _Here, cell: Cell, record: Record, own: Sequence[Row]) -> Iterator[str]:
    """What is wrong with a cell; what was looked at is counted in the verdict."""
    split, verdict = here.split, here.verdict
    yield from split_faults(split, here.fingerprint, record.split_fingerprint)
    yield from _csv_faults(own, record, split)
    verdict.splits[record.split_fingerprint] = f"{cell.dataset_name}, {cell.split_name}"
    verdict.cells += 1
    try:
        stored = here.store.lists(record.key)
    except UsageError as error:
        yield f"nothing was recomputed: {error}"
        return
    yield from list_faults(split, stored)
    yield from rank_faults(split, stored)
    verdict.lists += len(stored.items)
    if _measurable(split, stored):
        yield from _numbers(here, stored, own, record)
    else:
        yield "its numbers were not recomputed: the lists are of no use"


def _measurable(split: Split, stored: StoredLists) -> bool:
    items = np.asarray(stored.items)
    fits = items.ndim == 2 and len(items) == len(split.users) and bool((items < split.train.n_items).all())
    ranks = (a is None or len(a) == split.test[split.users].nnz for a in (stored.above, stored.ties))
    return fits and all(ranks)


def _csv_faults(own: Sequence[Row], record: Record, split: Split) -> Iterator[str]:
    """Where metrics.csv, the record and the split do not say the same."""
    if not own:
        yield "it is done, and metrics.csv has no row of it"
    for row in own:
        name = _name(row["metric"], row["k"])
        pair = record.metrics.get(row["metric"], {}).get(row["k"])
        if pair is None:
            yield f"{name}: metrics.csv says {row['value']}, the record has no such number"
        elif (row["value"], row["stderr"]) != tuple("" if v is None else repr(v) for v in pair):
            yield (
                f"{name}: metrics.csv says {row['value']} and standard error {row['stderr'] or 'none'}, the "
                f"record {pair[0]!r} and {'none' if pair[1] is None else repr(pair[1])}"
            )
        if row["n_users"] != str(len(split.users)) or row["split_fingerprint"] != record.split_fingerprint:
            yield (
                f"{name}: metrics.csv says {row['n_users']} users of split {row['split_fingerprint']}; they "
                f"are {len(split.users)} of {record.split_fingerprint}"
            )


def _numbers(here: _Here, stored: StoredLists, own: Sequence[Row], record: Record) -> Iterator[str]:
    """Recompute what metrics.csv says of a cell, and what its per-user table does."""
    told = {(row["metric"], int(row["k"]) if row["k"] else None): row for row in own}
    deepest = max((k or 1 for _, k in told), default=1)
    found = evidence(here.split, stored, here.train, deepest)
    by_user = _per_user(here.store.cell_folder(record.key) / "per_user.parquet")
    for (metric, k), row in told.items():
        if not formulas.known(metric):
            here.verdict.unverified[metric] = "there is no second formula for it"
            continue
        try:
            each, mean, error = formulas.recomputed(found, metric, k)
        except LookupError as why:
            here.verdict.unverified[metric] = str(why)
            continue
        line = here.verdict.lines.setdefault(metric, Line())
        line.numbers += 1
        for what, said, expected in (("", row["value"], mean), ("standard error of ", row["stderr"], error)):
            yield from _compared(what + _name(metric, row["k"]), said, expected, line)
        column = by_user.get(_name(metric, row["k"]))
        if column is not None and each is not None:
            yield from _users(_name(metric, row["k"]), column, each, found, line)
    for library in here.libraries:
        yield from _asked(library, found, told, here.verdict)


def _compared(name: str, said: str, expected: float | None, line: Line) -> Iterator[str]:
    if (said == "") != (expected is None):
        yield f"{name}: metrics.csv says {said or 'nothing'}, recomputed {expected}"
    elif expected is not None:
        apart = gap(said, expected)
        line.largest = max(line.largest, apart)
        if apart > TOLERANCE:
            yield f"{name}: metrics.csv says {said}, recomputed {expected!r}"


def _users(
    name: str, column: list[float], each: list[float | None], found: EvaluationInputs, line: Line
) -> Iterator[str]:
    """The per-user values; NaN says that a user has none."""
    if len(column) != len(each):
        yield f"{name}: per_user.parquet has {len(column)} users, there are {len(each)}"
        return
    wrong = []
    for at, (said, expected) in enumerate(zip(column, each, strict=True)):
        if expected is None and math.isnan(said):
            continue
        apart = gap(repr(said), expected)
        line.users += 1
        line.largest = max(line.largest, apart)
        if apart > TOLERANCE:
            wrong.append(at)
    if wrong:
        at = wrong[0]
        yield (
            f"{name}: per_user.parquet differs for {len(wrong)} users; the first, in row {at + 1}, has "
            f"{column[at]!r}, recomputed {each[at]!r}"
        )


def _asked(
    library: Library, found: EvaluationInputs, told: Mapping[tuple[str, int | None], Row], verdict: Verdict
) -> Iterator[str]:
    for (metric, k), expected in library.ask(found, list(told)).items():
        row = told[metric, k]
        apart = gap(row["value"], expected)
        line = verdict.lines.setdefault(metric, Line())
        line.library, line.asked = library.name, line.asked + 1
        if library.title not in verdict.asked:
            verdict.asked.append(library.title)
        line.library_largest = max(line.library_largest, apart)
        if apart > TOLERANCE:
            yield f"{_name(metric, row['k'])}: metrics.csv says {row['value']}, {library.title} {expected!r}"


def _read(path: Path) -> dict[str, list[Row]]:
    """Rows of metrics.csv by the key of their cell."""
    if not path.exists():
        raise UsageError(f"{path}: no such file; `bakeoff report {path.parent.name}` writes it")
    with path.open(newline="", encoding="utf-8") as file:
        table = csv.DictReader(file)
        wanted = {"key", "split_fingerprint", "k", "metric", "value", "stderr", "n_users"}
        lacking = sorted(wanted - set(table.fieldnames or ()))
        if lacking:
            raise UsageError(f"{path}: no column {', '.join(lacking)}; write it again with `bakeoff report`")
        found: dict[str, list[Row]] = {}
        for row in table:
            found.setdefault(row["key"], []).append(row)
    return found


def _per_user(path: Path) -> dict[str, list[float]]:
    if not path.exists():
        return {}
    from pyarrow import parquet

    columns: dict[str, Any] = parquet.read_table(path).to_pydict()
    return {name: values for name, values in columns.items() if name != "user"}


def _name(metric: str, k: str) -> str:
    return f"{metric}@{k}" if k else metric
