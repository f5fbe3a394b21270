"""Coverage of intervals for the expected best of n trials, against the true value by 200,000 searches.

    python bench/expected_best.py

One search of 30 random draws with a percentile bootstrap over its draws, as reports had it, and the t
interval over 3, 5 and 10 searches, as they have it, for scores of four shapes.
"""

from __future__ import annotations

import numpy as np

from bakeoff.evaluation.expected_best import expected_maximum, mean_over_repeats

DRAWS, BUDGETS, SEARCHES, RESAMPLES = 30, (5, 10, 20, 30), 1000, 500
SHAPES = {
    "uniform": lambda rng, size: rng.random(size),
    "normal": lambda rng, size: rng.standard_normal(size),
    "skewed to the right": lambda rng, size: rng.exponential(size=size),
    "most near the best": lambda rng, size: -rng.exponential(size=size),
}


def main() -> None:
    rng = np.random.default_rng(1)
    print("| scores | interval | " + " | ".join(f"{n} of {DRAWS}" for n in BUDGETS) + " |")
    print("|---|---|" + "---:|" * len(BUDGETS))
    for shape, draw in SHAPES.items():
        truth = np.array(
            [np.mean([draw(rng, (2000, n)).max(axis=1).mean() for _ in range(100)]) for n in BUDGETS]
        )
        at = np.array(BUDGETS) - 1
        covered = np.zeros(len(BUDGETS))
        for _ in range(SEARCHES):
            values = draw(rng, DRAWS)
            samples = expected_maximum(values[rng.integers(0, DRAWS, (RESAMPLES, DRAWS))], DRAWS)[:, at]
            low, high = np.quantile(samples, [0.025, 0.975], axis=0)
            covered += (low <= truth) & (truth <= high)
        report(shape, "bootstrap of one search", covered)
        for repeats in (3, 5, 10):
            covered[:] = 0.0
            for _ in range(SEARCHES):
                best = np.maximum.accumulate(draw(rng, (repeats, DRAWS)), axis=1)
                estimate = mean_over_repeats(best)
                covered += (estimate.low[at] <= truth) & (truth <= estimate.high[at])
            report(shape, f"t over {repeats} searches", covered)


def report(shape: str, interval: str, covered: np.ndarray) -> None:
    print(
        f"| {shape} | {interval} | " + " | ".join(f"{c / SEARCHES:.0%}" for c in covered) + " |", flush=True
    )


if __name__ == "__main__":
    main()
