"""Import paths of configurations, and errors that users' code raises."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bakeoff import cli
from bakeoff.errors import ConfigError, DataError, Unsupported
from bakeoff.evaluation.catalogue import resolve
from bakeoff.evaluation.measure import measure
from bakeoff.importing import import_object, user_code_errors
from evaluation.made_inputs import at_random

Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a module into the working directory, which is not on `sys.path`, as for a console script."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])

    def module(name: str, code: str) -> None:
        (tmp_path / f"{name}.py").write_text(code)

    return module


BROKEN = {
    "raises": (
        "import os\nraise RuntimeError('no licence')\n",
        "RuntimeError: no licence (broken_raises.py, line 2)",
    ),
    "syntax": ("x = 1\ndef broken(:\n    pass\n", "(broken_syntax.py, line 2)"),
    "exits": ("import sys\nsys.exit(3)\n", "SystemExit: 3 (broken_exits.py, line 2)"),
    "needs": ("import no_such_library\n", "No module named 'no_such_library'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_module_that_breaks_when_imported_is_one_line_with_its_location(name: str, write: Write) -> None:
    code, expected = BROKEN[name]
    write(f"broken_{name}", code)
    with pytest.raises(ConfigError) as error:
        resolve({"mine": f"broken_{name}.mine"})
    message = str(error.value)
    assert message.startswith(f"metrics.mine='broken_{name}.mine': ")
    assert expected in message and "\n" not in message


@pytest.mark.parametrize("name", ["raises", "exits"])
def test_a_run_with_a_metric_whose_module_breaks_ends_with_code_2(
    name: str, write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(f"run_{name}", BROKEN[name][0])
    (tmp_path / "mine" / "metrics").mkdir(parents=True)
    (tmp_path / "mine/metrics/own.yaml").write_text(f"own: run_{name}.own\n")
    assert cli.main(["run", "--config-dir", "mine", "metrics=own"]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert f"run_{name}.py, line 2" in shown.err
    assert not (tmp_path / "results").exists()


def test_a_module_in_the_working_directory_is_found(write: Write) -> None:
    write("beside", "class Thing: ...\n")
    assert import_object("beside.Thing", "model.build._target_").__name__ == "Thing"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("nowhere.Thing", "cannot import 'nowhere'"),
        ("toys.ByItm", "toys has no 'ByItm'; did you mean 'ByItem'"),
        ("Thing", "expected an import path"),
    ],
)
def test_an_import_path_that_leads_nowhere_is_refused(path: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as error:
        import_object(path, "model.build._target_")
    assert str(error.value).startswith(f"model.build._target_={path!r}: ")


METRIC = """
from bakeoff.evaluation.metric import metric


@metric()
def divides(inputs, ks):
    return 1 / 0


@metric()
def narrow(inputs, ks):
    return [0.0]
"""


@pytest.mark.parametrize(("name", "expected"), [("divides", "line 7"), ("narrow", "(1,), expected (1, 40)")])
def test_a_metric_that_breaks_is_named_with_what_is_wrong(name: str, expected: str, write: Write) -> None:
    write("own_metrics", METRIC)
    with pytest.raises(ConfigError) as error:
        measure(at_random(0), resolve({"mine": f"own_metrics.{name}"}), [5])
    assert f"metrics.mine: own_metrics.{name} " in str(error.value)
    assert expected in str(error.value)


def test_only_errors_of_users_code_are_converted() -> None:
    with (
        pytest.raises(DataError, match=r"dataset: own\.Source breaks: KeyError"),
        user_code_errors("own.Source", "dataset", DataError),
    ):
        {}["x"]
    with pytest.raises(SystemExit), user_code_errors("bakeoff.x", "dataset"):
        sys.exit(1)
    with pytest.raises(Unsupported), user_code_errors("own.Source", "dataset"):
        raise Unsupported("needs timestamps")
    with pytest.raises(KeyboardInterrupt), user_code_errors("own.Source", "dataset"):
        raise KeyboardInterrupt


def test_a_report_with_a_metric_that_breaks_ends_with_code_2(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write("report_raises", BROKEN["raises"][0])
    write("report_metrics", METRIC)
    small = ("dataset.n_users=40", "dataset.n_items=60", "dataset.n_rows=600", "model=popularity")
    words = ("run", *small, "baselines=[]", "k=[1,12]", "metrics=ndcg,recall", "name=lab")
    assert cli.main(words) == 0
    with (tmp_path / "results/lab/metrics.csv").open(encoding="utf-8", newline="") as file:
        rows = {(row["metric"], row["k"]) for row in csv.DictReader(file)}
    assert rows == {("ndcg", "1"), ("ndcg", "12"), ("recall", "1"), ("recall", "12")}
    assert "k = 12" in capsys.readouterr().out, "the cutoff nearest to 10, as on the page"
    for path, location in (
        ("report_raises.x", "report_raises.py, line 2"),
        ("report_metrics.divides", "report_metrics.py, line 7"),
    ):
        assert cli.main(["report", "lab", f"metrics={path}"]) == 2
        shown = capsys.readouterr()
        assert (shown.out, shown.err.count("\n")) == ("", 1)
        assert location in shown.err
