"""CPU seconds of the top-k kernel, with and without target ranks, beside implicit's and argpartition's.

    python bench/topk.py [w1] [w1_skewed] [ml_1m] [--depth 100] [--users N]

Shapes: `w1` 9,483 users x 143,000 items, 41 seen and 8 targets a user, 64 factors; `w1_skewed` the same with
item norms that fall by Zipf's law, as ALS has them; `ml_1m` 6,040 x 3,706, 132 seen and 33 targets a user.
Random factors; one BLAS thread; the figures are user + system seconds of one run each.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Codes, Floats
from bakeoff.models.fitting import limit_threads
from bakeoff.models.topk import FactorModel

SHAPES = {
    "w1": (9_483, 143_000, 41, 8, 0.0),
    "w1_skewed": (9_483, 143_000, 41, 8, 0.7),
    "ml_1m": (6_040, 3_706, 132, 33, 0.0),
}


class Given(FactorModel):
    """A factor model that was fitted elsewhere."""

    def __init__(self, user_factors: Floats, item_factors: Floats) -> None:
        self.user_factors, self.item_factors = user_factors, item_factors


def draw(shape: str, n_users: int | None) -> tuple[Given, Codes, CSR, CSR]:
    """A model, its users, their history and their targets."""
    users, items, n_seen, n_targets, skew = SHAPES[shape]
    users = n_users or users
    rng = np.random.default_rng(1)
    lengths = (np.arange(items) + 1.0) ** -skew
    item_factors = (rng.standard_normal((items, 64)) * lengths[:, None]).astype(np.float32)
    model = Given(rng.standard_normal((users, 64)).astype(np.float32), item_factors)
    picked = np.stack([rng.choice(items, n_seen + n_targets, replace=False) for _ in range(users)])
    return (
        model,
        np.arange(users, dtype=np.int32),
        rows_of(picked[:, :n_seen], items),
        rows_of(picked[:, n_seen:], items),
    )


def rows_of(picked: Any, n_items: int) -> CSR:
    """CSR of ones with the picked items [U, n] in each row."""
    columns = np.sort(picked, axis=1).astype(np.int32)
    indptr = np.arange(len(picked) + 1, dtype=np.int32) * picked.shape[1]
    ones = np.ones(columns.size, dtype=np.float32)
    return sparse.csr_matrix((ones, columns.ravel(), indptr), shape=(len(picked), n_items))


def by_argpartition(model: Given, history: CSR, depth: int) -> Any:
    """The usual way: whole rows of 512 users, argpartition, then a sort of what was found."""
    lists = []
    for start in range(0, history.shape[0], 512):
        scores = model.user_factors[start : start + 512] @ model.item_factors.T
        seen = history[start : start + 512]
        scores[np.repeat(np.arange(len(scores)), np.diff(seen.indptr)), seen.indices] = -np.inf
        found = np.argpartition(-scores, depth, axis=1)[:, :depth]
        order = np.argsort(-np.take_along_axis(scores, found, axis=1), axis=1, kind="stable")
        lists.append(np.take_along_axis(found, order, axis=1))
    return np.concatenate(lists)


def by_implicit(model: Given, history: CSR, depth: int) -> Any:
    from implicit.cpu.topk import topk

    return topk(model.item_factors, model.user_factors, depth, filter_query_items=history, num_threads=1)[0]


def gemm_alone(model: Given) -> None:
    scratch = np.empty((128, len(model.item_factors)), dtype=np.float32)
    for start in range(0, len(model.user_factors), 128):
        block = model.user_factors[start : start + 128]
        np.matmul(block, model.item_factors.T, out=scratch[: len(block)])


def timed(name: str, work: Callable[[], Any]) -> Any:
    before, wall = time.process_time(), time.perf_counter()
    result = work()
    cpu, wall = time.process_time() - before, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  {name:<28}{cpu:8.2f} CPU s {wall:8.2f} s wall   peak so far {peak:,.0f} MB", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("shapes", nargs="*", default=list(SHAPES))
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--users", type=int)
    parser.add_argument("--no-peers", action="store_true")
    args = parser.parse_args()
    for shape in args.shapes:
        measure(shape, args.users, args.depth, not args.no_peers)


def measure(shape: str, n_users: int | None, depth: int, peers: bool) -> None:
    model, users, history, targets = draw(shape, n_users)
    print(f"{shape}: {len(users):,} users x {history.shape[1]:,} items, depth {depth}")
    with limit_threads(1):
        timed("product alone", lambda: gemm_alone(model))
        ours = timed("ours, lists", lambda: model.recommend(users, history, depth))[0]
        ranked = timed("ours, lists + target ranks", lambda: model.rank(users, history, depth, targets))
        assert np.array_equal(ours, ranked.items)
        if peers:
            theirs = timed("implicit.cpu.topk", lambda: by_implicit(model, history, depth))
            print(f"  same items as implicit: {(ours == theirs).mean():.5f}")
            theirs = timed("argpartition", lambda: by_argpartition(model, history, depth))
            print(f"  same items as argpartition: {(ours == theirs).mean():.5f}")


if __name__ == "__main__":
    main()
