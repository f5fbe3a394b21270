"""What people read is held to the store: files are made again, and hashes followed from the source on."""

from __future__ import annotations

import base64
import csv
import io
import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from bakeoff import cli
from bakeoff.report import document
from bakeoff.report.render.html import deflated
from bakeoff.storage.store import Manifest, read_json, write_array, write_json
from bakeoff.verify.chain import LINKS

LAB = (
    *("dataset=csv", "dataset.path=plays.csv", "dataset.value=n", "depth=10", "k=[5]", "name=lab"),
    *("metrics=ndcg,recall", "model=als", "model.build.factors=4", "model.build.iterations=2"),
    *("tune=none,optuna", "tune.trials=1", "tune.metric=ndcg@5"),
)
Verify = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    rng = np.random.default_rng(0)
    pairs = sorted({(int(u), int(i)) for u, i in rng.integers(0, 30, (600, 2))})
    rows = "".join(f"u{u},i{i},{1 + (u + i) % 3}\n" for u, i in pairs)
    (folder / "plays.csv").write_text(f"user,item,n\n{rows}")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert cli.main(["run", *LAB, "-q"]) == 0
    return folder


@pytest.fixture
def lab(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The experiment's folder, to tamper with."""
    shutil.copytree(original, tmp_path / "lab")
    monkeypatch.chdir(tmp_path / "lab")
    return tmp_path / "lab" / "results" / "lab"


@pytest.fixture
def verify(lab: Path, capsys: pytest.CaptureFixture[str]) -> Verify:
    """Return the exit code of `verify lab` and its answer."""

    def answer(*words: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = cli.main(["verify", "lab", "references=[]", "--format", "json", *words])
        return code, json.loads(capsys.readouterr().out)

    return answer


def replace(path: Path, old: str, new: str) -> int:
    """Replace the first occurrence in a file, and return the number of its line."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def store_folder(kind: str) -> Path:
    return next(Path("results/store", kind).iterdir())


def test_an_untouched_experiment_agrees_from_end_to_end(verify: Verify, lab: Path) -> None:
    code, answer = verify("--trust")
    assert code == 0 and answer["faults"] == [] and answer["not_checked"] == {}
    written = {path.relative_to(lab).as_posix() for path in lab.rglob("*") if path.is_file()}
    assert set(answer["files"]) == written - {"experiment.json"}
    assert set(answer["files"].values()) == {"as made again"}
    assert answer["n_chains"] == answer["n_cells"] == 4


@pytest.mark.parametrize("name", ["report.md", "report.html", "report.tex"])
def test_one_digit_of_a_report_is_named_by_file_and_line(name: str, lab: Path, verify: Verify) -> None:
    text = (lab / name).read_text(encoding="utf-8")
    value = next(f".{n:04d}" for n in range(1, 9999) if f".{n:04d}" in text.partition("als")[2])
    line = replace(lab / name, value, ".9990" if value != ".9990" else ".9991")
    code, answer = verify()
    (fault,) = answer["faults"]
    assert code == 1 and fault["label"] == name and fault["key"] == ""
    assert fault["message"].startswith(f"line {line} ") and ".999" in fault["message"]
    assert value in fault["message"] and "changed since it was written" in fault["message"]


def test_a_number_of_the_charts_is_named(lab: Path, verify: Verify) -> None:
    html = (lab / "report.html").read_text(encoding="utf-8")
    data = html.partition('id="data">')[2].partition("</script>")[0]
    plain = zlib.decompress(base64.b64decode(data)).decode()
    digits = next(part for part in plain.split("0.")[1:] if part[:4].isdigit())[:4]
    (lab / "report.html").write_text(html.replace(data, deflated(plain.replace(f"0.{digits}", "0.9876", 1))))
    code, answer = verify()
    assert code == 1 and [fault["label"] for fault in answer["faults"]] == ["report.html"]
    chart = next(lab.glob("charts/*.svg"))
    replace(chart, "als", "sla")
    labels = {fault["label"] for fault in verify()[1]["faults"]}
    assert labels == {"report.html", chart.relative_to(lab).as_posix()}


@pytest.mark.parametrize("name", ["metrics", "cells", "tuning"])
def test_each_value_of_a_table_is_held_to_the_records(name: str, lab: Path, verify: Verify) -> None:
    path = lab / f"{name}.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    for column, values in enumerate(zip(*rows[1:], strict=True), 0):
        changed = [list(row) for row in rows]
        changed[1][column] = values[0] + "1"
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(changed)
        path.write_text(text.getvalue(), encoding="utf-8")
        if column % 4 == 1 or rows[0][column] == "parameters":  # each fourth: a check takes a second
            faults = [fault for fault in verify()[1]["faults"] if fault["label"] == f"{name}.csv"]
            assert any(f"line 2, {rows[0][column]} of cell" in fault["message"] for fault in faults)


def test_a_parquet_file_and_rows_left_out(lab: Path, verify: Verify) -> None:
    table = parquet.read_table(lab / "cells.parquet")
    at = table.column_names.index("parameters")
    changed = [text.replace('"factors": 4', '"factors": 128') for text in table["parameters"].to_pylist()]
    parquet.write_table(table.set_column(at, "parameters", [changed]), lab / "cells.parquet")
    text = (lab / "tuning.csv").read_text().splitlines(keepends=True)
    (lab / "tuning.csv").write_text(text[0])
    messages = {fault["label"]: fault["message"] for fault in verify()[1]["faults"]}
    assert set(messages) == {"cells.parquet", "tuning.csv"}
    assert "parameters" in messages["cells.parquet"] and '"factors": 128' in messages["cells.parquet"]
    assert messages["tuning.csv"].startswith("0 rows, the store has 1")


def test_a_file_that_is_gone_is_a_difference(lab: Path, verify: Verify) -> None:
    for name in ("report.md", "cells.parquet", "cells.csv"):
        (lab / name).unlink()
    code, answer = verify()
    assert code == 1
    assert {fault["label"] for fault in answer["faults"]} == {"report.md", "cells.parquet", "cells.csv"}


class TestAnotherVersion:
    """A report of another version cannot be made again; its own digest tells whether it was changed."""

    @pytest.fixture(autouse=True)
    def upgraded(self, lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("bakeoff.report.proof.writer", lambda: "bakeoff 99")

    def test_is_not_called_changed(self, verify: Verify) -> None:
        code, answer = verify()
        assert code == 0 and "bakeoff 99" in answer["not_checked"]["the text of the report"]

    @pytest.mark.parametrize("name", ["report.md", "report.html", "report.tex"])
    def test_is_called_changed_if_it_was(self, name: str, lab: Path, verify: Verify) -> None:
        replace(lab / name, "als", "sla")
        code, answer = verify()
        assert code == 1 and [fault["label"] for fault in answer["faults"]] == [name]

    def test_without_a_record_of_the_report_tables_are_compared(self, lab: Path, verify: Verify) -> None:
        stored = json.loads((lab / "experiment.json").read_text())
        write_json(lab / "experiment.json", {**stored, "report": None})
        code, answer = verify()
        assert code == 0 and "the report" in answer["not_checked"] and "cells.csv" in answer["files"]
        replace(lab / "cells.csv", '""factors"": 4', '""factors"": 128')
        assert [fault["label"] for fault in verify()[1]["faults"]] == ["cells.csv"]


def test_a_report_of_some_cells_is_compared_as_it_was_written(lab: Path, verify: Verify) -> None:
    assert cli.main(["report", "lab", "models=als", "metrics=recall", "statistics.test=wilcoxon", "-q"]) == 0
    code, answer = verify()
    labels = {fault["label"] for fault in answer["faults"]}
    assert code == 1 and not labels & set(answer["files"]), "the cells that it leaves out are named, no file"
    assert set(answer["files"].values()) == {"as made again"}


def test_the_foot_has_the_digest_and_the_links_of_every_cell(lab: Path) -> None:
    report = json.loads((lab / "experiment.json").read_text())["report"]
    assert len(report["chain"]) == 4 and all(len(links) == len(LINKS) for links in report["chain"].values())
    for name in ("report.md", "report.html"):
        text = (lab / name).read_text(encoding="utf-8")
        assert document.is_sealed(text) and not document.is_sealed(text.replace("als", "sla", 1))
        assert report["writer"] in text
        assert all(link in text for links in report["chain"].values() for link in links)


class TestBrokenLinks:
    def messages(self, answer: tuple[int, dict[str, Any]]) -> str:
        assert answer[0] == 1
        return "\n".join(fault["message"] for fault in answer[1]["faults"])

    def test_source_to_data(self, lab: Path, verify: Verify) -> None:
        replace(Path("plays.csv"), ",1\n", ",2\n")
        assert verify()[0] == 0 and "source -> data" in verify()[1]["not_checked"]
        assert "source -> data: dataset" in self.messages(verify("--trust"))

    def test_source_to_model(self, lab: Path, verify: Verify) -> None:
        stored = json.loads((lab / "experiment.json").read_text())
        for cell in stored["cells"]:
            cell["cell"]["model"]["build"].update({"factors": 8} if "factors" in str(cell) else {})
        write_json(lab / "experiment.json", stored)
        assert "source -> model: experiment.json configures" in self.messages(verify("--trust"))

    @pytest.mark.parametrize(("kind", "link"), [("data", "data -> split"), ("splits", "was computed on")])
    def test_arrays_of_another_content(self, kind: str, link: str, verify: Verify) -> None:
        """The manifest is made to fit, so that only what was computed from the arrays can tell."""
        folder = store_folder(kind)
        path = next(p for p in sorted(folder.glob("*.npy")) if np.load(p).dtype == np.float32)
        array = np.array(np.load(path))
        array[0] += 1
        write_array(path, array)
        manifest = read_json(folder / "manifest.json", Manifest)
        from bakeoff.hashing import file_hash

        files = {**manifest.files, path.name: file_hash(path)}
        write_json(folder / "manifest.json", Manifest(files, manifest.inputs))
        assert link in self.messages(verify())

    def test_parameters_and_numbers_of_a_record(self, lab: Path, verify: Verify) -> None:
        path = next(p for p in Path("results/store/cells").glob("*/record.json") if "ALS" in p.read_text())
        record = json.loads(path.read_text())
        record["parameters"]["factors"] = 128
        record["metrics"]["ndcg"]["5"][0] += 1e-12
        write_json(path, record)
        text = self.messages(verify())
        assert "model -> report: " in text and "numbers -> report: " in text
        assert '"factors": 128' in text and "as it was written: the store" in text


class TestFittedAgain:
    def test_the_same_lists(self, verify: Verify) -> None:
        code, answer = verify("--refit", "3")
        assert code == 0 and len(answer["refits"]) == 3
        assert {line.split()[2] for line in answer["refits"]} == {"als", "popularity", "random"}
        assert (
            verify("--refit", "2", "refit_seed=1")[1]["refits"]
            == verify("--refit", "2", "refit_seed=1")[1]["refits"]
        )

    def test_lists_of_other_parameters(self, verify: Verify) -> None:
        path = next(p for p in Path("results/store/cells").glob("*/record.json") if "ALS" in p.read_text())
        record = json.loads(path.read_text())
        record["parameters"]["iterations"] = 5
        write_json(path, record)
        messages = [fault["message"] for fault in verify("--refit", "4")[1]["faults"]]
        assert any("lists differ when it is fitted again (items, scores" in message for message in messages)
        record["environment"]["libraries"]["numpy"] = "numpy 1.0"
        write_json(path, record)
        answer = verify("--refit", "4")[1]
        assert any("numpy: then numpy 1.0" in line and "lists differ" in line for line in answer["refits"])
        assert not any("fitted again" in fault["message"] for fault in answer["faults"])

    def test_a_limit_of_time_and_a_class_of_ones_own(self, verify: Verify) -> None:
        code, answer = verify("--refit", "4", "time_limit=0.000001")
        assert code == 0 and answer["refits"] == [] and len(answer["not_checked"]) >= 4
        for path in Path("results/store/cells").glob("*/record.json"):
            record = json.loads(path.read_text())
            record["cell"]["model"]["build"]["_target_"] = "os.system"
            write_json(path, record)
        answer = verify("--refit", "4")[1]
        assert (
            answer["refits"] == [] and sum("--trust" in text for text in answer["not_checked"].values()) >= 4
        )
