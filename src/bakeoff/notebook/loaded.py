"""A loaded experiment: its tables as frames, its comparisons and its charts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from bakeoff.errors import ConfigError, UsageError, nearest
from bakeoff.evaluation.catalogue import LEADING_K, OVERVIEW, default_paths, leading_k
from bakeoff.evaluation.significance import TestConfig
from bakeoff.notebook.drawing import Drawing
from bakeoff.notebook.selection import Names, Question, chosen, question
from bakeoff.queries.comparison import comparison
from bakeoff.queries.pairs import pairwise
from bakeoff.queries.select import Result
from bakeoff.report import frames, rows
from bakeoff.report.wording import legend, title, visible
from bakeoff.run.runner import EvaluationSpec, Workspace, remeasure
from bakeoff.splits.base import Split
from bakeoff.storage.experiment import Experiment


@dataclass(frozen=True, eq=False)
class Loaded:
    """A loaded experiment. In a notebook it shows its leader board; `run.cells` says what ran.

    Args:
        experiment: what was asked for, under which name and by which commands.
        folder: where its tables and reports lie.
        results: every cell as it was asked for, and its record.
        workspace: the store.
        bare: keys of the cells that are not in the store; of them there is what the folder's tables say.
    """

    experiment: Experiment
    folder: Path
    results: tuple[Result, ...]
    workspace: Workspace
    bare: frozenset[str]

    # -- tables ----------------------------------------------------------------------------------

    @property
    def metrics(self) -> Any:
        """The rows of metrics.csv: one for each cell, metric and cutoff, never averaged."""
        return frames.of_rows(rows.METRIC_COLUMNS, rows.metric_rows(self.results, self._ks))

    @property
    def cells(self) -> Any:
        """The rows of cells.csv: what became of each cell, its parameters, seconds and memory."""
        return frames.of_rows(rows.CELL_COLUMNS, rows.cell_rows(self.results))

    def leaderboard(
        self,
        k: int | Iterable[int] = LEADING_K,
        metrics: Names = None,
        dataset: str | None = None,
        split: str | None = None,
    ) -> Any:
        """A row for each model: means, the ends of their 95 % intervals, and the repetitions behind them.

        Args:
            k: cutoffs; one that was not measured is measured now from the stored lists.
            metrics: names, or import paths of your own; None takes the usual ones. The first one sorts.
            dataset, split: by name; None takes all.

        Returns a frame: dataset, split, model, settings, status, runs (repetitions that are done), fits (the
        different ones among them), and for each metric `ndcg@10`, `ndcg@10_low`, `ndcg@10_high`. The numbers
        are those of the report. An interval is over users, and over fits where there are several; it is NaN
        where the metric is one number for the whole set of lists and there are fewer than three fits.
        """
        asked = question(self.results, k, metrics)
        tables = comparison(self._measured(asked, dataset, split), asked.ks, asked.metrics)
        higher = {name: m.higher_is_better for name, m in asked.metrics.items()}
        return frames.leaderboard(tables, asked.columns(tables), higher)

    def compare(
        self,
        first: str | None = None,
        second: str | None = None,
        metrics: Names = None,
        k: int = LEADING_K,
        dataset: str | None = None,
        split: str | None = None,
        **rules: Any,
    ) -> Any:
        """Paired differences of two models over users, first less second, with interval and p.

        Args:
            first, second: models by name; None stands for all.
            metrics: None takes the first of the usual ones.
            rules: of the test: `test`, `correction`, `resamples`, `seed`, `confidence`.

        Returns a frame with a row for each pair. `p_corrected` is corrected over all pairs of models of the
        table, `wins` are users for whom the first is better, `effect` is Cohen's d_z.

        Raises:
            UsageError: no such model, or what cannot be tested, with the reason.
        """
        import pandas as pd

        for name in (first, second):
            chosen(self.results, name, {})
        if first is not None and first == second:
            raise UsageError(f"compare: first and second are both {first!r}; expected two models")
        asked = question(self.results, k, metrics)
        results = self._measured(asked, dataset, split)
        self._need(results, "values by user")
        tables = comparison(results, asked.ks, asked.metrics)
        columns = asked.columns(tables)[: None if metrics is not None else 1]
        found: list[dict[str, Any]] = []
        for table in tables:
            tested = pairwise(table, asked.metrics, self.workspace.store, TestConfig(**rules), columns)
            for column, why in tested.untested.items():
                raise UsageError(f"{title(table)}: {column.metric} cannot be tested: {why}")
            for pair in tested.pairs.values():
                found += frames.pairs(table, pair, first, second)
        return pd.DataFrame(found)

    # -- what the store holds of each cell -------------------------------------------------------

    def lists(self, model: str | None = None, **where: Any) -> Any:
        """The stored lists in your own ids: a frame of key, model, user, item, rank (from 1) and score.

        Args:
            model: by name or key; None takes all.
            where: dataset, split, split_seed, fold, seed or variant of the cells.
        """
        from bakeoff.report.export import listed

        def read(result: Result) -> Mapping[str, Any]:
            split = self.workspace.split(result.asked.cell)
            return listed(split, self.workspace.store.lists(result.asked.key))

        return self._by_cell(model, where, "lists", read)

    def per_user(self, model: str | None = None, **where: Any) -> Any:
        """Values by user: key, model, user, and a column for each metric and cutoff (`ndcg@10`)."""
        store = self.workspace.store
        return self._by_cell(model, where, "values by user", lambda r: store.per_user(r.asked.key) or {})

    def tuning(self, model: str | None = None, **where: Any) -> Any:
        """Trials of tuned cells: key, model, number, state, value, seconds, a column a hyperparameter."""

        def read(result: Result) -> Mapping[str, Any]:
            trials = result.record.tuning.trials if result.record.tuning is not None else ()
            columns = {n: [getattr(t, n) for t in trials] for n in ("number", "state", "value", "seconds")}
            names = dict.fromkeys(n for t in trials for n in t.parameters)
            return columns | {n: [t.parameters.get(n) for t in trials] for n in names}

        return self._by_cell(model, where, "trials", read)

    def split(self, **where: Any) -> Split:
        """The split of the chosen cells, for `bo.evaluate`; `where` as for `lists`.

        Raises:
            UsageError: they have several, or the store does not hold it.
        """
        results = chosen(self.results, None, where)
        cells = {r.record.split_fingerprint: r.asked.cell for r in results if r.record.split_fingerprint}
        if len(cells) != 1:
            raise UsageError(
                f"experiment {self.experiment.name!r}: {len(cells)} splits to choose from; expected one: "
                "give dataset=, split=, split_seed= or fold= (run.cells lists them)"
            )
        (cell,) = cells.values()
        if not self.workspace.store.has_split(cell.split_key):
            self._lacks(results[0].asked.key, "the split")
        return self.workspace.split(cell)

    # -- charts ----------------------------------------------------------------------------------

    @cached_property
    def charts(self) -> Mapping[str, Drawing]:
        """All charts of the report by their names."""
        from bakeoff.report.charts import charts

        known = question(self.results, self._ks, None).metrics
        tables = comparison(self.results, self._ks, known)
        sections = charts(tables, known, None if self.bare else self.workspace.store)
        return {chart.id: Drawing(chart) for section in sections for chart in section.charts}

    def chart(self, name: str | None = None) -> Drawing:
        """A chart of the report by its name; the first one, the leader board, without."""
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
        from bakeoff.report.render import fragment

        k = leading_k(self._ks)
        tables = comparison(self.results, (k,), question(self.results, k, None).metrics)
        notes = dict.fromkeys(legend(table) for table in tables if legend(table))
        return fragment.render(repr(self), (fragment.grid(t, k, OVERVIEW) for t in tables), notes)

    # -- inside ----------------------------------------------------------------------------------

    @property
    def _ks(self) -> list[int]:
        return sorted({k for r in self.results for k in r.record.ks})

    def _measured(self, asked: Question, dataset: str | None, split: str | None) -> list[Result]:
        """The results of a data set and split; what they lack is measured now from the stored lists."""
        keys = {r.asked.key for r in chosen(self.results, None, {"dataset": dataset, "split": split})}
        return [self._with(asked, r) for r in self.results if r.asked.key in keys]

    def _with(self, asked: Question, result: Result) -> Result:
        lacking = asked.lacking(result)
        if not lacking:
            return result
        cell = result.asked.cell
        if max(asked.ks) > cell.depth:
            raise ConfigError(
                f"k={max(asked.ks)} is larger than depth={cell.depth}, the length of the stored lists"
            )
        if result.asked.key in self.bare:
            self._lacks(result.asked.key, " and ".join(lacking))
        wanted = EvaluationSpec(asked.ks, {**default_paths(), **asked.paths})
        return Result(result.asked, remeasure(result.record, cell, self.workspace, wanted))

    def _by_cell(
        self,
        model: str | None,
        where: Mapping[str, Any],
        what: str,
        read: Callable[[Result], Mapping[str, Any]],
    ) -> Any:
        """One frame of what is read of each chosen cell that is done."""
        import pandas as pd

        results = [r for r in chosen(self.results, model, where) if r.record.done]
        self._need(results, what)
        parts = []
        for result in results:
            frame = pd.DataFrame(dict(read(result)))
            frame.insert(0, "key", result.asked.key)
            frame.insert(1, "model", result.asked.cell.model_name)
            parts.append(frame)
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["key", "model"])

    def _need(self, results: Iterable[Result], what: str) -> None:
        for result in results:
            if result.asked.key in self.bare:
                self._lacks(result.asked.key, what)

    def _lacks(self, key: str, what: str) -> NoReturn:
        again = f": run {self.experiment.commands[-1]!r} again" if self.experiment.commands else ""
        raise UsageError(
            f"cell {key} has no record in the store {self.workspace.store.root}, and the tables in "
            f"{self.folder} do not hold {what}: bring the store of the experiment, or make it anew{again}"
        )
