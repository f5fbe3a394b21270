"""The record of a cell: what it measured, how it was tuned, what it cost and where it ran."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import msgspec

from bakeoff.run.cell import Cell

Status = Literal["done", "skipped", "failed", "missing"]
STORED: tuple[Status, ...] = ("done", "skipped", "failed")
"""A stored record has one of these; `missing` is given by a report to a cell without a stored record."""

TrialState = Literal["complete", "pruned", "failed"]
Direction = Literal["maximize", "minimize"]

PHASES = ("load", "split", "tune", "fit", "recommend", "evaluate", "write")
"""The phases that are timed, in their order."""


class Measurement(NamedTuple):
    """A metric at one cutoff: mean over users and its standard error (None for a metric of all lists)."""

    mean: float
    stderr: float | None


class Budget(msgspec.Struct, frozen=True):
    """The limits of a study; None is no limit."""

    trials: int | None = None
    seconds: float | None = None


class TrialRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One trial of a study.

    Args:
        number: position among the trials that count; 0 has the default hyperparameters.
        parameters: the hyperparameters that were searched.
        value: first objective on validation; None unless complete.
        values: every objective by name, where there are several; else None.
        by_epoch: scores that the pruner was given, by epoch.
        seconds: wall seconds.
        from_memory: whether the result was copied from an earlier trial with the same parameters.
        reason: why it failed, else "".
    """

    number: int
    parameters: Mapping[str, Any] = {}
    state: TrialState = "complete"
    value: float | None = None
    values: Mapping[str, float | None] | None = None
    by_epoch: Mapping[int, float] = {}
    seconds: float = 0.0
    from_memory: bool = False
    reason: str = ""

    @property
    def objective_values(self) -> list[float]:
        """The objectives of a complete trial."""
        return [v for v in (self.values.values() if self.values else (self.value,)) if v is not None]


class TuningRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a study did.

    Args:
        budget: its limits.
        metric: the first objective, such as "ndcg@10".
        direction: of the first objective.
        sampler, pruner: by name or import path.
        repeats: inner splits that each trial was averaged over.
        seed: the seed of the study.
        trials: all trials that count, by number.
        best: the trial whose parameters the final model has, or None.
        objectives, directions: where there are several objectives; else empty.
        pareto_selection: the rule that chose `best` from the Pareto set, where there are several.
        pareto: numbers of the trials that no other trial dominates, where there are several.
        edges: a line for each hyperparameter whose best trials gather at an end of its space.
        workers: processes whose trials ran at the same time; 1 if the search is one process's.
        notes: what limits the meaning of the numbers.
    """

    budget: Budget
    metric: str
    direction: Direction
    sampler: str
    pruner: str
    repeats: int = 1
    seed: int = 1
    trials: tuple[TrialRecord, ...] = ()
    best: TrialRecord | None = None
    objectives: tuple[str, ...] = ()
    directions: tuple[Direction, ...] = ()
    pareto_selection: Mapping[str, Any] | None = msgspec.field(name="pick", default=None)
    pareto: tuple[int, ...] = ()
    edges: tuple[str, ...] = ()
    workers: int = 1
    notes: tuple[str, ...] = ()

    @property
    def targets(self) -> tuple[str, ...]:
        """The objectives; `metric` alone where there is one."""
        return self.objectives or (self.metric,)

    @property
    def best_number(self) -> int | None:
        return self.best.number if self.best is not None else None

    @property
    def best_value(self) -> float | None:
        return self.best.value if self.best is not None else None

    @property
    def best_parameters(self) -> Mapping[str, Any]:
        return self.best.parameters if self.best is not None else {}

    @property
    def default(self) -> float | None:
        """The validation score of the default hyperparameters, or None."""
        return self.trials[0].value if self.trials else None

    @property
    def n_from_memory(self) -> int:
        return sum(trial.from_memory for trial in self.trials)

    @property
    def seconds(self) -> float:
        """Wall seconds of all trials, over all processes."""
        return sum(trial.seconds for trial in self.trials)

    def count(self, state: TrialState) -> int:
        """Return the number of trials that ended in a state."""
        return sum(trial.state == state for trial in self.trials)


class Environment(msgspec.Struct, frozen=True):
    """Where a cell ran: versions, machine, and the commit of the working directory.

    libraries: module -> "distribution version"; the distribution too, as forks share module names.
    """

    bakeoff: str = ""
    python: str = ""
    platform: str = ""
    cpu: str = ""
    cores: int | None = None
    libraries: Mapping[str, str] = {}
    git: str | None = None


class Record(msgspec.Struct, frozen=True):
    """The result of one cell.

    Args:
        key: the cell's identity.
        status: done, skipped (the model or the split cannot do it), failed (an error) or missing.
        reason: why it is not done, one line; else "".
        cell: its coordinates.
        parameters: the hyperparameters of the final model.
        metrics: metric -> k as text ("" without cutoff) -> mean and standard error.
        absent: metric -> why it was not measured.
        n_users: number of evaluated users.
        split_key, split_family, split_fingerprint: identities of its split.
        seconds: wall seconds by phase (PHASES).
        peak_mb: highest resident memory during the run, in 10^6 bytes.
        counts: `Split.info`: sizes of the parts, dates, and what was dropped.
        notes: what limits the meaning of the numbers (not repeatable, depth clipped, ...).
        training_loss: by epoch, where the model reports it.
        tuning: the study, or None without tuning.
        environment: where it ran.
        started: ISO 8601, UTC.
        traceback: of a failure, else "".
        files: name -> BLAKE2b of the other files in the cell's folder (`bakeoff.hashing.file_hash`).
        inputs: "data", "split" -> hash of the stored arrays that it was computed from (`Manifest.content`).
            Both are empty in a record of a version that did not hash.
    """

    key: str
    status: Status
    reason: str
    cell: Cell
    parameters: Mapping[str, Any] = {}
    metrics: Mapping[str, Mapping[str, Measurement]] = {}
    absent: Mapping[str, str] = {}
    n_users: int = 0
    split_key: str = ""
    split_family: str = ""
    split_fingerprint: str = ""
    seconds: Mapping[str, float] = {}
    peak_mb: float = 0.0
    counts: Mapping[str, Any] = {}
    notes: tuple[str, ...] = ()
    training_loss: tuple[float, ...] = ()
    tuning: TuningRecord | None = None
    environment: Environment = Environment()
    started: str = ""
    traceback: str = ""
    files: Mapping[str, str] = {}
    inputs: Mapping[str, str] = {}

    @property
    def done(self) -> bool:
        return self.status == "done"

    @property
    def ks(self) -> tuple[int, ...]:
        """The cutoffs that were measured, in ascending order."""
        return tuple(sorted({int(k) for by_k in self.metrics.values() for k in by_k if k}))

    def measurement(self, metric: str, k: int | None) -> Measurement | None:
        """Return a metric at a cutoff (None for a metric without one), or None if it was not measured."""
        return self.metrics.get(metric, {}).get("" if k is None else str(k))

    def measurements(self) -> Iterator[tuple[str, int | None, Measurement]]:
        """Yield every metric with its cutoff and measurement, by name and cutoff."""
        for metric, by_k in sorted(self.metrics.items()):
            for k, measured in sorted(by_k.items(), key=lambda pair: int(pair[0] or 0)):
                yield metric, int(k) if k else None, measured

    def as_json(self) -> dict[str, Any]:
        """Return the record as plain JSON values; `from_json` reads them back."""
        return dict(msgspec.to_builtins(self))

    @classmethod
    def from_json(cls, value: object) -> Record:
        """Return the record that `as_json` wrote; unknown fields are ignored.

        Raises:
            ValueError: a field is missing or has a wrong value; the message names its path.
        """
        return msgspec.convert(value, cls)


@dataclass(frozen=True)
class CellRequest:
    """A cell as an experiment requested it; several may share one stored record.

    The seed of a model without chance, and the split seed of a split without chance, are not part of the key;
    tables have a row for each request.
    """

    key: str
    cell: Cell

    @property
    def order(self) -> tuple[Any, ...]:
        """Sort key of the rows of a table."""
        cell = self.cell
        return (
            cell.dataset_name,
            cell.dataset_variant,
            cell.split_name,
            cell.split_variant,
            cell.split_seed,
            -1 if cell.fold is None else cell.fold,
            cell.model_name,
            cell.variant,
            cell.tune is not None,
            cell.seed,
            self.key,
        )
