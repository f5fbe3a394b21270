"""Compare a candidate with a baseline: whether it is better, for whom, and by enough to ship.

request = CompareRequest("als", "popularity", Path("results"), name="first", gate="ndcg@10")
matches = compare(request)                    # one for each data set and split
matches[0].leading.tested.low, decide(matches, request).answer
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bakeoff.arrays import Array
from bakeoff.errors import ConfigError, UsageError, check_range
from bakeoff.evaluation import significance
from bakeoff.evaluation.catalogue import leading_k, metric_paths, prominence, resolve, shipped
from bakeoff.evaluation.metric import Metric
from bakeoff.evaluation.significance import Differences, Sample, TestConfig, all_pairs, corrected
from bakeoff.evaluation.variance import Needed, PairSpread, Question, combined, repetitions_needed
from bakeoff.queries.comparison import Column, Part, Row, Table, comparison, row_names
from bakeoff.queries.pairs import SplitCells, read_sample, samples_to_test, split_cells
from bakeoff.queries.segments import Segment, UserChange, largest_changes, segments
from bakeoff.queries.select import (
    CellFilter,
    Result,
    experiment_names,
    keys_by_split,
    select,
    stored_experiment,
)
from bakeoff.run.cell import Cell
from bakeoff.run.naming import Name, instance_label, label, matches, no_match, one_row
from bakeoff.run.runner import EvaluationSpec, Workspace, remeasure
from bakeoff.storage.record import CellRequest
from bakeoff.storage.store import Store

Answer = Literal["PROMOTED", "REJECTED", "UNDECIDED"]

EXIT_CODES: Mapping[Answer, int] = {"PROMOTED": 0, "REJECTED": 3, "UNDECIDED": 4}

LIST_LENGTH = 10
"""Length of the lists shown of a user where the metric has no cutoff."""

# -- request and result ------------------------------------------------------------------------------


@dataclass(frozen=True)
class CompareRequest:
    """What to compare.

    Args:
        a, b: candidate and baseline: keys of cells, models of the experiment `name` (names, labels or keys),
            or experiments.
        results: the folder of results.
        name: of the experiment whose models a and b are; None where they are cells or experiments, or where
            the folder holds one experiment alone.
        cells: which cells of the experiments take part.
        ks: cutoffs; none takes the gate's, else the one nearest to 10.
        metrics: name -> import path; none takes all that were measured.
        gate: the metric that decides on a deployment, `ndcg@10`; None for no gate.
        tolerance: by how much the interval must lie beyond 0, at least 0.
        non_inferior: in place of the tolerance, by how much the candidate may be worse, above 0.
        users: number of users shown with the largest gains, and with the largest losses.
        test_config: how the difference is tested.
    """

    a: str
    b: str
    results: Path
    name: str | None = None
    cells: CellFilter = field(default_factory=CellFilter)
    ks: tuple[int, ...] = ()
    metrics: Mapping[str, str] = field(default_factory=dict)
    gate: str | None = None
    tolerance: float = 0.0
    non_inferior: float | None = None
    users: int = 3
    test_config: TestConfig = field(default_factory=lambda: TestConfig(test="randomization"))

    def __post_init__(self) -> None:
        check_range("tolerance", self.tolerance, 0)
        if self.non_inferior is not None:
            check_range("non_inferior", self.non_inferior, above=0)
            if self.tolerance:
                raise ConfigError("compare: tolerance= and non_inferior= are two rules of a gate; give one")
        check_range("users", self.users, 0, 1000, integer=True)
        for k in self.ks:
            check_range("k", k, 1, integer=True)
        _ = self.gate_column

    @property
    def bounds(self) -> tuple[float, float]:
        """A gate promotes if the interval lies above the first, and rejects if below the second."""
        margin = self.non_inferior
        return (self.tolerance, -self.tolerance) if margin is None else (-margin, -margin)

    @property
    def gate_column(self) -> Column | None:
        """The gate as a column: `ndcg@10` or, without cutoff, `auc`."""
        if self.gate is None:
            return None
        metric, at, k = self.gate.partition("@")
        if at and not k.isdecimal():
            raise ConfigError(f"gate={self.gate}: expected a metric and its cutoff such as ndcg@10, or auc")
        return Column(metric.rpartition(".")[2], int(k) if at else None)


@dataclass(frozen=True)
class Difference:
    """The difference of one metric, candidate less baseline.

    Args:
        difference: mean over users; with several splits the mean over splits of it.
        low, high: its interval.
        p, corrected: two-sided, alone and within the family.
        effect: Cohen's d_z.
        wins, ties, losses: users for whom the candidate is better, the same, worse (larger and smaller where
            the metric has no direction).
        n_users: that have a value under all models of the family.
    """

    difference: float
    low: float
    high: float
    p: float
    corrected: float
    effect: float
    wins: int
    ties: int
    losses: int
    n_users: int


@dataclass(frozen=True)
class MetricComparison:
    """One metric at one cutoff: means as in the tables, and its test, or why there is none."""

    column: Column
    higher_is_better: bool | None
    candidate: float
    baseline: float
    tested: Difference | None
    untested: str = ""

    @property
    def worse(self) -> bool | None:
        """Whether the candidate is behind; None where it is even or the metric has no direction."""
        d = self.tested.difference if self.tested else self.candidate - self.baseline
        return None if self.higher_is_better is None or d == 0 else (d < 0) == self.higher_is_better


@dataclass(frozen=True, eq=False)
class Match:
    """A candidate and a baseline on one data set and split.

    Args:
        title: data set and split.
        candidate, baseline: their labels.
        splits: that both have; keys of the candidate, the baseline, then the other models of the family.
        results: of the candidate and of the baseline, finished ones alone.
        family: matches of one family have their p-values corrected together; all pairs of `splits` are in it.
    """

    title: str
    candidate: str
    baseline: str
    splits: tuple[SplitCells, ...]
    results: tuple[tuple[Result, ...], tuple[Result, ...]]
    family: str

    def cells(self, split: SplitCells) -> list[Cell]:
        """Return the cells of the candidate on one of the splits."""
        return [r.request.cell for r in self.results[0] if r.record.split_fingerprint == split.fingerprint]

    def split_name(self, split: SplitCells) -> str:
        """Seed and fold of a split; several seeds where chance has no part in it and they are one."""
        cells = self.cells(split)
        seeds = " and ".join(dict.fromkeys(str(c.split_seed) for c in cells))
        folds = " and ".join(dict.fromkeys(str(c.fold) for c in cells if c.fold is not None))
        return f"split_seed {seeds}" + (f", fold {folds}" if folds else "")

    @property
    def same(self) -> tuple[str, ...]:
        """The cells, where both sides are the same ones on every split: there is nothing to compare then."""
        sides = [[key for split in self.splits for key in sorted(split.keys[side])] for side in (0, 1)]
        return tuple(dict.fromkeys(sides[0])) if sides[0] == sides[1] else ()


@dataclass(frozen=True, eq=False)
class SplitBreakdown:
    """One split of a match, in one metric.

    Args:
        name: the split's seed and fold.
        alone: the difference on this split by itself; its p is not corrected.
        segments: of its users; empty where no group of them is large enough.
        gains, losses: the users with the largest changes.
        absent: why there are neither segments nor users; "" where there are.
    """

    name: str
    alone: Difference
    segments: tuple[Segment, ...] = ()
    gains: tuple[UserChange, ...] = ()
    losses: tuple[UserChange, ...] = ()
    absent: str = ""


@dataclass(frozen=True)
class SmallerDifference:
    """What it is expected to take to tell a difference from a bound: the measured one, else half as far."""

    difference: float
    bound: float
    needed: Needed


@dataclass(frozen=True, eq=False)
class Comparison:
    """The result for one match.

    Args:
        metrics: in their order, then by k.
        family_size: pairs that the p-values were corrected for.
        leading: the gate's metric, else the most prominent one with a test; None without any.
        splits: each split by itself, in the leading metric.
        answer: that a gate would give for this match alone.
        pair: the difference in the leading metric, and what it varies by.
        smaller: what would be needed; None where the design cannot say.
    """

    match: Match
    metrics: tuple[MetricComparison, ...]
    family_size: int
    leading: MetricComparison | None = None
    splits: tuple[SplitBreakdown, ...] = ()
    answer: Answer | None = None
    pair: PairSpread | None = None
    smaller: SmallerDifference | None = None

    @property
    def n_splits(self) -> int:
        return len(self.match.splits)

    @property
    def n_seeds(self) -> tuple[int, int]:
        """Largest number of fits on a split, of the candidate and of the baseline."""
        candidate, baseline = (max(len(s.keys[side]) for s in self.match.splits) for side in (0, 1))
        return candidate, baseline

    def question(self, test_config: TestConfig) -> Question:
        """Return what is answered: one fit on one split cannot tell about the algorithms."""
        return "models" if self.n_splits == max(self.n_seeds) == 1 else test_config.question


@dataclass(frozen=True)
class Decision:
    """The answer of a gate over all matches.

    Args:
        answer: by the interval.
        difference, low, high: mean over the matches of candidate less baseline, and its interval; that of a
            single match is its own. None where all matches are of the same cells.
        n_matches: matches in the mean.
        contradicted_by: matches whose own interval has no value in common with this one.
        smaller: what would be needed of each match to tell a smaller mean; None with a single match.
    """

    answer: Answer
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    n_matches: int = 0
    contradicted_by: tuple[str, ...] = ()
    smaller: SmallerDifference | None = None


# -- comparing ---------------------------------------------------------------------------------------


def compare(request: CompareRequest) -> list[Comparison]:
    """Return a comparison for each data set, split and model that A and B have in common.

    Raises:
        UsageError: A or B does not exist, or they were made on different splits.
        ConfigError: a metric or cutoff that cannot be measured, a gate without an interval.
    """
    workspace = Workspace(Store(request.results / "store"))
    kind, sides = _sides(request, workspace.store)
    paths, ks = _paths(request, sides), _ks(request, sides)
    spec, metrics = EvaluationSpec(ks, paths), resolve(paths)
    sides = [[_measured(result, workspace, spec) for result in side] for side in sides]
    if kind == "cells":
        pairs = match_cells(sides[0][0], sides[1][0])
    else:
        tables = [comparison(side, ks, metrics) for side in sides]
        if kind == "models":
            pairs = match_models(request.a, request.b, tables[0])
        else:
            pairs = match_experiments(tables[0], tables[1], (request.a, request.b))
    compared = compare_matches(pairs, metrics, ks, workspace.store, request.test_config)
    return [_with_breakdown(one, request, workspace) for one in compared]


def _sides(
    request: CompareRequest, store: Store
) -> tuple[Literal["cells", "models", "experiments"], list[list[Result]]]:
    """Return what A and B are, and their results."""
    pair, names = (request.a, request.b), experiment_names(request.results)
    if request.name is None:
        records = [store.record(word) for word in pair]
        if records[0] is not None and records[1] is not None:
            cells = [Result(CellRequest(r.key, r.cell), r) for r in records if r is not None]
            return "cells", [[cell] for cell in cells]
        if all(word in names for word in pair):
            return "experiments", [_results(word, request, store) for word in pair]
        if len(names) != 1:
            experiments = f"choose one of: {', '.join(names)}" if names else "there is none"
            raise UsageError(
                f"{request.a!r} and {request.b!r} are neither two cells nor two experiments in "
                f"{request.results}; to compare two models name their experiment, name=...: {experiments}"
            )
    return "models", [_results(request.name or names[0], request, store)]


def _results(name: str, request: CompareRequest, store: Store) -> list[Result]:
    """Return the stored results of an experiment that the filter selects."""
    experiment = stored_experiment(name, request.results)
    requests = select(experiment.requests, request.cells, f"experiment {name!r}")
    results = [Result(r, record) for r in requests if (record := store.record(r.key)) is not None]
    if not any(r.record.done for r in results):
        raise UsageError(f"experiment {name!r}: the store {store.root} holds no finished cell of it")
    return results


def _paths(request: CompareRequest, sides: Sequence[Sequence[Result]]) -> dict[str, str]:
    """Name -> import path of the requested metrics, else of those that were measured; and of the gate."""
    measured = {name for side in sides for r in side for name in r.record.metrics}
    paths = dict(request.metrics) or {n: m.path for n, m in shipped().items() if n in measured}
    return paths if request.gate is None else paths | metric_paths([request.gate.partition("@")[0]])


def _ks(request: CompareRequest, sides: Sequence[Sequence[Result]]) -> tuple[int, ...]:
    results = [r for side in sides for r in side if r.record.done]
    gate = request.gate_column
    ks = {*request.ks, *([gate.k] if gate is not None and gate.k is not None else [])}
    if not ks:
        ks = {leading_k(k for r in results for k in r.record.ks)}
    depth = min((r.request.cell.depth for r in results), default=max(ks))
    if max(ks) > depth:
        raise ConfigError(f"k={max(ks)} is larger than depth={depth}, the length of the stored lists")
    return tuple(sorted(ks))


def _measured(result: Result, workspace: Workspace, spec: EvaluationSpec) -> Result:
    request, record = result
    return Result(request, remeasure(record, request.cell, workspace, spec)) if record.done else result


def _with_breakdown(one: Comparison, request: CompareRequest, workspace: Workspace) -> Comparison:
    """Add the leading metric, the splits in it, and the answer of the gate."""
    column, answer, config = request.gate_column, None, request.test_config
    if column is not None:
        leading = next((m for m in one.metrics if m.column == column), None)
        if leading is None:
            raise ConfigError(f"gate={request.gate}: {_why_not_measured(one.match, column)}")
        answer = "UNDECIDED" if one.match.same else gate(leading, request.bounds)
    else:
        tested = [m for m in one.metrics if m.tested is not None]
        leading = min(tested, key=lambda m: prominence(m.column.metric), default=None)
    if leading is None or leading.tested is None or one.match.same:
        return replace(one, leading=leading, answer=answer)
    samples = pair_samples(one.match, leading.column, workspace.store)
    pair = significance.pair_spread(samples, (0, 1), config)
    return replace(
        one,
        leading=leading,
        splits=break_down(one.match, leading, samples, workspace, config, request.users),
        answer=answer,
        pair=pair,
        smaller=_smaller([pair], [""], leading.higher_is_better, max(one.n_seeds), request),
    )


def _why_not_measured(match: Match, column: Column) -> str:
    records = [r.record for side in match.results for r in side]
    reasons = {r.absent[n] for r in records for n in (column.metric, column.name) if n in r.absent}
    if reasons:
        return f"not measured for {match.title} ({'; '.join(sorted(reasons))})"
    has_no_cutoff = any(r.measurement(column.metric, None) for r in records)
    hint = "has no cutoff" if has_no_cutoff else f"needs a cutoff, {column.metric}@10"
    return f"not measured for {match.title}: {column.metric} {hint}"


# -- what is compared with what ----------------------------------------------------------------------


def match_cells(a: Result, b: Result) -> list[Match]:
    """Return two cells as one match; each is labelled with its key.

    Raises:
        UsageError: one is not done, or they were made on different splits.
    """
    for request, record in (a, b):
        if not record.done:
            raise UsageError(f"cell {request.key}: nothing to compare ({record.status}: {record.reason})")
    instances = [instance_label(r.request.cell) for r in (a, b)]
    one, other = a.record.split_fingerprint, b.record.split_fingerprint
    if one != other:
        raise UsageError(
            f"cell {a.request.key} was made on split {one} ({instances[0]}), cell {b.request.key} on {other} "
            f"({instances[1]}): expected one split; cells.csv names each cell's split_fingerprint"
        )
    splits = split_cells([Part(one, (), a.record.n_users, a.record.counts)], [[a], [b]])
    labels = [label(r.request.cell.model_name, extra=r.request.key) for r in (a, b)]
    return [Match(instances[0], labels[0], labels[1], splits, ((a,), (b,)), one)]


def match_models(a: str, b: str, tables: Sequence[Table]) -> list[Match]:
    """Return two models of one experiment, in each of its tables that holds results of both.

    The family is all models of the table that have results on the splits that A and B share.

    Raises:
        UsageError: no such model, a name that several rows have, or no split with results of both.
    """
    names = [row_names(table.rows) for table in tables]
    every = [name for of_table in names for name, _ in of_table]
    for text in (a, b):
        if not matches(text, every):
            raise UsageError(no_match("model", text, every))
    pairs = []
    for table, of_table in zip(tables, names, strict=True):
        candidate, baseline = (_row_of(text, of_table) for text in (a, b))
        others = [row for row in table.rows if row is not candidate and row is not baseline]
        pairs += _match(table, candidate, baseline, others)
    if not pairs:
        raise UsageError(f"no split of the experiment has results of both {a!r} and {b!r}")
    return pairs


def match_experiments(a: Sequence[Table], b: Sequence[Table], names: tuple[str, str]) -> list[Match]:
    """Return the models of two experiments, matched by data set, split and name.

    A model that is the same cells in both is left out, unless all are. The family is all matched models of a
    data set and split.

    Raises:
        UsageError: nothing matches, or a matched split holds different rows.
    """
    pairs: list[Match] = []
    for own, other in ((own, other) for own in a for other in b if own.title == other.title):
        _check_same_splits(own, other, names)
        for candidate, baseline in _same_models(own.rows, other.rows):
            pairs += _match(own, candidate, baseline, (), names)
    if not pairs:
        held = [", ".join(sorted({t.title for t in tables})) or "nothing" for tables in (a, b)]
        raise UsageError(
            f"experiments {names[0]!r} ({held[0]}) and {names[1]!r} ({held[1]}): no data set, split and "
            "model in common"
        )
    changed = [m for m in pairs if any(s.keys[0] != s.keys[1] for s in m.splits)]
    return changed or pairs


def _row_of(text: str, names: Sequence[tuple[Name, Row]]) -> Row | None:
    only_names = [name for name, _ in names]
    return names[one_row(text, only_names, "model")[0]][1] if matches(text, only_names) else None


def _same_models(a: Sequence[Row], b: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Return pairs of rows of one model: first those with equal settings, then those unique by name."""
    rest = [[r for r in rows if r.done] for rows in (a, b)]
    pairs: list[tuple[Row, Row]] = []
    for key in (lambda r: (r.model, r.variant, r.tune), lambda r: (r.model, "", "")):
        for row in list(rest[0]):
            same = [[r for r in rows if key(r) == key(row)] for rows in rest]
            if len(same[0]) == len(same[1]) == 1:
                pairs.append((row, same[1][0]))
                rest[0].remove(row)
                rest[1].remove(same[1][0])
    return pairs


