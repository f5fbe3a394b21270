"""What the harness costs on top of the libraries: a whole sweep against raw fit + raw recommend.

    python bench/overhead.py dataset=ml_100k
    python bench/overhead.py dataset=simulated dataset.n_users=9483 dataset.n_items=143000 \\
        dataset.n_rows=393119 --models popularity,itemknn_cosine,als,bpr,warp,lightfm_bpr --rounds 3

The sweep is the command `bakeoff run` as a process of its own, from imports to the report, all metrics at
k = 5, 10, 20, 30. The raw side is another process that loads the same stored split and, model by model, calls
the libraries as their documentation shows, for lists of the same length: implicit's fit and recommend;
lightfm's fit, with implicit's top-k over its representations (its own predict takes minutes on wide
catalogues); NumPy and LAPACK for popularity and EASE. Only fit and recommend are counted there, one thread
each: no import, no reading.

Each round runs both sides, one after the other; the figures are medians of user + system seconds. What does
not grow with the work is told apart: the command `plan` (imports, composing the configuration) and the
command `report` (the same once more, and tables, tests, page and charts).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

MODELS = ("popularity", "itemknn_cosine", "als", "bpr", "warp", "lightfm_bpr", "ease")
DEPTH = 100


def command(*words: str) -> tuple[float, float]:
    """CPU seconds and peak MB of a command of bakeoff."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bakeoff", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"bakeoff {' '.join(words)}: ended with status {status}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1000


