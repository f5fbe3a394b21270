"""SAR: item similarity from co-occurrence, with the formulas of the library `recommenders`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Codes, Floats
from bakeoff.data.interactions import Interactions
from bakeoff.errors import Unsupported, check_choice, check_range
from bakeoff.models.base import OnEpoch, State
from bakeoff.models.knobs import check_knobs
from bakeoff.models.topk import ScoringModel
from bakeoff.models.weights import Weights, check_weights, weighted

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
        similarity_type: one of the above.
        timedecay_formula: whether affinities decay with time.
        time_decay_coefficient: days in which an affinity halves.
        time_now: unix seconds at which it is whole; None takes the latest time in train.
        threshold: pairs of items that fewer users have are not similar.
        weights: what an affinity is: none (1 a pair), raw (the value) or log1p of it.
    """

    stochastic: ClassVar[bool] = False
    folds_in: ClassVar[bool] = True

    similarity_type: Similarity = "jaccard"
    timedecay_formula: bool = False
    time_decay_coefficient: float = 30.0
    time_now: int | None = None
    threshold: int = 1
    weights: Weights = "none"

    def __post_init__(self) -> None:
        check_choice("model.build.similarity_type", self.similarity_type, get_args(Similarity))
        check_knobs(self, counts=("threshold",), above_zero=("time_decay_coefficient",))
        if self.time_now is not None:
            check_range("model.build.time_now", self.time_now, integer=True)
        check_weights(self.weights)

    @property
    def needs(self) -> tuple[str, ...]:
        """Times, where affinities decay with them."""
        return ("times",) if self.timedecay_formula else ()

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Count, and divide; the seed has no effect.

        Raises:
            Unsupported: times are missing, values below 0 have no meaning for `weights`, or the similarities
                do not fit in memory.
        """
        if self.timedecay_formula and train.times is None:
            raise Unsupported("SAR with timedecay_formula needs timestamps; the data set has none")
        affinity = self._weighted(train.matrix())
        _refuse_too_large(affinity)
        self._decayed: CSR | None = None
        if self.timedecay_formula:
            decayed = affinity.data * self._decay(train.merged().times)
            # The last row, which is empty, is a newcomer's.
            indptr, shape = np.append(affinity.indptr, affinity.nnz), (train.n_users + 1, train.n_items)
            self._decayed = sparse.csr_matrix((decayed, affinity.indices, indptr), shape)
        ones = weighted(affinity, "none", model="SAR")
        self._similarities: CSR = self._similar(sparse.csr_matrix(ones.T @ ones))

    def scores(self, users: Codes, history: CSR) -> Floats:
        """float32 [b, I]: affinities times similarities; those of users unknown to train are undecayed."""
        affinity = self._weighted(history)
        if self._decayed is not None:
            unknown = (np.diff(self._decayed.indptr) == 0).astype(np.float32)
            affinity = self._decayed[users] + sparse.diags(unknown[users]) @ affinity
        found: Floats = (affinity @ self._similarities).toarray()
        return found

    def state(self) -> State:
        """The similarities, and affinities that decay."""
        decayed = {} if self._decayed is None else {"decayed": self._decayed}
        return {"similarities": self._similarities, **decayed}

    def restore(self, state: State) -> None:
        """Put them back."""
        self._similarities, self._decayed = state["similarities"], state.get("decayed")

    def similar(self, item: int) -> Floats:
        """float32 [I]: the similarities of the item."""
        found: Floats = self._similarities[item].toarray()[0]
        return found

    def _weighted(self, matrix: CSR) -> CSR:
        return weighted(matrix, self.weights, model="SAR", negative=True)

    def _decay(self, times: Any) -> Array:
        now = int(times.max()) if self.time_now is None else self.time_now
        halvings = (now - times) / (self.time_decay_coefficient * _DAY)
        decay: Array = np.minimum(1.0, 0.5**halvings).astype(np.float32)
        return decay

    def _similar(self, counts: CSR) -> CSR:
        """CSR float32 [I, I] from how many users have both items."""
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
        found = sparse.csr_matrix((values.astype(np.float32), counts.indices, counts.indptr), counts.shape)
        found.eliminate_zeros()
        return found


def _refuse_too_large(matrix: CSR) -> None:
    """Foresee the memory that similarities take, from the most pairs of items that users can have."""
    import psutil

    lengths = np.diff(matrix.indptr).astype(np.int64)
    pairs = min(int((lengths**2).sum()), matrix.shape[1] ** 2)
    available = int(psutil.virtual_memory().available)
    if _BYTES * pairs > available:
        raise Unsupported(
            f"SAR needs up to {_BYTES * pairs / 1e9:.0f} GB of memory for {pairs:,} pairs of items, and "
            f"{available / 1e9:.0f} GB are available: leave out rare items "
            "(dataset.filters=[{min_item_interactions: 5}]) or use itemknn"
        )
