"""The declaration of a metric, and the inputs that a metric is computed from."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, cast

from bakeoff.arrays import CSR, Doubles, Floats
from bakeoff.evaluation.stats import TrainStats
from bakeoff.evaluation.topk import TopK

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class EvaluationInputs:
    """The data that metrics are computed from.

    Args:
        lists: the checked lists of m users.
        test: CSR float32 [m, I], the values of the test part, rows in the order of lists.users.
        history: CSR float32 [m, I], the interactions that the model was given for each user.
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
        """Return an intermediate result that several metrics share; the first caller computes it."""
        if name not in self._shared:
            self._shared[name] = make()
        return cast(T, self._shared[name])


Compute = Callable[[EvaluationInputs, Sequence[int]], Doubles]


Kind = Literal["accuracy", "lists", "rating"]
"""What is measured: hits in the lists, what the lists are like otherwise, or predicted values."""

DIRECTIONS = {True: "higher is better", False: "lower is better", None: "neither end is better"}


@dataclass(frozen=True)
class Metric:
    """A function of the inputs together with what tables, charts and pages say about it.

    Args:
        compute: returns float64 [len(ks), m] (a value for each user) or [len(ks)] (one for the set of lists);
            without cutoff float64 [m] or [1], and ks is not used. NaN marks a user without a value, for
            example the diversity of a list of one item; such users are left out of the mean.
        higher_is_better: direction; None where neither end is the goal.
        per_user: whether there is a value for each user, and so a standard error.
        cutoff: whether it is measured at each k.
        formula: in words or symbols, one line; the first sentence of the function's docstring by default.
        bounds: the range of a value, such as "0 to 1".
        source: the publication, or the function of a library, that defines it.
        kind: "accuracy", "lists" or "rating".
        optional: whether `module.*` in a set of metrics leaves it out; it is measured where it is named.
    """

    compute: Compute
    higher_is_better: bool | None
    per_user: bool = True
    cutoff: bool = True
    formula: str = ""
    bounds: str = ""
    source: str = ""
    kind: Kind = "accuracy"
    optional: bool = False

    def __post_init__(self) -> None:
        if not self.formula:
            sentence = (self.compute.__doc__ or "").strip().partition("\n")[0].partition(". ")[0]
            object.__setattr__(self, "formula", sentence.rstrip("."))

    @property
    def name(self) -> str:
        return str(getattr(self.compute, "__name__", ""))

    @property
    def path(self) -> str:
        """The import path of the function."""
        return f"{self.compute.__module__}.{self.name}"

    @property
    def direction(self) -> str:
        """The direction in words, as in "higher is better"."""
        return DIRECTIONS[self.higher_is_better]

    @property
    def notes(self) -> str:
        """The function's docstring, without the sentence that is the formula."""
        text = inspect.cleandoc(self.compute.__doc__ or "")
        return text.removeprefix(self.formula).removeprefix(".").strip()

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        bounds = f" Range: {self.bounds}." if self.bounds else ""
        source = f"Source: {self.source}." if self.source else ""
        first = f"{self.formula}.{bounds} {self.direction.capitalize()}."
        return "\n\n".join(filter(None, (first, self.notes, source)))

    def __call__(self, inputs: EvaluationInputs, ks: Sequence[int] = ()) -> Doubles:
        return self.compute(inputs, ks)


def metric(
    formula: str = "",
    bounds: str = "",
    source: str = "",
    *,
    higher_is_better: bool | None = True,
    per_user: bool = True,
    cutoff: bool = True,
    kind: Kind = "accuracy",
    optional: bool = False,
) -> Callable[[Compute], Metric]:
    """Declare a function as a metric; see :class:`Metric` for the arguments."""

    def declare(compute: Compute) -> Metric:
        return Metric(compute, higher_is_better, per_user, cutoff, formula, bounds, source, kind, optional)

    return declare
