"""The same lists as other libraries would measure them, and all formulas that share a word side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from bakeoff.evaluation.catalogue import LIBRARIES, Convention, shipped
from bakeoff.evaluation.measure import measure
from bakeoff.evaluation.metric import EvaluationInputs
from bakeoff.evaluation.stats import TrainStats
from bakeoff.evaluation.topk import TopK
from bakeoff.queries.comparison import Column, Table

TOY_K = 3
TOY_TRUTH = ((0, 1), (0, 1, 2, 3, 4), (5,), (6, 7), (8,))
TOY_LISTS = ((0, 9, 1), (2, 3, 9), (0, 1, 2), (6,), ())


@dataclass(frozen=True)
class FormulaRow:
    """One formula at one cutoff.

    Args:
        names: what libraries call it, `recommenders:map@10`.
        metric: our name of it.
        formula: in symbols.
        toy: its value on the toy lists at k = 3; None where they are not shown.
        values: label of a model -> mean.
    """

    names: tuple[str, ...]
    metric: str
    formula: str
    toy: float | None
    values: Mapping[str, float]


@dataclass(frozen=True)
class ConventionTable:
    """Formulas with their values on one data set and split, or on the toy lists alone.

    Args:
        title: the labels of data set and split; "" without.
        models: labels, the best first.
        libraries: title -> who is in the mean and what short lists count.
        spread: column -> smallest and largest value, for formulas of one word.
    """

    title: str
    models: tuple[str, ...]
    rows: tuple[FormulaRow, ...]
    libraries: Mapping[str, tuple[str, str]]
    spread: Mapping[str, tuple[float, float]]


def as_printed(of: Sequence[Convention], table: Table, k: int) -> ConventionTable:
    """Return what each library would have printed for the models of a comparison: a row for each name."""
    rows = [_row([convention], [table], k) for convention in of]
    return _table(of, table, [row for row in rows if row.values])


def explained(of: Sequence[Convention], table: Table | None, k: int = TOY_K) -> ConventionTable:
    """Return all formulas of one word, each once, with their values on the toy lists and on a comparison."""
    by_metric: dict[str, list[Convention]] = {}
    for convention in of:
        by_metric.setdefault(convention.metric, []).append(convention)
    metrics = {name: shipped()[name] for name in by_metric if shipped()[name].kind == "accuracy"}
    means = measure(toy_inputs(), metrics, [TOY_K]).means
    toy = {name: mean for (name, _), (mean, _) in means.items()}
    tables = [] if table is None else [table]
    rows = [_row(same, tables, k, toy.get(name)) for name, same in by_metric.items()]
    return _table(of, table, rows, spread=True)


def _row(same: Sequence[Convention], tables: Sequence[Table], k: int, toy: float | None = None) -> FormulaRow:
    metric = shipped()[same[0].metric]
    column = Column(metric.name, k if metric.cutoff else None)
    names = tuple(Column(convention.name, column.k if tables else None).name for convention in same)
    values = {
        row.label: row.values[column].mean for table in tables for row in table.rows if column in row.values
    }
    return FormulaRow(names, metric.name, metric.formula, toy, values)


def _table(
    of: Sequence[Convention], table: Table | None, rows: Sequence[FormulaRow], *, spread: bool = False
) -> ConventionTable:
    models = tuple(row.label for row in table.rows if row.done) if table is not None else ()
    libraries = {LIBRARIES[c.library].title: LIBRARIES[c.library] for c in of}
    columns = {
        "toy": [row.toy for row in rows],
        **{model: [row.values.get(model) for row in rows] for model in models},
    }
    ends = {name: _ends(values) for name, values in columns.items()} if spread else {}
    return ConventionTable(
        title="" if table is None else table.title,
        models=models,
        rows=tuple(rows),
        libraries={title: (library.users, library.short) for title, library in libraries.items()},
        spread={name: pair for name, pair in ends.items() if pair is not None},
    )


def _ends(values: Iterable[float | None]) -> tuple[float, float] | None:
    numbers = [value for value in values if value is not None]
    return (min(numbers), max(numbers)) if numbers else None


def toy_inputs() -> EvaluationInputs:
    """Return five users, twelve items and lists of three, on which fifteen libraries gave their answers.

    What a list does not hold ranks below it by item code; the last user has no list.
    """
    m, n_items = len(TOY_TRUTH), 12
    test = _matrix(TOY_TRUTH, n_items)
    items = np.full((m, TOY_K), -1, dtype=np.int32)
    above = []
    for user, (listed, truth) in enumerate(zip(TOY_LISTS, TOY_TRUTH, strict=True)):
        items[user, : len(listed)] = listed
        order = [*listed, *(item for item in range(n_items) if item not in listed)]
        above += [order.index(item) for item in truth]
    scores = np.where(items >= 0, -np.arange(TOY_K, dtype=np.float32), -np.inf).astype(np.float32)
    nothing = _matrix([()] * m, n_items)
    lists = TopK.build(
        np.arange(m, dtype=np.int32),
        items,
        scores,
        history=nothing,
        test=test,
        above=np.array(above, dtype=np.int32),
        ties=np.zeros(len(above), dtype=np.int32),
    )
    return EvaluationInputs(lists, test, nothing, TrainStats(nothing))


def _matrix(rows: Sequence[Sequence[int]], n_items: int) -> sparse.csr_matrix:
    indptr = np.cumsum([0, *map(len, rows)])
    indices = np.array([item for row in rows for item in row], dtype=np.int32)
    return sparse.csr_matrix((np.ones(len(indices), dtype=np.float32), indices, indptr), (len(rows), n_items))
