"""Damaged files of the store: each is named, set aside and computed again by the same command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bakeoff import cli
from conftest import HERE
from test_end_to_end import timeless

GRID = ("dataset=blocks", "model=by_item,ease", "split=random")
REST = ("k=[3]", "depth=10", "baselines=[]", "metrics=[ndcg,auc]", "save_model=true")
STORE = Path("results/store")


def run(*words: str) -> int:
    return cli.main(["run", f"--config-dir={HERE / 'conf'}", *GRID, *REST, *words])


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-2] ^= 4
    path.write_bytes(content)


def deleted(path: Path) -> None:
    path.unlink()


def made_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = (truncated, emptied, flipped, deleted, made_a_folder)
FILES = (
    *("cells/record.json", "cells/items.npy", "cells/per_user.parquet", "cells/model.npz"),
    *("splits/manifest.json", "splits/split.json", "splits/test.indices.npy"),
    *("data/manifest.json", "data/dataset.json", "data/users.npy"),
)
HARMLESS = {
    # Without a manifest the arrays are hashed, and held to the hash that the records of the cells name.
    ("splits/manifest.json", deleted),
    ("data/manifest.json", deleted),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as here:
        here.chdir(folder)
        assert run() == 0
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(finished / "results", tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def damaged_path(file: str) -> Path:
    kind, name = file.split("/")
    (path,) = [p for p in STORE.glob(f"{kind}/*/{name}") if kind != "cells" or p.parent == ease()]
    return path


def ease() -> Path:
    return next(p.parent for p in STORE.glob("cells/*/record.json") if "linear.EASE" in p.read_text())


def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[str]:
    out, err = capsys.readouterr()
    yield from (line for line in (out + err).splitlines() if line.strip())


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        # Two of the five for each file, each of the five on four files; the rest where there is time.
        pytest.param(file, damage, marks=() if (i + j) % 5 in (0, 2) else pytest.mark.long)
        for i, file in enumerate(FILES)
        for j, damage in enumerate(DAMAGES)
    ],
    ids=lambda case: case if isinstance(case, str) else case.__name__,
)
def test_a_damaged_file_is_named_by_who_reads_it_and_made_again_by_run(
    file: str,
    damage: Callable[[Path], None],
    copy: Path,
    finished: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, harmless = damaged_path(file), (file, damage) in HARMLESS
    if file == "cells/record.json" and damage is deleted:
        harmless = True  # a cell without a record is one that has not run
    damage(path)
    code = cli.main(["verify", "blocks", "references=[]", "--format", "json"])
    answer = capsys.readouterr()
    assert answer.out, answer.err
    faults = json.loads(answer.out)["faults"]
    assert code == int(bool(faults)) == int(not harmless or file == "cells/record.json")
    if not harmless:
        assert any(str(path) in fault["message"] for fault in faults)
    for command in (
        ("report", "blocks", "metrics=[ndcg,auc]"),
        ("compare", "ease", "by_item", "name=blocks"),
        ("export", "blocks", "--to", "out"),
        ("recommend", "blocks", "--user", "u001"),
    ):
        code = cli.main(list(command))
        _, err = capsys.readouterr()
        assert code in (0, 2) and err.count("\n") == int(code == 2), (command, err)
        assert code == 0 or str(path) in err or not path.exists(), (command, err)
    assert run() == 0
    messages = capsys.readouterr().err
    assert harmless or str(path) in messages
    expected = timeless(finished / "results")
    if harmless and "manifest" in file:
        del expected[str(path.relative_to("results"))]
    aside = STORE / "quarantine"
    assert harmless or list(aside.glob(f"{file.split('/')[0]}/*"))
    shutil.rmtree(aside, ignore_errors=True)
    assert timeless(copy / "results") == expected