def _match(
    table: Table,
    candidate: Row | None,
    baseline: Row | None,
    family: Sequence[Row],
    experiments: tuple[str, ...] = (),
) -> list[Match]:
    """Return the splits that both rows have as a match, with each row of the family that has them all."""
    if candidate is None or baseline is None:
        return []
    sides = (candidate.results, baseline.results)
    shared = {split.fingerprint for split in split_cells(table.parts, sides)}
    if not shared:
        return []
    others = [row.results for row in family if shared <= keys_by_split(row.results).keys()]
    parts = [part for part in table.parts if part.fingerprint in shared]
    done = [tuple(r for r in of if r.record.done and r.record.split_fingerprint in shared) for of in sides]
    prefixes = [f"{name}: " for name in experiments] or ["", ""]
    labels = (prefixes[0] + candidate.label, prefixes[1] + baseline.label)
    splits = split_cells(parts, [*sides, *others])
    return [Match(table.title, *labels, splits, (done[0], done[1]), table.title)]


def _check_same_splits(own: Table, other: Table, names: tuple[str, str]) -> None:
    """Check that a data set, split, split seed and fold mean the same rows in both experiments."""
    fingerprints = {instance: part.fingerprint for part in other.parts for instance in part.instances}
    for part, instance in [(own_part, at) for own_part in own.parts for at in own_part.instances]:
        if fingerprints.get(instance, part.fingerprint) != part.fingerprint:
            fold = "" if instance[1] is None else f", fold {instance[1]}"
            raise UsageError(
                f"{own.title}, split_seed {instance[0]}{fold}: experiment {names[0]!r} was made on split "
                f"{part.fingerprint}, {names[1]!r} on {fingerprints[instance]}: the data are not the same"
            )


