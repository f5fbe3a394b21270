"""Verify an experiment: its splits, its lists, and every number of metrics.csv and of the per-user tables."""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bakeoff.errors import UsageError
from bakeoff.run.cell import Cell
from bakeoff.run.naming import cell_label
from bakeoff.splits.base import Split
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.record import Record
from bakeoff.storage.store import DamagedFileError, Store, StoredLists, folder_faults
from bakeoff.verify import formulas
from bakeoff.verify.formulas import Inputs, TrainCounts, plain_inputs
from bakeoff.verify.libraries import Library

TOLERANCE = 1e-9
"""Largest difference that counts as agreement: |a - b| / max(1, |b|)."""

_USERS_NAMED = 3
"""Number of users named in one fault; the others are counted."""

Row = Mapping[str, str]
"""A row of metrics.csv."""


@dataclass(frozen=True)
class Fault:
    """A difference between what is stored and what it should be.

    Args:
        key: of the cell, "" for a file of the report.
        label: of the cell, or the name of the file.
        message: what differs.
    """

    key: str
    label: str
    message: str


@dataclass
class MetricCheck:
    """Counts and largest differences of one metric.

    Args:
        n_means, n_users: numbers of means and of per-user values that were recomputed.
        largest: the largest difference among them.
        library: name of the library that computed it as well, "" for none.
        n_library: number of means that the library computed.
        library_largest: the largest difference from the library.
    """

    n_means: int = 0
    n_users: int = 0
    largest: float = 0.0
    library: str = ""
    n_library: int = 0
    library_largest: float = 0.0


@dataclass
class Verification:
    """The result of verifying an experiment.

    Args:
        n_cells, n_rows, n_lists: numbers of cells, rows of metrics.csv and lists that were checked.
        splits: fingerprint -> data set and split.
        metrics: by name.
        faults: all differences.
        unverified: metric -> reason why its values could not be recomputed.
        without_numbers: cells that have not run or have failed, with the reason.
        libraries: names and versions of the libraries that computed values.
        n_chains: number of cells whose chain of hashes was followed.
        files: of the report -> "as made again" or "differs".
        not_checked: what was left out of the chains, the files and the fits -> the reason.
        refits: a line for each cell that was fitted again.
    """

    n_cells: int = 0
    n_rows: int = 0
    n_lists: int = 0
    splits: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, MetricCheck] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    unverified: dict[str, str] = field(default_factory=dict)
    without_numbers: list[str] = field(default_factory=list)
    libraries: list[str] = field(default_factory=list)
    n_chains: int = 0
    files: dict[str, str] = field(default_factory=dict)
    not_checked: dict[str, str] = field(default_factory=dict)
    refits: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return not self.faults

    def metric(self, name: str) -> MetricCheck:
        """Return the counts of a metric, new ones at first."""
        return self.metrics.setdefault(name, MetricCheck())


@dataclass(frozen=True, eq=False)
class CheckContext:
    """A split with what checking its cells needs."""

    split: Split
    train: TrainCounts
    fingerprint: str
    store: Store
    libraries: Sequence[Library]
    result: Verification


