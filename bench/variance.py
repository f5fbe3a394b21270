"""Coverage, error rates, power and width of the variance model (evaluation/variance.py), by simulation.

    python bench/variance.py                       # the tables of docs/statistics.md
    python bench/variance.py --results DIR NAME    # also: real differences of a stored experiment, centred
    python bench/variance.py --refits DIR NAME     # only: a model against itself with other seeds
    python bench/variance.py --searches DIR        # only: the same, each seed with a search of its own

A user's difference on a split is drawn as user effect + split effect + what differs from split to split;
users' values of two models share most of their spread, as real ones do. "User share" is the share of a
split mean's variance that the same users bring to every split; what remains is, by the column "split
effect", an effect that a split has on all its users (0 or as large as what its test rows vary by). Spreads
of fits are in units of the users' standard error; fits with a tuning search each differ by about six of
them (--searches). An ideal interval knows every variance.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import norm

from bakeoff.arrays import Array, Doubles
from bakeoff.evaluation.variance import Summary, summarise

REPEATS = 4000
AT_ONCE = 250
USERS = 300
SEED = 20261124
REFITS = 2000
SEARCHES = {
    "als": ("model.space.factors.high=64", "model.space.iterations.high=15"),
    "bpr": ("model.space.factors.high=64", "model.space.iterations.high=50"),
    "warp": ("model.space.no_components.high=64", "model.space.epochs.high=15"),
}
"""Models whose searches are repeated, and what bounds their cost."""
PLANTED = 3.0
"""A planted difference, in ideal standard errors: an ideal test finds it in 85 %."""


def shared_users(
    rng: np.random.Generator, n_splits: int, share: float, effect: float
) -> tuple[Doubles, float]:
    """Return differences float64 [AT_ONCE, n_splits, USERS] around 0 and the variance of their mean."""
    rows = (1 - share) / (1 + effect)  # of a split's mean, times USERS
    split = rows * effect
    shape = (AT_ONCE, n_splits, USERS)
    values = np.sqrt(share) * rng.normal(size=(AT_ONCE, 1, USERS)) + np.sqrt(rows) * rng.normal(size=shape)
    values += np.sqrt(split / USERS) * rng.normal(size=(AT_ONCE, n_splits, 1))
    return values, (share + (rows + split) / n_splits) / USERS


def disjoint_users(rng: np.random.Generator, n_splits: int, effect: float) -> tuple[Doubles, float]:
    """Return the same where each split has users of its own: NaN for the others."""
    values, _ = shared_users(rng, n_splits, 0.0, effect)
    each = USERS // n_splits
    rows = 1 / (1 + effect)
    values = np.sqrt(rows) * rng.normal(size=values.shape)
    values += np.sqrt(rows * effect / each) * rng.normal(size=(AT_ONCE, n_splits, 1))
    owner = np.arange(USERS) % n_splits
    values[:, owner[None, :] != np.arange(n_splits)[:, None]] = np.nan
    return values, (rows + rows * effect) / (each * n_splits)


def two_models(rng: np.random.Generator, differences: Doubles) -> Summary:
    """Return the summary of AT_ONCE pairs of models whose differences are given, one fit each."""
    base = rng.normal(size=(len(differences), 1, differences.shape[2]))
    return summarise(
        [
            [split[None, :] for split in model]
            for pair in zip(base + differences, base + np.zeros_like(differences), strict=True)
            for model in pair
        ]
    )


def pairs_of(summary: Summary) -> Array:
    return np.arange(len(summary.means)).reshape(-1, 2)


def rates(draws: Iterator[tuple[Summary, float]]) -> list[str]:
    """Return coverage, false findings, power and relative width over all draws, in percent and as a ratio."""
    inside, false, power, width = [], [], [], []
    for summary, variance in draws:
        means, spread = summary.differences(pairs_of(summary))
        half = spread.half_widths()
        planted = PLANTED * np.sqrt(variance)
        inside.append(np.abs(means) <= half)
        false.append(spread.p_values(means) <= 0.05)
        power.append(spread.p_values(means + planted) <= 0.05)
        width.append(half / (norm.ppf(0.975) * np.sqrt(variance)))
    percents = [f"{100 * np.concatenate(part).mean():.1f}" for part in (inside, false, power)]
    return [*percents, f"{np.concatenate(width).mean():.2f}"]


def repeated(draw: object, *arguments: float) -> Iterator[tuple[Summary, float]]:
    rng = np.random.default_rng([SEED, *(int(100 * a) for a in arguments)])
    for _ in range(REPEATS // AT_ONCE):
        differences, variance = draw(rng, *arguments)  # type: ignore[operator]
        yield two_models(rng, differences), variance


def seeds(n_fits: int, spread: float, one_arm: bool, tuned: bool = False) -> Iterator[tuple[Summary, float]]:
    """Yield pairs on one split with several fits; in one_arm the second model has no chance in it.

    Args:
        tuned: whether each fit has a tuning search of its own.
    """
    rng = np.random.default_rng([SEED, n_fits, int(100 * spread), one_arm])
    searched = range(0, 2 * AT_ONCE, 2 if one_arm else 1) if tuned else ()
    residual = 0.5  # variance of a user's value between fits, in units of that between users
    for _ in range(REPEATS // AT_ONCE):
        models: list[list[Doubles]] = []
        for _ in range(AT_ONCE):
            own = rng.normal(size=USERS)
            shared = 2 * rng.normal(size=USERS)
            for arm in range(2):
                n = 1 if one_arm and arm else n_fits
                fits = np.tile(shared + (own if arm == 0 else 0), (n, 1))
                if not (one_arm and arm):
                    fits = fits + spread / np.sqrt(USERS) * rng.normal(size=(n, 1))
                    fits = fits + np.sqrt(residual) * rng.normal(size=fits.shape)
                models.append([fits])
        arms = 1 if one_arm else 2
        yield summarise(models, searched), (1 + arms * (spread**2 + residual) / n_fits) / USERS


def real(differences: Doubles, n_splits: int) -> tuple[float, Iterator[tuple[Summary, float]]]:
    """Return the user share of real differences [splits, users], and draws of splits and users from them,
    centred.

    Splits and users are drawn with replacement, so the variance of the mean is known.
    """
    centred = differences - differences.mean()
    splits, users = centred.shape
    of_users = centred.mean(axis=0).var() / users
    of_splits = centred.mean(axis=1).var()
    of_both = (centred - centred.mean(axis=0) - centred.mean(axis=1)[:, None]).var() / users
    variance = of_users + (of_splits + of_both) / n_splits
    rng = np.random.default_rng([SEED, n_splits])

    def draws() -> Iterator[tuple[Summary, float]]:
        for _ in range(REPEATS // AT_ONCE):
            rows = rng.integers(splits, size=(AT_ONCE, n_splits, 1))
            columns = rng.integers(users, size=(AT_ONCE, 1, users))
            yield two_models(rng, centred[rows, columns]), variance

    return of_users / (of_users + of_splits + of_both), draws()


def real_rows(results: Path, name: str, metric: str) -> Iterator[list[str]]:
    for label, differences in real_differences(results, name, metric):
        for n_splits in (2, 3, 5, 10):
            share, draws = real(differences, n_splits)
            yield [label, str(n_splits), f"{share:.2f}", *rates(draws)]


def real_differences(results: Path, name: str, metric: str) -> Iterator[tuple[str, Doubles]]:
    """Yield pairs of models and their differences, [splits, users], of users measured on every split."""
    from itertools import combinations

    import pandas as pd

    cells = pd.read_csv(results / name / "cells.csv", keep_default_na=False)
    frames = {
        (row.model, row.split_seed): pd.read_parquet(
            results / "store" / "cells" / row.key / "per_user.parquet"
        )
        .set_index("user")[metric]
        .dropna()
        for row in cells.itertuples()
    }
    models = sorted({model for model, _ in frames})
    every = sorted({seed for _, seed in frames})
    for a, b in combinations(models, 2):
        columns = [frames[a, seed] - frames[b, seed] for seed in every]
        yield f"{a} - {b}", pd.concat(columns, axis=1, join="inner").to_numpy().T


def refit_rows(results: Path, name: str, metric: str) -> Iterator[list[str]]:
    """Yield how often a model is called different from itself with other seeds, by seeds a side."""
    import pandas as pd

    cells = pd.read_csv(results / name / "cells.csv", keep_default_na=False)
    for (model, tune), of_model in cells[cells["status"] == "done"].groupby(["model", "tune"]):
        tuned = range(0 if tune == "none" else 2)
        columns = [
            pd.read_parquet(results / "store" / "cells" / key / "per_user.parquet").set_index("user")[metric]
            for key in of_model["key"].unique()
        ]
        values = pd.concat(columns, axis=1).dropna().to_numpy().T
        rng = np.random.default_rng([SEED, len(values)])
        for n_fits in (n for n in (1, 2, 3, 5) if 2 * n <= len(values)):
            different = {"algorithms": 0, "models": 0}
            for _ in range(REFITS):
                fits = rng.permutation(len(values))[: 2 * n_fits]
                sides = [values[fits[:n_fits]], values[fits[n_fits:]]]
                means, spread = summarise([[side] for side in sides], tuned).differences(np.array([[0, 1]]))
                different["algorithms"] += int(spread.p_values(means)[0] <= 0.05)
                different["models"] += int(spread.fixed().p_values(means)[0] <= 0.05)
            shares = [f"{100 * count / REFITS:.1f}" for count in different.values()]
            yield [str(model), str(tune), str(len(values)), str(n_fits), *shares]


def search(results: Path, fits: int) -> Iterator[str]:
    """Run what is missing of the searches of SEARCHES, on one split of ml_100k, and yield the experiments."""
    from bakeoff import cli

    for model, bounds in SEARCHES.items():
        words = ["dataset=ml_100k", f"model={model}", "split=random", f"seed=range(1,{fits + 1})", *bounds]
        words += ["tune=optuna", "tune.trials=8", "tune.sampler=random", "k=[10]", "metrics=accuracy"]
        if cli.main(["run", *words, f"results_dir={results}", f"name=searches_{model}"]):
            raise SystemExit(f"searches of {model} failed")
        yield f"searches_{model}"


def table(title: str, heads: Sequence[str], rows: Iterator[list[str]]) -> None:
    print(f"\n{title}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


FIGURES = ("coverage %", "false findings %", "power %", "width")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--results", nargs=2, metavar=("DIR", "NAME"))
    parser.add_argument("--metric", default="ndcg@10")
    parser.add_argument("--refits", nargs=2, metavar=("DIR", "NAME"))
    parser.add_argument("--searches", metavar="DIR", type=Path)
    parser.add_argument("--fits", type=int, default=20, help="searches of each model (default: 20)")
    options = parser.parse_args()
    if options.refits or options.searches:
        folder, names = options.searches, search(options.searches, options.fits)
        if options.refits:
            folder, names = Path(options.refits[0]), iter(options.refits[1:])
        heads = ("model", "tune", "fits", "seeds a side", "algorithms: called different %", "models %")
        for name in names:
            table(f"A model against itself, {name}", heads, refit_rows(folder, name, options.metric))
        return
    table(
        "Splits with shared users",
        ("splits", "user share", "split effect", *FIGURES),
        (
            [str(s), f"{share:g}", f"{effect:g}", *rates(repeated(shared_users, s, share, effect))]
            for s in (1, 2, 3, 5, 10)
            for share in ((1.0,) if s == 1 else (0.0, 0.25, 0.5, 0.75))
            for effect in ((0.0,) if s == 1 else (0.0, 1.0))
        ),
    )
    table(
        "Splits with users of their own",
        ("splits", "split effect", *FIGURES),
        (
            [str(s), f"{effect:g}", *rates(repeated(disjoint_users, s, effect))]
            for s in (2, 3, 5, 10)
            for effect in (0.0, 1.0)
        ),
    )
    for title, tuned, numbers, spreads in (
        ("Seeds on one split", False, (1, 2, 3, 5), (0.0, 0.5, 1.0, 2.0)),
        ("Searches on one split", True, (2, 3, 5), (0.0, 1.0, 3.0, 6.0, 12.0)),
        ("The same with the prior of seeds", False, (2, 3, 5), (3.0, 6.0, 12.0)),
    ):
        table(
            title,
            ("fits", "models with chance", "spread of fits", *FIGURES),
            (
                [str(n), "1" if one else "2", f"{spread:g}", *rates(seeds(n, spread, one, tuned))]
                for n in numbers
                for one in (False, True)
                for spread in spreads
            ),
        )
    if options.results:
        folder, name = options.results
        table(
            f"Real differences of {name}, centred, {options.metric}",
            ("pair", "splits", "user share", *FIGURES),
            real_rows(Path(folder), name, options.metric),
        )


if __name__ == "__main__":
    main()