# -- metrics -----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _MatchTests:
    """The tests of a match before correction: of its own pair, and p of all its pairs, its own first."""

    columns: Sequence[Column]
    tested: dict[Column, Difference] = field(default_factory=dict)
    p: dict[Column, Array] = field(default_factory=dict)
    untested: dict[Column, str] = field(default_factory=dict)


def compare_matches(
    pairs: Sequence[Match],
    metrics: Mapping[str, Metric],
    ks: Sequence[int],
    store: Store,
    test_config: TestConfig,
) -> list[Comparison]:
    """Return every match compared in all metrics that both sides have.

    A family is all pairs of a match's models, and those of the other matches that name the same one.
    """
    tests = [_tests(match, metrics, ks, store, test_config) for match in pairs]
    compared = []
    for own, match in zip(tests, pairs, strict=True):
        family = [own]
        family += [t for t, m in zip(tests, pairs, strict=True) if t is not own and m.family == match.family]
        each = []
        for column in own.columns:
            tested = own.tested.get(column)
            if tested is not None:
                p = np.concatenate([of_match.p[column] for of_match in family if column in of_match.p])
                tested = replace(tested, corrected=float(corrected(p, test_config.correction)[0]))
            candidate, baseline = (_mean(side, column) for side in match.results)
            higher, why = metrics[column.metric].higher_is_better, own.untested.get(column, "")
            each.append(MetricComparison(column, higher, candidate, baseline, tested, why))
        size = sum(max((len(p) for p in of_match.p.values()), default=0) for of_match in family)
        compared.append(Comparison(match, tuple(each), size))
    return compared


