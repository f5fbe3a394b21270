"""Recommend with the stored models of an experiment: to a user, to a new user, or items like one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from bakeoff.arrays import Array, Floats
from bakeoff.data.interactions import find_code
from bakeoff.data.source import ItemTitles
from bakeoff.errors import ConfigError, DataError, UsageError, check_range
from bakeoff.models.base import ItemSimilarity
from bakeoff.models.fitting import limit_threads
from bakeoff.queries.select import CellFilter, Selection, one_split, select
from bakeoff.run.cell import Cell, StoredCell, build_source, check_shipped
from bakeoff.run.naming import dataset_split_label
from bakeoff.run.runner import Workspace
from bakeoff.splits.base import Split
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.record import CellRequest, Record
from bakeoff.storage.saved_models import ModelNotSaved, build_stored, load_model
from bakeoff.storage.store import Store

HISTORY = 10
"""Number of items shown of a user's history: the last ones, or those with the largest values."""


@dataclass(frozen=True)
class RecommendRequest:
    """One of three: a known user, a new user who had some items, or an item that others are to be like."""

    user: str | None = None
    items: tuple[str, ...] | None = None
    similar_to: str | None = None
    k: int = 10


@dataclass(frozen=True)
class Item:
    """An item in the user's own id, with its name, value and time (unix seconds) if it has them."""

    id: str
    name: str = ""
    value: float | None = None
    time: int | None = None


@dataclass(frozen=True)
class ListedItem:
    """An item of a list; hit says whether it was held out of the user's history."""

    item: Item
    score: float
    hit: bool = False


@dataclass(frozen=True)
class ModelList:
    """The list of one model, best first, or the reason why it has none.

    Args:
        model: its label.
        source: "stored lists" or "saved model".
    """

    model: str
    key: str
    listed: tuple[ListedItem, ...] = ()
    source: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Recommendations:
    """The lists of all models.

    Args:
        split_label: labels of data set and split.
        history: items of the user that are shown; the given items of a new user; the item itself.
        ordered_by: order of the history: time, value or "".
        n_history: number of items that the user had.
        n_held_out: number of items held out of the history.
        models: in the order of the tables, or of the filter.
        notes: which seed or fold was taken, what could not be read.
    """

    request: RecommendRequest
    split_label: str
    history: tuple[Item, ...]
    models: tuple[ModelList, ...]
    n_history: int = 0
    n_held_out: int = 0
    ordered_by: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class SplitContext:
    """One split and the titles of its items.

    Args:
        split_label: labels of data set and split.
        titles: id -> title of the items that have one.
        notes: why there are no titles, if they cannot be read.
    """

    split: Split
    split_label: str
    titles: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, cell: Cell, workspace: Workspace) -> SplitContext:
        """Return the context of a cell's split."""
        titles, notes = _titles(cell)
        return cls(workspace.split(cell), dataset_split_label(cell), titles, notes)

    @cached_property
    def item_ids(self) -> Array:
        return self.split.train.item_ids.values

    def user(self, user: str) -> int:
        """Return the code of a user id; UsageError names the nearest ids."""
        return find_code(self.split.train.user_ids, user, "user", self.split_label)

    def code(self, item: str) -> int:
        """Return the code of an item id; UsageError names the nearest ids and titles."""
        return find_code(self.split.train.item_ids, item, "item", self.split_label, self.titles)

    def item(self, code: int, value: float | None = None, time: int | None = None) -> Item:
        text = str(self.item_ids[code])
        return Item(text, self.titles.get(text, "").strip(), value, time)

    def listed(self, items: Array, scores: Array, hits: Array) -> tuple[ListedItem, ...]:
        """Return a padded list of item codes, best first; `hits` are the codes of the held-out items."""
        held_out = set(hits.tolist())
        pairs = zip(items.tolist(), scores.tolist(), strict=True)
        return tuple(ListedItem(self.item(i), score, i in held_out) for i, score in pairs if i >= 0)


ModelAnswer = Callable[[Record, Cell], tuple[tuple[ListedItem, ...], str]]
"""Gives the list of one model and its source; ModelNotSaved says why there is none."""

_NO_HITS = np.zeros(0, dtype=np.int32)


def answer(
    request: RecommendRequest, experiment: Experiment, which: CellFilter, store: Store
) -> Recommendations:
    """Return what the models that a filter keeps recommend (see `one_split` and `recommend`)."""
    of = f"experiment {experiment.name!r}"
    _check_ids(request, select(experiment.requests, CellFilter(which.dataset, which.split), of), store)
    return recommend(request, one_split(experiment, which), store)


