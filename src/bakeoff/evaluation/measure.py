"""Measure the lists of one cell by every metric at every cutoff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bakeoff.arrays import Doubles
from bakeoff.errors import ConfigError, Unsupported, check_range
from bakeoff.evaluation.metric import EvaluationInputs, Metric
from bakeoff.importing import user_code_errors

Key = tuple[str, int | None]
"""Name and cutoff of a metric, as in ("ndcg", 10); the cutoff is None for a metric without one."""


@dataclass(frozen=True, eq=False)
class Measurements:
    """Values of metrics for the lists of one cell with m users.

    Args:
        n_users: m.
        per_user: float64 [m] for each metric that has a value for each user; NaN where a user has none.
        means: for each metric the mean over the users that have a value, and its standard error (sample
            standard deviation / sqrt(n); None where n < 2 and for metrics of the whole set of lists).
        absent: reason why a metric, or a metric at one cutoff ("diversity@1"), has no value.
    """

    n_users: int
    per_user: Mapping[Key, Doubles] = field(default_factory=dict)
    means: Mapping[Key, tuple[float, float | None]] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)


def measure(inputs: EvaluationInputs, metrics: Mapping[str, Metric], ks: Sequence[int]) -> Measurements:
    """Compute every metric at every k.

    A metric that raises Unsupported is absent, with that reason.

    Raises:
        ConfigError: a cutoff is not a whole number above 0, a user's metric raises an error, or a metric
            returns an array of another shape than it declares.
        Unsupported: a cutoff is larger than the lists are long.
    """
    for cutoff in ks:
        check_range("k", cutoff, 1, integer=True)
        if cutoff > inputs.lists.depth:
            raise Unsupported(f"k={cutoff}: the lists hold {inputs.lists.depth} items")
    per_user: dict[Key, Doubles] = {}
    means: dict[Key, tuple[float, float | None]] = {}
    absent: dict[str, str] = {}
    for name, metric in metrics.items():
        try:
            with user_code_errors(metric.path, f"metrics.{name}"):
                values = _values(name, metric, inputs, ks)
        except Unsupported as reason:
            absent[name] = str(reason)
            continue
        for k, row in values.items():
            present = row[~np.isnan(row)]
            if not len(present):
                absent[_column(name, k)] = "no user has a value"
                continue
            means[name, k] = float(present.mean()), _standard_error(present) if metric.per_user else None
            if metric.per_user:
                per_user[name, k] = row
    return Measurements(len(inputs.lists.users), per_user, means, absent)


def _values(
    name: str, metric: Metric, inputs: EvaluationInputs, ks: Sequence[int]
) -> dict[int | None, Doubles]:
    """Return one float64 row for each cutoff: [m], or [1] for a metric of the whole set of lists."""
    values = np.asarray(metric(inputs, ks), dtype=np.float64)
    width = len(inputs.lists.users) if metric.per_user else 1
    if not metric.cutoff:
        expected: tuple[int, ...] = (width,)
    else:
        expected = (len(ks), width) if metric.per_user else (len(ks),)
    if values.shape != expected:
        raise ConfigError(
            f"metrics.{name}: {metric.path} returns an array of shape {values.shape}, expected {expected}"
        )
    if not metric.cutoff:
        return {None: values}
    return dict(zip(ks, values.reshape(len(ks), width), strict=True))


def _standard_error(values: Doubles) -> float | None:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None


def per_user_table(measurements: Measurements) -> tuple[list[str], list[Doubles]]:
    """Return the per-user values as column names ("ndcg@10", "auc") and float64 [m] arrays."""
    return [_column(*key) for key in measurements.per_user], list(measurements.per_user.values())


def _column(name: str, k: int | None) -> str:
    return name if k is None else f"{name}@{k}"
