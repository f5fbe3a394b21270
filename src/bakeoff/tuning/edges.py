"""Warnings that the best trials of a search gather at an end of its space, more than chance would have it.

The best value of a search lies near some end of a space of ten axes in half of all searches, whatever is
searched. So a warning needs three things: the best value lies at an end, the hyperparameter matters, and so
many of the other best trials lie there that chance does not explain it. `bench/edges.py` measures how often
the rule warns of nothing, and how often it finds an optimum beyond an end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bakeoff.storage.record import Direction, TrialRecord
from bakeoff.tuning.importance import FEWEST, importance, n_best
from bakeoff.tuning.space import ENDS, Axis, Space

if TYPE_CHECKING:
    from optuna.distributions import FloatDistribution, IntDistribution

    Numeric = IntDistribution | FloatDistribution

AT_END = 0.02
"""The best value is at an end if it is this near to it: share of the axis, in logs on a log axis."""

ZONE = 0.1
"""Share of the axis at an end in which other best trials are counted."""

CHANCE = 0.06
"""A warning needs a smaller chance than this of so many of the other best trials in the zone."""

IMPORTANCE = 0.1
"""A warning needs a larger share of the importance than this."""


def edges(
    space: Space, trials: Sequence[TrialRecord], best: TrialRecord, directions: Sequence[Direction]
) -> tuple[str, ...]:
    """Return a line for each hyperparameter whose best trials gather at an end that is not hard.

    The chance is that of a binomial: each of the other best trials (a tenth of all, five at least) lies in
    the zone with the share of the axis that the zone is. None with fewer than FEWEST trials beside the
    defaults, or with several objectives.
    """
    drawn = [t for t in trials if t.number > 0 and t.state in ("complete", "pruned")]
    if len(drawn) < FEWEST or len(directions) > 1:
        return ()
    sign = 1.0 if directions[0] == "maximize" else -1.0
    complete = [t for t in trials if t.state == "complete"]
    ranked = sorted(complete, key=lambda t: (-sign * t.objective_values[0], t.number))
    others = [t for t in ranked if t.number != best.number][: n_best(len(drawn)) - 1]
    gathered = [
        (axis, end)
        for axis in space.axes
        for end in ENDS
        if axis.name in best.parameters and _gather(axis, end, best, others)
    ]
    if not gathered:
        return ()
    shares = _shares(space, trials, directions)
    return tuple(
        f"{axis.name}={best.parameters[axis.name]!r} lies at the {end} end of its space: widen it"
        for axis, end in gathered
        if shares.get(axis.name, 0.0) > IMPORTANCE
    )


def _shares(
    space: Space, trials: Sequence[TrialRecord], directions: Sequence[Direction]
) -> Mapping[str, float]:
    """Return the importances; the only hyperparameter of a space has all of it."""
    if len(space.axes) == 1:
        return {space.axes[0].name: 1.0}
    return importance({axis.name: axis.distribution for axis in space.axes}, trials, directions).shares


def _gather(axis: Axis, end: str, best: TrialRecord, others: Sequence[TrialRecord]) -> bool:
    of = axis.distribution
    if end in axis.hard or hasattr(of, "choices") or of.single():
        return False
    distance = _distance(of, end, best.parameters[axis.name])
    if distance is None or distance > AT_END:
        return False
    distances = [_distance(of, end, t.parameters[axis.name]) for t in others if axis.name in t.parameters]
    within = sum(d is not None and d <= ZONE for d in distances)
    chance = _zone_share(of, end, axis.values)
    return _binomial_tail(len(distances), chance, within) < CHANCE


def _distance(of: Numeric, end: str, value: float) -> float | None:
    """Return how far a value lies from an end, as a share of the axis; None where logs do not exist."""
    if of.log and value <= 0:
        return None
    low, high, at = (math.log(v) if of.log else float(v) for v in (of.low, of.high, value))
    return (at - low if end == "low" else high - at) / (high - low)


def _zone_share(of: Numeric, end: str, values: Sequence[float] | None) -> float:
    """Return the probability of the zone under uniform draws; whole numbers on a log axis by their width."""
    if values is None:
        return ZONE
    weights = [math.log((v + 0.5) / (v - 0.5)) if of.log else 1.0 for v in values]
    distances = [_distance(of, end, v) for v in values]
    within = sum(w for w, d in zip(weights, distances, strict=True) if d is not None and d <= ZONE)
    return within / sum(weights)


def _binomial_tail(n: int, p: float, at_least: int) -> float:
    """Return the probability of at least so many successes in n trials."""
    return sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(at_least, n + 1))
