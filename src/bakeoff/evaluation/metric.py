"""What a metric is, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from bakeoff.arrays import CSR, Doubles, Floats
from bakeoff.evaluation.stats import TrainStats
from bakeoff.evaluation.topk import TopK

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class EvaluationInputs:
    """All that a metric may look at.

    Args:
        lists: the checked lists of m users.
        test: CSR float32 [m, I], the test part, rows in the order of lists.users, with its values.
        history: CSR float32 [m, I], what was known of each user.
        train: counts and similarities of the train part, shared by all models of a split.
        predicted: float32 [t], the predicted value of each test pair in CSR order, or None.
    """

    lists: TopK
    test: CSR
    history: CSR
    train: TrainStats
    predicted: Floats | None = None
    _shared: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)

    def once(self, name: Hashable, make: Callable[[], T]) -> T:
        """What several metrics build on, made by the first that asks for it."""
        if name not in self._shared:
            self._shared[name] = make()
        return cast(T, self._shared[name])


Compute = Callable[[EvaluationInputs, Sequence[int]], Doubles]


@dataclass(frozen=True)
class Metric:
    """A function of the evidence with what a table must know of it.

    Args:
        compute: gives float64 [len(ks), m] (a value for each user) or [len(ks)] (one for the set of lists);
            without cutoff float64 [m] or a single number [1], and ks is not used. NaN says that there is no
            value (no diversity in a list of one item); such a user is not in the mean.
        higher_is_better: direction; None where neither end is the goal.
        per_user: whether there is a value for each user, and so a standard error.
        cutoff: whether it is measured at k.
    """

    compute: Compute
    higher_is_better: bool | None
    per_user: bool = True
    cutoff: bool = True

    @property
    def path(self) -> str:
        """The import path of the function."""
        return f"{self.compute.__module__}.{getattr(self.compute, '__name__', '')}"

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.compute.__doc__

    def __call__(self, evidence: EvaluationInputs, ks: Sequence[int] = ()) -> Doubles:
        return self.compute(evidence, ks)


def metric(
    *, higher_is_better: bool | None = True, per_user: bool = True, cutoff: bool = True
) -> Callable[[Compute], Metric]:
    """Declare a function as a metric; its docstring states formula, range and source."""

    def declare(compute: Compute) -> Metric:
        return Metric(compute, higher_is_better, per_user, cutoff)

    return declare
