"""What all charts of a report share: labels of comparisons and models, styles, the first selection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bakeoff.evaluation.catalogue import leading_k, leading_metric
from bakeoff.evaluation.metric import Metric
from bakeoff.queries.tables import Row, Table
from bakeoff.report.charts.palette import Style, styles
from bakeoff.report.figures.store_access import SplitFits, missing, split_fits
from bakeoff.report.wording import visible
from bakeoff.storage.store import Store

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
