"""Faults of an experiment that make its numbers wrong, and cautions that make them say less than they seem.

It takes train, test and lists as plain pairs, of a stored experiment or of three files that anybody wrote.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from scipy import sparse

from bakeoff.arrays import CSR, Array, Bools, Doubles
from bakeoff.data.columns import GrowableArray, IdEncoder, read_times
from bakeoff.data.file_formats import CsvDialect, Kind, check_columns, column_names, read_batches
from bakeoff.errors import DataError, Unsupported, UsageError
from bakeoff.evaluation.catalogue import shipped
from bakeoff.evaluation.measure import measure
from bakeoff.evaluation.metric import EvaluationInputs
from bakeoff.evaluation.ranking import reachable
from bakeoff.evaluation.significance import Sample, TestConfig, pair_spread
from bakeoff.evaluation.stats import TrainStats
from bakeoff.evaluation.topk import TopK
from bakeoff.evaluation.variance import repetitions_needed
from bakeoff.queries.comparison import Table
from bakeoff.run.cell import Cell
from bakeoff.splits.base import Split
from bakeoff.storage.store import Store

Level = Literal["fault", "caution"]

ALL = 0.95
"""Share of lists, or of their items, that counts as all of them."""

LARGE = 0.05
"""Share of test pairs that may be dropped without a word."""

AGREES = 5e-4
"""Largest relative difference of a printed number, which is rounded, from a recomputed one."""

LEADING = ("ndcg", 10)
"""Metric and largest cutoff at which foreign lists are compared."""

_DIALECT = CsvDialect()


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, or that limits what numbers say.

    Args:
        check: which check names it: `seen_items`, `looks_ahead`, ...
        level: `fault` where numbers are wrong, `caution` where they say less than they seem.
        where: the split, the model or the file.
        message: what, and how much of it.
    """

    check: str
    level: Level
    where: str
    message: str


@dataclass(frozen=True, eq=False)
class Pairs:
    """Rows of a part.

    Args:
        users, items: int64 [n], codes.
        times: float64 [n], or None.
    """

    users: Array
    items: Array
    times: Doubles | None = None


@dataclass(frozen=True, eq=False)
class Lists:
    """The lists of one model, the best item of each user first.

    Args:
        label: of the model or the file.
        users, items: int64 [n], codes, list by list.
        scores: float64 [n], or None.
    """

    label: str
    users: Array
    items: Array
    scores: Doubles | None = None


@dataclass(frozen=True, eq=False)
class Material:
    """One split with the lists made on it.

    Args:
        title: of the split; "" of files.
        user_ids, item_ids: what the codes stand for.
        printed: the numbers that somebody printed: model ("" for any) -> "recall@30" -> value.
    """

    title: str
    train: Pairs
    test: Pairs
    lists: tuple[Lists, ...]
    user_ids: Sequence[object]
    item_ids: Sequence[object]
    printed: Mapping[str, Mapping[str, float]]

    def keys(self, part: Pairs | Lists) -> Array:
        """Return a number for each pair, int64 [n], equal for equal pairs."""
        return part.users * len(self.item_ids) + part.items

    def matrix(self, part: Pairs) -> CSR:
        """Return the distinct pairs as CSR float32 [U, I]."""
        shape = len(self.user_ids), len(self.item_ids)
        ones = np.ones(len(part.users), dtype=np.float32)
        made: CSR = sparse.csr_matrix((ones, (part.users, part.items)), shape)
        made.sum_duplicates()
        made.data[:] = 1.0
        return made


# -- material --------------------------------------------------------------------------------------------


