"""Baselines: popularity, chance and damped means. They rank by position, without scoring the catalogue."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Codes, Doubles, Floats, Hashes
from bakeoff.data.interactions import Interactions
from bakeoff.errors import ModelError, Unsupported, nearest
from bakeoff.hashing import combine, hash_text, mix
from bakeoff.models.base import OnEpoch, Ranked, State, StoredAttributes
from bakeoff.models.topk import ScoringModel, concatenate_blocks, entries
from bakeoff.parameters import NonNegative, Positive, check_parameters

BLOCK_ENTRIES = 2**20
"""List places and history entries handled at once; lists do not depend on it."""


class Order(Protocol):
    """An order of the catalogue for each user, which can be queried by position and by item."""

    def items_at(self, users: Codes, positions: Array) -> tuple[Codes, Floats]:
        """Return items int32 [b, k] and scores float32 [b, k], not rising, at positions (int64 [b, k]) of
        b users.
        """
        ...

    def positions_of(self, users: Codes, items: Codes) -> Array:
        """Return the position of each item in the order of the user beside it, int64 [n]."""
        ...

    def tied_with(self, positions: Array) -> tuple[Array, Array]:
        """Return the first position with the same score as each, and the one after the last, int64 [n]
        both.
        """
        ...


class OrderedModel(ABC):
    """A model that ranks by position: its cost does not depend on the size of the catalogue.

    The best k are the first k positions whose item is unseen; a target's rank is its position less what was
    seen before it.
    """

    @abstractmethod
    def order(self) -> Order:
        """Return the fitted order."""

    def recommend(self, users: Codes, history: CSR, k: int) -> tuple[Codes, Floats]:
        """Return the k best unseen items of each user; see :class:`bakeoff.models.base.Model`."""
        return self.rank(users, history, k, sparse.csr_matrix(history.shape, dtype=np.float32))[:2]

    def rank(self, users: Codes, history: CSR, k: int, targets: CSR) -> Ranked:
        """Recommend, and rank each target; see :class:`bakeoff.models.base.RanksTargets`."""
        return concatenate_blocks(_ranked_blocks(self.order(), users, history, k, targets), k)


class StaticModel(StoredAttributes, OrderedModel):
    """A model with one score an item, the same for every user; ties by item code.

    Attributes:
        item_scores: float32 [I], set by `fit`.
    """

    fitted: ClassVar[tuple[str, ...]] = ("item_scores",)
    item_scores: Floats

    def order(self) -> Order:
        """Return the items by falling score, then rising code.

        Raises:
            ModelError: a score is not finite.
        """
        wrong = np.flatnonzero(~np.isfinite(self.item_scores))
        if len(wrong):
            raise ModelError(
                f"{type(self).__name__}: the score of item {wrong[0]} is not finite; expected finite scores: "
                "scale the values down, for example by dataset.transform=log1p"
            )
        return _SharedOrder(self.item_scores)


class _SharedOrder:
    """One order for all users, by falling score, then rising item code."""

    def __init__(self, scores: Floats) -> None:
        self._items = np.argsort(-scores, kind="stable").astype(np.int32)
        self._scores = scores[self._items]
        self._position = np.empty(len(scores), dtype=np.int64)
        self._position[self._items] = np.arange(len(scores))

    def items_at(self, users: Codes, positions: Array) -> tuple[Codes, Floats]:
        return self._items[positions], self._scores[positions]

    def positions_of(self, users: Codes, items: Codes) -> Array:
        result: Array = self._position[items]
        return result

    def tied_with(self, positions: Array) -> tuple[Array, Array]:
        falling = -self._scores
        values = falling[positions]
        return np.searchsorted(falling, values, side="left"), np.searchsorted(falling, values, side="right")


def _ranked_blocks(order: Order, users: Codes, history: CSR, k: int, targets: CSR) -> Iterator[Ranked]:
    """Yield the answer block by block."""
    size = max(1, BLOCK_ENTRIES // (k + 1 + history.nnz // max(len(users), 1)))
    for start in range(0, len(users), size):
        block = slice(start, start + size)
        yield _ranked_block(order, users[block], history[block], k, targets[block])


def _ranked_block(order: Order, users: Codes, history: CSR, k: int, targets: CSR) -> Ranked:
    n_items = history.shape[1]
    rows, seen = entries(history)
    seen_keys = np.sort(rows * n_items + order.positions_of(users[rows], seen))
    seen_positions = seen_keys - rows * n_items  # positions, rising within each row
    items, scores = _first_unseen(order, users, rows, seen_positions, history, k)

    rows, target_items = entries(targets)
    first, end = order.tied_with(order.positions_of(users[rows], target_items))
    before = history.indptr[rows]
    above = first - (np.searchsorted(seen_keys, rows * n_items + first) - before)
    not_below = end - (np.searchsorted(seen_keys, rows * n_items + end) - before)
    return Ranked(items, scores, above.astype(np.int32), (not_below - above - 1).astype(np.int32))


def _first_unseen(
    order: Order, users: Codes, rows: Array, seen_positions: Array, history: CSR, k: int
) -> tuple[Codes, Floats]:
    """Return the items and scores at the first k unseen positions of each user, given the seen ones [nnz]."""
    b, n_items = history.shape
    # A seen position p with i seen positions before it precedes the unseen position of rank p - i.
    rank = seen_positions - (np.arange(len(rows)) - history.indptr[rows])
    early = rank < k
    skipped = np.bincount(rows[early] * k + rank[early], minlength=b * k).reshape(b, k).cumsum(axis=1)
    positions = np.arange(k) + skipped
    exists = positions < n_items
    items, scores = order.items_at(users, np.minimum(positions, n_items - 1))
    return np.where(exists, items, np.int32(-1)), np.where(exists, scores, np.float32(-np.inf))


_ROUNDS = 6


class RandomOrder:
    """A pseudo-random permutation of the catalogue for each user, which can be evaluated in both directions.

    A Feistel network permutes the smallest power of two, at least 4, that holds the catalogue; what lands
    outside is sent through again until it lands inside (cycle walking; Black and Rogaway 2002).

    Args:
        keys: uint64 [U], one a user, which decide the permutation.
        n_items: the size of the catalogue.
    """

    def __init__(self, keys: Hashes, n_items: int) -> None:
        self._keys, self._n_items = keys, np.uint64(n_items)
        bits = max(2, (n_items - 1).bit_length())
        self._low = np.uint64(bits // 2)
        self._right = np.uint64(2 ** (bits // 2) - 1)
        self._left = np.uint64(2 ** (bits - bits // 2) - 1)

    def items_at(self, users: Codes, positions: Array) -> tuple[Codes, Floats]:
        """Return items int32 [b, k] at positions [b, k]; their scores are the negative positions."""
        rows = np.repeat(users, positions.shape[1])
        items = self._walked(rows, positions.ravel(), range(_ROUNDS)).reshape(positions.shape)
        return items.astype(np.int32), -positions.astype(np.float32)

    def positions_of(self, users: Codes, items: Codes) -> Array:
        """Return the position of each item in the order of the user beside it, int64 [n]."""
        return self._walked(users, items, reversed(range(_ROUNDS))).astype(np.int64)

    def tied_with(self, positions: Array) -> tuple[Array, Array]:
        """Return each position alone: no two are tied."""
        return positions, positions + 1

    def _walked(self, users: Codes, values: Array, rounds: Iterable[int]) -> Hashes:
        """Return the image of each value in the user's permutation, uint64 [n]; reversed rounds invert it."""
        order, keys = list(rounds), self._keys[users]
        state = self._once(keys, values.astype(np.uint64), order)
        outside = np.flatnonzero(state >= self._n_items)
        while len(outside):
            state[outside] = self._once(keys[outside], state[outside], order)
            outside = outside[state[outside] >= self._n_items]
        return state

    def _once(self, keys: Hashes, state: Hashes, rounds: list[int]) -> Hashes:
        left, right = state >> self._low, state & self._right
        for number in rounds:
            key = keys + np.uint64(number)
            if number % 2:
                right = right ^ (mix(key ^ mix(left)) & self._right)
            else:
                left = left ^ (mix(key ^ mix(right)) & self._left)
        return (left << self._low) | right


