"""What installed libraries say of the same lists, where their formula is the one that a metric states."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.errors import ConfigError, nearest
from bakeoff.verify.evidence import EvaluationInputs

EvaluationSpec = Sequence[tuple[str, int | None]]
Answers = Mapping[tuple[str, int | None], float]

PAIRS = 4_000_000
"""recommenders joins all pairs of items that share a user: it is asked where they are at most so many."""

_RANX = {
    "precision": "precision",
    "recall": "recall",
    "hit_rate": "hit_rate",
    "ndcg": "ndcg",
    "map_r": "map",
    "mrr": "mrr",
    "f1": "f1",
}
_SERVED = {
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
    """A library that can be asked.

    Args:
        name: as it is imported.
        distribution: as it is installed.
        install: how to.
        ask: answers those of the wanted numbers that it has the formula of.
    """

    name: str
    distribution: str
    install: str
    ask: Callable[[EvaluationInputs, EvaluationSpec], Answers]

    def lacks(self) -> str:
        """Why it cannot be asked, or ""."""
        if importlib.util.find_spec(self.name) is None:
            return f"{self.name} is not installed: {self.install}"
        pandas = importlib.metadata.version("pandas")
        if self.name == "recommenders" and int(pandas.split(".")[0]) >= 3:
            return f"recommenders is not asked: on pandas {pandas} its numbers are wrong; it needs pandas 2"
        return ""

    @property
    def title(self) -> str:
        return f"{self.distribution} {importlib.metadata.version(self.distribution)}"


def chosen(names: Sequence[str] | None) -> list[Library]:
    """The libraries asked for, or all that are installed.

    Raises:
        ConfigError: one that is not known, or not installed.
    """
    if names is None:
        return [library for library in LIBRARIES if not library.lacks()]
    by_name = {library.name: library for library in LIBRARIES}
    for name in names:
        if name not in by_name:
            raise ConfigError(f"references={name}: {nearest(name, by_name)}")
        if why := by_name[name].lacks():
            raise ConfigError(f"references={name}: {why}")
    return [by_name[name] for name in names]


def missing() -> list[str]:
    """A sentence for each library that cannot be asked."""
    return [why for library in LIBRARIES if (why := library.lacks())]


def _quiet(
    ask: Callable[[EvaluationInputs, EvaluationSpec], Answers],
) -> Callable[[EvaluationInputs, EvaluationSpec], Answers]:
    """Libraries warn of numpy, pandas and numba; what is asked of them is a number."""

    def asked(evidence: EvaluationInputs, wanted: EvaluationSpec) -> Answers:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ask(evidence, wanted)

    return asked


def _ranx(evidence: EvaluationInputs, wanted: EvaluationSpec) -> Answers:
    names: dict[tuple[str, int | None], str] = {}
    names |= {(m, k): f"{_RANX[m]}@{k}" for m, k in wanted if m in _RANX and k is not None}
    if ("r_precision_ranx", None) in wanted:
        names["r_precision_ranx", None] = "r-precision"
    run = {
        str(n): {str(i): float(len(u.listed) - at) for at, i in enumerate(u.listed)}
        for n, u in enumerate(evidence.users)
        if u.listed
    }
    if not names or not run:
        return {}
    ranx = importlib.import_module("ranx")
    truth = {str(n): {str(i): 1 for i in u.test} for n, u in enumerate(evidence.users)}
    found = ranx.evaluate(ranx.Qrels(truth), ranx.Run(run), list(names.values()), make_comparable=True)
    found = found if isinstance(found, dict) else {next(iter(names.values())): found}
    return {at: float(found[name]) for at, name in names.items()}


def _recommenders(evidence: EvaluationInputs, wanted: EvaluationSpec) -> Answers:
    module = importlib.import_module("recommenders.evaluation.python_evaluation")
    answers: dict[tuple[str, int | None], float] = {}
    held = zip(evidence.codes, evidence.users, strict=True)
    truth = _table((code, i) for code, u in held for i in u.test).assign(rating=1.0)
    ranked = _lists(evidence, None)
    all_served = all(u.listed for u in evidence.users)
    for metric, k in wanted:
        # Its mean is over users with a list: the same as ours where everybody has one.
        name = _SERVED.get(metric) or ({"map": "map_at_k"}.get(metric) if all_served else None)
        if name is not None and k is not None and len(ranked):
            answers[metric, k] = float(getattr(module, name)(truth, ranked, k=k))
    answers.update(_beyond(module, evidence, wanted))
    return answers


def _beyond(module: Any, evidence: EvaluationInputs, wanted: EvaluationSpec) -> Answers:
    """What lists are like."""
    asked = [(m, k) for m, k in wanted if m in (*_OF_LISTS, *_OF_PAIRS) and k is not None]
    train = evidence.train
    answers: dict[tuple[str, int | None], float] = {}
    if not asked or evidence.held_out:  # it takes train for the history
        return answers
    known = _table(zip(*train.rows, strict=True))
    for metric, k in asked:
        listed = _lists(evidence, k)
        if not len(listed) or (metric in _OF_PAIRS and train.joined > PAIRS):
            continue
        columns = listed[["userID", "itemID"]]
        if metric == "serendipity":
            answers[metric, k] = module.serendipity(
                known, listed.drop(columns="prediction"), col_relevance="relevance"
            )
        else:
            name = "serendipity" if metric == "unexpectedness" else metric
            answers[metric, k] = float(getattr(module, name)(known, columns))
    return answers


def _sklearn(evidence: EvaluationInputs, wanted: EvaluationSpec) -> Answers:
    asked = [(m, k) for m, k in wanted if m in _SKLEARN]
    if not asked or evidence.predicted is None:
        return {}
    module = importlib.import_module("sklearn.metrics")
    return {
        (m, k): float(getattr(module, _SKLEARN[m])(evidence.values, evidence.predicted)) for m, k in asked
    }


def _table(pairs: Iterable[tuple[int, int]]) -> Any:
    import pandas as pd

    return pd.DataFrame(list(pairs), columns=["userID", "itemID"])


def _lists(evidence: EvaluationInputs, k: int | None) -> Any:
    rows = [(n, at, i) for n, u in enumerate(evidence.users) for at, i in enumerate(u.listed[:k])]
    table = _table((evidence.codes[n], i) for n, _, i in rows)
    hits = [float(evidence.users[n].hits[at]) for n, at, _ in rows]
    return table.assign(prediction=[-float(at) for _, at, _ in rows], relevance=hits)


LIBRARIES = (
    Library("ranx", "ranx", "pip install 'bakeoff[verify]'", _quiet(_ranx)),
    Library("recommenders", "recommenders", "pip install 'bakeoff[recommenders]'", _quiet(_recommenders)),
    Library("sklearn", "scikit-learn", "pip install scikit-learn", _quiet(_sklearn)),
)
