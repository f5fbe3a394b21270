"""What the commands do, on plain objects: run, plan, describe, report and export."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bakeoff import tracking
from bakeoff.errors import ConfigError, Unsupported, UsageError, check_range
from bakeoff.evaluation.catalogue import default_paths, leading_k, resolve
from bakeoff.evaluation.significance import TestConfig
from bakeoff.queries.select import CellFilter, Result, select, stored_experiment
from bakeoff.run import grid
from bakeoff.run.cell import Cell
from bakeoff.run.naming import split_label
from bakeoff.run.preflight import DurationEstimator, preflight
from bakeoff.run.runner import EvaluationSpec, Workspace, remeasure
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.record import CellRequest, Record
from bakeoff.storage.store import Store

if TYPE_CHECKING:
    from bakeoff.queries.compare import CompareRequest
    from bakeoff.queries.recommend import RecommendRequest

NOT_STORED = "not stored: run its command again (it stands in experiment.json)"

_NAMED = 3
"""So many cells without lists are named by an export; more are counted."""

Launch = Callable[[Sequence[CellRequest]], None]


@dataclass(frozen=True)
class Request:
    """What a command asks for: the cells of its experiments by name, and how they are run and measured."""

    experiments: Mapping[str, Sequence[CellRequest]]
    results: Path
    wanted: EvaluationSpec
    options: grid.Options
    fresh: bool = False
    command: str = ""
    launch: Launch | None = None
    rules: TestConfig = field(default_factory=TestConfig)
    mlflow: str | None = None

    @property
    def store(self) -> Store:
        return Store(self.results / "store")


def run(request: Request) -> int:
    """Run what is missing and write the reports; 1 if a cell failed, else 0."""
    from bakeoff.report.render.progress import progress

    resolve(request.wanted.metrics)
    tracking.check(request.mlflow, request.command)
    workspace, failed = Workspace(request.store), False
    for name, asked in request.experiments.items():
        folder, before = request.results / name, _before(request, name, asked)
        planned = grid.prepare(_planned(request, asked), workspace, request.wanted)
        experiment = before.with_cells(asked, request.command)
        experiment.write(folder)
        for key, what in planned.damaged.items():
            sys.stderr.write(f"bakeoff: {what}; the cell is run again\n")
            request.store.begin(key)
        tracker = tracking.tracker(request.mlflow, name)
        shown = tracking.following(progress(), tracker)
        records = grid.run(planned, workspace, request.wanted, request.options, shown, request.launch)
        failed |= any(r.status == "failed" for r in records)
        by_key = {r.key: r for r in records}
        _report(experiment, folder, workspace, request.wanted, by_key, request.rules, tracker)
    return int(failed)


def _before(request: Request, name: str, asked: Sequence[CellRequest]) -> Experiment:
    """What is known of an experiment, if it can take these cells.

    A report whose cells the store does not have stays as it is, as where only the report's folder was copied.
    """
    from bakeoff.report.readback import finished

    folder, store = request.results / name, request.store
    before = Experiment(name) if request.fresh else Experiment.read(folder, name)
    grid.check_same_data(before, asked)
    others = {a.key for a in before.requests} - {a.key for a in asked}
    records = {key: store.cell_folder(key) / "record.json" for key in finished(folder) if key in others}
    lost = [key for key, record in records.items() if not record.exists()]
    if lost:
        raise UsageError(
            f"{folder}: its report has numbers of {len(lost)} cells that {store.root} does not have and this "
            f"command does not run, such as {lost[0]}; give name=... for another report, or fresh=true"
        )
    return before


def _planned(request: Request, asked: Sequence[CellRequest]) -> grid.Plan:
    rerun, save_model = request.options.rerun, request.wanted.save_model
    return grid.plan(asked, request.store, rerun=rerun, save_model=save_model)


def plan(request: Request) -> int:
    """Print what would run, what is stored, what will be skipped, and an estimate; write nothing."""
    from bakeoff.report.render.plan import print_plan

    for name, asked in request.experiments.items():
        _before(request, name, asked)
        planned = _planned(request, asked)
        ahead = preflight(planned.asked, request.store, request.wanted)
        estimate = DurationEstimator(request.store, planned.asked)
        print_plan(name, planned, ahead, estimate, request.options.workers)
    return 0


def describe(request: Request) -> int:
    """Print what the data look like, whole and under each split; write nothing."""
    from rich.console import Console

    from bakeoff.data.describe import describe as look
    from bakeoff.report.render.describe import render
    from bakeoff.run.runner import cut

    by_data: dict[str, dict[str, Cell]] = {}
    for asked in (a for cells in request.experiments.values() for a in cells):
        by_data.setdefault(asked.cell.data_key, {}).setdefault(asked.cell.split_key, asked.cell)
    for cells in by_data.values():
        dataset = Workspace(request.store).dataset(next(iter(cells.values())))
        try:
            splits = [
                (f"{split_label(cell)}, split_seed={cell.split_seed}", cut(cell, dataset))
                for cell in cells.values()
            ]
        except Unsupported as error:
            raise UsageError(str(error)) from error
        render(look(dataset, splits), Console())
    return 0


VERBS: Mapping[str, Callable[[Request], int]] = {"run": run, "plan": plan, "describe": describe}


def report(
    name: str,
    results: Path,
    ks: Sequence[int] | None,
    metrics: Mapping[str, str] | None,
    rules: TestConfig | None = None,
    mlflow: str | None = None,
    cells: CellFilter | None = None,
) -> int:
    """Build the reports of a stored experiment again, with other cutoffs or metrics where asked; fit nothing.

    Args:
        cells: which of its cells the reports hold; None for all.

    Raises:
        UsageError: no such experiment, none of its cells in the store, or a k beyond the stored lists.
    """
    tracking.check(mlflow, "")
    experiment, folder = _selected(stored_experiment(name, results), cells), results / name
    workspace = Workspace(Store(results / "store"))
    records = {a.key: _stored_or_missing(a, workspace.store) for a in experiment.requests}
    if all(r.status == "missing" for r in records.values()):
        damaged = [r.reason for r in records.values() if r.reason != NOT_STORED]
        raise UsageError(
            damaged[0]
            if damaged
            else f"{workspace.store.root}: it holds no cell of experiment {name!r}; {folder} stays as it is"
        )
    found = [r for r in records.values() if r.done]
    shown = ks or sorted({k for r in found for k in r.ks})
    shown = shown or [min(leading_k(()), *(a.cell.depth for a in experiment.requests))]
    for asked in experiment.requests:
        for k in shown:
            check_range("k", k, 1, integer=True)
            if k > asked.cell.depth:
                raise ConfigError(
                    f"k={k} is larger than depth={asked.cell.depth}, the length of the stored lists"
                )
    everything = metrics or default_paths()
    wanted, tracker = EvaluationSpec(tuple(shown), everything), tracking.tracker(mlflow, name)
    return _report(experiment, folder, workspace, wanted, {}, rules or TestConfig(), tracker)


def export(target: str, to: Path, results: Path, cells: CellFilter | None = None) -> int:
    """Write train, test and lists of a cell (KEY), or of every cell of an experiment (NAME), as Parquet.

    Args:
        cells: which cells of the experiment; None for all.

    Raises:
        UsageError: no such cell or experiment, a folder that holds something else, or a cell without lists;
            of an experiment the others are exported.
    """
    from bakeoff.report.export import export_cell, export_cells

    store = Store(results / "store")
    if store.record(target) is not None:
        export_cell(target, to, Workspace(store))
        return 0
    experiment = _selected(stored_experiment(target, results, "experiment or cell"), cells)
    records = {a.key: store.record(a.key) for a in experiment.requests}
    unfinished = [(k, r) for k, r in records.items() if r is None or not r.done]
    if done := [k for k, r in records.items() if r is not None and r.done]:
        export_cells(done, to, Workspace(store))
    if unfinished:
        told = [f"{k} ({'has not run' if r is None else f'{r.status}: {r.reason}'})" for k, r in unfinished]
        more = f" and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
        raise UsageError(
            f"{len(told)} of {len(records)} cells have no lists to export: {'; '.join(told[:_NAMED])}{more}; "
            f"{len(done)} others exported"
        )
    return 0


def compare(request: CompareRequest) -> int:
    """Print the comparison of A with B; with a gate its answer is the exit code.

    0: promoted, 3: rejected, 4: undecided.
    """
    from bakeoff.queries.compare import EXIT_CODES, all_of
    from bakeoff.queries.compare import compare as compare_results
    from bakeoff.report.render.compare import print_answer, print_comparison

    comparisons = compare_results(request)
    for one in comparisons:
        print_comparison(one, request.rules, request.gate, request.tolerance)
    answers = [one.answer for one in comparisons if one.answer is not None]
    if request.gate is None:
        return 0
    if len(answers) > 1:
        print_answer(request.gate, all_of(answers), answers)
    return EXIT_CODES[all_of(answers)]


def recommend(
    name: str, results: Path, request: RecommendRequest, which: CellFilter, form: str | None, to: Path | None
) -> int:
    """Show what each model of an experiment recommends, or write it (see `render.recommend.deliver`)."""
    from bakeoff.queries.recommend import answer
    from bakeoff.report.render.recommend import deliver, form_of

    form = form_of(form, to)
    deliver(answer(request, stored_experiment(name, results), which, Store(results / "store")), form, to)
    return 0


def verify(
    name: str, results: Path, references: Sequence[str] | None, cells: CellFilter | None = None
) -> int:
    """Recompute the numbers of an experiment by independent code; 1 where something differs, else 0.

    Args:
        cells: which of its cells; None for all.
    """
    from bakeoff.report.render.verify import print_verification
    from bakeoff.verify.check import verify as check
    from bakeoff.verify.libraries import select_libraries, unavailable_libraries

    libraries = select_libraries(references)
    experiment = stored_experiment(name, results)
    keys = None if cells is None else {a.key for a in _selected(experiment, cells).requests}
    result = check(experiment, results / name, Store(results / "store"), libraries, keys)
    print_verification(name, result, unavailable_libraries() if references is None else ())
    return 0 if result.agrees else 1


def list_entries(kind: str, results: Path, config_dirs: Sequence[str], form: str) -> int:
    """Print what there is of a kind: models, datasets, splits, metrics, presets or experiments."""
    from bakeoff.queries.reference import entries
    from bakeoff.report.render.reference import print_entries

    rows = entries(kind, results, config_dirs)
    if form == "json":
        print_json({kind: [vars(row) for row in rows]})
    else:
        print_entries(rows)
    return 0


def show(kind: str, name: str, results: Path, config_dirs: Sequence[str], form: str) -> int:
    """Print what is known of a model, data set, split, tuner, metric, preset or experiment."""
    from bakeoff.queries.reference import reference
    from bakeoff.report.render.reference import as_json, print_reference

    entry = reference(kind, name, results, config_dirs)
    if form == "json":
        print_json(as_json(entry))
    else:
        print_reference(entry)
    return 0


def print_json(document: Mapping[str, Any]) -> None:
    """Print a JSON document on standard output."""
    sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _report(
    experiment: Experiment,
    folder: Path,
    workspace: Workspace,
    wanted: EvaluationSpec,
    fresh: Mapping[str, Record],
    rules: TestConfig,
    tracker: tracking.Tracker | None = None,
) -> int:
    """Write every output of an experiment from its records, and print its tables."""
    from bakeoff.queries.comparison import comparison
    from bakeoff.report import files
    from bakeoff.report.marks import marked
    from bakeoff.report.render.console import print_tables

    results = []
    for asked in experiment.requests:
        record = fresh.get(asked.key) or _stored_or_missing(asked, workspace.store)
        if record.done:
            record = remeasure(record, asked.cell, workspace, wanted)
        results.append(Result(asked, record))
    metrics = resolve(wanted.metrics)
    tables = marked(comparison(results, wanted.ks, metrics), metrics, workspace.store, rules)
    files.write(
        *(folder, experiment.name, results, wanted.ks, metrics, experiment.commands),
        store=workspace.store,
        tables=tables,
    )
    print_tables(experiment.name, results, wanted.ks, metrics, folder, tables=tables)
    tracking.finish(tracker, results, folder)
    return 0


def _selected(experiment: Experiment, cells: CellFilter | None) -> Experiment:
    """The experiment with the cells that a filter keeps alone."""
    if cells is None:
        return experiment
    asked = select(experiment.requests, cells, f"experiment {experiment.name!r}")
    return Experiment(experiment.name, tuple(asked), experiment.commands)


def _stored_or_missing(asked: CellRequest, store: Store) -> Record:
    """What is stored of a cell, or that nothing is and what to do."""
    record, damage = store.readable(asked.key)
    if record is not None:
        return record
    reason = f"{damage}; run its command again" if damage else NOT_STORED
    return Record(key=asked.key, status="missing", reason=reason, cell=asked.cell)
