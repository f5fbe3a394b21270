"""Splits: what a split is, how its parts are assembled, random draws by id, and how it is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np

from bakeoff.arrays import CSR, Array, Bools, Codes, Doubles, Hashes, Times, frozen
from bakeoff.data.interactions import Interactions, concatenate
from bakeoff.data.prepare import count_step
from bakeoff.data.serialization import (
    csr,
    load_array,
    load_interactions,
    load_json,
    load_matrix,
    load_rows,
    operations_of,
    save_array,
    save_interactions,
    save_json,
    save_matrix,
    save_rows,
)
from bakeoff.data.source import Step
from bakeoff.errors import DataError
from bakeoff.hashing import combine, digest_rows, hash_numbers, hash_text
from bakeoff.parameters import check_parameters

Cold = Literal["drop", "keep"]


@dataclass(frozen=True, eq=False)
class Split:
    """Train and test parts of one data set; U users, I items (the catalogue: the items of train).

    The users are those who have a history or are evaluated: a user of whom every test row was dropped is not
    among them.

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
        steps: the ledger of the parts: how many rows, users and items each had, step by step.
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
    steps: tuple[Step, ...] = ()
    level: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "users", frozen("users", self.users, np.int32))
        shape = (self.train.n_users, self.train.n_items)
        for name in ("test", "history"):
            if getattr(self, name).shape != shape:
                raise TypeError(f"{name}: expected the shape {shape}, got {getattr(self, name).shape}")

    @property
    def new_items(self) -> bool:
        """Whether the test items are unknown to train, all of them."""
        return "items_held_out" in self.info

    @cached_property
    def fingerprint(self) -> str:
        """A letter and 15 hex digits that identify train, history and test, in the user's own ids.

        Row order, coding, dtype and platform do not change it. The history counts where it is not train's.
        """
        parts = [self.train.fingerprint, self._digest(self.test), str(self.held_out)]
        if self.held_out:
            parts.append(self._digest(self.history))
        parts.append(digest_rows(self.train.user_ids.hashes[self.users]))
        # Each part is tagged with its position: equal rows in test and in history give different splits.
        tagged = [combine(hash_text(part), np.uint64(position)) for position, part in enumerate(parts)]
        return "s" + digest_rows(np.concatenate(tagged))[:15]

    def _digest(self, matrix: CSR) -> str:
        users = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        return digest_rows(
            self.train.user_ids.hashes[users],
            self.train.item_ids.hashes[matrix.indices],
            hash_numbers(matrix.data),
        )


class Splitter(Protocol):
    """A way to split: a frozen dataclass whose fields are the parameters of its YAML file.

    Attributes:
        seeded: whether chance decides; where not, `split_seed` is normalised away.
        needs_times: whether the data must have timestamps.
    """

    seeded: ClassVar[bool]
    needs_times: ClassVar[bool]

    def split(self, data: Interactions, seed: int) -> Split:
        """Cut data into train and test."""
        ...

    def inner(self, split: Split, seed: int) -> Split:
        """Cut the train part of a split in the same way: the only data that tuning sees."""
        ...


@runtime_checkable
class ColdStartSplitter(Protocol):
    """A splitter whose evaluated users are never in train, which is known before anything is cut."""

    holds_users_out: ClassVar[Literal[True]]


@dataclass(frozen=True, kw_only=True)
class ColdPolicy:
    """What becomes of test rows whose user or item is not in train; parameters of every split.

    Args:
        cold_users: drop or keep the test rows of users without history.
        cold_items: drop or keep the test rows of items outside train; with keep the catalogue is all items.
    """

    cold_users: Cold = "drop"
    cold_items: Cold = "drop"

    def __post_init__(self) -> None:
        check_parameters(self, "split")

    @property
    def cold(self) -> ColdPolicy:
        """These two parameters alone."""
        return ColdPolicy(cold_users=self.cold_users, cold_items=self.cold_items)


