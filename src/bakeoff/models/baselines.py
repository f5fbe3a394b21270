"""What every comparison needs to be read: popularity, chance, and damped means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np

from bakeoff.arrays import Codes, Doubles, Floats, Hashes
from bakeoff.data.interactions import Interactions
from bakeoff.errors import Unsupported, check_choice
from bakeoff.hashing import combine, hash_text
from bakeoff.models.base import OnEpoch, State
from bakeoff.models.knobs import check_knobs
from bakeoff.models.shuffle import Shuffled
from bakeoff.models.static import Order, OrderedModel, StaticModel

By = Literal["users", "count", "recent"]

_DAY = 86_400.0


@dataclass
class Popularity(StaticModel):
    """The same order for everybody: by how many users have an item, how often, or how lately.

    Args:
        by: users counts an item's users; count sums its values; recent counts users, each worth half as much
            for every half_life_days between their interaction and the last one of train.
        half_life_days: of `recent`.
    """

    stochastic: ClassVar[bool] = False
    folds_in: ClassVar[bool] = True

    by: By = "users"
    half_life_days: float = 30.0

    def __post_init__(self) -> None:
        check_choice("model.build.by", self.by, get_args(By))
        check_knobs(self, above_zero=("half_life_days",))

    @property
    def needs(self) -> tuple[str, ...]:
        """Times, to count by them."""
        return ("times",) if self.by == "recent" else ()

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Count; the seed has no effect.

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
class Random(OrderedModel):
    """Every user's catalogue in an order of its own, by chance: what knowing nothing gives."""

    stochastic: ClassVar[bool] = True
    folds_in: ClassVar[bool] = True

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Note what decides the orders: the seed and the users' own ids; newcomers share one order."""
        who = np.append(train.user_ids.hashes, hash_text("a newcomer"))
        self._learnt(combine(who, np.uint64(seed)), train.n_items)

    def state(self) -> State:
        """The keys of the orders and the size of the catalogue."""
        return {"keys": self._keys, "n_items": np.array(self._n_items)}

    def restore(self, state: State) -> None:
        """Put them back."""
        self._learnt(state["keys"], int(state["n_items"]))

    def _learnt(self, keys: Hashes, n_items: int) -> None:
        self._keys, self._n_items = keys, n_items
        self._order = Shuffled(keys, n_items)

    def order(self) -> Order:
        return self._order


@dataclass
class Biases(StaticModel):
    """Damped means: value ≈ mean + item bias + user bias, each shrunk towards 0 by its damping.

    Koren (2010), Factor in the Neighbors, section 2.1. Lists are ordered by the item's bias; `predict` gives
    values for rating errors.

    Args:
        item_damping, user_damping: pairs at the mean that every item and user is given for a start.
    """

    stochastic: ClassVar[bool] = False
    folds_in: ClassVar[bool] = True

    item_damping: float = 10.0
    user_damping: float = 10.0

    def __post_init__(self) -> None:
        check_knobs(self, from_zero=("item_damping", "user_damping"))

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Average; the seed has no effect.

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
        """The mean and the damped means around it."""
        return {"mean": np.array(self._mean), "items": self._items, "users": self._users}

    def restore(self, state: State) -> None:
        """Put them back."""
        self._mean, self._items, self._users = float(state["mean"]), state["items"], state["users"]
        self.item_scores = self._items.astype(np.float32)

    def predict(self, users: Codes, items: Codes) -> Floats:
        """float32 [n]: mean + item bias + user bias."""
        found: Floats = (self._mean + self._items[items] + self._users[users]).astype(np.float32)
        return found


def _damped(codes: Codes, values: Doubles, size: int, damping: float) -> Doubles:
    counts = np.bincount(codes, minlength=size) + damping
    sums = np.bincount(codes, weights=values, minlength=size)
    means: Doubles = np.divide(sums, counts, out=np.zeros(size), where=counts > 0)
    return means
