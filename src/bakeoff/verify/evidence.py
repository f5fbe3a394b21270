"""What a cell's numbers are computed from, read from the store into plain lists."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Doubles
from bakeoff.splits.base import Split
from bakeoff.storage.store import StoredLists


class Train:
    """Counts of train: who has what.

    rows: users and items of all pairs; holders: how many users have each item; pairs: how many there are.
    """

    def __init__(self, split: Split) -> None:
        rows = split.train.matrix()
        ones = sparse.csr_matrix((np.ones(rows.nnz), rows.indices, rows.indptr), rows.shape)
        self.n_users, self.n_items = split.train.n_users, split.train.n_items
        self.by_item: CSR = ones.T.tocsr()
        self.holders: list[int] = np.diff(self.by_item.indptr).tolist()
        self.pairs = sum(self.holders)
        lengths = np.diff(rows.indptr)
        self.active_users = int((lengths > 0).sum())
        self.rows = np.repeat(np.arange(self.n_users), lengths).tolist(), rows.indices.tolist()
        self.joined = int((lengths.astype(np.int64) ** 2).sum())  # pairs of items of one user
        self.by_feature: CSR | None = None
        if split.train.item_features is not None:
            self.by_feature = split.train.item_features.matrix.astype(np.float64).tocsr()

    @cached_property
    def tail(self) -> set[int]:
        """The catalogue without the fewest items that together hold 80 % of the pairs."""
        order = sorted(range(self.n_items), key=lambda i: (-self.holders[i], i))
        held = itertools.accumulate((self.holders[i] for i in order), initial=0)
        return {i for i, before in zip(order, held, strict=False) if before >= 0.8 * self.pairs}

    def cosines(self, some: list[int], others: list[int], kind: str) -> Doubles:
        """float64 [some, others]: by the users that two items share, or by their features; 0 for a zero."""
        vectors = self.by_item if kind == "users" else self.by_feature
        assert vectors is not None
        a, b = vectors[some], vectors[others]
        lengths = [np.sqrt(np.asarray(m.multiply(m).sum(axis=1)).ravel()) for m in (a, b)]
        norms = np.outer(*lengths)
        products = np.asarray((a @ b.T).todense(), dtype=np.float64)
        found: Doubles = np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
        return found


@dataclass(frozen=True, eq=False)
class User:
    """One evaluated user: the list, best first and without pads, and what it is held against."""

    listed: list[int]
    test: list[int]
    history: list[int]
    above: list[int] | None
    ties: list[int] | None
    train: Train
    deepest: int
    _cosines: dict[str, tuple[Doubles, Doubles]] = field(default_factory=dict)

    @cached_property
    def hits(self) -> list[int]:
        """1 for each listed item that is a test item, else 0."""
        wanted = set(self.test)
        return [int(i in wanted) for i in self.listed]

    @property
    def relevant(self) -> int:
        return len(self.test)

    @property
    def candidates(self) -> int:
        """How many items could have been recommended."""
        return self.train.n_items - len(self.history)

    def among(self, k: int, kind: str) -> Doubles:
        """Cosines of the first k items with each other."""
        return self._near(kind)[0][:k, :k]

    def with_history(self, k: int, kind: str) -> list[float]:
        """The mean cosine of each of the first k items with the history."""
        return [float(c) for c in self._near(kind)[1][:k]]

    def _near(self, kind: str) -> tuple[Doubles, Doubles]:
        if kind not in self._cosines:
            listed, both = self.listed[: self.deepest], [*self.listed[: self.deepest], *self.history]
            all_of_them = self.train.cosines(listed, both, kind)
            among, near = all_of_them[:, : len(listed)], all_of_them[:, len(listed) :]
            self._cosines[kind] = among, near.sum(axis=1) / max(len(self.history), 1)
        return self._cosines[kind]


class EvaluationInputs(NamedTuple):
    """All that the formulas look at.

    codes: the users' codes in train; held_out: whether train knows nothing of them.
    values, predicted: of the test items, user by user.
    """

    users: list[User]
    codes: list[int]
    held_out: bool
    train: Train
    values: list[float]
    predicted: list[float] | None


def evidence(split: Split, stored: StoredLists, train: Train, deepest: int) -> EvaluationInputs:
    """The evidence of one cell.

    Args:
        deepest: the largest cutoff, down to which cosines are wanted.
    """
    test, history = split.test[split.users], split.history[split.users]
    above, ties = (_cut(a, test) for a in (stored.above, stored.ties))
    users = [
        User(
            [i for i in row if i >= 0],
            test.indices[test.indptr[u] : test.indptr[u + 1]].tolist(),
            history.indices[history.indptr[u] : history.indptr[u + 1]].tolist(),
            None if above is None else above[u],
            None if ties is None else ties[u],
            train,
            deepest,
        )
        for u, row in enumerate(np.asarray(stored.items).tolist())
    ]
    predicted = None if stored.predicted is None else np.asarray(stored.predicted, dtype=np.float64).tolist()
    values = test.data.astype(np.float64).tolist()
    return EvaluationInputs(users, split.users.tolist(), split.held_out, train, values, predicted)


def _cut(ranks: Any, test: CSR) -> list[list[int]] | None:
    if ranks is None:
        return None
    flat, bounds = np.asarray(ranks).tolist(), test.indptr.tolist()
    return [flat[a:b] for a, b in itertools.pairwise(bounds)]
