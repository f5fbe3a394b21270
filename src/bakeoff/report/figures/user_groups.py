"""Means of metrics by groups of users.

A user may be behind a mean several times: under several seeds of a model, on several splits. Its values in
one group are averaged first, so that an interval counts each user once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Codes, Doubles
from bakeoff.evaluation.significance import t_quantile
from bakeoff.queries.grouping import Grouping, by_features, by_history, by_known_history, history_edges
from bakeoff.queries.tables import Column
from bakeoff.report.figures.store_access import SplitFits, shared_user_codes


@dataclass(frozen=True, eq=False)
class Means:
    """Means over the users of s groups for c columns.

    Args:
        n_users: int64 [c, s], users with a value.
        mean: float64 [c, s], NaN where nobody has one.
        half: float64 [c, s], half the width of the 95 % t interval over users; NaN below two users.
    """

    n_users: Array
    mean: Doubles
    half: Doubles


@dataclass(frozen=True, eq=False)
class GroupMeans:
    """One grouping of a table's users with the means of its rows.

    Args:
        kind, names: as in Grouping.
        n_users: int64 [s], distinct users of each group over all splits.
        means: for each row of the table, None for a row without results.
    """

    kind: str
    names: tuple[str, ...]
    n_users: Array
    means: tuple[Means | None, ...]


def group_means(fits: Sequence[SplitFits], columns: Sequence[Column]) -> list[GroupMeans]:
    """Return means by length of history, by what is known of a user, and by each user feature.

    Groupings with a single group are left out.
    """
    if not fits or not columns:
        return []
    edges = history_edges(fits[0].split)
    groupings = [[by_history(f.split, edges), by_known_history(f.split), *by_features(f.split)] for f in fits]
    values = [
        [(at, f.values(key, columns)) for at, f in enumerate(fits) for key in f.keys[row]]
        for row in range(len(fits[0].keys))
    ]
    result = []
    for of_kind in zip(*groupings, strict=True):
        # the groups of all splits: in the order of the split that has most, then as they appear
        longest = max(of_kind, key=lambda g: len(g.names))
        names = tuple(dict.fromkeys((*longest.names, *(n for g in of_kind for n in g.names))))
        if len(names) > 1:
            result.append(_means(fits, of_kind, names, values))
    return result


def _means(
    fits: Sequence[SplitFits],
    groupings: Sequence[Grouping],
    names: tuple[str, ...],
    values: Sequence[Sequence[tuple[int, Doubles]]],
) -> GroupMeans:
    members, codes = [_with_columns(g, names) for g in groupings], shared_user_codes(fits)
    means: list[Means | None] = []
    for of_row in values:
        if not of_row:
            means.append(None)
            continue
        users = np.concatenate([codes[at] for at, _ in of_row])
        stacked = sparse.vstack([members[at] for at, _ in of_row], format="csr")
        means.append(mean_by_group(users, np.concatenate([v for _, v in of_row], axis=1), stacked))
    groups, _ = _pairs(np.concatenate(codes), sparse.vstack(members, format="csr"))
    return GroupMeans(groupings[0].kind, names, np.bincount(groups, minlength=len(names)), tuple(means))


def mean_by_group(users: Codes, values: Doubles, members: CSR) -> Means:
    """Return means by group that count each user once.

    Args:
        users: int32 [n], the user of each value; several values may have the same.
        values: float64 [c, n]; NaN is no value.
        members: CSR [n, s], the groups of each value.
    """
    groups, averages = _pairs(users, members)
    valid = ~np.isnan(values.T)
    counts = averages @ valid.astype(np.float64)
    present = counts > 0
    of_user = averages @ np.where(valid, values.T, 0.0) / np.maximum(counts, 1.0)  # [pairs, c]
    shape = members.shape[1], len(groups)
    total = sparse.csr_matrix((np.ones(len(groups)), (groups, np.arange(len(groups)))), shape=shape)
    n = total @ present.astype(np.float64)
    mean = np.where(n > 0, total @ of_user / np.maximum(n, 1.0), np.nan)
    squares = total @ np.where(present, (of_user - np.nan_to_num(mean)[groups]) ** 2, 0.0)
    error = np.sqrt(squares / np.maximum(n - 1, 1.0) / np.maximum(n, 1.0))
    quantile = {degrees: t_quantile(degrees) for degrees in np.unique(n - 1).tolist()}
    half = error * np.vectorize(quantile.__getitem__, otypes=[float])(n - 1)
    return Means(n.T.astype(np.int64), mean.T, half.T)


def _pairs(users: Codes, members: CSR) -> tuple[Array, CSR]:
    """Return the group of each distinct (group, user) pair, and the CSR [pairs, n] of ones at its values."""
    entries = np.repeat(np.arange(members.shape[0]), np.diff(members.indptr))
    width = int(users.max(initial=0)) + 1
    keys, pair = np.unique(members.indices.astype(np.int64) * width + users[entries], return_inverse=True)
    ones = np.ones(len(entries))
    return keys // width, sparse.csr_matrix((ones, (pair, entries)), shape=(len(keys), members.shape[0]))


def _with_columns(grouping: Grouping, names: Sequence[str]) -> CSR:
    """Return the members of a grouping with columns in the order of names."""
    to = np.array([names.index(n) for n in grouping.names], dtype=np.int64)
    ones = np.ones(len(to), dtype=np.float32)
    moved = sparse.csr_matrix((ones, (np.arange(len(to)), to)), shape=(len(to), len(names)))
    return (grouping.members @ moved).tocsr()