def times_of(data: Interactions, family: str) -> Times:
    """Return data.times.

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
    """Return unix seconds as ISO 8601 text in UTC.

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
    steps: Sequence[Step] = (),
) -> Split:
    """Build a Split from rows (events) of its parts, which share their ids.

    Inside each part duplicates are merged, filtered by value and transformed. A test pair that train or the
    fold-in history holds is dropped, and counted. The catalogue is the items of train; test rows of an item
    outside it, and of a user without history, are dropped and counted, unless the policy is to keep them. A
    validation part is a part of train, as what an inner split cuts off always is: the winner of tuning is
    fitted on all of it. Validation rows whose pair is in test are dropped and counted: what tuning sees must
    not hold what is tested.

    Raises:
        DataError: nothing is left to train on, or to test.
    """
    if not len(train):
        raise DataError("the split leaves no row to train on: change the split or the filters")
    policy, test_pairs = cold or ColdPolicy(), test.merged()
    counts: dict[str, Any] = {}
    if validation is not None:
        tested = _contains_pairs(validation, test_pairs)
        validation = validation.take(~tested)
        counts = {"validation_rows": len(validation), "dropped_validation_rows_in_test": int(tested.sum())}
    events, train = train, train if validation is None else concatenate([train, validation])
    history = train_pairs = train.merged()
    known_items = np.bincount(train_pairs.items, minlength=train.n_items) > 0
    catalogue = np.ones_like(known_items) if policy.cold_items == "keep" else known_items
    counts |= {"train_rows": len(train), "test_rows": len(test), "train_pairs": len(train_pairs)}
    if fold_in is not None:
        outside = ~catalogue[fold_in.items]
        history = concatenate([train, fold_in.take(~outside)]).merged()
        counts |= {"fold_in_rows": len(fold_in), "fold_in_rows_outside_catalogue": int(outside.sum())}
    evaluated, dropped = _evaluable_pairs(test_pairs, history, known_items, policy)
    counts |= {"catalogue": int(catalogue.sum()), **dropped, **_dates(train, evaluated)}

    ledger = []
    for part, rows, pairs in (("train", train, train_pairs), ("test", test, test_pairs)):
        ledger.append(count_step("cut", rows, part=part))
        if pairs is not rows:
            ledger.append(count_step("merge and filter", pairs, part=part))
    reasons = {"dropped_seen_in_train": "in train", "dropped_cold_user_pairs": "of unknown users"}
    reasons |= {"dropped_cold_item_pairs": "of unknown items"}
    removed = [f"{dropped[name]} {why}" for name, why in reasons.items() if dropped[name]]
    ledger.append(
        count_step("evaluated", evaluated, (removed and f"{', '.join(removed)} removed") or "", "test")
    )
    split_users = np.bincount(history.users, minlength=history.n_users) > 0
    split_users[evaluated.users] = True
    encoder = _Encoder(train, split_users, catalogue)
    events, evaluated = encoder.rows(events), encoder.rows(evaluated)
    return Split(
        train=events if train_pairs is train and validation is None else encoder.rows(train_pairs),
        test=evaluated.matrix(),
        users=np.unique(evaluated.users),
        history=encoder.rows(history).matrix(),
        events=events,
        held_out=fold_in is not None,
        validation=None if validation is None else encoder.rows(validation),
        info={**counts, **(info or {})},
        steps=(*steps, *ledger),
        level=level,
    )


def _evaluable_pairs(
    pairs: Interactions, history: Interactions, known_items: Bools, policy: ColdPolicy
) -> tuple[Interactions, dict[str, int]]:
    """Return the test pairs that can be evaluated, and counts of the others by reason.

    A pair is counted under the first reason that holds: it is known already, its user is cold, its item is.
    """
    known_users = np.bincount(history.users, minlength=history.n_users) > 0
    seen = _contains_pairs(pairs, history)
    cold_user, cold_item = ~known_users[pairs.users], ~known_items[pairs.items]
    dropped_user = cold_user & (policy.cold_users == "drop") & ~seen
    dropped_item = cold_item & (policy.cold_items == "drop") & ~seen & ~dropped_user
    dropped_any = seen | dropped_user | dropped_item
    evaluated = pairs.take(~dropped_any)
    if not len(pairs):
        raise DataError(
            f"the split leaves no row to test, beside {len(history)} pairs to train on: "
            "change the split or the filters"
        )
    if not len(evaluated):
        raise DataError(
            f"the split leaves an empty test set: of {len(pairs)} pairs {int(seen.sum())} were seen in "
            f"train, {int(dropped_user.sum())} are of cold users and {int(dropped_item.sum())} of cold "
            "items: change the split or the filters"
        )
    test_users = _n_distinct(evaluated.users)
    return evaluated, {
        "test_pairs": len(evaluated),
        "test_users": test_users,
        "dropped_seen_in_train": int(seen.sum()),
        "dropped_cold_user_pairs": int(dropped_user.sum()),
        "dropped_cold_users": _n_distinct(pairs.users[dropped_user]),
        "dropped_cold_item_pairs": int(dropped_item.sum()),
        "dropped_cold_items": _n_distinct(pairs.items[dropped_item]),
        "kept_cold_users": _n_distinct(pairs.users[cold_user & ~dropped_any]),
        "kept_cold_items": _n_distinct(pairs.items[cold_item & ~dropped_any]),
        "users_without_test_rows": int(known_users.sum()) - _n_distinct(pairs.users[~cold_user]),
        "users_whose_test_rows_were_dropped": _n_distinct(pairs.users) - test_users,
    }


