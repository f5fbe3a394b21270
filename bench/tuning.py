"""What shared work and pruning save in tuning, against plain `study.optimize` of the same trials.

    python bench/tuning.py [ml_100k] [hetrec_lastfm] [--cases neighbours ease ...] [--trials N]

Each case tunes one model inside the train part of the split `random` as `bakeoff run` does, then lets
`optuna.Study.optimize` run the same trials in the same process: fit on the inner train, lists of all
validation users, the metric; nothing is shared, pruned or remembered. Both sides cut the inner split once.
One BLAS thread; the figures are user + system seconds of one run each. `best` is the best validation nDCG@10.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bakeoff import config_files
from bakeoff.evaluation.measure import measure
from bakeoff.models.fitting import limit_threads
from bakeoff.run.cell import Cell, build_model, build_source, build_splitter
from bakeoff.run.inference import evaluation_inputs, recommend
from bakeoff.splits.base import Split
from bakeoff.storage.store import Store
from bakeoff.tuning.objective import Objective
from bakeoff.tuning.sampling import derive_seed
from bakeoff.tuning.spec import TuningSpec
from bakeoff.tuning.tune import tune

CHOICES = "optuna.distributions.CategoricalDistribution"


@dataclass(frozen=True)
class Case:
    """One way of saving.

    Args:
        what: is saved.
        model: a preset.
        tune: what differs from the tuner's defaults.
        grid: choices in place of the preset's space.
    """

    what: str
    model: str
    tune: Mapping[str, Any]
    grid: Mapping[str, list[Any]] | None = None


UNPRUNED = {"pruner": "none"}
GRID = {"sampler": "grid", "pruner": "none"}
CASES = {
    "neighbours": Case("one matrix of similarities", "itemknn_cosine", UNPRUNED),
    "ease": Case("one eigendecomposition", "ease", UNPRUNED),
    "als": Case(
        "one run for all iterations",
        "als",
        GRID,
        {"iterations": [5, 10, 15, 30], "factors": [32, 64], "regularization": [1.0, 10.0, 100.0]},
    ),
    "bpr": Case(
        "one run for all iterations",
        "bpr",
        GRID,
        {"iterations": [25, 50, 100, 200], "factors": [32, 64], "learning_rate": [0.01, 0.03, 0.1]},
    ),
    "warp": Case(
        "one run for all epochs",
        "warp",
        GRID,
        {"epochs": [5, 10, 20, 40], "no_components": [32, 64], "learning_rate": [0.02, 0.05, 0.1]},
    ),
    "als_pace": Case("pruning by the pace", "als", {"pruner": "pace"}),
    "bpr_pace": Case("pruning by the pace", "bpr", {"pruner": "pace"}),
    "warp_pace": Case("pruning by the pace", "warp", {"pruner": "pace"}),
    "als_median": Case("pruning by the median", "als", {"pruner": "median"}),
    "bpr_median": Case("pruning by the median", "bpr", {"pruner": "median"}),
    "warp_median": Case("pruning by the median", "warp", {"pruner": "median"}),
    "als_hyperband": Case("pruning by Hyperband", "als", {"pruner": "hyperband"}),
    "bpr_hyperband": Case("pruning by Hyperband", "bpr", {"pruner": "hyperband"}),
}


def cell_of(dataset: str, case: Case, trials: int) -> Cell:
    def preset(group: str, name: str) -> dict[str, Any]:
        return config_files.read(config_files.folder() / group / f"{name}.yaml")

    model, told = preset("model", case.model), {**preset("tune", "optuna"), "trials": trials, **case.tune}
    if case.grid is not None:
        told["trials"] = 1 + math.prod(map(len, case.grid.values()))  # the defaults beside the grid
        model["space"] = {n: {"_target_": CHOICES, "choices": values} for n, values in case.grid.items()}
    return Cell(preset("dataset", dataset), preset("split", "random"), model, told)


def plain(cell: Cell, split: Split, todo: list[Mapping[str, Any]]) -> float:
    """The best value of `study.optimize` over the trials."""
    import optuna

    tuning = TuningSpec.of(cell.tune or {})
    splitter = build_splitter(cell.split)
    inner = splitter.inner(split, derive_seed("inner split", cell.split_seed if splitter.seeded else 0, 0))
    worth = Objective(cell, split, tuning)
    goal, stats = worth.goals[0], worth.validations[0].stats
    seed = derive_seed("trial", cell.seed, 0)

    def objective(trial: Any) -> float:
        model = build_model(cell.model, **todo[trial.number])
        model.fit(inner.train, seed=seed)
        inputs = evaluation_inputs(*recommend(model, inner, goal.k or cell.depth, ranked=False), inner, stats)
        return measure(inputs, {goal.name: goal.metric}, (goal.k,)).means[goal.name, goal.k][0]

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction=goal.direction)
    study.optimize(objective, n_trials=len(todo), catch=(Exception,))
    return float(study.best_value)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    before = time.process_time()
    result = work()
    return time.process_time() - before, result


def compare(dataset: str, split: Split, case: Case, trials: int) -> None:
    cell = cell_of(dataset, case, trials)
    with tempfile.TemporaryDirectory() as folder:
        ours, tuned = seconds(lambda: tune(cell, split, Store(Path(folder))))
    record = tuned.record
    todo = [trial["parameters"] for trial in record["trials"]]
    theirs, best = seconds(lambda: plain(cell, split, todo))
    print(
        f"  {case.model:<15}{case.what:<28}{len(todo):>5}{record['from_memory']:>8}{record['pruned']:>8}"
        f"{theirs:>11.1f}{ours:>11.1f}{theirs / ours:>8.1f}{best:>10.5f}{record['best']['value']:>10.5f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("datasets", nargs="*", default=["ml_100k", "hetrec_lastfm"])
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--trials", type=int, default=50, help="where the space is the preset's")
    args = parser.parse_args()
    for dataset in args.datasets:
        warm = cell_of(dataset, replace(CASES["neighbours"], tune={"trials": 1}), 1)
        split = build_splitter(warm.split).split(
            build_source(warm.dataset).load().interactions, warm.split_seed
        )
        n_users, n_items = split.train.n_users, split.train.n_items
        print(f"{dataset}: {n_users:,} users, {n_items:,} items, {len(split.train.users):,} pairs in train")
        print(
            f"  {'model':<15}{'saving':<28}{'trials':>5}{'memory':>7}{'pruned':>8}"
            f"{'plain s':>11}{'ours s':>11}{'ratio':>8}{'best':>10}{'best ours':>10}"
        )
        with limit_threads(1):
            with tempfile.TemporaryDirectory() as folder:
                tune(warm, split, Store(Path(folder)))  # imports
            for name in args.cases:
                compare(dataset, split, CASES[name], args.trials)


if __name__ == "__main__":
    main()
