"""What a comparison of models holds: numbers only, no text, no rendering."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bakeoff.evaluation.significance import TestConfig
from bakeoff.queries.select import Result
from bakeoff.run.naming import Name, label
from bakeoff.storage.record import Status

WORST_FIRST: tuple[Status, ...] = ("failed", "missing", "skipped", "done")


def in_order(results: Iterable[Result]) -> list[Result]:
    """The results in the order of every table and file."""
    return sorted(results, key=lambda r: r.asked.order)


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
        half: half the width of the mean's interval (`uncertainty.with_intervals`); None where it has none.
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
        model, variant: the YAML's name, and the knobs that differ from it.
        differs: knobs that tell rows of the same model, variant and tuning apart; else "".
        weights: how the model uses values; "" where it has no such knob.
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
    places: tuple[tuple[int, int | None], ...]
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
    """

    rules: TestConfig
    n_splits: int
    n_fits: int
    finest: float
    untested: Mapping[Column, str]


@dataclass(frozen=True)
class Table:
    """Models compared on one data set and one split family.

    Args:
        runs: the repetitions that any of its rows was asked for.
        columns: what at least one row has a value for; metrics in their order, then k.
        has_popularity: whether a popularity baseline is among the rows with results.
        marks: how values were compared with the best of their column; None where nobody did.
        of_data: what is worth saying of the data, from their preparation.
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
        (Name(label(row.model), row.label, r.asked.key), row) for row in rows if row.done for r in row.results
    ]