By = Literal["users", "count", "recent"]

_DAY = 86_400.0


@dataclass
class Popularity(StaticModel):
    """Recommend the most popular items, in the same order to everybody.

    Args:
        by: popularity of an item: users (number of its users), count (sum of its values) or recent (number of
            its users, each weighted by the age of the interaction).
        half_life_days: age at which an interaction counts half in `recent`, in days before the last one of
            train.
    """

    stochastic: ClassVar[bool] = False
    folds_in: ClassVar[bool] = True
    serves_new: ClassVar[tuple[str, ...]] = ("items",)

    by: By = "users"
    half_life_days: Positive = 30.0

    def __post_init__(self) -> None:
        check_parameters(self, "model.build")

    @property
    def needs(self) -> tuple[str, ...]:
        """Times, for `recent`."""
        return ("times",) if self.by == "recent" else ()

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Count interactions by item; the seed has no effect.

        Raises:
            Unsupported: `recent` on data without times.
        """
        worth = np.ones(len(train))
        if self.by == "count" and train.values is not None:
            worth = train.values.astype(np.float64)
        if self.by == "recent":
            if train.times is None:
                raise Unsupported("popularity by=recent needs timestamps; the data set has none")
            age = (train.times.max(initial=0) - train.times) / _DAY
            worth = np.exp2(-age / self.half_life_days)
        counts = np.bincount(train.items, weights=worth, minlength=train.n_items)
        self.item_scores = counts.astype(np.float32)


@dataclass
class RecentPopularity(StaticModel):
    """Recommend the most popular items of the last days of train, in the same order to everybody.

    Args:
        by: popularity of an item: users (number of its users) or count (sum of its values).
        half_life_days: age at which an interaction counts half, in days before the last one of train.
        window_days: age beyond which an interaction does not count, likewise.
    """

    stochastic: ClassVar[bool] = False
    folds_in: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("times",)
    serves_new: ClassVar[tuple[str, ...]] = ("items",)

    by: Literal["users", "count"] = "users"
    half_life_days: Positive = 30.0
    window_days: Positive = 365.0

    def __post_init__(self) -> None:
        check_parameters(self, "model.build")

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Count recent interactions by item; the seed has no effect.

        Raises:
            Unsupported: the data have no times.
        """
        if train.times is None:
            raise Unsupported("needs timestamps; the data set has none")
        age = (train.times.max(initial=0) - train.times) / _DAY
        worth = np.where(age <= self.window_days, np.exp2(-age / self.half_life_days), 0.0)
        if self.by == "count" and train.values is not None:
            worth *= train.values
        self.item_scores = np.bincount(train.items, worth, train.n_items).astype(np.float32)


