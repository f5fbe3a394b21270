"""Which cells of an experiment a question is about: the models of one split, each once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.errors import UsageError, nearest
from bakeoff.run.cell import Cell
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.record import CellRequest


@dataclass(frozen=True)
class CellFilter:
    """What narrows the choice; None or nothing leaves all.

    Args:
        dataset, split: by their names.
        models: by their names, or as they are labelled: `als (factors=128)`.
        split_seed, fold, seed: of the run.
    """

    dataset: str | None = None
    split: str | None = None
    models: tuple[str, ...] = ()
    split_seed: int | None = None
    fold: int | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Selection:
    """Cells of one split.

    Args:
        place: data set and split, for people.
        asked: one cell a model.
        labels: what each is called, all different.
        notes: what was taken where there were several.
    """

    place: str
    asked: tuple[CellRequest, ...]
    labels: tuple[str, ...]
    notes: tuple[str, ...] = ()


def choose(experiment: Experiment, which: CellFilter) -> Selection:
    """The cells that a question is about.

    Raises:
        UsageError: a name that the experiment does not have, or several data sets or splits to choose from.
    """
    asked = narrowed(experiment, which)
    places = list(dict.fromkeys(place(a.cell) for a in asked))
    if len(places) > 1:
        raise UsageError(
            f"experiment {experiment.name!r} holds several: {'; '.join(places)}: choose one with dataset= "
            "and split="
        )
    notes: list[str] = []
    for name in ("split_seed", "fold"):
        asked = _first(asked, name, getattr(which, name), notes)
    asked = _models(asked, which.models)
    asked = _one_seed(asked, which.seed, notes)
    return Selection(places[0], tuple(asked), tuple(_labels(asked)), tuple(notes))


def narrowed(experiment: Experiment, which: CellFilter) -> list[CellRequest]:
    """The cells of the data set and the split that a question names, each key once.

    Raises:
        UsageError: a name that the experiment does not have.
    """
    once: dict[str, CellRequest] = {}
    for one in experiment.asked:
        once.setdefault(one.key, one)
    asked = _named(list(once.values()), "dataset", which.dataset)
    return _named(asked, "split", which.split)


def label(config: Any, variant: str) -> str:
    """A name with the knobs that differ from its YAML."""
    return f"{config.get('name')} ({variant})" if variant else str(config.get("name"))


def place(cell: Cell) -> str:
    """Data set and split, for people."""
    return f"{label(cell.dataset, cell.dataset_variant)}, split {label(cell.split, cell.split_variant)}"


def _model(cell: Cell) -> str:
    tuned = f"tune={cell.tune.get('name') or 'yes'}" if cell.tune is not None else ""
    return label(cell.model, ",".join(t for t in (cell.variant, tuned) if t))


def _named(asked: Sequence[CellRequest], what: str, wanted: str | None) -> list[CellRequest]:
    def names(a: CellRequest) -> tuple[str, str]:
        config = getattr(a.cell, what)
        return str(config.get("name")), label(config, getattr(a.cell, f"{what}_variant"))

    return _having(asked, what, names, wanted) if wanted is not None else list(asked)


def _models(asked: Sequence[CellRequest], wanted: Iterable[str]) -> list[CellRequest]:
    found = [a for name in wanted for a in _having(asked, "models", lambda a: _model_names(a.cell), name)]
    return found or list(asked)


def _model_names(cell: Cell) -> tuple[str, str]:
    return str(cell.model.get("name")), _model(cell)


def _having(asked: Sequence[CellRequest], what: str, names: Any, wanted: str) -> list[CellRequest]:
    found = [a for a in asked if wanted in names(a)]
    if not found:
        raise UsageError(f"{what}={wanted}: {nearest(wanted, {n for a in asked for n in names(a)})}")
    return found


def _first(
    asked: Sequence[CellRequest], name: str, wanted: int | None, notes: list[str]
) -> list[CellRequest]:
    """The cells of the wanted or the first value of a coordinate; a note where there are others."""
    there = sorted({getattr(a.cell, name) for a in asked} - {None})
    if not there:
        return list(asked)
    if wanted is not None and wanted not in there:
        raise UsageError(f"{name}={wanted}: there are {', '.join(map(str, there))}")
    taken = there[0] if wanted is None else wanted
    if wanted is None and len(there) > 1:
        notes.append(f"{name}={taken} of {', '.join(map(str, there))}; {name}= takes another")
    return [a for a in asked if getattr(a.cell, name) == taken]


def _one_seed(asked: Sequence[CellRequest], wanted: int | None, notes: list[str]) -> list[CellRequest]:
    """One cell of each model; a model without chance has one for all seeds."""
    by_model: dict[tuple[str, int], list[CellRequest]] = {}
    for a in asked:
        by_model.setdefault((_model(a.cell), a.cell.depth), []).append(a)
    found, several = [], set[int]()
    for cells in by_model.values():
        seeds = sorted({a.cell.seed for a in cells})
        taken = seeds[0] if wanted is None or len(seeds) == 1 else wanted
        if taken not in seeds:
            raise UsageError(f"seed={wanted}: there are {', '.join(map(str, seeds))}")
        several |= set(seeds) if len(seeds) > 1 and wanted is None else set()
        found += [a for a in cells if a.cell.seed == taken]
    if several:
        notes.append(f"seed={min(several)} of {', '.join(map(str, sorted(several)))}; seed= takes another")
    return found


def _labels(asked: Sequence[CellRequest]) -> list[str]:
    """Names of the models; with their keys where two are the same."""
    names = [_model(a.cell) for a in asked]
    return [f"{n} {a.key}" if names.count(n) > 1 else n for n, a in zip(names, asked, strict=True)]
