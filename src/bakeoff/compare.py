"""`bakeoff compare A B`: is the candidate A better than the baseline B, for whom, and by enough to ship?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bakeoff.errors import ConfigError, UsageError, check_range, nearest
from bakeoff.evaluation.catalogue import leading_k, metric_paths, prominence, resolve, shipped
from bakeoff.evaluation.significance import TestConfig
from bakeoff.queries.select import Result
from bakeoff.report.comparison import comparison
from bakeoff.report.pairs.by_split import OfSplit, by_split
from bakeoff.report.pairs.samples import column_name
from bakeoff.report.pairs.sides import of_cells, of_experiments, of_models
from bakeoff.report.pairs.versus import EXIT_CODES, Answer, Line, Versus, all_of, gate, versus
from bakeoff.report.tables import Column
from bakeoff.run.runner import EvaluationSpec, Workspace, remeasure
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.record import CellRequest
from bakeoff.storage.store import Store

Kind = Literal["cells", "models", "experiments"]


@dataclass(frozen=True)
class Question:
    """What is asked.

    Args:
        a, b: candidate and baseline: keys of cells, models of the experiment `name`, or experiments.
        results: the folder of results.
        name: of the experiment whose models a and b are; None where they are cells or experiments, or where
            the folder holds one experiment alone.
        dataset, split: names that narrow the choice.
        ks: cutoffs; none takes 10, or the gate's.
        metrics: name -> import path; none takes all that were measured.
        gate: `ndcg@10`: what a deployment hangs on; None for no gate.
        tolerance: by how much the interval must be beyond 0, at least 0.
        users: so many users of the largest gains, and of the largest losses, are shown.
        rules: how it is tested.
    """

    a: str
    b: str
    results: Path
    name: str | None = None
    dataset: str | None = None
    split: str | None = None
    ks: tuple[int, ...] = ()
    metrics: Mapping[str, str] = field(default_factory=dict)
    gate: str | None = None
    tolerance: float = 0.0
    users: int = 3
    rules: TestConfig = field(default_factory=lambda: TestConfig(test="randomization"))

    def __post_init__(self) -> None:
        check_range("tolerance", self.tolerance, 0)
        check_range("users", self.users, 0, 1000, integer=True)
        for k in self.ks:
            check_range("k", k, 1, integer=True)


@dataclass(frozen=True, eq=False)
class Comparison:
    """What is found of one match; `by` is the metric that splits are told by, each by itself, if any."""

    versus: Versus
    by: Line | None
    splits: tuple[OfSplit, ...] = ()
    answer: Answer | None = None


def run(question: Question) -> int:
    """Print the comparison; with a gate its answer is the exit code: 0 promoted, 3 rejected, 4 undecided."""
    from bakeoff.report.render.compare import print_answer, print_comparison

    found = compare(question)
    for one in found:
        print_comparison(one, question.rules, question.gate, question.tolerance)
    answers = [one.answer for one in found if one.answer is not None]
    if question.gate is None:
        return 0
    answer = all_of(answers)
    if len(answers) > 1:
        print_answer(question.gate, answer, answers)
    return EXIT_CODES[answer]


def compare(question: Question) -> list[Comparison]:
    """Everything that is to be told, for each data set, split and model that A and B have in common.

    Raises:
        UsageError: A or B is not there, or they were made on different splits.
        ConfigError: a metric or cutoff that cannot be measured, a gate without an interval.
    """
    workspace = Workspace(Store(question.results / "store"))
    asked = None if question.gate is None else _column(question.gate)
    kind, name, sides = _sides(question, workspace.store)
    names = _names(question, asked, sides)
    ks = _ks(question, asked, sides)
    wanted = EvaluationSpec(ks, names)
    sides = [[_measured(result, workspace, wanted) for result in side] for side in sides]
    metrics = resolve(names)
    if kind == "cells":
        matches = of_cells(sides[0][0], sides[1][0])
    else:
        tables = [comparison(side, ks, metrics) for side in sides]
        if kind == "models":
            matches = of_models(question.a, question.b, tables[0], name)
        else:
            matches = of_experiments(tables[0], tables[1], (question.a, question.b))
    found = versus(matches, metrics, ks, workspace.store, question.rules)
    return [_told(one, asked, question, workspace) for one in found]


def _sides(question: Question, store: Store) -> tuple[Kind, str, list[list[Result]]]:
    """What A and B are, and the results behind them."""
    pair = (question.a, question.b)
    if question.name is None:
        records = [store.record(word) for word in pair]
        if records[0] is not None and records[1] is not None:
            cells = [Result(CellRequest(r.key, r.cell), r) for r in records if r is not None]
            return "cells", "", [[cell] for cell in cells]
        if all((question.results / word / "experiment.json").exists() for word in pair):
            return "experiments", "", [_results(word, question, store) for word in pair]
    name = question.name or _only_experiment(question)
    return "models", name, [_results(name, question, store)]


def _only_experiment(question: Question) -> str:
    known = sorted(p.parent.name for p in question.results.glob("*/experiment.json"))
    if len(known) != 1:
        there = nearest("", known) if known else "there is none"
        raise UsageError(
            f"{question.a!r} and {question.b!r} are neither two cells nor two experiments in "
            f"{question.results}; for two models say of which experiment, name=...: {there}"
        )
    return known[0]


def _results(name: str, question: Question, store: Store) -> list[Result]:
    """The stored results of an experiment, of the data set and split that are wanted."""
    folder = question.results / name
    if not (folder / "experiment.json").exists():
        known = [p.parent.name for p in question.results.glob("*/experiment.json")]
        raise UsageError(f"no experiment {name!r} in {question.results}: {nearest(name, known)}")
    found: list[Result] = []
    there: dict[str, dict[str, None]] = {"dataset": {}, "split": {}}
    for asked in Experiment.read(folder, name).requests:
        for what, names in there.items():
            names[str(getattr(asked.cell, what).get("name"))] = None
        wanted = (question.dataset, asked.cell.dataset), (question.split, asked.cell.split)
        record = store.record(asked.key)
        if record is not None and all(w in (None, str(config.get("name"))) for w, config in wanted):
            found.append(Result(asked, record))
    for what, value in (("dataset", question.dataset), ("split", question.split)):
        if value is not None and value not in there[what]:
            raise UsageError(f"{what}={value} of experiment {name!r}: {nearest(value, there[what])}")
    if not any(r.record.done for r in found):
        raise UsageError(f"experiment {name!r}: the store {store.root} holds no finished cell of it")
    return found


def _column(gate: str) -> Column:
    """`ndcg@10` or, without cutoff, `auc`."""
    metric, at, k = gate.partition("@")
    if at and not k.isdecimal():
        raise ConfigError(f"gate={gate}: expected a metric and its cutoff such as ndcg@10, or auc")
    return Column(metric.rpartition(".")[2], int(k) if at else None)


def _names(question: Question, asked: Column | None, sides: Sequence[Sequence[Result]]) -> dict[str, str]:
    """The metrics as name -> import path: those asked for, else those that were measured; and the gate's."""
    measured = {m for side in sides for r in side for m in r.record.metrics}
    names = dict(question.metrics) or {n: m.path for n, m in shipped().items() if n in measured}
    if asked is None or question.gate is None:
        return names
    return names | metric_paths([question.gate.partition("@")[0]])


