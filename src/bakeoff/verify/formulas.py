"""A second formula for each metric, user by user and item by item, in plain Python.

It shares no code with `bakeoff.evaluation` on purpose. k is the cutoff, h the hits (0 or 1) in the order of
the list, R the number of test items; None means that there is no value.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Doubles
from bakeoff.splits.base import Split
from bakeoff.storage.store import StoredLists

HEAD_SHARE = 0.8


class TrainCounts:
    """Counts of the train part.

    Attributes:
        users, items: codes of all pairs.
        holders: number of users of each item.
        n_pairs: number of pairs.
        n_active: number of users with a pair.
        n_shared: number of (user, item, item) triples, which bounds the size of a join of the pairs.
    """

    def __init__(self, split: Split) -> None:
        matrix = split.train.matrix()
        ones = sparse.csr_matrix((np.ones(matrix.nnz), matrix.indices, matrix.indptr), matrix.shape)
        lengths = np.diff(matrix.indptr)
        self.n_items = split.train.n_items
        self.by_item: CSR = ones.T.tocsr()
        self.holders: list[int] = np.diff(self.by_item.indptr).tolist()
        self.n_pairs = sum(self.holders)
        self.n_active = int((lengths > 0).sum())
        self.users: list[int] = np.repeat(np.arange(split.train.n_users), lengths).tolist()
        self.items: list[int] = matrix.indices.tolist()
        self.n_shared = int((lengths.astype(np.int64) ** 2).sum())
        self.by_feature: CSR | None = None
        if split.train.item_features is not None:
            self.by_feature = split.train.item_features.matrix.astype(np.float64).tocsr()

    @cached_property
    def tail(self) -> set[int]:
        """The catalogue without the fewest items that together hold 80 % of the pairs."""
        order = sorted(range(self.n_items), key=lambda i: (-self.holders[i], i))
        before = itertools.accumulate((self.holders[i] for i in order), initial=0)
        return {i for i, n in zip(order, before, strict=False) if n >= HEAD_SHARE * self.n_pairs}

    def cosines(self, rows: list[int], columns: list[int], kind: str) -> Doubles:
        """Return the cosines of items by `users` or `features`, float64 [rows, columns]; 0 for zeros."""
        vectors = self.by_item if kind == "users" else self.by_feature
        assert vectors is not None
        a, b = vectors[rows], vectors[columns]
        lengths = [np.sqrt(np.asarray(m.multiply(m).sum(axis=1)).ravel()) for m in (a, b)]
        norms = np.outer(*lengths)
        products = np.asarray((a @ b.T).todense(), dtype=np.float64)
        cosines: Doubles = np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
        return cosines


@dataclass(frozen=True, eq=False)
class User:
    """One evaluated user.

    Args:
        listed: the list, best first and without pads.
        test, history: items.
        above, ties: for each test item the number of candidates that score higher, and the same.
        deepest: the largest cutoff, down to which cosines are computed.
    """

    listed: list[int]
    test: list[int]
    history: list[int]
    above: list[int] | None
    ties: list[int] | None
    train: TrainCounts
    deepest: int
    _cosines: dict[str, tuple[Doubles, Doubles]] = field(default_factory=dict)

    @cached_property
    def hits(self) -> list[int]:
        """1 for each listed item that is a test item, else 0."""
        test = set(self.test)
        return [int(i in test) for i in self.listed]

    @property
    def relevant(self) -> int:
        """R."""
        return len(self.test)

    @property
    def candidates(self) -> int:
        """Number of items outside the history."""
        return self.train.n_items - len(self.history)

    def among(self, k: int, kind: str) -> Doubles:
        """Return the cosines of the first k items with each other."""
        return self._all_cosines(kind)[0][:k, :k]

    def with_history(self, k: int, kind: str) -> list[float]:
        """Return the mean cosine of each of the first k items with the history."""
        return [float(c) for c in self._all_cosines(kind)[1][:k]]

    def _all_cosines(self, kind: str) -> tuple[Doubles, Doubles]:
        if kind not in self._cosines:
            listed = self.listed[: self.deepest]
            cosines = self.train.cosines(listed, [*listed, *self.history], kind)
            among, history = cosines[:, : len(listed)], cosines[:, len(listed) :]
            self._cosines[kind] = among, history.sum(axis=1) / max(len(self.history), 1)
        return self._cosines[kind]


class Inputs(NamedTuple):
    """The inputs of all formulas.

    users: the evaluated users.
    codes: their codes in train.
    held_out: whether train does not hold the evaluated users.
    values, predicted: of the test items, user by user.
    """

    users: list[User]
    codes: list[int]
    held_out: bool
    train: TrainCounts
    values: list[float]
    predicted: list[float] | None


def plain_inputs(split: Split, stored: StoredLists, train: TrainCounts, deepest: int) -> Inputs:
    """Return the inputs for one cell; deepest is the largest cutoff."""
    test, history = split.test[split.users], split.history[split.users]
    above, ties = (_by_user(ranks, test) for ranks in (stored.above, stored.ties))
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
    return Inputs(users, split.users.tolist(), split.held_out, train, values, predicted)


def _by_user(ranks: Any, test: CSR) -> list[list[int]] | None:
    if ranks is None:
        return None
    flat, bounds = np.asarray(ranks).tolist(), test.indptr.tolist()
    return [flat[a:b] for a, b in itertools.pairwise(bounds)]


PerUser = Callable[[User, int], float | None]
OfAll = Callable[[Inputs, int], float | None]


def hits(u: User, k: int) -> int:
    return sum(u.hits[:k])


def reachable(u: User, k: int) -> int:
    return min(k, u.relevant)


def shown(u: User, k: int) -> int:
    """Return n, the number of items within the first k positions."""
    return min(k, len(u.listed))


def dcg(h: list[int]) -> float:
    return math.fsum(x / math.log2(i + 1) for i, x in enumerate(h, 1))


def ideal(n: int) -> float:
    return dcg([1] * n)


def ap(h: list[int]) -> float:
    return math.fsum(x * s / i for i, (x, s) in enumerate(zip(h, accumulate(h), strict=True), 1))


def ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else 0.0


def with_list(u: User, value: float) -> float | None:
    return value if u.listed else None


def mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def mrr(u: User, k: int) -> float:
    return next((1 / i for i, x in enumerate(u.hits[:k], 1) if x), 0.0)


def diversity(u: User, k: int, kind: str = "users") -> float | None:
    n = shown(u, k)
    cosines = u.among(k, kind)
    pairs = [float(cosines[i, j]) for i in range(n) for j in range(i)]
    return 1 - math.fsum(pairs) / len(pairs) if pairs else None


def unexpectedness(u: User, k: int, kind: str = "users") -> float | None:
    return mean([1 - c for c in u.with_history(k, kind)]) if u.history else None


def serendipity(u: User, k: int, kind: str = "users") -> float | None:
    near = u.with_history(k, kind) if u.history else []
    return mean([(1 - c) * h for c, h in zip(near, u.hits[:k], strict=False)])


def ranked(u: User) -> tuple[list[int], list[int]]:
    if u.above is None or u.ties is None:
        raise LookupError("no ranks of test items are stored")
    return u.above, u.ties


def auc(u: User, _k: int = 0) -> float:
    above, ties = ranked(u)
    others = u.candidates - u.relevant
    won = 0.0
    for a, t in zip(above, ties, strict=True):
        higher = a - sum(b < a for b in above)  # candidates that are not test items
        level = t - (sum(b == a for b in above) - 1)
        won += others - higher - level / 2
    return won / (u.relevant * others) if others else 0.5


def auc_lightfm(u: User, _k: int) -> float:
    others = u.candidates - u.relevant
    beaten = sorted(a + t for a, t in zip(*ranked(u), strict=True))
    losses = [max(b - i, 0) for i, b in enumerate(beaten)]
    return 1 - sum(losses) / (u.relevant * others) if others else 0.5


def auc_implicit(u: User, k: int) -> float:
    h = (u.hits + [0] * k)[:k]
    won = sum(h[i] * h[i:].count(0) for i in range(k))
    negatives = u.train.n_items - u.relevant
    return ratio(won + (sum(h) + u.relevant) / 2 * (negatives - h.count(0)), u.relevant * negatives)


def auc_replay(u: User, k: int) -> float:
    h = u.hits[:k]
    pairs = h.count(1) * h.count(0)
    lost = sum(x * h[:i].count(0) for i, x in enumerate(h))
    return 1 - lost / pairs if pairs else float(sum(h) > 0)


def partial_auc(u: User, k: int, most: int | None = None) -> float:
    """Return the AUC of the listed test items, or the first `most`, against the list's first k misses."""
    positions = [i for i, x in enumerate(u.hits) if x][:most]
    won = sum(max(k - u.hits[:i].count(0), 0) for i in positions)
    return won / ((u.relevant if most is None else most) * k)


