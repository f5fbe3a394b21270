"""A small experiment that was really run, with its store."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import pytest

from bakeoff.evaluation.catalogue import metric_paths, resolve
from bakeoff.queries.comparison import comparison
from bakeoff.queries.select import Result
from bakeoff.report.charts import ChartSection, charts
from bakeoff.run.cell import Cell
from bakeoff.run.runner import EvaluationSpec, Workspace, run_cell
from bakeoff.storage.record import CellRequest
from bakeoff.storage.store import Store

KS = (2, 5)
METRICS = ("ndcg", "recall", "auc", "catalog_coverage", "novelty", "diversity", "mean_popularity")


def ran(store: Store) -> Sequence[Result]:
    """Run three models with two seeds on two splits of a data set with user features, and one of another."""
    people = {"_target_": "bakeoff.data.synthetic.Simulated", "name": "people", "n_users": 60, "n_items": 80}
    people |= {"n_rows": 900, "n_countries": 3, "n_genres": 4}
    blocks = {"_target_": "toys.Blocks", "name": "blocks"}
    random = {"_target_": "bakeoff.splits.per_user.Random", "name": "random", "ratio": 0.7}
    last = {"_target_": "bakeoff.splits.leave_last_out.LeaveLastOut", "name": "last"}
    models = {
        "popularity": "bakeoff.models.baselines.Popularity",
        "random": "bakeoff.models.baselines.Random",
        "by item": "toys.ByItem",
    }
    workspace, results = Workspace(store), []
    spec = EvaluationSpec(KS, metric_paths(METRICS))
    for dataset, split in ((people, random), (people, last), (blocks, random)):
        for seed in (1, 2):
            for name, target in models.items():
                model = {"name": name, "build": {"_target_": target}}
                cell = Cell(dataset=dataset, split=split, model=model, seed=seed, depth=10)
                stored = store.record(cell.key)
                record = stored if stored is not None else run_cell(cell, workspace, spec, debug=True)
                results.append(Result(CellRequest(cell.key, cell), record))
    return results


class Experiment:
    """Results, tables, metrics, store and charts of one experiment."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        self.results = ran(self.store)
        self.metrics = resolve(metric_paths(METRICS))
        self.tables = comparison(self.results, KS, self.metrics)

    @cached_property
    def charts(self) -> tuple[ChartSection, ...]:
        return charts(self.tables, self.metrics, self.store)


@pytest.fixture(scope="session")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    return Experiment(tmp_path_factory.mktemp("store"))
