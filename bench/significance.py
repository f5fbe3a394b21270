"""What the tests of `bakeoff compare` and of the tables get wrong: rates by simulation, and their time.

    python bench/significance.py                # the tables of docs/statistics.md
    python bench/significance.py --time         # 100 models x 10,000 users x 20 metrics x 4 cutoffs

A user's chance of a hit is drawn from Beta(1, 6), and each of ten places is a hit with it: `precision` is the
share of hits, `hit_rate` whether there is one. Two models that draw from the same chance are alike (the
null); a planted difference raises the chance of one by a tenth. Splits and seeds: bench/variance.py.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator

import numpy as np

from bakeoff.arrays import Doubles
from bakeoff.evaluation.significance import (
    Sample,
    TestConfig,
    all_pairs,
    corrected,
    interval,
    mean_half_widths,
    p_of_pairs,
    p_values,
)

REPEATS = 2000
USERS = (20, 100, 500)
PAIR = np.array([[0, 1]])
SEED = 20261124


def lists(rng: np.random.Generator, repeats: int, n: int, lifts: tuple[float, ...]) -> dict[str, Doubles]:
    """float64 [repeats, models, n] of each metric; a model's chance of a hit is the user's times its lift."""
    chance = rng.beta(1, 6, (repeats, 1, n)) * np.array(lifts)[:, None]
    hits = rng.binomial(10, np.minimum(chance, 1.0))
    return {"precision": hits / 10, "hit_rate": (hits > 0).astype(float)}


def pair_rates(lift: float) -> Iterator[list[str]]:
    """Share of repeats in which each test, and the interval, finds a difference between two models."""
    for n in USERS:
        rng = np.random.default_rng([SEED, n, int(100 * lift)])
        for metric, values in lists(rng, REPEATS, n, (lift, 1.0)).items():
            sample = Sample(np.arange(n), values)
            rates = [
                (p_values(sample, PAIR, TestConfig(test=test)) <= 0.05).mean()  # type: ignore[arg-type]
                for test in ("randomization", "t", "wilcoxon")
            ]
            low, high = interval(sample, PAIR, TestConfig())
            rates += [(low > 0).mean(), (high < 0).mean()]
            yield [metric, str(n), *(percent(r) for r in rates)]


def family_rates() -> Iterator[list[str]]:
    """Share of repeats with a false finding among models that are alike, and of the best told apart."""
    for models in (3, 10):
        rng = np.random.default_rng([SEED, models])
        values = lists(rng, REPEATS, 200, (1.0,) * models)["precision"]
        pairs = all_pairs(models)
        p = p_of_pairs([Sample(np.arange(200), values)], pairs, TestConfig())
        best = values.mean(axis=2).argmax(axis=1)
        for name, adjusted in (
            ("none", p),
            ("bh", corrected(p, "bh")),
            ("holm", corrected(p, "holm")),
        ):
            found = adjusted <= 0.05
            apart = (found & (pairs == best[:, None, None]).any(axis=2)).any(axis=1)
            yield [str(models), name, percent(found.any(axis=1).mean()), percent(apart.mean())]


def percent(rate: float) -> str:
    return f"{100 * float(rate):.1f}"


def table(title: str, heads: list[str], rows: Iterator[list[str]]) -> None:
    print(f"\n{title}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def timed(name: str, work: Callable[[], object]) -> None:
    wall, used = time.perf_counter(), time.process_time()
    work()
    print(f"| {name} | {time.perf_counter() - wall:.1f} | {time.process_time() - used:.1f} |", flush=True)


def times() -> None:
    """Print the cost of the marks of tables of 100 models, and of one comparison, from values in memory."""
    rng = np.random.default_rng(SEED)
    print("| work | wall s | CPU s |\n|---|---|---|")
    users = np.arange(10_000)
    some = Sample(users, rng.random((8, 100, 10_000)))

    def marks() -> None:
        for _ in range(10):  # 80 columns, eight at a time
            corrected(p_of_pairs([some], all_pairs(100), TestConfig()), "holm")

    timed("marks: 100 models, t, Holm over 4,950 pairs, 80 columns", marks)
    base = rng.random((12, 1, 1_000))
    splits = []
    for _ in range(2):
        fits = {m: (base + 0.1 * rng.random((12, 3, 1_000))).transpose(1, 0, 2) for m in range(100)}
        means = np.stack([of_model.mean(axis=0) for of_model in fits.values()], axis=1)
        splits.append(Sample(np.arange(1_000), means, fits))
    timed(
        "marks: 100 models, 3 seeds, 2 splits of 1,000 users, 12 columns",
        lambda: corrected(p_of_pairs(splits, all_pairs(100), TestConfig()), "holm"),
    )
    timed("intervals of their means", lambda: mean_half_widths(splits, TestConfig()))
    two = Sample(users, rng.random((20, 2, 10_000)))
    rules = TestConfig(test="randomization")
    timed("one pair, 20 metrics: 10,000 sign flips", lambda: p_values(two, PAIR, rules))
    timed("one pair, 20 metrics: 10,000 bootstrap samples", lambda: interval(two, PAIR, rules))
    ten = Sample(users, rng.random((20, 10, 10_000)))
    timed("45 pairs, 20 metrics: 10,000 sign flips", lambda: p_values(ten, all_pairs(10), rules))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--time", action="store_true")
    if parser.parse_args().time:
        times()
        return
    heads = [
        "metric",
        "users",
        "randomisation",
        "paired t",
        "Wilcoxon",
        "interval above 0",
        "interval below 0",
    ]
    table(f"Two models alike: found different, % of {REPEATS:,}", heads, pair_rates(1.0))
    table(f"One better by a tenth: found different, % of {REPEATS:,}", heads, pair_rates(1.1))
    heads = ["models", "correction", "any pair found different", "best told apart from another"]
    table("All models alike, precision of 200 users, paired t, %", heads, family_rates())


if __name__ == "__main__":
    main()
