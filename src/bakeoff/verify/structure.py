"""Whether the stored lists, ranks and split can be what they claim to be."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from bakeoff.splits.base import Split
from bakeoff.storage.store import StoredLists

_TOLD = 3  # users named of each fault; the rest is counted


def fingerprint_of(split: Split) -> str:
    """The fingerprint computed from the arrays; a split from the store brings along what was written."""
    found: str = type(split).fingerprint.func(split)  # type: ignore[attr-defined]
    return found


def split_faults(split: Split, found: str, recorded: str) -> Iterator[str]:
    """What is wrong with a split as it lies in the store.

    Args:
        found: the fingerprint of its arrays.
        recorded: the one that the cell's record gives.
    """
    if found != recorded:
        yield f"the stored split has fingerprint {found}, the record says {recorded}"
    if found != split.fingerprint:
        yield f"split.json says fingerprint {split.fingerprint}, its arrays have {found}"
    both = split.test.multiply(split.history)
    if both.nnz:
        yield f"{both.nnz} test pairs are in the history as well"
    with_test = np.flatnonzero(np.diff(split.test.indptr))
    if not np.array_equal(with_test, split.users):
        yield f"{len(split.users)} users are evaluated, {len(with_test)} have test items"


def list_faults(split: Split, stored: StoredLists) -> Iterator[str]:
    """What is wrong with the lists of a cell; nothing else is looked at where their shape is."""
    ids = split.train.user_ids.values
    items, scores = np.asarray(stored.items), np.asarray(stored.scores)
    if items.ndim != 2 or items.shape != scores.shape or len(items) != len(split.users):
        yield (
            f"lists of shape {items.shape} and scores of shape {scores.shape} for {len(split.users)} users"
        )
        return
    faults: dict[str, list[str]] = {}
    for row, user in enumerate(split.users.tolist()):
        seen = split.history.indices[split.history.indptr[user] : split.history.indptr[user + 1]]
        for fault in _faults_of(items[row].tolist(), scores[row].tolist(), set(seen.tolist()), split):
            faults.setdefault(fault, []).append(str(ids[user]))
    for fault, users in faults.items():
        more = f" and {len(users) - _TOLD} more" if len(users) > _TOLD else ""
        yield f"{fault}: user {', '.join(users[:_TOLD])}{more}"


def rank_faults(split: Split, stored: StoredLists) -> Iterator[str]:
    """Where the ranks of test items contradict the lists.

    An item that stands at place p has at most p - 1 candidates above it, and with those that tie at least as
    many; one that a full list does not hold has at least the whole list above it or beside it.
    """
    if stored.above is None or stored.ties is None:
        return
    test, ids = split.test[split.users], split.train.user_ids.values
    above, ties, items = (np.asarray(a).tolist() for a in (stored.above, stored.ties, stored.items))
    if not len(above) == len(ties) == test.nnz:
        yield f"ranks of {len(above)} and {len(ties)} test items, the split has {test.nnz}"
        return
    wrong = []
    for row, user in enumerate(split.users.tolist()):
        place = {item: at for at, item in enumerate(items[row]) if item >= 0}
        for t in range(test.indptr[row], test.indptr[row + 1]):
            at = place.get(int(test.indices[t]))
            reach = above[t] + ties[t]
            fits = above[t] <= at <= reach if at is not None else reach >= len(place) or -1 in items[row]
            if not fits:
                wrong.append(str(ids[user]))
    if wrong:
        named = list(dict.fromkeys(wrong))[:_TOLD]
        yield f"{len(wrong)} ranks of test items contradict the lists: user {', '.join(named)}, ..."


def _faults_of(items: list[int], scores: list[float], seen: set[int], split: Split) -> Iterator[str]:
    listed = [i for i in items if i >= 0]
    if items[: len(listed)] != listed or any(i < -1 for i in items):
        yield "a pad stands before an item"
    if any(i >= split.train.n_items for i in listed):
        yield "an item is outside the catalogue"
    if len(set(listed)) < len(listed):
        yield "an item stands twice"
    if seen & set(listed):
        yield "an item was seen in train"
    shown = scores[: len(listed)]
    if any(not np.isfinite(s) for s in shown) or any(b > a for a, b in itertools.pairwise(shown)):
        yield "scores rise along the list or are not finite"