def _dates(train: Interactions, test: Interactions) -> dict[str, str]:
    """Return first and last date of both parts as text; empty where there are no times."""
    if train.times is None or test.times is None:
        return {}
    return {
        "train_first": iso(train.times.min()),
        "train_last": iso(train.times.max()),
        "test_first": iso(test.times.min()),
        "test_last": iso(test.times.max()),
    }


class _Encoder:
    """Encodes parts anew for selected users and items; all of them then share the lists of ids."""

    def __init__(self, like: Interactions, users: Bools, items: Bools) -> None:
        self._users, self._items = users, items
        self._user_codes, self._item_codes = _new_codes(users), _new_codes(items)
        selected_users, selected_items = np.flatnonzero(users), np.flatnonzero(items)
        user_features, item_features = like.user_features, like.item_features
        self._shared: dict[str, Any] = {
            "user_ids": like.user_ids if users.all() else like.user_ids.take(selected_users),
            "item_ids": like.item_ids if items.all() else like.item_ids.take(selected_items),
            "user_features": user_features and user_features.take(selected_users),
            "item_features": item_features and item_features.take(selected_items),
        }
        self._whole = bool(users.all() and items.all())

    def rows(self, part: Interactions) -> Interactions:
        if self._whole:
            return part
        rows = part.take(self._users[part.users] & self._items[part.items])
        return replace(
            rows, users=self._user_codes[rows.users], items=self._item_codes[rows.items], **self._shared
        )


def _new_codes(selected: Bools) -> Codes:
    codes: Codes = np.cumsum(selected, dtype=np.int32) - np.int32(1)
    return codes


def _contains_pairs(rows: Interactions, pairs: Interactions) -> Bools:
    """Return whether the pair of each row is one of pairs, bool [n]; both are sorted by pair."""
    if not len(pairs):
        return np.zeros(len(rows), dtype=bool)
    row_keys, pair_keys = _pair_keys(rows), _pair_keys(pairs)
    contained: Bools = (
        pair_keys[np.minimum(np.searchsorted(pair_keys, row_keys), len(pair_keys) - 1)] == row_keys
    )
    return contained


def _pair_keys(pairs: Interactions) -> Array:
    return pairs.users.astype(np.int64) * max(pairs.n_items, 1) + pairs.items


def _n_distinct(codes: Codes) -> int:
    return len(np.unique(codes))


@dataclass(frozen=True, kw_only=True)
class SeededSplit(ColdPolicy):
    """A split drawn by a seed, the inner one likewise. A subclass defines `_cut`."""

    seeded: ClassVar[bool] = True
    needs_times: ClassVar[bool] = False

    def split(self, data: Interactions, seed: int) -> Split:
        return self._cut(data, seed, level=0)

    def inner(self, split: Split, seed: int) -> Split:
        return self._cut(split.events, seed, split.level + 1)

    def _cut(self, data: Interactions, seed: int, level: int) -> Split:
        raise NotImplementedError


def user_draws(data: Interactions, seed: int, level: int = 0) -> Hashes:
    """Return the draw of each user, uint64 [U]."""
    return combine(hash_text(f"split {seed} {level}"), data.user_ids.hashes)


def pair_draws(data: Interactions, seed: int, level: int = 0) -> Hashes:
    """Return the draw of each row's (user, item) pair, uint64 [n]."""
    return combine(user_draws(data, seed, level)[data.users], data.item_ids.hashes[data.items])


def uniform(draws: Hashes) -> Doubles:
    """Return draws as float64 in [0, 1)."""
    return (draws >> np.uint64(11)).astype(np.float64) * 2.0**-53


def train_quota(counts: Array, ratio: float) -> Array:
    """Return the number of each user's train rows: ratio * count, halves to the even number, at least one.

    A user whose share of test rounds to nothing stays in train as a whole.

    >>> train_quota(np.array([0, 1, 2, 3, 4, 5, 20]), 0.8).tolist()
    [0, 1, 2, 2, 3, 4, 16]
    """
    return np.clip(np.rint(ratio * counts).astype(np.int64), np.minimum(counts, 1), counts)


