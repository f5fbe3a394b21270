"""Put stored results side by side: repetitions become means, and models stand on the same splits."""

from __future__ import annotations

import contextlib
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from bakeoff.errors import ConfigError, UsageError
from bakeoff.evaluation.metric import Metric
from bakeoff.evaluation.significance import t_half_width
from bakeoff.evaluation.variance import scatter_half_width
from bakeoff.queries.select import Result
from bakeoff.queries.tables import WORST_FIRST, Column, Part, Reason, Row, Run, Table, Value, in_order
from bakeoff.run.cell import Cell
from bakeoff.run.naming import distinguishing_settings, row_identity, tune_name
from bakeoff.storage.record import PHASES, CellRequest, Record, Status


def comparison(results: Iterable[Result], ks: Sequence[int], metrics: Mapping[str, Metric]) -> list[Table]:
    """Return one table for each data set and split family.

    The mean of a row is over its distinct stored results: a model without chance that was asked for several
    seeds has one, and it counts once.

    Raises:
        UsageError: records of one data set, split family, split seed and fold were made on different splits,
            or one run of a row has two records.
    """
    groups: dict[tuple[str, ...], list[Result]] = {}
    for result in in_order(results):
        cell = result.request.cell
        family = result.record.split_family or cell.split_family
        name = cell.dataset_name, cell.split_name
        groups.setdefault((*name, family), []).append(result)
    return [_table(group, ks, metrics) for group in groups.values()]


def _table(results: Sequence[Result], ks: Sequence[int], metrics: Mapping[str, Metric]) -> Table:
    first = results[0].request.cell
    parts = _parts(results)
    runs = tuple(dict.fromkeys(_run(r.request) for r in results))
    requested = [
        Column(name, k) for name, m in metrics.items() for k in (sorted(set(ks)) if m.cutoff else (None,))
    ]
    by_row: dict[str, list[Result]] = {}
    for result in results:
        by_row.setdefault(row_identity(result.request.cell), []).append(result)
    by_row = {row: [*of_row, *_same_for(of_row, runs)] for row, of_row in by_row.items()}
    differs = distinguishing_settings([of_row[0].request for of_row in by_row.values()])
    rows = [_row(of_row, requested, d) for of_row, d in zip(by_row.values(), differs, strict=True)]
    columns = tuple(c for c in requested if any(c in row.values for row in rows))
    directions = {c: metrics[c.metric].higher_is_better for c in columns}
    return Table(
        dataset=first.dataset_name,
        dataset_variant=first.dataset_variant,
        split=first.split_name,
        split_variant=first.split_variant,
        parts=parts,
        runs=runs,
        columns=columns,
        rows=tuple(_with_best(rows, directions, len(runs))),
        has_popularity=any(r.record.done and is_popularity(r.request.cell) for r in results),
    )


def _parts(results: Iterable[Result]) -> tuple[Part, ...]:
    """Return the splits of the results; refuse two fingerprints for one split seed and fold."""
    at: dict[tuple[int, int | None], Result] = {}
    instances: dict[str, list[tuple[int, int | None]]] = {}
    for result in results:
        cell, fingerprint = result.request.cell, result.record.split_fingerprint
        instance = cell.split_seed, cell.fold
        if not fingerprint:
            continue  # it was skipped or failed before there was a split
        other = at.setdefault(instance, result)
        if other.record.split_fingerprint != fingerprint:
            raise UsageError(
                f"data set {cell.dataset_name!r}, split {cell.split_name!r}, "
                f"split_seed {cell.split_seed}{'' if cell.fold is None else f', fold {cell.fold}'}: cell "
                f"{other.request.key} was made on split {other.record.split_fingerprint}, cell "
                f"{result.request.key} on {fingerprint}; one table never mixes two: run again with rerun=true"
            )
        if other is result:
            instances.setdefault(fingerprint, []).append(instance)
    first_records = {f: at[p[0]].record for f, p in instances.items()}
    return tuple(Part(f, tuple(instances[f]), r.n_users, r.counts) for f, r in first_records.items())


def _same_for(results: Sequence[Result], runs: Iterable[Run]) -> Iterator[Result]:
    """Yield results for seeds that a row does not have, from a cell that no seed changes."""
    requested = {_run(r.request) for r in results}
    for run in runs:
        same = [r for r in results if _run(r.request)._replace(seed=run.seed) == run and r.record.done]
        if run in requested or not same:
            continue
        key, cell = same[0].request.key, replace(same[0].request.cell, seed=run.seed)
        with contextlib.suppress(ConfigError):  # its class is not at hand: nobody knows whether it has chance
            if cell.key == key:
                yield Result(CellRequest(key, cell), same[0].record)


