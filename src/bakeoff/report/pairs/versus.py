"""A candidate against a baseline: the numbers of each metric, and the answer to a gate."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from bakeoff.arrays import Array
from bakeoff.errors import ConfigError
from bakeoff.evaluation import significance
from bakeoff.evaluation.metric import Metric
from bakeoff.evaluation.significance import Differences, Sample, TestConfig, all_pairs, corrected, testable
from bakeoff.queries.select import Result
from bakeoff.report.pairs.samples import column_name, read, without_values
from bakeoff.report.pairs.sides import Match
from bakeoff.report.tables import Column
from bakeoff.storage.store import Store

Answer = Literal["PROMOTED", "REJECTED", "UNDECIDED"]

EXIT_CODES: Mapping[Answer, int] = {"PROMOTED": 0, "REJECTED": 3, "UNDECIDED": 4}

_AT_ONCE = 2**24
"""Numbers of values by user held at once."""


@dataclass(frozen=True)
class Difference:
    """The difference of one metric, candidate less baseline.

    Args:
        difference: mean over users, with several splits the mean over splits of it.
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
class Line:
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
class Versus:
    """One match in numbers.

    Args:
        lines: metrics in their order, then k.
        n_splits: whose differences were combined.
        n_seeds: model seeds of the candidate and of the baseline, averaged per user.
        family_size: pairs that the p-values were corrected for.
    """

    match: Match
    lines: tuple[Line, ...]
    n_splits: int
    n_seeds: tuple[int, int]
    family_size: int


@dataclass(frozen=True, eq=False)
class _Raw:
    """A match before correction: by column the test of its own pair, and p of all pairs, its own first."""

    columns: Sequence[Column]
    tested: dict[Column, Difference] = field(default_factory=dict)
    p: dict[Column, Array] = field(default_factory=dict)
    untested: dict[Column, str] = field(default_factory=dict)

    @property
    def n_pairs(self) -> int:
        return max((len(p) for p in self.p.values()), default=0)


def measured(match: Match, metrics: Mapping[str, Metric], ks: Sequence[int]) -> list[Column]:
    """The metrics at the cutoffs that both sides have in all of their results."""
    asked = [Column(name, k) for name, m in metrics.items() for k in (ks if m.cutoff else (None,))]
    results = [r for side in match.results for r in side]
    return [c for c in asked if all(_has(r, c) for r in results)]


def versus(
    matches: Sequence[Match],
    metrics: Mapping[str, Metric],
    ks: Sequence[int],
    store: Store,
    rules: TestConfig,
) -> list[Versus]:
    """Compare every match in all metrics that both sides have.

    A family is all pairs of a match's models, and those of the other matches that name the same one.
    """
    raw = [_raw(match, measured(match, metrics, ks), metrics, store, rules) for match in matches]
    found = []
    for at, match in enumerate(matches):
        beside = [r for n, r in enumerate(raw) if n != at and matches[n].family == match.family]
        lines = tuple(_line(match, c, raw[at], beside, metrics, rules) for c in raw[at].columns)
        seeds = [max(len(place.keys[side]) for place in match.places) for side in (0, 1)]
        size = raw[at].n_pairs + sum(r.n_pairs for r in beside)
        found.append(Versus(match, lines, len(match.places), (seeds[0], seeds[1]), size))
    return found


def pair_samples(match: Match, columns: Sequence[Column], store: Store) -> list[Sample]:
    """The values of the two sides alone, one sample for each split."""
    return [read(store, replace(place, keys=place.keys[:2]), columns) for place in match.places]


def gate(line: Line, tolerance: float) -> Answer:
    """PROMOTED if the interval of the difference lies above +tolerance, REJECTED if below -tolerance.

    Candidate less baseline; where lower is better with the sign turned: above is always the better end.

    Raises:
        ConfigError: the metric has no test, or no better end.
    """
    name = column_name(line.column)
    if line.higher_is_better is None:
        raise ConfigError(f"gate={name}: the metric has no better end, so nothing can be promoted by it")
    if line.tested is None:
        raise ConfigError(f"gate={name}: it has no interval ({line.untested})")
    low, high = line.tested.low, line.tested.high
    if not line.higher_is_better:
        low, high = -high, -low
    return "PROMOTED" if low > tolerance else "REJECTED" if high < -tolerance else "UNDECIDED"