def ndcg_lenskit(u: User, k: int) -> float:
    discounts = [1 / math.log2(max(i, 2)) for i in range(1, k + 1)]
    gained = math.fsum(x * d for x, d in zip(u.hits, discounts, strict=False))
    return gained / math.fsum(discounts[: reachable(u, k)])


def r_precision_recommenders(u: User, k: int) -> float | None:
    n_hits = hits(u, reachable(u, k))
    return n_hits / u.relevant if n_hits else None


PER_USER: Mapping[str, PerUser] = {
    "precision": lambda u, k: hits(u, k) / k,
    "recall": lambda u, k: hits(u, k) / u.relevant,
    "recall_capped": lambda u, k: hits(u, k) / reachable(u, k),
    "hit_rate": lambda u, k: float(hits(u, k) > 0),
    "ndcg": lambda u, k: dcg(u.hits[:k]) / ideal(reachable(u, k)),
    "map": lambda u, k: ap(u.hits[:k]) / reachable(u, k),
    "map_r": lambda u, k: ap(u.hits[:k]) / u.relevant,
    "mrr": mrr,
    "r_precision": lambda u, k: hits(u, reachable(u, k)) / reachable(u, k),
    "auc": auc,
    "mean_popularity": lambda u, k: mean([u.train.holders[i] for i in u.listed[:k]]),
    "long_tail_share": lambda u, k: mean([float(i in u.train.tail) for i in u.listed[:k]]),
    "diversity": diversity,
    "unexpectedness": unexpectedness,
    "serendipity": serendipity,
    "diversity_features": lambda u, k: diversity(u, k, "features"),
    "unexpectedness_features": lambda u, k: unexpectedness(u, k, "features"),
    "serendipity_features": lambda u, k: serendipity(u, k, "features"),
    # Definitions of other libraries.
    "precision_recommenders": lambda u, k: with_list(u, hits(u, k) / k),
    "recall_recommenders": lambda u, k: with_list(u, hits(u, k) / u.relevant),
    "map_recommenders": lambda u, k: with_list(u, ap(u.hits[:k]) / u.relevant),
    "map_at_k_recommenders": lambda u, k: with_list(u, ap(u.hits[:k]) / reachable(u, k)),
    "r_precision_recommenders": r_precision_recommenders,
    "auc_implicit": auc_implicit,
    "auc_lightfm": auc_lightfm,
    "reciprocal_rank_lightfm": lambda u, k: 1 / (1 + min(a + t for a, t in zip(*ranked(u), strict=True))),
    "ndcg_rectools": lambda u, k: dcg(u.hits[:k]) / ideal(k),
    "map_rectools_by_k": lambda u, k: ap(u.hits[:k]) / k,
    "partial_auc_rectools": partial_auc,
    "pap_rectools": lambda u, k: partial_auc(u, k, reachable(u, k)),
    "novelty_rectools": lambda u, k: mean(
        [-math.log2(max(u.train.holders[i], 1) / u.train.n_active) for i in u.listed[:k]]
    ),
    "f1": lambda u, k: 2 * hits(u, k) / (k + u.relevant),
    "r_precision_ranx": lambda u, k: hits(u, u.relevant) / u.relevant,
    "auc_replay": auc_replay,
    "precision_lenskit": lambda u, k: ratio(hits(u, k), shown(u, k)),
    "min_precision_recsys2019": lambda u, k: ratio(hits(u, k), min(shown(u, k), u.relevant)),
    "ndcg_lenskit": ndcg_lenskit,
    "map_lenskit": lambda u, k: ratio(ap(u.hits[:k]), min(shown(u, k), u.relevant)),
    "ndcg_irspack": lambda u, k: ratio(dcg(u.hits[:k]), ideal(min(shown(u, k), u.relevant))),
    "ndcg_recsys2019": lambda u, k: dcg(u.hits[:k]) / ideal(u.relevant),
    "ndcg_daisyrec": lambda u, k: ratio(dcg(u.hits[:k]), ideal(hits(u, k))),
    "map_daisyrec": lambda u, k: ratio(ap(u.hits[:k]), hits(u, k)),
    "map_elliot": lambda u, k: math.fsum(hits(u, i) / i for i in range(1, k + 1)) / k,
}


