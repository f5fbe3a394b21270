"""Recompute means with installed libraries, for the metrics of which they have the same formula."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.errors import ConfigError, nearest
from bakeoff.verify.formulas import Inputs

Column = tuple[str, int | None]
"""A metric and its cutoff."""

Compute = Callable[[Inputs, Sequence[Column]], Mapping[Column, float]]
"""Return the means of those columns that a library has the formula of."""

MAX_PAIRS = 4_000_000
"""Largest number of pairs of items with a common user for recommenders, which joins all of them."""

_RANX = {
    "precision": "precision",
    "recall": "recall",
    "hit_rate": "hit_rate",
    "ndcg": "ndcg",
    "map_r": "map",
    "mrr": "mrr",
    "f1": "f1",
}
_OF_USERS_WITH_LIST = {
    "precision_recommenders": "precision_at_k",
    "recall_recommenders": "recall_at_k",
    "map_recommenders": "map",
    "map_at_k_recommenders": "map_at_k",
    "r_precision_recommenders": "r_precision_at_k",
}
_OF_LISTS = ("catalog_coverage", "distributional_coverage", "novelty")
_OF_PAIRS = ("diversity", "unexpectedness", "serendipity")
_SKLEARN = {
    "mae": "mean_absolute_error",
    "rmse": "root_mean_squared_error",
    "r2": "r2_score",
    "explained_variance": "explained_variance_score",
}


@dataclass(frozen=True)
class Library:
    """A library that recomputes means.

    Args:
        name: of the package that is imported.
        distribution: name under which it is installed.
        install: the command that installs it.
        compute: returns the means of those columns that it has the formula of.
    """

    name: str
    distribution: str
    install: str
    compute: Compute

    def unavailable(self) -> str:
        """Return the reason why it cannot be used, or ""."""
        if importlib.util.find_spec(self.name) is None:
            return f"{self.name} is not installed: {self.install}"
        pandas = importlib.metadata.version("pandas")
        if self.name == "recommenders" and int(pandas.split(".")[0]) >= 3:
            return f"recommenders is not used: on pandas {pandas} its numbers are wrong; it needs pandas 2"
        return ""

    @property
    def title(self) -> str:
        return f"{self.distribution} {importlib.metadata.version(self.distribution)}"


def select_libraries(names: Sequence[str] | None) -> list[Library]:
    """Return the libraries of these names; None for all that are installed.

    Raises:
        ConfigError: an unknown name, or a library that is not installed.
    """
    if names is None:
        return [library for library in LIBRARIES if not library.unavailable()]
    by_name = {library.name: library for library in LIBRARIES}
    for name in names:
        if name not in by_name:
            raise ConfigError(f"references={name}: {nearest(name, by_name)}")
        if reason := by_name[name].unavailable():
            raise ConfigError(f"references={name}: {reason}")
    return [by_name[name] for name in names]


def unavailable_libraries() -> list[str]:
    """Return the reasons why libraries cannot be used."""
    return [reason for library in LIBRARIES if (reason := library.unavailable())]


def _quiet(compute: Compute) -> Compute:
    """Suppress the libraries' warnings about numpy, pandas and numba."""

    def quiet(inputs: Inputs, columns: Sequence[Column]) -> Mapping[Column, float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compute(inputs, columns)

    return quiet


def _ranx(inputs: Inputs, columns: Sequence[Column]) -> Mapping[Column, float]:
    names: dict[Column, str] = {}
    names |= {(m, k): f"{_RANX[m]}@{k}" for m, k in columns if m in _RANX and k is not None}
    if ("r_precision_ranx", None) in columns:
        names["r_precision_ranx", None] = "r-precision"
    run = {
        str(n): {str(i): float(len(u.listed) - rank) for rank, i in enumerate(u.listed)}
        for n, u in enumerate(inputs.users)
        if u.listed
    }
    if not names or not run:
        return {}
    ranx = importlib.import_module("ranx")
    truth = {str(n): {str(i): 1 for i in u.test} for n, u in enumerate(inputs.users)}
    means = ranx.evaluate(ranx.Qrels(truth), ranx.Run(run), list(names.values()), make_comparable=True)
    means = means if isinstance(means, dict) else {next(iter(names.values())): means}
    return {column: float(means[name]) for column, name in names.items()}


def _recommenders(inputs: Inputs, columns: Sequence[Column]) -> Mapping[Column, float]:
    module = importlib.import_module("recommenders.evaluation.python_evaluation")
    means: dict[Column, float] = {}
    truth = _table(
        (code, i) for code, u in zip(inputs.codes, inputs.users, strict=True) for i in u.test
    ).assign(rating=1.0)
    ranked = _lists(inputs, None)
    complete = all(u.listed for u in inputs.users)
    for metric, k in columns:
        # Its mean is over users with a list: the same as ours if all users have one.
        name = _OF_USERS_WITH_LIST.get(metric) or ({"map": "map_at_k"}.get(metric) if complete else None)
        if name is not None and k is not None and len(ranked):
            means[metric, k] = float(getattr(module, name)(truth, ranked, k=k))
    return {**means, **_recommenders_beyond(module, inputs, columns)}


def _recommenders_beyond(module: Any, inputs: Inputs, columns: Sequence[Column]) -> Mapping[Column, float]:
    """Return the means of its beyond-accuracy metrics."""
    selected = [(m, k) for m, k in columns if m in (*_OF_LISTS, *_OF_PAIRS) and k is not None]
    train = inputs.train
    means: dict[Column, float] = {}
    if not selected or inputs.held_out:  # it takes train as the history
        return means
    history = _table(zip(train.users, train.items, strict=True))
    for metric, k in selected:
        listed = _lists(inputs, k)
        if not len(listed) or (metric in _OF_PAIRS and train.n_shared > MAX_PAIRS):
            continue
        if metric == "serendipity":
            lists = listed.drop(columns="prediction")
            means[metric, k] = module.serendipity(history, lists, col_relevance="relevance")
        else:
            name = "serendipity" if metric == "unexpectedness" else metric
            means[metric, k] = float(getattr(module, name)(history, listed[["userID", "itemID"]]))
    return means


def _sklearn(inputs: Inputs, columns: Sequence[Column]) -> Mapping[Column, float]:
    selected = [(m, k) for m, k in columns if m in _SKLEARN]
    if not selected or inputs.predicted is None:
        return {}
    module = importlib.import_module("sklearn.metrics")
    return {(m, k): float(getattr(module, _SKLEARN[m])(inputs.values, inputs.predicted)) for m, k in selected}


def _table(pairs: Iterable[tuple[int, int]]) -> Any:
    import pandas as pd

    return pd.DataFrame(list(pairs), columns=["userID", "itemID"])


def _lists(inputs: Inputs, k: int | None) -> Any:
    """Return the lists down to k as a frame, with the hits as `relevance`."""
    rows = [(n, rank, i) for n, u in enumerate(inputs.users) for rank, i in enumerate(u.listed[:k])]
    table = _table((inputs.codes[n], i) for n, _, i in rows)
    hits = [float(inputs.users[n].hits[rank]) for n, rank, _ in rows]
    return table.assign(prediction=[-float(rank) for _, rank, _ in rows], relevance=hits)


LIBRARIES = (
    Library("ranx", "ranx", "pip install 'bakeoff[verify]'", _quiet(_ranx)),
    Library("recommenders", "recommenders", "pip install 'bakeoff[recommenders]'", _quiet(_recommenders)),
    Library("sklearn", "scikit-learn", "pip install scikit-learn", _quiet(_sklearn)),
)
