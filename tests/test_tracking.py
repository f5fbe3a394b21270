"""Cells reach a real MLflow server, once each; a server that fails loses none of them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bakeoff import tracking
from bakeoff.errors import ConfigError
from bakeoff.run.cell import Cell
from bakeoff.secret import SecretUrl
from bakeoff.storage.record import CellRequest, Measurement, Record
from conftest import Bakeoff

GRID = ("dataset=blocks", "model=by_item,refuses", "split=random", "k=[2,4]", "depth=8", "name=tracked")
NOWHERE = "http://127.0.0.1:9"  # the port of `discard`, on which nobody listens here

CELL = Cell(
    dataset={"_target_": "toys.Blocks", "name": "blöcke"},
    split={"_target_": "bakeoff.splits.per_user.Random", "name": "random"},
    model={"name": "als", "build": {"_target_": "toys.ByItem"}},
)
RECORD = Record(
    key="c0",
    status="done",
    reason="",
    cell=CELL,
    parameters={"factors": 8, "weights": "none", "wide@": [1, 2]},
    metrics={
        "ndcg": {"5": Measurement(0.25, 0.01), "10": Measurement(0.5, None)},
        "auc": {"": Measurement(0.75, 0.02)},
        "my@metric": {"5": Measurement(1.0, None)},
    },
    seconds={"fit": 1.5},
    peak_mb=12.0,
    training_loss=(0.5, 0.25),
    started="2024-01-02T03:04:05+00:00",
)


def test_metrics_have_a_name_for_each_cutoff_and_steps() -> None:
    logged = {(name, step): value for name, value, step in tracking.metrics(RECORD)}
    assert logged[("ndcg_at_5", 5)] == 0.25 and logged[("ndcg_at_10", 10)] == 0.5
    assert logged[("ndcg_at_5_stderr", 5)] == 0.01 and ("ndcg_at_10_stderr", 10) not in logged
    assert logged[("auc", 0)] == 0.75 and logged[("fit_seconds", 0)] == 1.5 and logged[("peak_mb", 0)] == 12.0
    assert (logged[("training_loss", 1)], logged[("training_loss", 2)]) == (0.5, 0.25)
    assert logged[("my_metric_at_5", 5)] == 1.0  # an @ is no letter of MLflow's


def test_parameters_are_coordinates_and_hyperparameters() -> None:
    logged = dict(tracking.params(CellRequest("c0", CELL), RECORD))
    assert (logged["dataset"], logged["model"], logged["seed"]) == ("blöcke", "als", "1")
    assert (logged["model.factors"], logged["model.wide_"]) == ("8", "[1, 2]")
    assert "variant" not in logged and "fold" not in logged
    long = replace(RECORD, parameters={"x": "y" * 10_000})
    assert len(dict(tracking.params(CellRequest("c0", CELL), long))["model.x"]) == 5000


def test_a_missing_mlflow_is_an_error_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mlflow", "mlflow.tracking"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=r"pip install 'bakeoff\[mlflow\]'"):
        tracking.check(SecretUrl("http://host:5000"))
    tracking.check(None)


def test_a_failure_is_told_without_the_password_and_ends_the_work() -> None:
    tracker = tracking.Tracker(SecretUrl("http://me:hunter2@host"), "x")

    def fails() -> None:
        raise OSError("cannot reach\nhttp://me:hunter2@host")

    tracker._connect = fails  # type: ignore[method-assign]
    tracker.cell(CellRequest("c0", CELL), RECORD)
    summary = tracker.summary()
    assert (
        "cannot reach http" in summary
        and "every result is stored" in summary
        and "report x mlflow=" in summary
    )
    assert "hunter2" not in summary and "\n" not in summary
    tracker._connect = lambda: pytest.fail("it tried again")  # type: ignore[method-assign]
    tracker.cell(CellRequest("c0", CELL), RECORD)


def _behind(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            _behind(
                RuntimeError("HTTPConnectionPool " * 20), ConnectionRefusedError(111, "Connection refused")
            ),
            "Connection refused",
        ),
        (ValueError("no such\nexperiment. See the page."), "ValueError: no such experiment"),
        (ValueError("word " * 90), f"ValueError: {'word ' * 20}word ..."),
    ],
)
def test_a_failure_is_told_in_a_few_whole_words(error: Exception, message: str) -> None:
    def fails() -> None:
        raise error

    tracker = tracking.Tracker(SecretUrl("http://host"), "x")
    tracker._connect = fails  # type: ignore[method-assign]
    tracker.cell(CellRequest("c0", CELL), RECORD)
    assert tracker.failure == message


@pytest.mark.parametrize("listening", [False, True], ids=["nobody listens", "nobody answers"])
def test_a_dead_server_is_given_up_within_seconds(listening: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "_SECONDS_TO_ANSWER", 0.2)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if listening:
            server.listen()
        tracker = tracking.Tracker(SecretUrl(f"http://me:hunter2@127.0.0.1:{server.getsockname()[1]}"), "x")
        start = time.monotonic()
        tracker.cell(CellRequest("c0", CELL), RECORD)
        assert time.monotonic() - start < 10
    assert tracker.failure and "hunter2" not in tracker.summary()


# -- a real server -------------------------------------------------------------------------------


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an MLflow server on SQLite, in a folder of its own."""
    if find_spec("mlflow") is None or find_spec("flask") is None or find_spec("aiohttp") is None:
        pytest.skip("an MLflow server is not installed (constraints/test-oracles.txt)")
    folder, port = tmp_path_factory.mktemp("mlflow"), _free_port()
    command = [
        *(
            sys.executable,
            "-m",
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--workers",
            "1",
        ),
        *(
            "--backend-store-uri",
            f"sqlite:///{folder / 'mlflow.db'}",
            "--artifacts-destination",
            str(folder / "art"),
        ),
    ]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", process, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        _end(process)


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    raise AssertionError(f"the MLflow server did not start:\n{log.read_text()[-3000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server and the workers it has started: they are its process group."""
    os.killpg(process.pid, 15)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait(20)


def ask(server: str, path: str, **body: Any) -> Any:
    """MLflow's own REST interface, without its client."""
    request = urllib.request.Request(
        f"{server}/api/2.0/mlflow/{path}",
        json.dumps(body).encode() if body else None,
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def runs_of(server: str, name: str, view: str = "ACTIVE_ONLY") -> dict[str, list[dict[str, Any]]]:
    """The runs of an experiment by the key of their cell, "" for the experiment's own."""
    experiments = ask(server, "experiments/search", max_results=100)["experiments"]
    (experiment_id,) = [e["experiment_id"] for e in experiments if e["name"] == name]
    by_key: dict[str, list[dict[str, Any]]] = {}
    for run in ask(server, "runs/search", experiment_ids=[experiment_id], run_view_type=view).get("runs", []):
        tags = {t["key"]: t["value"] for t in run["data"]["tags"]}
        message = {
            "status": run["info"]["status"],
            "tags": tags,
            "metrics": {m["key"]: m["value"] for m in run["data"].get("metrics", [])},
            "steps": {m["key"]: int(m["step"]) for m in run["data"].get("metrics", [])},
            "params": {p["key"]: p["value"] for p in run["data"].get("params", [])},
            "id": run["info"]["run_id"],
        }
        by_key.setdefault(tags.get("bakeoff.key", ""), []).append(message)
    return by_key


@pytest.mark.slow
def test_every_cell_is_logged_once_with_its_numbers(server: str, bakeoff: Bakeoff, tmp_path: Path) -> None:
    first = bakeoff("run", *GRID, f"mlflow={server}")
    assert first.returncode == 0, first.stderr
    assert "4 cells logged now" in first.stderr
    logged = runs_of(server, "tracked")
    records = {p.parent.name: json.loads(p.read_text()) for p in tmp_path.rglob("record.json")}
    assert set(logged) == {"", *records}
    assert all(len(runs) == 1 for runs in logged.values())
    for key, record in records.items():
        (run,) = logged[key]
        assert run["tags"]["bakeoff.status"] == record["status"]
        assert run["tags"]["mlflow.parentRunId"] == logged[""][0]["id"]
        assert run["status"] == "FINISHED"
        for metric, by_k in record["metrics"].items():
            for k, (value, _) in by_k.items():
                name = f"{metric}_at_{k}" if k else metric
                assert (run["metrics"][name], run["steps"][name]) == (value, int(k or 0))
    (refused,) = [r for r in records.values() if r["status"] == "skipped"]
    assert "needs item features" in logged[refused["key"]][0]["tags"]["bakeoff.reason"]

    again = bakeoff("run", *GRID, f"mlflow={server}")
    assert again.returncode == 0 and "0 cells logged now" in again.stderr
    unchanged = runs_of(server, "tracked")
    assert {k: r for k, r in unchanged.items() if k} == {k: r for k, r in logged.items() if k}
    assert len(unchanged[""]) == 1  # its files are others: what is skipped is tried again, in other seconds

    more = bakeoff("run", *GRID, "k=[2,4,6]", f"mlflow={server}")
    assert more.returncode == 0, more.stderr
    changed = runs_of(server, "tracked")
    assert all(len(runs) == 1 for runs in changed.values())
    assert any("ndcg_at_6" in run["metrics"] for (run,) in changed.values())
    gone = runs_of(server, "tracked", "DELETED_ONLY")
    assert sum(map(len, gone.values())) == 3  # the three that have more numbers now; the skip is as it was

    listed = ask(server, f"artifacts/list?run_id={logged[''][0]['id']}")["files"]
    assert {"report.html", "report.md", "metrics.csv"} <= {f["path"] for f in listed}


@pytest.mark.slow
def test_what_could_not_be_logged_is_logged_later(server: str, bakeoff: Bakeoff, tmp_path: Path) -> None:
    words = ("dataset=blocks", "model=by_item", "k=[2]", "depth=8", "name=later")
    offline = bakeoff("run", *words, f"mlflow={NOWHERE}")
    assert offline.returncode == 0, offline.stderr
    assert offline.stderr.count("\n") == 1, offline.stderr
    assert "failed" in offline.stderr and "every result is stored" in offline.stderr
    assert len(list(tmp_path.rglob("record.json"))) == 3
    later = bakeoff("report", "later", f"mlflow={server}")
    assert later.returncode == 0 and "3 cells logged now" in later.stderr
    assert len(runs_of(server, "later")) == 4


@pytest.mark.slow
def test_a_database_needs_no_server(bakeoff: Bakeoff, tmp_path: Path) -> None:
    if find_spec("mlflow") is None:
        pytest.skip("mlflow is not installed")
    words = (
        "dataset=blocks",
        "model=by_item",
        "k=[2]",
        "depth=8",
        "mlflow=sqlite:///mlflow.db",
        "name=local",
    )
    for expected in ("3 cells logged now", "0 cells logged now"):
        done = bakeoff("run", *words)
        assert done.returncode == 0 and expected in done.stderr
    assert (tmp_path / "mlflow.db").exists()
