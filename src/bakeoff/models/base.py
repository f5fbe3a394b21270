"""The interface of a model, and the optional abilities that a model may have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

from bakeoff.arrays import CSR, Codes, Floats
from bakeoff.data.interactions import Interactions

OnEpoch = Callable[[int, float | None], None]
"""Called after each epoch or iteration with their number so far and the training loss, or None.

During the call, `recommend` answers as after a fit of that many epochs. An exception that it raises leaves
`fit`.
"""


State = Mapping[str, Any]
"""Fitted state of a model: names with NumPy arrays and SciPy CSR matrices."""


class Ranked(NamedTuple):
    """Lists of b users, and the rank of each target among all items that could be recommended.

    items: int32 [b, k], best first, -1 where fewer than k can be recommended.
    scores: float32 [b, k], falling, finite; -inf beside an item of -1.
    above: int32 [t], for the t targets in CSR order, how many unseen candidates score strictly higher.
    ties: int32 [t], how many other unseen candidates score exactly the same.
    """

    items: Codes
    scores: Floats
    above: Codes
    ties: Codes


class Model(Protocol):
    """A recommender. The constructor takes hyperparameters only; the rest is learnt by `fit`.

    Attributes:
        stochastic: whether the seed changes the result; where not, `seed` is normalised away.
        folds_in: whether users unknown to train can be served from their history.
    """

    stochastic: ClassVar[bool]
    folds_in: ClassVar[bool]

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Learn from train; a second fit starts anew."""
        ...

    def recommend(self, users: Codes, history: CSR, k: int) -> tuple[Codes, Floats]:
        """Recommend k items to each user (int32 [b]), whose history is given (CSR [b, I], rows in that
        order).

        Returns items int32 [b, k] and scores float32 [b, k] as in :class:`Ranked`; nothing from history.
        A model that folds in also serves new users, whose code is U, just beyond the users of train.
        """
        ...


@runtime_checkable
class RanksTargets(Protocol):
    """A model that ranks each test item in the pass that makes its lists (for AUC)."""

    def rank(self, users: Codes, history: CSR, k: int, targets: CSR) -> Ranked:
        """Recommend, and return the rank of each target (CSR [b, I], never in history)."""
        ...


@runtime_checkable
class PredictsValues(Protocol):
    """A model that predicts the value of a pair (for rating errors)."""

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return the predicted value of each pair, float32 [n]."""
        ...


@runtime_checkable
class Serializable(Protocol):
    """A model that can be stored and restored: its fitted state is arrays, no code."""

    def state(self) -> State:
        """Return the fitted state. Together with the hyperparameters it decides every answer."""
        ...

    def restore(self, state: State) -> None:
        """Load what `state` returned, in place of a fit; arrays may be read-only."""
        ...


class StoredAttributes:
    """A model whose fitted state is a few of its attributes.

    Attributes:
        fitted: their names; the file has them without a leading underscore.
    """

    fitted: ClassVar[tuple[str, ...]]

    def state(self) -> State:
        """Return the fitted attributes; see :class:`Serializable`."""
        return {name.lstrip("_"): getattr(self, name) for name in self.fitted}

    def restore(self, state: State) -> None:
        """Load what `state` returned."""
        for name in self.fitted:
            setattr(self, name, state[name.lstrip("_")])


@runtime_checkable
class ItemSimilarity(Protocol):
    """A model that defines a similarity of items."""

    def similar(self, item: int) -> Floats:
        """Return the similarity of the item to each, float32 [I]; larger is more similar, 0 and below is
        not.
        """
        ...


@runtime_checkable
class HasRequirements(Protocol):
    """A model that, with these hyperparameters, needs some optional part of the data."""

    @property
    def needs(self) -> tuple[str, ...]:
        """The needed parts, of `times`, `user_features` and `item_features`, or two of them with | between
        where one is enough; `fit` raises Unsupported without.
        """
        ...


@runtime_checkable
class ColdStart(Protocol):
    """A model that scores users or items without a row in train, by more than a history."""

    @property
    def serves_new(self) -> tuple[str, ...]:
        """Which of them: `users`, `items`."""
        ...


@runtime_checkable
class HasDeterminism(Protocol):
    """A model that does not always return the same lists for the same seed."""

    @property
    def not_repeatable(self) -> str | None:
        """The reason why the same seed may give other lists, or None where it gives the same."""
        ...


@runtime_checkable
class HasNotes(Protocol):
    """A model with notes on its fit that a reader of the numbers must know."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes, short texts, after `fit`."""
        ...


@runtime_checkable
class EpochParam(Protocol):
    """A model with a hyperparameter that is the number of epochs of a fit, and changes nothing else.

    One run then serves every number of them: at each that it tells `on_epoch` it is what a fit that ends
    there would be.
    """

    @property
    def epochs_in(self) -> str:
        """The name of the hyperparameter."""
        ...


@runtime_checkable
class ReportsScore(Protocol):
    """A model that measures itself while it is fitted, and cannot answer before it is done."""

    @property
    def validation_score(self) -> float | None:
        """The score at the epoch that `on_epoch` is told, in the direction of the metric, or None."""
        ...


@runtime_checkable
class SharedPrecompute(Protocol):
    """A model whose fits share a computation where they differ only in some hyperparameters.

    A tuner calls `prepare` once and hands what it gave to the `fit` of each such trial, as `prepared`. The
    lists must be those of a plain fit, up to rounding. The fit of the winner is plain.
    """

    @property
    def shared_over(self) -> tuple[str, ...]:
        """The hyperparameters that may differ."""
        ...

    def prepare(self, train: Interactions, fits: int) -> Any:
        """Return what the fits share, or None where plain fits cost less.

        The model at hand has the largest value of each number among `shared_over` that may come.

        Args:
            train: what will be fitted on.
            fits: how many are expected to use it.

        Raises:
            Unsupported: it does not fit in memory; the fits are then plain, and a note says so.
        """
        ...

    def fit(
        self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None, prepared: Any = None
    ) -> None:
        """Fit as any model; prepared: what `prepare` returned, which is not changed, or None."""
        ...
