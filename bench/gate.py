"""Error rates of a gate over several comparisons: one answer for each and their vote, against one for all.

    python bench/gate.py                           # the tables of docs/statistics.md

A comparison has its own users and splits; a user's difference on a split is drawn as in bench/variance.py.
The vote is PROMOTED if every comparison is, REJECTED if one is. The pooled answer comes from the interval of
the mean difference over the comparisons (`evaluation.variance.combined`).
"""

from __future__ import annotations

import argparse

import numpy as np

from bakeoff.arrays import Doubles
from bakeoff.evaluation.significance import Sample, TestConfig, pair_spread
from bakeoff.evaluation.variance import PairSpread, combined

REPEATS = 2000
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


def answers(
    rng: np.random.Generator, n: int, n_splits: int, difference: float, effect: float
) -> tuple[int, int, bool]:
    """Return 1, -1 or 0 (promoted, rejected, undecided) by vote and pooled, and whether the latter covers."""
    pairs = [draw(rng, n_splits, difference, effect) for _ in range(n)]
    each = [side(pair.difference, float(pair.spread.half_widths()[0])) for pair in pairs]
    vote = 1 if min(each) == 1 else -1 if min(each) == -1 else 0
    result = combined(pairs, [str(at) for at in range(n)], np.full(n, 1 / n))
    share = 0.5 if n_splits > 1 else 1.0
    truth = difference * np.sqrt((share + (1 - share) / n_splits) / USERS)
    return vote, side(result.difference, result.half), abs(result.difference - truth) <= result.half


def side(difference: float, half: float) -> int:
    return 1 if difference > half else -1 if difference < -half else 0


def rates(n: int, n_splits: int, difference: float, effect: float, repeats: int) -> Doubles:
    """Return shares: promoted and rejected by vote, the same pooled, and pooled intervals that cover."""
    rng = np.random.default_rng([SEED, n, n_splits, int(100 * difference), int(100 * effect)])
    results = np.array([answers(rng, n, n_splits, difference, effect) for _ in range(repeats)])
    vote, pooled, covers = results.T
    return np.array(
        [(vote == 1).mean(), (vote == -1).mean(), (pooled == 1).mean(), (pooled == -1).mean(), covers.mean()]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    repeats = parser.parse_args().repeats
    heads = (
        "comparisons",
        "splits of each",
        "split effect",
        "true difference",
        "vote: promoted %",
        "rejected %",
        "pooled: promoted %",
        "rejected %",
        "coverage %",
    )
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for n_splits, effect in ((1, 0.0), (3, 0.0), (3, 1.0)):
        for difference in (0.0, BETTER):
            for n in (1, 3, 5, 10):
                shares = rates(n, n_splits, difference, effect, repeats)
                cells = [str(n), str(n_splits), f"{effect:g}", f"{difference:g}"]
                cells += [f"{100 * share:.1f}" for share in shares]
                print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
