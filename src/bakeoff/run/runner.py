"""Run one cell: the page to read first.

load -> Interactions -> cut -> Split -> tune (inside train) -> fit -> recommend -> TopK -> metrics -> store
"""

from __future__ import annotations

import datetime
import traceback
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bakeoff.data.source import Dataset
from bakeoff.errors import DataError, Unsupported
from bakeoff.evaluation.catalogue import resolve
from bakeoff.evaluation.measure import Measurements, measure, per_user_table
from bakeoff.evaluation.stats import TrainStats
from bakeoff.evaluation.topk import TopK
from bakeoff.importing import user_code_errors
from bakeoff.models.base import HasDeterminism, HasNotes, Model
from bakeoff.models.fitting import limit_threads
from bakeoff.run.cell import Cell, build_model, build_source, build_splitter, parameters
from bakeoff.run.environment import environment
from bakeoff.run.inference import evidence_of, recommend
from bakeoff.run.resources import Meter
from bakeoff.splits.base import Split
from bakeoff.storage.record import Record
from bakeoff.storage.saved_models import keep
from bakeoff.storage.store import Store, StoredLists


@dataclass(frozen=True)
class EvaluationSpec:
    """What is wanted of a cell: cutoffs, metrics as name -> import path, and whether its model is kept."""

    ks: tuple[int, ...]
    metrics: Mapping[str, str]
    save_model: bool = False


