"""Running and loading experiments in a notebook.

import bakeoff as bo
run = bo.run(model="als,warp", name="first")
run = bo.load("results/first")
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from bakeoff.errors import UsageError, nearest
from bakeoff.notebook.loaded import Loaded
from bakeoff.queries.select import Result
from bakeoff.report import readback
from bakeoff.run.runner import Workspace
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.store import Store


def load(folder: str | Path, store: str | Path | None = None) -> Loaded:
    """An experiment from its folder, `results/NAME`.

    Args:
        store: its store; None takes the folder `store` beside the experiment's. Without one there are the
            tables of the folder alone: leader boards, but no lists, no values by user, no tests.

    Raises:
        UsageError: the folder holds no experiment, or its tables cannot be read.
    """
    folder = Path(folder)
    if not (folder / "experiment.json").exists():
        known = sorted(p.parent.name for p in folder.parent.glob("*/experiment.json"))
        hint = nearest(folder.name, known) if known else f"there is none in {folder.parent}"
        raise UsageError(f"{folder}: no experiment (no experiment.json in it); {hint}")
    experiment = Experiment.read(folder, folder.name)
    workspace = Workspace(Store(folder.parent / "store" if store is None else store))
    stored = {a.key: workspace.store.record(a.key) for a in experiment.requests}
    bare = frozenset(key for key, record in stored.items() if record is None)
    found = [Result(a, r) for a in experiment.requests if (r := stored[a.key]) is not None]
    if bare:
        found = [Result(a, stored[a.key] or r) for a, r in readback.results(folder, experiment)]
    return Loaded(experiment, folder, tuple(found), workspace, bare)


def run(*words: str, **options: Any) -> Loaded:
    """`bakeoff run` from a notebook: runs what is missing, writes the reports, returns the experiment.

        bo.run("model.build.factors=32,64", dataset="ml_100k", model="als", k=[5, 10], name="factors")

    Args:
        words: as on the command line.
        options: the same as keywords; a list is a list (`k=[5, 10]`), a text may hold an axis ("als,warp").

    Cells that failed do not raise: `run.cells` says why.

    Raises:
        UsageError: what the command line would say with exit code 2; several experiments and no name.
    """
    from bakeoff.config import compose

    given = [*words, *(f"{key}={_word(value)}" for key, value in options.items())]
    with warnings.catch_warnings():
        # implicit imports tqdm, which misses ipywidgets for a bar that is not shown
        warnings.filterwarnings("ignore", message="IProgress not found")
        session = compose.run_session(
            compose.Session("run", compose.command_of("run", given), single=True), given
        )
    return load(session.folders[0])


def _word(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"[{','.join(_word(v) for v in value)}]" if isinstance(value, list | tuple) else str(value)
