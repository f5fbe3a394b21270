"""Where studies live."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bakeoff.errors import ConfigError, UsageError
from bakeoff.storage.record import Direction

_GRACE_SECONDS = 5
"""A lock of the journal that is older, while nothing is written, was left by a process that was killed."""

_LOCKED_SECONDS = 60
"""SQLite knows one writer at a time; so long one waits for another."""

_TRIES, _RETRY_SECONDS = 5, 0.3


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


def check_url(url: str | None) -> None:
    """Refuse a database that cannot be meant, or whose driver is not installed.

    Raises:
        ConfigError: it is no URL of a database, holds a password, or needs a package that is not there.
    """
    if url is None:
        return
    import sqlalchemy

    key = "tune.storage"
    try:
        parsed = sqlalchemy.make_url(url)
        dialect = _with_driver(parsed).get_dialect()
    except sqlalchemy.exc.ArgumentError as error:
        example = "sqlite:///studies.db or postgresql://user@host/name"
        raise ConfigError(f"{key}={url!r}: expected null or the URL of a database, {example}") from error
    if parsed.password is not None:
        raise ConfigError(
            f"{key}: a password in the URL would stand in every record; leave it out and put it into "
            "PGPASSWORD or ~/.pgpass"
        )
    try:
        dialect.import_dbapi()
    except ImportError as error:
        extra = "pip install 'bakeoff[postgres]'" if dialect.name == "postgresql" else "install it"
        raise ConfigError(f"{key}={url!r}: needs the package {error.name!r}; {extra}") from error


@contextmanager
def opened(key: str, folder: Path, url: str | None, directions: Sequence[Direction]) -> Iterator[Any]:
    """The study of a cell, made where there is none: in a journal `folder/key.log`, or in a database.

    Connections are closed with the block.

    Raises:
        UsageError: the database cannot be reached.
    """
    import optuna

    with quiet():
        storage = _journal(key, folder) if url is None else _database(url)
    try:
        with quiet():
            study = optuna.create_study(
                storage=storage, study_name=key, directions=list(directions), load_if_exists=True
            )
        yield study
    finally:
        if url is not None:
            storage.remove_session()
            storage.engine.dispose()


def _journal(key: str, folder: Path) -> Any:
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

    folder.mkdir(parents=True, exist_ok=True)
    # Absolute: the lock is a link to it, and one that is left leads nowhere if it is relative.
    path = folder.resolve() / f"{key}.log"
    path.touch()
    lock = JournalFileSymlinkLock(str(path), grace_period=_GRACE_SECONDS)
    _cut_torn_line(path, lock)
    return optuna.storages.JournalStorage(JournalFileBackend(str(path), lock_obj=lock))


def _database(url: str) -> Any:
    import optuna
    import sqlalchemy

    parsed = _with_driver(sqlalchemy.make_url(url))
    options = {"connect_args": {"timeout": _LOCKED_SECONDS}} if parsed.get_backend_name() == "sqlite" else {}
    left = _TRIES
    while True:
        left -= 1
        try:
            return optuna.storages.RDBStorage(parsed.render_as_string(False), engine_kwargs=options)
        except sqlalchemy.exc.DBAPIError as error:
            # Of two processes that make the tables at once, one is told that they are there already.
            if not left:
                reason = " ".join(str(error.orig).split())
                raise UsageError(f"tune.storage={url!r}: the database gives no study ({reason})") from error
            time.sleep(_RETRY_SECONDS)


def _with_driver(url: Any) -> Any:
    """What `postgresql://` stands for depends on SQLAlchemy's version; here it is the driver of our extra."""
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def _cut_torn_line(path: Path, lock: Any) -> None:
    """A process killed while it wrote leaves half a line, which the next one to append would join."""
    lock.acquire()
    try:
        content = path.read_bytes()
        if content and not content.endswith(b"\n"):
            os.truncate(path, content.rfind(b"\n") + 1)
    finally:
        lock.release()
