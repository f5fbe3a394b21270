"""What all charts of a report share: labels, styles, the first selection, and the cells in the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from bakeoff.arrays import Array, Codes, Doubles
from bakeoff.evaluation.catalogue import leading_k, leading_metric
from bakeoff.evaluation.metric import Metric
from bakeoff.queries.comparison import Column, Row, Table
from bakeoff.queries.select import keys_by_split
from bakeoff.report.view import visible
from bakeoff.splits.base import Split
from bakeoff.storage.store import Store

COLOURS = ("#0b6fb8", "#d55e00", "#00966b", "#d876b4", "#c8a200", "#5db1e6", "#a03a48")
"""After Okabe and Ito 2008, darker where white paper needs it.

Any two of them differ by 0.065 or more in OKLab to people with normal sight and with protan, deutan and
tritan vision (Machado et al. 2009), and each has a contrast of 2.3 or more on white and on #1b1b1b.
"""

GREYS = ("#767676", "#a3a3a3")
"""Colours of baselines."""

SHAPES = (
    *("circle", "square", "triangle-up", "diamond", "cross"),
    *("triangle-down", "triangle-right", "triangle-left"),
)
DASHES = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3))

NEUTRAL = "#858585"
"""Colour of marks that belong to no model: readable on white and on black."""


@dataclass(frozen=True)
class Style:
    """A colour as #rrggbb, a shape of Vega's, and a dash pattern in pixels."""

    colour: str
    shape: str
    dash: tuple[int, ...]


def styles(models: Sequence[str], baselines: Collection[str] = ()) -> dict[str, Style]:
    """Return a style for each model. Up to 56 models differ in colour or shape."""
    result: dict[str, Style] = {}
    n_models = n_baselines = 0
    for model in models:
        if model in baselines and n_baselines < len(GREYS):
            result[model] = Style(GREYS[n_baselines], SHAPES[4 - n_baselines], DASHES[0])
            n_baselines += 1
            continue
        turn, colour = divmod(n_models, len(COLOURS))
        shape = SHAPES[(colour + turn) % len(SHAPES)]
        result[model] = Style(COLOURS[colour], shape, DASHES[turn % len(DASHES)])
        n_models += 1
    return result


# -- the store -------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class SplitFits:
    """One split of a table with the finished cells on it.

    Args:
        split_key: its name in the store.
        keys: for each row of the table its cells on this split, one for each distinct fit.
    """

    store: Store
    split_key: str
    keys: tuple[tuple[str, ...], ...]

    @cached_property
    def split(self) -> Split:
        return self.store.split(self.split_key)

    @cached_property
    def item_users(self) -> Array:
        """int64 [I]: the number of users that train has for each item."""
        return np.bincount(self.split.train.matrix().indices, minlength=self.split.train.n_items)

    def values(self, key: str, columns: Sequence[Column]) -> Doubles:
        """Return float64 [columns, m]: the stored values of a cell by user; NaN where there is none."""
        names = [c.name for c in columns]
        stored = self.store.per_user(key, names) or {}
        nothing = np.full(len(self.split.users), np.nan)
        return np.stack([np.asarray(stored.get(n, nothing), dtype=np.float64) for n in names])

    def items(self, key: str, depth: int | None = None) -> Codes:
        """Return int32 [m, depth]: the stored lists, -1 padded."""
        return np.ascontiguousarray(self.store.lists(key).items[:, :depth])


def shared_user_codes(fits: Sequence[SplitFits]) -> list[Codes]:
    """Return the evaluated users of each split, int32 [m]; one code is one user in all of the splits."""
    hashes = [one.split.train.user_ids.hashes[one.split.users] for one in fits]
    _, codes = np.unique(np.concatenate(hashes), return_inverse=True)
    return np.split(codes.astype(np.int32), np.cumsum([len(part) for part in hashes])[:-1])


def split_fits(table: Table, store: Store) -> Iterator[SplitFits]:
    """Yield the splits of a table that the store has, in order."""
    by_row = [keys_by_split(row.results) for row in table.rows]
    for part in table.parts:
        keys = tuple(tuple(of_row.get(part.fingerprint, ())) for of_row in by_row)
        on_split = {key for of_row in keys for key in of_row}
        names = [r.record.split_key for row in table.rows for r in row.results if r.request.key in on_split]
        if names and store.has_split(names[0]):
            yield SplitFits(store, names[0], keys)


def missing(table: Table, store: Store) -> str:
    """Return the reason why values by user are unavailable for this table, or ""."""
    for part in table.parts:
        for request, record in (result for row in table.rows for result in row.results):
            if not record.done or record.split_fingerprint != part.fingerprint:
                continue
            folder = store.cell_folder(request.key)
            if not store.has_split(record.split_key):
                return f"the store has no split {record.split_key}"
            if not ((folder / "items.npy").exists() and (folder / "per_user.parquet").exists()):
                return f"the store has no lists of cell {request.key}"
    return ""


# -- the tables ------------------------------------------------------------------------------------------

BASELINES = ("Popularity", "Random")