@dataclass
class GroupPopularity(StoredAttributes, ScoringModel):
    """Recommend what is most popular in the user's group: the users with the same value of a side feature.

    Users without the feature, and new ones, get what is popular among all users.

    Args:
        feature: name of the feature, as `gender` of the columns gender=F and gender=M; null: the first.
        prior: number of users, distributed as all users are, that are added to each group.
    """

    stochastic: ClassVar[bool] = False
    folds_in: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("user_features",)
    serves_new: ClassVar[tuple[str, ...]] = ("users", "items")
    fitted: ClassVar[tuple[str, ...]] = ("_table", "_groups")

    feature: str | None = None
    prior: NonNegative = 10.0

    def __post_init__(self) -> None:
        check_parameters(self, "model.build")

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Count users by group and item; the seed has no effect.

        Raises:
            Unsupported: the data have no user features, or not this one.
        """
        features = train.user_features
        if features is None or not features.names:
            raise Unsupported("needs user features; the data set has none")
        prefixes = [name.partition("=")[0] for name in features.names]
        name = prefixes[0] if self.feature is None else self.feature
        columns = [column for column, prefix in enumerate(prefixes) if prefix == name]
        if not columns:
            raise Unsupported(f"model.build.feature={name!r}: {nearest(name, dict.fromkeys(prefixes))}")
        values = features.matrix[:, columns].toarray()
        # Group 0 is all users; it is also the group of new users, whose code comes after the last.
        groups = np.where(values.max(axis=1) > 0, values.argmax(axis=1) + 1, 0)
        self._groups = np.append(groups, 0).astype(np.int32)
        shape = (len(columns) + 1, train.n_items)
        counts = np.zeros(shape)
        np.add.at(counts, (self._groups[train.users], train.items), 1.0)
        counts[0] = np.bincount(train.items, minlength=train.n_items)
        counts[1:] += self.prior * counts[0] / max(len(np.unique(train.users)), 1)
        self._table = counts.astype(np.float32)

    def scores(self, users: Codes, history: CSR) -> Floats:
        result: Floats = self._table[self._groups[users]]
        return result


@dataclass
class Random(OrderedModel):
    """Recommend items at random, in an order of its own for each user: the level of chance."""

    stochastic: ClassVar[bool] = True
    folds_in: ClassVar[bool] = True
    serves_new: ClassVar[tuple[str, ...]] = ("items",)

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Store the keys of the orders: the seed and the users' own ids; all new users share one order."""
        who = np.append(train.user_ids.hashes, hash_text("a newcomer"))
        self._learnt(combine(who, np.uint64(seed)), train.n_items)

    def state(self) -> State:
        """Return the keys of the orders and the size of the catalogue."""
        return {"keys": self._keys, "n_items": np.array(self._n_items)}

    def restore(self, state: State) -> None:
        """Load what `state` returned."""
        self._learnt(state["keys"], int(state["n_items"]))

    def _learnt(self, keys: Hashes, n_items: int) -> None:
        self._keys, self._n_items = keys, n_items
        self._order = RandomOrder(keys, n_items)

    def order(self) -> Order:
        return self._order