def of_split(title: str, cell: Cell, split: Split, cells: Mapping[str, str], store: Store) -> Material:
    """Return the material of a stored split.

    Args:
        cells: key of each finished cell -> label.
    """
    known = (split.history + split.train.matrix()).tocoo()
    data = store.data(cell.data_key).interactions
    users = split.train.user_ids.codes(data.user_ids.values)[data.users].astype(np.int64)
    items = split.train.item_ids.codes(data.item_ids.values)[data.items].astype(np.int64)
    n_items = split.train.n_items
    coo = split.test.tocoo()
    rows = np.flatnonzero((users >= 0) & (items >= 0))
    in_test = np.isin(users[rows] * n_items + items[rows], coo.row.astype(np.int64) * n_items + coo.col)
    rows = rows[in_test]
    if data.times is not None:  # of the events of a pair the first
        rows = rows[np.lexsort((data.times[rows], items[rows], users[rows]))]
    rows = rows[np.unique(users[rows] * n_items + items[rows], return_index=True)[1]]
    events = split.events
    if data.times is not None and events.times is not None and not split.held_out:
        test = Pairs(users[rows], items[rows], data.times[rows].astype(np.float64))
        train = Pairs(
            events.users.astype(np.int64), events.items.astype(np.int64), events.times.astype(np.float64)
        )
    else:
        test = Pairs(coo.row.astype(np.int64), coo.col.astype(np.int64))
        train = Pairs(known.row.astype(np.int64), known.col.astype(np.int64))
    lists = []
    for key, label in cells.items():
        stored = store.lists(key)
        at, column = np.nonzero(np.asarray(stored.items) >= 0)
        lists.append(
            Lists(
                label,
                split.users[at].astype(np.int64),
                np.asarray(stored.items)[at, column].astype(np.int64),
                np.asarray(stored.scores)[at, column].astype(np.float64),
            )
        )
    user_ids, item_ids = (ids.values.tolist() for ids in (split.train.user_ids, split.train.item_ids))
    return Material(title, train, test, tuple(lists), user_ids, item_ids, {})


def of_files(
    train: Path,
    test: Path,
    lists: Sequence[Path],
    printed: Path | None = None,
    names: tuple[str, str, str] = ("user", "item", "time"),
) -> Material:
    """Return the material of files of anybody's experiment, CSV or Parquet.

    Args:
        train, test: rows of user and item, perhaps time.
        lists: rows of user, item and rank or score, perhaps model.
        printed: rows of metric, k and value, perhaps model: the numbers that were printed.
        names: the columns of user, item and time.

    Raises:
        DataError: a file or a column is missing, or a field is not of its kind.
    """
    user, item, time = names
    read = [_columns(path, {user: "id", item: "id"}, {time: "time"}) for path in (train, test)]
    listed = [
        _columns(path, {user: "id", item: "id"}, {"rank": "number", "score": "number", "model": "id"})
        for path in lists
    ]
    for path, columns in zip(lists, listed, strict=True):
        if not {"rank", "score"} & set(columns):
            raise DataError(f"{path}: no column 'rank' or 'score'; expected lists")
    user_ids, users = _coded([columns[user] for columns in (*read, *listed)])
    item_ids, items = _coded([columns[item] for columns in (*read, *listed)])
    parts = [
        Pairs(users[at], items[at], None if time not in columns else columns[time].astype(np.float64))
        for at, columns in enumerate(read)
    ]
    made = []
    for at, (path, columns) in enumerate(zip(lists, listed, strict=True), len(read)):
        models = columns.get("model", np.full(len(users[at]), path.stem, dtype=object))
        order = columns["rank"] if "rank" in columns else -columns["score"]
        for model in dict.fromkeys(models.tolist()):
            rows = np.flatnonzero(models == model)
            rows = rows[np.lexsort((order[rows], users[at][rows]))]
            scores = columns["score"][rows] if "score" in columns else None
            made.append(Lists(str(model), users[at][rows], items[at][rows], scores))
    return Material("", parts[0], parts[1], tuple(made), user_ids, item_ids, _printed(printed))


