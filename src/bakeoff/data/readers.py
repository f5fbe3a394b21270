"""Tables of interactions in CSV, TSV or Parquet files, with their columns named in YAML."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args

from bakeoff.data.catalogue import Origin, sha256
from bakeoff.data.columns import TimeUnit
from bakeoff.data.features import Side
from bakeoff.data.interactions import Interactions, Merge
from bakeoff.data.names import Names
from bakeoff.data.prepare import (
    Condition,
    Transform,
    check_filters,
    check_size,
    compacted,
    filtered,
    step,
    transformed,
)
from bakeoff.data.rows import Reading, RowReader
from bakeoff.data.source import Dataset, Step
from bakeoff.data.text import Layout
from bakeoff.errors import ConfigError, DataError, check_choice, check_range, nearest

Columns = str | Sequence[str]


@dataclass(frozen=True)
class Table:
    """A log of interactions in one file, optionally with side tables: what `dataset=csv` is.

    Everything is done in one order: rows are read, kept by `where`, refused or dropped where something is
    missing, merged (unless they have times), filtered, transformed. Rows with times stay events, because
    splits by time cut events; their pairs are merged inside each part of a split.

    Args:
        path: the file: CSV, TSV, Parquet, compressed or not, told by its suffix.
        name: of the data set, in tables; None takes the file's stem.
        user: column of the user's id.
        item: column of the item's id, or several columns that are one key (shown joined by " | ").
        value: column of counts, ratings or quantities; None where every row counts as 1.
        time: column of times: unix numbers, ISO 8601 texts or Parquet timestamps; None where there are none.
        merge: value of a pair that stands in several rows: their sum, their maximum, or the last in time.
        negative: refuse or keep values below 0.
        missing: refuse or drop rows without a user, an item, a value or a time.
        where: rows that are kept, as conditions (see `Condition`), in order.
        filters: `{min_value: x}`, `{min_user_interactions: n}`, `{min_item_interactions: n}`, `{k_core: n}`,
            in order; interactions are different partners, however often a pair stands.
        transform: none, binary, log1p, or clip (to at most the number in `clip`); of each row.
        clip: the bound of transform=clip.
        from_rank: the value column is a rank (1 is best): the value is from_rank minus it.
        timezone: of times that say none.
        time_unit: of unix numbers: s, ms, us, ns; auto tells it from the largest.
        separator, quote, encoding, columns: see `Layout`.
        users, items: side tables (see `Side`).
        item_names: what items are called, for people (see `Names`).
        origin: where a public data set comes from (see `Origin`); path is then a file of it.
        layouts: knobs by file name, for a data set that comes in several layouts; the first file that is
            there is read, unless path names one.
        note: what a reader of the numbers should know.

    Raises:
        ConfigError: a knob has a value that it cannot have.
    """

    path: str | None = None
    name: str = ""
    user: str = "user"
    item: Columns = "item"
    value: str | None = None
    time: str | None = None
    merge: Merge = "sum"
    negative: str = "refuse"
    missing: str = "refuse"
    where: Sequence[Mapping[str, Any]] = ()
    filters: Sequence[Mapping[str, Any]] = ()
    transform: Transform = "none"
    clip: float | None = None
    from_rank: float | None = None
    timezone: str = "UTC"
    time_unit: TimeUnit = "auto"
    separator: str | None = None
    quote: str | None = '"'
    encoding: str = "utf8"
    columns: Sequence[str] | None = None
    users: Mapping[str, Any] | None = None
    items: Mapping[str, Any] | None = None
    item_names: Mapping[str, Any] | None = None
    origin: Mapping[str, Any] | None = None
    layouts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        if not self.path and not self.layouts:
            raise ConfigError("dataset.path: no file; name one, as in dataset.path=plays.csv")
        object.__setattr__(self, "name", self.name or _stem(str(self.path)))
        object.__setattr__(self, "layouts", dict(self.layouts or {}))
        check_choice("dataset.merge", self.merge, get_args(Merge))
        check_choice("dataset.negative", self.negative, ("refuse", "keep"))
        check_choice("dataset.missing", self.missing, ("refuse", "drop"))
        check_choice("dataset.transform", self.transform, get_args(Transform))
        check_choice("dataset.time_unit", self.time_unit, get_args(TimeUnit))
        if (self.clip is not None) != (self.transform == "clip"):
            raise ConfigError(
                f"dataset.clip={self.clip!r}: expected a bound with dataset.transform=clip, and only there"
            )
        if self.clip is not None:
            check_range("dataset.clip", self.clip, above=0)
        check_filters(self.filters)
        try:
            zoneinfo.ZoneInfo(self.timezone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            raise ConfigError(
                f"dataset.timezone={self.timezone!r}: expected a name like Europe/London"
            ) from None
        # Built here so that a wrong knob is told before anything is read.
        self._conditions, self._sides, self._names, self._origin, self._layout  # noqa: B018

    def files(self) -> dict[str, Path]:
        """The files that are read: `rows`, and `users` and `items` where side tables have their own."""
        chosen = self._chosen
        found = {"rows": chosen._find(str(chosen.path))}
        for role, side in chosen._sides.items():
            found |= {f"{role}{part}": chosen._find(path) for part, path in side.paths().items()}
        return found

    def identity(self) -> dict[str, Any]:
        """The knobs and the SHA-256 of each file; neither paths nor what is only for people."""
        chosen = self._chosen
        knobs = {f.name: getattr(chosen, f.name) for f in fields(chosen)}
        for name in ("path", "name", "origin", "layouts", "note", "item_names"):
            del knobs[name]
        for role, side in chosen._sides.items():
            knobs[role] = side.identity()
        return {**knobs, "files": {role: sha256(path) for role, path in self.files().items()}}

    def load(self) -> Dataset:
        """Read and prepare.

        Raises:
            DataError: a file does not hold what is declared of it, or too little is left.
        """
        chosen, files = self._chosen, self.files()
        data, steps = chosen._prepared(chosen._read(files["rows"]), str(files["rows"]))
        changed = [] if chosen._origin is None else chosen._origin.changed(files)
        notes = [n for n in (chosen.note, *changed) if n]
        steps[0] = steps[0]._replace(note="; ".join(notes))
        features: dict[str, Any] = {}
        for role, side in chosen._sides.items():
            ids = data.user_ids if role == "users" else data.item_ids
            own = {part: files[role + part] for part in side.paths()}
            made, note = side.features(ids, own.get("", files["rows"]), own, chosen._layout)
            features[role[:-1] + "_features"] = made
            steps.append(step(f"{role[:-1]} features", data, note))
        return Dataset(chosen.name, replace(data, **features), tuple(steps))

    @property
    def parts(self) -> frozenset[str]:
        """What the interactions have beside their pairs (see `TellsParts`)."""
        chosen = self._chosen
        features = {f"{role[:-1]}_features" for role in chosen._sides}
        return frozenset(features | ({"times"} if chosen.time is not None else set()))

    def names_of_items(self) -> dict[str, str]:
        """What items are called, by their ids as texts; empty where no table says. Downloads nothing."""
        chosen = self._chosen
        if (names := chosen._names) is None:
            return {}
        file, origin = names.path or str(chosen.path), chosen._origin
        if origin is not None and not Path(file).expanduser().is_file() and not origin.present(file):
            raise DataError(f"{file} of {origin.folder} is not here")
        return names.read(chosen._find(file), chosen._layout)

    def rows(self, path: str) -> Interactions:
        """Another file of the same columns, such as a published test part; not filtered, no features."""
        chosen = self._chosen
        data = chosen._read(chosen._find(path)).interactions(chosen.merge)
        return transformed(data if data.times is not None else data.merged(), chosen.transform, chosen.clip)

    def _read(self, path: Path) -> Reading:
        return RowReader(
            layout=self._layout,
            user=self.user,
            item=_listed(self.item),
            value=self.value,
            time=self.time,
            conditions=self._conditions,
            from_rank=self.from_rank,
            keep_negative=self.negative == "keep",
            drop_missing=self.missing == "drop",
            timezone=self.timezone,
            time_unit=self.time_unit,
        ).read(path)

    def _prepared(self, reading: Reading, file: str) -> tuple[Interactions, list[Step]]:
        steps = reading.steps()
        if not steps[-1].rows:
            raise DataError(f"{file}: none of {len(reading)} rows passes dataset.where; loosen it")
        data = reading.interactions(self.merge)
        repeats = int((~data.starts).sum())
        if data.times is not None:
            note = f"{repeats} rows repeat a pair; kept as events, merged inside each part of a split"
        else:
            data, note = data.merged(), f"{repeats} rows merged into the pair that they repeat"
        steps.append(step(f"merge ({self.merge})", data, note if repeats else "no row repeats a pair"))
        data, filter_steps = filtered(data, self.filters, file)
        steps += filter_steps
        if self.transform != "none":
            data = transformed(data, self.transform, self.clip)
            label = self.transform if self.clip is None else f"clip at {self.clip:g}"
            steps.append(step(f"transform ({label})", data, "" if data.times is None else "of each event"))
        data = compacted(data)
        check_size(data, file)
        return data, steps

    @property
    def _conditions(self) -> list[Condition]:
        return [made(Condition, one, f"dataset.where[{at}]") for at, one in enumerate(self.where)]

    @property
    def _sides(self) -> dict[str, Side]:
        given = {"users": self.users, "items": self.items}
        keys = {"users": [self.user], "items": _listed(self.item)}
        return {
            role: made(Side, {"key": keys[role], **knobs, "role": role}, f"dataset.{role}")
            for role, knobs in given.items()
            if knobs
        }

    @property
    def _names(self) -> Names | None:
        knobs = self.item_names and {"key": _listed(self.item), **self.item_names}
        return made(Names, knobs, "dataset.item_names") if knobs else None

    @property
    def _origin(self) -> Origin | None:
        return None if self.origin is None else made(Origin, self.origin, "dataset.origin")

    @property
    def _layout(self) -> Layout:
        columns = None if self.columns is None else tuple(self.columns)
        return Layout(self.separator, self.quote, self.encoding, columns)

    @property
    def _chosen(self) -> Table:
        """This table with the knobs of the layout that its file has."""
        if not self.layouts:
            return self
        if self.path:
            found = self.path
        else:
            there = (n for n in self.layouts if self._origin and self._origin.present(n))
            found = next(there, next(iter(self.layouts)))
        knobs = {f.name: getattr(self, f.name) for f in fields(self)}
        own = self.layouts.get(Path(found).name, {})
        chosen: Table = made(
            Table, {**knobs, **own, "path": found, "layouts": {}}, f"dataset.layouts.{found}"
        )
        return chosen

    def _find(self, path: str) -> Path:
        return Path(path).expanduser() if self._origin is None else self._origin.find(path)


def made(kind: Any, knobs: Mapping[str, Any], where: str) -> Any:
    """A dataclass from knobs; ConfigError names one that it does not have, or that it lacks."""
    known = {f.name: f for f in fields(kind)}
    for name in knobs:
        if name not in known:
            raise ConfigError(f"{where}.{name}: no such knob; {nearest(name, known)}")
    for name, knob in known.items():
        if name not in knobs and knob.default is MISSING and knob.default_factory is MISSING:
            raise ConfigError(f"{where}.{name}: no value; give one")
    return kind(**knobs)


def _listed(columns: Columns) -> list[str]:
    return [columns] if isinstance(columns, str) else list(columns)


def _stem(path: str) -> str:
    """The file's name without its suffixes: plays for plays.csv.gz, u for u.data."""
    name = Path(path).name
    return re.sub(
        r"(\.(gz|bz2|zst|lz4|xz|zip))?$",
        "",
        re.sub(r"(?<=.)\.(csv|tsv|tab|txt|dat|data|parquet|pq)(?=\.|$)", "", name),
    )
