"""SAR: item similarity from co-occurrence, with the formulas of the library `recommenders`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, cast

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Codes, Floats, Times
from bakeoff.data.interactions import Interactions
from bakeoff.errors import Unsupported
from bakeoff.models.base import OnEpoch, State
from bakeoff.models.fitting import FEWER_ITEMS, Weights, check_memory, weighted
from bakeoff.models.topk import ScoringModel
from bakeoff.parameters import Count, Positive, Range, check_parameters

Similarity = Literal[
    "cooccurrence",
    "cosine",
    "inclusion index",
    "jaccard",
    "lexicographers mutual information",
    "lift",
    "mutual information",
]

_DAY = 86_400
_BYTES = 32  # of a pair of items while similarities are computed: codes, counts, both frequencies


@dataclass
class SAR(ScoringModel):
    """Simple Algorithm for Recommendation: a user's affinities times the similarities of items.

    With c(i, j) the users who have both items, and c(i) those who have one, the similarity is c(i, j)
    divided by c(i) + c(j) - c(i, j) (jaccard), by c(i)·c(j) (lift), by its root (cosine), by the smaller of
    the two (inclusion index), or by nothing (cooccurrence); mutual information is log2(I·lift), and the
    lexicographer's is c(i, j) times that. It is 0 for items that nobody has together.

    Lists are those of the library's SAR, of which the code does not run on NumPy 2 (its `np.NaN` is gone),
    is dense in items, has NaN for the last two similarities of items that nobody has together, and
    multiplies matrices where the lexicographer's multiplies entries. Its `normalize` changes no order.

    Args:
        similarity_type: formula of the similarity of two items, one of the above.
        timedecay_formula: let affinities decay with time.
        time_decay_coefficient: half-life of an affinity, in days.
        time_now: moment at which an affinity has not decayed, in unix seconds; null is the latest time of
            train.
        threshold: smallest number of common users from which two items are similar.
        weights: affinity of a pair: none (1), raw (its value) or log1p (of its value).
    """

    stochastic: ClassVar[bool] = False
    folds_in: ClassVar[bool] = True

    similarity_type: Similarity = "jaccard"
    timedecay_formula: bool = False
    time_decay_coefficient: Positive = 30.0
    time_now: Annotated[int, Range()] | None = None
    threshold: Count = 1
    weights: Weights = "none"

    def __post_init__(self) -> None:
        check_parameters(self, "model.build")

    @property
    def needs(self) -> tuple[str, ...]:
        """Times, where affinities decay with them."""
        return ("times",) if self.timedecay_formula else ()

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Count common users and apply the formula; the seed has no effect.

        Raises:
            Unsupported: times are missing, values below 0 have no meaning for `weights`, or the similarities
                do not fit in memory.
        """
        if self.timedecay_formula and train.times is None:
            raise Unsupported("SAR with timedecay_formula needs timestamps; the data set has none")
        affinity = self._weighted(train.matrix())
        lengths = np.diff(affinity.indptr).astype(np.int64)
        pairs = min(int((lengths**2).sum()), train.n_items**2)  # the most pairs of items that users can have
        check_memory(_BYTES * pairs, f"SAR for up to {pairs:,} pairs of items needs", FEWER_ITEMS)
        self._decayed: CSR | None = None
        if self.timedecay_formula:
            decayed = affinity.data * self._decay(cast("Times", train.merged().times))
            # The last row, which is empty, is for new users.
            indptr, shape = np.append(affinity.indptr, affinity.nnz), (train.n_users + 1, train.n_items)
            self._decayed = sparse.csr_matrix((decayed, affinity.indices, indptr), shape)
        ones = weighted(affinity, "none", model="SAR")
        self._similarities: CSR = self._similar(sparse.csr_matrix(ones.T @ ones))

    def scores(self, users: Codes, history: CSR) -> Floats:
        """Return affinities times similarities, float32 [b, I]; affinities of users not in train do not
        decay.
        """
        affinity = self._weighted(history)
        if self._decayed is not None:
            unknown = (np.diff(self._decayed.indptr) == 0).astype(np.float32)
            affinity = self._decayed[users] + sparse.diags(unknown[users]) @ affinity
        result: Floats = (affinity @ self._similarities).toarray()
        return result

    def state(self) -> State:
        """Return the similarities, and the decayed affinities."""
        decayed = {} if self._decayed is None else {"decayed": self._decayed}
        return {"similarities": self._similarities, **decayed}

    def restore(self, state: State) -> None:
        """Load what `state` returned."""
        self._similarities, self._decayed = state["similarities"], state.get("decayed")

    def similar(self, item: int) -> Floats:
        """Return the similarities of the item, float32 [I]."""
        result: Floats = self._similarities[item].toarray()[0]
        return result

    def _weighted(self, matrix: CSR) -> CSR:
        return weighted(matrix, self.weights, model="SAR", negative=True)

    def _decay(self, times: Times) -> Array:
        now = int(times.max()) if self.time_now is None else self.time_now
        halvings = (now - times) / (self.time_decay_coefficient * _DAY)
        decay: Array = np.minimum(1.0, 0.5**halvings).astype(np.float32)
        return decay

    def _similar(self, counts: CSR) -> CSR:
        """Return similarities, CSR float32 [I, I], from the number of users who have both items."""
        n_items = counts.shape[0]
        alone = counts.diagonal().astype(np.float64)
        both = counts.data.astype(np.float64)
        one = np.repeat(alone, np.diff(counts.indptr))
        other = alone[counts.indices]
        if self.similarity_type == "cooccurrence":
            values = both
        elif self.similarity_type == "cosine":
            values = both / np.sqrt(one * other)
        elif self.similarity_type == "inclusion index":
            values = both / np.minimum(one, other)
        elif self.similarity_type == "jaccard":
            values = both / (one + other - both)
        else:
            values = both / (one * other)
            if self.similarity_type != "lift":
                values = np.log2(n_items * values)
            if self.similarity_type == "lexicographers mutual information":
                values *= both
        values[both < self.threshold] = 0.0
        result = sparse.csr_matrix((values.astype(np.float32), counts.indices, counts.indptr), counts.shape)
        result.eliminate_zeros()
        return result
