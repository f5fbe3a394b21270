"""Which sampler finds good hyperparameters soonest: the measurement behind the default of tune.sampler.

Every sampler gets the same budget on the same cells: two real data sets and a simulated one, two models whose
spaces hold numbers on logarithmic axes, whole numbers and choices (ALS with few factors and iterations, to be
quick), several seeds of the sampler. The score is the validation nDCG@10 that tuning goes by. For each data
set and model the best score that any run found stands for the best there is; the loss of a run after n trials
is how far, in percent of it, its best so far lies below.

    BAKEOFF_DATA=... python bench/samplers.py [--trials 30] [--seeds 3] [--to bench/samplers.json]

The table stands in docs/tuning.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from bakeoff import config_files
from bakeoff.models.fitting import limit_threads
from bakeoff.run.cell import Cell, build_source, build_splitter
from bakeoff.storage.store import Store
from bakeoff.tuning.tune import check, tune

DATA = ("ml_100k", "hetrec_lastfm", "simulated")
MODELS = ("itemknn_bm25", "als")
SAMPLERS = ("tpe", "random", "qmc", "cmaes")
AFTER = (10, 20, 30)


def model_of(name: str) -> dict[str, Any]:
    """The shipped model; ALS in a smaller space, which takes a fifth of a second a trial."""
    model = config_files.read(config_files.folder() / "model" / f"{name}.yaml")
    if name == "als":
        model["space"]["factors"] |= {"low": 4, "high": 32}
        model["space"]["iterations"] |= {"low": 2, "high": 15}
    return model


def runs(trials: int, seeds: int) -> Iterator[dict[str, Any]]:
    """One run for each seed, data set, model and sampler: the scores of its trials, in order."""
    parts = {}
    split = {"_target_": "bakeoff.splits.per_user.Random", "name": "random"}
    for name in DATA:
        dataset = config_files.read(config_files.folder() / "dataset" / f"{name}.yaml")
        parts[name] = dataset, build_splitter(split).split(build_source(dataset).load().interactions, 42)
    for seed, name, model, sampler in product(range(1, seeds + 1), DATA, MODELS, SAMPLERS):
        dataset, cut = parts[name]
        told = {"trials": trials, "sampler": sampler, "pruner": "none"}
        cell = Cell(dataset, split, model_of(model), told, seed=seed, depth=10)
        check(cell)
        with limit_threads(1), tempfile.TemporaryDirectory() as folder:
            start = time.process_time()
            record = tune(cell, cut, Store(Path(folder))).record
            seconds = time.process_time() - start
        place = {"data": name, "model": model, "sampler": sampler, "seed": seed}
        yield place | {"cpu_s": round(seconds, 2), "scores": [t["value"] for t in record["trials"]]}


def table(found: list[dict[str, Any]]) -> list[str]:
    """Mean loss in percent after some trials with its standard error over runs, as Markdown."""
    best: dict[tuple[str, str], float] = {}
    for run in found:
        place = run["data"], run["model"]
        best[place] = max(best.get(place, 0.0), *(s for s in run["scores"] if s is not None))

    def loss(run: dict[str, Any], after: int) -> float:
        top = best[run["data"], run["model"]]
        return 100 * (1 - max(s for s in run["scores"][:after] if s is not None) / top)

    trials = len(found[0]["scores"])
    after = [n for n in AFTER if n <= trials]
    lines = ["| sampler | " + " | ".join(f"loss after {n}, %" for n in after) + " | worst | first in |"]
    lines.append("|---|" + "---:|" * (len(after) + 2))
    places = sorted({(r["data"], r["model"], r["seed"]) for r in found})
    last = {(r["sampler"], r["data"], r["model"], r["seed"]): loss(r, trials) for r in found}
    for sampler in SAMPLERS:
        mine = [r for r in found if r["sampler"] == sampler]
        cells = []
        for n in after:
            losses = np.array([loss(r, n) for r in mine])
            cells.append(f"{losses.mean():.2f} ± {losses.std(ddof=1) / np.sqrt(len(losses)):.2f}")
        first = sum(last[sampler, *p] <= min(last[other, *p] for other in SAMPLERS) for p in places)
        worst = max(loss(r, trials) for r in mine)
        lines.append(f"| `{sampler}` | " + " | ".join(cells) + f" | {worst:.2f} | {first} of {len(places)} |")
    defaults = np.array([loss(r, 1) for r in found])
    lines.append(f"| (the defaults, trial 0) | {defaults.mean():.2f} |" + " |" * (len(after) + 1))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--to", type=Path)
    told = parser.parse_args()
    found = []
    for run in runs(told.trials, told.seeds):
        found.append(run)
        if told.to:
            told.to.write_text(json.dumps(found) + "\n")
    print("\n".join(table(found)))
    print(f"{sum(r['cpu_s'] for r in found):.0f} s of CPU")


if __name__ == "__main__":
    main()
