"""Where studies live."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bakeoff.tuning.pareto import Direction

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
        # Absolute: the lock is a link to it, and one that is left leads nowhere if it is relative.
        path = folder.resolve() / f"{key}.log"
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
