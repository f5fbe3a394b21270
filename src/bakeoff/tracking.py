"""Log an experiment to MLflow: a run for each cell, below one run that carries the reports.

Results are stored before they are logged, so a server that fails loses none: the same command logs the rest.
A cell is logged once. One that has changed (a failure that ran again, new cutoffs) gets a new run, and the
old one is deleted, which MLflow can undo.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import textwrap
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bakeoff._version import __version__
from bakeoff.errors import ConfigError
from bakeoff.log import logger
from bakeoff.run.naming import cell_label, coordinates
from bakeoff.secret import SecretUrl, without_credentials
from bakeoff.storage.record import CellRequest, Record

FILES = ("report.html", "report.md", "report.tex", "metrics.csv", "cells.csv", "experiment.json")

_DIGEST = "bakeoff.digest"

_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # of its 7, which take minutes; the cells are stored anyway
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
"""What we ask of MLflow's client, where the user's own environment does not say otherwise."""


_SECONDS_TO_ANSWER = 4


def check(uri: SecretUrl | None) -> None:
    """Raise before anything runs if there is an address and nothing to log with.

    Raises:
        ConfigError: MLflow is not installed.
    """
    if uri is None:
        return
    try:
        with _as_asked():
            import mlflow.tracking  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"mlflow={uri}: MLflow is not installed ({error}): pip install 'bakeoff[mlflow]'"
        ) from error


@contextmanager
def _as_asked() -> Iterator[None]:
    """Configure MLflow's client for the time of a call, without its dependencies' warnings."""
    missing = [name for name in _QUIET if name not in os.environ]
    os.environ.update({name: _QUIET[name] for name in missing})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name in missing:
            os.environ.pop(name, None)


@dataclass
class Tracker:
    """What logs one experiment. Its first failure ends its work; `said` tells of it.

    Args:
        uri: of the MLflow server, or of a database.
        name: of the experiment, in MLflow too.
        failure: what went wrong, "" where nothing did.
        logged: cells that were logged now.
    """

    uri: SecretUrl
    name: str
    failure: str = ""
    logged: int = 0
    _client: Any = None
    _experiment: str = ""
    _parent: str = ""
    _digests: dict[str, dict[str, str]] = field(default_factory=dict)
    """Key of a cell, or "" for the experiment's own -> run -> digest of what it holds."""

    def cell(self, request: CellRequest, record: Record) -> None:
        """Log a cell, unless it is there as it is."""
        self._try(lambda: self._cell(request, record))

    def finish(self, results: Iterable[tuple[CellRequest, Record]], folder: Path) -> None:
        """Log what is not logged yet of the experiment, its files too, and report the outcome."""
        for request, record in results:
            if record.started or record.status == "skipped":  # else it has not run yet
                self.cell(request, record)
        self._try(lambda: self._reports(folder))
        logger.log(logging.WARNING if self.failure else logging.INFO, "%s", self.summary())

    def summary(self) -> str:
        """Return the outcome in one line."""
        where = f"MLflow at {self.uri}"
        if not self.failure:
            return f"{where}, experiment {self.name}: {self.logged} cells logged now"
        return (
            f"logging to {where} failed ({self.failure}): every result is stored; the same command, or "
            f"`bakeoff report {self.name} mlflow=...`, logs what is missing"
        )

    def _try(self, action: Callable[[], None]) -> None:
        """Call a function of MLflow and keep its failure for the summary: no cell is lost by it."""
        if self.failure:
            return
        try:
            with _as_asked():
                if self._client is None:
                    self._connect()
                action()
        except Exception as error:
            self.failure = without_credentials(_brief(error))

    def _connect(self) -> None:
        """Find or make the experiment and its own run, and see which cells are there."""
        from mlflow.tracking import MlflowClient

        _reach(str(self.uri))
        client = MlflowClient(tracking_uri=self.uri.reveal())
        experiment = client.get_experiment_by_name(self.name)
        self._experiment = (
            client.create_experiment(self.name) if experiment is None else experiment.experiment_id
        )
        token = None
        while True:
            runs = client.search_runs([self._experiment], max_results=1000, page_token=token)
            for run in runs:
                if KEY in run.data.tags:
                    of_key = self._digests.setdefault(run.data.tags[KEY], {})
                    of_key[run.info.run_id] = run.data.tags.get(_DIGEST, "")
            token = runs.token
            if not token:
                break
        if "" not in self._digests:
            tags = {KEY: "", "mlflow.source.name": "bakeoff"}
            made = client.create_run(self._experiment, tags=tags, run_name=self.name).info.run_id
            self._digests[""] = {made: ""}
        self._parent = next(iter(self._digests[""]))
        self._client = client

    def _cell(self, request: CellRequest, record: Record) -> None:
        from mlflow.entities import Metric, Param

        digest = _digest({name: value for name, value in record.as_json().items() if name in _CHANGES})
        before = self._digests.get(record.key, {})
        if digest in before.values():
            return
        start = int(datetime.fromisoformat(record.started).timestamp() * 1000) if record.started else None
        tags = {**_tags(request, record), "mlflow.parentRunId": self._parent}
        run = self._client.create_run(self._experiment, start, tags, cell_label(request.cell)).info.run_id
        points = [Metric(name, value, start or 0, step) for name, value, step in metrics(record)]
        for some in _chunks(points, 1000):
            self._client.log_batch(run, metrics=some)
        for some in _chunks([Param(*one) for one in params(request, record)], 100):
            self._client.log_batch(run, params=some)
        end = None if start is None else start + int(1000 * sum(record.seconds.values()))
        self._client.set_terminated(run, "FAILED" if record.status == "failed" else "FINISHED", end)
        self._client.set_tag(run, _DIGEST, digest)  # last: a run without it was never finished
        for old in before:
            self._client.delete_run(old)
        self._digests[record.key] = {run: digest}
        self.logged += 1

    def _reports(self, folder: Path) -> None:
        files = [folder / name for name in FILES if (folder / name).exists()]
        digest = _digest([hashlib.sha256(path.read_bytes()).hexdigest() for path in files])
        if self._digests[""][self._parent] == digest:
            return
        for path in files:
            self._client.log_artifact(self._parent, str(path))
        self._client.set_terminated(self._parent, "FINISHED")
        self._client.set_tag(self._parent, _DIGEST, digest)
        self._digests[""][self._parent] = digest


