"""Fit a sample of cells again, and compare their lists and numbers with the stored ones."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from bakeoff.arrays import Array, Bools
from bakeoff.models.fitting import limit_threads
from bakeoff.run.cell import Cell
from bakeoff.run.inference import recommend
from bakeoff.run.naming import cell_label
from bakeoff.run.resources import environment
from bakeoff.run.runner import Workspace
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.record import Environment, Record
from bakeoff.storage.saved_models import ModelNotSaved, build_stored
from bakeoff.storage.store import Store, StoredLists
from bakeoff.verify import formulas
from bakeoff.verify.check import Fault, Verification, difference
from bakeoff.verify.formulas import TrainCounts, plain_inputs


def refit_sample(
    experiment: Experiment,
    store: Store,
    result: Verification,
    n: int,
    seed: int | None,
    time_limit: float | None,
    *,
    trust: bool,
) -> None:
    """Fit up to `n` done cells again, tuned ones with their final hyperparameters, and add what differs.

    Where versions, processor and threads are those of the record, a difference is a fault; else it is stated.

    Args:
        seed: of a random sample; None takes the cheapest cell of each model, then the next of each.
        time_limit: no fit begins that would not end, by its recorded seconds, within this many.
    """
    cells = {request.key: request.cell for request in experiment.requests}
    records = [record for key in cells if (record := store.readable(key)[0]) is not None and record.done]
    workspace, end = Workspace(store), None if time_limit is None else time.monotonic() + time_limit
    for record in _sample(records, n, seed):
        cell = cells[record.key]
        if end is not None and time.monotonic() + _seconds(record) > end:
            result.not_checked[f"the fit of {cell_label(cell)}"] = f"it took {_seconds(record):.0f} s before"
            continue
        try:
            messages = list(_refit(cell, record, workspace, trust=trust))
        except ModelNotSaved as error:
            result.not_checked[f"the fit of {cell_label(cell)}"] = str(error)
            continue
        except Exception as error:  # whatever a model raises is a difference: it was fitted before
            messages = [f"it cannot be fitted again: {type(error).__name__}: {' '.join(str(error).split())}"]
        reason = _other_environment(record.environment) or _not_repeatable(record)
        if messages and reason and not messages[0].startswith("it cannot"):
            result.refits.append(f"Fitted again: {cell_label(cell)}: {messages[0]} ({reason}).")
            continue
        result.faults += [Fault(record.key, cell_label(cell), message) for message in messages]
        if not messages:
            result.refits.append(f"Fitted again: {cell_label(cell)}: the same lists and numbers.")


def _sample(records: Sequence[Record], n: int, seed: int | None) -> list[Record]:
    if seed is not None:
        return random.Random(seed).sample(records, min(n, len(records)))
    by_model: dict[str, list[Record]] = defaultdict(list)
    for record in sorted(records, key=lambda r: (_seconds(r), r.key)):
        by_model[record.cell.model_name].append(record)
    in_turn = [(at, _seconds(r), r.key, r) for of in by_model.values() for at, r in enumerate(of)]
    return [record for *_, record in sorted(in_turn, key=lambda entry: entry[:3])[:n]]


def _seconds(record: Record) -> float:
    """Return how long the fit and its lists took, without a search."""
    return record.seconds.get("fit", 0.0) + record.seconds.get("recommend", 0.0)


def _refit(cell: Cell, record: Record, workspace: Workspace, *, trust: bool) -> Iterator[str]:
    """Yield how the lists and numbers of a new fit differ from the stored ones."""
    split, stored = workspace.split(cell), workspace.store.lists(record.key)
    model = build_stored(record, trust=trust)
    with limit_threads(1):
        model.fit(split.train, seed=record.cell.seed, on_epoch=lambda epoch, loss: None)
        lists, predicted = recommend(model, split, record.cell.depth)
    new = StoredLists(lists.items, lists.scores, lists.above, lists.ties, predicted)
    names = [name for name, a, b in zip(new._fields, new, stored, strict=True) if not _same(a, b)]
    if not names:
        return
    n_lists = len(lists.items) if len(new.items) != len(stored.items) else int(_different(new, stored).sum())
    inputs = plain_inputs(split, new, TrainCounts(split), max(record.ks, default=1))
    largest = 0.0
    for metric, k, measured in record.measurements():
        try:
            mean = formulas.recompute(inputs, metric, k)[1]
        except LookupError:
            continue  # a metric without a second formula
        largest = max(largest, difference(measured.mean, mean))
    yield (
        f"{n_lists} of {len(stored.items)} lists differ when it is fitted again ({', '.join(names)}); "
        f"numbers by up to {largest:.1e}"
    )


def _same(new: Array | None, stored: Array | None) -> bool:
    if new is None or stored is None:
        return new is stored
    return np.array_equal(new, stored, equal_nan=True)


def _different(new: StoredLists, stored: StoredLists) -> Bools:
    """Return for each user whether the items differ, bool [n]."""
    if new.items.shape != stored.items.shape:
        return np.ones(len(stored.items), dtype=bool)
    different: Bools = (new.items != stored.items).any(axis=1)
    return different


def _other_environment(before: Environment) -> str:
    """Return in what this process differs from a record's environment; "" if in nothing."""
    names = ("bakeoff", "python", "platform", "cpu")
    old, new = ({**e.libraries, **{n: getattr(e, n) for n in names}} for e in (before, environment()))
    changed = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    return "; ".join(f"{n}: then {old.get(n) or 'none'}, now {new.get(n) or 'none'}" for n in changed)


def _not_repeatable(record: Record) -> str:
    return next((note for note in record.notes if note.startswith("not repeatable")), "")