def verify(
    experiment: Experiment,
    folder: Path,
    store: Store,
    libraries: Sequence[Library],
    keys: Collection[str] | None = None,
) -> Verification:
    """Check the stored numbers of an experiment.

    Args:
        folder: of its reports.
        libraries: that recompute the means they have a formula for.
        keys: of the cells to check; None for all of them, and for rows of metrics.csv without a cell.

    Raises:
        UsageError: there is no metrics.csv, or the store lacks the cells or their splits.
    """
    rows = _read_metrics(folder / "metrics.csv")
    cells = {a.key: a.cell for a in experiment.requests}
    unknown = rows.keys() - cells.keys()
    if keys is not None:
        cells, unknown = {key: cells[key] for key in cells if key in keys}, set()
        rows = {key: of_cell for key, of_cell in rows.items() if key in keys}
    result = Verification(n_rows=sum(map(len, rows.values())))
    result.faults += [
        Fault(key, "metrics.csv", f"{len(rows[key])} rows of no cell of the experiment") for key in unknown
    ]
    by_split: dict[str, list[tuple[Cell, Record]]] = {}
    damaged = False
    for key, cell in cells.items():
        record, _ = store.readable(key)
        if damages := store.cell_faults(key):
            damaged = True
            result.faults += [Fault(key, cell_label(cell), damage) for damage in damages]
        elif record is not None and record.done:
            by_split.setdefault(cell.split_key, []).append((cell, record))
        elif key in rows:
            reason = "there is no record" if record is None else f"its record says {record.status}"
            message = f"{len(rows[key])} rows in metrics.csv, but {reason}"
            result.faults.append(Fault(key, cell_label(cell), message))
        else:
            reason = "has not run" if record is None else f"{record.status}: {record.reason}"
            result.without_numbers.append(f"{cell_label(cell)}: {reason}")
    if not by_split and not damaged:
        raise UsageError(f"{store.root}: no finished cell of experiment {experiment.name!r} to verify")
    for split_key, done in by_split.items():
        if not store.has_split(split_key):
            raise UsageError(f"{store.root}: the split of {cell_label(done[0][0])} is missing; run it again")
        folders = store.split_folder(split_key), store.data_folder(done[0][0].data_key)
        damages = [fault for folder in folders if folder.exists() for fault in folder_faults(folder)]
        result.faults += [Fault(split_key, cell_label(done[0][0]), damage) for damage in damages]
        try:
            split = store.split(split_key)
        except DamagedFileError as damage:
            if not damages:
                result.faults.append(Fault(split_key, cell_label(done[0][0]), damage.fault))
            continue
        context = CheckContext(split, TrainCounts(split), _fingerprint(split), store, libraries, result)
        for cell, record in done:
            messages = _check_cell(context, cell, record, rows.get(record.key, ()))
            result.faults += [Fault(record.key, cell_label(cell), message) for message in messages]
    return result


def _check_cell(context: CheckContext, cell: Cell, record: Record, rows: Sequence[Row]) -> Iterator[str]:
    """Yield the faults of a cell, and count in the result what was checked."""
    split, result = context.split, context.result
    yield from _split_faults(split, context.fingerprint, record.split_fingerprint)
    yield from _row_faults(rows, record, split)
    result.splits[record.split_fingerprint] = f"{cell.dataset_name}, {cell.split_name}"
    result.n_cells += 1
    try:
        stored = context.store.lists(record.key)
    except UsageError as error:
        yield f"nothing was recomputed: {error}"
        return
    yield from _list_faults(split, stored)
    yield from _rank_faults(split, stored)
    result.n_lists += len(stored.items)
    if _measurable(split, stored):
        yield from _number_faults(context, stored, rows, record)
    else:
        yield "its numbers were not recomputed: the lists do not fit the split"


def _measurable(split: Split, stored: StoredLists) -> bool:
    items = np.asarray(stored.items)
    fits = items.ndim == 2 and len(items) == len(split.users) and bool((items < split.train.n_items).all())
    n_pairs = split.test[split.users].nnz
    return fits and all(ranks is None or len(ranks) == n_pairs for ranks in (stored.above, stored.ties))


# -- the split and the lists ---------------------------------------------------------------------


def _fingerprint(split: Split) -> str:
    """Return the fingerprint of the arrays; `split.fingerprint` of a stored split is read from its file."""
    computed: str = type(split).fingerprint.func(split)  # type: ignore[attr-defined]
    return computed


def _split_faults(split: Split, computed: str, recorded: str) -> Iterator[str]:
    """Yield the faults of a stored split.

    Args:
        computed: fingerprint of its arrays.
        recorded: fingerprint in the cell's record.
    """
    if computed != recorded:
        yield f"the stored split has fingerprint {computed}, the record says {recorded}"
    if computed != split.fingerprint:
        yield f"split.json says fingerprint {split.fingerprint}, its arrays have {computed}"
    both = split.test.multiply(split.history)
    if both.nnz:
        yield f"{both.nnz} test pairs are in the history as well"
    with_test = np.flatnonzero(np.diff(split.test.indptr))
    if not np.array_equal(with_test, split.users):
        yield f"{len(split.users)} users are evaluated, {len(with_test)} have test items"


