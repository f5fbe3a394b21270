"""The hyperparameters of a stored cell, taken elsewhere: into another cell, or into a YAML of one's own."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from bakeoff.errors import ConfigError, UsageError, nearest
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.record import Record
from bakeoff.storage.store import Store, replacing


def found(reference: str, results: Path, key: str) -> Record:
    """The finished cell of a KEY, or of NAME/MODEL: an experiment's only cell of a model, or only tuned one.

    Args:
        results: the folder of results.
        key: what asks, for messages.

    Raises:
        UsageError: there is none, there are several, or it is not done.
    """
    store = Store(results / "store")
    name, slash, model = reference.partition("/")
    record = store.record(_only(name, model, results, key) if slash else reference)
    if record is None:
        raise UsageError(
            f"{key}={reference}: no such cell in {results}; expected a key that stands in cells.csv, or "
            "NAME/MODEL"
        )
    if not record.done:
        raise UsageError(f"{key}={reference}: the cell was {record.status}: {record.reason}")
    return record


def _only(name: str, model: str, results: Path, key: str) -> str:
    asked = Experiment.read(results / name, name).asked
    if not asked:
        known = sorted(p.parent.name for p in results.glob("*/experiment.json"))
        there = nearest(name, known) if known else "there is none"
        raise UsageError(f"{key}={name}/{model}: no experiment {name!r} in {results}: {there}")
    cells = {a.key: a.cell for a in asked if a.cell.model.get("name") == model}
    if not cells:
        models = {str(a.cell.model.get("name")) for a in asked}
        raise UsageError(f"{key}={name}/{model}: it has no cell of {model!r}; {nearest(model, models)}")
    tuned = [k for k, cell in cells.items() if cell.tune is not None]
    if len(cells) > 1 and len(tuned) != 1:
        raise UsageError(f"{key}={name}/{model}: it may be any of {', '.join(cells)}; give one")
    return tuned[0] if tuned else next(iter(cells))


def with_params_from(
    model: Mapping[str, Any], reference: str, results: Path, given: Collection[str] = ()
) -> dict[str, Any]:
    """A model's configuration with the final hyperparameters of a stored cell.

    Args:
        given: hyperparameters that were asked for by name: they stay.

    Raises:
        UsageError: no such cell, or its model is of another class.
    """
    record = found(reference, results, "params_from")
    theirs, mine = record.cell["model"]["build"]["_target_"], model["build"]["_target_"]
    if theirs != mine:
        raise ConfigError(
            f"params_from={reference}: its model {record.cell['model'].get('name')!r} is a {theirs}, and "
            f"model {model.get('name')!r} a {mine}"
        )
    values = {k: v for k, v in record.parameters.items() if k not in given}
    return {**model, "build": {**model["build"], **values}}


def write(reference: str, path: Path, results: Path) -> None:
    """Write the model of a stored cell, with its final hyperparameters, as an option of the group `model`.

    Raises:
        UsageError: no such cell, or the file cannot be an option's or is there already.
    """
    import yaml

    if path.suffix != ".yaml" or path.parent.name != "model":
        raise ConfigError(f"--preset {path}: expected DIR/model/NAME.yaml; --config-dir DIR then finds NAME")
    if path.exists():
        raise ConfigError(f"--preset {path}: it is there already; give another name")
    record = found(reference, results, "export")
    model = dict(record.cell["model"])
    build = {"_target_": model["build"]["_target_"], **record.parameters}
    rest = {k: v for k, v in model.items() if k not in ("name", "build")}
    option = {"name": path.stem, "build": build, **rest}
    text = yaml.safe_dump(option, sort_keys=False, allow_unicode=True, width=110)
    with replacing(path) as temporary:
        temporary.write_text(f"{_told(record)}{text}", encoding="utf-8")


def _told(record: Record) -> str:
    """Where the values come from, as comments; names are quoted, so that none can end its line."""
    cell, tuning = record.cell, record.tuning
    lines = [f"model {_quoted(cell, 'model')} with the hyperparameters of cell {record.key}:"]
    lines += [f"data set {_quoted(cell, 'dataset')}, split {_quoted(cell, 'split')}"]
    if tuning is not None:
        best = tuning["best"]
        lines += [f"tuned in {tuning['asked']} trials: {tuning['metric']} {best['value']:.4f} on validation"]
    return "".join(f"# {line}\n" for line in lines)


def _quoted(cell: Mapping[str, Any], coordinate: str) -> str:
    return json.dumps(str(cell[coordinate].get("name")))