def _tests(
    match: Match, metrics: Mapping[str, Metric], ks: Sequence[int], store: Store, test_config: TestConfig
) -> _MatchTests:
    every = [Column(name, k) for name, m in metrics.items() for k in (ks if m.cutoff else (None,))]
    results = [r for side in match.results for r in side]
    tests = _MatchTests([c for c in every if all(_value(r, c) is not None for r in results)])
    for columns, samples in samples_to_test(match.splits, tests.columns, metrics, store, tests.untested):
        pairs = all_pairs(samples[0].values.shape[1])
        differences = significance.compare(samples, pairs[:1], test_config)
        p = differences.p if len(pairs) == 1 else significance.p_of_pairs(samples, pairs, test_config)
        for at, column in enumerate(columns):
            tests.tested[column] = _difference(differences, at, metrics[column.metric].higher_is_better)
            tests.p[column] = p[at]
    return tests


def _difference(differences: Differences, at: int, higher: bool | None) -> Difference:
    """Return the first pair of a test in its column `at`, uncorrected."""
    d = differences
    mean, low, high, p, effect = (float(of[at, 0]) for of in (d.mean, d.low, d.high, d.p, d.effect))
    wins, ties, losses = (int(of[at, 0]) for of in (d.outcomes if higher is not False else d.outcomes[::-1]))
    return Difference(mean, low, high, p, p, effect, wins, ties, losses, int(d.n_users[at]))


