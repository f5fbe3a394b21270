"""The stored values of models by user, as what a test over users takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from bakeoff.arrays import Array, Doubles
from bakeoff.errors import UsageError
from bakeoff.evaluation.significance import Sample
from bakeoff.queries.select import Result
from bakeoff.report.tables import Column, Part, Row, Table
from bakeoff.storage.store import Store


@dataclass(frozen=True)
class Place:
    """One content of a split, and the cells that m models have on it.

    Args:
        fingerprint: of the split.
        ratio: rows of test to rows of train, or None; what a held-out user is known by counts as test.
        keys: for each model its cells, one for each distinct fit: they differ in the model's seed.
    """

    fingerprint: str
    ratio: float | None
    keys: tuple[tuple[str, ...], ...]


def places(table: Table, rows: Sequence[Row]) -> list[Place]:
    """The splits of a table with the cells of some of its rows."""
    found = [keys_by_split(row.results) for row in rows]
    return [
        Place(part.fingerprint, ratio(part), tuple(tuple(by[part.fingerprint]) for by in found))
        for part in table.parts
        if all(part.fingerprint in by for by in found)
    ]


def keys_by_split(results: Iterable[Result]) -> dict[str, list[str]]:
    """Fingerprint of a split -> the finished cells on it, each once."""
    found: dict[str, dict[str, None]] = {}
    for asked, record in results:
        if record.done:
            found.setdefault(record.split_fingerprint, {})[asked.key] = None
    return {fingerprint: list(keys) for fingerprint, keys in found.items()}


def ratio(part: Part) -> float | None:
    """n_test / n_train of a split, where it was counted."""
    train, test = part.counts.get("train_pairs"), part.counts.get("test_pairs")
    if not train or not test:
        return None
    return float((test + part.counts.get("fold_in_rows", 0)) / train)


def without_values(store: Store, found: Iterable[Place]) -> list[str]:
    """Cells whose values by user are not in the store."""
    keys = dict.fromkeys(key for place in found for of_model in place.keys for key in of_model)
    return [key for key in keys if not (store.cell_folder(key) / "per_user.parquet").exists()]


def read(store: Store, place: Place, columns: Sequence[Column]) -> Sample:
    """The values of the models on one split, averaged per user over their seeds; NaN where there is none.

    Raises:
        UsageError: two cells of one split have other users.
    """
    names = [column_name(c) for c in columns]
    users: Array | None = None
    values: list[Doubles] = []
    for keys in place.keys:
        seeds = []
        for key in keys:
            table = store.per_user(key, names)
            if table is None:
                raise UsageError(f"cell {key}: the store has no values by user; run it with rerun=true")
            if users is None:
                users = table["user"]
            if not np.array_equal(users, table["user"]):
                raise UsageError(
                    f"cells {place.keys[0][0]} and {key}: both stand for split {place.fingerprint} but have "
                    "other users; run them with rerun=true"
                )
            nothing = np.full(len(users), np.nan)
            seeds.append(np.stack([table.get(name, nothing) for name in names]))
        values.append(_mean_over_seeds(seeds))
    assert users is not None
    return Sample(users, np.ascontiguousarray(np.stack(values, axis=1)), place.ratio)


def column_name(column: Column) -> str:
    """The name of a metric at a cutoff, as in the stored file: `ndcg@10`, `auc`."""
    return column.metric if column.k is None else f"{column.metric}@{column.k}"


def _mean_over_seeds(seeds: Sequence[Doubles]) -> Doubles:
    """A user's mean over the seeds under which there is a value."""
    if len(seeds) == 1:
        return seeds[0]
    stacked = np.stack(seeds)
    known = ~np.isnan(stacked)
    total, count = np.where(known, stacked, 0.0).sum(axis=0), known.sum(axis=0)
    mean: Doubles = np.full(total.shape, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean
