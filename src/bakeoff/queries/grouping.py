"""Users and items in groups: by length of history, features, what train knows, popularity. Numbers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array
from bakeoff.splits.base import Split

MOST_VALUES = 6
"""A feature with more values is shown by its most frequent ones; the others are put together."""

BANDS = 4
BAND_SHARES = (0.5, 0.8)
"""The most popular items that hold half of train's pairs are the head, the next up to 80 % the middle. The
tail is what `long_tail_share` calls so."""

BAND_NAMES = ("head", "middle", "tail")


@dataclass(frozen=True, eq=False)
class Grouping:
    """Groups of the m evaluated users of a split; a user may be in several, or in none.

    Args:
        kind: history, known, or the name of a feature.
        names: of the groups, in the order in which they are shown.
        members: CSR float32 [m, groups] of ones.
    """

    kind: str
    names: tuple[str, ...]
    members: CSR


def history_edges(split: Split) -> tuple[int, ...]:
    """Upper ends of bands of history lengths with about a quarter of the evaluated users each; no band empty.

    A history of length 0 is no part of them.
    """
    lengths = _history_lengths(split)
    known = lengths[lengths > 0]
    if not len(known):
        return ()
    ends = np.quantile(known, np.arange(1, BANDS + 1) / BANDS, method="inverted_cdf")
    return tuple(int(e) for e in np.unique(ends))


def by_history(split: Split, edges: Sequence[int]) -> Grouping:
    """Bands of history lengths up to each of the edges; the last has no end. Users without history apart."""
    lengths = _history_lengths(split)
    starts = [1, *(e + 1 for e in edges[:-1])]
    names = [_span(a, b) for a, b in zip(starts, edges, strict=True)]
    if names:
        names[-1] = f"{starts[-1]} or more"
    codes = np.searchsorted(np.asarray(edges[:-1]), lengths, side="left") + 1 if names else lengths * 0
    codes[lengths == 0] = 0
    return _of_codes("history", codes, ["none", *names])


def by_known_history(split: Split) -> Grouping:
    """What was known of a user: by train, by the history that came with the question alone, or nothing."""
    trained = np.diff(split.train.matrix().indptr)[split.users] > 0
    codes = np.where(trained, 0, np.where(_history_lengths(split) > 0, 1, 2))
    return _of_codes("known", codes, ["in train", "new, with a history", "new, without"])


def by_features(split: Split) -> list[Grouping]:
    """A grouping for each user feature of the data: `country=UK` is a value of country.

    A feature without "=" is a number; its users are put in quarters.
    """
    features = split.train.user_features
    if features is None:
        return []
    matrix = features.matrix[split.users].tocsc()
    groups: dict[str, list[int]] = {}
    for at, name in enumerate(features.names):
        groups.setdefault(name.partition("=")[0], []).append(at)
    found = []
    for kind, columns in groups.items():
        if len(columns) == 1 and "=" not in features.names[columns[0]]:
            found.append(_quarters(kind, matrix[:, columns[0]].toarray().ravel()))
        else:
            names = [features.names[c].partition("=")[2] or features.names[c] for c in columns]
            found.append(_most_frequent(kind, names, matrix[:, columns]))
    return found


def popularity_bands(item_users: Array) -> Array:
    """int64 [I]: 0 head, 1 middle, 2 tail, by the users that train has for each item; -1 where it has none.

    Items in order of their users (then of their codes) are counted up to each of BAND_SHARES.
    """
    order = np.argsort(-item_users, kind="stable")
    held = np.cumsum(item_users[order])
    # As for the long tail: the item with which the share is reached still belongs to the band.
    ends = [int(np.searchsorted(held, share * held[-1])) + 1 for share in BAND_SHARES]
    bands = np.empty(len(order), dtype=np.int64)
    bands[order] = np.searchsorted(ends, np.arange(len(order)), side="right")
    bands[item_users == 0] = -1
    return bands


def _history_lengths(split: Split) -> Array:
    return np.asarray(np.diff(split.history.indptr)[split.users], dtype=np.int64)


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"


def _of_codes(kind: str, codes: Array, names: Sequence[str]) -> Grouping:
    """One group a user; groups without users are left out."""
    m = len(codes)
    ones = np.ones(m, dtype=np.float32)
    members = sparse.csr_matrix((ones, (np.arange(m), codes)), shape=(m, len(names)))
    return _without_empty(kind, names, members)


def _without_empty(kind: str, names: Sequence[str], members: CSR) -> Grouping:
    kept = np.flatnonzero(np.bincount(members.indices, minlength=len(names))).tolist()
    return Grouping(kind, tuple(names[i] for i in kept), members[:, kept].tocsr())


def _quarters(kind: str, values: Array) -> Grouping:
    ends = np.unique(np.quantile(values, np.arange(1, BANDS + 1) / BANDS, method="inverted_cdf"))
    codes = np.searchsorted(ends, values, side="left")
    names = [f"{n + 1} of {len(ends)} (low to high)" for n in range(len(ends))]
    return _of_codes(kind, codes, names)


def _most_frequent(kind: str, names: Sequence[str], matrix: CSR) -> Grouping:
    """The most frequent values in the order of the data, then all others as one group."""
    chosen: CSR = matrix.tocsr() != 0
    counts = np.bincount(chosen.indices, minlength=len(names))
    there = np.flatnonzero(counts)
    if len(there) <= MOST_VALUES + 1:
        return _without_empty(kind, names, chosen.astype(np.float32))
    kept = np.sort(np.argsort(-counts, kind="stable")[:MOST_VALUES])
    rest = np.setdiff1d(there, kept)
    others = sparse.csr_matrix(chosen[:, rest].sum(axis=1) > 0)
    members = sparse.hstack([chosen[:, kept], others], format="csr").astype(np.float32)
    return Grouping(kind, (*(names[i] for i in kept), f"{len(rest)} others"), members)