class Workspace:
    """A store with the last split and its statistics in memory: the cells of one split share them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._split: tuple[str, Split] | None = None
        self._stats: tuple[str, TrainStats] | None = None

    def dataset(self, cell: Cell, meter: Meter | None = None) -> Dataset:
        """The prepared data of a cell: from the store, else from its source (and then stored)."""
        with (meter or Meter()).phase("load"):
            if self.store.has_data(cell.data_key):
                dataset = self.store.data(cell.data_key)
                return replace(dataset, name=str(cell.dataset.get("name", dataset.name)))
            with user_code_errors(cell.dataset["_target_"], "dataset", DataError):
                return build_source(cell.dataset).load()

    def split(self, cell: Cell, meter: Meter | None = None) -> Split:
        """The split of a cell: from memory, from the store, or cut now (and stored with its data)."""
        key = cell.split_key
        if self._split is not None and self._split[0] == key:
            return self._split[1]
        clock = meter or Meter()
        if self.store.has_split(key):
            with clock.phase("split"):
                split = self.store.split(key)
        else:
            dataset = self.dataset(cell, clock)
            with clock.phase("split"):
                split = cut(cell, dataset)
            with clock.phase("write"):
                self.store.write_data(cell.data_key, dataset)
                self.store.write_split(key, split)
        self._split = key, split
        return split

    def stats(self, cell: Cell, meter: Meter | None = None) -> TrainStats:
        """Counts and similarities of the train part, kept for the other models of the split."""
        key = cell.split_key
        if self._stats is None or self._stats[0] != key:
            train = self.split(cell, meter).train
            self._stats = key, TrainStats(train.matrix(), train.item_features)
        return self._stats[1]


def cut(cell: Cell, dataset: Dataset) -> Split:
    """Cut a data set as the cell says; an error names the data set and the split."""
    splitter = build_splitter(cell.split)
    if splitter.needs_times and dataset.interactions.times is None:
        raise needs_times(cell, dataset.name)
    try:
        with user_code_errors(cell.split["_target_"], "split", DataError):
            return splitter.split(dataset.interactions, cell.split_seed)
    except DataError as error:
        raise DataError(f"data set {dataset.name!r}, split {cell.split.get('name')!r}: {error}") from error


def needs_times(cell: Cell, dataset: str) -> Unsupported:
    """Return the reason why a split by time skips a data set without times."""
    return Unsupported(
        f"split {cell.split.get('name')!r} needs timestamps; data set {dataset!r} has none: "
        "name its column (dataset.time=...) or use another split"
    )


def serves_nobody(model: Model, cell: Cell) -> str:
    """What a model that does not fold in says to a split that holds users out."""
    return (
        f"{type(model).__name__} cannot serve users it was not fitted on, and "
        f"split {cell.split.get('name')!r} holds users out"
    )


def run_cell(cell: Cell, workspace: Workspace, wanted: EvaluationSpec, *, debug: bool = False) -> Record:
    """Run one cell and store what came of it. It returns a record whatever happens (debug: it raises).

    Of several processes that run one tuned cell, one fits the winner; the others return its record.
    """
    store, meter = workspace.store, Meter()
    known: dict[str, Any] = {"started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}
    if cell.tune is None:
        store.begin(cell.key)
    status, reason, trace = "done", "", ""
    with ExitStack() as held:
        try:
            with limit_threads(1):
                theirs = _run(cell, workspace, wanted, meter, known, held)
            if theirs is not None:
                return theirs
        except Unsupported as why:
            status, reason = "skipped", str(why)
        except Exception as error:
            if debug:
                raise
            status, reason, trace = "failed", _one_line(error), traceback.format_exc()
        record = Record(
            key=cell.key,
            status=status,  # type: ignore[arg-type]
            reason=reason,
            cell=cell.as_json(),
            traceback=trace,
            seconds=dict(meter.seconds),
            peak_mb=meter.peak_mb,
            environment=environment(),
            **known,
        )
        store.write_record(record)
    return record


def _run(
    cell: Cell,
    workspace: Workspace,
    wanted: EvaluationSpec,
    meter: Meter,
    known: dict[str, Any],
    held: ExitStack,
) -> Record | None:
    """What `run_cell` does between begin and record; the record of a process that did it meanwhile, or None.

    Args:
        known: filled with what the record will say.
        held: keeps the right to the final fit until the record is written.
    """
    before = workspace.store.record(cell.key)
    split = workspace.split(cell, meter)
    known |= {
        "split_key": cell.split_key,
        "split_family": cell.split_family,
        "split_fingerprint": split.fingerprint,
        "counts": dict(split.info),
        "n_users": len(split.users),
        "parameters": parameters(cell.model["build"], "model.build"),
    }
    model = build_model(cell.model)
    known["notes"] = _notes(cell, model, split)
    if split.held_out and not model.folds_in:
        raise Unsupported(serves_nobody(model, cell))
    if cell.tune is not None:
        from bakeoff.tuning import final_fit

        tuned = _tuned(cell, split, workspace.store, meter, known)
        model = build_model(cell.model, **tuned)
        theirs = held.enter_context(final_fit(cell, workspace.store, before))
        if theirs is not None:
            return theirs
        workspace.store.begin(cell.key)
    losses: list[float] = []
    with meter.phase("fit"):
        model.fit(split.train, seed=cell.seed, on_epoch=lambda _, loss: _keep(losses, loss))
    known["training_loss"] = tuple(losses)
    known["notes"] += model.remarks if isinstance(model, HasNotes) else ()
    with meter.phase("recommend"):
        lists, predicted = recommend(model, split, cell.depth)
    with meter.phase("evaluate"):
        evidence = evidence_of(lists, predicted, split, workspace.stats(cell, meter))
        measured = measure(evidence, resolve(wanted.metrics), wanted.ks)
    known |= {"metrics": _as_json(measured), "absent": dict(measured.absent)}
    with meter.phase("write"):
        workspace.store.write_lists(
            cell.key, StoredLists(lists.items, lists.scores, lists.above, lists.ties, predicted)
        )
        _write_per_user(workspace.store, cell.key, split, lists, measured)
        if wanted.save_model:
            why = keep(model, cell, known["parameters"], split, lists.depth, workspace.store)
            known["notes"] += (f"the model is not kept: {why}",) if why else ()
    return None


def _tuned(cell: Cell, split: Split, store: Store, meter: Meter, known: dict[str, Any]) -> Mapping[str, Any]:
    """The hyperparameters that tuning found, told in `known`."""
    from bakeoff.tuning import tune

    with meter.phase("tune"):
        tuned = tune(cell, split, store)
    known["tuning"] = tuned.record
    known["parameters"] = {**known["parameters"], **tuned.parameters}
    known["notes"] += tuple(tuned.record["notes"])
    return tuned.parameters


def remeasure(record: Record, cell: Cell, workspace: Workspace, wanted: EvaluationSpec) -> Record:
    """Measure the stored lists of a finished cell at other cutoffs or with other metrics; nothing is fitted.

    What was measured before is kept: the record holds the union.
    """
    measured_ks = {int(k) for by_k in record.metrics.values() for k in by_k if k}
    known = set(record.metrics) | set(record.absent)
    if set(wanted.ks) <= measured_ks and set(wanted.metrics) <= known:
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
    everything = EvaluationSpec(tuple(sorted(measured_ks | set(wanted.ks))), wanted.metrics)
    with limit_threads(1):
        evidence = evidence_of(lists, stored.predicted, split, workspace.stats(cell))
        measured = measure(evidence, resolve(everything.metrics), everything.ks)
    updated = replace(
        record,
        metrics={**record.metrics, **_as_json(measured)},
        absent={**record.absent, **measured.absent},
    )
    kept = workspace.store.per_user(record.key) or {}
    _write_per_user(workspace.store, record.key, split, lists, measured, kept)
    workspace.store.write_record(updated)
    return updated


def _as_json(measured: Measurements) -> dict[str, dict[str, tuple[float, float | None]]]:
    found: dict[str, dict[str, tuple[float, float | None]]] = {}
    for (name, k), (mean, error) in measured.means.items():
        found.setdefault(name, {})["" if k is None else str(k)] = (mean, error)
    return found


def _write_per_user(
    store: Store,
    key: str,
    split: Split,
    lists: TopK,
    measured: Measurements,
    kept: Mapping[str, Any] | None = None,
) -> None:
    """Write the values of each user; `kept` are columns of before, which stay unless measured anew."""
    names, arrays = per_user_table(measured)
    users = split.train.user_ids.values[lists.users]
    store.write_per_user(key, {**(kept or {}), "user": users, **dict(zip(names, arrays, strict=True))})


def _notes(cell: Cell, model: Model, split: Split) -> tuple[str, ...]:
    notes = []
    if cell.depth > split.train.n_items:
        notes.append(f"depth {cell.depth} clipped to the catalogue of {split.train.n_items} items")
    if isinstance(model, HasDeterminism) and model.not_repeatable:
        notes.append(f"not repeatable: {model.not_repeatable}")
    return tuple(notes)


def _keep(losses: list[float], loss: float | None) -> None:
    if loss is not None:
        losses.append(float(loss))


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
