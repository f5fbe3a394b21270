"""Select cells by data set, split, model, seeds, fold and tuner: one language for every command.

CellFilter(models="als (factors=8,iterations=3), popularity", split="random", seed=1)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from bakeoff.errors import UsageError, nearest
from bakeoff.run.cell import Cell
from bakeoff.run.naming import (
    Name,
    dataset_split_label,
    matches,
    model_names,
    no_match,
    quoted,
    row_identity,
    row_labels,
    split_list,
    tune_name,
)
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.record import CellRequest, Record
from bakeoff.storage.store import Store


class Result(NamedTuple):
    """A requested cell and its record."""

    request: CellRequest
    record: Record


Selectable = TypeVar("Selectable", CellRequest, Result)


@dataclass(frozen=True)
class CellFilter:
    """Which cells to keep; None or nothing keeps all.

    Args:
        dataset, split: a name (`simulated`) or a label (`simulated (n_items=1500)`).
        models: names, labels (`als (factors=8, tune=optuna)`) or keys of cells; one text is a list between
            commas.
        split_seed, fold, seed: of the run.
        tune: the tuner's name; "none" keeps what is not tuned.
    """

    dataset: str | None = None
    split: str | None = None
    models: str | Sequence[str] = ()
    split_seed: int | None = None
    fold: int | None = None
    seed: int | None = None
    tune: str | None = None


@dataclass(frozen=True)
class Selection:
    """Cells of one split.

    Args:
        split_label: labels of data set and split.
        requests: one cell of each row, in the order of the filter's models.
        labels: of the rows, all different.
        notes: which seed or fold was taken where there were several.
    """

    split_label: str
    requests: tuple[CellRequest, ...]
    labels: tuple[str, ...]
    notes: tuple[str, ...] = ()


# -- experiments -------------------------------------------------------------------------------------


def experiment_names(results: Path) -> list[str]:
    """Return the names of the stored experiments in a folder of results, sorted."""
    return sorted(path.parent.name for path in results.glob("*/experiment.json"))


def stored_experiment(
    name: str, results: Path, what: str = "experiment", *, trust: bool = False
) -> Experiment:
    """Return a stored experiment.

    Args:
        what: what the name may be, for the message.
        trust: whether classes that it names may be imported, though bakeoff does not ship them.

    Raises:
        UsageError: there is none of this name.
    """
    names = experiment_names(results)
    if name not in names:
        raise UsageError(f"no {what} {name!r} in {results}: {nearest(name, names)}")
    return Experiment.read(results / name, name, trust=trust)


NOT_STORED = "not stored: run its command again (it stands in experiment.json)"


def stored_record(request: CellRequest, store: Store) -> Record:
    """Return the stored record of a cell, or one with the status missing that says what to do."""
    record, damage = store.readable(request.key)
    if record is not None:
        return record
    reason = f"{damage}; run its command again" if damage else NOT_STORED
    return Record(key=request.key, status="missing", reason=reason, cell=request.cell)


# -- cells -------------------------------------------------------------------------------------------


def select(cells: Sequence[Selectable], which: CellFilter, of: str = "") -> list[Selectable]:
    """Return the cells that a filter keeps: in their order, or in that of the filter's models.

    Args:
        of: what the cells are of, for messages: "experiment 'lab'".

    Raises:
        UsageError: a value that none of the cells has; the message offers those that there are.
    """
    selected = list(cells)
    for what, text in (("dataset", which.dataset), ("split", which.split)):
        if text is not None:
            selected = _matching(selected, text, [_place_name(_cell(c), what) for c in selected], what, of)
    for what in ("split_seed", "fold", "seed"):
        value = getattr(which, what)
        if value is not None:
            values = [getattr(_cell(c), what) for c in selected]
            _check_value(what, value, values, of)
            selected = [c for c, own in zip(selected, values, strict=True) if own == value]
    if which.tune is not None:
        tuners = [Name.of(tune_name(_cell(c))) for c in selected]
        selected = _matching(selected, which.tune, tuners, "tune", of)
    names = model_names([_request(c) for c in selected])
    models = split_list(which.models, names) if isinstance(which.models, str) else list(which.models)
    if not models:
        return selected
    in_order = [selected[at] for text in models for at in _positions(text, names, "model", of)]
    return list({id(c): c for c in in_order}.values())


def one_split(experiment: Experiment, which: CellFilter) -> Selection:
    """Return one cell of each row on one split: the first split seed, fold and seed where none is given.

    Raises:
        UsageError: a value that the experiment does not have, or several data sets or splits.
    """
    of = f"experiment {experiment.name!r}"
    cells = select(experiment.requests, CellFilter(which.dataset, which.split), of)
    labels = dict.fromkeys(dataset_split_label(request.cell) for request in cells)
    if len(labels) > 1:
        raise UsageError(f"{of} holds {quoted(labels)}: choose one with dataset= and split=")
    notes: list[str] = []
    for what in ("split_seed", "fold"):
        cells = _first(cells, what, getattr(which, what), notes, of)
    requests = select(cells, CellFilter(models=which.models, tune=which.tune), of)
    requests = _one_seed(requests, which.seed, notes, of)
    return Selection(next(iter(labels)), tuple(requests), tuple(row_labels(requests)), tuple(notes))


def one_cell(requests: Sequence[CellRequest], model: str, what: str) -> CellRequest:
    """Return the only cell of a model (name, label or key), or the only tuned one.

    Args:
        what: name of the option, for messages.

    Raises:
        UsageError: there is none, or there are several.
    """
    names = model_names(requests)
    positions = _positions(model, names, f"{what}: model", "")
    cells = {requests[at].key: requests[at] for at in positions}
    tuned = [request for request in cells.values() if request.cell.tune is not None]
    if len(cells) == 1 or len(tuned) == 1:
        return (tuned or list(cells.values()))[0]
    labels = {names[at].key: names[at].label for at in positions}
    offers = ", ".join(f"'{labels[key]}' (cell {key})" for key in cells)
    raise UsageError(f"{what}: model {model!r} selects several cells: {offers}; give the label or key of one")


def keys_by_split(results: Iterable[Result]) -> dict[str, list[str]]:
    """Return fingerprint of a split -> the finished cells on it, each once."""
    keys: dict[str, dict[str, None]] = {}
    for request, record in results:
        if record.done:
            keys.setdefault(record.split_fingerprint, {})[request.key] = None
    return {fingerprint: list(of_split) for fingerprint, of_split in keys.items()}


def _request(one: CellRequest | Result) -> CellRequest:
    return one.request if isinstance(one, Result) else one


def _cell(one: CellRequest | Result) -> Cell:
    return _request(one).cell


def _place_name(cell: Cell, what: str) -> Name:
    return Name.of(str(getattr(cell, what).get("name")), getattr(cell, f"{what}_variant"))


def _matching(
    cells: Sequence[Selectable], text: str, names: Sequence[Name], what: str, of: str
) -> list[Selectable]:
    return [cells[at] for at in _positions(text, names, what, of)]


def _positions(text: str, names: Sequence[Name], what: str, of: str) -> list[int]:
    positions = matches(text, names)
    if not positions:
        raise UsageError(no_match(_what(what, of), text, names))
    return positions


def _what(what: str, of: str) -> str:
    return f"{of}: {what}" if of else what


def _check_value(what: str, value: int, values: Iterable[int | None], of: str) -> None:
    there = sorted({v for v in values if v is not None})
    if value not in there:
        offers = f"choose one of: {', '.join(map(str, there))}" if there else "the cells have none"
        raise UsageError(f"{_what(what, of)} {value}: {offers}")


def _first(
    requests: Sequence[CellRequest], what: str, value: int | None, notes: list[str], of: str
) -> list[CellRequest]:
    """Return the cells with a value, or with the smallest one; add a note if there are others."""
    there = sorted({getattr(r.cell, what) for r in requests} - {None})
    if not there:
        return list(requests)
    if value is not None:
        _check_value(what, value, there, of)
    elif len(there) > 1:
        notes.append(_note(what, there))
    return [r for r in requests if getattr(r.cell, what) == (there[0] if value is None else value)]


def _one_seed(
    requests: Sequence[CellRequest], seed: int | None, notes: list[str], of: str
) -> list[CellRequest]:
    """Return one cell of each row; a row with a single seed (a model without chance) matches any seed."""
    rows: dict[str, dict[str, CellRequest]] = {}
    for request in requests:
        rows.setdefault(row_identity(request.cell), {}).setdefault(request.key, request)
    one_each, several = [], set[int]()
    for row in rows.values():
        by_seed = {r.cell.seed: r for r in row.values()}
        if seed is not None and len(by_seed) > 1:
            _check_value("seed", seed, by_seed, of)
            one_each.append(by_seed[seed])
        else:
            several |= set(by_seed) if len(by_seed) > 1 else set()
            one_each.append(by_seed[min(by_seed)])
    if several:
        notes.append(_note("seed", sorted(several)))
    return one_each


def _note(what: str, values: Sequence[int]) -> str:
    return f"{what}={values[0]} of {', '.join(map(str, values))}; choose another with {what}="
