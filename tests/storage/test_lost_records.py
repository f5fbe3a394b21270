"""What the commands say of cells whose record is damaged, or is not in the store."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from bakeoff import cli
from conftest import HERE

WORDS = ("dataset=blocks", "model=by_item,shuffled", "split=random", "k=[3]", "depth=10", "baselines=[]")
METRICS = "metrics=[ndcg]"


def grid(verb: str) -> int:
    return cli.main([verb, f"--config-dir={HERE / 'conf'}", *WORDS])


def cells() -> dict[str, dict[str, str]]:
    with Path("results/blocks/cells.csv").open(newline="", encoding="utf-8") as file:
        return {row["model"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as here:
        here.chdir(folder)
        assert grid("run") == 0
    return folder


@pytest.fixture
def record(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The record of one of two cells of a copied store, which is the working directory's."""
    shutil.copytree(finished / "results", tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    return Path("results/store/cells") / cells()["shuffled"]["key"] / "record.json"


def damage(record: Path) -> None:
    record.write_text(record.read_text()[:200])


def test_a_plan_names_a_damaged_record_and_a_run_makes_it_anew(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = json.loads(record.read_text())
    damage(record)
    assert grid("plan") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{record}: not JSON" in shown and "the cell will run again" in shown
    assert "2 cells: 1 stored, 1 to run" in shown
    assert grid("run") == 0
    (line,) = [one for one in capsys.readouterr().err.splitlines() if "not JSON" in one]
    assert line.startswith(f"bakeoff: {record}: not JSON") and line.endswith(
        "it is set aside and the cell is run again"
    )
    assert json.loads(record.read_text())["metrics"] == whole["metrics"]


def test_a_report_tells_of_a_damaged_record_and_keeps_the_others(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(record)
    assert cli.main(["report", "blocks", METRICS]) == 0
    by_model = cells()
    assert (by_model["by_item"]["status"], by_model["shuffled"]["status"]) == ("done", "missing")
    assert (
        str(record) in by_model["shuffled"]["reason"]
        and "run its command again" in by_model["shuffled"]["reason"]
    )
    assert "shuffled: missing" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ("compare", "by_item", "shuffled", "name=blocks"),
        ("recommend", "blocks", "--user", "u001"),
        ("export", "blocks", "--to", "out"),
    ],
)
def test_the_other_commands_end_with_one_line_that_names_the_file(
    record: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    damage(record)
    assert cli.main(list(words)) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"bakeoff: {record}: not JSON (") and message.count("\n") == 1
    assert "run its command again" in message
    assert not Path("out").exists()


def test_a_report_says_of_a_cell_that_is_not_stored_that_it_is_missing_not_that_it_failed(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(record.parent)
    assert cli.main(["report", "blocks", METRICS]) == 0
    row = cells()["shuffled"]
    assert (row["status"], row["reason"][:33]) == ("missing", "not stored: run its command again")
    assert "shuffled: missing: not stored" in capsys.readouterr().out
    folder = Path("results/blocks")
    assert "1 done, 0 skipped, 0 failed, 1 missing" in (folder / "report.md").read_text()
    assert row["reason"][:33] in (folder / "report.html").read_text()
    assert not record.exists(), "a report stores nothing of what it has not"


def test_a_report_of_damaged_records_alone_leaves_the_folder_as_it_is(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path("results/blocks/metrics.csv").read_bytes()
    damage(record)
    shutil.rmtree(Path("results/store/cells") / cells()["by_item"]["key"])
    assert cli.main(["report", "blocks", METRICS]) == 2
    assert f"bakeoff: {record}: not JSON" in capsys.readouterr().err
    assert Path("results/blocks/metrics.csv").read_bytes() == before


def test_a_run_does_not_write_over_numbers_that_the_store_no_longer_has(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree("results/store")
    before = {p.name: p.read_bytes() for p in Path("results/blocks").iterdir() if p.is_file()}
    other = [f"--config-dir={HERE / 'conf'}", *WORDS, "seed=7"]
    for verb in ("plan", "run"):
        assert cli.main([verb, *other, "model=shuffled"]) == 2
        message = capsys.readouterr().err
        assert "numbers of 2 cells that results/store does not have" in message and message.count("\n") == 1
    assert {p.name: p.read_bytes() for p in Path("results/blocks").iterdir() if p.is_file()} == before
    assert grid("run") == 0  # the same cells again: nothing is lost
    assert {name: row["status"] for name, row in cells().items()} == dict.fromkeys(cells(), "done")
    shutil.rmtree("results/store")
    assert cli.main(["run", *other, "model=shuffled", "fresh=true"]) == 0
    assert list(cells()) == ["shuffled"]
