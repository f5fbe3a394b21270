"""The catalogue of metrics: all that are shipped, the named sets of them, and which are shown first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from bakeoff import config_files
from bakeoff.errors import ConfigError, nearest
from bakeoff.evaluation.metric import Metric
from bakeoff.importing import import_module, import_object

MODULES = ("ranking", "beyond", "rating", "conventions")
"""Modules of this package that declare metrics; a function declared in one of them is in the catalogue."""

PROMINENT = ("ndcg", "recall", "precision", "map", "mrr", "hit_rate", "auc", "catalog_coverage", "novelty")
"""Metrics that are shown before all others, in this order; the first that was measured leads."""

OVERVIEW = ("ndcg", "recall", "precision", "mrr", "catalog_coverage", "novelty")
"""Metrics that are shown together where there is no room for all: accuracy and what it costs."""

LEADING_K = 10


@cache
def shipped() -> Mapping[str, Metric]:
    """Return every metric that is shipped, by name, in the order of MODULES and of definition."""
    modules = (import_module(f"{__package__}.{name}", "metrics") for name in MODULES)
    return MappingProxyType({m.name: m for module in modules for m in _declared(module)})


def prominence(name: str) -> int:
    """Return the position of a metric in PROMINENT, as a key for sorting; the same for all others.

    >>> sorted(["gini", "recall", "auc", "ndcg"], key=prominence)
    ['ndcg', 'recall', 'auc', 'gini']
    """
    return PROMINENT.index(name) if name in PROMINENT else len(PROMINENT)


def leading_metric(names: Iterable[str]) -> str | None:
    """Return the metric shown first: the most prominent of those measured, else their first, if any."""
    return min(names, key=prominence, default=None)


def leading_k(ks: Iterable[int | None]) -> int:
    """Return the cutoff shown first: the measured one nearest to 10, the smaller of two; 10 if there is none.

    >>> leading_k([1, 12]), leading_k([8, 12, 50]), leading_k([])
    (12, 8, 10)
    """
    cutoffs = (k for k in ks if k is not None)
    return min(cutoffs, key=lambda k: (abs(k - LEADING_K), k), default=LEADING_K)


def metric_paths(names: Sequence[str], folders: Sequence[Path] = ()) -> dict[str, str]:
    """Return name -> import path of the metrics that a list names.

    Args:
        names: shipped metrics (`ndcg`), named sets (`accuracy`) and import paths (`my_metrics.top_hit`, which
            is called `top_hit`; `my_metrics.*` for all of a module), in any mix.
        folders: configuration folders whose `metrics/*.yaml` are named sets too. The folder `conf` in the
            working directory and the shipped configuration follow.

    Raises:
        ConfigError: a name that is none of these, or a set that cannot be read.
    """
    sets = _set_files(folders)
    paths: dict[str, str] = {}
    for name in names:
        if name in sets:
            paths |= _read_set(name, sets)
        elif name in shipped():
            paths[name] = shipped()[name].path
        elif "." in name:
            paths |= expand({name.rpartition(".")[2]: name})
        else:
            raise ConfigError(f"metrics={name}: {suggestion(name, [*shipped(), *sets])}")
    return paths


def suggestion(name: str, names: Iterable[str]) -> str:
    """Return what to write in place of an unknown name: the nearest, or all where none is near."""
    near, question, _ = nearest(name, names).partition("? ")
    return f"{near}? All of them: bakeoff list metrics" if question else near


def default_paths() -> dict[str, str]:
    """Return name -> import path of the metrics that are measured unless others are given."""
    return metric_paths(["default"])


def expand(entries: Mapping[str, Any]) -> dict[str, str]:
    """Return the entries of a set as name -> import path of one metric each.

    An entry whose path ends in `.*` stands for all metrics of the module, except optional ones; the name of
    such an entry has no meaning. An entry for a single metric replaces one of the same name from a module.
    An entry `only`, names as `metric_paths` takes them or a mapping, stands in place of all others.

    Raises:
        ConfigError: such a module cannot be imported or declares no metric.
    """
    if (only := entries.get("only")) is not None:
        names = [only] if isinstance(only, str) else only
        return expand(names) if isinstance(names, Mapping) else metric_paths(names)
    paths: dict[str, str] = {}
    for name, path in entries.items():
        if not str(path).endswith(".*"):
            continue
        module = import_module(str(path).removesuffix(".*"), f"metrics.{name}")
        declared = [m for m in _declared(module) if not m.optional]
        if not declared:
            raise ConfigError(f"metrics.{name}={path!r}: the module declares no metric")
        paths |= {m.name: m.path for m in declared}
    return paths | {name: path for name, path in entries.items() if not str(path).endswith(".*")}


def resolve(paths: Mapping[str, str]) -> dict[str, Metric]:
    """Import metrics by path, such as {"ndcg": "bakeoff.evaluation.ranking.ndcg"}.

    Raises:
        ConfigError: a path that cannot be imported, or that leads to something that is not a metric.
    """
    return {name: _import_metric(path, f"metrics.{name}") for name, path in paths.items()}


def _import_metric(path: str, where: str) -> Metric:
    metric = import_object(path, where)
    if not isinstance(metric, Metric):
        raise ConfigError(
            f"{where}={path!r}: not a metric; declare the function with @bakeoff.evaluation.metric.metric()"
        )
    return metric


def _declared(module: object) -> list[Metric]:
    """Return the metrics that a module declares itself, not those that it imports."""
    name = getattr(module, "__name__", "")
    return [m for m in vars(module).values() if isinstance(m, Metric) and m.compute.__module__ == name]


def _set_files(folders: Sequence[Path]) -> dict[str, Path]:
    """Return name -> file of every named set; the first folder that has the name wins."""
    searched = config_files.search_path(folders)
    files = (file for folder in reversed(searched) for file in sorted((folder / "metrics").glob("*.yaml")))
    return {file.stem: file for file in files}


def _read_set(name: str, sets: Mapping[str, Path]) -> dict[str, str]:
    """Return the metrics of a named set and of the sets in its `defaults`, as name -> import path."""
    content = config_files.read(sets[name])
    entries = {str(k): v for k, v in content.items() if k != "defaults"}
    inherited: dict[str, str] = {}
    for other in content.get("defaults", ()):
        if other != "_self_":
            if other not in sets:
                raise ConfigError(f"{sets[name]}: defaults: {nearest(str(other), sets)}")
            inherited |= _read_set(other, {k: v for k, v in sets.items() if k != name})
    return inherited | expand(entries)


# -- what other libraries call by the same word --------------------------------------------------------


@dataclass(frozen=True)
class Library:
    """The metrics of a library, and what its means are over.

    Args:
        title: its name, with the version whose numbers the tests reproduce where they run it.
        metrics: the library's word -> the shipped metric that has its formula. A variant of a word begins
            with it: `map_divide_by_k`.
        users: who is in the mean.
        short: what a place without an item, and a user without a list, count.
    """

    title: str
    metrics: Mapping[str, str]
    users: str = "every test user"
    short: str = "an empty place is a miss, a user without a list is 0"


def _same(*names: str) -> dict[str, str]:
    """Return metrics that have our formula under our name."""
    return {name: name for name in names}


LIBRARIES: Mapping[str, Library] = MappingProxyType(
    {
        "recommenders": Library(
            "recommenders 1.2.1",
            {
                "precision": "precision_recommenders",
                "recall": "recall_recommenders",
                "ndcg": "ndcg",
                "map": "map_recommenders",
                "map_at_k": "map_at_k_recommenders",
                "r_precision": "r_precision_recommenders",
                "serendipity": "unexpectedness",
                "serendipity_relevance": "serendipity",
                **_same("catalog_coverage", "distributional_coverage", "novelty", "diversity"),
            },
            "users with a list; nDCG: every test user; R-precision: users with a hit in the first min(k, R)",
            "an empty place is a miss, a user without a list is left out (nDCG: 0)",
        ),
        "implicit": Library(
            "implicit 0.7",
            {"precision": "precision_implicit", **_same("ndcg", "map"), "auc": "auc_implicit"},
            "every test user; precision is one ratio over all of them; AUC takes train items as negatives",
        ),
        "lightfm": Library(
            "LightFM 1.17",
            {**_same("precision", "recall"), "mrr": "reciprocal_rank_lightfm", "auc": "auc_lightfm"},
            short="every item is ranked, no list is short",
        ),
        "rectools": Library(
            "RecTools 0.19",
            {
                **_same("precision", "recall", "hit_rate", "f1", "mrr"),
                "precision_r_precision": "recall_capped",
                "ndcg": "ndcg_rectools",
                "ndcg_divide_by_achievable": "ndcg",
                "map": "map_r",
                "map_divide_by_k": "map_rectools_by_k",
                "partial_auc": "partial_auc_rectools",
                "pap": "pap_rectools",
                "novelty": "novelty_rectools",
                "mean_popularity": "mean_popularity",
            },
            "every test user; novelty and popularity: users with a list",
        ),
        "ranx": Library(
            "ranx 0.3",
            {
                **_same("precision", "recall", "hit_rate", "f1", "ndcg", "mrr"),
                "map": "map_r",
                "r_precision": "r_precision_ranx",
            },
        ),
        "lenskit": Library(
            "LensKit",
            {
                "precision": "precision_lenskit",
                "recall": "recall_capped",
                "ndcg": "ndcg_lenskit",
                "map": "map_lenskit",
                **_same("hit_rate", "mrr"),
            },
            "users with a list, be it empty (here: every test user)",
            "precision and MAP divide by the items there are; an empty list is 0",
        ),
        "replay": Library(
            "RePlay",
            {**_same("precision", "recall", "hit_rate", "ndcg", "map", "mrr"), "auc": "auc_replay"},
        ),
        "recbole": Library(
            "RecBole",
            {**_same("precision", "recall", "hit_rate", "ndcg", "map", "mrr"), "auc": "auc_recbole"},
            "every test user; AUC weighted by their test items; means are rounded to four digits",
        ),
        "cornac": Library(
            "Cornac",
            _same("precision", "recall", "hit_rate", "f1", "ndcg"),
            "every test user; its MAP and MRR are of the whole ranking, and not here",
        ),
        "recpack": Library(
            "RecPack", {**_same("precision", "recall", "ndcg"), "recall_calibrated": "recall_capped"}
        ),
        "recsys2019": Library(
            "RecSys2019 evaluation",
            {
                "precision": "precision_lenskit",
                "precision_min_den": "min_precision_recsys2019",
                "recall": "recall",
                "ndcg": "ndcg_recsys2019",
                "map": "map_lenskit",
            },
            short="precision and MAP divide by the items there are; a user without a list is 0",
        ),
        "irspack": Library(
            "irspack",
            {
                "precision": "precision_lenskit",
                "recall": "recall",
                "hit_rate": "hit_rate",
                "ndcg": "ndcg_irspack",
                "map": "map_r",
            },
            short="precision and the ideal of nDCG take the items there are; a user without a list is 0",
        ),
        "daisyrec": Library(
            "daisyRec",
            {
                **_same("precision", "recall", "hit_rate", "mrr"),
                "ndcg": "ndcg_daisyrec",
                "map": "map_daisyrec",
                "auc": "auc_replay",
            },
        ),
        "elliot": Library(
            "Elliot",
            {**_same("precision", "recall", "ndcg"), "map": "map_elliot"},
            "every test user; nDCG as here where all test ratings are equal, else with gains 2^r - 1",
        ),
        "warprec": Library("WarpRec", _same("precision", "recall", "map")),
        "bars": Library("BARS", _same("recall", "ndcg"), "every row of its matrix"),
        "liang2018": Library("papers after Liang et al. 2018", {"recall": "recall_capped", "ndcg": "ndcg"}),
    }
)
"""Which of our metrics has the formula that a library calls by a word: the one table of it."""


class Convention(NamedTuple):
    """What a library understands by a word."""

    library: str
    word: str
    metric: str

    @property
    def name(self) -> str:
        """The word with its library: `recommenders:map`."""
        return f"{self.library}:{self.word}"


def conventions(libraries: Iterable[str] = LIBRARIES, word: str | None = None) -> list[Convention]:
    """Return what libraries understand by their words; by one word and its variants, if it is given.

    >>> [c.name for c in conventions(["ranx", "rectools"], "map")]
    ['ranx:map', 'rectools:map', 'rectools:map_divide_by_k']

    Raises:
        ConfigError: an unknown library, or a word that none of them has.
    """
    rows = []
    for library in libraries:
        if library not in LIBRARIES:
            raise ConfigError(f"conventions={library}: {nearest(library, LIBRARIES)}")
        rows += [Convention(library, of, metric) for of, metric in LIBRARIES[library].metrics.items()]
    if word is None:
        return rows
    same = [row for row in rows if row.word == word or row.word.startswith(f"{word}_")]
    if not same:
        raise ConfigError(f"explain: no library has a metric {word!r}; {nearest(word, words())}")
    return same


def words() -> list[str]:
    """Return the words of all libraries, variants excepted."""
    every = dict.fromkeys(word for library in LIBRARIES.values() for word in library.metrics)
    return [word for word in every if not any(word.startswith(f"{other}_") for other in every)]