@dataclass
class Biases(StaticModel):
    """Damped means: value ≈ mean + item bias + user bias, each shrunk towards 0 by its damping.

    Koren (2010), Factor in the Neighbors, section 2.1. Lists are ordered by the item's bias; `predict` gives
    values for rating errors.

    Args:
        item_damping: pairs at the mean value that are added to each item.
        user_damping: pairs at the mean value that are added to each user.
    """

    stochastic: ClassVar[bool] = False
    folds_in: ClassVar[bool] = True

    item_damping: NonNegative = 10.0
    user_damping: NonNegative = 10.0

    def __post_init__(self) -> None:
        check_parameters(self, "model.build")

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Average the values; the seed has no effect.

        Raises:
            Unsupported: the data hold no values.
        """
        if train.values is None:
            raise Unsupported("biases need values (ratings, counts); the data set has none")
        values = train.values.astype(np.float64)
        self._mean = float(values.mean())
        self._items = _damped(train.items, values - self._mean, train.n_items, self.item_damping)
        rest = values - self._mean - self._items[train.items]
        self._users = _damped(train.users, rest, train.n_users, self.user_damping)
        self.item_scores = self._items.astype(np.float32)

    def state(self) -> State:
        """Return the mean and the biases."""
        return {"mean": np.array(self._mean), "items": self._items, "users": self._users}

    def restore(self, state: State) -> None:
        """Load what `state` returned."""
        self._mean, self._items, self._users = float(state["mean"]), state["items"], state["users"]
        self.item_scores = self._items.astype(np.float32)

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return mean + item bias + user bias of each pair, float32 [n]."""
        result: Floats = (self._mean + self._items[items] + self._users[users]).astype(np.float32)
        return result


def _damped(codes: Codes, values: Doubles, size: int, damping: float) -> Doubles:
    counts = np.bincount(codes, minlength=size) + damping
    sums = np.bincount(codes, weights=values, minlength=size)
    means: Doubles = np.divide(sums, counts, out=np.zeros(size), where=counts > 0)
    return means
