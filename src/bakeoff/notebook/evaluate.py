"""Evaluate lists made anywhere, with the checks and formulas of the harness: `bo.evaluate`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from bakeoff.arrays import Array
from bakeoff.data.interactions import Ids, Interactions
from bakeoff.errors import DataError, UsageError
from bakeoff.evaluation.catalogue import default_paths, metric_paths, resolve
from bakeoff.evaluation.measure import Measurements, measure, per_user_table
from bakeoff.evaluation.stats import TrainStats
from bakeoff.models.base import Model
from bakeoff.models.external import External
from bakeoff.models.fitting import limit_threads
from bakeoff.run.inference import evaluation_inputs, recommend
from bakeoff.splits.base import Split, assemble

if TYPE_CHECKING:
    import pandas as pd

Columns = dict[str, Array]
"""Columns of lists by name: user, item, and rank or score."""

_FILE = "lists.parquet"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The metrics of lists. In a notebook it shows its table and its notes.

    Args:
        table: a frame with a row for each metric and cutoff: metric, k, value, stderr, n_users. Every
            evaluated user counts, also one without a list.
        per_user: a frame with a row for each evaluated user: user, and a column a metric and cutoff.
        notes: what was left out and what was counted.
        absent: metric -> why it has no number.
    """

    table: pd.DataFrame
    per_user: pd.DataFrame
    notes: tuple[str, ...]
    absent: Mapping[str, str]

    def __repr__(self) -> str:
        return "\n".join([self.table.to_string(index=False), *self.notes])

    def _repr_html_(self) -> str:
        from html import escape

        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return f"<div>{self.table.to_html(index=False, border=0)}{notes}</div>"


def evaluate(
    lists: Any,
    split: Split | None = None,
    *,
    test: Any = None,
    train: Any = None,
    metrics: str | Sequence[str] | None = None,
    k: int | Iterable[int] = (5, 10, 20),
) -> Evaluation:
    """Return the metrics of lists made anywhere, measured as the harness measures its own.

        bo.evaluate({"ann": ["song 3", "song 1"]}, train=train, test=test, k=10)

    Args:
        lists: a frame of user, item and rank (from 1) or score; or a mapping of each user to items, the best
            first; or a pair of arrays (users [m], items [m, D]), the best first, short rows filled up with
            None, NaN or -1. Ids are your own.
        split: what to measure on, as `run.split()` gives it; else:
        train, test: frames of user and item, perhaps value and time. What is in train is known and not to be
            recommended. Test pairs of users or items that train does not know are dropped, and counted.
        metrics: names or import paths; None takes all.
        k: cutoffs.

    Rows of unknown users, and of items outside train, are left out and counted in `notes`; an evaluated user
    without a list counts with an empty one.

    Raises:
        UsageError: neither a split nor both frames, lists in another form, a column that is missing, an
            item that repeats or that the user has in train.
    """
    split = _split(split, train, test)
    ks = tuple(sorted({k} if isinstance(k, int) else set(k)))
    if not ks or max(ks) > split.train.n_items:
        raise UsageError(f"k={list(ks)}: expected cutoffs up to the catalogue's {split.train.n_items} items")
    names = [metrics] if isinstance(metrics, str) else metrics
    measures = resolve(default_paths() if names is None else metric_paths(names))
    columns = _columns(lists, split)
    with limit_threads(1):
        model = _read(columns, split)
        top, _ = recommend(cast("Model", model), split, max(*ks, _longest(columns["user"])))
        inputs = evaluation_inputs(
            top, None, split, TrainStats(split.train.matrix(), split.train.item_features)
        )
        measured = measure(inputs, measures, ks)
    empty = int((top.lengths == 0).sum())
    notes = [*_dropped(split), *(remark.replace(_FILE, "lists") for remark in model.remarks)]
    if empty:
        notes.append(
            f"{empty} of {len(split.users)} evaluated users have no list and count with an empty one"
        )
    return _evaluation(measured, split, tuple(notes))


def _read(columns: Columns, split: Split) -> External:
    """Read the lists as `model=external` does: the same checks, the same messages."""
    import pyarrow as pa
    from pyarrow import parquet

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _FILE
        parquet.write_table(pa.table(dict(columns)), path)
        model = External(str(path))
        try:
            model.fit(split.train, seed=0)
        except DataError as error:
            raise DataError(str(error).replace(str(path), "lists").replace(_FILE, "lists")) from error
    return model


# -- lists in any form, as columns ---------------------------------------------------------------


def _columns(lists: Any, split: Split) -> Columns:
    """Return columns user, item and rank or score."""
    if isinstance(lists, Mapping):
        lengths = [len(items) for items in lists.values()]
        users = np.repeat(_objects(list(lists)), lengths)
        items = _objects([item for row in lists.values() for item in row])
        ranks = np.concatenate([np.arange(1, n + 1) for n in lengths]) if lengths else np.zeros(0, dtype=int)
        return _checked({"user": users, "item": items, "rank": ranks})
    if isinstance(lists, tuple) and len(lists) == 2:
        return _checked(_of_arrays(np.asarray(lists[0]), np.asarray(lists[1]), split))
    frame = _frame(lists, "lists")
    order = [name for name in ("rank", "score") if name in frame.columns][:1]
    if not order:
        raise UsageError(f"lists: no column 'rank' or 'score'; found {', '.join(map(str, frame.columns))}")
    return _checked({name: frame[name].to_numpy() for name in ("user", "item", *order)})