def exposure(e: Inputs, k: int) -> list[int]:
    """Return for each item of the catalogue the number of lists that have it within the first k."""
    counts = [0] * e.train.n_items
    for u in e.users:
        for i in u.listed[:k]:
            counts[i] += 1
    return counts


def entropy(e: Inputs, k: int) -> float:
    x = exposure(e, k)
    return -math.fsum(c / sum(x) * math.log2(c / sum(x)) for c in x if c) if any(x) else 0.0


def gini(e: Inputs, k: int) -> float | None:
    x = sorted(exposure(e, k))
    n = len(x)
    return sum((2 * r - n - 1) * c for r, c in enumerate(x, 1)) / (n * sum(x)) if any(x) else None


def novelty(e: Inputs, k: int) -> float | None:
    holders = [e.train.holders[i] for u in e.users for i in u.listed[:k]]
    return mean([-math.log2(n / e.train.n_pairs) if n else 0.0 for n in holders])


def errors(e: Inputs) -> list[float]:
    if e.predicted is None:
        raise LookupError("no predicted values are stored")
    return [y - p for y, p in zip(e.values, e.predicted, strict=True)]


def variance(values: list[float]) -> float:
    centre = math.fsum(values) / len(values)
    return math.fsum((v - centre) ** 2 for v in values) / len(values)


