"""Where studies live, and which of their trials count."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bakeoff.tuning.pareto import Direction

NOT_COUNTED = "not counted"
"""User attribute of a trial that the budget does not know, with the reason: killed, over budget."""

OWNER = "owner"

_GRACE_SECONDS = 5
"""A lock of the journal that is older, while nothing is written, was left by a process that was killed."""


@contextmanager
def quiet() -> Iterator[None]:
    """Only errors of Optuna's are logged inside the block, and nothing said of what it calls experimental."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


def open_study(key: str, folder: Path, url: str | None, directions: Sequence[Direction]) -> Any:
    """The study of a cell, made where there is none: in a journal `folder/key.log`, or in a database."""
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

    storage: Any = url
    if url is None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{key}.log"
        path.touch()
        lock = JournalFileSymlinkLock(str(path), grace_period=_GRACE_SECONDS)
        _cut_torn_line(path, lock)
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
    return optuna.create_study(
        storage=storage, study_name=key, directions=list(directions), load_if_exists=True
    )


def _cut_torn_line(path: Path, lock: Any) -> None:
    """A process killed while it wrote leaves half a line, which the next one to append would join."""
    lock.acquire()
    try:
        content = path.read_bytes()
        if content and not content.endswith(b"\n"):
            os.truncate(path, content.rfind(b"\n") + 1)
    finally:
        lock.release()


def me() -> str:
    """Name of this process: host, process id and when it started, since ids are used again."""
    import psutil

    process = psutil.Process()
    return f"{socket.gethostname()} {process.pid} {process.create_time()}"


def alive(owner: str) -> bool:
    """Whether the process of a name lives; of one on another host it is taken for granted."""
    import psutil

    host, pid, started = owner.split(" ")
    if host != socket.gethostname():
        return True
    try:
        return bool(abs(psutil.Process(int(pid)).create_time() - float(started)) < 1.0)
    except psutil.NoSuchProcess:
        return False


def counted(trials: list[Any]) -> list[Any]:
    """The trials that the budget knows, in order; those that run are among them."""
    return [t for t in trials if NOT_COUNTED not in t.user_attrs]


def bury(study: Any) -> None:
    """Tell trials whose process is gone as failed, and do not count them."""
    import optuna

    others = [o for o in study.user_attrs.get("workers", []) if alive(o)]
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        owner = trial.user_attrs.get(OWNER)
        if alive(owner) if owner else bool(others):
            continue
        discard(study, trial, "killed")


def discard(study: Any, trial: Any, reason: str) -> None:
    """Fail a trial and leave it out of the count."""
    import optuna

    handle = optuna.trial.Trial(study, trial._trial_id)
    handle.set_user_attr(NOT_COUNTED, reason)
    study.tell(handle, state=optuna.trial.TrialState.FAIL, skip_if_finished=True)


def enlist(study: Any) -> None:
    """Enter this process among the workers; call after `bury`."""
    living = [o for o in study.user_attrs.get("workers", []) if alive(o)]
    study.set_user_attr("workers", [*living, me()])