def _columns(path: Path, required: Mapping[str, Kind], optional: Mapping[str, Kind]) -> dict[str, Array]:
    """Return columns by name: ids as objects, numbers and times as float64."""
    check_columns(path, _DIALECT, dict.fromkeys(required, "an audit"), verb="needs")
    there = set(column_names(path, _DIALECT))
    kinds = {**required, **{name: kind for name, kind in optional.items() if name in there}}
    columns = {n: IdEncoder() if kind == "id" else GrowableArray(np.float64) for n, kind in kinds.items()}
    for batch in read_batches(path, _DIALECT, kinds):
        for (name, column), field in zip(columns.items(), batch.columns, strict=True):
            if kinds[name] == "time":
                field = read_times(field, "UTC")[0].astype(np.float64)
            elif kinds[name] == "number":
                field = field.fill_null(np.nan).to_numpy(zero_copy_only=False)
            column.add(field)
    arrays: dict[str, Array] = {}
    for name, column in columns.items():
        if isinstance(column, IdEncoder):
            codes, distinct = column.finish()
            if (codes < 0).any():
                raise DataError(f"{path}: column {name!r} has {int((codes < 0).sum())} empty fields")
            values = np.array([str(v) for v in distinct.to_pylist()], dtype=object)
            arrays[name] = values[codes] if len(values) else np.zeros(0, dtype=object)
        else:
            arrays[name] = column.finish()
    if not len(next(iter(arrays.values()))):
        raise DataError(f"{path}: no rows")
    return arrays


def _coded(columns: Sequence[Array]) -> tuple[list[object], list[Array]]:
    """Return the distinct ids in their order, whole numbers by value, and each column as codes."""
    distinct = set(itertools.chain.from_iterable(column.tolist() for column in columns))
    number = all(text.lstrip("-").isdecimal() for text in distinct)
    ids = sorted(distinct, key=int if number else str)
    code = {text: n for n, text in enumerate(ids)}
    typed: list[object] = [int(text) for text in ids] if number else list(ids)
    return typed, [np.array([code[text] for text in column.tolist()], dtype=np.int64) for column in columns]


