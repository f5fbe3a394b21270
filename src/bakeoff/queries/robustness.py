"""Compare the order of models in other metrics, at other cutoffs, on other splits and with other seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bakeoff.arrays import Array, Bools, Doubles
from bakeoff.evaluation.metric import Metric
from bakeoff.queries.comparison import Column, Row, Run, Table, leading_column
from bakeoff.queries.verdict import means_of_run, other_k
from bakeoff.storage.store import Store

RESAMPLES = 400
CONFIDENCE = 0.95

_AT_ONCE = 2**22
"""Largest number of weights of users in memory."""


@dataclass(frozen=True, eq=False)
class Group:
    """Values by user of one split: user ids [n], and float64 [m, n] in the order of the models."""

    users: Array
    values: Doubles


@dataclass(frozen=True, eq=False)
class Setting:
    """One way to look at the models.

    Args:
        name: what differs from the base: `ndcg@20`, `map@10`, `seed 2`, `split temporal`.
        means: float64 [m], higher is better.
        groups: values by user, one of each split; none where they are not stored.
    """

    name: str
    means: Doubles
    groups: tuple[Group, ...] = ()


@dataclass(frozen=True)
class Agreement:
    """The order of models in a setting against that of the base.

    Args:
        setting: its name.
        tau: Kendall's tau (a) of the two orders.
        low, high: its interval over users; None where values by user are not stored.
        flips: pairs (a, b) with a above b in the base and below it here.
        clear: those of them of which users decide both orders.
    """

    setting: str
    tau: float
    low: float | None
    high: float | None
    flips: tuple[tuple[str, str], ...]
    clear: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Robustness:
    """How far the order of models on one data set holds.

    Args:
        title: the labels of data set and split of the base.
        base: its metric and cutoff.
        models: best first.
        agreements: one for each other setting.
    """

    title: str
    base: str
    models: tuple[str, ...]
    agreements: tuple[Agreement, ...]

    @property
    def sentences(self) -> list[str]:
        """A line to quote for the first two models, and one for each other pair that flips."""
        every = {pair for agreement in self.agreements for pair in agreement.flips}
        pairs = [(a, b) for n, a in enumerate(self.models) for b in self.models[n + 1 :]]
        lines = [self._sentence(pair) for n, pair in enumerate(pairs) if n == 0 or pair in every]
        lines.append(f"{len(every)} of {len(pairs)} pairs flip in at least one setting.")
        return lines

    def _sentence(self, pair: tuple[str, str]) -> str:
        n = len(self.agreements)
        flips = [a.setting + " (clearly)" * (pair in a.clear) for a in self.agreements if pair in a.flips]
        text = f"{pair[0]} over {pair[1]} holds in {n - len(flips)} of {n} settings beside {self.base}"
        return f"{text}; it flips under {', '.join(flips)}." if flips else f"{text}."


def robustness(
    tables: Sequence[Table], metrics: Mapping[str, Metric], store: Store, *, seed: int = 0
) -> list[Robustness]:
    """Return how far the order holds on each data set, from stored values; the first split is the base."""
    by_data: dict[str, list[Table]] = {}
    for table in tables:
        by_data.setdefault(table.dataset_label, []).append(table)
    results = []
    for same in by_data.values():
        column = leading_column(same[0].columns)
        rows = [row for row in same[0].rows if row.status == "done" and column in row.values]
        if column is None or len(rows) < 2 or metrics[column.metric].higher_is_better is None:
            continue
        models = tuple(row.label for row in rows)
        base, *others = _settings(same, models, column, metrics, store)
        order = np.argsort(-base.means, kind="stable")
        models = tuple(models[at] for at in order)
        agreements = tuple(agreement(base, other, order, models, seed) for other in others)
        results.append(Robustness(same[0].title, column.name, models, agreements))
    return results


def _settings(
    tables: Sequence[Table],
    models: Sequence[str],
    column: Column,
    metrics: Mapping[str, Metric],
    store: Store,
) -> Iterator[Setting]:
    """Yield the base, then each setting that differs from it in one thing and has all models."""
    first = tables[0]
    yield _setting(column.name, first, models, column, metrics, store)
    for other in first.columns:
        accuracy = metrics[other.metric].kind == "accuracy" and other.k in (column.k, None)
        if other != column and (other_k(other, column) or accuracy) and _complete(first, models, other):
            yield _setting(other.name, first, models, other, metrics, store)
    for run in first.runs if len(first.runs) > 1 else ():
        means = means_of_run(_rows(first, models), column, run)
        if len(means) == len(models):
            yield _setting(run.name, first, models, column, metrics, store, run)
    for table in tables[1:]:
        if _complete(table, models, column):
            yield _setting(f"split {table.split_label}", table, models, column, metrics, store)


def _rows(table: Table, models: Sequence[str]) -> list[Row]:
    by_label = {row.label: row for row in table.rows}
    return [by_label[label] for label in models if label in by_label]


def _complete(table: Table, models: Sequence[str], column: Column) -> bool:
    return sum(column in row.values for row in _rows(table, models)) == len(models)


def _setting(
    name: str,
    table: Table,
    models: Sequence[str],
    column: Column,
    metrics: Mapping[str, Metric],
    store: Store,
    run: Run | None = None,
) -> Setting:
    rows, sign = _rows(table, models), 1.0 if metrics[column.metric].higher_is_better else -1.0
    if run is None:
        means = np.array([row.values[column].mean for row in rows])
    else:
        by_label = means_of_run(rows, column, run)
        means = np.array([by_label[label] for label in models])
    groups = _groups(rows, column, store, run) if metrics[column.metric].per_user else []
    signed = tuple(Group(group.users, sign * group.values) for group in groups)
    return Setting(name, sign * means, signed)


def _groups(rows: Sequence[Row], column: Column, store: Store, run: Run | None) -> list[Group]:
    """Return the values by user on each split, averaged over fits; none if a model lacks them."""
    fits: dict[str, list[dict[str, None]]] = {}
    for at, row in enumerate(rows):
        for request, record in row.results:
            cell = request.cell
            if record.done and (run is None or (cell.split_seed, cell.fold, cell.seed) == run):
                of_split = fits.setdefault(record.split_fingerprint, [{} for _ in rows])
                of_split[at][request.key] = None
    groups = []
    for of_split in fits.values():
        tables = [[store.per_user(key, [column.name]) for key in keys] for keys in of_split]
        values = [[t[column.name] for t in of if t is not None and column.name in t] for of in tables]
        if not all(len(v) == len(of) > 0 for v, of in zip(values, tables, strict=True)):
            return []
        users = next(t["user"] for t in tables[0] if t is not None)
        groups.append(Group(users, np.stack([np.mean(of, axis=0) for of in values])))
    return groups


def agreement(
    base: Setting, other: Setting, order: Array, models: Sequence[str], seed: int, resamples: int = RESAMPLES
) -> Agreement:
    """Return the agreement of two settings.

    The interval of tau is made of pairs: where users decide the order of a pair in both settings, it counts
    as it is, else as anything from -1 to 1. An order is decided if the difference exceeds its bootstrap
    error by the normal quantile, corrected for all pairs and both settings (Bonferroni). Percentiles of tau
    itself will not do: resampling draws tau of close pairs to 0 (bench/tau_coverage.py).

    Args:
        order: of the models in the base, best first, as positions in both settings' means.
        models: labels in this order.
    """
    above, below = np.triu_indices(len(order), 1)
    product = np.sign(_differences(base.means[order], above, below))
    product *= np.sign(_differences(other.means[order], above, below))
    low = high = None
    decided = np.zeros(len(above), dtype=bool)
    if base.groups and other.groups:
        from scipy.stats import norm

        critical = float(norm.isf((1 - CONFIDENCE) / (2 * len(above))))
        decided = np.ones(len(above), dtype=bool)
        for setting, draws in zip((base, other), _resampled(base, other, seed, resamples), strict=True):
            difference = _differences(setting.means[order], above, below)
            error = _differences(draws[:, order], above, below).std(axis=0, ddof=1)
            decided &= np.abs(difference) > critical * error
        low = float(np.where(decided, product, -1.0).mean())
        high = float(np.where(decided, product, 1.0).mean())

    def pairs(which: Bools) -> tuple[tuple[str, str], ...]:
        return tuple((models[above[q]], models[below[q]]) for q in np.flatnonzero(which))

    flipped = product < 0
    return Agreement(other.name, float(product.mean()), low, high, pairs(flipped), pairs(flipped & decided))


def _differences(means: Doubles, above: Array, below: Array) -> Doubles:
    """Return the difference of each pair, float64 [..., pairs]."""
    differences: Doubles = means[..., above] - means[..., below]
    return differences


def _resampled(base: Setting, other: Setting, seed: int, resamples: int) -> tuple[Doubles, Doubles]:
    """Return means under the same resampled users, float64 [resamples, m] for each setting."""
    both = (base.groups, other.groups)
    users = np.unique(np.concatenate([group.users for groups in both for group in groups]))
    places = [[np.searchsorted(users, group.users) for group in groups] for groups in both]
    rng = np.random.default_rng(seed)
    means: tuple[list[Doubles], list[Doubles]] = [], []
    step = max(1, _AT_ONCE // len(users))
    for start in range(0, resamples, step):
        n = min(step, resamples - start)
        weights = rng.multinomial(len(users), np.full(len(users), 1 / len(users)), size=n).astype(np.float64)
        for made, groups, at in zip(means, both, places, strict=True):
            made.append(
                np.mean([_weighted(weights[:, a], g) for g, a in zip(groups, at, strict=True)], axis=0)
            )
    return np.concatenate(means[0]), np.concatenate(means[1])


def _weighted(weights: Doubles, group: Group) -> Doubles:
    """Return weighted means over the users that have a value, float64 [resamples, m]."""
    valued = ~np.isnan(group.values)
    total = weights @ np.where(valued, group.values, 0.0).T
    mean: Doubles = total / np.maximum(weights @ valued.T.astype(np.float64), 1e-300)
    return mean
