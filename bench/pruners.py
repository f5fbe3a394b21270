"""What each pruner saves and loses, on learning curves of real fits.

    python bench/pruners.py curves.jsonl --datasets ml_100k hetrec_lastfm --models als bpr warp

Curves first: random trials of each model's space, the defaults among them, are fitted to their end inside
the train part of the split `random`, and measured after 1, 2, 3, 4, 6, 8, ... epochs; they are added to the
file, which is read where it has them already (20 minutes of CPU for the above). Then studies of 30 of these
trials in 20 random orders are replayed under each pruner, as `bakeoff` uses it: what it would have looked at,
cut, and found.

`loss` is how far the best finished trial lies below the best of the 30; `saving` is the CPU seconds of all
fits and their measurement over those that are left, with what the pruner itself has measured.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from bakeoff import config_files
from bakeoff.models.fitting import limit_threads
from bakeoff.run.cell import Cell, build_model, build_source, build_splitter
from bakeoff.tuning import space as spaces
from bakeoff.tuning.objective import Objective
from bakeoff.tuning.pruning import LAST_EPOCH, SAMPLE_SCORE, pruner, prunes_trial, reports_at
from bakeoff.tuning.sampling import derive_seed
from bakeoff.tuning.spec import PRUNERS, TuningSpec

TRIALS, ORDERS = 30, 20


@dataclass(frozen=True)
class Curve:
    """One fit: by epoch its score and the CPU seconds until then, its value, and what both ends cost."""

    ds: str
    model: str
    p: dict[str, Any]
    curve: dict[int, tuple[float, float]]
    value: float
    fit: float
    measure: float
    reports: float


def recorded(dataset: str, name: str, trials: int) -> list[Curve]:
    def preset(group: str, option: str) -> dict[str, Any]:
        return config_files.read(config_files.folder() / group / f"{option}.yaml")

    cell = Cell(
        preset("dataset", dataset),
        preset("split", "random"),
        preset("model", name),
        {**preset("tune", "optuna"), "pruner": "none"},
    )
    data = build_source(cell.dataset).load().interactions
    worth = Objective(
        cell, build_splitter(cell.split).split(data, cell.split_seed), TuningSpec.of(cell.tune or {})
    )
    space, validation = spaces.parse(cell.model), worth.validations[0]
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=7))
    found = []
    for at in range(trials):
        trial = study.ask()
        chosen = space.suggest(trial) if at else space.start()
        model, curve, reports = build_model(cell.model, **chosen), {}, 0.0
        start = time.process_time()

        def after(
            epoch: int, _: float | None, model: Any = model, curve: Any = curve, start: float = start
        ) -> None:
            nonlocal reports
            if reports_at("hyperband", epoch, None):
                now = time.process_time()
                score = worth._score(model, validation.sample, validation.stats)[0]
                curve[epoch] = score, now - start - reports
                reports += time.process_time() - now

        model.fit(validation.inner.train, seed=derive_seed("trial", cell.seed, 0), on_epoch=after)
        fit = time.process_time() - start - reports
        value = worth._score(model, validation.inner, validation.stats)[0]
        measure = time.process_time() - start - reports - fit
        found.append(Curve(dataset, name, dict(chosen), curve, value, fit, measure, reports))
    return found


def replayed(curves: Sequence[Curve], name: str) -> tuple[float, float, int]:
    """Share of the best value that is lost, saving, and how many trials were cut."""
    ends = [int(c.p.get("iterations") or c.p["epochs"]) for c in curves]
    study = optuna.create_study(direction="maximize")
    spent, best, cut = 0.0, 0.0, 0
    for at, (curve, end) in enumerate(zip(curves, ends, strict=True)):
        study.pruner = pruner(name, max(ends))
        trial, stopped, looked = study.ask(), None, 0
        trial.set_user_attr(LAST_EPOCH, end)
        for epoch, (score, seconds) in sorted(curve.curve.items()):
            if not prunes_trial(name, at) or not reports_at(name, epoch, max(ends)):
                continue
            looked += 1
            trial.report(score, epoch)
            if trial.should_prune():
                stopped = seconds
                break
        spent += curve.measure * looked
        if stopped is not None:
            spent, cut = spent + stopped, cut + 1
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            continue
        trial.set_user_attr(SAMPLE_SCORE, curve.value)
        study.tell(trial, curve.value)
        spent, best = spent + curve.fit + curve.measure, max(best, curve.value)
    whole = sum(c.fit + c.measure for c in curves)
    return 1 - best / max(c.value for c in curves), whole / spent, cut


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("curves", type=Path)
    parser.add_argument("--datasets", nargs="+", default=["ml_100k", "hetrec_lastfm"])
    parser.add_argument("--models", nargs="+", default=["als", "bpr", "warp"])
    parser.add_argument("--trials", type=int, default=40, help="fits of each model")
    args = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    known: dict[tuple[str, str], list[Curve]] = defaultdict(list)
    for line in args.curves.read_text().splitlines() if args.curves.exists() else ():
        row = json.loads(line)
        row["curve"] = {int(epoch): tuple(point) for epoch, point in row["curve"].items()}
        known[row["ds"], row["model"]].append(Curve(**row))
    print(
        f"{'data set':<15}{'model':<12}{'pruner':<11}{'loss, mean':>11}{'largest':>9}{'saving':>8}{'cut':>6}"
    )
    for dataset in args.datasets:
        for model in args.models:
            if (dataset, model) not in known:
                with limit_threads(1):
                    known[dataset, model] = recorded(dataset, model, args.trials)
                with args.curves.open("a") as file:
                    file.writelines(json.dumps(asdict(c)) + "\n" for c in known[dataset, model])
            curves = known[dataset, model]
            for name in (p for p in PRUNERS if p != "none"):
                rng, found = np.random.default_rng(0), []
                for _ in range(ORDERS):
                    order = [0, *(1 + rng.permutation(len(curves) - 1)[: TRIALS - 1]).tolist()]
                    found.append(replayed([curves[at] for at in order], name))
                loss, saving, cut = np.array(found).T
                print(
                    f"{dataset:<15}{model:<12}{name:<11}{loss.mean():>11.2%}{loss.max():>9.2%}"
                    f"{saving.mean():>8.2f}{cut.mean():>6.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