def _ks(question: Question, asked: Column | None, sides: Sequence[Sequence[Result]]) -> tuple[int, ...]:
    results = [r for side in sides for r in side if r.record.done]
    ks = {*question.ks, *([asked.k] if asked is not None and asked.k is not None else [])}
    if not ks:
        known = {k for r in results for k in r.record.ks}
        ks = {leading_k(known)}
    depth = min((r.asked.cell.depth for r in results), default=max(ks))
    if max(ks) > depth:
        raise ConfigError(f"k={max(ks)} is larger than depth={depth}, the length of the stored lists")
    return tuple(sorted(ks))


def _measured(result: Result, workspace: Workspace, wanted: EvaluationSpec) -> Result:
    asked, record = result
    return Result(asked, remeasure(record, asked.cell, workspace, wanted)) if record.done else result


def _told(one: Versus, asked: Column | None, question: Question, workspace: Workspace) -> Comparison:
    by, answer = _line(one, asked), None
    if asked is not None:
        if by is None:
            raise ConfigError(f"gate={question.gate}: {_absence(one, asked)}")
        answer = "UNDECIDED" if one.match.same else gate(by, question.tolerance)
    if by is None or by.tested is None or one.match.same:
        return Comparison(one, by, answer=answer)
    splits = by_split(one.match, by, workspace, question.rules, question.users)
    return Comparison(one, by, splits, answer)


def _line(one: Versus, asked: Column | None) -> Line | None:
    """The metric of the gate, else the most prominent one that has a test."""
    if asked is not None:
        return next((line for line in one.lines if line.column == asked), None)
    tested = [line for line in one.lines if line.tested is not None]
    return min(tested, key=lambda line: prominence(line.column.metric), default=None)


def _absence(one: Versus, asked: Column) -> str:
    records = [r.record for side in one.match.results for r in side]
    reasons = {r.absent[n] for r in records for n in (asked.metric, column_name(asked)) if n in r.absent}
    if reasons:
        return f"not measured for {one.match.title} ({'; '.join(sorted(reasons))})"
    cutoff = any("" in r.metrics.get(asked.metric, {}) for r in records)
    hint = f"{asked.metric} has no cutoff" if cutoff else f"{asked.metric} needs a cutoff, {asked.metric}@10"
    return f"not measured for {one.match.title}: {hint}"
