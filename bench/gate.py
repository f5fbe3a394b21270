"""Error rates of the gate over several comparisons: one decision by their mean, against a vote of each.

    python bench/gate.py                           # the tables of docs/statistics.md

A comparison has its own users and splits; a user's difference on a split is drawn as in bench/variance.py.
The decision comes from the interval of the mean difference (`evaluation.variance.combined`), the vote from
each comparison's own interval: PROMOTED if all are, REJECTED if one is.
"""

from __future__ import annotations

import argparse

import numpy as np

from bakeoff.arrays import Doubles
from bakeoff.evaluation.significance import Sample, TestConfig, pair_spread
from bakeoff.evaluation.variance import PairSpread, combined
from bakeoff.queries.compare import answer_of

REPEATS = 1000
USERS = 100
SEED = 20261124
BETTER = 3.3
"""A true difference, in standard errors of one comparison: an ideal test of one finds it in 91 %."""


def draw(rng: np.random.Generator, n_splits: int, difference: float, effect: float) -> PairSpread:
    """Return one comparison of two models, `difference` in standard errors of its mean apart.

    Half of a split mean's variance is the users' own with one split effect of `effect` times the rest.
    """
    share = 0.5 if n_splits > 1 else 1.0
    rows = (1 - share) / (1 + effect)
    values = np.sqrt(share) * rng.normal(size=USERS) + np.sqrt(rows) * rng.normal(size=(n_splits, USERS))
    values += np.sqrt(rows * effect / USERS) * rng.normal(size=(n_splits, 1))
    values += difference * np.sqrt((share + (1 - share) / n_splits) / USERS)
    base = 2 * rng.normal(size=USERS)
    samples = [Sample(np.arange(USERS), np.stack([base + split, base])[None]) for split in values]
    return pair_spread(samples, (0, 1), TestConfig())


def rates(
    n: int, n_splits: int, difference: float, effect: float, repeats: int, margin: float | None = None
) -> Doubles:
    """Return shares: promoted and rejected by vote, the same pooled, pooled intervals that cover, and pooled
    intervals that contradict one of the comparisons.

    Args:
        margin: of non-inferiority, in standard errors of one comparison; None for superiority.
    """
    rng = np.random.default_rng([SEED, n, n_splits, int(100 * abs(difference)), int(100 * effect)])
    share = 0.5 if n_splits > 1 else 1.0
    error = np.sqrt((share + (1 - share) / n_splits) / USERS)
    bounds = (0.0, 0.0) if margin is None else (-margin * error, -margin * error)
    results = np.zeros((repeats, 6))
    for row in results:
        pairs = [draw(rng, n_splits, difference, effect) for _ in range(n)]
        halves = np.array([float(pair.spread.half_widths()[0]) for pair in pairs])
        means = np.array([pair.difference for pair in pairs])
        each = [answer_of(m - h, m + h, bounds) for m, h in zip(means, halves, strict=True)]
        mean = combined(pairs, [str(at) for at in range(n)], np.full(n, 1 / n))
        pooled = answer_of(mean.difference - mean.half, mean.difference + mean.half, bounds)
        row[:] = (
            all(answer == "PROMOTED" for answer in each),
            any(answer == "REJECTED" for answer in each),
            pooled == "PROMOTED",
            pooled == "REJECTED",
            abs(mean.difference - difference * error) <= mean.half,
            np.any(np.abs(means - mean.difference) > halves + mean.half),
        )
    return np.asarray(results.mean(axis=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    repeats = parser.parse_args().repeats
    shares = (
        "vote: promoted %",
        "rejected %",
        "pooled: promoted %",
        "rejected %",
        "coverage %",
        "contradicted %",
    )
    heads = ("true difference", "splits of each", "split effect", "comparisons", *shares)
    for title, margin, differences in (
        ("Superiority", None, (0.0, BETTER)),
        (f"Non-inferiority, margin {BETTER}", BETTER, (-BETTER, 0.0, -2 * BETTER)),
    ):
        print(f"\n{title}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
        for difference in differences:
            for n_splits, effect in ((1, 0.0), (3, 1.0)):
                for n in (1, 3, 10):
                    of_row = rates(n, n_splits, difference, effect, repeats, margin)
                    cells = [f"{difference:g}", str(n_splits), f"{effect:g}", str(n)]
                    cells += [f"{100 * share:.1f}" for share in of_row]
                    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
