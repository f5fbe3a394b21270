"""What a split is, and the one function that assembles it from the rows of its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, Protocol, get_args, runtime_checkable

import numpy as np

from bakeoff.arrays import CSR, Array, Bools, Codes, Times, frozen
from bakeoff.data.interactions import Interactions, concatenate
from bakeoff.errors import DataError, check_choice
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
        events: the rows that train was merged from, in train's codes, without those of validation; the inner
            split cuts these.
        held_out: whether the evaluated users are unknown to train.
        validation: rows of train that came as a validation part: the inner split's test. None: there is none.
        info: counts and dates for people: what was dropped and why. Plain JSON.
        level: 0 for a split of the data, 1 for the inner split of one, and so on. It enters the draws, so
            that one seed does not choose the same rows twice.
    """

    train: Interactions
    test: CSR
    users: Codes
    history: CSR
    events: Interactions
    held_out: bool = False
    validation: Interactions | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    level: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "users", frozen("users", self.users, np.int32))
        shape = (self.train.n_users, self.train.n_items)
        for name in ("test", "history"):
            if getattr(self, name).shape != shape:
                raise TypeError(f"{name}: expected the shape {shape}, got {getattr(self, name).shape}")

    @cached_property
    def fingerprint(self) -> str:
        """A letter and 15 hex digits that name what train, history and test hold, in the user's own ids.

        Row order, coding, dtype and platform do not change it. The history counts where it is not train's.
        """
        parts = [self.train.fingerprint, self._digest(self.test), str(self.held_out)]
        if self.held_out:
            parts.append(self._digest(self.history))
        parts.append(digest_rows(self.train.user_ids.hashes[self.users]))
        # Each part is tagged with its place: the same rows in test and in history are not the same split.
        tagged = [combine(hash_text(part), np.uint64(place)) for place, part in enumerate(parts)]
        return "s" + digest_rows(np.concatenate(tagged))[:15]

    def _digest(self, matrix: CSR) -> str:
        users = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        return digest_rows(
            self.train.user_ids.hashes[users],
            self.train.item_ids.hashes[matrix.indices],
            hash_numbers(matrix.data),
        )


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


@runtime_checkable
class HoldsOut(Protocol):
    """A splitter whose splits are all of users unknown to train, as is known before anything is cut."""

    holds_users_out: ClassVar[Literal[True]]


@dataclass(frozen=True, kw_only=True)
class ColdPolicy:
    """What becomes of test rows whose user or item train does not know; knobs of every family.

    Args:
        cold_users: drop test rows of users without history, or keep them.
        cold_items: drop test rows of items outside train, or keep them: then the catalogue is all items.
    """

    cold_users: Cold = "drop"
    cold_items: Cold = "drop"

    def __post_init__(self) -> None:
        check_choice("split.cold_users", self.cold_users, get_args(Cold))
        check_choice("split.cold_items", self.cold_items, get_args(Cold))

    @property
    def cold(self) -> ColdPolicy:
        """These two knobs alone."""
        return ColdPolicy(cold_users=self.cold_users, cold_items=self.cold_items)


def times_of(data: Interactions, family: str) -> Times:
    """The timestamps that a family needs.

    Raises:
        DataError: the data have none.
    """
    if data.times is None:
        raise DataError(
            f"split '{family}' needs timestamps; the data set has none: name their column (dataset.time=...) "
            "or take a split without time (random, random_rows, kfold, held_out_users)"
        )
    return data.times


def iso(second: int | np.integer[Any]) -> str:
    """Unix seconds as ISO 8601 text in UTC.

    >>> iso(1_700_000_000)
    '2023-11-14T22:13:20Z'
    """
    return f"{np.datetime64(int(second), 's')}Z"


def assemble(
    train: Interactions,
    test: Interactions,
    *,
    fold_in: Interactions | None = None,
    validation: Interactions | None = None,
    cold: ColdPolicy | None = None,
    level: int = 0,
    info: Mapping[str, Any] | None = None,
) -> Split:
    """Build a Split from rows (events) of its parts, which share their ids.

    Duplicates are merged inside each part. A test pair that train or the fold-in history holds is dropped,
    and counted. The catalogue is the items of train; test rows of an item outside it, and of a user without
    history, are dropped and counted, unless the policy is to keep them. A validation part is a part of train,
    as what an inner split cuts off always is: the winner of tuning is fitted on all of it. Validation rows
    whose pair is in test are dropped and counted: what tuning sees must not hold what is tested.

    Raises:
        DataError: nothing is left to train on, or to test.
    """
    if not len(train):
        raise DataError("the split leaves no row to train on: change the split or the filters")
    policy, asked = cold or ColdPolicy(), test.merged()
    counts: dict[str, Any] = {}
    if validation is not None:
        tested = _held(validation, asked)
        validation = validation.take(~tested)
        counts = {"validation_rows": len(validation), "dropped_validation_rows_in_test": int(tested.sum())}
    events, train = train, train if validation is None else concatenate([train, validation])
    known_items = np.bincount(train.items, minlength=train.n_items) > 0
    catalogue = np.ones_like(known_items) if policy.cold_items == "keep" else known_items
    known = train_pairs = train.merged()
    counts |= {"train_rows": len(train), "test_rows": len(test), "train_pairs": len(train_pairs)}
    if fold_in is not None:
        foreign = ~catalogue[fold_in.items]
        known = concatenate([train, fold_in.take(~foreign)]).merged()
        counts |= {"fold_in_rows": len(fold_in), "fold_in_rows_outside_catalogue": int(foreign.sum())}
    kept, dropped = _askable(asked, known, known_items, policy)
    counts |= {"catalogue": int(catalogue.sum()), **dropped, **_dates(train, kept)}

    within = _Catalogue(train, catalogue)
    events = within.rows(events)
    return Split(
        train=events if train_pairs is train and validation is None else within.rows(train_pairs),
        test=within.rows(kept).matrix(),
        users=np.unique(kept.users),
        history=within.rows(known).matrix(),
        events=events,
        held_out=fold_in is not None,
        validation=None if validation is None else within.rows(validation),
        info={**counts, **(info or {})},
        level=level,
    )


