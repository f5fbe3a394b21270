"""Run, load and query experiments from a notebook.

import bakeoff as bo
run = bo.run(model="als,warp", name="first")
run = bo.load("results/first")
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from bakeoff.arrays import Doubles
from bakeoff.errors import ConfigError, UsageError, check_range, nearest
from bakeoff.evaluation.catalogue import (
    LEADING_K,
    OVERVIEW,
    default_paths,
    leading_k,
    metric_paths,
    resolve,
    shipped,
)
from bakeoff.evaluation.metric import EvaluationInputs, Metric
from bakeoff.evaluation.significance import TestConfig
from bakeoff.queries.comparison import Column, Table, comparison, row_names
from bakeoff.queries.pairs import pairwise, with_intervals
from bakeoff.queries.select import CellFilter, Result, experiment_names, select
from bakeoff.report import readback, rows
from bakeoff.report.charts import Chart
from bakeoff.report.view import legend, visible
from bakeoff.run.naming import matches, row_labels
from bakeoff.run.runner import EvaluationSpec, Workspace, remeasure
from bakeoff.splits.base import Split
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.store import Store

if TYPE_CHECKING:
    import pandas as pd
    from altair import Chart as AltairChart

Names = str | Sequence[str] | None

Where = Mapping[str, str | int]
"""Which cells: dataset, split, split_seed, fold, seed or tune, as in CellFilter."""


# -- running and loading -----------------------------------------------------------------------------


def load(folder: str | Path, store: str | Path | None = None) -> Loaded:
    """Return an experiment from its folder, `results/NAME`.

    Args:
        store: its store; None takes the folder `store` beside the experiment's. Without one there are the
            tables of the folder alone: leader boards, but no lists, no values by user, no tests.

    Raises:
        UsageError: the folder holds no experiment, or its tables cannot be read.
    """
    folder = Path(folder)
    if not (folder / "experiment.json").exists():
        hint = nearest(folder.name, experiment_names(folder.parent))
        raise UsageError(f"{folder}: no experiment (no experiment.json in it); {hint}")
    experiment = Experiment.read(folder, folder.name)
    workspace = Workspace(Store(folder.parent / "store" if store is None else store))
    stored = {a.key: workspace.store.record(a.key) for a in experiment.requests}
    bare = frozenset(key for key, record in stored.items() if record is None)
    results = [Result(a, r) for a in experiment.requests if (r := stored[a.key]) is not None]
    if bare:
        results = [Result(a, stored[a.key] or r) for a, r in readback.results(folder, experiment)]
    return Loaded(experiment, folder, tuple(results), workspace, bare)


def run(*words: str, **options: object) -> Loaded:
    """Run what is missing of a grid, write its reports, and return the experiment, as `bakeoff run` does.

        bo.run("model.build.factors=32,64", dataset="ml_100k", model="als", k=[5, 10], name="factors")

    Args:
        words: as on the command line.
        options: the same as keywords; a list is a list (`k=[5, 10]`), a string may hold several values
            ("als,warp").

    Cells that failed do not raise: `run.cells` says why.

    Raises:
        UsageError: what the command line answers with exit code 2; several experiments and no name.
    """
    from bakeoff.cli import command_line
    from bakeoff.config.compose import Session, run_session

    overrides = [*words, *(f"{key}={_word(value)}" for key, value in options.items())]
    with warnings.catch_warnings():
        # implicit imports tqdm, which misses ipywidgets for a bar that is not shown
        warnings.filterwarnings("ignore", message="IProgress not found")
        session = run_session(Session("run", command_line("run", overrides), single=True))
    return load(session.folders[0])


def _word(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"[{','.join(_word(v) for v in value)}]" if isinstance(value, list | tuple) else str(value)


@dataclass(frozen=True, eq=False)
class Loaded:
    """A loaded experiment. In a notebook it shows its leader board; `run.cells` says what ran.

    Args:
        experiment: its name, its cells and the commands that requested them.
        folder: of its tables and reports.
        results: every requested cell with its record.
        workspace: the store.
        bare: keys of cells that are not in the store: what is known of them stands in the folder's tables.
    """

    experiment: Experiment
    folder: Path
    results: tuple[Result, ...]
    workspace: Workspace
    bare: frozenset[str]

    # -- tables ----------------------------------------------------------------------------------

    @property
    def metrics(self) -> pd.DataFrame:
        """The rows of `metrics.csv`, one for each cell, metric and cutoff, never averaged."""
        frame: pd.DataFrame = rows.frame_of(rows.METRIC_COLUMNS, rows.metric_rows(self.results, self._ks))
        return frame

    @property
    def cells(self) -> pd.DataFrame:
        """The rows of `cells.csv`, with the status, parameters, seconds and memory of each cell."""
        frame: pd.DataFrame = rows.frame_of(rows.CELL_COLUMNS, rows.cell_rows(self.results))
        return frame

    def leaderboard(
        self,
        k: int | Iterable[int] = LEADING_K,
        metrics: Names = None,
        dataset: str | None = None,
        split: str | None = None,
    ) -> pd.DataFrame:
        """Return a row for each model: means, their 95 % intervals, and the number of repetitions.

        Args:
            k: cutoffs; one that was not measured is measured now from the stored lists.
            metrics: names, or import paths of your own; None takes the usual ones. The first one sorts.
            dataset, split: by name; None takes all.

        Returns a frame: dataset, split, model, settings, status, runs (repetitions that are done), fits (the
        different ones among them), and for each metric `ndcg@10`, `ndcg@10_low`, `ndcg@10_high`. The numbers
        are those of the report. An interval is over users, and over fits where there are several; it is NaN
        where the metric is one number for the whole set of lists and there are fewer than three fits.
        """
        query = metric_query(self.results, k, metrics)
        tables = self._tables(self._measured(query, dataset, split), query.ks, query.metrics)
        higher = {name: m.higher_is_better for name, m in query.metrics.items()}
        board: pd.DataFrame = rows.leaderboard(tables, query.columns(tables), higher)
        return board

    def compare(
        self,
        first: str | None = None,
        second: str | None = None,
        metrics: Names = None,
        k: int = LEADING_K,
        dataset: str | None = None,
        split: str | None = None,
        **test_options: Any,
    ) -> pd.DataFrame:
        """Return paired differences of two models over users, first less second, with interval and p.

        Args:
            first, second: models by name, label (`als (factors=8, tune=optuna)`) or key; None takes all.
            metrics: None takes the first one of the overview.
            rules: of the test: `test`, `correction`, `resamples`, `seed`, `confidence`.

        Returns a frame with a row for each pair. `p_corrected` is corrected over all pairs of models of the
        table, `wins` are users for whom the first is better, `effect` is Cohen's d_z.

        Raises:
            UsageError: no such model, or what cannot be tested, with the reason.
        """
        import pandas as pd

        for name in (first, second):
            self._select(name)
        if first is not None and first == second:
            raise UsageError(f"compare: first and second are both {first!r}; expected two models")
        query = metric_query(self.results, k, metrics)
        results = self._measured(query, dataset, split)
        self._need(results, "values by user")
        tables = comparison(results, query.ks, query.metrics)
        columns = query.columns(tables)[: None if metrics is not None else 1]
        pairs: list[dict[str, Any]] = []
        for table in tables:
            tests = pairwise(table, query.metrics, self.workspace.store, TestConfig(**test_options), columns)
            for column, reason in tests.untested.items():
                raise UsageError(f"{table.title}: {column.metric} cannot be tested: {reason}")
            sides = [None if name is None else _labels(name, table) for name in (first, second)]
            for pair in tests.pairs.values():
                pairs += rows.pairs(table, pair, *sides)
        return pd.DataFrame(pairs)

    # -- what the store holds of each cell -------------------------------------------------------

    def lists(self, model: str | None = None, **where: str | int) -> pd.DataFrame:
        """Return the stored lists in your own ids: a frame of key, model, user, item, rank and score.

        Args:
            model: by name, label or key; None takes all.
            where: dataset, split, split_seed, fold, seed or tune of the cells.
        """
        from bakeoff.report.export import listed

        def read(result: Result) -> Mapping[str, object]:
            split = self.workspace.split(result.request.cell)
            return listed(split, self.workspace.store.lists(result.request.key))

        return self._by_cell(model, where, "lists", read)

    def per_user(self, model: str | None = None, **where: str | int) -> pd.DataFrame:
        """Return values by user: key, model, user, and a column for each metric and cutoff (`ndcg@10`)."""
        store = self.workspace.store
        return self._by_cell(model, where, "values by user", lambda r: store.per_user(r.request.key) or {})

    def tuning(self, model: str | None = None, **where: str | int) -> pd.DataFrame:
        """Return the trials of tuned cells: key, model, number, state, value, seconds, and the parameters."""

        def read(result: Result) -> Mapping[str, object]:
            trials = result.record.tuning.trials if result.record.tuning is not None else ()
            columns = {n: [getattr(t, n) for t in trials] for n in ("number", "state", "value", "seconds")}
            names = dict.fromkeys(n for t in trials for n in t.parameters)
            return columns | {n: [t.parameters.get(n) for t in trials] for n in names}

        return self._by_cell(model, where, "trials", read)

    def split(self, **where: str | int) -> Split:
        """Return the split of the selected cells, for `bo.evaluate`; `where` as for `lists`.

        Raises:
            UsageError: they have several, or the store does not hold it.
        """
        results = self._select(None, where)
        cells = {r.record.split_fingerprint: r.request.cell for r in results if r.record.split_fingerprint}
        if len(cells) != 1:
            raise UsageError(
                f"experiment {self.experiment.name!r}: {len(cells)} splits to choose from; expected one: "
                "give dataset=, split=, split_seed= or fold= (run.cells lists them)"
            )
        (cell,) = cells.values()
        if not self.workspace.store.has_split(cell.split_key):
            self._lacks(results[0].request.key, "the split")
        return self.workspace.split(cell)

    # -- charts ----------------------------------------------------------------------------------

    @cached_property
    def charts(self) -> Mapping[str, Drawing]:
        """The charts of the report by their names."""
        from bakeoff.report.charts import charts

        metrics = metric_query(self.results, self._ks, None).metrics
        tables = self._tables(self.results, self._ks, metrics)
        sections = charts(tables, metrics, None if self.bare else self.workspace.store)
        return {chart.id: Drawing(chart) for section in sections for chart in section.charts}

    def chart(self, name: str | None = None) -> Drawing:
        """Return a chart of the report by its name, by default the first one, the leader board."""
        if not self.charts:
            raise UsageError(f"experiment {self.experiment.name!r}: no cell has numbers to draw")
        if name is not None and name not in self.charts:
            raise UsageError(f"chart {name!r}: {nearest(name, self.charts)}")
        return self.charts[next(iter(self.charts)) if name is None else name]

    # -- showing itself --------------------------------------------------------------------------

    def __repr__(self) -> str:
        done = sum(r.record.done for r in self.results)
        text = f"Experiment {self.experiment.name} in {self.folder}: {done} of {len(self.results)} cells done"
        if self.bare:
            store = self.workspace.store.root
            text += (
                f"; {len(self.bare)} are not in the store {store}: tables only, no lists, no values by user"
            )
        return visible(text)

    def _repr_html_(self) -> str:
        from bakeoff.report.render import html

        k = leading_k(self._ks)
        tables = self._tables(self.results, (k,), metric_query(self.results, k, None).metrics)
        notes = dict.fromkeys(legend(table) for table in tables if legend(table))
        return html.fragment(repr(self), (html.grid(t, k, OVERVIEW) for t in tables), notes)

    # -- inside ----------------------------------------------------------------------------------

    def _tables(
        self, results: Sequence[Result], ks: Sequence[int], metrics: Mapping[str, Metric]
    ) -> list[Table]:
        """Return the tables with their intervals, which need the values by user of the store."""
        config = TestConfig()
        return [
            table if self.bare else with_intervals(table, metrics, self.workspace.store, config)
            for table in comparison(results, ks, metrics)
        ]

    @property
    def _ks(self) -> list[int]:
        return sorted({k for r in self.results for k in r.record.ks})

    def _select(self, model: str | None, where: Where | None = None) -> list[Result]:
        """Return the results of the selected cells, each cell once."""
        names = [f.name for f in fields(CellFilter) if f.name != "models"]
        for name in where or ():
            if name not in names:
                raise UsageError(f"{name}=: {nearest(name, names)}")
        options: dict[str, Any] = dict(where or {})
        which = CellFilter(models=() if model is None else (model,), **options)
        return list({r.request.key: r for r in reversed(select(self.results, which))}.values())[::-1]

    def _measured(self, query: MetricQuery, dataset: str | None, split: str | None) -> list[Result]:
        """Return the results of a data set and split; measure missing metrics from the stored lists."""
        return [self._with(query, r) for r in select(self.results, CellFilter(dataset, split))]

    def _with(self, query: MetricQuery, result: Result) -> Result:
        missing = query.missing(result)
        if not missing:
            return result
        cell = result.request.cell
        if max(query.ks) > cell.depth:
            raise ConfigError(
                f"k={max(query.ks)} is larger than depth={cell.depth}, the length of the stored lists"
            )
        if result.request.key in self.bare:
            self._lacks(result.request.key, " and ".join(missing))
        spec = EvaluationSpec(query.ks, {**default_paths(), **query.paths})
        return Result(result.request, remeasure(result.record, cell, self.workspace, spec))

    def _by_cell(
        self,
        model: str | None,
        where: Where,
        what: str,
        read: Callable[[Result], Mapping[str, object]],
    ) -> pd.DataFrame:
        """Return one frame with what `read` returns for each selected cell that is done."""
        import pandas as pd

        results = [r for r in self._select(model, where) if r.record.done]
        self._need(results, what)
        parts = []
        labels = row_labels([r.request for r in self.results])
        by_key = {r.request.key: text for r, text in zip(self.results, labels, strict=True)}
        for result in results:
            frame = pd.DataFrame(dict(read(result)))
            frame.insert(0, "key", result.request.key)
            frame.insert(1, "model", by_key[result.request.key])
            parts.append(frame)
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["key", "model"])

    def _need(self, results: Iterable[Result], what: str) -> None:
        for result in results:
            if result.request.key in self.bare:
                self._lacks(result.request.key, what)

    def _lacks(self, key: str, what: str) -> NoReturn:
        again = f": run {self.experiment.commands[-1]!r} again" if self.experiment.commands else ""
        raise UsageError(
            f"cell {key} has no record in the store {self.workspace.store.root}, and the tables in "
            f"{self.folder} do not hold {what}: bring the store of the experiment, or make it anew{again}"
        )


def _labels(model: str, table: Table) -> list[str]:
    """Return the labels of the rows of a table that a name, label or key selects."""
    names = [name for name, _ in row_names(table.rows)]
    return [names[at].label for at in matches(model, names)]


# -- metrics and charts ------------------------------------------------------------------------------


@dataclass(frozen=True)
class MetricQuery:
    """Requested cutoffs and metrics.

    Args:
        ks: ascending.
        metrics: by name, in the requested order.
        paths: import paths of those that can be measured now.
        shown: names of the metrics to show.
    """

    ks: tuple[int, ...]
    metrics: Mapping[str, Metric]
    paths: Mapping[str, str]
    shown: tuple[str, ...]

    def missing(self, result: Result) -> list[str]:
        """Return the cutoffs and metrics that a finished result does not have: "k=50", "novelty"."""
        record = result.record
        if not record.done:
            return []
        named = set(record.metrics) | set(record.absent)
        cutoffs = [f"k={k}" for k in self.ks if k not in set(record.ks)]
        return [*cutoffs, *(n for n in self.metrics if n not in named)]

    def columns(self, tables: Iterable[Table]) -> list[Column]:
        """Return the columns to show that the tables have, in order.

        Raises:
            UsageError: a requested metric that no row has.
        """
        tables = list(tables)
        measured = {c for table in tables for c in table.columns}
        columns = []
        for name in self.shown:
            own = [Column(name, k) for k in (*self.ks, None) if Column(name, k) in measured]
            if not own:
                absent = [item for t in tables for r in t.rows for item in r.absent.items()]
                reasons = [why for metric, why in absent if metric.partition("@")[0] == name]
                raise UsageError(
                    f"metric {name!r} has no value at k={list(self.ks)}: {(reasons or ['not measured'])[0]}"
                )
            columns += own
        return columns


def metric_query(results: Iterable[Result], k: int | Iterable[int], metrics: Names) -> MetricQuery:
    """Return the requested cutoffs and metrics; None takes all that were measured and shows the overview.

    Raises:
        ConfigError: a cutoff below 1, or a name that no metric has.
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
    resolved = {**resolve(paths), **{n: _stored_only(measured[n]) for n in own}}
    requested = tuple(n if n in own else n.rpartition(".")[2] for n in names)
    shown = requested if metrics is not None else tuple(n for n in (*OVERVIEW, *own) if n in resolved)
    return MetricQuery(ks, {n: resolved[n] for n in requested}, paths, shown)