def recommend(request: RecommendRequest, selection: Selection, store: Store) -> Recommendations:
    """Return the list of every selected model.

    Raises:
        ConfigError: k is larger than the stored lists are long, or than the catalogue.
        UsageError: the user or an item does not exist; the message offers ids that do.
    """
    check_range("k", request.k, 1, integer=True)
    cell = selection.requests[0].cell
    if not store.has_split(cell.split_key):
        raise UsageError(
            f"{store.root}: it does not hold the split of {selection.split_label}; run the cells again"
        )
    context = SplitContext.of(cell, Workspace(store))
    if request.k > (n_items := context.split.train.n_items):
        raise ConfigError(f"k={request.k} is larger than the catalogue of {n_items} items")
    if request.user is not None:
        depth = min(a.cell.depth for a in selection.requests)
        result, model_answer = _for_user(request, context, store, depth)
    elif request.items:
        result, model_answer = _for_items(request, context, store)
    else:
        result, model_answer = _similar_items(request, context, store)
    models = []
    for label, cell_request in zip(selection.labels, selection.requests, strict=True):
        record = store.record(cell_request.key)
        if record is None or not record.done:
            reason = "has not run" if record is None else f"{record.status}: {record.reason}"
            models.append(ModelList(label, cell_request.key, reason=reason))
        else:
            listed = _list_or_reason(model_answer, record, cell_request.cell)
            models.append(ModelList(label, cell_request.key, *listed))
    return replace(result, models=tuple(models), notes=(*selection.notes, *context.notes))


def overlap(one: ModelList, other: ModelList) -> tuple[int, float]:
    """Return how many items two lists share, and that number over the items of either (Jaccard)."""
    a, b = ({entry.item.id for entry in part.listed} for part in (one, other))
    return len(a & b), len(a & b) / len(a | b) if a | b else 0.0


def _check_ids(request: RecommendRequest, requests: Sequence[CellRequest], store: Store) -> None:
    """Refuse an id that none of several splits has, before anybody has to choose one of them."""
    cells = {a.cell.split_key: a.cell for a in requests if store.has_split(a.cell.split_key)}
    unknown: UsageError | None = None
    for cell in cells.values() if len(cells) > 1 else ():
        context = SplitContext.of(cell, Workspace(store))
        try:
            if request.user is not None:
                context.user(request.user)
            for item in (*(request.items or ()), *filter(None, [request.similar_to])):
                context.code(item)
        except UsageError as error:
            unknown = unknown or error
        else:
            return
    if unknown is not None:
        raise unknown


def _list_or_reason(
    model_answer: ModelAnswer, record: Record, cell: Cell
) -> tuple[tuple[ListedItem, ...], str, str]:
    """Return a list and its source, or the reason why there is none; other models go on."""
    try:
        with limit_threads(1):
            listed, source = model_answer(record, cell)
    except ModelNotSaved as error:
        return (), "", str(error)
    except UsageError:
        raise
    except Exception as error:
        return (), "", f"{type(error).__name__}: {' '.join(str(error).split())}"
    return listed, source, "" if listed else "it recommends nothing here"


def _for_user(
    request: RecommendRequest, context: SplitContext, store: Store, depth: int
) -> tuple[Recommendations, ModelAnswer]:
    split, k = context.split, request.k
    code = context.user(str(request.user))
    hits = split.test[[code]].indices
    at = int(np.searchsorted(split.users, code))
    evaluated = at < len(split.users) and split.users[at] == code
    if evaluated and k > depth:
        raise ConfigError(f"k={k} is larger than depth={depth}, the length of the stored lists")
    users, history = np.array([code], dtype=np.int32), split.history[[code]]

    def model_answer(record: Record, cell: Cell) -> tuple[tuple[ListedItem, ...], str]:
        if evaluated:
            lists = store.lists(record.key)
            return context.listed(lists.items[at, :k], lists.scores[at, :k], hits), "stored lists"
        try:
            model = load_model(record, store, trust=_trusted(cell))
        except ModelNotSaved as error:
            raise ModelNotSaved(
                f"nothing of this user was held out, so no list is stored; {error}"
            ) from error
        if not model.folds_in and not np.isin(code, split.train.users):
            raise ModelNotSaved("it cannot serve users it was not fitted on")
        items, scores = model.recommend(users, history, k)
        return context.listed(items[0], scores[0], hits), "saved model"

    shown, order = _history(code, context)
    return Recommendations(
        request, context.split_label, shown, (), history.nnz, len(hits), order
    ), model_answer


