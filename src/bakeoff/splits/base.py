"""What a split is, and the one function that assembles it from the rows of its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from bakeoff.arrays import CSR, Codes, frozen
from bakeoff.data.interactions import Interactions, concatenate
from bakeoff.errors import DataError
from bakeoff.hashing import combine, digest_rows, hash_numbers, hash_text

Cold = Literal["drop", "keep"]


@dataclass(frozen=True, eq=False)
class Split:
    """Train and test parts of one data set; U users, I items (the catalogue: the items of train).

    Args:
        train: merged pairs that a model is fitted on.
        test: CSR float32 [U, I]; the pairs to be found, with their values.
        users: int32 [m], ascending: the users that are evaluated, each with at least one test item.
        history: CSR float32 [U, I]; what may be known of a user when recommending. It equals train's matrix
            but for held-out users, whose fold-in rows it adds.
        events: the rows that train was merged from, in train's codes; the inner split cuts these.
        held_out: whether the evaluated users are unknown to train.
        validation: rows that take the place of the inner split's test part, where the data came with them.
        info: counts and dates for people: what was dropped and why.
    """

    train: Interactions
    test: CSR
    users: Codes
    history: CSR
    events: Interactions
    held_out: bool = False
    validation: Interactions | None = None
    info: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "users", frozen("users", self.users, np.int32))
        shape = (self.train.n_users, self.train.n_items)
        for name in ("test", "history"):
            if getattr(self, name).shape != shape:
                raise TypeError(f"{name}: expected the shape {shape}, got {getattr(self, name).shape}")

    @cached_property
    def fingerprint(self) -> str:
        """A letter and 15 hex digits that name what train, history and test hold, in the user's own ids.

        Row order, coding, dtype and platform do not change it.
        """
        train, digests = self.train, []
        ids = train.user_ids.hashes, train.item_ids.hashes
        for part, matrix in (("test", self.test), ("history", self.history)):
            users = np.repeat(np.arange(train.n_users), np.diff(matrix.indptr))
            tag = np.full(len(users), hash_text(part))
            digests.append(digest_rows(tag, ids[0][users], ids[1][matrix.indices], hash_numbers(matrix.data)))
        digests += [train.fingerprint, digest_rows(ids[0][self.users])]
        return "s" + digest_rows(combine(*(np.atleast_1d(hash_text(d)) for d in digests)))[:15]


class Splitter(Protocol):
    """How a split is made: a frozen dataclass whose fields are the knobs of its YAML file.

    Attributes:
        seeded: whether chance decides; where not, `split_seed` is normalised away.
        needs_times: whether the data must have timestamps.
    """

    seeded: ClassVar[bool]
    needs_times: ClassVar[bool]

    def split(self, data: Interactions, seed: int) -> Split:
        """Cut data in train and test."""
        ...

    def inner(self, split: Split, seed: int) -> Split:
        """Cut the train part of a split again by the same kind of split: all that tuning may see."""
        ...


def assemble(
    train: Interactions,
    test: Interactions,
    *,
    fold_in: Interactions | None = None,
    validation: Interactions | None = None,
    cold_users: Cold = "drop",
    cold_items: Cold = "drop",
    info: Mapping[str, Any] | None = None,
) -> Split:
    """Build a Split from rows (events) of its parts, which share their ids.

    Duplicates are merged inside each part. A test pair that train or the fold-in history holds is dropped,
    and counted. The catalogue is the items of train; test rows of an item outside it, and of a user without
    history, are dropped and counted, unless the policy is to keep them.

    Raises:
        DataError: nothing is left to train on, or to test.
    """
    history = train if fold_in is None else concatenate([train, fold_in])
    known_items = np.bincount(train.items, minlength=train.n_items) > 0
    if cold_items == "keep":
        catalogue = np.ones(train.n_items, dtype=bool)
    else:
        catalogue = known_items
        if fold_in is not None:
            history = history.take(known_items[history.items])
    known_users = np.bincount(history.users, minlength=train.n_users) > 0

    pairs = test.merged()
    seen = np.isin(_keys(pairs), _keys(history.merged()))
    cold_user = np.zeros_like(seen) if cold_users == "keep" else ~known_users[pairs.users]
    cold_item = ~catalogue[pairs.items]
    kept = pairs.take(~(seen | cold_user | cold_item))

    counts: dict[str, Any] = {
        "train_pairs": len(train.merged()),
        "test_pairs": len(kept),
        "test_users": len(np.unique(kept.users)),
        "catalogue": int(catalogue.sum()),
        "dropped_seen_in_train": int(seen.sum()),
        "dropped_cold_user_pairs": int((cold_user & ~seen).sum()),
        "dropped_cold_users": len(np.unique(pairs.users[cold_user])),
        "dropped_cold_item_pairs": int((cold_item & ~cold_user & ~seen).sum()),
        "dropped_cold_items": len(np.unique(pairs.items[cold_item])),
        "kept_cold_users": int((~known_users[np.unique(kept.users)]).sum()),
        "kept_cold_items": int((~known_items[np.unique(kept.items)]).sum()),
    }
    if not len(train):
        raise DataError("the split leaves no row to train on: change the split or the filters")
    if not len(kept):
        raise DataError(
            "the split leaves an empty test set, of {} pairs {} were seen in train, {} are of cold users and {} "
            "of cold items: change the split or the filters".format(
                len(pairs),
                counts["dropped_seen_in_train"],
                counts["dropped_cold_user_pairs"],
                counts["dropped_cold_item_pairs"],
            )
        )
    events = train.with_items(catalogue)
    return Split(
        train=events.merged(),
        test=kept.with_items(catalogue).matrix(),
        users=np.unique(kept.users).astype(np.int32),
        history=history.with_items(catalogue).matrix(),
        events=events,
        held_out=fold_in is not None,
        validation=None if validation is None else validation.with_items(catalogue),
        info={**counts, **(info or {})},
    )


def _keys(pairs: Interactions) -> Any:
    return pairs.users.astype(np.int64) * max(pairs.n_items, 1) + pairs.items