def _stored_only(by_k: Mapping[str, tuple[float, float | None]]) -> Metric:
    """Return a metric without a direction, for stored values whose definition is not available."""

    def compute(inputs: EvaluationInputs, ks: Sequence[int]) -> Doubles:
        raise UsageError("only the stored values of this metric are known: name it by its import path")

    return Metric(compute, None, any(e is not None for _, e in by_k.values()), "" not in by_k)


@dataclass(frozen=True, eq=False)
class Drawing:
    """One chart with its data in it: `spec` is Vega-Lite, `altair()` gives Altair's object of it.

    A notebook that knows Vega-Lite shows the chart that one can choose in and point at, every other one the
    same chart as a still picture. Neither asks any other address for anything.
    """

    chart: Chart

    @property
    def spec(self) -> dict[str, Any]:
        """The Vega-Lite specification."""
        return self.chart.spec

    @cached_property
    def svg(self) -> str:
        """The chart as it is before anybody chooses, drawn here."""
        import vl_convert

        drawn: str = vl_convert.vegalite_to_svg(json.dumps(self.spec))
        return drawn

    def altair(self) -> AltairChart:
        """Return an `altair.Chart` (or layered, concatenated chart) of the same specification."""
        import altair

        return altair.Chart.from_dict(self.spec)

    def __repr__(self) -> str:
        return f"{self.chart.title}\n{self.chart.caption}"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        version = str(self.spec.get("$schema", "")).rpartition("/v")[2].partition(".")[0]
        rich = {f"application/vnd.vegalite.v{version}+json": self.spec} if version else {}
        return {**rich, "image/svg+xml": self.svg, "text/plain": repr(self)}
