"""CPU seconds of the metrics on lists of made-up models, beside recommenders on a sample of the users.

    python bench/metrics.py [--repeat 3] [--sample 500] [--depth 100]

Work: W1 is as large as a log of Last.fm top tracks (9,483 users, 143,000 items, 393,119 rows), W2 as
MovieLens 1M (6,040 users, 3,706 items, 1,000,209 rows); items follow a power law, rows are cut 80/20.
"popular" lists draw items by popularity, as models mostly do; "spread" lists draw them evenly, which is the
worst case for similarities. Cutoffs are 5, 10, 20 and 30. "extra MB" is by how much the line raised the
peak of resident memory of the whole run, so it is 0 for what needs less than a line above. One thread.
The accuracy lines include the check of the lists; AUC is left out, since made-up lists have no ranks.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from bakeoff.evaluation.catalogue import default_paths, resolve
from bakeoff.evaluation.measure import measure
from bakeoff.evaluation.metric import EvaluationInputs
from bakeoff.evaluation.stats import TrainStats
from bakeoff.evaluation.topk import TopK

KS = [5, 10, 20, 30]
WORK = {"W1": (9_483, 143_000, 393_119, 0.7), "W2": (6_040, 3_706, 1_000_209, 0.7)}
Timing = tuple[str, float, float]
"""What was done, CPU seconds, megabytes."""
LISTS = {"popular": 1.8, "spread": 0.0}


def interactions(n_users: int, n_items: int, rows: int, exponent: float) -> tuple[Any, Any, np.ndarray]:
    """Train and test (CSR [U, I]) and how often an item is drawn."""
    rng = np.random.default_rng(1)
    share = 1.0 / np.arange(1, n_items + 1) ** exponent
    share /= share.sum()
    keys = np.zeros(0, dtype=np.int64)
    while len(keys) < rows:
        users = rng.integers(0, n_users, rows)
        keys = np.unique(np.append(keys, users * np.int64(n_items) + rng.choice(n_items, rows, p=share)))
    keys = rng.permutation(keys)[:rows]

    def matrix(part: np.ndarray) -> Any:
        place = part // n_items, part % n_items
        return sparse.csr_matrix((np.ones(len(part), np.float32), place), shape=(n_users, n_items))

    return matrix(np.sort(keys[: rows * 4 // 5])), matrix(np.sort(keys[rows * 4 // 5 :])), share


def draw_lists(history: Any, share: np.ndarray, depth: int) -> np.ndarray:
    """int32 [m, depth]: for each user distinct unseen items, drawn by share."""
    rng = np.random.default_rng(2)
    pool = rng.choice(len(share), 20 * depth * 1000, p=share)
    items = np.empty((history.shape[0], depth), dtype=np.int32)
    for u in range(len(items)):
        start = int(rng.integers(0, len(pool) - 20 * depth))
        drawn = dict.fromkeys(pool[start : start + 20 * depth].tolist())
        seen = set(history.indices[history.indptr[u] : history.indptr[u + 1]].tolist())
        fresh = [i for i in drawn if i not in seen]
        if len(fresh) < depth:
            fresh = list(dict.fromkeys(fresh + [i for i in range(len(share)) if i not in seen]))
        items[u] = fresh[:depth]
    return items


def clocked(repeat: int, work: Callable[[], Any]) -> tuple[float, float]:
    """Median CPU seconds, and the megabytes by which the process's peak grew."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(repeat):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return statistics.median(seconds), grown / 1024


def ours(train: Any, test: Any, items: np.ndarray, users: np.ndarray, repeat: int) -> list[Timing]:
    paths = default_paths()
    accuracy = resolve({n: p for n, p in paths.items() if ".ranking." in p and n != "auc"})
    beyond = resolve({n: p for n, p in paths.items() if ".beyond." in p})
    history, relevant, stats = train[users], test[users], TrainStats(train)
    scores = np.tile(-np.arange(items.shape[1], dtype=np.float32), (len(users), 1))

    def checked() -> TopK:
        return TopK.build(users, items, scores, history=history, test=relevant)

    def inputs(shared: TrainStats) -> EvaluationInputs:
        return EvaluationInputs(lists, relevant, history, shared)

    lists = checked()
    return [
        ("check the lists", *clocked(repeat, checked)),
        (
            f"{len(accuracy)} accuracy metrics x {len(KS)} k",
            *clocked(
                repeat, lambda: measure(EvaluationInputs(checked(), relevant, history, stats), accuracy, KS)
            ),
        ),
        (
            f"{len(beyond)} others x {len(KS)} k, first model of a split",
            *clocked(1, lambda: measure(inputs(TrainStats(train)), beyond, KS)),
        ),
        (
            f"{len(beyond)} others x {len(KS)} k, each further model",
            *clocked(repeat + 1, lambda: measure(inputs(stats), beyond, KS)),
        ),
    ]


def recommenders(train: Any, test: Any, items: np.ndarray, users: np.ndarray) -> list[Timing]:
    """The same on these users alone, their train rows included."""
    import pandas as pd
    from recommenders.evaluation import python_evaluation as peer

    warnings.simplefilter("ignore")
    rows = train[users].tocoo()
    seen = pd.DataFrame({"userID": rows.row, "itemID": rows.col})
    rows = test[users].tocoo()
    truth = pd.DataFrame({"userID": rows.row, "itemID": rows.col, "rating": 1.0})
    depth = max(KS)
    listed = pd.DataFrame(
        {
            "userID": np.repeat(np.arange(len(users)), depth),
            "itemID": items[: len(users), :depth].ravel(),
            "prediction": -np.tile(np.arange(depth, dtype=float), len(users)),
        }
    )
    accuracy = [peer.precision_at_k, peer.recall_at_k, peer.ndcg_at_k, peer.map, peer.map_at_k]
    others = [
        peer.catalog_coverage,
        peer.distributional_coverage,
        peer.novelty,
        peer.diversity,
        peer.serendipity,
    ]

    def right() -> None:
        for k in KS:
            for metric in accuracy:
                metric(truth, listed, k=k)

    def like() -> None:
        for k in KS:
            cut = listed[listed["prediction"] > -k][["userID", "itemID"]]
            for metric in others:
                metric(seen, cut)

    return [
        (f"recommenders: 5 accuracy metrics x {len(KS)} k", *clocked(1, right)),
        (f"recommenders: 5 others x {len(KS)} k", *clocked(1, like)),
    ]


def show(work: str, kind: str, n_users: int, timings: list[Timing]) -> None:
    for name, seconds, grown in timings:
        print(f"{work:4}  {kind:8} {n_users:6}  {name:46} {seconds:9.3f} {grown:9.0f}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--sample", type=int, default=500, help="users that recommenders is measured on")
    options.add_argument("--depth", type=int, default=100)
    asked = options.parse_args()
    print(f"{'work':4}  {'lists':8} {'users':>6}  {'what':46} {'CPU s':>9} {'extra MB':>9}")
    with threadpool_limits(1):
        for work, size in WORK.items():
            train, test, share = interactions(*size)
            users = np.flatnonzero(np.diff(test.indptr)).astype(np.int32)
            for kind, power in LISTS.items():
                items = draw_lists(train[users], share**power / np.sum(share**power), asked.depth)
                show(work, kind, len(users), ours(train, test, items, users, asked.repeat))
                few = users[: asked.sample]
                alone = np.arange(len(few), dtype=np.int32)
                show(work, kind, len(few), ours(train[few], test[few], items[: len(few)], alone, 1)[1:3])
                show(work, kind, len(few), recommenders(train, test, items, few))


if __name__ == "__main__":
    main()
