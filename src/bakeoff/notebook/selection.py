"""What a question to a loaded experiment is about: cutoffs, metrics, cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.arrays import Doubles
from bakeoff.errors import UsageError, check_range, nearest
from bakeoff.evaluation.catalogue import OVERVIEW, metric_paths, resolve, shipped
from bakeoff.evaluation.metric import EvaluationInputs, Metric
from bakeoff.queries.select import Result
from bakeoff.queries.tables import Column, Table

Names = str | Sequence[str] | None

_COORDINATES = ("dataset", "split", "split_seed", "fold", "seed", "variant")


@dataclass(frozen=True)
class Question:
    """Cutoffs and metrics.

    Args:
        ks: ascending.
        metrics: by name, in the order asked for.
        paths: import paths of those that can be measured now.
        shown: names of the metrics to show.
    """

    ks: tuple[int, ...]
    metrics: Mapping[str, Metric]
    paths: Mapping[str, str]
    shown: tuple[str, ...]

    def lacking(self, result: Result) -> list[str]:
        """What a finished result does not hold of it: "k=50", "novelty"."""
        record = result.record
        if not record.done:
            return []
        there = set(record.ks)
        named = set(record.metrics) | set(record.absent)
        return [*(f"k={k}" for k in self.ks if k not in there), *(n for n in self.metrics if n not in named)]

    def columns(self, tables: Iterable[Table]) -> list[Column]:
        """What is shown, in order, of what the tables have.

        Raises:
            UsageError: a metric that was asked for and that no row has.
        """
        tables = list(tables)
        there = {c for table in tables for c in table.columns}
        found = []
        for name in self.shown:
            own = [Column(name, k) for k in (*self.ks, None) if Column(name, k) in there]
            if not own:
                why = [
                    w
                    for t in tables
                    for r in t.rows
                    for n, w in r.absent.items()
                    if n.partition("@")[0] == name
                ]
                raise UsageError(
                    f"metric {name!r} has no value at k={list(self.ks)}: {(why or ['not measured'])[0]}"
                )
            found += own
        return found


def question(results: Iterable[Result], k: int | Iterable[int], metrics: Names) -> Question:
    """Cutoffs and metrics as asked for; None takes every metric that was measured and shows the usual ones.

    Raises:
        ConfigError: a cutoff that is none, or a name that no metric has.
    """
    ks = tuple(sorted({k} if isinstance(k, int) else set(k)))
    for one in ks:
        check_range("k", one, 1, integer=True)
    measured = {name: by_k for r in results for name, by_k in r.record.metrics.items()}
    if metrics is None:
        names = [*(n for n in shipped() if n in measured), *(n for n in measured if n not in shipped())]
    else:
        names = [metrics] if isinstance(metrics, str) else list(metrics)
    own = [n for n in names if n in measured and n not in shipped()]
    paths = metric_paths([n for n in names if n not in own])
    known = {**resolve(paths), **{n: _stored_only(measured[n]) for n in own}}
    asked = tuple(n.rpartition(".")[2] for n in names)
    shown = asked if metrics is not None else tuple(n for n in (*OVERVIEW, *own) if n in known)
    return Question(ks, {n: known[n] for n in asked}, paths, shown)


def _stored_only(by_k: Mapping[str, tuple[float, float | None]]) -> Metric:
    """A metric of which records hold values and nobody said where it is defined: it has no direction."""

    def compute(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
        raise UsageError("this metric is known by its stored values alone: name it by its import path")

    return Metric(compute, None, any(e is not None for _, e in by_k.values()), "" not in by_k)


def chosen(results: Iterable[Result], model: str | None, where: Mapping[str, Any]) -> list[Result]:
    """The results of some cells, each cell once.

    Args:
        model: name or key; None takes all.
        where: values of dataset, split, split_seed, fold, seed or variant; None takes all.

    Raises:
        UsageError: another coordinate, or a value that no cell has.
    """
    left = list({r.asked.key: r for r in reversed(list(results))}.values())[::-1]
    for name in where:
        if name not in _COORDINATES:
            raise UsageError(f"{name}=: {nearest(name, _COORDINATES)}")
    asked = {"model": model, **where}
    for name, value in asked.items():
        if value is None:
            continue
        there = [r for r in left if value in _values(r, name)]
        if not there:
            known = {str(v) for r in left for v in _values(r, name)[:1]}
            raise UsageError(f"{name}={value!r}: {nearest(str(value), known)}")
        left = there
    return left


def _values(result: Result, name: str) -> tuple[Any, ...]:
    """What a coordinate of a cell may be called by."""
    cell = result.asked.cell
    if name == "model":
        return cell.model_name, result.asked.key
    if name in ("dataset", "split"):
        plain, variant = str(getattr(cell, name).get("name")), getattr(cell, f"{name}_variant")
        return (plain, f"{plain} ({variant})") if variant else (plain,)
    return (getattr(cell, name),)
