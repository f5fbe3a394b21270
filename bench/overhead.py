"""What the harness costs on top of the libraries: a whole sweep against raw fit + raw recommend.

    python bench/overhead.py dataset=ml_100k
    python bench/overhead.py dataset=simulated dataset.n_users=9483 dataset.n_items=143000 \\
        dataset.n_rows=393119

The sweep is the command `bakeoff run` as a process of its own, from imports to the report, all metrics at
k = 5, 10, 20, 30. The raw side is another process that loads the same stored split and, model by model, calls
the libraries as their documentation shows, for lists of the same length: implicit's fit and recommend;
lightfm's fit, with implicit's top-k over its representations (its own predict takes minutes on wide
catalogues); NumPy for popularity and EASE. Only fit and recommend are counted there, one thread each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

MODELS = ("popularity", "itemknn_cosine", "als", "bpr", "warp", "lightfm_bpr")
DEPTH = 100


def sweep(words: list[str], models: tuple[str, ...], results: Path) -> tuple[float, float]:
    """CPU seconds and peak MB of the command."""
    command = [sys.executable, "-m", "bakeoff", "run", *words, f"model={','.join(models)}", "baselines=[]"]
    process = subprocess.Popen(
        [*command, f"results_dir={results}", "name=bench"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the sweep ended with status {status}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1000


def raw(results: Path) -> dict[str, Any]:
    """CPU seconds by model, and peak MB, of the libraries in a process of their own."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--raw", str(results)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    text = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the raw side ended with status {status}")
    return {"seconds": json.loads(text), "peak_mb": used.ru_maxrss / 1000}


def raw_models(results: Path) -> dict[str, float]:
    from threadpoolctl import threadpool_limits

    from bakeoff.store import Store

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
    binary = train.copy()
    binary.data[:] = 1
    gram = (binary.T @ binary).toarray()
    gram[np.diag_indices_from(gram)] += p["l2"]
    inverse = np.linalg.inv(gram)
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    scores = binary[users] @ weights
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


def main() -> None:
    if sys.argv[1] == "--raw":
        json.dump(raw_models(Path(sys.argv[2])), sys.stdout)
        return
    words = sys.argv[1:]
    models = MODELS if any("143000" in w for w in words) else (*MODELS, "ease")
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        seconds, peak = sweep(words, models, results)
        records = [json.loads(p.read_text()) for p in results.glob("store/cells/*/record.json")]
        libraries = raw(results)
        total = sum(libraries["seconds"].values())
        print(f"{' '.join(words)}: {len(records)} cells")
        for name, cpu in sorted(libraries["seconds"].items()):
            ours = next(r for r in records if r["cell"]["model"]["name"] == name)["seconds"]
            print(
                f"  {name:16} raw {cpu:7.2f} s   ours: fit {ours['fit']:.2f}, "
                f"recommend {ours['recommend']:.2f}, evaluate {ours['evaluate']:.2f} s (wall)"
            )
        measured = sum(r["seconds"]["evaluate"] for r in records)
        print(
            f"  sweep {seconds:.1f} CPU s, raw {total:.1f} CPU s: ratio {seconds / total:.2f}; "
            f"metrics {measured / seconds:.1%} of the sweep"
        )
        print(
            f"  peak {peak:.0f} MB, raw {libraries['peak_mb']:.0f} MB: "
            f"ratio {peak / libraries['peak_mb']:.2f}"
        )


if __name__ == "__main__":
    main()