def _list_faults(split: Split, stored: StoredLists) -> Iterator[str]:
    """Yield the faults of a cell's lists; if their shape is wrong, that alone."""
    ids = split.train.user_ids.values
    items, scores = np.asarray(stored.items), np.asarray(stored.scores)
    if items.ndim != 2 or items.shape != scores.shape or len(items) != len(split.users):
        yield f"lists of shape {items.shape} and scores of shape {scores.shape} for {len(split.users)} users"
        return
    faults: dict[str, list[str]] = {}
    for row, user in enumerate(split.users.tolist()):
        seen = split.history.indices[split.history.indptr[user] : split.history.indptr[user + 1]]
        for fault in _faults_of_list(items[row].tolist(), scores[row].tolist(), set(seen.tolist()), split):
            faults.setdefault(fault, []).append(str(ids[user]))
    for fault, users in faults.items():
        more = f" and {len(users) - _USERS_NAMED} more" if len(users) > _USERS_NAMED else ""
        yield f"{fault}: user {', '.join(users[:_USERS_NAMED])}{more}"


def _faults_of_list(items: list[int], scores: list[float], seen: set[int], split: Split) -> Iterator[str]:
    listed = [i for i in items if i >= 0]
    if items[: len(listed)] != listed or any(i < -1 for i in items):
        yield "a pad is before an item"
    if any(i >= split.train.n_items for i in listed):
        yield "an item is outside the catalogue"
    if len(set(listed)) < len(listed):
        yield "an item is repeated"
    if seen & set(listed):
        yield "an item was seen in train"
    of_items = scores[: len(listed)]
    if any(not np.isfinite(s) for s in of_items) or any(b > a for a, b in itertools.pairwise(of_items)):
        yield "scores rise along the list or are not finite"


def _rank_faults(split: Split, stored: StoredLists) -> Iterator[str]:
    """Yield the faults of the test items' ranks among all candidates.

    An item at position p of a list has at most p - 1 candidates above it, and together with its ties at least
    p - 1; an item outside a full list has at least as many candidates above it and tied as the list is long.
    """
    if stored.above is None or stored.ties is None:
        return
    test, ids = split.test[split.users], split.train.user_ids.values
    above, ties, items = (np.asarray(a).tolist() for a in (stored.above, stored.ties, stored.items))
    if not len(above) == len(ties) == test.nnz:
        yield f"ranks of {len(above)} and {len(ties)} test items, the split has {test.nnz}"
        return
    wrong = []
    for row, user in enumerate(split.users.tolist()):
        position = {item: at for at, item in enumerate(items[row]) if item >= 0}
        for t in range(test.indptr[row], test.indptr[row + 1]):
            at = position.get(int(test.indices[t]))
            reach = above[t] + ties[t]
            fits = above[t] <= at <= reach if at is not None else reach >= len(position) or -1 in items[row]
            if not fits:
                wrong.append(str(ids[user]))
    if wrong:
        users = list(dict.fromkeys(wrong))[:_USERS_NAMED]
        yield f"{len(wrong)} ranks of test items contradict the lists: user {', '.join(users)}, ..."


# -- the numbers ---------------------------------------------------------------------------------


def _row_faults(rows: Sequence[Row], record: Record, split: Split) -> Iterator[str]:
    """Yield where metrics.csv differs from the record and the split."""
    if not rows:
        yield "it is done, and metrics.csv has no row of it"
    for row in rows:
        column = _column(row["metric"], row["k"])
        pair = record.measurement(row["metric"], int(row["k"]) if row["k"] else None)
        if pair is None:
            yield f"{column}: metrics.csv says {row['value']}, the record has no such number"
        elif (row["value"], row["stderr"]) != tuple("" if v is None else repr(v) for v in pair):
            yield (
                f"{column}: metrics.csv says {row['value']} and standard error {row['stderr'] or 'none'}, "
                f"the record {pair[0]!r} and {'none' if pair[1] is None else repr(pair[1])}"
            )
        if row["n_users"] != str(len(split.users)) or row["split_fingerprint"] != record.split_fingerprint:
            yield (
                f"{column}: metrics.csv says {row['n_users']} users of split {row['split_fingerprint']}, "
                f"expected {len(split.users)} of {record.split_fingerprint}"
            )