def _for_items(
    request: RecommendRequest, context: SplitContext, store: Store
) -> tuple[Recommendations, ModelAnswer]:
    train = context.split.train
    codes = np.unique([context.code(item) for item in request.items or ()]).astype(np.int32)
    values = np.ones(len(codes), dtype=np.float32)
    history = sparse.csr_matrix((values, codes, [0, len(codes)]), (1, train.n_items))
    users = np.array([train.n_users], dtype=np.int32)

    def model_answer(record: Record, cell: Cell) -> tuple[tuple[ListedItem, ...], str]:
        if not build_stored(record, trust=_trusted(cell)).folds_in:
            raise ModelNotSaved("it cannot serve users it was not fitted on")
        model = load_model(record, store, trust=_trusted(cell))
        items, scores = model.recommend(users, history, request.k)
        return context.listed(items[0], scores[0], _NO_HITS), "saved model"

    shown = tuple(map(context.item, codes.tolist()))
    return Recommendations(request, context.split_label, shown, (), len(codes)), model_answer


def _similar_items(
    request: RecommendRequest, context: SplitContext, store: Store
) -> tuple[Recommendations, ModelAnswer]:
    code = context.code(str(request.similar_to))

    def model_answer(record: Record, cell: Cell) -> tuple[tuple[ListedItem, ...], str]:
        if not isinstance(build_stored(record, trust=_trusted(cell)), ItemSimilarity):
            raise ModelNotSaved("it defines no similarity between items")
        model = load_model(record, store, trust=_trusted(cell))
        assert isinstance(model, ItemSimilarity)
        similarity: Floats = np.array(model.similar(code), dtype=np.float32)
        similarity[code] = -np.inf
        order = np.argsort(-similarity, kind="stable")[: request.k]
        order = order[similarity[order] > 0]
        return context.listed(order, similarity[order], _NO_HITS), "saved model"

    return Recommendations(request, context.split_label, (context.item(code),), ()), model_answer


def _history(code: int, context: SplitContext) -> tuple[tuple[Item, ...], str]:
    """Return the last items of a user (without times: those with the largest values), and the order used."""
    train, row = context.split.train, context.split.history[[code]]
    start, stop = (int(np.searchsorted(train.users, code, side=side)) for side in ("left", "right"))
    times = None
    if train.times is not None and np.array_equal(train.items[start:stop], row.indices):
        times = train.times[start:stop]
    values = None if train.values is None else row.data
    by, rank = ("time", times) if times is not None else ("value", values)
    order = np.arange(row.nnz) if rank is None else np.argsort(-rank, kind="stable")
    items = [
        context.item(
            int(row.indices[at]),
            None if values is None else float(values[at]),
            None if times is None else int(times[at]),
        )
        for at in order[:HISTORY].tolist()
    ]
    return tuple(items), by if rank is not None else ""


def _trusted(cell: Cell) -> bool:
    """Return whether classes of a cell may be imported, though bakeoff does not ship them."""
    return not isinstance(cell, StoredCell)


def _titles(cell: Cell) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """Return the titles of the items of a data set, and a note if they cannot be read."""
    try:
        if not _trusted(cell):
            check_shipped(cell.dataset, "dataset")
        source = build_source(cell.dataset)
        return (source.names_of_items() if isinstance(source, ItemTitles) else {}), ()
    except (ConfigError, DataError) as error:
        return {}, (f"items are shown by their ids: {error}",)


def as_dict(result: Recommendations) -> dict[str, Any]:
    """Return recommendations as a JSON document."""

    def item(item: Item) -> dict[str, Any]:
        return {k: v for k, v in item.__dict__.items() if v is not None}

    return {
        "request": {k: v for k, v in result.request.__dict__.items() if v is not None},
        "split": result.split_label,
        "history": [item(i) for i in result.history],
        "n_history": result.n_history,
        "n_held_out": result.n_held_out,
        "models": [
            {
                **{name: getattr(m, name) for name in ("model", "key", "source", "reason")},
                "items": [{**item(e.item), "score": e.score, "hit": e.hit} for e in m.listed],
            }
            for m in result.models
        ],
        "notes": list(result.notes),
    }
