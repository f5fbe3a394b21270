"""Run one cell: the page to read first.

load -> Interactions -> cut -> Split -> tune (inside train) -> fit -> recommend -> TopK -> metrics -> store
"""

from __future__ import annotations

import datetime
import math
import traceback
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from dataclasses import replace as replace_fields
from typing import Any

import numpy as np
from msgspec.structs import replace

from bakeoff.data.source import Dataset
from bakeoff.errors import DataError, Unsupported, UsageError
from bakeoff.evaluation.catalogue import resolve
from bakeoff.evaluation.measure import Measurements, measure, per_user_table
from bakeoff.evaluation.stats import TrainStats
from bakeoff.evaluation.topk import TopK
from bakeoff.importing import user_code_errors
from bakeoff.models.base import ColdStart, HasDeterminism, HasNotes, Model
from bakeoff.models.fitting import limit_threads
from bakeoff.run.cell import Cell, StoredCell, build_model, build_source, build_splitter, parameters
from bakeoff.run.inference import evaluation_inputs, recommend
from bakeoff.run.naming import cell_label
from bakeoff.run.resources import ResourceMeter, environment
from bakeoff.splits.base import Split
from bakeoff.storage.record import Measurement, Record, Status, TuningRecord
from bakeoff.storage.saved_models import save_model
from bakeoff.storage.store import Store, StoredLists


@dataclass(frozen=True)
class EvaluationSpec:
    """How cells are evaluated: cutoffs, metrics as name -> import path, and whether the model is saved."""

    ks: tuple[int, ...]
    metrics: Mapping[str, str]
    save_model: bool = False


