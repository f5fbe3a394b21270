"""Lists made elsewhere, measured like everybody's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, get_args

import numpy as np

from bakeoff.arrays import CSR, Array, Codes, Floats
from bakeoff.data.columns import GrowableArray, IdEncoder
from bakeoff.data.download import sha256
from bakeoff.data.file_formats import CsvDialect, Kind, check_columns, column_names, read_batches, row_number
from bakeoff.data.interactions import Ids, Interactions
from bakeoff.errors import DataError, Unsupported, check_choice
from bakeoff.models.base import OnEpoch, State, StoredAttributes

_DIALECT = CsvDialect()

Seen = Literal["refuse", "drop"]


class Columns(NamedTuple):
    """The columns of a file of lists with n rows.

    ids: of users and of items: codes int32 [n], and the distinct ids as an Arrow array.
    numbers: float64 [n] each, NaN where the field is empty.
    """

    ids: Mapping[str, tuple[Codes, Any]]
    numbers: Mapping[str, Array]


@dataclass
class External(StoredAttributes):
    """Evaluate recommendation lists made elsewhere, from a CSV or Parquet file with one row per user and
    item.

    Ids are those of the data set, an item key of several columns as exports write it. The best item has the
    lowest rank (from 1), or where the file has no ranks the highest score; equal scores stand by item code.
    Columns split_seed, fold and seed, where the file has them, choose the rows of a run. Rows of users that
    the data set does not have, and of items outside the catalogue, are left out and counted in `remarks`.

    Args:
        path: the file of lists, CSV or Parquet.
        split_seed: value of the column split_seed that chooses the rows of a run.
        fold: value of the column fold that chooses the rows of a run.
        seen: what becomes of listed items that the user has in train, refuse (an error) or drop.
    """

    folds_in: ClassVar[bool] = True
    serves_new: ClassVar[tuple[str, ...]] = ("items",)
    fitted: ClassVar[tuple[str, ...]] = ("_starts", "_items", "_scores")

    path: str
    split_seed: int | None = None
    fold: int | None = None
    seen: Seen = "refuse"

    def __post_init__(self) -> None:
        check_choice("model.build.seen", self.seen, get_args(Seen))

    @property
    def stochastic(self) -> bool:
        """Whether the file has lists by seed."""
        return "seed" in self._kinds

    @property
    def remarks(self) -> tuple[str, ...]:
        """Counts of the rows that were left out, after `fit`."""
        return self._remarks

    def identity(self) -> dict[str, Any]:
        """Return the file's hash and what chooses its rows as JSON, without its path.

        Raises:
            DataError: the file or one of its columns is missing.
        """
        selectors = {"split_seed": self.split_seed, "fold": self.fold}
        seen = {} if self.seen == "refuse" else {"seen": self.seen}
        chosen = {k: v for k, v in selectors.items() if k in self._kinds}
        return {"sha256": sha256(Path(self.path))} | chosen | seen

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Read the lists of this run.

        Raises:
            DataError: a field that is empty or not of its kind, a pair or a rank that stands twice, an item
                that the user has in train, or not one row that belongs to train.
            Unsupported: the file has no rows for this split seed, fold or seed.
        """
        columns = self._read()
        rows = self._rows_of_run(columns, seed)
        users = self._codes("user", columns, rows, train.user_ids)
        items = self._codes("item", columns, rows, train.item_ids)
        values = self._descending_scores(columns, rows)
        if "rank" in self._kinds:
            self._refuse_repeats(rows, columns.ids["user"][0][rows], values, "gives one rank to two items")
        in_data = (users >= 0) & (items >= 0)
        self._remarks = self._skipped_rows(users, items, train)
        rows, users, items, values = rows[in_data], users[in_data], items[in_data], values[in_data]
        self._refuse_repeats(rows, users, items, "lists the item a second time")
        pairs = train.merged()
        seen = np.isin(_keys(users, items, train), _keys(pairs.users, pairs.items, train))
        if self.seen == "refuse":
            self._refuse(
                rows,
                seen,
                "lists an item that the user has in train; leave out what was seen, or set seen=drop",
            )
        users, items, values = users[~seen], items[~seen], values[~seen]
        order = np.lexsort((items, -values, users))
        # The last list, which is empty, is for new users.
        self._starts = np.searchsorted(users[order], np.arange(train.n_users + 2))
        self._items, self._scores = items[order], values[order].astype(np.float32)

    def recommend(self, users: Codes, history: CSR, k: int) -> tuple[Codes, Floats]:
        """Return the file's lists of users, cut at k; a user without a list gets only padding."""
        items = np.full((len(users), k), -1, dtype=np.int32)
        scores = np.full((len(users), k), -np.inf, dtype=np.float32)
        lengths = np.minimum(self._starts[users + 1] - self._starts[users], k)
        rows = np.repeat(np.arange(len(users)), lengths)
        ranks = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        entries = self._starts[users][rows] + ranks
        items[rows, ranks], scores[rows, ranks] = self._items[entries], self._scores[entries]
        return items, scores

    def restore(self, state: State) -> None:
        """Load the lists of a run, so that the file is not needed again."""
        super().restore(state)
        self._remarks = ()

    @cached_property
    def _kinds(self) -> dict[str, Kind]:
        """The columns that are read; rank takes precedence over score."""
        present = column_names(Path(self.path), _DIALECT)
        order = next((name for name in ("rank", "score") if name in present), "score")
        required = dict.fromkeys(("user", "item", order), "a file of lists (user, item, and rank or score)")
        check_columns(Path(self.path), _DIALECT, required, verb="needs")
        kinds: dict[str, Kind] = {"user": "id", "item": "id", order: "number"}
        return kinds | {name: "number" for name in ("split_seed", "fold", "seed") if name in present}

    def _read(self) -> Columns:
        """Return the columns of the file."""
        columns = {
            name: IdEncoder() if kind == "id" else GrowableArray(np.float64)
            for name, kind in self._kinds.items()
        }
        for batch in read_batches(Path(self.path), _DIALECT, self._kinds):
            for (name, column), field in zip(columns.items(), batch.columns, strict=True):
                ids = self._kinds[name] == "id"
                column.add(field if ids else field.fill_null(np.nan).to_numpy(zero_copy_only=False))
        encoded = {name: c.finish() for name, c in columns.items() if isinstance(c, IdEncoder)}
        numbers = {name: c.finish() for name, c in columns.items() if isinstance(c, GrowableArray)}
        if not len(encoded["user"][0]):
            raise DataError(f"{self.path}: no rows; expected lists")
        return Columns(encoded, numbers)

    def _rows_of_run(self, columns: Columns, seed: int) -> Array:
        """Return the records of this run, int64, counted from 0."""
        rows = np.arange(len(columns.ids["user"][0]))
        for name, value in (("split_seed", self.split_seed), ("fold", self.fold), ("seed", seed)):
            if name not in columns.numbers:
                continue
            values = columns.numbers[name][rows]
            rows = rows[values == value] if value is not None else rows[:0]
            if not len(rows):
                held = ", ".join(f"{v:g}" for v in np.unique(values)[:5]) or "no rows"
                raise Unsupported(f"{Path(self.path).name} has no lists for {name}={value}: it has {held}")
        return rows

    def _codes(self, name: str, columns: Columns, rows: Array, ids: Ids) -> Codes:
        """Return the codes of the ids in a column, int32; -1 for those that are not in ids."""
        codes, distinct = columns.ids[name]
        self._refuse(rows, codes[rows] < 0, f"has no {name}; expected an id of the data set")
        code_of = {str(v): code for code, v in enumerate(ids.values.tolist())}
        code = np.array([code_of.get(str(v), -1) for v in distinct.to_pylist()], dtype=np.int32)
        translated: Codes = code[codes[rows]]
        return translated

    def _descending_scores(self, columns: Columns, rows: Array) -> Array:
        """Return numbers that fall along a list, float64."""
        if "score" in columns.numbers:
            scores: Array = columns.numbers["score"][rows]
            wrong = ~(np.abs(scores) <= np.finfo(np.float32).max)
            self._refuse(rows, wrong, "has a score that is not finite in 32 bits; expected a number")
            return scores
        ranks = columns.numbers["rank"][rows]
        with np.errstate(invalid="ignore"):
            wrong = ~((ranks >= 1) & (ranks == np.floor(ranks)) & np.isfinite(ranks))
        self._refuse(rows, wrong, "has a rank that is none; expected whole numbers from 1")
        return -np.asarray(ranks)

    def _skipped_rows(self, users: Codes, items: Codes, train: Interactions) -> tuple[str, ...]:
        notes = []
        for codes, ids, what in (
            (users, train.user_ids, "a user that the data set does not have"),
            (items, train.item_ids, "an item outside the catalogue"),
        ):
            unknown = int((codes < 0).sum())
            if unknown == len(codes):
                raise DataError(
                    f"{self.path}: every row has {what}; expected its own ids, as {ids.values[0]!r}"
                )
            if unknown:
                notes.append(f"{Path(self.path).name}: {unknown} of {len(codes)} rows left out, of {what}")
        return tuple(notes)

    def _refuse_repeats(self, rows: Array, users: Array, others: Array, fault: str) -> None:
        order = np.lexsort((rows, others, users))
        twice = np.zeros(len(rows), dtype=bool)
        twice[order[1:]] = (np.diff(users[order]) == 0) & (np.diff(others[order]) == 0)
        self._refuse(rows, twice, fault)

    def _refuse(self, rows: Array, wrong: Array, fault: str) -> None:
        if wrong.any():
            row = row_number(Path(self.path), _DIALECT, int(rows[np.argmax(wrong)]))
            raise DataError(f"{self.path}: row {row} {fault}")


def _keys(users: Codes, items: Codes, train: Interactions) -> Array:
    return users.astype(np.int64) * train.n_items + items