def squared(e: Inputs) -> float:
    return math.fsum(d * d for d in errors(e)) / len(e.values)


def auc_recbole(e: Inputs, _k: int) -> float | None:
    scored = [(u.relevant, auc(u)) for u in e.users if u.candidates > u.relevant]
    return math.fsum(r * a for r, a in scored) / sum(r for r, _ in scored) if scored else None


OF_ALL: Mapping[str, OfAll] = {
    "catalog_coverage": lambda e, k: sum(c > 0 for c in exposure(e, k)) / sum(n > 0 for n in e.train.holders),
    "distributional_coverage": entropy,
    "gini": gini,
    "novelty": novelty,
    "precision_implicit": lambda e, k: (
        sum(hits(u, k) for u in e.users) / sum(reachable(u, k) for u in e.users)
    ),
    "auc_recbole": auc_recbole,
    "rmse": lambda e, k: math.sqrt(squared(e)),
    "mae": lambda e, k: math.fsum(map(abs, errors(e))) / len(e.values),
    "r2": lambda e, k: 1 - squared(e) / variance(e.values),
    "explained_variance": lambda e, k: 1 - variance(errors(e)) / variance(e.values),
}


def recompute(
    e: Inputs, metric: str, k: int | None
) -> tuple[list[float | None] | None, float | None, float | None]:
    """Return values by user, their mean over the users with a value, and its standard error; None for none.

    Raises:
        LookupError: there is no formula for the metric, or what it needs is not stored.
    """
    if metric in OF_ALL:
        return None, OF_ALL[metric](e, k or 0), None
    if metric not in PER_USER:
        raise LookupError("there is no second formula for it")
    of_users = [PER_USER[metric](u, k or 0) for u in e.users]
    values = [v for v in of_users if v is not None]
    if not values:
        return of_users, None, None
    centre, n = math.fsum(values) / len(values), len(values)
    if n < 2:
        return of_users, centre, None
    return of_users, centre, math.sqrt(math.fsum((v - centre) ** 2 for v in values) / (n - 1) / n)
