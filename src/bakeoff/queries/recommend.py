"""What the models of an experiment recommend: to a user, to a newcomer, or beside an item."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Floats
from bakeoff.data.interactions import find_code
from bakeoff.data.source import ItemTitles
from bakeoff.errors import ConfigError, DataError, UsageError, check_range
from bakeoff.models.base import ItemSimilarity, Model
from bakeoff.models.fitting import limit_threads
from bakeoff.queries.select import CellFilter, Selection, one_split, select
from bakeoff.run.cell import Cell, build_model, build_source
from bakeoff.run.naming import place_label
from bakeoff.run.runner import Workspace
from bakeoff.splits.base import Split
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.record import CellRequest, Record
from bakeoff.storage.saved_models import ModelNotSaved, load_model
from bakeoff.storage.store import Store

HISTORY = 10
"""So many items of a user's history are told: the last ones, or those of the largest values."""


@dataclass(frozen=True)
class Question:
    """One of three: what to recommend to a user, to a newcomer who had some items, or beside an item."""

    user: str | None = None
    items: tuple[str, ...] | None = None
    similar_to: str | None = None
    k: int = 10


@dataclass(frozen=True)
class Item:
    """An item in the user's own id; its name, value and time (unix seconds) where they are known."""

    id: str
    name: str = ""
    value: float | None = None
    time: int | None = None


@dataclass(frozen=True)
class Listed:
    """An item of a list; hit says whether it is one that was held out of the user's history."""

    item: Item
    score: float
    hit: bool = False


@dataclass(frozen=True)
class ModelList:
    """What one model answers: a list, best first, or why there is none.

    source: stored lists or kept model.
    """

    model: str
    key: str
    listed: tuple[Listed, ...] = ()
    source: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Answer:
    """What all models answer.

    Args:
        place: data set and split, for people.
        history: what the user had, as far as it is told; the given items of a newcomer; the item itself.
        ordered_by: what puts the history in its order: time, value or "".
        n_history: how many items the user had.
        n_held_out: how many were held out of the history, to be found.
        models: in the order of the tables.
        notes: what was chosen among several, what could not be read.
    """

    question: Question
    place: str
    history: tuple[Item, ...]
    models: tuple[ModelList, ...]
    n_history: int = 0
    n_held_out: int = 0
    ordered_by: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Place:
    """Where the question is asked: one split, its items' names, and the store."""

    split: Split
    store: Store
    names: Mapping[str, str]
    k: int
    depth: int
    item_ids: Array = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "item_ids", self.split.train.item_ids.values)

    def item(self, code: int, value: float | None = None, time: int | None = None) -> Item:
        text = str(self.item_ids[code])
        return Item(text, self.names.get(text, "").strip(), value, time)

    def listed(self, items: Array, scores: Array, hits: Array) -> tuple[Listed, ...]:
        held_out = set(hits.tolist())
        found = [(i, s) for i, s in zip(items.tolist(), scores.tolist(), strict=True) if i >= 0]
        return tuple(Listed(self.item(i), s, i in held_out) for i, s in found)


Ask = Callable[[Record, Cell], tuple[tuple[Listed, ...], str]]


def answer(question: Question, experiment: Experiment, which: CellFilter, store: Store) -> Answer:
    """What the chosen models of an experiment answer (see `one_split` and `recommend`)."""
    of = f"experiment {experiment.name!r}"
    _check_known(question, select(experiment.requests, CellFilter(which.dataset, which.split), of), store)
    return recommend(question, one_split(experiment, which), store)


def recommend(question: Question, chosen: Selection, store: Store) -> Answer:
    """Ask every chosen model of an experiment.

    Raises:
        ConfigError: k is larger than the stored lists are long, or than the catalogue.
        UsageError: the user or an item is not known; the message says which ids there are.
    """
    check_range("k", question.k, 1, integer=True)
    cell = chosen.asked[0].cell
    if not store.has_split(cell.split_key):
        raise UsageError(f"{store.root}: it does not hold the split of {chosen.place}; run the cells again")
    split = Workspace(store).split(cell)
    names, notes = _names(cell)
    depth = min(a.cell.depth for a in chosen.asked)
    place = _Place(split, store, names, question.k, depth)
    if question.k > split.train.n_items:
        raise ConfigError(f"k={question.k} is larger than the catalogue of {split.train.n_items} items")
    about = _for_user if question.user is not None else _for_items if question.items else _beside
    answer, ask = about(question, place, chosen.place)
    models = []
    for label, asked in zip(chosen.labels, chosen.asked, strict=True):
        record = store.record(asked.key)
        if record is None or not record.done:
            why = "has not run" if record is None else f"{record.status}: {record.reason}"
            models.append(ModelList(label, asked.key, reason=why))
        else:
            models.append(ModelList(label, asked.key, *_answered(ask, record, asked.cell)))
    everything = {**answer.__dict__, "models": tuple(models), "notes": (*chosen.notes, *notes)}
    return Answer(**everything)


def overlap(one: ModelList, other: ModelList) -> tuple[int, float]:
    """How many items two lists share, and that number over the items of either (Jaccard)."""
    a, b = ({entry.item.id for entry in part.listed} for part in (one, other))
    return len(a & b), len(a & b) / len(a | b) if a | b else 0.0