def all_of(answers: Iterable[Answer]) -> Answer:
    """One answer for several matches: promoted by all, rejected by any."""
    found = set(answers)
    if found == {"PROMOTED"}:
        return "PROMOTED"
    return "REJECTED" if "REJECTED" in found else "UNDECIDED"


def _raw(
    match: Match, columns: Sequence[Column], metrics: Mapping[str, Metric], store: Store, rules: TestConfig
) -> _Raw:
    raw = _Raw(columns)
    by_user = [c for c in columns if metrics[c.metric].per_user]
    why = "one number for the whole set of lists, no value for each user"
    raw.untested.update({c: why for c in columns if c not in by_user})
    missing = without_values(store, match.places)
    if missing or (len(match.places) > 1 and any(p.ratio is None for p in match.places)):
        why = (
            f"the store has no values by user of cell {missing[0]}"
            if missing
            else "several splits, whose sizes of train and test are not known"
        )
        raw.untested.update(dict.fromkeys(by_user, why))
        return raw
    n_models = len(match.places[0].keys)
    users = sum(side[0].record.n_users for side in match.results[:1]) * len(match.places)
    step = max(1, _AT_ONCE // max(n_models * users, 1))
    for start in range(0, len(by_user), step):
        _test(raw, match, by_user[start : start + step], metrics, store, rules)
    return raw


def _test(
    raw: _Raw,
    match: Match,
    columns: Sequence[Column],
    metrics: Mapping[str, Metric],
    store: Store,
    rules: TestConfig,
) -> None:
    samples = [read(store, place, columns) for place in match.places]
    good = np.logical_and.reduce([testable(s) for s in samples])
    why = "fewer than two users have a value under every model"
    raw.untested.update({c: why for c, ok in zip(columns, good, strict=True) if not ok})
    kept = [c for c, ok in zip(columns, good, strict=True) if ok]
    if not kept:
        return
    samples = [Sample(s.users, s.values[good], s.ratio) for s in samples]
    pairs = all_pairs(samples[0].values.shape[1])
    found = significance.compare(samples, pairs[:1], rules)
    p = found.p if len(pairs) == 1 else significance.p_of_pairs(samples, pairs, rules)
    for at, column in enumerate(kept):
        raw.tested[column] = difference_of(found, at, metrics[column.metric].higher_is_better)
        raw.p[column] = p[at]


def difference_of(found: Differences, at: int, higher: bool | None) -> Difference:
    """The first pair of a test in its column `at`, not corrected."""
    larger, same, smaller = (int(o[at, 0]) for o in found.outcomes)
    return Difference(
        difference=float(found.mean[at, 0]),
        low=float(found.low[at, 0]),
        high=float(found.high[at, 0]),
        p=float(found.p[at, 0]),
        corrected=float(found.p[at, 0]),
        effect=float(found.effect[at, 0]),
        wins=smaller if higher is False else larger,
        ties=same,
        losses=larger if higher is False else smaller,
        n_users=int(found.n_users[at]),
    )


def _line(
    match: Match,
    column: Column,
    raw: _Raw,
    beside: Sequence[_Raw],
    metrics: Mapping[str, Metric],
    rules: TestConfig,
) -> Line:
    tested = raw.tested.get(column)
    if tested is not None:
        family = np.concatenate([raw.p[column], *(r.p[column] for r in beside if column in r.p)])
        tested = replace(tested, corrected=float(corrected(family, rules.correction)[0]))
    means = [_mean(side, column) for side in match.results]
    higher = metrics[column.metric].higher_is_better
    return Line(column, higher, means[0], means[1], tested, raw.untested.get(column, ""))


def _has(result: Result, column: Column) -> bool:
    return ("" if column.k is None else str(column.k)) in result.record.metrics.get(column.metric, {})


def _mean(results: Iterable[Result], column: Column) -> float:
    """Over the splits, of the means over the model seeds on each."""
    k = "" if column.k is None else str(column.k)
    by_split: dict[str, dict[str, float]] = {}
    for asked, record in results:
        by_split.setdefault(record.split_fingerprint, {})[asked.key] = record.metrics[column.metric][k][0]
    return statistics.fmean(statistics.fmean(seeds.values()) for seeds in by_split.values())
