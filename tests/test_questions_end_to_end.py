"""The verbs that ask about an experiment, through the real command line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from bakeoff.cli import main
from bakeoff.run.cell import Cell, with_content_hashes
from bakeoff.run.runner import EvaluationSpec, Workspace, run_cell
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.record import CellRequest
from bakeoff.storage.store import Store
from conftest import Bakeoff

WORDS = ("dataset=blocks", "model=ease,by_item", "depth=8", "k=[3]", "name=e")


@pytest.mark.slow
def test_models_are_kept_asked_and_verified(bakeoff: Bakeoff, tmp_path: Path) -> None:
    assert bakeoff("run", *WORDS).returncode == 0
    answer = bakeoff("recommend", "e", "--items", "i002,i004", "k=3")
    assert answer.returncode == 0 and "ease: no list; its model was not saved" in answer.stdout
    planned = bakeoff("plan", *WORDS, "save_model=true")
    assert planned.stdout.count("refit: no model") == 4  # two baselines among them
    before = (tmp_path / "results/e/metrics.csv").read_bytes()
    ran = bakeoff("run", *WORDS, "save_model=true")
    assert ran.returncode == 0 and (tmp_path / "results/e/metrics.csv").read_bytes() == before
    assert "ByItem has no state() and restore()" in (tmp_path / "results/e/report.md").read_text()
    assert "refit" not in bakeoff("plan", *WORDS, "save_model=true").stdout

    answer = bakeoff("recommend", "name=e", "--items=i002,i004", "k=3", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(answer.stdout)))
    assert [r["rank"] for r in rows if r["model"] == "ease"] == ["1", "2", "3"]
    assert bakeoff("recommend", "e", "--similar-to", "i003", "--to", "a.json").returncode == 0
    document = json.loads((tmp_path / "a.json").read_text())
    assert {m["model"]: bool(m["items"]) for m in document["models"]} == {
        "ease": True, "by_item": False, "popularity": False, "random": False,
    }  # fmt: skip
    shown = bakeoff("recommend", "e", "--user", "u001", "k=3")
    assert shown.returncode == 0 and "a hit: one of the" in shown.stdout

    verified = bakeoff("verify", "e", "references=[]")
    assert verified.returncode == 0 and "All numbers agree to 1e-9" in verified.stdout


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("recommend", "e"), "recommend: expected one of --user ID, --items A,B,C and --similar-to ITEM"),
        (("recommend", "e", "--user", "u", "--items", "i"), "recommend: expected one of --user"),
        (("recommend", "e", "--user", "u999"), "user 'u999': not in the train part of blocks"),
        (("recommend", "e", "--user", "u001", "k=0"), "k=0: expected a whole number >= 1"),
        (("recommend", "e", "--user", "u001", "k=9"), "k=9 is larger than depth=8"),
        (("recommend", "e", "--user", "u001", "models=eas"), "model 'eas': did you mean 'ease'"),
        (("recommend", "e", "--user", "u001", "--to", "a.txt"), "format='txt'"),
        (("recommend", "nope", "--user", "u001"), "no experiment 'nope'"),
        (("verify", "nope"), "no experiment 'nope'"),
        (("verify", "e", "references=[ranks]"), "references=ranks: did you mean 'ranx'"),
        (("verify", "e", "reference=[]"), "'reference=[]' is not an option; did you mean 'references'"),
    ],
)
def test_what_cannot_be_asked_is_one_line_and_exit_code_2(
    stored: Path, words: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, f"results_dir={stored}"]) == 2
    message = capsys.readouterr().err
    assert line in message and message.count("\n") == 1


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of one experiment."""
    folder = tmp_path_factory.mktemp("stored")
    store = Store(folder / "store")
    cell = with_content_hashes(
        Cell(
            dataset={"_target_": "toys.Blocks", "name": "blocks"},
            split={"_target_": "bakeoff.splits.per_user.Random", "name": "random", "ratio": 0.8},
            model={"name": "ease", "build": {"_target_": "bakeoff.models.linear.EASE"}},
            depth=8,
        )
    )
    run_cell(
        cell, Workspace(store), EvaluationSpec((3,), {"ndcg": "bakeoff.evaluation.ranking.ndcg"}), debug=True
    )
    Experiment("e", (CellRequest(cell.key, cell),)).write(folder / "e")
    return folder


@pytest.mark.slow
def test_a_number_that_was_changed_is_found(bakeoff: Bakeoff, tmp_path: Path) -> None:
    assert bakeoff("run", *WORDS).returncode == 0
    table = tmp_path / "results/e/metrics.csv"
    lines = table.read_text().splitlines()
    at = next(n for n, line in enumerate(lines) if ",ease," in line and ",3,ndcg,0." in line)
    lines[at] = lines[at].replace(",3,ndcg,0.", ",3,ndcg,1.")
    table.write_text("\n".join(lines) + "\n")
    verified = bakeoff("verify", "e", "references=[]")
    assert verified.returncode == 1
    assert "ease on blocks, split random, split_seed 42, seed 1" in verified.stdout
    assert "ndcg@3: metrics.csv says 1." in verified.stdout and "in 1 cell and 1 file." in verified.stdout
