"""Every metric at every cutoff from one set of lists, and metrics by their import path."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np

from bakeoff.arrays import Doubles
from bakeoff.errors import ConfigError, Unsupported, check_range, nearest
from bakeoff.evaluation.metric import EvaluationInputs, Metric

Key = tuple[str, int | None]
"""A metric's name and its cutoff, None for a metric without one."""


@dataclass(frozen=True, eq=False)
class Measurements:
    """What the lists of one cell are worth; m users.

    Args:
        n_users: m.
        per_user: float64 [m] for each metric that has a value for each user; NaN where a user has none.
        means: for each metric the mean over the users that have a value, and its standard error (sample
            standard deviation / sqrt(n); None where n < 2 and for metrics of the whole set of lists).
        absent: why a metric, or a metric at one cutoff ("diversity@1"), has no number.
    """

    n_users: int
    per_user: Mapping[Key, Doubles] = field(default_factory=dict)
    means: Mapping[Key, tuple[float, float | None]] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)


def measure(evidence: EvaluationInputs, metrics: Mapping[str, Metric], ks: Sequence[int]) -> Measurements:
    """Measure the lists by every metric at every k.

    A metric that raises Unsupported is absent, with that reason; any other error goes through.

    Raises:
        ConfigError: a cutoff is not a whole number above 0.
        Unsupported: a cutoff is larger than the lists are long.
        TypeError: a metric gives an array of another shape than it declares.
    """
    for k in ks:
        check_range("k", k, 1, integer=True)
        if k > evidence.lists.depth:
            raise Unsupported(f"k={k}: the lists hold {evidence.lists.depth} items")
    per_user: dict[Key, Doubles] = {}
    means: dict[Key, tuple[float, float | None]] = {}
    absent: dict[str, str] = {}
    for name, metric in metrics.items():
        try:
            values = _values(name, metric, evidence, ks)
        except Unsupported as reason:
            absent[name] = str(reason)
            continue
        for at, row in values.items():
            known = row[~np.isnan(row)]
            if not len(known):
                absent[_column(name, at)] = "no user has a value"
                continue
            means[name, at] = float(known.mean()), _standard_error(known) if metric.per_user else None
            if metric.per_user:
                per_user[name, at] = row
    return Measurements(len(evidence.lists.users), per_user, means, absent)


def _values(
    name: str, metric: Metric, evidence: EvaluationInputs, ks: Sequence[int]
) -> dict[int | None, Doubles]:
    """One float64 row for each cutoff: [m], or [1] for a metric of the whole set of lists."""
    values = np.asarray(metric(evidence, ks), dtype=np.float64)
    width = len(evidence.lists.users) if metric.per_user else 1
    if not metric.cutoff:
        expected: tuple[int, ...] = (width,)
    else:
        expected = (len(ks), width) if metric.per_user else (len(ks),)
    if values.shape != expected:
        raise TypeError(f"metric {name!r}: expected an array of shape {expected}, got {values.shape}")
    if not metric.cutoff:
        return {None: values}
    return dict(zip(ks, values.reshape(len(ks), width), strict=True))


def _standard_error(values: Doubles) -> float | None:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None


def per_user_table(measurements: Measurements) -> tuple[list[str], list[Doubles]]:
    """Per-user values as a table: column names ("ndcg@10", "auc") and float64 [m] arrays."""
    return [_column(*key) for key in measurements.per_user], list(measurements.per_user.values())


def _column(name: str, k: int | None) -> str:
    return name if k is None else f"{name}@{k}"


def resolve(names: Mapping[str, str]) -> dict[str, Metric]:
    """Find metrics by import path: {"ndcg": "bakeoff.evaluation.ranking.ndcg"}.

    Raises:
        ConfigError: a path that leads nowhere, or to something that is no metric.
    """
    return {name: _find(name, path) for name, path in names.items()}


def _find(name: str, path: str) -> Metric:
    key = f"metrics.{name}={path!r}"
    module_name, _, attribute = str(path).rpartition(".")
    if not module_name:
        raise ConfigError(f"{key}: expected an import path such as bakeoff.evaluation.ranking.ndcg")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ConfigError(f"{key}: {error}; expected the import path of a metric") from error
    found = getattr(module, attribute, None)
    if isinstance(found, Metric):
        return found
    if found is not None:
        raise ConfigError(f"{key}: it is no metric; declare it with @bakeoff.evaluation.metric.metric()")
    raise ConfigError(f"{key}: {module_name} has no {attribute!r}; {nearest(attribute, _metrics_of(module))}")


def _metrics_of(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if isinstance(value, Metric)]
