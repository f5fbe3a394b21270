"""What tuning found, as numbers only: a search for each tuned row of a comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from bakeoff.evaluation.catalogue import shipped
from bakeoff.evaluation.expected_best import (
    FEWEST_SEARCHES,
    Estimate,
    expected_best,
    mean_over_repeats,
)
from bakeoff.evaluation.variance import scatter_half_width
from bakeoff.hashing import canonical_json
from bakeoff.queries.comparison import Column, Row, Run, Table, Value, mean_of
from bakeoff.queries.select import Result
from bakeoff.run.cell import Cell
from bakeoff.storage.record import Record, TuningRecord

if TYPE_CHECKING:
    from bakeoff.tuning.importance import Importance

EXCHANGEABLE = ("random", "optuna.samplers.RandomSampler")
"""Samplers whose trials are independent draws from one distribution."""

FEWEST_DRAWS = 5
"""An expected best is not estimated from fewer trials beside the defaults."""


class Point(NamedTuple):
    """Best value after so many trials, which took so many seconds together; None before the first value."""

    trials: int
    seconds: float
    best: float | None


class Expectation(NamedTuple):
    """Expected best value after so many trials, the defaults among them; its 95 % interval, or None."""

    trials: int
    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Expected:
    """The expected best by budget, or why it is not known.

    Args:
        how: "draws" (equation of Dodge et al. 2019 for one or two searches, no interval) or "repeats" (mean
            over searches of the best so far, t interval from three searches on).
        points: by number of trials; those without a certain value are left out.
        seeds: number of searches behind it.
        absent: why there are no points, else "".
    """

    how: Literal["draws", "repeats", ""] = ""
    points: tuple[Expectation, ...] = ()
    seeds: int = 0
    absent: str = ""


@dataclass(frozen=True)
class Study:
    """One tuned fit.

    Args:
        key: of its cell.
        run: split seed, fold and seed.
        record: of its trials.
        space: the model's search space, by name.
        before: mean and interval, on test, of the tuned metric for the same model untuned, or None.
        after: likewise for the tuned one.
        untested: why one of them is None, else "".
    """

    key: str
    run: Run
    record: TuningRecord
    space: Mapping[str, Any]
    before: Value | None
    after: Value | None
    untested: str

    @property
    def objectives(self) -> tuple[str, ...]:
        """What was sought; several where it was a Pareto set."""
        return self.record.targets

    @property
    def directions(self) -> tuple[Literal["maximize", "minimize"], ...]:
        return self.record.directions or (self.record.direction,)

    @property
    def best_number(self) -> int | None:
        return self.record.best.number if self.record.best is not None else None

    @property
    def best_value(self) -> float | None:
        return self.record.best.value if self.record.best is not None else None

    @property
    def best_parameters(self) -> Mapping[str, Any]:
        return self.record.best.parameters if self.record.best is not None else {}

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return 1 if self.directions[0] == "maximize" else -1

    @property
    def gains(self) -> list[float]:
        """The value of each trial, larger is better; -inf where it gave none.

        A pruned trial gave none: it did not promise to be the best, its last value is of fewer
        epochs (and perhaps users) than theirs, and the tuner can never choose it.
        """
        values = [trial.value for trial in self.record.trials]
        return [-math.inf if v is None else self.sign * v for v in values]

    @cached_property
    def curve(self) -> tuple[Point, ...]:
        """Best value so far, a point for each trial in order; none with several objectives."""
        if len(self.objectives) > 1:
            return ()
        best = np.maximum.accumulate(self.gains).tolist()
        seconds = np.cumsum([trial.seconds for trial in self.record.trials]).tolist()
        return tuple(
            Point(n, spent, None if b == -math.inf else self.sign * b)
            for n, (b, spent) in enumerate(zip(best, seconds, strict=True), 1)
        )

    @cached_property
    def importance(self) -> Importance:
        """How much each hyperparameter decided which trials were the best."""
        from bakeoff.tuning.importance import importance

        return importance(self.space, self.record.trials, self.directions)


@dataclass(frozen=True)
class Search:
    """The studies of one row of a table: one for each of its tuned fits, in order."""

    studies: tuple[Study, ...]

    def after_trials(self, n: int) -> Value | None:
        """Mean over studies of the best after n trials; None unless all went so far and had a value."""
        values = [s.curve[n - 1].best if n <= len(s.curve) else None for s in self.studies]
        return _mean(values)

    def after_seconds(self, seconds: float, before: float = 0.0) -> Value | None:
        """Mean over studies of the best after so many seconds of trials.

        None unless all had a value by then, and went on for more than `before` seconds.
        """
        values = []
        for study in self.studies:
            ended = [p.best for p in study.curve if p.seconds <= seconds]
            went_on = bool(study.curve) and study.curve[-1].seconds > before
            values.append(ended[-1] if ended and went_on else None)
        return _mean(values)

    @cached_property
    def expected(self) -> Expected:
        """The expected best by number of trials."""
        return _expected(self.studies)

    @cached_property
    def importances(self) -> dict[str, float]:
        """Share of each hyperparameter, the mean over the studies that have any; most important first."""
        every = [s.importance.shares for s in self.studies if s.importance.shares]
        names = dict.fromkeys(name for shares in every for name in shares)
        means = {name: sum(shares.get(name, 0.0) for shares in every) / len(every) for name in names}
        return dict(sorted(means.items(), key=lambda pair: (-pair[1], pair[0])))


def searches(table: Table) -> tuple[Search | None, ...]:
    """Return the search of each row of a table; None for a row without a tuned fit."""
    untuned = {
        _twin(result.request.cell): result.record
        for row in table.rows
        for result in row.results
        if result.request.cell.tune is None
    }
    return tuple(_search(row, untuned) for row in table.rows)


def without_space(row: Row) -> bool:
    """Return whether a row's model has no search space."""
    return bool(row.results) and not row.results[0].request.cell.space


