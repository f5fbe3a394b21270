"""How often a search warns that its best trials gather at an end of its space: by luck, and with reason.

    python bench/edges.py [--searches N] [--trials N]

Each shipped space is searched without a fit, by `tune.sampler=random` and by `tpe`, under two made-up scores:
`noise` does not depend on any hyperparameter, and `inside` is best at a random place in the middle half of
one numeric axis. A warning is then a false alarm. Under `beyond` the score rises by 1 along one axis up to an
open end of it: the share of searches that warn of that axis is the power. To every score normal noise with a
standard deviation of 0.1 is added.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import optuna

from bakeoff import config_files
from bakeoff.storage.record import TrialRecord
from bakeoff.tuning.edges import edges
from bakeoff.tuning.sampling import sampler_plan
from bakeoff.tuning.space import Axis, Space, parse
from bakeoff.tuning.spec import TuningSpec

Score = Callable[[Mapping[str, Any]], float]
SCORES = ("noise", "inside", "beyond")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--searches", type=int, default=200)
    options.add_argument("--trials", type=int, default=50)
    arguments = options.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    print("| model | axes | sampler | noise: any | inside: any | beyond: that axis |")
    print("|---|---:|---|---:|---:|---:|")
    totals: dict[str, list[list[float]]] = {}
    for name in config_files.options("model"):
        config = config_files.read(config_files.folder() / "model" / f"{name}.yaml")
        if not config.get("space"):
            continue
        space = parse(config)
        for sampler in ("random", "tpe"):
            n = arguments.searches if sampler == "random" else max(arguments.searches // 10, 1)
            shares = [
                float(np.mean([warns(space, kind, sampler, arguments.trials, seed) for seed in range(n)]))
                for kind in SCORES
            ]
            totals.setdefault(sampler, []).append(shares)
            print(
                f"| {name} | {len(space.axes)} | {sampler} | " + " | ".join(f"{s:.1%}" for s in shares) + " |"
            )
    for sampler, rows in totals.items():
        print(f"| mean | | {sampler} | " + " | ".join(f"{s:.1%}" for s in np.mean(rows, axis=0)) + " |")


def warns(space: Space, kind: str, sampler: str, n_trials: int, seed: int) -> bool:
    """Return whether a search of one seed warns; under `beyond`, whether it warns of the axis in question."""
    rng = np.random.default_rng([seed, SCORES.index(kind)])
    score, axis = made_up(space, kind, rng)
    trials = searched(space, sampler, n_trials, seed, score)
    best = max(trials, key=lambda t: t.objective_values[0])
    lines = edges(space, trials, best, ("maximize",))
    return any(line.startswith(f"{axis}=") for line in lines) if kind == "beyond" else bool(lines)


def made_up(space: Space, kind: str, rng: np.random.Generator) -> tuple[Score, str]:
    """Return a score of hyperparameters and the name of the axis that it depends on."""
    numeric = [a for a in space.axes if not hasattr(a.distribution, "choices") and not a.when]
    open_ends = [(a, end) for a in numeric for end in ("low", "high") if end not in a.hard]
    axis, end = open_ends[rng.integers(len(open_ends))]
    if kind == "inside":
        axis = numeric[rng.integers(len(numeric))]
    centre = rng.uniform(0.25, 0.75)

    def score(values: Mapping[str, Any]) -> float:
        at = position(axis, values[axis.name])
        signal = {"noise": 0.0, "inside": -4 * (at - centre) ** 2, "beyond": at if end == "high" else -at}[
            kind
        ]
        return float(signal + 0.1 * rng.standard_normal())

    return score, axis.name


def position(axis: Axis, value: float) -> float:
    """Return where a value lies on its axis, 0 to 1."""
    scale = np.log if axis.distribution.log else float
    low, high = scale(axis.distribution.low), scale(axis.distribution.high)
    return float((scale(value) - low) / (high - low))


def searched(space: Space, sampler: str, n_trials: int, seed: int, score: Score) -> list[TrialRecord]:
    """Return the trials of a search whose first has the values nearest to the defaults."""
    spec = TuningSpec(trials=n_trials, sampler=sampler)
    study = optuna.create_study(
        direction="maximize", sampler=sampler_plan(spec, space, seed, ["maximize"]).sampler
    )
    start = space.nearest_to_defaults()
    trials = [TrialRecord(number=0, parameters=start, value=score(start))]
    for number in range(1, n_trials):
        trial = study.ask()
        chosen = space.suggest(trial)
        trial.set_user_attr("parameters", chosen)
        value = score(chosen)
        study.tell(trial, value)
        trials.append(TrialRecord(number=number, parameters=chosen, value=value))
    return trials


if __name__ == "__main__":
    main()
