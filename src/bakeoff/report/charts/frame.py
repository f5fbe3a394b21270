"""What all charts of a report share: names of places and models, their looks, and what is shown first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bakeoff.evaluation.catalogue import leading_k, leading_metric
from bakeoff.evaluation.metric import Metric
from bakeoff.queries.tables import Row, Table
from bakeoff.report.charts.look import Look, looks
from bakeoff.report.wording import visible

BASELINES = ("Popularity", "Random")


class Start(NamedTuple):
    """What a chart shows before anybody has chosen."""

    dataset: str
    split: str
    k: int | None
    metric: str


class Place(NamedTuple):
    """A table with the names of its data set, its split and the models of its rows, as charts write them."""

    table: Table
    dataset: str
    split: str
    models: tuple[str, ...]

    @property
    def rows(self) -> Iterable[tuple[str, Row]]:
        """The rows with numbers, by the name of their model."""
        return ((m, row) for m, row in zip(self.models, self.table.rows, strict=True) if row.values)


@dataclass(frozen=True)
class Frame:
    """What the charts of one report share.

    Args:
        places: the tables in their order.
        looks: of every model that has numbers anywhere, in order of their names, baselines last.
        metrics: those that were measured.
        start: what is shown first.
    """

    places: tuple[Place, ...]
    looks: Mapping[str, Look]
    metrics: Mapping[str, Metric]
    start: Start

    @property
    def ks(self) -> list[int]:
        return sorted({c.k for p in self.places for c in p.table.columns if c.k is not None})

    def direction(self, metric: str) -> str:
        """Which end of a metric is the better one, in words."""
        return {True: "higher is better", False: "lower is better", None: "neither end is better"}[
            self.metrics[metric].higher_is_better
        ]


def frame(tables: Sequence[Table], metrics: Mapping[str, Metric]) -> Frame | None:
    """Name everything once; None where no table has a number."""
    places = _places([t for t in tables if any(row.values for row in t.rows)])
    measured = {c.metric for p in places for c in p.table.columns}
    known = {name: m for name, m in metrics.items() if name in measured}
    if not known:
        return None
    named = sorted({(_is_baseline(row), model) for p in places for model, row in p.rows})
    baselines = {model for baseline, model in named if baseline}
    return Frame(
        places=places,
        looks=looks(list(dict.fromkeys(model for _, model in named)), baselines),
        metrics=known,
        start=_start(places[0], known),
    )


def _places(tables: Sequence[Table]) -> tuple[Place, ...]:
    pairs = [(t.dataset_label, t.split_label, t.parts[0].fingerprint) for t in tables]
    several = Counter((dataset, split) for dataset, split, _ in pairs)
    labels: dict[str, set[str]] = {}
    for row in (row for table in tables for row in table.rows):
        labels.setdefault(row.model, set()).add(row.label)
    return tuple(
        Place(
            table,
            dataset,
            f"{split} [{content}]" if several[dataset, split] > 1 else split,
            tuple(_model(row, labels) for row in table.rows),
        )
        for table, (dataset, split, content) in zip(tables, pairs, strict=True)
    )


def _model(row: Row, labels: Mapping[str, set[str]]) -> str:
    """The label of a row; the name of its model alone where the report has one row of it."""
    return row.label if len(labels[row.model]) > 1 else visible(row.model)


def _is_baseline(row: Row) -> bool:
    build: Mapping[str, Any] = row.results[0].asked.cell.model_build if row.results else {}
    return str(build.get("_target_")).rpartition(".")[2] in BASELINES


def _start(place: Place, metrics: Mapping[str, Metric]) -> Start:
    measured = {c.metric for c in place.table.columns}
    metric = leading_metric(name for name in metrics if name in measured)
    assert metric is not None, "a place without columns is not drawn"
    ks = [c.k for c in place.table.columns if c.k is not None]
    return Start(place.dataset, place.split, leading_k(ks) if ks else None, metric)