def _search(row: Row, untuned: Mapping[str, Record]) -> Search | None:
    tuned: dict[str, Result] = {}
    for result in row.results:
        if result.record.tuning:
            tuned.setdefault(result.request.key, result)
    return Search(tuple(_study(result, untuned) for result in tuned.values())) if tuned else None


def _study(result: Result, untuned: Mapping[str, Record]) -> Study:
    request, record = result
    assert record.tuning is not None
    twin = untuned.get(_twin(request.cell))
    metric = record.tuning.metric
    before = _on_test(twin, metric) if twin is not None else None
    after = _on_test(record, metric)
    untested = ""
    if after is None:
        untested = f"{metric} was not measured on test" if record.done else "the tuned model has no results"
    elif before is None:
        untested = "the untuned model is not among the results: run it with tune=none under the same name"
        if twin is not None:
            untested = "the untuned model has no results"
    run = Run(request.cell.split_seed, request.cell.fold, request.cell.seed)
    space = dict(sorted(request.cell.space.items()))  # as it is stored: a run and a report say the same
    return Study(request.key, run, record.tuning, space, before, after, untested)


def _twin(cell: Cell) -> str:
    """Return what a tuned cell shares with the untuned cell of the same model, within one table."""
    model = [cell.model_build, cell.contents.get("model")]
    return canonical_json([model, cell.depth, cell.split_seed, cell.fold, cell.seed])


def _on_test(record: Record, metric: str) -> Value | None:
    """Mean and interval of a metric as a tuner names it: "name@k", or by its import path."""
    path, _, k = metric.partition("@")
    name = path.rpartition(".")[2]
    if "." in path and name in shipped() and shipped()[name].path != path:
        return None  # another metric of that name
    return mean_of([record], Column(name, int(k) if k else None))


def _mean(values: Sequence[float | None]) -> Value | None:
    """Return the mean over searches and its interval; None unless all have a value."""
    scores = [v for v in values if v is not None]
    if not scores or len(scores) < len(values):
        return None
    return Value(fmean(scores), scatter_half_width([scores]), len(scores))


def _expected(studies: Sequence[Study]) -> Expected:
    first = studies[0]
    if len(first.objectives) > 1:
        return Expected(absent="with several objectives there is no single best")
    by_seed: dict[int, dict[tuple[int, int | None], Study]] = {}
    for study in studies:
        by_seed.setdefault(study.run.seed, {})[study.run.split_seed, study.run.fold] = study
    independent = first.record.sampler in EXCHANGEABLE
    if not independent and len(by_seed) < 2:
        return Expected(
            absent=f"one search by {first.record.sampler}, whose trials depend on one another: "
            "tune.sampler=random or several seeds would tell"
        )
    instances = [
        p for p in next(iter(by_seed.values())) if all(p in searches for searches in by_seed.values())
    ]
    if not instances:
        return Expected(absent="its seeds share no split")
    n = min(len(searches[p].gains) for searches in by_seed.values() for p in instances)
    gains = np.array([[searches[p].gains[:n] for p in instances] for searches in by_seed.values()])
    if independent and n - 1 < FEWEST_DRAWS:
        return Expected(absent=f"{n - 1} trials beside the defaults, at least {FEWEST_DRAWS} are needed")
    repeated = not independent or len(by_seed) >= FEWEST_SEARCHES
    if not repeated:
        means = expected_best(gains[..., 0], gains[..., 1:])
        estimate = Estimate(means, *np.full((2, len(means)), np.nan))
    else:
        estimate = mean_over_repeats(np.maximum.accumulate(gains, axis=2).mean(axis=1))
    points = _points(estimate, first.sign)
    if not points:
        return Expected(absent="the defaults gave no value, and neither did some of the other trials")
    return Expected("repeats" if repeated else "draws", points, len(by_seed))


def _points(estimate: Estimate, sign: int) -> tuple[Expectation, ...]:
    """Return the estimate in the metric's own direction, where it is known."""
    rows = zip(*(part.tolist() for part in estimate), strict=True)
    return tuple(
        Expectation(n, sign * mean, *(sorted((sign * low, sign * high)) if low == low else (None, None)))
        for n, (mean, low, high) in enumerate(rows, 1)
        if math.isfinite(mean)
    )