def _of_arrays(users: Array, items: Array, split: Split) -> Columns:
    if users.ndim != 1 or items.ndim != 2 or len(users) != len(items):
        raise UsageError(
            f"lists: expected users [m] and items [m, D], got arrays of {users.shape} and {items.shape}"
        )
    there = np.array([[v is not None and v == v for v in row] for row in items.tolist()], dtype=bool)
    if not (split.train.item_ids.codes(np.array([-1])) >= 0).any():
        there &= items != -1
    rows, places = np.nonzero(there.reshape(items.shape))
    return {"user": users[rows], "item": items[rows, places], "rank": places + 1}


def _checked(columns: Columns) -> Columns:
    """Make ids whole numbers or strings: one kind in a column, as in a file."""
    if not len(columns["user"]):
        raise UsageError("lists: no rows; expected lists")
    for name in ("user", "item"):
        columns[name] = _ids(columns[name], f"lists: column {name!r}")
    return columns


def _ids(values: Array, where: str) -> Array:
    if values.dtype.kind in "iu":
        return values
    ids = [None if v is None or v != v else str(v) for v in values.tolist()]
    if any(v is None for v in ids):
        raise UsageError(f"{where} has no value in row {ids.index(None) + 1}; expected an id of the data set")
    return _objects(ids)


def _objects(values: Sequence[Any]) -> Array:
    objects = np.empty(len(values), dtype=object)
    objects[:] = values
    return objects


def _frame(table: Any, what: str) -> pd.DataFrame:
    """Return a pandas frame with columns user and item."""
    if not hasattr(table, "columns") and not hasattr(table, "to_pandas"):
        raise UsageError(f"{what}: expected a frame with columns user and item, got {type(table).__name__}")
    frame: pd.DataFrame = table.to_pandas() if hasattr(table, "to_pandas") else table
    for name in ("user", "item"):
        if name not in frame.columns:
            raise UsageError(f"{what}: no column {name!r}; found {', '.join(map(str, frame.columns))}")
    return frame


# -- what to measure on --------------------------------------------------------------------------


def _split(split: Split | None, train: Any, test: Any) -> Split:
    if split is not None:
        if train is not None or test is not None:
            raise UsageError("evaluate: expected a split, or train and test; got both")
        return split
    missing = [name for name, part in (("train", train), ("test", test)) if part is None]
    if missing:
        raise UsageError(
            f"evaluate: no {' and no '.join(missing)}; expected a split, or frames of train and test"
        )
    frames = {"train": _frame(train, "train"), "test": _frame(test, "test")}
    named = {
        (part, name): _ids(frame[name].to_numpy(), f"{part}: column {name!r}")
        for part, frame in frames.items()
        for name in ("user", "item")
    }
    users, items = (
        Ids.of([v for part in frames for v in named[part, name].tolist()]) for name in ("user", "item")
    )
    parts = [
        Interactions.of(
            users.codes(named[part, "user"]),
            items.codes(named[part, "item"]),
            _numbers(frame, part, "value", np.float32),
            _numbers(frame, part, "time", np.int64),
            users,
            items,
        )
        for part, frame in frames.items()
    ]
    return assemble(*parts)


def _numbers(frame: pd.DataFrame, part: str, name: str, dtype: type[np.generic]) -> Array | None:
    """Return a column of finite numbers, or None if the frame does not have it."""
    if name not in frame.columns:
        return None
    values = frame[name].to_numpy()
    if values.dtype.kind == "M":
        return values.astype("datetime64[s]").astype(dtype)
    if values.dtype.kind not in "iufb" or not np.isfinite(values).all():
        raise UsageError(f"{part}: column {name!r} holds values that are not finite numbers")
    return values.astype(dtype)


def _dropped(split: Split) -> list[str]:
    """Return a note for each reason for which test pairs were dropped."""
    reasons = {
        "dropped_seen_in_train": "are in train too",
        "dropped_cold_user_pairs": "are of users that train does not know",
        "dropped_cold_item_pairs": "are of items that train does not know",
    }
    counts = {what: int(split.info.get(name, 0)) for name, what in reasons.items()}
    return [f"{n} test pairs dropped: they {what}" for what, n in counts.items() if n]


# -- the result ----------------------------------------------------------------------------------


def _longest(users: Array) -> int:
    return int(np.unique(users.astype(str), return_counts=True)[1].max())


def _evaluation(measured: Measurements, split: Split, notes: tuple[str, ...]) -> Evaluation:
    import pandas as pd

    rows = [
        (name, at, mean, np.nan if error is None else error, measured.n_users)
        for (name, at), (mean, error) in measured.means.items()
    ]
    table = pd.DataFrame(rows, columns=["metric", "k", "value", "stderr", "n_users"]).astype({"k": "Int64"})
    names, values = per_user_table(measured)
    users = split.train.user_ids.take(split.users)
    per_user = pd.DataFrame({"user": users.values, **dict(zip(names, values, strict=True))})  # noqa: PD011
    return Evaluation(table, per_user, notes, measured.absent)
