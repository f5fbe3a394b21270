"""What the commands do, on plain objects."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bakeoff import tracking
from bakeoff.config.settings import Settings
from bakeoff.errors import ConfigError, Unsupported, UsageError, check_one_name, check_range
from bakeoff.evaluation import catalogue
from bakeoff.evaluation.catalogue import leading_k, resolve
from bakeoff.evaluation.significance import TestConfig
from bakeoff.log import logger
from bakeoff.queries.select import (
    NOT_STORED,
    CellFilter,
    Result,
    select,
    stored_experiment,
    stored_record,
)
from bakeoff.run import grid
from bakeoff.run.cell import Cell
from bakeoff.run.naming import dataset_split_label, split_label
from bakeoff.run.preflight import DurationEstimator, preflight
from bakeoff.run.runner import EvaluationSpec, Workspace, remeasure
from bakeoff.secret import SecretUrl
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.record import CellRequest, Record
from bakeoff.storage.store import DamagedFileError, Store, locked

if TYPE_CHECKING:
    from bakeoff.queries.audit import Finding
    from bakeoff.queries.comparison import Table
    from bakeoff.queries.conventions import ConventionTable
    from bakeoff.queries.robustness import Robustness

UNFINISHED_SHOWN = 3
"""Number of cells without lists that an export names; more are counted."""

EVERY_CELL = CellFilter()

Form = Literal["table", "json"]
"""What a command prints: tables for people, or one JSON document."""

ReportForm = Literal["table", "json", "latex", "markdown", "html"]

Launch = Callable[[Sequence[CellRequest]], None]


@dataclass(frozen=True)
class Request:
    """The cells that a command names, and how they are run, measured and printed.

    Args:
        experiments: name -> cells.
        settings: the scalars of the configuration.
        command: as it was given.
        launch: runs cells elsewhere; None for here.
        form: of the answer.
        quiet: without a progress bar.
    """

    experiments: Mapping[str, Sequence[CellRequest]]
    settings: Settings
    command: str = ""
    launch: Launch | None = None
    form: Form = "table"
    quiet: bool = False

    @property
    def store(self) -> Store:
        return Store(self.settings.results_dir / "store")


def run(request: Request) -> int:
    """Run what is missing and write the reports; return 1 if a cell failed, else 0."""
    from bakeoff.report.render import json
    from bakeoff.report.render.run import progress

    settings, spec = request.settings, request.settings.evaluation
    metrics = resolve(spec.metrics)
    tracking.check(settings.mlflow)
    workspace, reported = Workspace(request.store), []
    for name, requests in request.experiments.items():
        folder = settings.results_dir / name
        _before(request, name, requests)
        if n := request.store.remove_leftovers(folder, folder / "charts"):
            logger.debug("removed %d temporary files that dead processes left", n)
        logger.debug("experiment %s: load data, cut splits and check them", name)
        planned = grid.prepare(_planned(request, requests), workspace, spec)
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):  # another command may have added cells meanwhile
            before, damage = _before(request, name, requests)
            if damage:
                request.store.set_aside(folder / "experiment.json")
                logger.warning("%s; it is set aside and written anew with the cells of its report", damage)
            before.with_cells(requests, request.command).write(folder)
        for key, damage in planned.damaged.items():
            request.store.set_aside_cell(key)
            logger.warning("%s; it is set aside and the cell is run again", damage)
        tracker = None if settings.mlflow is None else tracking.Tracker(settings.mlflow, name)
        shown = progress(quiet=request.quiet)
        log = None if tracker is None else tracker.cell
        records = grid.run(planned, workspace, spec, settings.options, shown, request.launch, log)
        with locked(folder):  # of several commands, the last one reports the cells of all
            experiment = Experiment.read(folder, name).with_cells(requests, request.command)
            results = _results(experiment, workspace, spec, {r.key: r for r in records})
            tables = _report(experiment, folder, results, workspace, spec, settings.tests, request.form)
        if tracker is not None:
            tracker.finish(results, folder)
        reported.append(json.Reported(name, folder, results, tables))
    if request.form == "json":
        json.write(json.experiments(reported, spec.ks, metrics))
    requested = {r.key for requests in request.experiments.values() for r in requests}
    statuses = {r.record.status for report in reported for r in report.results if r.request.key in requested}
    return int("failed" in statuses)


def _before(request: Request, name: str, requests: Sequence[CellRequest]) -> tuple[Experiment, str]:
    """Return an experiment as it is stored, if it can take these cells, and "".

    If the file is damaged: return the cells of its report that are stored, and the fault.
    A report whose cells the store does not have stays as it is, as where only the report's folder was copied.
    """
    from bakeoff.report.readback import finished

    folder, store = request.settings.results_dir / name, request.store
    before, damage = Experiment(name), ""
    try:
        if not request.settings.fresh:
            before = Experiment.read(folder, name)
    except DamagedFileError as error:
        damage, records = error.fault, [store.readable(key)[0] for key in finished(folder)]
        before = Experiment(name, tuple(CellRequest(r.key, r.cell) for r in records if r is not None))
    grid.check_same_data(before, requests)
    others = {r.key for r in before.requests} - {r.key for r in requests}
    files = {key: store.cell_folder(key) / "record.json" for key in finished(folder) if key in others}
    lost = [key for key, file in files.items() if not file.exists()]
    if lost:
        raise UsageError(
            f"{folder}: its report has numbers of {len(lost)} cells that {store.root} does not have and this "
            f"command does not run, such as {lost[0]}; give name=... for another report, or fresh=true"
        )
    return before, damage


def _planned(request: Request, requests: Sequence[CellRequest]) -> grid.Plan:
    rerun, save_model = request.settings.options.rerun, request.settings.evaluation.save_model
    return grid.plan(requests, request.store, rerun=rerun, save_model=save_model)


def plan(request: Request) -> int:
    """Print what would run, what is stored, what will be skipped, and an estimate; write nothing."""
    from bakeoff.report.render import json
    from bakeoff.report.render.run import cell_rows, print_plan

    rows = []
    resolve(request.settings.evaluation.metrics)
    for name, requests in request.experiments.items():
        _, damage = _before(request, name, requests)
        if damage:
            logger.warning("%s; a run sets it aside and writes it anew", damage)
        planned = _planned(request, requests)
        outlook = preflight(planned.requests, request.store, request.settings.evaluation)
        estimate = DurationEstimator(request.store, planned.requests)
        if request.form == "json":
            rows += cell_rows(name, planned, outlook, estimate)
        else:
            print_plan(name, planned, outlook, estimate, request.settings.options.workers)
    if request.form == "json":
        json.write({"experiments": list(request.experiments), "cells": rows})
    return 0


def describe(request: Request) -> int:
    """Print what the data look like, whole and under each split; write nothing."""
    from rich.console import Console

    from bakeoff.data.describe import describe as description_of
    from bakeoff.report.render import json
    from bakeoff.report.render.describe import render
    from bakeoff.run.runner import cut

    by_data: dict[str, dict[str, Cell]] = {}
    for cell in (r.cell for requests in request.experiments.values() for r in requests):
        by_data.setdefault(cell.data_key, {}).setdefault(cell.split_key, cell)
    descriptions = []
    for cells in by_data.values():
        dataset = Workspace(request.store).dataset(next(iter(cells.values())))
        try:
            splits = [
                (f"{split_label(cell)}, split_seed={cell.split_seed}", cut(cell, dataset))
                for cell in cells.values()
            ]
        except Unsupported as error:
            raise UsageError(str(error)) from error
        descriptions.append(description_of(dataset, splits))
        if request.form == "table":
            render(descriptions[-1], Console())
    if request.form == "json":
        json.write({"datasets": descriptions})
    return 0


VERBS: Mapping[str, Callable[[Request], int]] = {"run": run, "plan": plan, "describe": describe}


def report(
    name: str,
    results_dir: Path,
    k: Sequence[int] | None = None,
    metrics: Mapping[str, str] | None = None,
    test_config: TestConfig | None = None,
    mlflow: SecretUrl | None = None,
    cells: CellFilter = EVERY_CELL,
    form: ReportForm = "table",
    table: bool = False,
    intervals: bool = False,
    conventions: Sequence[str] = (),
) -> int:
    """Write the reports of a stored experiment again, with other cutoffs or metrics if given; fit nothing.

    Args:
        cells: which of its cells the reports hold.
        table: print one table for a paper in the form, Markdown by default, and write no file.
        intervals: whether that table shows half of each interval.
        conventions: libraries; print what each would have printed in the form, and write no file.

    Raises:
        UsageError: no such experiment, none of its cells in the store, or a k beyond the stored lists.
    """
    from bakeoff.report.render import json

    if conventions:
        if metrics or table or intervals or mlflow:
            raise ConfigError("conventions= has metrics of its own and writes no file; leave out the rest")
        return _print_conventions(catalogue.conventions(conventions), name, results_dir, k, cells, form)
    if form not in ("table", "json") and not table:
        raise ConfigError(f"--format {form} is a form of one table; write it as --table --format {form}")
    tracking.check(mlflow)
    experiment, folder = _selected(stored_experiment(name, results_dir), cells), results_dir / name
    workspace = Workspace(Store(results_dir / "store"))
    records = _stored_records(experiment, workspace.store)
    evaluation = EvaluationSpec(_cutoffs(k, experiment, records), metrics or catalogue.default_paths())
    measured = _results(experiment, workspace, evaluation, {})
    if table:
        _print_paper_table(
            measured, workspace, evaluation, test_config or TestConfig(), cells, form, intervals
        )
        return 0
    shown: Form = "json" if form == "json" else "table"
    with locked(folder):
        tables = _report(
            experiment, folder, measured, workspace, evaluation, test_config or TestConfig(), shown
        )
    if mlflow is not None:
        tracking.Tracker(mlflow, name).finish(measured, folder)
    if form == "json":
        reported = json.Reported(name, folder, measured, tables)
        json.write(json.experiments([reported], evaluation.ks, evaluation.metrics))
    return 0


def _stored_records(experiment: Experiment, store: Store) -> list[Record]:
    """Return the record of each cell; raise UsageError if the store has none of them."""
    records = [stored_record(request, store) for request in experiment.requests]
    if all(record.status == "missing" for record in records):
        damages = [record.reason for record in records if record.reason != NOT_STORED]
        nothing = (
            f"{store.root}: it holds no cell of experiment {experiment.name!r}; its reports stay as they are"
        )
        raise UsageError(damages[0] if damages else nothing)
    return records


def explain(
    names: Sequence[str],
    results_dir: Path,
    k: Sequence[int] | None = None,
    cells: CellFilter = EVERY_CELL,
    form: ReportForm = "table",
) -> int:
    """Print all formulas of a word with their values on the toy lists and, with a name, on an experiment."""
    if not 1 <= len(names) <= 2:
        raise ConfigError(
            f"explain: expected a word, and perhaps a name, got {len(names)}; see bakeoff explain --help"
        )
    same = catalogue.conventions(word=names[0])
    if len(names) == 2:
        return _print_conventions(same, names[1], results_dir, k, cells, form, explained=True)
    if k or cells != EVERY_CELL:
        raise ConfigError("explain: k= and the choice of cells need an experiment: bakeoff explain WORD NAME")
    from bakeoff.queries.conventions import explained

    _print_convention_tables([explained(same, None)], None, form)
    return 0


def _print_conventions(
    names: Sequence[catalogue.Convention],
    name: str,
    results_dir: Path,
    k: Sequence[int] | None,
    cells: CellFilter,
    form: ReportForm,
    *,
    explained: bool = False,
) -> int:
    """Print the values of conventions for the models of an experiment, by default at its leading cutoff."""
    from bakeoff.queries import conventions as by_convention
    from bakeoff.queries.comparison import comparison

    experiment = _selected(stored_experiment(name, results_dir), cells)
    workspace = Workspace(Store(results_dir / "store"))
    records = _stored_records(experiment, workspace.store)
    ks = _cutoffs(k or [leading_k(_cutoffs(None, experiment, records))], experiment, records)
    paths = catalogue.metric_paths(list(dict.fromkeys(c.metric for c in names)))
    results = _results(experiment, workspace, EvaluationSpec(ks, paths), {})
    make = by_convention.explained if explained else by_convention.as_printed
    tables = [
        make(names, table, cutoff) for table in comparison(results, ks, resolve(paths)) for cutoff in ks
    ]
    _print_convention_tables(tables, ks, form)
    return 0


def _print_convention_tables(
    tables: Sequence[ConventionTable], ks: Sequence[int] | None, form: ReportForm
) -> None:
    from bakeoff.report.render import json
    from bakeoff.report.render.conventions import print_conventions

    if form == "json":
        json.write({"k": ks, "tables": tables})
    else:
        for table in tables:
            print_conventions(table, form)


def _print_paper_table(
    results: Sequence[Result],
    workspace: Workspace,
    evaluation: EvaluationSpec,
    test_config: TestConfig,
    cells: CellFilter,
    form: ReportForm,
    intervals: bool,
) -> None:
    from bakeoff.queries.comparison import comparison
    from bakeoff.queries.pairs import with_uncertainty
    from bakeoff.report.render import json, paper

    metrics = resolve(evaluation.metrics)
    tables = with_uncertainty(
        comparison(results, evaluation.ks, metrics), metrics, workspace.store, test_config
    )
    labels = {r.request.key: row.label for table in tables for row in table.rows for r in row.results}
    order = list(dict.fromkeys(labels[r.request.key] for r in results)) if cells.models else []
    made = paper.paper_table(tables, metrics, order, intervals=intervals)
    if form == "json":
        json.write(paper.as_document(made))
    else:
        sys.stdout.write(paper.render(made, "markdown" if form == "table" else form))


def _cutoffs(ks: Sequence[int] | None, experiment: Experiment, records: Sequence[Record]) -> tuple[int, ...]:
    """Return the cutoffs of a report: those given, else all that were measured, else the leading one.

    Raises:
        ConfigError: one is not within the stored lists.
    """
    depth = min(request.cell.depth for request in experiment.requests)
    measured = {k for record in records if record.done for k in record.ks}
    cutoffs = tuple(ks or sorted(measured) or [min(leading_k(()), depth)])
    for k in cutoffs:
        check_range("k", k, 1, integer=True)
        if k > depth:
            raise ConfigError(f"k={k} is larger than depth={depth}, the length of the stored lists")
    return cutoffs


def export(
    name: str,
    results_dir: Path,
    to: Path | None = None,
    cells: CellFilter = EVERY_CELL,
    form: Form = "table",
    preset: Path | None = None,
    trust: bool = False,
) -> int:
    """Write train, test and lists of a cell (KEY), or of every cell of an experiment (NAME), as Parquet.

    Args:
        to: the folder; None writes the preset alone.
        cells: which cells of the experiment.
        preset: the YAML file for the model of a cell (KEY or NAME/MODEL) with its final hyperparameters.
        trust: whether the preset may name a class that bakeoff does not ship.

    Raises:
        UsageError: no such cell or experiment, a folder that holds something else, or a cell without lists;
            the others of an experiment are exported.
    """
    from bakeoff.queries import params_from
    from bakeoff.report.export import export_cell, export_cells

    if to is None and preset is None:
        raise ConfigError("export: no folder to write to; give one as --to DIR")
    store = Store(results_dir / "store")
    if preset is not None:
        params_from.write(name, preset, results_dir, trust=trust)
        logger.info("wrote %s", preset)
    if to is None:
        return 0
    if store.record(name) is not None:
        export_cell(name, to, Workspace(store))
        _print_exported({name: to}, form)
        return 0
    experiment = _selected(stored_experiment(name, results_dir, "experiment or cell"), cells)
    records = {request.key: store.record(request.key) for request in experiment.requests}
    unfinished = [(key, record) for key, record in records.items() if record is None or not record.done]
    finished = [key for key in records if key not in dict(unfinished)]
    if finished:
        export_cells(finished, to, Workspace(store))
        _print_exported({key: to / key for key in finished}, form)
    if unfinished:
        reasons = [
            f"{key} ({'has not run' if record is None else f'{record.status}: {record.reason}'})"
            for key, record in unfinished[:UNFINISHED_SHOWN]
        ]
        more = len(unfinished) - len(reasons)
        raise UsageError(
            f"{len(unfinished)} of {len(records)} cells have no lists to export: {'; '.join(reasons)}"
            f"{f' and {more} more' if more else ''}; {len(finished)} others exported"
        )
    return 0


def compare(
    names: Sequence[str],
    results_dir: Path,
    name: str | None,
    cells: CellFilter,
    k: Sequence[int] | None,
    metrics: Mapping[str, str] | None,
    gate: str | None,
    tolerance: float | None,
    non_inferior: float | None,
    users: int,
    test_config: TestConfig,
    form: Form,
) -> int:
    """Print the comparison of A with B; with a gate its answer is the exit code.

    0: promoted, 3: rejected, 4: undecided.
    """
    from bakeoff.queries import compare as comparing
    from bakeoff.report.render import json
    from bakeoff.report.render.compare import print_comparison, print_decision

    if len(names) != 2:
        raise ConfigError(f"compare: expected two names, got {len(names)}; see bakeoff compare --help")
    for option, value in (("tolerance", tolerance), ("non_inferior", non_inferior)):
        if value is not None and gate is None:
            raise ConfigError(f"compare: {option}= belongs to a gate; give one as --gate ndcg@10")
    a, b = names
    request = comparing.CompareRequest(
        a,
        b,
        results_dir,
        name,
        cells,
        tuple(k or ()),
        metrics or {},
        gate,
        tolerance or 0.0,
        non_inferior,
        users,
        test_config,
    )
    comparisons = comparing.compare(request)
    decision = None if gate is None else comparing.decide(comparisons, request)
    if form == "json":
        json.write(json.comparisons(comparisons, request, decision))
    else:
        for one in comparisons:
            print_comparison(one, request)
        if decision is not None:
            print_decision(decision, comparisons, request)
    return 0 if decision is None else comparing.EXIT_CODES[decision.answer]


def _print_exported(folders: Mapping[str, Path], form: Form) -> None:
    """Print the folder of each exported cell."""
    from rich.console import Console

    from bakeoff.report.export import NAMES
    from bakeoff.report.render import json
    from bakeoff.report.render.console import say

    files = [f"{name}.parquet" for name in NAMES]
    if form == "json":
        json.write({"cells": [{"key": k, "folder": str(f), "files": files} for k, f in folders.items()]})
        return
    for folder in folders.values():
        say(Console(), f"wrote {folder}: {', '.join(files)}")


def recommend(
    name: str,
    results_dir: Path,
    user: str | None,
    items: tuple[str, ...] | None,
    similar_to: str | None,
    k: int,
    cells: CellFilter,
    format: str | None,
    to: Path | None,
    trust: bool = False,
) -> int:
    """Show what each model of an experiment recommends, or write it (see `render.recommend.deliver`).

    Args:
        trust: whether classes that the experiment names may be imported, though bakeoff does not ship them.
    """
    from bakeoff.queries.recommend import RecommendRequest, answer
    from bakeoff.report.render.recommend import deliver, form_of

    if sum(value is not None for value in (user, items, similar_to)) != 1:
        raise ConfigError("recommend: expected one of --user ID, --items A,B,C and --similar-to ITEM")
    request, form = RecommendRequest(user, items, similar_to, k), form_of(format, to)
    experiment = stored_experiment(name, results_dir, trust=trust)
    store = Store(results_dir / "store")
    deliver(answer(request, experiment, cells, store), form, to)
    return 0


def verify(
    name: str,
    results_dir: Path,
    references: Sequence[str] | None = None,
    cells: CellFilter = EVERY_CELL,
    refit: int = 0,
    refit_seed: int | None = None,
    time_limit: float | None = None,
    trust: bool = False,
    form: Form = "table",
) -> int:
    """Hold an experiment to its store, by independent code; return 1 where something differs, else 0.

    Args:
        cells: which of its cells are checked; the reports are compared if it is every cell.
        refit: number of cells to fit again.
        refit_seed: of a random sample of them; None takes the cheapest cells of each model.
        time_limit: seconds in which the fits have to end.
        trust: whether classes and metrics that the experiment names may be imported, though bakeoff does not
            ship them, and its source files read.
    """
    from bakeoff.report import proof
    from bakeoff.report.render import json
    from bakeoff.report.render.verify import print_verification
    from bakeoff.verify.check import verify as check
    from bakeoff.verify.libraries import select_libraries, unavailable_libraries

    check_range("refit", refit, 0, integer=True)
    if time_limit is not None:
        check_range("time_limit", time_limit, above=0)
    libraries = select_libraries(references)
    experiment, store = stored_experiment(name, results_dir, trust=trust), Store(results_dir / "store")
    selected = experiment if cells == EVERY_CELL else _selected(experiment, cells)
    keys = None if selected is experiment else {r.key for r in selected.requests}
    result = check(experiment, results_dir / name, store, libraries, keys)
    proof.follow(selected, experiment.report, store, result, trust=trust)
    if selected is experiment:
        proof.compare(experiment, results_dir / name, store, result, trust=trust)
    if refit:
        from bakeoff.verify.refit import refit_sample

        refit_sample(selected, store, result, refit, refit_seed, time_limit, trust=trust)
    if form == "json":
        json.write({"experiment": name, "agrees": result.agrees, **json.plain(result)})
    else:
        print_verification(name, result, unavailable_libraries() if references is None else ())
    return 0 if result.agrees else 1


def audit(
    names: Sequence[str],
    results_dir: Path,
    train: Path | None = None,
    test: Path | None = None,
    lists: Sequence[Path] = (),
    printed: Path | None = None,
    columns: Sequence[str] = ("user", "item", "time"),
    k: Sequence[int] | None = None,
    metrics: Mapping[str, str] | None = None,
    cells: CellFilter = EVERY_CELL,
    strict: bool = False,
    form: Form = "table",
) -> int:
    """Print the faults of an experiment, stored or as files; return 1 if there is one, else 0.

    Args:
        names: of a stored experiment; its order of models is compared over settings as well.
        train, test, lists: the files of an experiment that is not stored.
        printed: a file of the numbers that were printed for it.
        columns: names of user, item and time in these files.
        strict: whether a caution is a fault.
    """
    from bakeoff.queries import audit as auditing
    from bakeoff.report.render import json
    from bakeoff.report.render.audit import print_audit

    files = (train, test, lists[0] if lists else None)
    name = None if not names and any(files) else check_one_name("audit", names)
    auditing.check_request(name, files)
    orders: Sequence[Robustness] = ()
    if name is None:
        if k or metrics or cells != EVERY_CELL:
            raise ConfigError("audit: k=, metrics= and the choice of cells need a stored experiment")
        assert train is not None and test is not None
        if len(columns) != 3:
            raise ConfigError(f"columns={','.join(columns)}: expected the names of user, item and time")
        material = auditing.of_files(train, test, lists, printed, (columns[0], columns[1], columns[2]))
        findings = auditing.findings(material)
    else:
        findings, orders = _audit_stored(name, results_dir, k, metrics, cells)
    if form == "json":
        described = [{**json.plain(order), "sentences": order.sentences} for order in orders]
        json.write({"findings": findings, "orders": described})
    else:
        print_audit(findings, orders)
    return int(any(strict or finding.level == "fault" for finding in findings))


def _audit_stored(
    name: str,
    results_dir: Path,
    k: Sequence[int] | None,
    metrics: Mapping[str, str] | None,
    cells: CellFilter,
) -> tuple[list[Finding], list[Robustness]]:
    """Return the findings in a stored experiment, and how far its order of models holds."""
    from bakeoff.queries import audit as auditing
    from bakeoff.queries.robustness import robustness
    from bakeoff.report import proof
    from bakeoff.run.naming import row_labels

    experiment = _selected(stored_experiment(name, results_dir), cells)
    workspace = Workspace(Store(results_dir / "store"))
    records = _stored_records(experiment, workspace.store)
    measured = {metric for record in records for metric in record.metrics}
    paths = metrics or {metric: path for metric, path in _every_path().items() if metric in measured}
    spec = EvaluationSpec(_cutoffs(k, experiment, records), paths)
    results = _results(experiment, workspace, spec, {})
    tables = proof.tables(results, spec.ks, resolve(spec.metrics), workspace.store, TestConfig())
    findings = [finding for table in tables for finding in auditing.of_table(table)]
    labels = dict(zip((r.key for r in experiment.requests), row_labels(experiment.requests), strict=True))
    by_split: dict[str, list[Result]] = {}
    for result in results:
        if result.record.done:
            by_split.setdefault(result.request.cell.split_key, []).append(result)
    for same in by_split.values():
        cell = same[0].request.cell
        title = f"{dataset_split_label(cell)}, split_seed={cell.split_seed}"
        of_split = {r.request.key: labels[r.request.key] for r in same}
        material = auditing.of_split(title, cell, workspace.split(cell), of_split, workspace.store)
        findings += auditing.findings(material)
    return findings, robustness(tables, resolve(spec.metrics), workspace.store)


def _every_path() -> dict[str, str]:
    return {name: metric.path for name, metric in catalogue.shipped().items()}


def doctor(results_dir: Path, form: Form) -> int:
    """Print what an installation and a store are like; return 1 if there is something to mend, else 0."""
    from rich.console import Console

    from bakeoff.report.render import json
    from bakeoff.report.render.console import say
    from bakeoff.verify.doctor import diagnose

    diagnosis = diagnose(results_dir)
    if form == "json":
        json.write(json.plain(diagnosis))
    else:
        console = Console()
        for name, text in diagnosis.facts.items():
            say(console, f"{name:12}{text}")
        for complaint in diagnosis.complaints:
            say(console, complaint.found, style="bold")
            say(console, f"  mend it by: {complaint.mend}")
        n = len(diagnosis.complaints)
        say(console, f"{n} {'fault' if n == 1 else 'faults'}" if n else "nothing is amiss", style="bold")
    return int(bool(diagnosis.complaints))


def list_entries(kind: str, results_dir: Path, config_dirs: Sequence[str], form: Form) -> int:
    """Print what there is of a kind: models, datasets, splits, metrics, presets or experiments."""
    from bakeoff.queries.reference import entries
    from bakeoff.report.render import json
    from bakeoff.report.render.reference import print_entries

    rows = entries(kind, results_dir, config_dirs)
    if form == "json":
        json.write({kind: rows})
    else:
        print_entries(rows)
    return 0


def show(kind: str, name: str, results_dir: Path, config_dirs: Sequence[str], form: Form) -> int:
    """Print what is known of a model, data set, split, tuner, metric, preset or experiment."""
    from bakeoff.queries.reference import reference
    from bakeoff.report.render import json
    from bakeoff.report.render.reference import as_json, print_reference

    entry = reference(kind, name, results_dir, config_dirs)
    if form == "json":
        json.write(as_json(entry))
    else:
        print_reference(entry)
    return 0


def _results(
    experiment: Experiment, workspace: Workspace, evaluation: EvaluationSpec, new: Mapping[str, Record]
) -> list[Result]:
    """Return the results of all cells of an experiment, measured as wanted.

    Args:
        new: the records of cells that have just run, by key; the others are read from the store.
    """
    results = []
    for request in experiment.requests:
        record = new.get(request.key) or stored_record(request, workspace.store)
        if record.done:
            record = remeasure(record, request.cell, workspace, evaluation)
        results.append(Result(request, record))
    return results


def _report(
    experiment: Experiment,
    folder: Path,
    results: Sequence[Result],
    workspace: Workspace,
    evaluation: EvaluationSpec,
    test_config: TestConfig,
    form: Form,
) -> list[Table]:
    """Write every output of an experiment from its results, and return its tables.

    The tables are printed unless JSON is.
    """
    from bakeoff.report import files, proof
    from bakeoff.report.render.console import print_tables

    logger.debug("experiment %s: write the reports", experiment.name)
    metrics = resolve(evaluation.metrics)
    tables = proof.tables(results, evaluation.ks, metrics, workspace.store, test_config)
    files.write(
        *(folder, experiment.name, results, evaluation.ks, metrics, experiment.commands),
        store=workspace.store,
        tables=tables,
    )
    proof.record(folder, experiment, results, evaluation, test_config)
    if form == "table":
        print_tables(experiment.name, results, evaluation.ks, metrics, folder, tables=tables)
    return tables


def _selected(experiment: Experiment, cells: CellFilter) -> Experiment:
    """Return an experiment with the cells that a filter keeps."""
    requests = select(experiment.requests, cells, f"experiment {experiment.name!r}")
    return Experiment(experiment.name, tuple(requests), experiment.commands)
