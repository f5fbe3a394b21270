"""What there is to choose: the options of the groups, metrics, presets and stored experiments.

`bakeoff list` and `bakeoff show` print it. The meaning, the type and the range of a parameter come from the
class behind `_target_`, its default and its search space from the option's YAML.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bakeoff import config_files
from bakeoff.config_files import Config
from bakeoff.errors import ConfigError, UsageError
from bakeoff.importing import import_object
from bakeoff.parameters import REQUIRED, Parameter, parameters_of

GROUPS = {"model": "model", "dataset": "dataset", "split": "split", "tune": "tune", "preset": "experiment"}
"""Kinds that are options of a group of the configuration."""


@dataclass(frozen=True)
class Entry:
    """A line of a list: a name and what it is."""

    name: str
    description: str


@dataclass(frozen=True)
class ParameterEntry:
    """A key that a command may set.

    Args:
        key: as it is written in an override; with a `+` if the option's YAML does not have it.
        type: of its values, in words.
        default: its value unless it is set; "???" where a command must set it.
        range: the allowed numbers or choices; "" for any.
        space: its search space in the YAML, or None.
        meaning: what it does.
    """

    key: str
    type: str
    default: Any
    range: str = ""
    space: Config | None = None
    meaning: str = ""


@dataclass(frozen=True)
class Reference:
    """All that is known of one entry.

    Args:
        facts: more of it by name, such as the file or the source.
        text: paragraphs.
        parameters: the keys that a command may set.
        example: a command that uses it.
    """

    kind: str
    name: str
    description: str
    facts: Config = field(default_factory=dict)
    text: str = ""
    parameters: tuple[ParameterEntry, ...] = ()
    example: str = ""


def entries(kind: str, results: Path, config_dirs: Sequence[str] = ()) -> list[Entry]:
    """Return the entries of a kind: models, datasets, splits, metrics, presets or experiments.

    Args:
        results: the folder of results, of experiments.
        config_dirs: folders of the user's own YAML, beside `./conf`.
    """
    kind = kind.removesuffix("s")
    if kind == "experiment":
        return _experiments(results)
    if kind == "metric":
        return _metrics()
    path = config_files.search_path(config_dirs)
    names = config_files.options(GROUPS[kind], path)
    return [Entry(name, _description(config_files.option_file(GROUPS[kind], name, path))) for name in names]


def reference(kind: str, name: str, results: Path, config_dirs: Sequence[str] = ()) -> Reference:
    """Return all that is known of one entry.

    Args:
        kind: a key of GROUPS, metric or experiment.

    Raises:
        UsageError: there is no such entry, or its class cannot be imported.
    """
    if kind == "experiment":
        return _experiment(name, results)
    if kind == "metric":
        return _metric(name)
    path = config_files.search_path(config_dirs)
    file = config_files.option_file(GROUPS[kind], name, path)
    option = config_files.read(file)
    facts: dict[str, Any] = {"file": str(file)}
    example = f"bakeoff run {GROUPS[kind]}={name}"
    if kind == "preset":
        parameters = tuple(
            ParameterEntry(key, "", value) for key, value in config_files.flat(_axes_first(option))
        )
        return Reference(kind, name, _description(file), facts, "", parameters, example)
    target = _target(kind, option)
    if target is None:
        return Reference(kind, name, _description(file), facts, "", (), example)
    cls = import_object(target, f"{kind}._target_")
    facts["class"] = target
    parameters = tuple(_parameters(kind, option, parameters_of(cls)))
    example += "".join(f" {parameter.key}=..." for parameter in parameters if parameter.default == "???")
    return Reference(kind, name, _description(file), facts, _prose(cls), parameters, example)


# -- options of groups ---------------------------------------------------------------------------------


def _target(kind: str, option: Config) -> str | None:
    """Return the import path of the class that an option configures."""
    if kind == "tune":
        return "bakeoff.tuning.spec.TuningSpec" if len(option) > 0 else None
    target = option.get("build", option).get("_target_") if kind == "model" else option.get("_target_")
    return None if target is None else str(target)


def _parameters(kind: str, option: Config, parameters: Sequence[Parameter]) -> Iterator[ParameterEntry]:
    """Yield the keys below a group that a command may set, in the order of the class."""
    build, prefix = (option.get("build", {}), "model.build") if kind == "model" else (option, kind)
    space = option.get("space") or {}
    for parameter in parameters:
        key, default = f"{prefix}.{parameter.name}", build.get(parameter.name, parameter.default)
        if kind in ("split", "tune") and parameter.name == "name":
            continue
        if parameter.name not in build:
            key = f"+{key}"
        elif isinstance(default, str) and default.startswith("${"):
            source = default.strip("${.}").removeprefix("model.")
            if source not in option:
                continue  # set by a key of another place, such as the split's seed
            key, default = f"{kind}.{source}", option[source]
        if kind == "tune" and isinstance(default, Mapping):
            for inner, value in config_files.flat(default):
                yield ParameterEntry(f"{key}.{inner}", "", value, meaning=parameter.meaning)
            continue
        allowed = " | ".join(map(str, parameter.choices)) or parameter.range
        default = "???" if default is REQUIRED else default
        yield ParameterEntry(
            key, parameter.type, default, allowed, space.get(parameter.name), parameter.meaning
        )


def _description(file: Path) -> str:
    """Return the first sentence-like comment of a YAML file; "" without one."""
    for line in file.read_text(encoding="utf-8").splitlines():
        text = line.removeprefix("#").strip()
        if not line.startswith("#"):
            return ""
        if not text.startswith(("@package", "bakeoff ")):
            return text
    return ""


def _prose(cls: Any) -> str:
    """Return a class's docstring down to its first section or example."""
    import inspect

    text = inspect.cleandoc(cls.__doc__ or "")
    for mark in ("\nArgs:", "\nRaises:", "\n>>>", "\nExample"):
        text = text.partition(mark)[0]
    return text.strip()