def _value(result: Result, column: Column) -> float | None:
    measurement = result.record.measurement(column.metric, column.k)
    return None if measurement is None else measurement[0]


def _mean(results: Iterable[Result], column: Column) -> float:
    """Over the splits, of the means over the model seeds on each."""
    by_split: dict[str, dict[str, Any]] = {}
    for result in results:
        by_split.setdefault(result.record.split_fingerprint, {})[result.request.key] = _value(result, column)
    return statistics.fmean(statistics.fmean(seeds.values()) for seeds in by_split.values())


# -- splits and gates --------------------------------------------------------------------------------


def break_down(
    match: Match,
    metric: MetricComparison,
    samples: Sequence[Sample],
    workspace: Workspace,
    test_config: TestConfig,
    users: int,
) -> tuple[SplitBreakdown, ...]:
    """Return every split of a match by itself, in a metric that has a test.

    Args:
        samples: of the two sides, one for each split (`pair_samples`).
        users: number of users shown with the largest gains, and with the largest losses.
    """
    breakdowns = []
    for split, sample in zip(match.splits, samples, strict=True):
        cell, higher = match.cells(split)[0], metric.higher_is_better
        differences = significance.compare([sample], np.array([[0, 1]]), test_config)
        own = SplitBreakdown(match.split_name(split), _difference(differences, 0, higher))
        if not workspace.store.has_split(cell.split_key):
            key = split.keys[0][0]
            absent = f"the store holds no split {split.fingerprint}: run cell {key} with rerun=true"
            breakdowns.append(replace(own, absent=absent))
            continue
        k = metric.column.k or min(LIST_LENGTH, cell.depth)
        changes = largest_changes(split, cell, sample, workspace, k=k, n=users, higher_is_better=higher)
        groups = tuple(segments(sample, workspace.split(cell), test_config))
        breakdowns.append(replace(own, segments=groups, gains=tuple(changes[0]), losses=tuple(changes[1])))
    return tuple(breakdowns)


