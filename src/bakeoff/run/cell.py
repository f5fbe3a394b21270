"""One cell of the grid: its coordinates, the objects behind them, and the key that is its identity."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any, Self, cast

from bakeoff import config_files
from bakeoff.config_files import Config
from bakeoff.data.source import Source
from bakeoff.errors import ConfigError, nearest
from bakeoff.hashing import identity
from bakeoff.importing import import_object, user_code_errors
from bakeoff.models.base import Model
from bakeoff.secret import without_credentials
from bakeoff.splits.base import Splitter

KEY_VERSION = 3
"""Raised whenever a change can move a number of an unchanged configuration; see the changelog."""

_LABELS = ("_target_", "_partial_", "name")


OLD_TUNE_KEYS = {"stale": "heartbeat_timeout", "pick": "pareto_selection", "users": "pruning_users"}
"""Names of `tune` options in cells that earlier versions stored; keys are still hashed with them."""


@dataclass(frozen=True)
class CellIdentity:
    """The names of a cell in the store: hashes of what can change its numbers, and of nothing else.

    Args:
        key: of the cell.
        split: of data set, splitter and split seed.
        data: of the prepared data set.
        family: shared by the repetitions of one split, which differ in seed and fold.
        seeded: whether the seed of the model can change the numbers.
    """

    key: str
    split: str
    data: str
    family: str
    seeded: bool


@dataclass(frozen=True)
class Cell:
    """One (data set, split, model, tuning, seed) as plain JSON: it is stored, and sent to processes.

    Args:
        dataset: the configuration of a source (`_target_`, `name` and its options).
        split: the configuration of a splitter, likewise.
        model: `name`, `build` (`_target_` and hyperparameters) and, if it can be tuned, `space`.
        tune: the configuration of the tuner, or None.
        seed: the requested seed of the model.
        split_seed: the requested seed of the split.
        depth: length of the lists.
        contents: identities of the objects that read files, by coordinate (set by `with_content_hashes`).
        variant: the hyperparameters that differ from the model's YAML, for people.
        split_variant, dataset_variant: likewise for the split and the data set.
    """

    dataset: Config
    split: Config
    model: Config
    tune: Config | None = None
    seed: int = 1
    split_seed: int = 42
    depth: int = 100
    contents: Mapping[str, Any] = field(default_factory=dict)
    variant: str = ""
    split_variant: str = ""
    dataset_variant: str = ""
    identity: CellIdentity | None = field(default=None, init=False, compare=False)
    """Computed when it is first needed, and stored; files of earlier versions have none."""

    def __post_init__(self) -> None:
        if self.tune is not None and not self.tune.keys().isdisjoint(OLD_TUNE_KEYS):
            tune = {OLD_TUNE_KEYS.get(key, key): value for key, value in self.tune.items()}
            object.__setattr__(self, "tune", tune)

    def without_credentials(self) -> Cell:
        """Return the cell as records hold it: the URL of its studies has host and database alone."""
        url = None if self.tune is None else self.tune.get("storage")
        if self.tune is None or not isinstance(url, str) or without_credentials(url) == url:
            return self
        cell = replace(self, tune={**self.tune, "storage": without_credentials(url)})
        object.__setattr__(cell, "identity", self._identity)
        return cell

    @property
    def dataset_name(self) -> str:
        return str(self.dataset.get("name"))

    @property
    def split_name(self) -> str:
        return str(self.split.get("name"))

    @property
    def model_name(self) -> str:
        return str(self.model.get("name"))

    @property
    def model_build(self) -> Config:
        """`_target_` and the configured hyperparameters."""
        return cast("Config", self.model["build"])

    @property
    def model_target(self) -> str:
        """Import path of the model's class."""
        return str(self.model_build["_target_"])

    @property
    def space(self) -> Config:
        """Search space as hyperparameter -> configuration of its distribution; empty without one."""
        return self.model.get("space") or {}

    @property
    def fold(self) -> int | None:
        return cast("int | None", self.split.get("fold"))

    @property
    def key(self) -> str:
        """Hash of everything that can change the cell's numbers, and of nothing else."""
        return self._identity.key

    @property
    def split_key(self) -> str:
        """Name of the split in the store."""
        return self._identity.split

    @property
    def data_key(self) -> str:
        """Name of the prepared data set in the store."""
        return self._identity.data

    @property
    def split_family(self) -> str:
        """Name shared by the repetitions of one split."""
        return self._identity.family

    @property
    def seeded(self) -> bool:
        """Whether the seed of the model can change the numbers."""
        return self._identity.seeded

    @property
    def _identity(self) -> CellIdentity:
        if self.identity is None:
            object.__setattr__(self, "identity", self._identify())
        return cast("CellIdentity", self.identity)

    def _identify(self) -> CellIdentity:
        """Build the objects behind the configuration and return the names that follow from them."""
        chance = build_model(self.model).stochastic or self.tune is not None
        data = self._data_identity
        content = self.contents.get("split") or parameters(self.split, "split")
        seed = self.split_seed if build_splitter(self.split).seeded else None
        split = [data, self.split["_target_"], content, seed]
        cell = {
            "version": KEY_VERSION,
            "split": split,
            "model": [
                self.model_target,
                self.contents.get("model") or parameters(self.model_build, "model.build"),
            ],
            "tune": self._tune_identity,
            "seed": self.seed if chance else None,
            "depth": self.depth,
        }
        unfolded = {k: v for k, v in content.items() if k != "fold"}
        return CellIdentity(
            key=identity("c", _plain(cell)),
            split=identity("p", _plain([KEY_VERSION, *split])),
            data=identity("d", _plain(data)),
            family=identity("f", _plain([data, self.split["_target_"], unfolded])),
            seeded=chance,
        )

    @property
    def _tune_identity(self) -> Config | None:
        """The part of `tune` that can change numbers.

        Excluded: where trials are stored, the heartbeat, the name; the rule of the Pareto set with a single
        objective; the pruner with several, and the options of the rule that is not in use.
        """
        if self.tune is None:
            return None
        excluded = {"storage", "heartbeat_timeout", "name", "objectives", "pareto_selection"}
        # Which ends are hard decides warnings alone.
        space = {
            name: {k: v for k, v in axis.items() if k != "hard"} if isinstance(axis, Mapping) else axis
            for name, axis in self.space.items()
        }
        included: dict[str, Any] = {"space": space or self.model.get("space")}
        if self.tune.get("objectives"):
            excluded |= {"metric", "pruner", "pruning_users"}
            selection = self.tune.get("pareto_selection") or {}
            rule = selection.get("rule")
            included |= {"objectives": self.tune["objectives"], "pick": [rule, selection.get(rule)]}
        hashed_names = {new: old for old, new in OLD_TUNE_KEYS.items()}
        hashed = {hashed_names.get(k, k): v for k, v in self.tune.items() if k not in excluded}
        return {**hashed, **included}

    @property
    def _data_identity(self) -> list[Any]:
        content = self.contents.get("dataset") or parameters(self.dataset, "dataset")
        return [self.dataset["_target_"], {k: v for k, v in content.items() if k not in _LABELS}]

    def with_seed(self, seed: int) -> Self:
        """Return the cell as it was requested with another seed, where no seed changes it (`seeded`)."""
        cell = replace(self, seed=seed)
        object.__setattr__(cell, "identity", self._identity)
        return cell


