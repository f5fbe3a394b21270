"""Diagnose an installation and a store: versions, memory, disk, damage, leftovers, and what mends each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from bakeoff.errors import UsageError
from bakeoff.run.resources import environment
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.store import Store, folder_faults


@dataclass(frozen=True)
class Complaint:
    """What is not as it should be.

    Args:
        found: what it is, and where.
        mend: the command that mends it.
    """

    found: str
    mend: str


@dataclass(frozen=True)
class Diagnosis:
    """What `bakeoff doctor` has found.

    Args:
        facts: versions, threads, and free memory and disk, for people.
        complaints: none where all is well.
    """

    facts: Mapping[str, str]
    complaints: tuple[Complaint, ...]


def diagnose(results_dir: Path) -> Diagnosis:
    """Return the diagnosis of this installation and of the store of a folder of results.

    Every file of the store is read and held to its hash: 0.8 GB a second.
    """
    store = Store(results_dir / "store")
    complaints = (*_distributions(), *_damage(store, _commands(results_dir)), *_leftovers(store, results_dir))
    return Diagnosis(_facts(store), complaints)


def _facts(store: Store) -> dict[str, str]:
    import numpy  # noqa: F401 - its BLAS is what threadpoolctl looks for
    import psutil
    from threadpoolctl import threadpool_info

    here = environment()
    existing = next(path for path in (store.root, *store.root.absolute().parents) if path.exists())
    memory, disk = psutil.virtual_memory(), shutil.disk_usage(existing)
    pools = [f"{p['internal_api']} {p['version']}, {p['num_threads']} threads" for p in threadpool_info()]
    kinds = [kind for kind in ("cells", "splits", "data") if (store.root / kind).is_dir()]
    counts = [f"{sum(1 for _ in _stored(store, kind))} {kind}" for kind in kinds]
    return {
        "bakeoff": here.bakeoff,
        "python": f"{here.python}, {here.platform}",
        **{module: f"from {distribution}" for module, distribution in here.libraries.items()},
        "BLAS": "; ".join(pools) or "unknown",
        "cores": f"{os.cpu_count()}, {here.cpu}",
        "memory": f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB free",
        "disk": f"{disk.free / 1e9:.1f} of {disk.total / 1e9:.1f} GB free at {existing}",
        "store": f"{store.root}: {', '.join(counts) or 'nothing is stored'}",
    }


def _distributions() -> Iterator[Complaint]:
    """Yield the modules that two distributions supply: the files of one have replaced those of the other."""
    for module in ("implicit", "lightfm"):
        names = sorted(set(metadata.packages_distributions().get(module, ())))
        if len(names) > 1:
            mend = f"pip uninstall {' '.join(names)}, then pip install 'bakeoff[lightfm]'"
            yield Complaint(f"{module}: supplied by {' and '.join(names)}", mend)


def _commands(results_dir: Path) -> dict[str, str]:
    """Return the command that made each stored cell, split and data set, by key."""
    commands: dict[str, str] = {}
    for path in sorted(results_dir.glob("*/experiment.json")):
        try:
            experiment = Experiment.read(path.parent, path.parent.name)
        except UsageError:  # `_damage` names it
            continue
        for request in experiment.requests if experiment.commands else ():
            keys = (request.key, request.cell.split_key, request.cell.data_key)
            commands |= dict.fromkeys(keys, experiment.commands[-1])
    return commands


def _stored(store: Store, kind: str) -> Iterator[Path]:
    return (path for path in sorted((store.root / kind).glob("[a-z]*")) if path.is_dir())


def _damage(store: Store, commands: Mapping[str, str]) -> Iterator[Complaint]:
    """Yield the damaged files of the store, and the experiments that cannot be read."""
    for path in sorted(store.root.parent.glob("*/experiment.json")):
        try:
            Experiment.read(path.parent, path.parent.name)
        except UsageError as error:
            yield Complaint(str(error), f"bakeoff run name={path.parent.name} fresh=true and its other words")
    unnamed = "the bakeoff run that made it, with --rerun true"
    for kind in ("data", "splits", "cells"):
        for folder in _stored(store, kind):
            faults = store.cell_faults(folder.name) if kind == "cells" else folder_faults(folder)
            for fault in faults:
                yield Complaint(fault, commands.get(folder.name, unnamed))


def _leftovers(store: Store, results_dir: Path) -> Iterator[Complaint]:
    folders = [path.parent for path in results_dir.glob("*/experiment.json")]
    for path in store.leftovers(*folders, *(folder / "charts" for folder in folders)):
        yield Complaint(f"{path}: the temporary file of a dead process", f"rm -r '{path}'")
    if (quarantine := store.root / "quarantine").is_dir():
        n = sum(1 for path in quarantine.glob("*/*"))
        yield Complaint(f"{quarantine}: {n} damaged files and folders, set aside", f"rm -r '{quarantine}'")
