"""A results folder of a stranger: reading it runs nothing that its files name and writes inside alone."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import bakeoff as bo
import commands
from bakeoff.errors import BakeoffError
from bakeoff.storage.store import write_json

SMALL = ("dataset.n_users=60", "dataset.n_items=100", "dataset.n_rows=1200", "depth=10", "k=[5]")
LAB = (
    *(
        *SMALL,
        "name=lab",
        "model=ease",
        "tune=none,optuna",
        "tune.trials=2",
        "baselines=[popularity]",
        "save_model=true",
    ),
    "metrics=[ndcg,gini]",
)
ONE_CELL = (*SMALL, "model=ease", "baselines=[]")
"""One of the cells of the experiment: composing a configuration is what costs most."""

EVIL = '''
"""Leaves a mark when it is imported, called or asked for anything."""
from pathlib import Path

MARK = Path(__file__).with_name("mark")
MARK.write_text("imported")
'''

ITEM = "Befe luki | Fidra Foze"

OUTSIDE = "victim"
"""A folder beside the results, which nothing may touch."""

VERBS = {
    "report": (*("report", "lab", "k=[6]"),),
    "metrics": (*("report", "lab", "metrics=[recall,novelty]"),),
    "verify": (*("verify", "lab", "references=[]", "refit=1"),),
    "export": (*("export", "lab", "--to", "out"),),
    "preset": (*("export", "lab/ease", "--preset", "mine/model/x.yaml"),),
    "recommend": (*("recommend", "lab", "--user", "user_0001"),),
    "items": (*("recommend", "lab", "--items", ITEM),),
    "similar": (*("recommend", "lab", "--similar-to", ITEM),),
    "compare": (*("compare", "ease", "popularity", "name=lab", "tune=none"),),
    "plan": (*("plan", *ONE_CELL, "name=lab"),),
    "list": (*("list", "experiments"),),
    "show": (*("show", "experiment", "lab"),),
    "params_from": (*("plan", *ONE_CELL, "params_from=lab/ease", "name=other"),),
}

System = {"_target_": "os.system", "command": "touch mark"}

Json = dict[str, Any]
Change = Callable[[Path], None]


def edited(pattern: str, change: Callable[[Json], object]) -> Change:
    """Return a change of every JSON file that matches."""

    def edit(results: Path) -> None:
        for path in sorted(results.glob(pattern)):
            value = json.loads(path.read_text())
            change(value)
            write_json(path, value)  # with its hash, as a stranger would

    return edit


def both(change: Callable[[Json], object], *, old: bool) -> Change:
    """Return a change of every cell, in experiment.json and in the records.

    Args:
        old: take the identities away, as in files of a version that did not store them.
    """

    def of_cell(cell: Json) -> None:
        if old:
            cell.pop("identity", None)
        change(cell)

    def edit(results: Path) -> None:
        edited("lab/experiment.json", lambda e: [of_cell(r["cell"]) for r in e["cells"]])(results)
        edited("store/cells/*/record.json", lambda r: of_cell(r["cell"]))(results)

    return edit


def in_records(change: Callable[[Json], object]) -> Change:
    return edited("store/cells/*/record.json", change)


def at(*path: str, value: Any) -> Callable[[Json], object]:
    """Return a function that sets a value deep in a mapping; lists of it are entered too."""

    def change(node: Any) -> None:
        for step in path[:-1]:
            node = node.setdefault(step, {}) if isinstance(node, dict) else node
            node = {} if node is None else node
        node[path[-1]] = value

    return change


def many(*changes: Change) -> Change:
    def edit(results: Path) -> None:
        for change in changes:
            change(results)

    return edit


def renamed(key: str) -> Change:
    """Return a change that calls a cell by a path: in experiment.json, its record and its tables."""

    def edit(results: Path) -> None:
        victim = json.loads((results / "lab/experiment.json").read_text())["cells"][0]["key"]
        for path in (*results.glob("lab/*.csv"), results / "lab/experiment.json"):
            path.write_text(path.read_text().replace(victim, key))
        edited("lab/experiment.json", lambda e: None)(results)
        record = json.loads((results / "store/cells" / victim / "record.json").read_text())
        outside = results.parent / OUTSIDE
        shutil.copytree(results / "store/cells" / victim, outside, dirs_exist_ok=True)
        write_json(outside / "record.json", {**record, "key": key})

    return edit


def linked(place: str) -> Change:
    """Return a change that puts a link to a folder outside in the place of a folder, or beside one."""

    def edit(results: Path) -> None:
        target = next(iter(sorted(results.glob(place))), results / place)
        outside = results.parent / OUTSIDE
        if target.is_dir():
            shutil.copytree(target, outside, dirs_exist_ok=True)
            shutil.rmtree(target)
        elif target.exists():
            shutil.copy(target, outside / target.name)
            target.unlink()
            outside = outside / target.name
        target.symlink_to(outside)

    return edit


def fifo(place: str) -> Change:
    """Return a change that puts a pipe in the place of a file: opening it would wait for ever."""

    def edit(results: Path) -> None:
        target = sorted(results.glob(place))[0]
        target.unlink()
        os.mkfifo(target)

    return edit


def pickled(pattern: str) -> Change:
    """Return a change that puts an array of objects, which NumPy would unpickle, into a file."""

    def edit(results: Path) -> None:
        import numpy as np

        class Bomb:
            def __reduce__(self) -> tuple[Any, tuple[str]]:
                return os.system, ("touch mark",)

        for path in results.glob(pattern):
            if path.suffix == ".npz":
                np.savez(path, x=np.array([Bomb()], dtype=object))
            else:
                np.save(path, np.array([Bomb()], dtype=object), allow_pickle=True)

    return edit


def target(import_path: str, **more: Any) -> Json:
    return {"_target_": import_path, "name": "x", **more}


PLACES = {
    "dataset": ("dataset",),
    "split": ("split",),
    "model": ("model", "build"),
    "nested data": ("dataset", "users"),
    "nested split": ("split", "inner"),
    "nested parameter": ("model", "build", "l2"),
    "tune": ("tune",),
    "sampler": ("tune", "sampler"),
    "space": ("model", "space"),
    "axis": ("model", "space", "l2"),
    "contents": ("contents", "dataset"),
}
READING = ("report", "verify", "export", "recommend", "items", "compare", "plan", "show")
MODEL = ("report", "items", "similar", "preset", "params_from")
PATHS = ("report", "export", "verify", "recommend", "compare", "show")

ATTACKS: dict[str, tuple[Change, tuple[str, ...]]] = {
    **{
        f"os.system as {name}{', old' * old}": (both(at(*path, value=System), old=old), READING)
        for name, path in PLACES.items()
        for old in ((False, True) if name in ("dataset", "split", "model", "axis") else (False,))
    },
    **{
        f"{path} as {where}": (both(at(*PLACES[where], value=target(path, **more)), old=True), READING)
        for where in ("dataset", "split", "model")
        for path, more in (
            ("evil.Thing", {}),
            ("evil", {}),
            ("subprocess.run", {"args": ["touch", "mark"]}),
            ("bakeoff.storage.store.write_text", {"path": "mark", "text": "x"}),
            ("bakeoff.data.download.Origin", {"folder": "../..", "home": "", "files": {}}),
        )
    },
    "import of a module as metric": (
        in_records(lambda r: r["metrics"].update({"evil.thing": {"5": [0.5, None]}})),
        ("report", "metrics", "verify", "compare"),
    ),
    "import of a module as metric of the report": (
        edited("lab/experiment.json", lambda e: e["report"]["metrics"].append(["thing", "evil.thing"])),
        ("verify", "report"),
    ),
    "os.system among parameters": (in_records(at("parameters", "l2", value=System)), MODEL),
    "another class among parameters": (
        in_records(at("parameters", "_target_", value="os.system")),
        MODEL,
    ),
    "class of model.json": (
        edited("store/cells/*/model.json", at("target", value="evil.Thing")),
        ("items", "similar"),
    ),
    "class of model.json and record": (
        many(
            edited("store/cells/*/model.json", at("target", value="evil.Thing")),
            both(at("model", "build", value={"_target_": "evil.Thing"}), old=False),
        ),
        MODEL,
    ),
    "pickled model": (pickled("store/cells/*/model.npz"), ("items", "similar")),
    "pickled lists": (pickled("store/cells/*/items.npy"), ("report", "verify", "export", "recommend")),
    "pickled split": (pickled("store/splits/*/users.npy"), ("report", "verify", "export", "recommend")),
    "pickled data": (pickled("store/data/*/users.npy"), ("report", "export")),
    "interpolation": (in_records(at("parameters", "l2", value="${oc.env:HOME}")), ("preset", "report")),
    "key of a cell leads out": (renamed("../../../victim"), PATHS),
    "key of a cell is absolute": (renamed("/tmp/victim"), PATHS),
    "key of a split leads out": (
        both(at("identity", "split", value="../../../victim"), old=False),
        (*PATHS, "plan"),
    ),
    "key of data leads out": (both(at("identity", "data", value="../../../victim"), old=False), PATHS),
    "key of a recorded split leads out": (in_records(at("split_key", value="../../../victim")), PATHS),
    "name of an experiment leads out": (
        edited("lab/experiment.json", at("name", value="../victim")),
        PATHS,
    ),
    **{
        f"link in place of {place}": (linked(place), PATHS)
        for place in ("store/cells/c*", "store/splits/*", "store/data/*", "store/cells", "lab/charts")
    },
    "link in place of a record": (linked("store/cells/*/record.json"), PATHS),
    "link in place of the lists": (linked("store/cells/*/items.npy"), PATHS),
    "pipe in place of a record": (fifo("store/cells/*/record.json"), ("report", "show", "list")),
    "pipe in place of an experiment": (fifo("lab/experiment.json"), ("report", "show", "list")),
    "pipe in place of lists": (fifo("store/cells/*/items.npy"), ("report", "export")),
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stranger")
    made = commands.run(["run", *LAB], folder)
    assert made.returncode == 0, made.stderr
    return folder / "results"


@pytest.fixture
def place(lab: Path, tmp_path: Path) -> Iterator[Path]:
    """A working directory with a copy of the results, a module that leaves a mark, and a folder outside."""
    shutil.copytree(lab, tmp_path / "results")
    (tmp_path / "evil.py").write_text(EVIL)
    (tmp_path / OUTSIDE).mkdir()
    with contextlib.chdir(tmp_path):
        yield tmp_path


def outside(folder: Path) -> dict[str, bytes]:
    """Return what lies outside of the results and of the folders that a command may write to."""
    files = (p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    own = (folder / "results", folder / "out", folder / "mine", folder / "__pycache__")
    return {str(p): p.read_bytes() for p in files if not any(o in p.parents for o in own)}


def test_each_command_reads_the_untouched_experiment(place: Path) -> None:
    for words in VERBS.values():
        assert commands.run([*words, "-q"], place).returncode == 0, words


@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_runs_code_or_reaches_outside(name: str, place: Path) -> None:
    change, verbs = ATTACKS[name]
    change(place / "results")
    before = outside(place)
    for verb in verbs:
        answer = commands.run([*VERBS[verb], "-q"], place)
        assert answer.returncode in (0, 1, 2), answer.stderr
        assert answer.returncode != 2 or answer.stderr.count("\n") == 1, answer.stderr
        assert outside(place) == before, verb
    in_a_notebook(place)
    assert outside(place) == before, "notebook"


def in_a_notebook(place: Path) -> None:
    """Ask a loaded experiment for everything; what it cannot answer is an error of bakeoff's."""
    asks: tuple[Callable[[Any], object], ...] = (
        *(lambda run: run.leaderboard(k=7), lambda run: run.lists(), lambda run: run.tuning()),
        *(lambda run: run.per_user(), lambda run: run.split(), lambda run: run.compare(k=5)),
    )
    for ask in asks:
        with contextlib.suppress(BakeoffError):
            ask(bo.load(place / "results" / "lab"))


def test_there_are_enough_attacks() -> None:
    assert len(ATTACKS) >= 34
