"""Chance that belongs to a row, and choices made by it.

A draw depends on the seed and on the ids alone, so the order of the rows, the dtype of the ids, the platform
and the other users cannot change which rows of a user are held out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bakeoff.arrays import Array, Bools, Codes, Doubles, Hashes, Times
from bakeoff.data.interactions import Interactions
from bakeoff.hashing import combine, hash_text
from bakeoff.splits.base import ColdPolicy, Split


@dataclass(frozen=True, kw_only=True)
class ByChance(ColdPolicy):
    """A split that a seed draws; the inner one is drawn from train alike. A family says how, in `_cut`."""

    seeded: ClassVar[bool] = True
    needs_times: ClassVar[bool] = False

    def split(self, data: Interactions, seed: int) -> Split:
        return self._cut(data, seed, level=0)

    def inner(self, split: Split, seed: int) -> Split:
        return self._cut(split.events, seed, split.level + 1)

    def _cut(self, data: Interactions, seed: int, level: int) -> Split:
        raise NotImplementedError


def user_draws(data: Interactions, seed: int, level: int = 0) -> Hashes:
    """uint64 [U]: the draw of each user."""
    return combine(hash_text(f"split {seed} {level}"), data.user_ids.hashes)


def pair_draws(data: Interactions, seed: int, level: int = 0) -> Hashes:
    """uint64 [n]: the draw of each row's (user, item) pair."""
    return combine(user_draws(data, seed, level)[data.users], data.item_ids.hashes[data.items])


def uniform(draws: Hashes) -> Doubles:
    """Draws as float64 in [0, 1)."""
    return (draws >> np.uint64(11)).astype(np.float64) * 2.0**-53


def train_quota(counts: Array, ratio: float) -> Array:
    """How many of each user's rows go to train: ratio * count, halves to the even number, at least one.

    A user whose share of test rounds to nothing stays in train as a whole.

    >>> train_quota(np.array([0, 1, 2, 3, 4, 5, 20]), 0.8).tolist()
    [0, 1, 2, 2, 3, 4, 16]
    """
    return np.clip(np.rint(ratio * counts).astype(np.int64), np.minimum(counts, 1), counts)


def first_of_each(
    users: Codes, quota: Array, order: Hashes, ties: Callable[[Array], Hashes]
) -> tuple[Bools, Codes]:
    """Choose for each user the `quota[user]` rows that come first in order.

    One sort of (user, order) packed in 64 bits; only rows that meet at the cut are looked at again.

    Args:
        users: int32 [n].
        quota: int64 [U], each between 0 and the user's number of rows.
        order: uint64 [n].
        ties: gives for the numbers of rows a hash each, which decides among rows of equal order.

    Returns:
        bool [n], whether a row is among the first; and the users (int32) whose cut falls between two rows of
        equal order, so that the hash had to decide.
    """
    chosen = np.zeros(len(users), dtype=bool)
    if not len(users):
        return chosen, np.zeros(0, dtype=np.int32)
    packed = _packed(users, order, len(quota))
    counts = np.bincount(users, minlength=len(quota))
    ends = np.cumsum(counts)
    # The first row that is not chosen, in the packed order; past the end where all are.
    limits = np.append(np.sort(packed), np.uint64(2**64 - 1))[ends - counts + quota]
    limits[quota == counts] = np.uint64(2**64 - 1)
    limit = limits[users]
    np.less(packed, limit, out=chosen)
    missing = quota - np.bincount(users[chosen], minlength=len(quota))
    if not missing.any():
        return chosen, np.zeros(0, dtype=np.int32)
    rows = np.flatnonzero((packed == limit) & (missing[users] > 0))
    rows = rows[np.lexsort((ties(rows), order[rows], users[rows]))]
    owners = users[rows]
    starts = np.searchsorted(owners, owners)
    taken = np.arange(len(rows)) - starts < missing[owners]
    chosen[rows[taken]] = True
    at_cut = np.flatnonzero(taken[:-1] & ~taken[1:] & (order[rows[:-1]] == order[rows[1:]]))
    return chosen, owners[at_cut]


def order_of_each(users: Codes, draws: Hashes, n_users: int) -> Array:
    """int64 [n]: the numbers of the rows, user by user and, within one, by draw."""
    packed = _packed(users, draws, n_users)
    order = np.argsort(packed)
    if (np.diff(packed[order]) == 0).any():  # packing dropped the bits that differ: rare
        return np.lexsort((draws, users))
    return order


def _packed(users: Codes, order: Hashes, n_users: int) -> Hashes:
    """uint64 [n]: user in the high bits, order in the low ones, less its last bits where it is too long."""
    bits = 64 - n_users.bit_length()
    lost = max(0, int(order.max(initial=0)).bit_length() - bits)
    return (users.astype(np.uint64) << np.uint64(bits)) | (order >> np.uint64(lost))


def by_time(times: Times) -> Hashes:
    """uint64 [n]: times as an order that starts at 0."""
    unsigned = times.astype(np.uint64)  # differences are right modulo 2**64, negative times included
    return unsigned - np.uint64(int(times.min()) % 2**64) if len(times) else unsigned


def event_hashes(data: Interactions, rows: Array) -> Hashes:
    """uint64 [rows]: what decides among a user's events of the same second.

    It hashes the ids and, where a pair has several events in that second, their number in order of value: no
    seed, and nothing of the order of the rows in the file. Rows are ascending, in whole groups of a second.
    """
    assert data.times is not None
    users, items, times = data.users[rows], data.items[rows], data.times[rows]
    same = (np.diff(users) == 0) & (np.diff(items) == 0) & (np.diff(times) == 0)
    places = np.arange(len(rows))
    firsts = (
        np.maximum.accumulate(np.where(np.concatenate(([True], ~same)), places, 0)) if len(rows) else places
    )
    occurrence = (places - firsts).astype(np.uint64)
    return combine(data.user_ids.hashes[users], data.item_ids.hashes[items], occurrence)