def _printed(path: Path | None) -> dict[str, dict[str, float]]:
    if path is None:
        return {}
    check_columns(path, _DIALECT, dict.fromkeys(("metric", "value"), "printed numbers"), verb="needs")
    printed: dict[str, dict[str, float]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            name = f"{row['metric']}@{row['k']}" if row.get("k") else row["metric"]
            try:
                printed.setdefault(row.get("model") or "", {})[name] = float(row["value"])
            except ValueError:
                raise DataError(f"{path}: {name} is {row['value']!r}; expected a number") from None
    return printed


# -- checks of parts and lists ---------------------------------------------------------------------------


def findings(material: Material) -> list[Finding]:
    """Return all that the checks of parts, lists and printed numbers find."""
    found = [*_of_parts(material)]
    for lists in material.lists:
        found += _of_lists(material, lists)
        found += _of_numbers(material, lists)
    return [*found, *_too_small(material)]


def _share(part: int, whole: int, what: str) -> str:
    return f"{part:,} of {whole:,} {what} ({part / max(whole, 1):.1%})"


def _of_parts(material: Material) -> Iterator[Finding]:
    def finding(check: str, level: Level, message: str) -> Finding:
        return Finding(check, level, material.title or "train and test", message)

    train, test = material.train, material.test
    in_train = np.isin(material.keys(test), material.keys(train))
    if n := int(in_train.sum()):
        message = f"{_share(n, len(in_train), 'test rows')} are pairs that train has too"
        yield finding("test_in_train", "fault", message)
    if n := len(test.users) - len(np.unique(material.keys(test))):
        message = f"{_share(n, len(test.users), 'test rows')} repeat a pair of test, which may count twice"
        yield finding("repeated_test_pairs", "fault", message)
    for check, what, of_test, of_train in (
        ("users_only_in_test", "test users", test.users, train.users),
        ("items_only_in_test", "test items", test.items, train.items),
    ):
        distinct = np.unique(of_test)
        if n := int((~np.isin(distinct, of_train)).sum()):
            message = f"{_share(n, len(distinct), what)} are not in train: no model can know them"
            yield finding(check, "caution", message)
    if train.times is None or test.times is None:
        return
    newest = np.full(len(material.user_ids), -np.inf)
    np.maximum.at(newest, train.users, train.times)
    own, any_ = int((test.times < newest[test.users]).sum()), int((test.times < train.times.max()).sum())
    if any_:
        message = (
            f"{_share(any_, len(test.times), 'test rows')} are older than the newest train row, "
            f"{own / len(test.times):.1%} older than one of the same user: train knows the future of test"
        )
        yield finding("looks_ahead", "caution", message)


def _of_lists(material: Material, lists: Lists) -> Iterator[Finding]:
    def finding(check: str, level: Level, message: str) -> Finding:
        return Finding(check, level, lists.label, message)

    train, test, keys, n = material.train, material.test, material.keys(lists), len(lists.users)
    seen, hit = np.isin(keys, material.keys(train)), np.isin(keys, material.keys(test))
    if n_seen := int((seen & ~hit).sum()):
        message = f"{_share(n_seen, n, 'list items')} are in the user's train part"
        yield finding("seen_items", "fault", message)
    if repeats := n - len(np.unique(keys)):
        message = f"{_share(repeats, n, 'list items')} stand in their list twice"
        yield finding("repeated_items", "fault", message)
    if unknown := int((~np.isin(lists.items, train.items)).sum()):
        message = f"{_share(unknown, n, 'list items')} are not in train: coverage of train can exceed 1"
        yield finding("items_outside_train", "fault", message)
    evaluated = np.unique(test.users)
    served = np.isin(evaluated, lists.users)
    if not served.all():
        message = f"{_share(int((~served).sum()), len(served), 'test users')} have no list: 0, or left out?"
        yield finding("users_without_list", "caution", message)
    n_observed = int((seen | hit).sum())
    if n_observed >= ALL * n and len(np.unique(train.items)) > 2 * n / max(len(np.unique(lists.users)), 1):
        message = (
            f"{_share(n_observed, n, 'list items')} are pairs of test or train: others were no candidates"
        )
        yield finding("observed_only", "fault", message)
    yield from _of_order(material, lists, hit, finding)


def _of_order(
    material: Material, lists: Lists, hit: Bools, finding: Callable[[str, Level, str], Finding]
) -> Iterator[Finding]:
    """Yield what scores and order of lists tell."""
    follows = lists.users[1:] == lists.users[:-1]
    several = np.unique(lists.users[1:][follows])
    if lists.scores is not None:
        if bad := int((~np.isfinite(lists.scores)).sum()):
            message = f"{_share(bad, len(lists.scores), 'scores')} are not finite"
            yield finding("scores_not_finite", "fault", message)
        with np.errstate(invalid="ignore"):
            differs = np.unique(lists.users[1:][follows & (lists.scores[1:] != lists.scores[:-1])])
        if (n := len(several) - len(differs)) and n > LARGE * len(several):
            message = f"{_share(n, len(several), 'lists')} have one score: chance or row order made them"
            yield finding("constant_scores", "caution", message)
    rises = lists.items[1:] > lists.items[:-1]
    longer = np.bincount(lists.users[1:][follows], minlength=len(material.user_ids)) >= 4
    broken = np.isin(np.flatnonzero(longer), lists.users[1:][follows & ~rises])
    if len(broken) and (n := int((~broken).sum())) >= ALL * len(broken):
        message = f"{_share(n, len(broken), 'lists')} stand in the order of the items' ids, not of a score"
        yield finding("id_order", "fault", message)
    hits, keys = int(hit.sum()), material.keys(material.test)
    for what, ids, codes, n_items in (
        ("items", material.item_ids, lists.items, 1),
        ("users", material.user_ids, lists.users, len(material.item_ids)),
    ):
        if not len(ids) or not isinstance(ids[0], int | np.integer):
            continue
        for step in (-1, 1):
            inside = (codes + step >= 0) & (codes + step < len(ids))
            moved = int(np.isin(material.keys(lists)[inside] + step * n_items, keys).sum())
            if moved > 2 * hits + 3 * np.sqrt(hits) + 10:
                message = f"{moved:,} hits with ids of {what} moved by {step:+d}, {hits:,} as they are"
                yield finding("shifted_ids", "fault", message)


# -- printed numbers and sizes ---------------------------------------------------------------------------


def inputs_of(material: Material, lists: Lists) -> EvaluationInputs:
    """Return lists as metrics take them, over every test user; seen items stay, a repeated one goes."""
    test, train = material.matrix(material.test), material.matrix(material.train)
    users = np.flatnonzero(np.diff(test.indptr)).astype(np.int32)
    _, first = np.unique(material.keys(lists), return_index=True)
    first = np.sort(first)
    first = first[np.isin(lists.users[first], users)]
    rows, codes = np.searchsorted(users, lists.users[first]), lists.items[first]
    starts = np.searchsorted(rows, np.arange(len(users) + 1))
    ranks = np.arange(len(rows)) - starts[rows]
    items = np.full((len(users), max(int(ranks.max(initial=0)) + 1, 1)), -1, dtype=np.int32)
    items[rows, ranks] = codes
    scores = np.where(items >= 0, -np.arange(items.shape[1], dtype=np.float32), -np.inf).astype(np.float32)
    nothing: CSR = sparse.csr_matrix((len(users), test.shape[1]), dtype=np.float32)
    top = TopK.build(users, items, scores, history=nothing, test=test[users])
    return EvaluationInputs(top, test[users], nothing, TrainStats(train))


def _of_numbers(material: Material, lists: Lists) -> Iterator[Finding]:
    """Yield printed numbers that are larger than possible, or not those of the lists."""
    printed = {**material.printed.get("", {}), **material.printed.get(lists.label, {})}
    if not printed:
        return
    inputs = inputs_of(material, lists)
    for name, value in printed.items():
        metric, _, cutoff = name.partition("@")
        k = int(cutoff) if cutoff.isdecimal() else None
        most = maximum(inputs, metric, k)
        if most is not None and value > most * (1 + AGREES):
            message = f"{name} was printed as {value:g}; on this test part it is at most {most:.4g}"
            yield Finding("above_maximum", "fault", lists.label, message)
        means = _means(inputs, k)
        own = means.get(metric)
        if own is not None and abs(own - value) > AGREES * max(abs(value), AGREES):
            same = [n for n, mean in means.items() if abs(mean - value) <= AGREES * abs(value)]
            other = f", and {' and '.join(same)} {value:g}" if same else ""
            message = f"{name} was printed as {value:g}; by these lists it is {own:.4g}{other}"
            yield Finding("not_of_these_lists", "fault", lists.label, message)


def maximum(inputs: EvaluationInputs, metric: str, k: int | None) -> float | None:
    """Return the largest mean that a metric can have on a test part; None where it has no bound."""
    if k is not None and metric in ("precision", "recall"):
        most = reachable(inputs.lists, [k])[0]
        return float((most / (k if metric == "precision" else inputs.lists.n_relevant)).mean())
    bounds = shipped()[metric].bounds if metric in shipped() else ""
    return 1.0 if bounds.startswith("0 to 1") else None


def _means(inputs: EvaluationInputs, k: int | None) -> dict[str, float]:
    """Return the mean of each shipped metric of accuracy and coverage at k."""
    if k is None or k < 1:
        return {}
    chosen = {n: m for n, m in shipped().items() if m.cutoff and m.kind == "accuracy"}
    chosen["catalog_coverage"] = shipped()["catalog_coverage"]
    lists = inputs.lists
    if k > lists.depth:  # short lists: what lies beyond is empty
        pad = ((0, 0), (0, k - lists.depth))
        top = TopK.build(
            lists.users,
            np.pad(lists.items, pad, constant_values=-1),
            np.pad(lists.scores, pad, constant_values=-np.inf),
            history=inputs.history,
            test=inputs.test,
        )
        inputs = EvaluationInputs(top, inputs.test, inputs.history, inputs.train)
    return {name: mean for (name, _), (mean, _) in measure(inputs, chosen, [k]).means.items()}


def _too_small(material: Material) -> Iterator[Finding]:
    """Yield a caution if the best two of several foreign models cannot be told apart."""
    if material.title or len(material.lists) < 2:
        return
    inputs = [inputs_of(material, lists) for lists in material.lists]
    name, k = LEADING[0], min(LEADING[1], *(i.lists.depth for i in inputs))
    values = np.stack([shipped()[name](i, [k])[0] for i in inputs])
    order = np.argsort(-values.mean(axis=1), kind="stable")
    first, second = int(order[0]), int(order[1])
    config = TestConfig()
    try:
        pair = pair_spread([Sample(inputs[0].lists.users, values[None])], (first, second), config)
    except Unsupported:
        return
    half = float(pair.spread.half_widths(config.confidence)[0])
    if pair.difference > half:
        return
    needed = repetitions_needed(pair.difference, [pair], [""], 1, config.confidence)
    a, b = material.lists[first].label, material.lists[second].label
    yield _small(material.title or f"{name}@{k}", a, b, values.shape[1], needed.users)


def _small(where: str, a: str, b: str, n_users: int, needed: int | None) -> Finding:
    enough = f"about {needed:,} would be expected to do" if needed else "no number of users is foreseen to do"
    return Finding(
        "too_small", "caution", where, f"{a} and {b} cannot be told apart by {n_users:,} users; {enough}"
    )


# -- checks of a comparison ------------------------------------------------------------------------------


def of_table(table: Table) -> Iterator[Finding]:
    """Yield what a comparison of stored results shows: unequal tuning, too few users, impossible means."""
    budgets: dict[str, list[str]] = {}
    for row in table.rows:
        for result in row.results[:1]:
            tuning, cell = result.record.tuning, result.request.cell
            if tuning is not None:
                budgets.setdefault(f"{len(tuning.trials)} trials", []).append(row.label)
            elif cell.model.get("space"):
                budgets.setdefault("no tuning", []).append(row.label)
    if len(budgets) > 1:
        text = "; ".join(f"{budget}: {', '.join(labels)}" for budget, labels in budgets.items())
        yield Finding("unequal_tuning", "caution", table.title, f"candidates were not tuned alike: {text}")
    verdict = table.verdict
    if verdict is not None and verdict.leader is not None and verdict.ties:
        users = verdict.needed.users if verdict.needed is not None else None
        n_users = max((part.n_users for part in table.parts), default=0)
        yield _small(table.title, verdict.leader.label, verdict.ties[0].label, n_users, users)
    for row in table.rows:
        for column, value in row.values.items():
            bounds = shipped()[column.metric].bounds if column.metric in shipped() else ""
            if bounds.startswith("0 to 1") and value.mean > 1 + 1e-9:
                message = f"{column.name} is {value.mean:.4g}; it is at most 1"
                yield Finding("above_maximum", "fault", row.label, message)
    for part in table.parts[:1]:
        test = int(part.counts.get("test_pairs", 0))
        for name, count in part.counts.items():
            is_pairs = name == "dropped_seen_in_train" or name.endswith("_pairs")
            if name.startswith("dropped_") and is_pairs and count > LARGE * (test + count):
                what = name.removeprefix("dropped_").replace("_", " ")
                message = f"{_share(count, test + count, 'test pairs')} were dropped ({what})"
                yield Finding("dropped_pairs", "caution", table.title, message)


def check_request(name: str | None, files: Iterable[Path | None]) -> None:
    """Raise UsageError unless there is either a name or a file of each part."""
    given = [path is not None for path in files]
    if (name is not None) == any(given) or (any(given) and not all(given)):
        raise UsageError("audit: expected a NAME, or files: --train FILE --test FILE --lists FILE")
