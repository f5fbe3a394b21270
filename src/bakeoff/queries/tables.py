"""What a comparison of models holds: numbers only, no text, no rendering."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bakeoff.arrays import Doubles
from bakeoff.evaluation.significance import TestConfig
from bakeoff.evaluation.variance import Needed
from bakeoff.queries.select import Result
from bakeoff.run.naming import Name, label
from bakeoff.storage.record import Status

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
    needed: Needed | None = None
    single: bool = True
    not_done: Mapping[str, tuple[str, ...]] | None = None


@dataclass(frozen=True)
class Table:
    """Models compared on one data set and one split family.

    Args:
        runs: the repetitions that any of its rows was asked for.
        columns: what at least one row has a value for; metrics in their order, then k.
        has_popularity: whether a popularity baseline is among the rows with results.
        marks: how values were compared with the best of their column; None where nobody did.
        of_data: what is worth saying of the data, from their preparation.
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
