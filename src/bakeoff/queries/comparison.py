"""Models side by side on the same splits, as numbers: repetitions become means. No text, no rendering."""

from __future__ import annotations

import contextlib
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from bakeoff.arrays import Doubles
from bakeoff.data.source import Step
from bakeoff.errors import ConfigError, UsageError
from bakeoff.evaluation.catalogue import leading_k, leading_metric
from bakeoff.evaluation.metric import Metric
from bakeoff.evaluation.significance import TestConfig, t_half_width
from bakeoff.evaluation.variance import Needed, scatter_half_width
from bakeoff.queries.select import Result
from bakeoff.run.cell import Cell
from bakeoff.run.naming import Name, distinguishing_settings, label, row_identity, tune_name
from bakeoff.storage.record import PHASES, CellRequest, Record, Status

WORST_FIRST: tuple[Status, ...] = ("failed", "missing", "skipped", "done")


def in_order(results: Iterable[Result]) -> list[Result]:
    """Return the results in the order of every table and file."""
    return sorted(results, key=lambda r: r.request.order)


class Column(NamedTuple):
    """A metric at a cutoff; k is None for a metric without one."""

    metric: str
    k: int | None

    @property
    def name(self) -> str:
        """The column as files and heads name it: `ndcg@10`, `auc`."""
        return self.metric if self.k is None else f"{self.metric}@{self.k}"


class Run(NamedTuple):
    """One repetition of a comparison."""

    split_seed: int
    fold: int | None
    seed: int

    @property
    def split(self) -> str:
        """The split's seed and fold: `42, fold 0`."""
        return str(self.split_seed) if self.fold is None else f"{self.split_seed}, fold {self.fold}"

    @property
    def name(self) -> str:
        return f"split seed {self.split}, seed {self.seed}"


@dataclass(frozen=True)
class Value:
    """One number of a comparison.

    Args:
        mean: over `fits` fits.
        half: half the width of the mean's interval (`pairs.with_intervals`); None where it has none.
        fits: number of distinct stored results behind the mean.
        best: whether no other model with all its runs does better in this column.
        tied: whether it is not the best, but its difference from a best one is not significant.
    """

    mean: float
    half: float | None
    fits: int
    best: bool = False
    tied: bool = False

    @property
    def low(self) -> float | None:
        """Lower end of the interval."""
        return None if self.half is None else self.mean - self.half

    @property
    def high(self) -> float | None:
        """Upper end of the interval."""
        return None if self.half is None else self.mean + self.half


class Reason(NamedTuple):
    """Why runs of a row have no numbers."""

    status: Status
    reason: str
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Row:
    """One model with its settings, over all its runs on one split family.

    Args:
        model, variant: the YAML's name, and the parameters that differ from it.
        differs: parameters that tell rows of the same model, variant and tuning apart; else "".
        weights: how the model uses values; "" where it has no such parameter.
        tune: name of the tuning, "none" without.
        status: the first of WORST_FIRST that one of its runs has.
        reasons: of the runs that are not done.
        done: number of runs with results.
        fits: number of distinct stored results among them.
        values: by column.
        seconds: mean wall seconds a fit, by phase.
        peak_mb: highest of its fits, in 10^6 bytes; None without one.
        absent: metric -> why it could not be measured.
        notes: what its records say of its numbers.
        results: all that the row was made of, in order.
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
    results: tuple[Result, ...] = ()

    @property
    def label(self) -> str:
        """The name that a command reads back: `als (factors=8, tune=optuna)`."""
        return label(self.model, self.variant, self.tune, self.differs)


@dataclass(frozen=True)
class Part:
    """One split of a family: its content's name, the (split seed, fold) that gave it, and its counts."""

    fingerprint: str
    instances: tuple[tuple[int, int | None], ...]
    n_users: int
    counts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Marks:
    """How the values of a table were compared with the best of their column.

    Args:
        rules: the test, the correction over all pairs, and its level.
        n_splits: number of splits whose differences were combined.
        n_fits: largest number of distinct fits of a row.
        finest: the least corrected p that could be reached, 0 where the test has no such bound.
        untested: why columns have no test.
        p: float64 [rows, rows], the corrected p of every pair of rows; NaN where a pair has no test.
    """

    test_config: TestConfig
    n_splits: int
    n_fits: int
    finest: float
    untested: Mapping[Column, str]
    p: Mapping[Column, Doubles] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Contender:
    """A model of a comparison in the leading metric.

    Args:
        label: its name in every output.
        mean, half_width: of the metric; half_width is None where it has no interval.
        fit_seconds, recommend_seconds: mean wall seconds of a fit and of its lists, tuning not included.
        peak_mb: highest resident memory of its fits, in 10^6 bytes, or None.
    """

    label: str
    mean: float
    half_width: float | None
    fit_seconds: float | None
    recommend_seconds: float | None
    peak_mb: float | None


@dataclass(frozen=True)
class Lead:
    """The leader against another model: difference, leader less other, with its interval and corrected p."""

    other: str
    difference: float
    low: float
    high: float
    p_corrected: float
    confidence: float = 0.95


@dataclass(frozen=True)
class Agreement:
    """Views of one comparison in which the leader leads, and the others with the labels of their leaders."""

    led: tuple[str, ...]
    others: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Verdict:
    """What a comparison of models on one data set and split says.

    Args:
        title: the labels of data set and split.
        column: the leading metric at the leading cutoff; None where nothing was measured.
        higher_is_better: its direction.
        leader: the model with the best mean among those that have all their runs; None where there is none.
        ties: models that the leader cannot be told from, best first.
        behind: the leader against the best model that it can be told from; None where there is none.
        against_ties: the leader against each of the ties.
        tested: whether the models were tested; else why not is in `untested`.
        untested: the reason.
        cutoffs: the leader at the other cutoffs of the metric.
        metrics: the leader in the other prominent accuracy metrics at the same cutoff.
        runs: the leader in each run (split seed, fold, seed).
        popularity: mean of the popularity baseline, or None.
        below_popularity: labels of the models with a worse mean, best first; without the random baseline.
        needed: what would be expected to tell the leader from the first of the ties; None without ties, or
            where they were not tested.
        single: whether every model has one fit: then the verdict is about these fitted models.
        not_done: labels of models without all their runs, by status.
    """

    title: str
    column: Column | None
    higher_is_better: bool | None = None
    leader: Contender | None = None
    ties: tuple[Contender, ...] = ()
    behind: Lead | None = None
    against_ties: tuple[Lead, ...] = ()
    tested: bool = False
    untested: str = ""
    cutoffs: Agreement | None = None
    metrics: Agreement | None = None
    runs: Agreement | None = None
    popularity: float | None = None
    below_popularity: tuple[str, ...] = ()
    needed: Needed | None = None
    single: bool = True
    not_done: Mapping[str, tuple[str, ...]] | None = None


@dataclass(frozen=True)
class Table:
    """Models compared on one data set and one split family.

    Args:
        runs: the repetitions that any of its rows was asked for.
        columns: what at least one row has a value for; metrics in their order, then k.
        rows: the best in the leading column first, those without all their runs last.
        has_popularity: whether a popularity baseline is among the rows with results.
        marks: how values were compared with the best of their column; None where nobody did.
        of_data: what is worth saying of the data, from their preparation.
        ledger: the steps of the data's preparation, and of the parts of the first split.
        verdict: who leads, and what is open; None where it was not computed.
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
    marks: Marks | None = None
    of_data: tuple[str, ...] = ()
    ledger: tuple[Step, ...] = ()
    verdict: Verdict | None = None

    @property
    def title(self) -> str:
        """The labels of data set and split."""
        return f"{self.dataset_label}, split {self.split_label}"

    @property
    def dataset_label(self) -> str:
        """The data set with its settings."""
        return label(self.dataset, self.dataset_variant)

    @property
    def split_label(self) -> str:
        """The split with its settings."""
        return label(self.split, self.split_variant)


def row_names(rows: Iterable[Row]) -> list[tuple[Name, Row]]:
    """Return what selects each row with results: its model's name, its label, and the keys of its cells."""
    return [
        (Name(label(row.model), row.label, r.request.key), row)
        for row in rows
        if row.done
        for r in row.results
    ]


# Put stored results side by side: repetitions become means, and models stand on t


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
    if leading := leading_column(columns):
        rows = best_first(rows, leading, len(runs), directions[leading])
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
        key, cell = same[0].request.key, same[0].request.cell
        with contextlib.suppress(ConfigError):  # its class is not at hand: nobody knows whether it has chance
            if not cell.seeded:
                yield Result(CellRequest(key, cell.with_seed(run.seed)), same[0].record)


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


def leading_column(columns: Sequence[Column]) -> Column | None:
    """Return the most prominent metric of the columns, at the cutoff nearest to 10."""
    metric = leading_metric(column.metric for column in columns)
    if metric is None:
        return None
    ks = [column.k for column in columns if column.metric == metric]
    return Column(metric, None if None in ks else leading_k(ks))


def ranking(rows: Iterable[Row], column: Column, n_runs: int, higher: bool | None) -> list[Row]:
    """Return the rows that have all their runs, best first; none where neither end is better."""
    if higher is None:
        return []
    ranked = (row for row in rows if complete(row, column, n_runs))
    return sorted(ranked, key=lambda row: -row.values[column].mean if higher else row.values[column].mean)


def best_first(rows: Sequence[Row], column: Column, n_runs: int, higher: bool | None) -> list[Row]:
    """Return all rows: those that have all their runs, best first, then the others in their order."""
    ranked = ranking(rows, column, n_runs, higher)
    ids = {id(row) for row in ranked}
    return [*ranked, *(row for row in rows if id(row) not in ids)]


def complete(row: Row, column: Column, n_runs: int) -> bool:
    """Return whether the mean is over all runs that the other models have."""
    return row.done == n_runs and column in row.values and row.values[column].fits == row.fits


def _run(request: CellRequest) -> Run:
    return Run(request.cell.split_seed, request.cell.fold, request.cell.seed)


def _weights(cell: Cell, fits: Iterable[Record]) -> str:
    """Return the parameter `weights` as fitted (tuning may choose it), else as configured."""
    fitted = dict.fromkeys(str(r.parameters["weights"]) for r in fits if "weights" in r.parameters)
    return " or ".join(fitted) or str(cell.model_build.get("weights", ""))


def is_popularity(cell: Cell) -> bool:
    return cell.model_target.rpartition(".")[2] == "Popularity"


def is_random(cell: Cell) -> bool:
    return cell.model_target.rpartition(".")[2] == "Random"
