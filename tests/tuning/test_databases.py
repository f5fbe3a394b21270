"""Studies in databases: SQLite, and a real PostgreSQL server where Debian's packages are there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bakeoff.errors import ConfigError, UsageError
from bakeoff.run.cell import Cell
from bakeoff.storage.store import Store
from bakeoff.tuning.tune import check, tune
from tuning_studies import Child, split_of, timeless, with_tuning


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A PostgreSQL server of its own, on a socket in a temporary folder; gives the URL of a database."""
    in_database = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not in_database:
        pytest.skip("no PostgreSQL server: Debian's package postgresql is not installed")
    pytest.importorskip("psycopg", reason="the extra 'postgres' is not installed")
    other = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []  # it refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="bakeoff-pg-"))
    if other:
        shutil.chown(folder, "postgres")

    def run(tool: str, *words: str) -> None:
        command = [*other, str(in_database[-1].parent / tool), "-D", str(folder / "data"), *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)

    run("initdb", "--auth=trust", "--username=tuner", "--no-sync")
    options = f"-k {folder} -c listen_addresses= -c fsync=off"
    try:
        run("pg_ctl", "start", "--wait", "--log", str(folder / "log"), "--options", options)
        yield f"postgresql://tuner@/postgres?host={folder}"
    finally:
        run("pg_ctl", "stop", "--mode=immediate")
        shutil.rmtree(folder)


def slow(cell: Cell, url: str, wait: float = 0.1) -> Cell:
    model = {**cell.model, "build": {**cell.model_build, "wait": wait}}
    return with_tuning(replace(cell, model=model), storage=url, trials=16)


def test_sqlite_gives_what_the_journal_gives(cell: Cell, tmp_path: Path) -> None:
    in_journal = tune(cell, split_of(cell), Store(tmp_path / "a"))
    database = with_tuning(cell, storage=f"sqlite:///{tmp_path / 'studies.db'}")
    assert timeless(tune(database, split_of(database), Store(tmp_path / "b"))) == timeless(in_journal)


@pytest.mark.slow
def test_postgresql_gives_what_the_journal_gives(cell: Cell, tmp_path: Path, server: str) -> None:
    for sampler in ("tpe", "qmc"):
        tuned = with_tuning(
            cell, sampler=sampler, objectives=["ndcg@5", "novelty@5"] if sampler == "qmc" else []
        )
        check(with_tuning(tuned, storage=server))
        in_journal = tune(tuned, split_of(tuned), Store(tmp_path / "a"))
        in_database = tune(with_tuning(tuned, storage=server), split_of(tuned), Store(tmp_path / "b"))
        assert timeless(in_database) == timeless(in_journal)
    assert not (tmp_path / "b" / "studies").exists()


@pytest.mark.slow
@pytest.mark.parametrize("where", ["sqlite", "postgresql"])
def test_two_processes_on_one_database_spend_one_budget(
    cell: Cell, tmp_path: Path, where: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("server") if where == "postgresql" else f"sqlite:///{tmp_path / 's.db'}"
    tuned = slow(cell, url)
    children = [Child(tuned, tmp_path) for _ in range(2)]
    records = [child.result() for child in children]
    assert records[0] == records[1] and len(records[0].trials) == 16
    fitted = [str(t.parameters) for t in records[0].trials if not t.from_memory]
    assert len(fitted) == len(set(fitted))


@pytest.mark.slow
def test_a_study_on_postgresql_goes_on_after_a_kill(cell: Cell, tmp_path: Path, server: str) -> None:
    import psycopg

    def finished() -> int:
        with psycopg.connect(server) as connection:
            count = (
                "select count(*) from trials join studies using (study_id) where study_name=%s and state=%s"
            )
            row = connection.execute(count, (tuned.key, "COMPLETE")).fetchone()
            return int(row[0]) if row else 0

    tuned = slow(cell, server, wait=0.11)  # another key than above: a study of its own
    undisturbed = tune(with_tuning(tuned, storage=None), split_of(tuned), Store(tmp_path))
    for goal in (2, 5, 9):
        child = Child(tuned, tmp_path)
        while child.poll() is None and finished() < goal:
            time.sleep(0.02)
        child.kill()
    assert timeless(tune(tuned, split_of(tuned), Store(tmp_path))) == timeless(undisturbed)


def test_a_driver_that_is_missing_is_named_with_its_extra(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match=r"needs the package 'psycopg'; pip install 'bakeoff\[postgres\]'"):
        check(with_tuning(cell, storage="postgresql://tuner@db/studies"))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("studies.db", r"tune\.storage='studies\.db': expected null or the URL of a database"),
        ("oracel://x", r"tune\.storage='oracel://x': expected null or the URL"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused(cell: Cell, url: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        check(with_tuning(cell, storage=url))


def test_a_database_that_cannot_be_reached_is_said_in_one_line(cell: Cell, tmp_path: Path) -> None:
    away = with_tuning(cell, storage=f"sqlite:///{tmp_path}/none/studies.db")
    with pytest.raises(UsageError, match=r"cannot be used \(unable to open database file\)") as caught:
        tune(away, split_of(away), Store(tmp_path))
    assert "\n" not in str(caught.value)
