"""Rebuild the faults of a public notebook one by one on real data, and audit each.

    BAKEOFF_DATA=DATA python bench/notebook_faults.py

The data are the rows of the first 1,500 users of seed-lastfm/lightfm_test.csv; per user 80 % are train. The
model is ALS of `implicit` with the notebook's settings: 20 factors, 50 iterations, regularisation 0.05.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import sparse

from bakeoff.evaluation.catalogue import shipped
from bakeoff.evaluation.measure import measure
from bakeoff.queries.audit import Lists, Material, Pairs, findings, inputs_of

K = 30


def material(train: sparse.csr_matrix, test: sparse.csr_matrix, lists: Lists, **printed: float) -> Material:
    """Return what an audit of these lists sees, with the numbers that were printed at K."""
    parts = [Pairs(*(codes.astype(np.int64) for codes in part.nonzero())) for part in (train, test)]
    shape = train.shape
    numbers = {"": {f"{name}@{K}": value for name, value in printed.items()}} if printed else {}
    return Material("", parts[0], parts[1], (lists,), range(shape[0]), range(shape[1]), numbers)


def ranked(scores: np.ndarray, allowed: np.ndarray, name: str, k: int = K) -> Lists:
    """Return the best k allowed items of each user; scores and allowed are [users, items]."""
    scored = np.where(allowed, scores, -np.inf)
    items = np.argsort(-scored, axis=1, kind="stable")[:, :k]
    values = np.take_along_axis(scored, items, axis=1)
    users, columns = np.nonzero(np.isfinite(values))
    return Lists(name, users, items[users, columns], values[users, columns].astype(np.float64))


def faults(
    train: sparse.csr_matrix, test: sparse.csr_matrix, scores: np.ndarray
) -> Iterator[tuple[str, Material]]:
    """Yield the honest lists, then each fault of the notebook, as an audit sees it."""
    seen, hidden = train.toarray() > 0, test.toarray() > 0
    candidates = ~seen & seen.any(axis=0)
    honest = ranked(scores, candidates, "honest")
    yield "honest", material(train, test, honest)
    yield "candidates are the observed pairs", material(train, test, ranked(scores, hidden, "observed"))
    yield "lists of train items", material(train, test, ranked(scores, seen, "train items"))
    yield (
        "candidates are the pairs of both parts",
        material(train, test, ranked(scores, hidden | seen, "both")),
    )
    shifted = Lists(
        "off by one", honest.users, np.minimum(honest.items + 1, train.shape[1] - 1), honest.scores
    )
    yield "factor rows looked up one off", material(train, test, shifted)
    alphabet = np.broadcast_to(-np.arange(train.shape[1], dtype=np.float32), scores.shape)
    yield "names through another coding", material(train, test, ranked(alphabet, candidates, "alphabet"))
    means = values(material(train, test, honest))
    renamed = material(train, test, honest, map=means["precision"])
    yield "the line of MAP prints precision", renamed
    n_test = len(np.unique(test.indices))
    coverage = means["catalog_coverage"] * len(np.unique(train.indices)) / max(n_test, 1)
    yield "coverage over the items of test", material(train, test, honest, catalog_coverage=coverage)


def values(made: Material) -> dict[str, float]:
    """Return precision, recall and coverage of the lists at K, or at their length."""
    inputs = inputs_of(made, made.lists[0])
    metrics = {name: shipped()[name] for name in ("precision", "recall", "map", "catalog_coverage")}
    k = min(K, inputs.lists.depth)
    means = {name: mean for (name, _), (mean, _) in measure(inputs, metrics, [k]).means.items()}
    means["precision"] *= k / K
    return means


def named(made: Material) -> list[str]:
    """Return the checks that find a fault, each once."""
    return list(dict.fromkeys(f.check for f in findings(made) if f.level == "fault"))


def seed_data(folder: Path, n_users: int) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Return train and test of the first users with their items, 80 % of each user's rows in train."""
    rows = np.loadtxt(folder / "seed-lastfm" / "lightfm_test.csv", delimiter=",", skiprows=1, dtype=np.int64)
    rows = rows[np.isin(rows[:, 0], np.unique(rows[:, 0])[:n_users])]
    users, items = (np.unique(rows[:, at], return_inverse=True)[1] for at in (0, 1))
    order = np.lexsort((np.random.default_rng(42).random(len(users)), users))
    starts = np.searchsorted(users[order], users[order])
    sizes = np.bincount(users)[users[order]]
    in_train = (np.arange(len(order)) - starts) < 0.8 * sizes
    shape = int(users.max()) + 1, int(items.max()) + 1
    made = []
    for part in (order[in_train], order[~in_train]):
        made.append(
            sparse.csr_matrix((np.ones(len(part), dtype=np.float32), (users[part], items[part])), shape)
        )
    return made[0], made[1]


def main() -> None:
    from implicit.als import AlternatingLeastSquares

    train, test = seed_data(Path(os.environ["BAKEOFF_DATA"]), 1500)
    model = AlternatingLeastSquares(
        factors=20, iterations=50, regularization=0.05, random_state=1, num_threads=1
    )
    model.fit(train, show_progress=False)
    scores = np.asarray(model.user_factors) @ np.asarray(model.item_factors).T
    print(f"| procedure | P@{K} | R@{K} | coverage | audit |\n|---|---:|---:|---:|---|")
    for name, made in faults(train, test, scores):
        means = values(made)
        shown = {**means, **{n.partition("@")[0]: v for n, v in made.printed.get("", {}).items()}}
        checks = ", ".join(f"`{check}`" for check in named(made)) or "-"
        figures = " | ".join(f"{shown[n]:.4f}" for n in ("precision", "recall", "catalog_coverage"))
        print(f"| {name} | {figures} | {checks} |")


if __name__ == "__main__":
    main()