class Start(NamedTuple):
    """What a chart shows before anybody has chosen."""

    dataset: str
    split: str
    k: int | None
    metric: str


class TableView(NamedTuple):
    """A table with the labels of its data set, its split and its rows.

    Args:
        fits: its splits with the cells on them, from the store; empty where something is missing there.
    """

    table: Table
    dataset: str
    split: str
    models: tuple[str, ...]
    fits: Sequence[SplitFits] = ()

    @property
    def rows(self) -> Iterable[tuple[str, Row]]:
        """The rows with numbers, by label."""
        return ((m, row) for m, row in zip(self.models, self.table.rows, strict=True) if row.values)

    def keys(self, model: str, metric: str | None = None) -> dict[str, Any]:
        """Return the fields by which charts choose rows."""
        keys = {"dataset": self.dataset, "split": self.split, "model": model}
        return keys if metric is None else {**keys, "metric": metric}


@dataclass(frozen=True, eq=False)
class Frame:
    """What the charts of one report share.

    Args:
        views: the tables in their order.
        styles: of every model that has numbers anywhere, in order of their labels, baselines last.
        metrics: those that were measured.
        start: what is shown first.
        store: where lists and values by user are; None without.
        left_out: which tables charts of lists and users leave out, and why; sentences.
    """

    views: tuple[TableView, ...]
    styles: Mapping[str, Style]
    metrics: Mapping[str, Metric]
    start: Start
    store: Store | None
    left_out: str

    @property
    def ks(self) -> list[int]:
        return sorted({c.k for v in self.views for c in v.table.columns if c.k is not None})

    @property
    def stored(self) -> list[TableView]:
        """The tables whose splits, lists and values by user are in the store."""
        return [view for view in self.views if view.fits]

    def direction(self, metric: str) -> str:
        """Return which values of a metric are better, in words."""
        return {True: "higher is better", False: "lower is better", None: "neither end is better"}[
            self.metrics[metric].higher_is_better
        ]

    def largest_first(self, metric: str) -> bool:
        """Return whether the largest value has rank 1: unless lower is better."""
        return self.metrics[metric].higher_is_better is not False

    def text(self, words: str) -> str:
        """Return the text of a section that needs the store: what is shown, and what is left out."""
        return " ".join(part for part in (words if self.stored else "", self.left_out) if part)


def frame(tables: Sequence[Table], metrics: Mapping[str, Metric], store: Store | None) -> Frame | None:
    """Label tables and models; return None where no table has a number."""
    views = _views([t for t in tables if any(row.values for row in t.rows)])
    measured = {c.metric for v in views for c in v.table.columns}
    metrics = {name: m for name, m in metrics.items() if name in measured}
    if not metrics:
        return None
    left_out = []
    if store is None:
        left_out = ["Not shown: needs the store with the lists and the values by user."]
    else:
        reasons = [missing(v.table, store) for v in views]
        left_out = [
            f"{v.dataset}, {v.split} is not shown: {r}." for v, r in zip(views, reasons, strict=True) if r
        ]
        views = tuple(
            v if reason else v._replace(fits=tuple(split_fits(v.table, store)))
            for v, reason in zip(views, reasons, strict=True)
        )
    by_label = sorted({(_is_baseline(row), model) for v in views for model, row in v.rows})
    baselines = {model for baseline, model in by_label if baseline}
    return Frame(
        views,
        styles(list(dict.fromkeys(model for _, model in by_label)), baselines),
        metrics,
        _start(views[0], metrics),
        store,
        " ".join(left_out),
    )


def table_labels(tables: Sequence[Table]) -> list[tuple[str, str]]:
    """Return the data set and the split of each table; equal ones are followed by the split's fingerprint."""
    labels = [(t.dataset_label, t.split_label) for t in tables]
    count = Counter(labels)
    prints = [t.parts[0].fingerprint if t.parts else "" for t in tables]
    return [
        (dataset, f"{split} [{fingerprint}]" if count[dataset, split] > 1 else split)
        for (dataset, split), fingerprint in zip(labels, prints, strict=True)
    ]


def _views(tables: Sequence[Table]) -> tuple[TableView, ...]:
    labels: dict[str, set[str]] = {}
    for row in (row for table in tables for row in table.rows):
        labels.setdefault(row.model, set()).add(row.label)
    return tuple(
        TableView(
            table,
            dataset,
            split,
            tuple(r.label if len(labels[r.model]) > 1 else visible(r.model) for r in table.rows),
        )
        for table, (dataset, split) in zip(tables, table_labels(tables), strict=True)
    )


def _is_baseline(row: Row) -> bool:
    build: Mapping[str, Any] = row.results[0].request.cell.model_build if row.results else {}
    return str(build.get("_target_")).rpartition(".")[2] in BASELINES


def _start(view: TableView, metrics: Mapping[str, Metric]) -> Start:
    columns = view.table.columns
    metric = leading_metric(name for name in metrics if any(c.metric == name for c in columns))
    assert metric is not None, "a table without columns is not drawn"
    ks = [c.k for c in columns if c.k is not None]
    return Start(view.dataset, view.split, leading_k(ks) if ks else None, metric)