def _number_faults(
    context: CheckContext, stored: StoredLists, rows: Sequence[Row], record: Record
) -> Iterator[str]:
    """Recompute the numbers of a cell in metrics.csv and in its per-user table."""
    result = context.result
    by_column = {(row["metric"], int(row["k"]) if row["k"] else None): row for row in rows}
    deepest = max((k or 1 for _, k in by_column), default=1)
    inputs = plain_inputs(context.split, stored, context.train, deepest)
    per_user = {name: v.tolist() for name, v in (context.store.per_user(record.key) or {}).items()}
    for (metric, k), row in by_column.items():
        try:
            of_users, mean, error = formulas.recompute(inputs, metric, k)
        except LookupError as missing:
            result.unverified[metric] = str(missing.args[0])
            continue
        check, column = result.metric(metric), _column(metric, row["k"])
        check.n_means += 1
        yield from _mean_faults(column, row["value"], mean, check)
        yield from _mean_faults(f"standard error of {column}", row["stderr"], error, check)
        if column in per_user and of_users is not None:
            yield from _user_faults(column, per_user[column], of_users, check)
    for library in context.libraries:
        yield from _library_faults(library, inputs, by_column, result)


def _mean_faults(name: str, written: str, expected: float | None, check: MetricCheck) -> Iterator[str]:
    if (written == "") != (expected is None):
        yield f"{name}: metrics.csv says {written or 'nothing'}, recomputed {expected}"
    elif expected is not None:
        distance = difference(written, expected)
        check.largest = max(check.largest, distance)
        if distance > TOLERANCE:
            yield f"{name}: metrics.csv says {written}, recomputed {expected!r}"


def _user_faults(
    column: str, stored: list[float], expected: list[float | None], check: MetricCheck
) -> Iterator[str]:
    """Compare per-user values; NaN in the table means that a user has none."""
    if len(stored) != len(expected):
        yield f"{column}: per_user.parquet has {len(stored)} users, expected {len(expected)}"
        return
    wrong = []
    for row, (value, other) in enumerate(zip(stored, expected, strict=True)):
        if other is None and math.isnan(value):
            continue
        distance = difference(value, other)
        check.n_users += 1
        check.largest = max(check.largest, distance)
        if distance > TOLERANCE:
            wrong.append(row)
    if wrong:
        first = wrong[0]
        yield (
            f"{column}: per_user.parquet differs for {len(wrong)} users; the first, in row {first + 1}, has "
            f"{stored[first]!r}, recomputed {expected[first]!r}"
        )


def _library_faults(
    library: Library,
    inputs: Inputs,
    by_column: Mapping[tuple[str, int | None], Row],
    result: Verification,
) -> Iterator[str]:
    for (metric, k), expected in library.compute(inputs, list(by_column)).items():
        row = by_column[metric, k]
        distance = difference(row["value"], expected)
        check = result.metric(metric)
        check.library, check.n_library = library.name, check.n_library + 1
        check.library_largest = max(check.library_largest, distance)
        if library.title not in result.libraries:
            result.libraries.append(library.title)
        if distance > TOLERANCE:
            yield (
                f"{_column(metric, row['k'])}: metrics.csv says {row['value']}, {library.title} {expected!r}"
            )


def difference(value: str | float, expected: float | None) -> float:
    """Return |value - expected|, relative where expected is above 1; infinite if one is not a number."""
    try:
        number = float(value)
    except ValueError:
        return math.inf
    if expected is None or math.isnan(number) or math.isnan(expected):
        return math.inf
    return abs(number - expected) / max(1.0, abs(expected))


def _read_metrics(path: Path) -> dict[str, list[Row]]:
    """Return the rows of metrics.csv by the key of their cell."""
    if not path.exists():
        raise UsageError(f"{path}: no such file; `bakeoff report {path.parent.name}` writes it")
    with path.open(newline="", encoding="utf-8") as file:
        table = csv.DictReader(file)
        required = {"key", "split_fingerprint", "k", "metric", "value", "stderr", "n_users"}
        missing = sorted(required - set(table.fieldnames or ()))
        if missing:
            raise UsageError(f"{path}: no column {', '.join(missing)}; write it again with `bakeoff report`")
        rows: dict[str, list[Row]] = {}
        for row in table:
            rows.setdefault(row["key"], []).append(row)
    return rows


def _column(metric: str, k: str) -> str:
    return f"{metric}@{k}" if k else metric
