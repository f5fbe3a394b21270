"""Each metric as `docs/metrics.md` states it, user by user and item by item: slow, short, and by itself.

k is the cutoff, h the hits (0 or 1) in the order of the list, R the number of test items; None is no value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import accumulate

from bakeoff.verify.evidence import EvaluationInputs, User

PerUser = Callable[[User, int], float | None]
OfAll = Callable[[EvaluationInputs, int], float | None]


def hits(u: User, k: int) -> int:
    return sum(u.hits[:k])


def reachable(u: User, k: int) -> int:
    return min(k, u.relevant)


def shown(u: User, k: int) -> int:
    """n: how many items stand within the first k places."""
    return min(k, len(u.listed))


def dcg(h: list[int]) -> float:
    return math.fsum(x / math.log2(i + 1) for i, x in enumerate(h, 1))


def ideal(n: int) -> float:
    return dcg([1] * n)


def ap(h: list[int]) -> float:
    return math.fsum(x * s / i for i, (x, s) in enumerate(zip(h, accumulate(h), strict=True), 1))


def ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else 0.0


def served(u: User, value: float) -> float | None:
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
        higher = a - sum(b < a for b in above)  # candidates that are no test items
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
    """Each listed test item, or the first `most` of them, against the first k misses of the whole list."""
    places = [i for i, x in enumerate(u.hits) if x][:most]
    won = sum(max(k - u.hits[:i].count(0), 0) for i in places)
    return won / ((u.relevant if most is None else most) * k)


def ndcg_lenskit(u: User, k: int) -> float:
    discounts = [1 / math.log2(max(i, 2)) for i in range(1, k + 1)]
    gained = math.fsum(x * d for x, d in zip(u.hits, discounts, strict=False))
    return gained / math.fsum(discounts[: reachable(u, k)])


def r_precision_recommenders(u: User, k: int) -> float | None:
    found = hits(u, reachable(u, k))
    return found / u.relevant if found else None


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
    # What other libraries mean by the same words.
    "precision_recommenders": lambda u, k: served(u, hits(u, k) / k),
    "recall_recommenders": lambda u, k: served(u, hits(u, k) / u.relevant),
    "map_recommenders": lambda u, k: served(u, ap(u.hits[:k]) / u.relevant),
    "map_at_k_recommenders": lambda u, k: served(u, ap(u.hits[:k]) / reachable(u, k)),
    "r_precision_recommenders": r_precision_recommenders,
    "auc_implicit": auc_implicit,
    "auc_lightfm": auc_lightfm,
    "reciprocal_rank_lightfm": lambda u, k: 1 / (1 + min(a + t for a, t in zip(*ranked(u), strict=True))),
    "ndcg_rectools": lambda u, k: dcg(u.hits[:k]) / ideal(k),
    "map_rectools_by_k": lambda u, k: ap(u.hits[:k]) / k,
    "partial_auc_rectools": partial_auc,
    "pap_rectools": lambda u, k: partial_auc(u, k, reachable(u, k)),
    "novelty_rectools": lambda u, k: mean(
        [-math.log2(max(u.train.holders[i], 1) / u.train.active_users) for i in u.listed[:k]]
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


def exposure(e: EvaluationInputs, k: int) -> list[int]:
    """In how many lists each item of the catalogue is within the first k."""
    counts = [0] * e.train.n_items
    for u in e.users:
        for i in u.listed[:k]:
            counts[i] += 1
    return counts


def entropy(e: EvaluationInputs, k: int) -> float:
    x = exposure(e, k)
    return -math.fsum(c / sum(x) * math.log2(c / sum(x)) for c in x if c) if any(x) else 0.0


def gini(e: EvaluationInputs, k: int) -> float | None:
    x = sorted(exposure(e, k))
    n = len(x)
    return sum((2 * r - n - 1) * c for r, c in enumerate(x, 1)) / (n * sum(x)) if any(x) else None


def novelty(e: EvaluationInputs, k: int) -> float | None:
    places = [e.train.holders[i] for u in e.users for i in u.listed[:k]]
    return mean([-math.log2(n / e.train.pairs) if n else 0.0 for n in places])


def errors(e: EvaluationInputs) -> list[float]:
    if e.predicted is None:
        raise LookupError("no predicted values are stored")
    return [y - p for y, p in zip(e.values, e.predicted, strict=True)]


def variance(values: list[float]) -> float:
    centre = math.fsum(values) / len(values)
    return math.fsum((v - centre) ** 2 for v in values) / len(values)


def squared(e: EvaluationInputs) -> float:
    return math.fsum(d * d for d in errors(e)) / len(e.values)


def auc_recbole(e: EvaluationInputs, _k: int) -> float | None:
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


def known(metric: str) -> bool:
    """Whether there is a formula for it."""
    return metric in PER_USER or metric in OF_ALL


def recomputed(
    e: EvaluationInputs, metric: str, k: int | None
) -> tuple[list[float | None] | None, float | None, float | None]:
    """Values by user, their mean over the users with one, and its standard error; None where there is none.

    Raises:
        LookupError: what the formula needs is not stored.
    """
    if metric in OF_ALL:
        return None, OF_ALL[metric](e, k or 0), None
    each = [PER_USER[metric](u, k or 0) for u in e.users]
    values = [v for v in each if v is not None]
    if not values:
        return each, None, None
    centre, n = math.fsum(values) / len(values), len(values)
    if n < 2:
        return each, centre, None
    return each, centre, math.sqrt(math.fsum((v - centre) ** 2 for v in values) / (n - 1) / n)
