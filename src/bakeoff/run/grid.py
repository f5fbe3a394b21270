"""A grid of cells: what is stored, what is missing, what it will take, and running it, without Hydra."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Protocol

from bakeoff.errors import ConfigError, DataError, Unsupported, UsageError
from bakeoff.log import logger
from bakeoff.parameters import Positive, Range, check_parameters
from bakeoff.run.cell import Cell, build_source
from bakeoff.run.isolated import Servers
from bakeoff.run.preflight import DurationEstimator, check_ks, check_splits
from bakeoff.run.resources import environment
from bakeoff.run.runner import EvaluationSpec, Workspace, cut, run_cell
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.record import CellRequest, Record
from bakeoff.storage.store import Store


@dataclass(frozen=True)
class Options:
    """How cells are run; no option changes a number.

    Args:
        rerun: run stored cells again.
        isolate: run each cell in a process of its own; False runs it in this one, for a debugger, unless
            workers > 1 or a limit needs a process.
        debug: raise the first error of a cell, in this process.
        workers: number of cells at the same time.
        time_limit: wall seconds for each cell, or None.
        memory_limit: 10^6 bytes for all processes of each cell, or None.
    """

    rerun: bool = False
    isolate: bool = True
    debug: bool = False
    workers: Annotated[int, Range(1, 256)] = 1
    time_limit: Positive | None = None
    memory_limit: Positive | None = None

    def __post_init__(self) -> None:
        check_parameters(self)

    @property
    def isolated(self) -> bool:
        limits = self.time_limit is not None or self.memory_limit is not None
        return not self.debug and (self.isolate or limits or self.workers > 1)


class Progress(Protocol):
    """Receives the events of a running grid."""

    def start(self, missing: Sequence[CellRequest], stored: int, seconds_left: float | None) -> None: ...
    def begin(self, request: CellRequest) -> None: ...
    def end(self, request: CellRequest, record: Record, seconds_left: float | None) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True)
class Plan:
    """What a run would do.

    Args:
        stored: cells that are done.
        missing: one of each key that is not, in the order they would run.
        refused: key -> why a cell cannot run, known before the first fit: an error of the user's in its data
            or its cutoffs (it fails), or `Unsupported` where a split cannot cut good data (it is skipped).
        refitted: keys of missing cells that are done, but without the saved model that is requested.
        damaged: key -> what is wrong with the stored record of a missing cell.
    """

    requests: tuple[CellRequest, ...]
    stored: tuple[CellRequest, ...]
    missing: tuple[CellRequest, ...]
    refused: Mapping[str, UsageError | Unsupported] = field(default_factory=dict)
    refitted: frozenset[str] = frozenset()
    damaged: Mapping[str, str] = field(default_factory=dict)


def plan(
    requests: Sequence[CellRequest], store: Store, *, rerun: bool = False, save_model: bool = False
) -> Plan:
    """Sort cells by what is stored (with save_model: with a model); cells of one split stay together.

    A cell whose record cannot be read is missing.
    """
    ordered = sorted(requests, key=lambda a: (a.cell.data_key, a.cell.split_key, a.order))
    by_key = {a.key: a for a in reversed(ordered)}
    with ThreadPoolExecutor() as threads:  # all files are hashed, which the interpreter's lock does not stop
        records = dict(zip(by_key, threads.map(store.readable, by_key), strict=True))
    done = {k for k, (record, _) in records.items() if not rerun and record is not None and record.done}
    damaged = {k: what for k, (_, what) in records.items() if what}
    refitted = frozenset(k for k in done if save_model and not store.model_answered(k))
    done -= refitted
    missing = [a for a in ordered if by_key[a.key] is a and a.key not in done]
    stored = tuple(a for a in ordered if a.key in done)
    return Plan(tuple(ordered), stored, tuple(missing), refitted=refitted, damaged=damaged)


def prepare(planned: Plan, workspace: Workspace, spec: EvaluationSpec) -> Plan:
    """Load data, cut splits and check everything that can be checked before the first fit.

    A cell that cannot run is refused with its reason, the others go on.

    Raises:
        UsageError: no cell can run; then nothing has been written.
    """
    broken: dict[str, UsageError] = {}
    refused, _ = check_splits(planned.requests, lambda cell: _check_split(cell, workspace, spec, broken))
    missing = tuple(a for a in planned.missing if a.key not in refused)
    return replace(planned, missing=missing, refused=refused)


def _check_split(
    cell: Cell, workspace: Workspace, spec: EvaluationSpec, broken: dict[str, UsageError]
) -> None:
    store = workspace.store
    if cell.data_key in broken:
        raise broken[cell.data_key]
    damages = [*store.set_aside_split(cell.split_key), *(of_data := store.set_aside_data(cell.data_key))]
    for damage in damages:
        logger.warning("%s; it is set aside and made again", damage)
    if store.has_split(cell.split_key):
        catalogue = store.split(cell.split_key).train.n_items
        if of_data:
            store.write_data(cell.data_key, workspace.dataset(cell))
    else:
        try:
            dataset = workspace.dataset(cell)
        except UsageError as error:
            broken[cell.data_key] = error
            raise
        split = cut(cell, dataset)
        catalogue = split.train.n_items
        check_ks(spec, catalogue, cell)
        store.write_data(cell.data_key, dataset)
        store.write_split(cell.split_key, split, cell.data_key)
    check_ks(spec, catalogue, cell)


def check_same_data(experiment: Experiment, requests: Iterable[CellRequest]) -> None:
    """Refuse to add to an experiment whose data have changed since its splits were stored.

    Raises:
        DataError: the same data set, split and seed now mean other content.
    """

    def coordinates(a: CellRequest) -> tuple[Any, ...]:
        cell = a.cell
        return (
            *(cell.dataset_name, cell.dataset_variant, cell.split_name, cell.split_variant),
            *(cell.split_seed, cell.fold),
        )

    stored = {coordinates(a): a.cell for a in experiment.requests}
    for new in requests:
        old = stored.get(coordinates(new))
        if old is None or _same_split(old, new.cell):
            continue
        raise DataError(
            f"data set {new.cell.dataset_name!r}{_changed(old, new.cell)} after experiment "
            f"{experiment.name!r} stored its split {new.cell.split_name!r}; "
            "one table never mixes two: restore it, or use fresh=true or another name"
        )


def _same_split(old: Cell, new: Cell) -> bool:
    try:
        return old.split_key == new.split_key
    except ConfigError:  # a class of the user's, in a file of an earlier version
        return (old.dataset, old.split, old.contents) == (new.dataset, new.split, new.contents)


def _changed(old: Cell, new: Cell) -> str:
    """Return what changed, with its files."""
    if old.contents.get("dataset") != new.contents.get("dataset"):
        files = ", ".join(str(p) for p in build_source(new.dataset).files().values())
        return f"{f' ({files})' if files else ''}: its data file changed"
    if old.contents.get("split") != new.contents.get("split"):
        given = [str(v) for k, v in new.split.items() if k in ("test", "validation") and v]
        return f": the files of split {new.split_name!r} ({', '.join(given)}) changed"
    return ": its configuration changed"


def run(
    planned: Plan,
    workspace: Workspace,
    spec: EvaluationSpec,
    options: Options,
    progress: Progress,
    launch: Callable[[Sequence[CellRequest]], None] | None = None,
    log: Callable[[CellRequest, Record], None] | None = None,
) -> list[Record]:
    """Run what is missing and return the records of all cells asked for, refused ones as failed or skipped.

    Args:
        launch: runs cells elsewhere and returns when they are stored; None: run them here.
        log: gets each cell that has run here.
    """
    estimate = DurationEstimator(workspace.store, planned.requests)
    with ExitStack() as stack:
        servers = None
        if options.isolated and launch is None and planned.missing:
            # Before the bar starts its thread: a process with threads should not fork.
            servers = stack.enter_context(Servers(workspace, min(options.workers, len(planned.missing))))
        stack.callback(progress.stop)
        progress.start(planned.missing, len(planned.stored), estimate.total(planned.missing))
        if launch is not None:
            launch(planned.missing)
        else:
            left = list(planned.missing)
            for request, record in _run_here(planned.missing, workspace, spec, options, progress, servers):
                left.remove(request)
                estimate.learn(request.cell, record)
                progress.end(request, record, estimate.total(left, options.workers))
                if log is not None:
                    log(request, record)
    return [_record_of(a, planned, workspace.store) for a in planned.requests]


def _run_here(
    missing: Sequence[CellRequest],
    workspace: Workspace,
    spec: EvaluationSpec,
    options: Options,
    progress: Progress,
    servers: Servers | None,
) -> Iterator[tuple[CellRequest, Record]]:
    def begin(request: CellRequest) -> Record | None:
        """Return the record of a cell that another process has finished meanwhile."""
        progress.begin(request)
        lacks_model = spec.save_model and not workspace.store.model_answered(request.key)
        meanwhile = None if options.rerun or lacks_model else workspace.store.record(request.key)
        return meanwhile if meanwhile is not None and meanwhile.done else None

    if servers is not None:
        yield from servers.run(missing, spec, begin, options.time_limit, options.memory_limit)
        return
    for request in missing:
        yield request, begin(request) or run_cell(request.cell, workspace, spec, debug=options.debug)


def _record_of(request: CellRequest, planned: Plan, store: Store) -> Record:
    record = store.record(request.key)
    if (error := planned.refused.get(request.key)) is not None:
        refused = Record(
            key=request.key,
            status="skipped" if isinstance(error, Unsupported) else "failed",
            reason=str(error),
            cell=request.cell,
            environment=environment(),
        )
        if record is None or not record.done:  # a later report tells the reason too
            store.write_record(refused)
        return refused
    nothing = "no result was stored; run the command again"
    return record or Record(key=request.key, status="failed", reason=nothing, cell=request.cell)
