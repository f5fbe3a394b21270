"""The numbers of a report: rows of its CSV files and comparisons of models. No text, no rendering."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from bakeoff.cell import Cell
from bakeoff.errors import UsageError
from bakeoff.evaluation.metric import Metric
from bakeoff.hashing import canonical_json
from bakeoff.record import PHASES, Asked, Record, Status

CONFIDENCE = 0.95

_PLACE = ("key", "dataset", "split", "split_seed", "fold", "split_fingerprint", "model", "variant", "tune")
METRIC_COLUMNS = (*_PLACE, "seed", "k", "metric", "value", "stderr", "n_users")
CELL_COLUMNS = (
    *(*_PLACE, "seed", "status", "reason", "parameters"),
    *(f"{phase}_s" for phase in PHASES),
    "peak_mb",
)

CsvRow = tuple[str | int | float | None, ...]


class Result(NamedTuple):
    """A cell as it was asked for, and what came of it."""

    asked: Asked
    record: Record


class Column(NamedTuple):
    """A metric at a cutoff; k is None for a metric without one."""

    metric: str
    k: int | None


class Run(NamedTuple):
    """One repetition of a comparison."""

    split_seed: int
    fold: int | None
    seed: int


@dataclass(frozen=True)
class Value:
    """One number of a comparison.

    Args:
        mean: over `fits` fits.
        spread: half the width of the t interval of the mean (95 %) over fits where there are two or more;
            the standard error over users where there is one; None where the metric has none.
        fits: number of distinct stored results behind the mean.
        best: whether no other model with all its runs does better in this column.
    """

    mean: float
    spread: float | None
    fits: int
    best: bool = False


class Reason(NamedTuple):
    """Why runs of a row have no numbers."""

    status: Status
    reason: str
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Row:
    """One model with its settings, over all its runs on one split family.

    Args:
        model, variant: the YAML's name, and the knobs that differ from it.
        differs: knobs that tell rows of the same model, variant and tuning apart; else "".
        weights: how the model uses values; "" where it has no such knob.
        tune: name of the tuning, "none" without.
        status: failed if a run failed, else skipped if one was skipped, else done.
        reasons: of the runs that are not done.
        done: number of runs with results.
        fits: number of distinct stored results among them.
        values: by column.
        seconds: mean wall seconds a fit, by phase.
        peak_mb: highest of its fits, in 10^6 bytes; None without one.
        absent: metric -> why it could not be measured.
        notes: what its records say of its numbers.
    """

    model: str
    variant: str
    differs: str
    weights: str
    tune: str
    status: Status
    reasons: tuple[Reason, ...]
    done: int
    fits: int
    values: Mapping[Column, Value]
    seconds: Mapping[str, float]
    peak_mb: float | None
    absent: Mapping[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """One split of a family: its content's name, the (split seed, fold) that gave it, and its counts."""

    fingerprint: str
    places: tuple[tuple[int, int | None], ...]
    n_users: int
    counts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Models compared on one data set and one split family.

    Args:
        runs: the repetitions that any of its rows was asked for.
        columns: what at least one row has a value for; metrics in their order, then k.
        has_popularity: whether a popularity baseline is among the rows with results.
    """

    dataset: str
    dataset_variant: str
    split: str
    split_variant: str
    parts: tuple[Part, ...]
    runs: tuple[Run, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    has_popularity: bool


# -- CSV -----------------------------------------------------------------------------------------


def metric_rows(
    results: Iterable[Result], ks: Collection[int], metrics: Collection[str] | None = None
) -> list[CsvRow]:
    """Rows of METRIC_COLUMNS: one for each cell, metric and k, never averaged; None is an empty field.

    Args:
        ks: cutoffs to tell of; a record may hold more.
        metrics: likewise; None for all that were measured.
    """
    rows: list[CsvRow] = []
    for asked, record in _sorted(results):
        for metric in sorted(record.metrics):
            if metrics is not None and metric not in metrics:
                continue
            by_k = {int(k) if k else None: pair for k, pair in record.metrics[metric].items()}
            for k in sorted(by_k, key=lambda k: k or 0):
                if k is None or k in ks:
                    mean, error = by_k[k]
                    rows.append((*_place(asked, record), k, metric, mean, error, record.n_users))
    return rows


def cell_rows(results: Iterable[Result]) -> list[CsvRow]:
    """Rows of CELL_COLUMNS: one for each cell as asked, whatever came of it."""
    return [
        (
            *_place(asked, record),
            record.status,
            record.reason,
            json.dumps(record.parameters, sort_keys=True, ensure_ascii=False),
            *(record.seconds.get(phase) for phase in PHASES),
            record.peak_mb,
        )
        for asked, record in _sorted(results)
    ]


def _sorted(results: Iterable[Result]) -> list[Result]:
    return sorted(results, key=lambda r: r.asked.order)


def _place(asked: Asked, record: Record) -> CsvRow:
    cell = asked.cell
    return (
        asked.key,
        str(cell.dataset.get("name")),
        str(cell.split.get("name")),
        cell.split_seed,
        cell.fold,
        record.split_fingerprint,
        str(cell.model.get("name")),
        cell.variant,
        _tune(cell),
        cell.seed,
    )


def _tune(cell: Cell) -> str:
    if cell.tune is None:
        return "none"
    return str(cell.tune.get("name") or cell.tune.get("_target_", "").rpartition(".")[2] or "tuned")


# -- comparison ----------------------------------------------------------------------------------


def comparison(results: Iterable[Result], ks: Sequence[int], metrics: Mapping[str, Metric]) -> list[Table]:
    """One table for each data set and split family.

    The mean of a row is over its distinct stored results: a model without chance that was asked for several
    seeds has one, and it counts once.

    Raises:
        UsageError: records of one data set, split family, split seed and fold were made on different splits.
    """
    groups: dict[tuple[str, ...], list[Result]] = {}
    for result in _sorted(results):
        cell = result.asked.cell
        family = result.record.split_family or cell.split_family
        groups.setdefault((str(cell.dataset.get("name")), str(cell.split.get("name")), family), []).append(
            result
        )
    return [_table(group, ks, metrics) for group in groups.values()]


def _table(results: Sequence[Result], ks: Sequence[int], metrics: Mapping[str, Metric]) -> Table:
    first = results[0].asked.cell
    parts = _parts(results)
    runs = tuple(dict.fromkeys(_run(r.asked) for r in results))
    asked = [
        Column(name, k) for name, m in metrics.items() for k in (sorted(set(ks)) if m.cutoff else (None,))
    ]
    by_row: dict[str, list[Result]] = {}
    for result in results:
        by_row.setdefault(_row_identity(result.asked.cell), []).append(result)
    differs = _differences([of_row[0].asked for of_row in by_row.values()])
    rows = [_row(of_row, asked, d) for of_row, d in zip(by_row.values(), differs, strict=True)]
    columns = tuple(c for c in asked if any(c in row.values for row in rows))
    directions = {c: metrics[c.metric].higher_is_better for c in columns}
    return Table(
        dataset=str(first.dataset.get("name")),
        dataset_variant=first.dataset_variant,
        split=str(first.split.get("name")),
        split_variant=first.split_variant,
        parts=parts,
        runs=runs,
        columns=columns,
        rows=tuple(_with_best(rows, directions, len(runs))),
        has_popularity=any(r.record.done and _is_popularity(r.asked.cell) for r in results),
    )


def _parts(results: Iterable[Result]) -> tuple[Part, ...]:
    """The splits behind the results; two of them in one place are refused."""
    at: dict[tuple[int, int | None], Result] = {}
    places: dict[str, list[tuple[int, int | None]]] = {}
    for result in results:
        cell, fingerprint = result.asked.cell, result.record.split_fingerprint
        place = cell.split_seed, cell.fold
        if not fingerprint:
            continue  # it was skipped or failed before there was a split
        other = at.setdefault(place, result)
        if other.record.split_fingerprint != fingerprint:
            raise UsageError(
                f"data set {cell.dataset.get('name')!r}, split {cell.split.get('name')!r}, "
                f"split_seed {cell.split_seed}{'' if cell.fold is None else f', fold {cell.fold}'}: cell "
                f"{other.asked.key} was made on split {other.record.split_fingerprint}, cell "
                f"{result.asked.key} on {fingerprint}; one table never mixes two: run again with rerun=true"
            )
        if other is result:
            places.setdefault(fingerprint, []).append(place)
    found = {f: at[p[0]].record for f, p in places.items()}
    return tuple(Part(f, tuple(places[f]), r.n_users, r.counts) for f, r in found.items())


def _row(results: Sequence[Result], columns: Iterable[Column], differs: str) -> Row:
    cell = results[0].asked.cell
    done = [r for r in results if r.record.done]
    fits = list({r.asked.key: r.record for r in done}.values())
    not_done: dict[tuple[Status, str], list[Run]] = {}
    for asked, record in results:
        if not record.done:
            not_done.setdefault((record.status, record.reason), []).append(_run(asked))
    statuses = {r.record.status for r in results}
    return Row(
        model=str(cell.model.get("name")),
        variant=cell.variant,
        differs=differs,
        weights=_weights(cell, fits),
        tune=_tune(cell),
        status="failed" if "failed" in statuses else "skipped" if "skipped" in statuses else "done",
        reasons=tuple(Reason(*why, tuple(runs)) for why, runs in not_done.items()),
        done=len(done),
        fits=len(fits),
        values=dict(_values(fits, columns)),
        seconds={p: statistics.fmean(r.seconds.get(p, 0.0) for r in fits) for p in PHASES if fits},
        peak_mb=max((r.peak_mb for r in fits), default=None),
        absent={metric: why for r in fits for metric, why in r.absent.items()},
        notes=tuple(dict.fromkeys(note for r in fits for note in r.notes)),
    )


def _values(fits: Sequence[Record], columns: Iterable[Column]) -> Iterator[tuple[Column, Value]]:
    for column in columns:
        k = "" if column.k is None else str(column.k)
        found = [r.metrics[column.metric][k] for r in fits if k in r.metrics.get(column.metric, {})]
        if found:
            yield column, summary(found)


def summary(found: Sequence[tuple[float, float | None]]) -> Value:
    """Mean and spread of (mean, standard error) pairs, one for each distinct fit."""
    means = [mean for mean, _ in found]
    n = len(means)
    if n == 1:
        return Value(means[0], found[0][1], 1)
    from scipy.special import stdtrit

    quantile = float(stdtrit(n - 1, 0.5 + CONFIDENCE / 2))
    return Value(statistics.fmean(means), quantile * statistics.stdev(means) / math.sqrt(n), n)


def _with_best(rows: Sequence[Row], directions: Mapping[Column, bool | None], n_runs: int) -> Iterator[Row]:
    """Mark the best of each column among rows that have all their runs, where there are two or more."""
    best: dict[Column, float] = {}
    for column, higher in directions.items():
        found = [r.values[column].mean for r in rows if r.done == n_runs and column in r.values]
        if higher is not None and len(found) > 1:
            best[column] = max(found) if higher else min(found)
    for row in rows:
        values = {
            c: replace(
                v, best=row.done == n_runs and c in best and math.isclose(v.mean, best[c], rel_tol=1e-12)
            )
            for c, v in row.values.items()
        }
        yield replace(row, values=values)


def _run(asked: Asked) -> Run:
    return Run(asked.cell.split_seed, asked.cell.fold, asked.cell.seed)


def _row_identity(cell: Cell) -> str:
    """What repetitions of one row share: all of a cell but its data, its split and its seed."""
    model = [cell.model.get("name"), cell.variant, cell.model["build"], cell.contents.get("model")]
    space = cell.model.get("space") if cell.tune is not None else None
    return canonical_json([model, cell.tune, space, cell.depth])


def _differences(asked: Sequence[Asked]) -> list[str]:
    """For each row, the knobs in which it differs from others of its name; its key where none does."""
    named: dict[tuple[str, str, str], list[Asked]] = {}
    for one in asked:
        named.setdefault((str(one.cell.model.get("name")), one.cell.variant, _tune(one.cell)), []).append(one)
    found: dict[str, str] = {}
    for alike in named.values():
        knobs = [_knobs(a.cell) for a in alike]
        names = sorted({n for k in knobs for n in k if any(o.get(n) != k[n] for o in knobs)})
        texts = [",".join(f"{n}={k[n]}" for n in names if n in k) for k in knobs]
        unique = len(set(texts)) == len(texts)
        found |= {a.key: t if unique else a.key for a, t in zip(alike, texts, strict=True)}
    return [found[a.key] for a in asked]


def _knobs(cell: Cell) -> dict[str, Any]:
    tune = {f"tune.{k}": v for k, v in (cell.tune or {}).items()}
    return {**cell.model["build"], **tune, "depth": cell.depth}


def _weights(cell: Cell, fits: Iterable[Record]) -> str:
    """The knob as fitted (tuning may choose it), or as configured where nothing was fitted."""
    fitted = dict.fromkeys(str(r.parameters["weights"]) for r in fits if "weights" in r.parameters)
    return "/".join(fitted) or str(cell.model["build"].get("weights", ""))


def _is_popularity(cell: Cell) -> bool:
    return str(cell.model["build"]["_target_"]).rpartition(".")[2] == "Popularity"