class StoredCell(Cell):
    """A cell that was read from a file: nothing that it names is imported or built.

    Its identity was read too. In a file of an earlier version there is none: then it is computed if every
    class is a shipped one.
    """

    @classmethod
    def of(cls, cell: Cell) -> StoredCell:
        """Return the cell of a file.

        Raises:
            ConfigError: a part of its configuration is not what every configuration has.
        """
        for where, spec in (
            ("dataset", cell.dataset),
            ("split", cell.split),
            ("model.build", cell.model.get("build")),
        ):
            if not isinstance(spec, Mapping) or not isinstance(spec.get("_target_"), str):
                raise ConfigError(
                    f"cell.{where}: expected keys and values, with an import path as `_target_`"
                )
        for where, spec in (("model.space", cell.space), ("contents", cell.contents)):
            if not isinstance(spec, Mapping) or not all(isinstance(v, Mapping) for v in spec.values()):
                raise ConfigError(f"cell.{where}: expected keys, each with keys and values")
        stored = cls(**{f.name: getattr(cell, f.name) for f in fields(cell) if f.init})
        object.__setattr__(stored, "identity", cell.identity)
        return stored

    def __eq__(self, other: object) -> bool:
        """Compare with any cell of the same configuration, stored or not."""
        compared = (f.name for f in fields(self) if f.compare)
        return isinstance(other, Cell) and all(getattr(self, n) == getattr(other, n) for n in compared)

    __hash__ = Cell.__hash__

    def _identify(self) -> CellIdentity:
        for where in ("dataset", "split", "model"):
            check_shipped(getattr(self, where), where, "an earlier version stored it: run its command again")
        return super()._identify()


def check_shipped(spec: Any, where: str, advice: str = "if the code is yours, add --trust") -> None:
    """Refuse a stored configuration that names, at any depth, what is not an option of the shipped YAML.

    Args:
        advice: what to do; it ends the message.

    Raises:
        ConfigError: the first such `_target_`.
    """
    for target in _targets(spec):
        if target in _RUNS_PROGRAMS:
            raise ConfigError(f"{where}: a program that a stored file names is not run; {advice}")
        if target not in _shipped():
            raise ConfigError(
                f"{where}._target_={target!r}: what a stored file names is run only if bakeoff ships it; "
                f"{advice}"
            )


_RUNS_PROGRAMS = frozenset({"bakeoff.models.command.Command"})


