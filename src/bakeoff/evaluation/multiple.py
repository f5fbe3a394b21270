"""Several questions to the same data: corrected p-values, and models over several data sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bakeoff.arrays import Doubles
from bakeoff.errors import Unsupported, check_choice

MIN_DATA_SETS = 5
"""With fewer, ranks over data sets say next to nothing; Demsar 2006 asks for more than 10."""

MIN_MODELS = 3
"""Two models are compared by a pair, not by ranks."""


def corrected(p: Doubles, how: str) -> Doubles:
    """p-values of a family [..., q], corrected along the last axis by `holm` or `bh`."""
    check_choice("correction", how, ("holm", "bh"))
    return holm(p) if how == "holm" else benjamini_hochberg(p)


def holm(p: Doubles) -> Doubles:
    """Holm's step-down: p-values [..., q] such that those at or below a have the family-wise error a.

    The smallest of q is multiplied by q, the next by q - 1 and so on; none may be below one before it, nor
    above 1.

    Source: Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Statistics 6(2).
    """
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p, axis=-1, kind="stable")
    stepped = np.take_along_axis(p, order, axis=-1) * np.arange(p.shape[-1], 0, -1)
    stepped = np.minimum(np.maximum.accumulate(stepped, axis=-1), 1.0)
    found = np.empty_like(stepped)
    np.put_along_axis(found, order, stepped, axis=-1)
    return found


def benjamini_hochberg(p: Doubles) -> Doubles:
    """Benjamini and Hochberg's step-up: at most a share a of those at or below a is false.

    Source: Benjamini and Hochberg 1995, "Controlling the False Discovery Rate", J. R. Stat. Soc. B 57.
    """
    from scipy.stats import false_discovery_control

    p = np.asarray(p, dtype=np.float64)
    return np.asarray(false_discovery_control(p, axis=-1, method="bh")) if p.size else p.copy()


@dataclass(frozen=True, eq=False)
class CriticalDifference:
    """Models ranked over data sets.

    Args:
        ranks: float64 [k], mean rank of each model over the data sets, 1 is best; equals share theirs.
        p: of Friedman's test that all models are alike.
        distance: mean ranks further apart than this differ (Nemenyi, for all pairs at once).
        groups: models (positions) that cannot be told apart, each group as large as it can be, by rank.
        n_data_sets: N.
    """

    ranks: Doubles
    p: float
    distance: float
    groups: tuple[tuple[int, ...], ...]
    n_data_sets: int


def critical_difference(scores: Doubles, confidence: float = 0.95) -> CriticalDifference:
    """Friedman's test and Nemenyi's critical difference of k models over N data sets.

    distance = q / sqrt(2) * sqrt(k (k + 1) / (6 N)), q the quantile of the studentised range of k means with
    infinite degrees of freedom.

    Args:
        scores: float64 [N, k], the higher the better, without NaN.

    Raises:
        Unsupported: fewer than MIN_DATA_SETS data sets or MIN_MODELS models.

    Source: Demsar 2006, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7.
    """
    from scipy.stats import friedmanchisquare, rankdata, studentized_range

    n, k = scores.shape
    if n < MIN_DATA_SETS or k < MIN_MODELS:
        raise Unsupported(
            f"ranks over data sets need {MIN_DATA_SETS} data sets and {MIN_MODELS} models, got {n} and {k}"
        )
    table = rankdata(-scores, axis=1)
    ranks = table.mean(axis=0)
    alike = bool((table == table[:, :1]).all())
    p = 1.0 if alike else float(friedmanchisquare(*scores.T).pvalue)
    quantile = float(studentized_range.ppf(confidence, k, np.inf))
    distance = quantile / np.sqrt(2) * np.sqrt(k * (k + 1) / (6 * n))
    return CriticalDifference(ranks, p, float(distance), _groups(ranks, float(distance)), n)


def _groups(ranks: Doubles, distance: float) -> tuple[tuple[int, ...], ...]:
    """Longest runs of ranks within the distance, none inside another."""
    order = np.argsort(ranks, kind="stable")
    found: list[tuple[int, ...]] = []
    reached = 0
    for start in range(len(order)):
        stop = int(np.searchsorted(ranks[order], ranks[order[start]] + distance, side="right"))
        if stop > reached and stop - start > 1:
            found.append(tuple(int(i) for i in order[start:stop]))
        reached = max(reached, stop)
    return tuple(found)