def raw(results: Path) -> tuple[dict[str, float], float]:
    """CPU seconds by model, and peak MB, of the libraries in a process of their own."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--raw", str(results)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    text = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the raw side ended with status {status}")
    return json.loads(text), used.ru_maxrss / 1000


def raw_models(results: Path) -> dict[str, float]:
    from threadpoolctl import threadpool_limits

    from bakeoff.storage.store import Store

    store, seconds = Store(results / "store"), {}
    with threadpool_limits(1):
        for path in sorted((results / "store" / "cells").iterdir()):
            record = store.record(path.name)
            if record is None or not record.done:
                continue
            split = store.split(record.split_key)
            train, users = split.train.matrix(), split.users
            start = time.process_time()
            RAW[record.cell["model"]["name"]](dict(record.parameters), train, users)
            seconds[str(record.cell["model"]["name"])] = time.process_time() - start
    return seconds


def popularity(_: dict[str, Any], train: Any, users: Any) -> Any:
    counts = np.bincount(train.indices, minlength=train.shape[1])
    order = np.argsort(-counts, kind="stable")
    lists = np.full((len(users), DEPTH), -1)
    for row, user in enumerate(users):
        seen = train.indices[train.indptr[user] : train.indptr[user + 1]]
        head = order[: DEPTH + len(seen)]
        found = head[~np.isin(head, seen)][:DEPTH]
        lists[row, : len(found)] = found
    return lists


def itemknn(p: dict[str, Any], train: Any, users: Any) -> Any:
    from implicit.nearest_neighbours import ItemItemRecommender, normalize

    model = ItemItemRecommender(K=p["K"], num_threads=1)
    binary = train.astype(np.float64)
    binary.data[:] = 1
    model.fit(normalize(binary.T).T.tocsr(), show_progress=False)
    return model.recommend(users, binary[users], N=DEPTH)


def als(p: dict[str, Any], train: Any, users: Any) -> Any:
    from implicit.cpu.als import AlternatingLeastSquares

    binary = train.copy()
    binary.data[:] = 1
    names = ("factors", "regularization", "alpha", "iterations", "calculate_training_loss")
    model = AlternatingLeastSquares(num_threads=1, random_state=1, **{n: p[n] for n in names})
    model.fit(binary, show_progress=False)
    return model.recommend(users, binary[users], N=DEPTH)


def bpr(p: dict[str, Any], train: Any, users: Any) -> Any:
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    names = ("factors", "learning_rate", "regularization", "iterations")
    model = BayesianPersonalizedRanking(num_threads=1, random_state=1, **{n: p[n] for n in names})
    model.fit(train, show_progress=False)
    return model.recommend(users, train[users], N=DEPTH)


def lightfm(p: dict[str, Any], train: Any, users: Any) -> Any:
    from implicit.cpu.topk import topk
    from lightfm import LightFM

    names = ("loss", "no_components", "learning_rate", "item_alpha", "user_alpha", "max_sampled")
    model = LightFM(random_state=1, **{n: p[n] for n in names})
    binary = train.tocoo()
    binary.data[:] = 1
    model.fit(binary, epochs=p["epochs"], num_threads=1)
    _, mine = model.get_user_representations()
    bias, items = model.get_item_representations()
    queries = np.hstack([mine[users], np.ones((len(users), 1), np.float32)])
    return topk(
        np.hstack([items, bias[:, None]]), queries, DEPTH, filter_query_items=train[users], num_threads=1
    )


def ease(p: dict[str, Any], train: Any, users: Any) -> Any:
    from scipy.linalg import lapack

    binary = train.copy()
    binary.data[:] = 1
    gram = (binary.T @ binary).toarray(order="F")
    gram[np.diag_indices_from(gram)] += p["l2"]
    factor, failed = lapack.spotrf(gram, lower=1, overwrite_a=1)
    assert not failed
    inverse, failed = lapack.spotri(factor, lower=1, overwrite_c=1)
    assert not failed
    inverse += np.tril(inverse, -1).T - np.triu(inverse, 1)  # LAPACK leaves the other half as it was
    inverse /= -np.diag(inverse)
    np.fill_diagonal(inverse, 0)
    scores = binary[users] @ inverse
    scores[binary[users].nonzero()] = -np.inf
    best = np.argpartition(-scores, DEPTH, axis=1)[:, :DEPTH]
    return np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, 1), axis=1), 1)


RAW = {
    "popularity": popularity,
    "itemknn_cosine": itemknn,
    "als": als,
    "bpr": bpr,
    "warp": lightfm,
    "lightfm_bpr": lightfm,
    "ease": ease,
}


@dataclass(frozen=True)
class Round:
    """One run of both sides: CPU seconds and peak MB; seconds of cells are wall."""

    sweep: tuple[float, float]
    plan: float
    report: float
    libraries: dict[str, float]
    raw_peak: float
    cells: dict[str, dict[str, float]]

    @property
    def raw(self) -> float:
        return sum(self.libraries.values())


def one_round(words: list[str], models: tuple[str, ...]) -> Round:
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        where = (f"results_dir={results}", "name=bench")
        asked = (*words, f"model={','.join(models)}", "baselines=[]", *where)
        plan, _ = command("plan", *asked)
        swept = command("run", *asked)
        libraries, peak = raw(results)
        report, _ = command("report", "bench", where[0])
        records = [json.loads(p.read_text()) for p in results.glob("store/cells/*/record.json")]
    cells = {r["cell"]["model"]["name"]: r["seconds"] for r in records}
    # Each cell resets the kernel's mark of the peak, so that the process's own is that of what came last.
    swept = swept[0], max(swept[1], *(r["peak_mb"] for r in records))
    return Round(swept, plan, report, libraries, peak, cells)


def main() -> None:
    if sys.argv[1:2] == ["--raw"]:
        json.dump(raw_models(Path(sys.argv[2])), sys.stdout)
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("words", nargs="+", help="of bakeoff run: the data set and what it is made of")
    parser.add_argument("--models", default=",".join(MODELS), help="of both sides")
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_intermixed_args()
    models = tuple(args.models.split(","))
    rounds = [one_round(args.words, models) for _ in range(args.rounds)]

    def middle(of: Callable[[Round], float]) -> float:
        return statistics.median(map(of, rounds))

    print(f"{' '.join(args.words)}: {len(models)} cells, median of {len(rounds)}")
    for name in models:
        fit, recommend, evaluate = (
            middle(lambda r, n=name, p=phase: r.cells[n][p])  # type: ignore[misc]
            for phase in ("fit", "recommend", "evaluate")
        )
        print(
            f"  {name:16} raw {middle(lambda r, n=name: r.libraries[n]):7.2f} s   "  # type: ignore[misc]
            f"ours: fit {fit:.2f}, recommend {recommend:.2f}, evaluate {evaluate:.2f} s (wall)"
        )
    print(
        f"  sweep {middle(lambda r: r.sweep[0]):.1f} CPU s, raw {middle(lambda r: r.raw):.1f} CPU s: "
        f"ratio {middle(lambda r: r.sweep[0] / r.raw):.2f}"
    )
    plan, report = middle(lambda r: r.plan), middle(lambda r: r.report)
    measured = middle(lambda r: sum(c["evaluate"] for c in r.cells.values()) / r.sweep[0])
    rest = middle(lambda r: (r.sweep[0] - r.report) / r.raw)
    print(
        f"  of the sweep: metrics {measured:.1%}; to start {plan:.1f} CPU s, "
        f"report {report - plan:.1f} CPU s; without these two, ratio {rest:.2f}"
    )
    peak, theirs = middle(lambda r: r.sweep[1]), middle(lambda r: r.raw_peak)
    print(f"  peak {peak:.0f} MB, raw {theirs:.0f} MB: ratio {peak / theirs:.2f}")


if __name__ == "__main__":
    main()