def first_rows_of_users(
    users: Codes, quota: Array, order: Hashes, ties: Callable[[Array], Hashes]
) -> tuple[Bools, Codes]:
    """Select for each user the `quota[user]` rows that come first in order.

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
    selected = np.zeros(len(users), dtype=bool)
    if not len(users):
        return selected, np.zeros(0, dtype=np.int32)
    packed = _packed(users, order, len(quota))
    counts = np.bincount(users, minlength=len(quota))
    ends = np.cumsum(counts)
    # The first row that is not selected, in the packed order; past the end where all are.
    limits = np.append(np.sort(packed), np.uint64(2**64 - 1))[ends - counts + quota]
    limits[quota == counts] = np.uint64(2**64 - 1)
    limit = limits[users]
    np.less(packed, limit, out=selected)
    missing = quota - np.bincount(users[selected], minlength=len(quota))
    if not missing.any():
        return selected, np.zeros(0, dtype=np.int32)
    rows = np.flatnonzero((packed == limit) & (missing[users] > 0))
    rows = rows[np.lexsort((ties(rows), order[rows], users[rows]))]
    owners = users[rows]
    starts = np.searchsorted(owners, owners)
    within_quota = np.arange(len(rows)) - starts < missing[owners]
    selected[rows[within_quota]] = True
    at_cut = np.flatnonzero(within_quota[:-1] & ~within_quota[1:] & (order[rows[:-1]] == order[rows[1:]]))
    return selected, owners[at_cut]


def order_within_users(users: Codes, draws: Hashes, n_users: int) -> Array:
    """Return the numbers of the rows, user by user and, within one, by draw, int64 [n]."""
    packed = _packed(users, draws, n_users)
    order = np.argsort(packed)
    if (np.diff(packed[order]) == 0).any():  # rare: packing dropped the bits that differ
        return np.lexsort((draws, users))
    return order


def _packed(users: Codes, order: Hashes, n_users: int) -> Hashes:
    """Pack user in the high bits and order in the low ones, without its last bits where it is too long;
    uint64 [n].
    """
    bits = 64 - n_users.bit_length()
    lost = max(0, int(order.max(initial=0)).bit_length() - bits)
    return (users.astype(np.uint64) << np.uint64(bits)) | (order >> np.uint64(lost))


def time_order(times: Times) -> Hashes:
    """Return times as an order that starts at 0, uint64 [n]."""
    unsigned = times.astype(np.uint64)  # differences are correct modulo 2**64, for negative times too
    return unsigned - np.uint64(int(times.min()) % 2**64) if len(times) else unsigned


def event_hashes(data: Interactions, rows: Array) -> Hashes:
    """Return the hashes that break ties among a user's events of the same second, uint64 [rows].

    It hashes the ids and, where a pair has several events in that second, their number in order of value: no
    seed, and nothing of the order of the rows in the file. Rows are ascending, in whole groups of a second.
    """
    assert data.times is not None
    users, items, times = data.users[rows], data.items[rows], data.times[rows]
    same = (np.diff(users) == 0) & (np.diff(items) == 0) & (np.diff(times) == 0)
    positions = np.arange(len(rows))
    firsts = (
        np.maximum.accumulate(np.where(np.concatenate(([True], ~same)), positions, 0))
        if len(rows)
        else positions
    )
    occurrence = (positions - firsts).astype(np.uint64)
    return combine(data.user_ids.hashes[users], data.item_ids.hashes[items], occurrence)


def save_split(split: Split, folder: Path) -> None:
    """Write a split into an existing folder as arrays and JSON: the same bytes for the same split."""
    train = split.train
    matrix = train.matrix()
    own_history = any(
        not np.array_equal(getattr(split.history, part), getattr(matrix, part))
        for part in ("indptr", "indices", "data")
    )
    save_interactions(train, folder, "train.")
    save_array(matrix.indptr, folder, "train.indptr")
    save_array(split.users, folder, "users")
    save_matrix(split.test, folder, "test")
    if own_history:
        save_matrix(split.history, folder, "history")
    if split.events is not train:
        save_rows(split.events, folder, "events.")
    if split.validation is not None:
        save_rows(split.validation, folder, "validation.")
    about = {
        "fingerprint": split.fingerprint,
        "held_out": split.held_out,
        "level": split.level,
        "info": dict(split.info),
        "own_history": own_history,
        "own_events": split.events is not train,
        "validation": split.validation is not None,
        "operations": [asdict(operation) for operation in split.events.operations],
        "steps": [asdict(step) for step in split.steps],
    }
    save_json(about, folder, "split")


def load_split(folder: Path) -> Split:
    """Read what `save_split` wrote; arrays are read-only and mapped into memory."""
    about = load_json(folder, "split")
    train = load_interactions(folder, "train.")
    shape = train.n_users, train.n_items
    if about["own_history"]:
        history = load_matrix(folder, "history", shape)
    else:
        values = np.ones(len(train), dtype=np.float32) if train.values is None else train.values
        history = csr(values, train.items, load_array(folder, "train.indptr"), shape)
    events, operations = train, operations_of(about)
    if about["own_events"]:
        events = load_rows(folder, "events.", train, operations)
    split = Split(
        train=train,
        test=load_matrix(folder, "test", shape),
        users=load_array(folder, "users"),
        history=history,
        events=events,
        held_out=about["held_out"],
        validation=load_rows(folder, "validation.", train) if about["validation"] else None,
        info=about["info"],
        steps=tuple(Step(**step) for step in about.get("steps", ())),
        level=about["level"],
    )
    split.__dict__["fingerprint"] = about["fingerprint"]  # computing it would read every row
    return split
