"""The splits of a table and the cells on them, read from the store. Nothing is fitted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bakeoff.arrays import Array, Codes, Doubles
from bakeoff.queries.select import keys_by_split
from bakeoff.queries.tables import Column, Table
from bakeoff.splits.base import Split
from bakeoff.storage.store import Store


@dataclass(frozen=True, eq=False)
class SplitFits:
    """One split of a table with the finished cells on it.

    Args:
        split_key: its name in the store.
        keys: for each row of the table its cells on this split, one for each distinct fit.
    """

    store: Store
    split_key: str
    keys: tuple[tuple[str, ...], ...]

    @cached_property
    def split(self) -> Split:
        return self.store.split(self.split_key)

    @cached_property
    def item_users(self) -> Array:
        """int64 [I]: the number of users that train has for each item."""
        return np.bincount(self.split.train.matrix().indices, minlength=self.split.train.n_items)

    def values(self, key: str, columns: Sequence[Column]) -> Doubles:
        """Return float64 [columns, m]: the stored values of a cell by user; NaN where there is none."""
        names = [c.name for c in columns]
        stored = self.store.per_user(key, names) or {}
        nothing = np.full(len(self.split.users), np.nan)
        return np.stack([np.asarray(stored.get(n, nothing), dtype=np.float64) for n in names])

    def items(self, key: str, depth: int | None = None) -> Codes:
        """Return int32 [m, depth]: the stored lists, -1 padded."""
        return np.ascontiguousarray(self.store.lists(key).items[:, :depth])


def shared_user_codes(fits: Sequence[SplitFits]) -> list[Codes]:
    """Return the evaluated users of each split, int32 [m]; one code is one user in all of the splits."""
    hashes = [one.split.train.user_ids.hashes[one.split.users] for one in fits]
    _, codes = np.unique(np.concatenate(hashes), return_inverse=True)
    return np.split(codes.astype(np.int32), np.cumsum([len(part) for part in hashes])[:-1])


def split_fits(table: Table, store: Store) -> Iterator[SplitFits]:
    """Yield the splits of a table that the store has, in order."""
    by_row = [keys_by_split(row.results) for row in table.rows]
    for part in table.parts:
        keys = tuple(tuple(of_row.get(part.fingerprint, ())) for of_row in by_row)
        on_split = {key for of_row in keys for key in of_row}
        names = [r.record.split_key for row in table.rows for r in row.results if r.request.key in on_split]
        if names and store.has_split(names[0]):
            yield SplitFits(store, names[0], keys)


def missing(table: Table, store: Store) -> str:
    """Return the reason why values by user are unavailable for this table, or ""."""
    for part in table.parts:
        for request, record in (result for row in table.rows for result in row.results):
            if not record.done or record.split_fingerprint != part.fingerprint:
                continue
            folder = store.cell_folder(request.key)
            if not store.has_split(record.split_key):
                return f"the store has no split {record.split_key}"
            if not ((folder / "items.npy").exists() and (folder / "per_user.parquet").exists()):
                return f"the store has no lists of cell {request.key}"
    return ""