def pair_samples(match: Match, column: Column, store: Store) -> list[Sample]:
    """Return the values of the two sides in one metric, one sample for each split."""
    return [read_sample(store, replace(split, keys=split.keys[:2]), [column]) for split in match.splits]


def gate(metric: MetricComparison, bounds: tuple[float, float]) -> Answer:
    """Return the answer of a gate for one match: that of its own interval.

    Raises:
        ConfigError: the metric has no test, or no better end.
    """
    name = metric.column.name
    if metric.higher_is_better is None:
        raise ConfigError(f"gate={name}: the metric has no better end, so it cannot decide")
    if metric.tested is None:
        raise ConfigError(f"gate={name}: it has no interval ({metric.untested})")
    return answer_of(metric.tested.low, metric.tested.high, bounds, metric.higher_is_better)


def answer_of(low: float, high: float, bounds: tuple[float, float], higher_is_better: bool = True) -> Answer:
    """Return PROMOTED if an interval of candidate less baseline lies above the first bound, REJECTED if below
    the second; with the sign turned where lower is better.
    """
    if not higher_is_better:
        low, high = -high, -low
    return "PROMOTED" if low > bounds[0] else "REJECTED" if high < bounds[1] else "UNDECIDED"


def decide(comparisons: Sequence[Comparison], request: CompareRequest) -> Decision:
    """Return the answer of a gate over all matches: that of the interval of their mean difference."""
    own = [
        (one, one.leading, one.leading.tested, one.pair)
        for one in comparisons
        if one.leading is not None and one.leading.tested is not None and one.pair is not None
    ]
    if not own:
        return Decision("UNDECIDED")
    if len(own) == 1:
        ((one, _, tested, _),) = own
        assert one.answer is not None
        return Decision(one.answer, tested.difference, tested.low, tested.high, 1)
    config, higher = request.test_config, own[0][1].higher_is_better
    pairs = [pair for *_, pair in own]
    data_sets = [repr(sorted(one.match.results[0][0].request.cell.dataset.items())) for one, *_ in own]
    mean = combined(pairs, data_sets, np.full(len(own), 1 / len(own)), config.confidence)
    low, high = mean.difference - mean.half, mean.difference + mean.half
    n_differ: dict[str, int] = {}
    for (_, _, tested, _), name in zip(own, data_sets, strict=True):
        n_differ[name] = max(n_differ.get(name, 0), tested.wins + tested.losses)
    if significance.least_p(sum(n_differ.values())) > config.level:
        low, high = min(low, 0.0), max(high, 0.0)
    apart = [one.match for one, _, tested, _ in own if tested.high < low or tested.low > high]
    return Decision(
        answer_of(low, high, request.bounds, higher is True),
        *(mean.difference, low, high, len(own)),
        tuple(f"{match.title}: {match.candidate}" for match in apart),
        _smaller(pairs, data_sets, higher, max(max(one.n_seeds) for one, *_ in own), request),
    )


def _smaller(
    pairs: Sequence[PairSpread],
    data_sets: Sequence[str],
    higher: bool | None,
    n_fits: int,
    request: CompareRequest,
) -> SmallerDifference | None:
    """Return what it takes to tell the mean difference, else half of it, from a gate's nearest bound or 0."""
    sign = -1 if higher is False else 1
    difference = float(np.mean([pair.difference for pair in pairs]))
    upper, lower = request.bounds if request.gate else (0.0, 0.0)
    if lower <= sign * difference <= upper:
        return None
    bound = sign * (upper if sign * difference > upper else lower)
    for distance in (difference - bound, (difference - bound) / 2):
        needed = repetitions_needed(distance, pairs, data_sets, n_fits, request.test_config.confidence)
        if needed:
            return SmallerDifference(bound + distance, bound, needed)
    return None