class Workspace:
    """A store with the last split and its statistics in memory: the cells of one split share them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._split: tuple[str, Split] | None = None
        self._stats: tuple[str, TrainStats] | None = None

    def dataset(self, cell: Cell, meter: ResourceMeter | None = None) -> Dataset:
        """Return the prepared data of a cell, from the store if it has them, else from their source."""
        with (meter or ResourceMeter()).phase("load"):
            if self.store.has_data(cell.data_key):
                dataset = self.store.data(cell.data_key)
                return replace_fields(dataset, name=str(cell.dataset.get("name", dataset.name)))
            if isinstance(cell, StoredCell):
                raise UsageError(f"{self.store.root}: it lacks the data of {cell_label(cell)}; run it again")
            with user_code_errors(cell.dataset["_target_"], "dataset", DataError):
                return build_source(cell.dataset).load()

    def split(self, cell: Cell, meter: ResourceMeter | None = None) -> Split:
        """Return the split of a cell: from memory, from the store, or cut now and stored with its data."""
        key = cell.split_key
        if self._split is not None and self._split[0] == key:
            return self._split[1]
        clock = meter or ResourceMeter()
        if self.store.has_split(key):
            with clock.phase("split"):
                split = self.store.split(key)
        elif isinstance(cell, StoredCell):
            raise UsageError(f"{self.store.root}: it lacks the split of {cell_label(cell)}; run it again")
        else:
            dataset = self.dataset(cell, clock)
            with clock.phase("split"):
                split = cut(cell, dataset)
            with clock.phase("write"):
                self.store.write_data(cell.data_key, dataset)
                self.store.write_split(key, split, cell.data_key)
        self._split = key, split
        return split

    def stats(self, cell: Cell, meter: ResourceMeter | None = None) -> TrainStats:
        """Return counts and similarities of the train part, computed once for all models of the split."""
        key = cell.split_key
        if self._stats is None or self._stats[0] != key:
            train = self.split(cell, meter).train
            self._stats = key, TrainStats(train.matrix(), train.item_features)
        return self._stats[1]

    def warm(self, cell: Cell, spec: EvaluationSpec) -> None:
        """Load the split of a cell and compute what its cells share, before processes are forked."""
        _ = self.split(cell).fingerprint
        stats = self.stats(cell)
        if any(path.startswith("bakeoff.evaluation.beyond.") for path in spec.metrics.values()):
            stats.prepare()


def cut(cell: Cell, dataset: Dataset) -> Split:
    """Cut a data set as configured in the cell.

    Raises:
        DataError: it cannot be cut; the line names the data set and the split.
    """
    splitter = build_splitter(cell.split)
    if splitter.needs_times and dataset.interactions.times is None:
        raise needs_times(cell, dataset.name)
    try:
        with user_code_errors(cell.split["_target_"], "split", DataError):
            return splitter.split(dataset.interactions, cell.split_seed)
    except DataError as error:
        raise DataError(f"data set {dataset.name!r}, split {cell.split_name!r}: {error}") from error


def needs_times(cell: Cell, dataset: str) -> Unsupported:
    """Return the reason why a split by time skips a data set without times."""
    return Unsupported(
        f"split {cell.split_name!r} needs timestamps; data set {dataset!r} has none: "
        "name its column (dataset.time=...) or use another split"
    )


def cold_start_reason(model: Model, cell: Cell, *, users: bool, items: bool) -> str:
    """Return why a model cannot run on a split that holds users or items out, or ""."""
    new = model.serves_new if isinstance(model, ColdStart) else ()
    cannot = f"{type(model).__name__} cannot"
    if users and not (model.folds_in or "users" in new):
        return f"{cannot} serve users it was not fitted on, and split {cell.split_name!r} holds users out"
    if items and "items" not in new:
        return f"{cannot} score items it was not fitted on, and split {cell.split_name!r} holds items out"
    return ""


@dataclass
class Outcome:
    """The results of a cell while it runs; if a phase raises, those of the earlier phases are recorded.

    Args:
        split: None until it is loaded.
        inputs: hashes of the stored split and data.
        epoch_losses: training loss by epoch, as reported by the model.
    """

    split: Split | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tuning: TuningRecord | None = None
    epoch_losses: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    measurements: Measurements = field(default_factory=lambda: Measurements(0))

    def record(self, cell: Cell, status: Status, reason: str, meter: ResourceMeter, started: str) -> Record:
        """Return the record of the cell, without a traceback."""
        diverged = next((n for n, x in enumerate(self.epoch_losses, 1) if not math.isfinite(x)), None)
        note = () if diverged is None else (f"the training loss is not finite from epoch {diverged} on",)
        return Record(
            key=cell.key,
            status=status,
            reason=reason,
            cell=cell,
            parameters=self.parameters,
            metrics=_by_metric(self.measurements),
            absent=self.measurements.absent,
            n_users=len(self.split.users) if self.split is not None else 0,
            split_key=cell.split_key if self.split is not None else "",
            split_family=cell.split_family if self.split is not None else "",
            split_fingerprint=self.split.fingerprint if self.split is not None else "",
            counts=self.split.info if self.split is not None else {},
            notes=(*self.notes, *note),
            training_loss=tuple(self.epoch_losses if diverged is None else self.epoch_losses[: diverged - 1]),
            tuning=self.tuning,
            seconds=meter.seconds,
            peak_mb=meter.peak_mb,
            environment=environment(),
            started=started,
            inputs=self.inputs,
        )


def run_cell(cell: Cell, workspace: Workspace, spec: EvaluationSpec, *, debug: bool = False) -> Record:
    """Run one cell, store its result and return its record; errors are recorded (debug: raised).

    If several processes run one tuned cell, only one of them fits the best configuration; the others return
    its record.
    """
    store, meter, outcome = workspace.store, ResourceMeter(), Outcome()
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    status: Status = "done"
    reason, trace = "", ""
    with ExitStack() as until_stored:
        try:
            with limit_threads(1):
                stored_meanwhile = _run(cell, workspace, spec, meter, outcome, until_stored)
            if stored_meanwhile is not None:
                return stored_meanwhile
        except Unsupported as error:
            status, reason = "skipped", str(error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a model may call sys.exit
            if debug:
                raise
            status, reason, trace = "failed", _one_line(error), traceback.format_exc()
        record = replace(outcome.record(cell, status, reason, meter, started), traceback=trace)
        return store.write_record(record)


def _run(
    cell: Cell,
    workspace: Workspace,
    spec: EvaluationSpec,
    meter: ResourceMeter,
    outcome: Outcome,
    until_stored: ExitStack,
) -> Record | None:
    """Do the work of `run_cell` and fill `outcome`.

    Args:
        until_stored: holds the lock of the final fit until the record is written.

    Returns:
        None, or the record that another process stored while this one tuned.
    """
    store, before = workspace.store, workspace.store.record(cell.key)
    split = outcome.split = workspace.split(cell, meter)
    outcome.inputs = store.inputs(cell.split_key)
    outcome.parameters = parameters(cell.model_build, "model.build")
    model = build_model(cell.model)
    outcome.notes += _notes(cell, model, split)
    if reason := cold_start_reason(model, cell, users=split.held_out, items=split.new_items):
        raise Unsupported(reason)
    if cell.tune is not None:
        from bakeoff.tuning.tune import final_fit, tune

        with meter.phase("tune"):
            outcome.tuning = tune(cell, split, store)
        outcome.parameters = {**outcome.parameters, **outcome.tuning.best_parameters}
        outcome.notes += outcome.tuning.notes
        model = build_model(cell.model, **outcome.tuning.best_parameters)
        stored_meanwhile = until_stored.enter_context(final_fit(cell, store, before))
        if stored_meanwhile is not None:
            return stored_meanwhile
    with meter.phase("fit"):
        model.fit(split.train, seed=cell.seed, on_epoch=lambda _, loss: _append(outcome.epoch_losses, loss))
    outcome.notes += model.remarks if isinstance(model, HasNotes) else ()
    with meter.phase("recommend"):
        lists, predicted = recommend(model, split, cell.depth)
    with meter.phase("evaluate"):
        inputs = evaluation_inputs(lists, predicted, split, workspace.stats(cell, meter))
        outcome.measurements = measure(inputs, resolve(spec.metrics), spec.ks)
    with meter.phase("write"):
        store.write_lists(
            cell.key, StoredLists(lists.items, lists.scores, lists.above, lists.ties, predicted)
        )
        _write_per_user(store, cell.key, split, lists, outcome.measurements)
        if spec.save_model:
            reason = save_model(model, cell, outcome.parameters, split, lists.depth, store)
            outcome.notes += [f"the model is not saved: {reason}"] if reason else []
    return None


def remeasure(record: Record, cell: Cell, workspace: Workspace, spec: EvaluationSpec) -> Record:
    """Evaluate the stored lists of a done cell at other cutoffs or with other metrics; nothing is fitted.

    The record holds the union of what was and what is measured.
    """
    if set(spec.ks) <= set(record.ks) and set(spec.metrics) <= record.metrics.keys() | record.absent.keys():
        return record
    split, stored = workspace.split(cell), workspace.store.lists(record.key)
    lists = TopK.build(
        split.users,
        np.asarray(stored.items),
        np.asarray(stored.scores),
        history=split.history[split.users],
        test=split.test[split.users],
        above=stored.above,
        ties=stored.ties,
    )
    with limit_threads(1):
        inputs = evaluation_inputs(lists, stored.predicted, split, workspace.stats(cell))
        measured = measure(inputs, resolve(spec.metrics), sorted({*record.ks, *spec.ks}))
    updated = replace(
        workspace.store.hashed(record),
        metrics={**record.metrics, **_by_metric(measured)},
        absent={**record.absent, **measured.absent},
    )
    earlier_columns = workspace.store.per_user(record.key) or {}
    _write_per_user(workspace.store, record.key, split, lists, measured, earlier_columns)
    return workspace.store.write_record(updated)


def _by_metric(measured: Measurements) -> dict[str, dict[str, Measurement]]:
    metrics: dict[str, dict[str, Measurement]] = {}
    for (name, k), (mean, error) in measured.means.items():
        metrics.setdefault(name, {})["" if k is None else str(k)] = Measurement(mean, error)
    return metrics


def _write_per_user(
    store: Store,
    key: str,
    split: Split,
    lists: TopK,
    measured: Measurements,
    earlier_columns: Mapping[str, Any] | None = None,
) -> None:
    """Write the values of each user; earlier columns stay unless they are measured anew."""
    names, arrays = per_user_table(measured)
    users = split.train.user_ids.values[lists.users]
    columns = {**(earlier_columns or {}), "user": users, **dict(zip(names, arrays, strict=True))}
    store.write_per_user(key, columns)


def _notes(cell: Cell, model: Model, split: Split) -> list[str]:
    notes = []
    if cell.depth > split.train.n_items:
        notes.append(f"depth {cell.depth} clipped to the catalogue of {split.train.n_items} items")
    if isinstance(model, HasDeterminism) and model.not_repeatable:
        notes.append(f"not repeatable: {model.not_repeatable}")
    return notes


def _append(losses: list[float], loss: float | None) -> None:
    if loss is not None:
        losses.append(float(loss))


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