def _targets(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        yield from (value[key] for key in ("_target_",) if key in value)
    if isinstance(value, Mapping | list | tuple):
        inner = value.values() if isinstance(value, Mapping) else value
        yield from (target for one in inner for target in _targets(one))


@cache
def _shipped() -> frozenset[str]:
    """Return the `_target_`s of the shipped options: a closed list, as a module may hold other functions."""
    files = (f for group in ("dataset", "split", "model") for f in (config_files.folder() / group).iterdir())
    return frozenset(t for f in files for t in re.findall(r"_target_: ([\w.]+)", f.read_text("utf-8")))


def parameters(spec: Config, where: str) -> dict[str, Any]:
    """Return the arguments that a `_target_` gets, its own defaults included.

    The constructor's signature is the schema.

    Raises:
        ConfigError: an argument that it does not have, or one without a value.
    """
    target = _target(spec, where)
    try:
        signature = inspect.signature(target).parameters
    except ValueError as error:  # of a class that is written in C
        raise ConfigError(f"{where}._target_={spec['_target_']!r}: no known parameters ({error})") from error
    given = {k: v for k, v in spec.items() if k not in ("_target_", "_partial_")}
    open_ended = any(p.kind is p.VAR_KEYWORD for p in signature.values())
    named = {n: p for n, p in signature.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    for name in given:
        if name not in named and not open_ended and name != "name":
            raise ConfigError(
                f"{where}.{name}: {spec['_target_']} has no such parameter; {nearest(name, named)}"
            )
    if "name" not in named and not open_ended:
        given.pop("name", None)
    missing = [n for n, p in named.items() if p.default is p.empty and n not in given]
    if missing:
        raise ConfigError(f"{where}.{missing[0]}: no value; give one as {where}.{missing[0]}=...")
    defaults = {n: p.default for n, p in named.items() if p.default is not p.empty and _is_json(p.default)}
    return {**defaults, **given}


def build(spec: Config, where: str, **more: Any) -> Any:
    """Return the object that a configuration describes; nested configurations are built first."""
    target = _target(spec, where)
    given = parameters({**spec, **more}, where)
    nested = {
        k: build(v, f"{where}.{k}") if isinstance(v, Mapping) and "_target_" in v else v
        for k, v in given.items()
    }
    try:
        with user_code_errors(spec["_target_"], where):
            return target(**nested)
    except TypeError as error:
        raise ConfigError(f"{where}: {spec['_target_']} does not take these values ({error})") from error


def build_source(config: Config) -> Source:
    return cast("Source", _complete(build(config, "dataset"), Source, config, "dataset"))


def build_splitter(config: Config) -> Splitter:
    return cast("Splitter", _complete(build(config, "split"), Splitter, config, "split"))


def build_model(config: Config, **more: Any) -> Model:
    """Return the model of a cell; `more` overrides the configured hyperparameters (tuning)."""
    if "build" not in config:
        raise ConfigError(f"model {config.get('name')!r}: no `build` with a `_target_`")
    made = build(config["build"], "model.build", **more)
    return cast("Model", _complete(made, Model, config["build"], "model.build"))


def _complete(made: Any, protocol: type, config: Config, where: str) -> Any:
    """Return the object if it has every method that its role needs."""
    methods = [n for n, member in vars(protocol).items() if callable(member) and not n.startswith("_")]
    lacking = [n for n in (*inspect.get_annotations(protocol), *methods) if not hasattr(made, n)]
    if lacking:
        page = ", see docs/how-to/own-model.md" if protocol is Model else ""
        raise ConfigError(
            f"{where}: {config['_target_']} has no {', '.join(map(repr, lacking))}; expected what "
            f"{protocol.__module__}.{protocol.__name__} has{page}"
        )
    return made


def with_content_hashes(cell: Cell, identities: dict[str, Any] | None = None) -> Cell:
    """Return the cell with the identities of its objects that read files (method `identity`).

    Args:
        identities: what has been identified, so that a grid reads each file once to hash it.
    """
    memory: dict[str, Any] = {} if identities is None else identities
    contents: dict[str, Any] = {}
    makers: dict[str, Callable[[], Any]] = {
        "dataset": lambda: build_source(cell.dataset),
        "split": lambda: build_splitter(cell.split),
        "model": lambda: build_model(cell.model),
    }
    for coordinate, make in makers.items():
        config = getattr(cell, coordinate)
        name = coordinate + identity("", _plain(config if coordinate != "model" else config["build"]))
        if name not in memory:
            made = make()
            reads_files = callable(getattr(made, "identity", None))  # a hyperparameter may bear the name
            spec = config if coordinate != "model" else config["build"]
            with user_code_errors(spec["_target_"], coordinate):
                memory[name] = made.identity() if reads_files else None
        if memory[name] is not None:
            contents[coordinate] = memory[name]
    return replace(cell, contents=contents) if contents else cell


def _target(spec: Config, where: str) -> Any:
    if not isinstance(spec, Mapping) or "_target_" not in spec:
        raise ConfigError(f"{where}: no `_target_`; expected the import path of a class")
    target = import_object(spec["_target_"], f"{where}._target_")
    if not callable(target):
        raise ConfigError(f"{where}._target_={spec['_target_']!r}: not a class; expected the path of one")
    return target


def _is_json(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str | list | tuple | Mapping)


def _plain(value: Any) -> Any:
    """Return JSON in which equal numbers have equal texts (300.0 is 300) and tuples are lists."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value
