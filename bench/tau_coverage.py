"""Simulate how often the interval of Kendall's tau in `bakeoff audit` holds the tau of the true means.

    python bench/tau_coverage.py

Five models, two settings; users differ by a shared effect and noise that the settings share in part. `gap` is
the distance of neighbouring true means in standard deviations of one user's difference of two models.
"""

from __future__ import annotations

import argparse

import numpy as np

from bakeoff.queries.robustness import Group, Setting, agreement

MODELS = ("a", "b", "c", "d", "e")
ORDERS = {"same order": (0, 1, 2, 3, 4), "neighbours swapped": (1, 0, 3, 2, 4), "reversed": (4, 3, 2, 1, 0)}


def simulate(n_users: int, gap: float, order: tuple[int, ...], runs: int, seed: int) -> tuple[float, float]:
    """Return the share of intervals that hold the true tau, and their mean width."""
    rng = np.random.default_rng(seed)
    m = len(MODELS)
    true = -gap * np.arange(m), -gap * np.array(order, dtype=float)
    above, below = np.triu_indices(m, 1)
    signs = [np.sign(means[above] - means[below]) for means in true]
    tau, held, widths = float((signs[0] * signs[1]).mean()), 0, []
    for run in range(runs):
        shared, users = rng.normal(size=(m, n_users)), rng.normal(size=n_users)
        both = []
        for means in true:
            noise = (shared + rng.normal(size=(m, n_users))) / 2  # of a difference of two models: 1
            both.append(np.asarray(means)[:, None] + users + noise)
        base, other = (Setting("", v.mean(axis=1), (Group(np.arange(n_users), v),)) for v in both)
        ranked = np.argsort(-base.means, kind="stable")
        result = agreement(base, other, ranked, MODELS, run, resamples=200)
        assert result.low is not None and result.high is not None
        held += result.low - 1e-9 <= tau <= result.high + 1e-9
        widths.append(result.high - result.low)
    return held / runs, float(np.mean(widths))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    print("| users | gap | true order | coverage | mean width |\n|---:|---:|---|---:|---:|")
    for n_users in (200, 2000):
        for gap in (0.02, 0.05, 0.2):
            for name, order in ORDERS.items():
                held, width = simulate(n_users, gap, order, runs, seed=1)
                print(f"| {n_users:,} | {gap} | {name} | {held:.3f} | {width:.2f} |", flush=True)


if __name__ == "__main__":
    main()