def _check_known(question: Question, asked: Sequence[CellRequest], store: Store) -> None:
    """Refuse an id that none of several splits knows, before anybody is told to choose one of them."""
    cells = {a.cell.split_key: a.cell for a in asked if store.has_split(a.cell.split_key)}
    unknown: UsageError | None = None
    for cell in cells.values() if len(cells) > 1 else ():
        train, where = store.split(cell.split_key).train, place_label(cell)
        try:
            if question.user is not None:
                find_code(train.user_ids, question.user, "user", where)
            for item in (*(question.items or ()), *filter(None, [question.similar_to])):
                find_code(train.item_ids, item, "item", where, _names(cell)[0])
        except UsageError as error:
            unknown = unknown or error
        else:
            return
    if unknown is not None:
        raise unknown


def _answered(ask: Ask, record: Record, cell: Cell) -> tuple[tuple[Listed, ...], str, str]:
    """A list with its source and no reason, or a reason. One model that breaks leaves the others alone."""
    try:
        with limit_threads(1):
            listed, source = ask(record, cell)
    except ModelNotSaved as why:
        return (), "", str(why)
    except UsageError:
        raise
    except Exception as error:
        return (), "", f"{type(error).__name__}: {' '.join(str(error).split())}"
    return listed, source, "" if listed else "it recommends nothing here"


def _for_user(question: Question, place: _Place, where: str) -> tuple[Answer, Ask]:
    split = place.split
    code = find_code(split.train.user_ids, str(question.user), "user", where)
    hits = split.test[[code]].indices
    at = int(np.searchsorted(split.users, code))
    evaluated = at < len(split.users) and split.users[at] == code
    if evaluated and place.k > place.depth:
        raise ConfigError(f"k={place.k} is larger than depth={place.depth}, the length of the stored lists")
    users, history = np.array([code], dtype=np.int32), split.history[[code]]

    def ask(record: Record, cell: Cell) -> tuple[tuple[Listed, ...], str]:
        if evaluated:
            lists = place.store.lists(record.key)
            return place.listed(lists.items[at, : place.k], lists.scores[at, : place.k], hits), "stored lists"
        try:
            model = load_model(record, place.store)
        except ModelNotSaved as why:
            raise ModelNotSaved(f"nothing of this user was held out, so no list is stored; {why}") from why
        if not model.folds_in and not np.isin(code, split.train.users):
            raise ModelNotSaved("it cannot serve users it was not fitted on")
        return _listed(model, users, history, place, hits), "kept model"

    told, by = _history(code, place)
    return Answer(question, where, told, (), history.nnz, len(hits), by), ask


def _for_items(question: Question, place: _Place, where: str) -> tuple[Answer, Ask]:
    train = place.split.train
    codes = np.unique(
        [find_code(train.item_ids, i, "item", where, place.names) for i in question.items or ()]
    )
    values = np.ones(len(codes), dtype=np.float32)
    history = sparse.csr_matrix((values, codes.astype(np.int32), [0, len(codes)]), (1, train.n_items))
    users, nothing = np.array([train.n_users], dtype=np.int32), np.zeros(0, dtype=np.int32)

    def ask(record: Record, cell: Cell) -> tuple[tuple[Listed, ...], str]:
        if not build_model(cell.model, **dict(record.parameters)).folds_in:
            raise ModelNotSaved("it cannot serve users it was not fitted on")
        return _listed(load_model(record, place.store), users, history, place, nothing), "kept model"

    return Answer(question, where, tuple(map(place.item, codes.tolist())), (), len(codes)), ask


def _beside(question: Question, place: _Place, where: str) -> tuple[Answer, Ask]:
    code = find_code(place.split.train.item_ids, str(question.similar_to), "item", where, place.names)

    def ask(record: Record, cell: Cell) -> tuple[tuple[Listed, ...], str]:
        if not isinstance(build_model(cell.model, **dict(record.parameters)), ItemSimilarity):
            raise ModelNotSaved("it has no notion of items that are alike")
        model = load_model(record, place.store)
        assert isinstance(model, ItemSimilarity)
        alike: Floats = np.array(model.similar(code), dtype=np.float32)
        alike[code] = -np.inf
        order = np.argsort(-alike, kind="stable")[: place.k]
        order = order[alike[order] > 0]
        return place.listed(order, alike[order], np.zeros(0)), "kept model"

    return Answer(question, where, (place.item(code),), ()), ask


def _listed(model: Model, users: Array, history: CSR, place: _Place, hits: Array) -> tuple[Listed, ...]:
    items, scores = model.recommend(users, history, place.k)
    return place.listed(items[0], scores[0], hits)


def _history(code: int, place: _Place) -> tuple[tuple[Item, ...], str]:
    """The last items of a user, or without times those of the largest values; and which of the two it is."""
    train, row = place.split.train, place.split.history[[code]]
    start, stop = (int(np.searchsorted(train.users, code, side=side)) for side in ("left", "right"))
    times = None
    if train.times is not None and np.array_equal(train.items[start:stop], row.indices):
        times = train.times[start:stop]
    values = None if train.values is None else row.data
    by, rank = ("time", times) if times is not None else ("value", values)
    order = np.arange(row.nnz) if rank is None else np.argsort(-rank, kind="stable")
    told = [
        place.item(
            int(row.indices[at]),
            None if values is None else float(values[at]),
            None if times is None else int(times[at]),
        )
        for at in order[:HISTORY].tolist()
    ]
    return tuple(told), by if rank is not None else ""


def _names(cell: Cell) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """What items are called; where that cannot be read, the ids do, and a note says why."""
    try:
        source = build_source(cell.dataset)
        return (source.names_of_items() if isinstance(source, ItemTitles) else {}), ()
    except DataError as error:
        return {}, (f"items go by their ids: {error}",)
