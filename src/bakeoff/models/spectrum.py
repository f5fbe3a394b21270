"""One eigendecomposition that serves every ridge penalty of an item-to-item model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Codes, Doubles, Floats
from bakeoff.errors import Unsupported

_NOTHING = 1e-10
"""Eigenvalues below this share of the largest are left out: rounding, where the rank is less than U."""

_EIGEN, _PRODUCT = 14.0, 1.5
"""Cost of a decomposition for n³, and of scoring all users for U²·I, where inverting I items costs I³:
measured with one thread of OpenBLAS, 800 to 3,000 rows."""

_BLOCK = 2048


@dataclass(frozen=True, eq=False)
class Spectrum:
    """X = W·diag(s)·Vᵀ of CSR float32 [U, I], by the eigendecomposition of XXᵀ: the side of the users.

    Args:
        train: X.
        users: float32 [U, r], W·diag(s).
        items: float32 [I, r], V.
        squares: float64 [r], s².
        outside: float64 [I], how much of each item's unit vector the rows of X do not span.
    """

    train: CSR
    users: Floats
    items: Floats
    squares: Doubles
    outside: Doubles

    @staticmethod
    def pays(shape: tuple[int, int], fits: int) -> bool:
        """Whether one decomposition and so many products cost less than so many inverses.

        On the side of the items it never does: it costs 14 inverses, and each penalty as much as one.
        """
        n_users, n_items = shape
        shared = _EIGEN * n_users**3 + fits * _PRODUCT * n_users**2 * n_items
        return n_users < n_items and shared < fits * n_items**3

    @classmethod
    def of(cls, train: CSR) -> Spectrum:
        """Decompose in float64, and keep float32.

        Raises:
            Unsupported: it does not fit in memory.
        """
        n_users, n_items = train.shape
        _refuse_too_large(n_users, n_items)
        exact = train.astype(np.float64)
        squares, left = np.linalg.eigh((exact @ exact.T).toarray())
        kept = squares > _NOTHING * squares.max(initial=0.0)
        squares, left = squares[kept], np.ascontiguousarray(left[:, kept])
        by_item = exact.T.tocsr()
        items = np.empty((n_items, len(squares)), dtype=np.float32)
        outside = np.empty(n_items)
        for start in range(0, n_items, _BLOCK):
            block = slice(start, start + _BLOCK)
            found = (by_item[block] @ left) / np.sqrt(squares)
            items[block] = found
            outside[block] = np.maximum(1.0 - np.einsum("ir,ir->i", found, found), 0.0)
        return cls(train, (left * np.sqrt(squares)).astype(np.float32), items, squares, outside)


class Ridge:
    """EASE's scores at one penalty, without the matrix of item weights.

    With P = (XᵀX + l2·I)⁻¹ = V·diag(1 / (s² + l2))·Vᵀ + (I - VVᵀ) / l2, a history h scores h - hP / diag P.

    Args:
        spectrum: of X.
        l2: the penalty, above 0.
    """

    def __init__(self, spectrum: Spectrum, l2: float) -> None:
        self._of, self._l2 = spectrum, l2
        self._shrunk: Doubles = 1.0 / (spectrum.squares + l2)
        diagonal = spectrum.outside / l2
        for start in range(0, len(diagonal), _BLOCK):
            block = slice(start, start + _BLOCK)
            diagonal[block] += spectrum.items[block].astype(np.float64) ** 2 @ self._shrunk
        self._scale: Floats = (-1.0 / diagonal).astype(np.float32)

    def scores(self, users: Codes, history: CSR) -> Floats:
        """float32 [b, I] of users (int32 [b]) whose weighted history is given (CSR float32 [b, I])."""
        if self._in_train(users, history):  # hV = w·s: what lies outside of the rows of X is nothing
            found: Floats = (self._of.users[users] * self._shrunk.astype(np.float32)) @ self._of.items.T
        else:
            inside = (history @ self._of.items) * (self._shrunk - 1.0 / self._l2).astype(np.float32)
            found = inside @ self._of.items.T
            _add(found, history, np.float32(1.0 / self._l2))
        found *= self._scale
        _add(found, history, np.float32(1.0))
        return found

    def weights(self) -> Floats:
        """float32 [I, I]: the item weights, as a plain fit solves for them."""
        found = np.empty((len(self._scale),) * 2, dtype=np.float32)
        for start in range(0, len(found), _BLOCK):
            one = sparse.identity(len(found), dtype=np.float32, format="csr")[start : start + _BLOCK]
            nobody = np.full(one.shape[0], self._of.train.shape[0], dtype=np.int32)
            found[start : start + _BLOCK] = self.scores(nobody, one)
        np.fill_diagonal(found, 0.0)
        return found

    def _in_train(self, users: Codes, history: CSR) -> bool:
        """Whether the histories are the rows of X of their users."""
        if len(users) and int(users.max()) >= self._of.train.shape[0]:
            return False
        rows = self._of.train[users]
        pairs = ((rows.indptr, history.indptr), (rows.indices, history.indices), (rows.data, history.data))
        return all(np.array_equal(one, other) for one, other in pairs)


def _add(scores: Floats, history: CSR, times: np.float32) -> None:
    """Add a multiple of the histories to the scores [b, I], in place."""
    rows: Array = np.repeat(np.arange(history.shape[0]), np.diff(history.indptr))
    scores[rows, history.indices] += times * history.data


def _refuse_too_large(n_users: int, n_items: int) -> None:
    import psutil

    # XXᵀ, its eigenvectors, a copy of them and LAPACK's own; then the items', and a block of them.
    needed = 40 * n_users**2 + 4 * n_items * n_users + 16 * _BLOCK * n_users
    available = int(psutil.virtual_memory().available)
    if needed > available:
        raise Unsupported(
            f"the eigendecomposition for {n_users:,} users and {n_items:,} items needs {needed / 1e9:.1f} GB "
            f"of memory, and {available / 1e9:.1f} GB are available"
        )