def _askable(
    pairs: Interactions, known: Interactions, known_items: Bools, policy: ColdPolicy
) -> tuple[Interactions, dict[str, int]]:
    """The test pairs that can be asked for, and why the others are not.

    A pair is counted under the first reason that holds: it is known already, its user is cold, its item is.
    """
    known_users = np.bincount(known.users, minlength=known.n_users) > 0
    seen = _held(pairs, known)
    cold_user, cold_item = ~known_users[pairs.users], ~known_items[pairs.items]
    dropped_user = cold_user & (policy.cold_users == "drop") & ~seen
    dropped_item = cold_item & (policy.cold_items == "drop") & ~seen & ~dropped_user
    gone = seen | dropped_user | dropped_item
    kept = pairs.take(~gone)
    if not len(pairs):
        raise DataError(
            f"the split leaves no row to test, beside {len(known)} pairs to train on: "
            "change the split or the filters"
        )
    if not len(kept):
        raise DataError(
            f"the split leaves an empty test set: of {len(pairs)} pairs {int(seen.sum())} were seen in "
            f"train, {int(dropped_user.sum())} are of cold users and {int(dropped_item.sum())} of cold "
            "items: change the split or the filters"
        )
    test_users = _distinct(kept.users)
    return kept, {
        "test_pairs": len(kept),
        "test_users": test_users,
        "dropped_seen_in_train": int(seen.sum()),
        "dropped_cold_user_pairs": int(dropped_user.sum()),
        "dropped_cold_users": _distinct(pairs.users[dropped_user]),
        "dropped_cold_item_pairs": int(dropped_item.sum()),
        "dropped_cold_items": _distinct(pairs.items[dropped_item]),
        "kept_cold_users": _distinct(pairs.users[cold_user & ~gone]),
        "kept_cold_items": _distinct(pairs.items[cold_item & ~gone]),
        "users_without_test_rows": int(known_users.sum()) - _distinct(pairs.users[~cold_user]),
        "users_whose_test_rows_were_dropped": _distinct(pairs.users) - test_users,
    }


def _dates(train: Interactions, test: Interactions) -> dict[str, str]:
    """The span of both parts as text, where there are times."""
    if train.times is None or test.times is None:
        return {}
    return {
        "train_first": iso(train.times.min()),
        "train_last": iso(train.times.max()),
        "test_first": iso(test.times.min()),
        "test_last": iso(test.times.max()),
    }


class _Catalogue:
    """Codes parts anew to the kept items; all of them then share one list of ids."""

    def __init__(self, like: Interactions, kept: Bools) -> None:
        self.kept = kept
        self.whole = bool(kept.all())
        codes = np.flatnonzero(kept)
        self.codes = np.cumsum(kept, dtype=np.int32) - np.int32(1)
        self.item_ids = like.item_ids.take(codes)
        self.item_features = None if like.item_features is None else like.item_features.take(codes)

    def rows(self, part: Interactions) -> Interactions:
        if self.whole:
            return part
        rows = part.take(self.kept[part.items])
        return replace(
            rows,
            items=self.codes[rows.items],
            item_ids=self.item_ids,
            item_features=self.item_features,
        )


def _held(rows: Interactions, pairs: Interactions) -> Bools:
    """Whether the pair of each row is one of pairs; both are sorted by pair."""
    if not len(pairs):
        return np.zeros(len(rows), dtype=bool)
    wanted, stored = _keys(rows), _keys(pairs)
    found: Bools = stored[np.minimum(np.searchsorted(stored, wanted), len(stored) - 1)] == wanted
    return found


def _keys(pairs: Interactions) -> Array:
    return pairs.users.astype(np.int64) * max(pairs.n_items, 1) + pairs.items


def _distinct(codes: Codes) -> int:
    return len(np.unique(codes))