def _axes_first(option: Config) -> dict[str, Any]:
    """Return a preset as the words that a command would give: the axes of its grid, then its other keys."""
    axes = option.get("hydra", {}).get("sweeper", {}).get("params", {})
    return {**axes, **{key: value for key, value in option.items() if key not in ("hydra", "defaults")}}


# -- metrics -------------------------------------------------------------------------------------------


def _metrics() -> list[Entry]:
    from bakeoff.evaluation.catalogue import shipped

    return [Entry(name, f"{metric.formula}; {metric.direction}") for name, metric in shipped().items()]


def _metric(name: str) -> Reference:
    from bakeoff.evaluation.catalogue import shipped, suggestion
    from bakeoff.evaluation.metric import Metric

    metric = import_object(name, "metric") if "." in name else shipped().get(name)
    if not isinstance(metric, Metric):
        raise ConfigError(f"metric {name!r}: {suggestion(name, shipped())}")
    facts = {
        "range": metric.bounds or "not stated",
        "direction": metric.direction,
        "cutoff": "measured at each k" if metric.cutoff else "none",
        "value": "one for each user" if metric.per_user else "one for all lists",
        "source": metric.source or "not stated",
        "function": metric.path,
    }
    return Reference(
        "metric", name, metric.formula, facts, metric.notes, (), f"bakeoff report NAME metrics={name}"
    )


# -- experiments ---------------------------------------------------------------------------------------


def _experiments(results: Path) -> list[Entry]:
    from bakeoff.queries.select import experiment_names
    from bakeoff.storage.experiment import Experiment

    def described(name: str) -> str:
        try:
            cells = Experiment.read(results / name, name).requests
        except UsageError as error:
            return f"cannot be read: {error}"
        parts = {
            "cell": len(cells),
            "data set": len({c.cell.dataset_variant + c.cell.dataset_name for c in cells}),
            "split": len({c.cell.split_variant + c.cell.split_name for c in cells}),
            "model": len({c.cell.variant + c.cell.model_name for c in cells}),
        }
        return ", ".join(f"{count} {what}{'' if count == 1 else 's'}" for what, count in parts.items())

    return [Entry(name, described(name)) for name in experiment_names(results)]


def _experiment(name: str, results: Path) -> Reference:
    from bakeoff.queries.select import stored_experiment
    from bakeoff.run.cell import Cell
    from bakeoff.run.naming import dataset_label, row_labels, split_label
    from bakeoff.storage.store import Store

    experiment, store = stored_experiment(name, results), Store(results / "store")
    cells = [request.cell for request in experiment.requests]
    records = [store.record(request.key) for request in experiment.requests]
    statuses = Counter("missing" if record is None else record.status for record in records)

    def distinct(label: Callable[[Cell], object]) -> list[Any]:
        return list(dict.fromkeys(map(label, cells)))

    facts = {
        "folder": str(results / name),
        "data sets": distinct(dataset_label),
        "splits": distinct(split_label),
        "split seeds": distinct(lambda cell: cell.split_seed),
        "seeds": distinct(lambda cell: cell.seed),
        "models": list(dict.fromkeys(row_labels(experiment.requests))),
        "cells": len(cells),
        "status": dict(sorted(statuses.items())),
        "commands": list(experiment.commands),
    }
    count = f"{len(cells)} cells: {', '.join(f'{n} {status}' for status, n in sorted(statuses.items()))}"
    return Reference("experiment", name, count, facts, "", (), f"bakeoff report {name}")