def _row(results: Sequence[Result], columns: Sequence[Column], differs: str) -> Row:
    cell = results[0].request.cell
    _refuse_two_in_one_run(results)
    names = {name for c in columns for name in (c.metric, f"{c.metric}@{c.k}")}
    done = [r for r in results if r.record.done]
    fits = list({r.request.key: r.record for r in done}.values())
    not_done: dict[tuple[Status, str], list[Run]] = {}
    for request, record in results:
        if not record.done:
            not_done.setdefault((record.status, record.reason), []).append(_run(request))
    statuses = {r.record.status for r in results}
    return Row(
        model=cell.model_name,
        variant=cell.variant,
        differs=differs,
        weights=_weights(cell, fits),
        tune=tune_name(cell),
        status=next(s for s in WORST_FIRST if s in statuses),
        reasons=tuple(Reason(*why, tuple(runs)) for why, runs in not_done.items()),
        done=len(done),
        fits=len(fits),
        values=dict(_values(fits, columns)),
        seconds={p: statistics.fmean(r.seconds.get(p, 0.0) for r in fits) for p in PHASES if fits},
        peak_mb=max((r.peak_mb for r in fits), default=None),
        absent={name: why for r in fits for name, why in r.absent.items() if name in names},
        notes=tuple(dict.fromkeys(note for r in fits for note in r.notes)),
        results=tuple(results),
    )


def _refuse_two_in_one_run(results: Iterable[Result]) -> None:
    """Refuse one run with two keys: two versions of the program or of the model's defaults."""
    keys: dict[Run, str] = {}
    for request, _ in results:
        other = keys.setdefault(_run(request), request.key)
        if other != request.key:
            raise UsageError(
                f"model {request.cell.model_name!r}, data set {request.cell.dataset_name!r}: cells "
                f"{other} and {request.key} are one run by two versions of the program or of its defaults; "
                "one table never mixes them: start the experiment anew with fresh=true"
            )


def _values(fits: Sequence[Record], columns: Iterable[Column]) -> Iterator[tuple[Column, Value]]:
    for column in columns:
        if (value := mean_of(fits, column)) is not None:
            yield column, value


def mean_of(fits: Sequence[Record], column: Column) -> Value | None:
    """Return the mean of a column over distinct fits, or None.

    One fit has its interval over users. The interval of several needs their values by user
    (`pairs.with_intervals`), but for metrics of whole lists, which have none.
    """
    by_fit = [(r, m) for r in fits if (m := r.measurement(*column)) is not None]
    if not by_fit:
        return None
    measured, entries = zip(*by_fit, strict=True)
    half = None
    if len(entries) == 1:
        half = t_half_width(entries[0][1], measured[0].n_users)
    elif all(error is None for _, error in entries):
        by_split: dict[str, list[float]] = {}
        for record, (mean, _) in zip(measured, entries, strict=True):
            by_split.setdefault(record.split_fingerprint, []).append(mean)
        half = scatter_half_width(list(by_split.values()))
    return Value(statistics.fmean(mean for mean, _ in entries), half, len(entries))


def _with_best(rows: Sequence[Row], directions: Mapping[Column, bool | None], n_runs: int) -> Iterator[Row]:
    """Mark the best of each column among rows that have all their runs, where there are two or more."""
    best: dict[Column, float] = {}
    for column, higher in directions.items():
        means = [row.values[column].mean for row in rows if complete(row, column, n_runs)]
        if higher is not None and len(means) > 1:
            best[column] = max(means) if higher else min(means)
    for row in rows:
        values = dict(row.values)
        for column, value in row.values.items():
            if column in best and complete(row, column, n_runs):
                equal = math.isclose(value.mean, best[column], rel_tol=1e-12)
                values[column] = replace(value, best=equal)
        yield replace(row, values=values)


def complete(row: Row, column: Column, n_runs: int) -> bool:
    """Return whether the mean is over all runs that the other models have."""
    return row.done == n_runs and column in row.values and row.values[column].fits == row.fits


def _run(request: CellRequest) -> Run:
    return Run(request.cell.split_seed, request.cell.fold, request.cell.seed)


def _weights(cell: Cell, fits: Iterable[Record]) -> str:
    """Return the parameter `weights` as fitted (tuning may choose it), else as configured."""
    fitted = dict.fromkeys(str(r.parameters["weights"]) for r in fits if "weights" in r.parameters)
    return "/".join(fitted) or str(cell.model_build.get("weights", ""))


def is_popularity(cell: Cell) -> bool:
    return cell.model_target.rpartition(".")[2] == "Popularity"