def _reach(address: str) -> None:
    """Raise OSError unless a server answers, whatever it says: MLflow's client tries for minutes."""
    if not address.startswith(("http://", "https://")):
        return
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(f"{address.rstrip('/')}/health", timeout=_SECONDS_TO_ANSWER).close()


def _brief(error: Exception) -> str:
    """Return the OS error message if an OSError is the cause, else the first sentence of the exception."""
    chain: list[BaseException] = [error]
    while (behind := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(behind)
    system = [e.strerror for e in chain if isinstance(e, OSError) and e.strerror]
    if system:
        return system[-1]
    first = " ".join(str(error).split()).partition(". ")[0]
    return textwrap.shorten(f"{type(error).__name__}: {first}", 120, placeholder=" ...")


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps([__version__, value], sort_keys=True).encode()).hexdigest()[:32]


def _chunks(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """So many in one request as MLflow takes."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


# -- what is logged of a cell -------------------------------------------------------------------------

KEY = "bakeoff.key"
"""The tag by which a cell's run is found again."""

_CHANGES = (
    *("key", "status", "reason", "cell", "parameters", "metrics", "absent", "n_users"),
    *("split_fingerprint", "notes", "training_loss"),
)
"""What of a record is worth another run when it changes: not when it ran, nor how long."""

_LONGEST, _LONGEST_NAME = 5000, 250
"""Letters of a value and of a name, below what every store of MLflow takes."""


def _tags(request: CellRequest, record: Record) -> dict[str, str]:
    commit = record.environment.git
    texts = {
        KEY: record.key,
        "bakeoff.status": record.status,
        "bakeoff.reason": record.reason,
        "bakeoff.split_fingerprint": record.split_fingerprint,
        "bakeoff.version": record.environment.bakeoff,
        "mlflow.source.name": "bakeoff",
        "mlflow.source.git.commit": str(commit or ""),
        "mlflow.note.content": record.reason,
    }
    return {name: text[:_LONGEST] for name, text in texts.items() if text}


def params(request: CellRequest, record: Record) -> list[tuple[str, str]]:
    """Return the coordinates of the cell and the hyperparameters of its model."""
    cell = request.cell
    values: dict[str, Any] = {
        **coordinates(cell),
        "dataset_variant": cell.dataset_variant,
        "split_variant": cell.split_variant,
        "depth": cell.depth,
        **{f"model.{name}": value for name, value in record.parameters.items()},
    }
    texts = {n: v if isinstance(v, str) else json.dumps(v, sort_keys=True) for n, v in values.items()}
    return [(_name(n), text[:_LONGEST]) for n, text in texts.items() if text and values[n] is not None]


def metrics(record: Record) -> list[tuple[str, float, int]]:
    """Return name, value and step: `ndcg_at_10` at step 10, its `_stderr`; seconds, memory, loss by epoch."""
    points: list[tuple[str, float, int]] = []
    for metric, k, (mean, error) in record.measurements():
        name = f"{metric}_at_{k}" if k else metric
        points.append((name, mean, k or 0))
        points += [] if error is None else [(f"{name}_stderr", error, k or 0)]
    points += [(f"{phase}_seconds", seconds, 0) for phase, seconds in record.seconds.items()]
    points.append(("peak_mb", record.peak_mb, 0))
    points += [("training_loss", loss, epoch) for epoch, loss in enumerate(record.training_loss, 1)]
    return [(_name(name), value, step) for name, value, step in points]


def _name(text: str) -> str:
    """Return a name with only the characters that MLflow allows."""
    return re.sub(r"[^\w./: -]", "_", text)[:_LONGEST_NAME]
