"""Reuse the hyperparameters of a stored cell: in another cell, or in a YAML file."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from bakeoff.errors import ConfigError, UsageError
from bakeoff.queries.select import one_cell, stored_experiment
from bakeoff.run.cell import check_shipped
from bakeoff.storage.record import Record
from bakeoff.storage.store import Store, replacing


def stored_cell(reference: str, results: Path, what: str) -> Record:
    """Return the finished cell of a KEY, or of NAME/MODEL: the only cell of the model, or the only tuned one.

    Args:
        reference: MODEL is a name or a label.
        results: the folder of results.
        what: what asks, for messages.

    Raises:
        UsageError: there is none, there are several, or it is not done.
    """
    name, slash, model = reference.partition("/")
    key = reference
    if slash:
        experiment = stored_experiment(name, results, f"experiment for {what}={reference},")
        key = one_cell(experiment.requests, model, f"{what}={reference}").key
    record = Store(results / "store").record(key)
    if record is None:
        raise UsageError(
            f"{what}={reference}: no such cell in {results}; expected a key of cells.csv, or NAME/MODEL"
        )
    if not record.done:
        raise UsageError(f"{what}={reference}: the cell was {record.status}: {record.reason}")
    return record


def with_params_from(
    model: Mapping[str, Any], reference: str, results: Path, given: Collection[str] = ()
) -> dict[str, Any]:
    """Return a model's configuration with the final hyperparameters of a stored cell.

    Args:
        given: names of hyperparameters that keep their configured value.

    Raises:
        UsageError: no such cell, or its model is of another class.
    """
    record = stored_cell(reference, results, "params_from")
    stored, own = record.cell.model_target, model["build"]["_target_"]
    if stored != own:
        raise ConfigError(
            f"params_from={reference}: its model {record.cell.model_name!r} is a {stored}, and "
            f"model {model.get('name')!r} a {own}; expected the same class"
        )
    values = {k: v for k, v in record.parameters.items() if k not in ("_target_", *given)}
    other = {k: v for k, v in values.items() if v != model["build"].get(k)}
    check_shipped(other, f"params_from={reference}: model.build", "set this hyperparameter yourself")
    return {**model, "build": {**model["build"], **values}}


def write(reference: str, path: Path, results: Path, *, trust: bool = False) -> None:
    """Write the model of a stored cell, with its final hyperparameters, as an option of the group `model`.

    Args:
        trust: whether it may name a class that bakeoff does not ship, which a run would import.

    Raises:
        UsageError: no such cell, a class that is not trusted, or the file cannot be an option's or is there.
    """
    import yaml

    if path.suffix != ".yaml" or path.parent.name != "model":
        raise ConfigError(
            f"--preset {path}: expected DIR/model/NAME.yaml, which --config-dir DIR reads as model=NAME"
        )
    if path.exists():
        raise ConfigError(f"--preset {path}: the file exists; give another name")
    record = stored_cell(reference, results, "export")
    build = {"_target_": record.cell.model_target, **record.parameters}
    rest = {k: v for k, v in record.cell.model.items() if k not in ("name", "build")}
    option = {"name": path.stem, "build": build, **rest}
    if not trust:
        check_shipped(option, "model")
    if "${" in json.dumps(option):
        raise ConfigError(f"--preset {path}: a stored value holds '${{', which a run would resolve")
    text = yaml.safe_dump(option, sort_keys=False, allow_unicode=True, width=110)
    with replacing(path) as temporary:
        temporary.write_text(f"{_origin(record)}{text}", encoding="utf-8")


def _origin(record: Record) -> str:
    """Return the source of the values as comments; names are JSON strings, which cannot end a line."""
    cell, tuning = record.cell, record.tuning
    model, dataset, split = map(json.dumps, (cell.model_name, cell.dataset_name, cell.split_name))
    lines = [f"model {model} with the hyperparameters of cell {record.key}:"]
    lines += [f"data set {dataset}, split {split}"]
    if tuning is not None and tuning.best is not None:
        n_trials, value = len(tuning.trials), tuning.best.value
        lines += [f"tuned in {n_trials} trials: {tuning.metric} {value:.4f} on validation"]
    return "".join(f"# {line}\n" for line in lines)
