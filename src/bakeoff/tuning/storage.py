"""Where studies are stored, which processes work on them, and which trials count.

Optuna's journal has no heartbeat. So every worker enters its name in the study, with the time of its last
heartbeat. On the same host the process itself is looked for; a worker on another host counts as dead when its
heartbeat is older than `tune.heartbeat_timeout`, by this host's clock.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from bakeoff.errors import BakeoffError, ConfigError, UsageError
from bakeoff.log import logger
from bakeoff.storage.record import Direction
from bakeoff.storage.store import Store

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal._file import BaseJournalFileLock
    from optuna.trial import FrozenTrial, Trial
    from sqlalchemy import URL

_GRACE_SECONDS = 5
"""A lock of the journal that is older, while nothing is written, belongs to a process that was killed."""

_LOCKED_SECONDS = 60
"""SQLite has one writer at a time; the others wait so long."""

_TRIES, _RETRY_SECONDS = 5, 0.3


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Optuna inside the block, except for errors."""
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
    """Refuse a URL that is not a database, or whose driver is not installed.

    Raises:
        ConfigError: it is not the URL of a database, or needs a package that is missing.
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
    try:
        dialect.import_dbapi()
    except ImportError as error:
        extra = "pip install 'bakeoff[postgres]'" if dialect.name == "postgresql" else "install it"
        raise ConfigError(f"{key}={url!r}: needs the package {error.name!r}; {extra}") from error


@contextmanager
def open_study(key: str, folder: Path, url: str | None, directions: Sequence[Direction]) -> Iterator[Study]:
    """Open the study of a cell, or create it: in a journal `folder/key.log`, or in a database.

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
        if isinstance(storage, optuna.storages.RDBStorage):
            storage.remove_session()
            storage.engine.dispose()


def _journal(key: str, folder: Path) -> JournalStorage:
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

    class Lock(JournalFileSymlinkLock):
        def release(self) -> None:
            """Raise what keeps the lock from being removed; `acquire` would wait for ever on such a disk."""
            try:
                super().release()
            except RuntimeError as error:
                reason = error.__context__
                if isinstance(reason, OSError) and not isinstance(reason, FileNotFoundError):
                    raise reason from None
                raise

    folder.mkdir(parents=True, exist_ok=True)
    # Absolute: the lock is a link to it, and one that is left leads nowhere if it is relative.
    path = folder.resolve() / f"{key}.log"
    if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
        _set_aside(path, "a link, a folder or a pipe")
    path.touch()
    lock = Lock(str(path), grace_period=_GRACE_SECONDS)
    _mend(path, lock)
    return optuna.storages.JournalStorage(JournalFileBackend(str(path), lock_obj=lock))


def _database(url: str) -> RDBStorage:
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
            # Of two processes that create the tables at once, one fails because they exist.
            if not left:
                reason = " ".join(str(error.orig).split())
                raise UsageError(f"tune.storage={url!r}: the database cannot be used ({reason})") from error
            time.sleep(_RETRY_SECONDS)


def _with_driver(url: URL) -> URL:
    """Return the URL with the driver of the extra `postgres`: SQLAlchemy's default depends on its version."""
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


class _Entry(msgspec.Struct):
    """What Optuna needs of each line of a journal."""

    op_code: int


def _mend(path: Path, lock: BaseJournalFileLock) -> None:
    """Remove half a line, left by a process that was killed while it wrote: the next entry would join it.

    A journal with another line that is no entry is set aside, and an empty one takes its place.
    """
    lock.acquire()
    try:
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(path, len(whole))
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                msgspec.json.decode(line, type=_Entry)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                _set_aside(path, f"line {number}: {error}")
                path.touch()
                return
    finally:
        lock.release()


def _set_aside(path: Path, fault: str) -> None:
    Store(path.parent.parent).set_aside(path)
    logger.warning("%s: %s; it is set aside and the study starts anew", path, fault)


NOT_COUNTED = "not counted"
"""User attribute of a trial that does not count, with the reason: killed, over budget, ..."""

OWNER = "owner"
"""User attribute of a trial: the name of its worker."""

_FINAL = "final fit"
_WORKER = "worker "
_HEARTBEATS = 6
"""Heartbeats in one timeout: some may be late."""
_ENDED: set[str] = set()
"""Workers of this process that have ended, which a full disk may have kept out of the study."""


def counted(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """Return the trials that count against the budget, in order; running ones are among them."""
    return [t for t in trials if NOT_COUNTED not in t.user_attrs]


def is_alive(name: str, heartbeats: Mapping[str, Any], timeout: float) -> bool:
    """Return whether a worker is alive.

    Args:
        heartbeats: user attributes of the study.
        timeout: seconds by which the last heartbeat on another host may differ from the time here.
    """
    import psutil

    last = heartbeats.get(_WORKER + name)
    if not last or name in _ENDED:
        return False
    host, pid, started, _ = name.split(" ")
    if host != socket.gethostname():
        return abs(time.time() - float(last)) < timeout  # one far in the future is of a clock that jumped
    try:
        return bool(abs(psutil.Process(int(pid)).create_time() - float(started)) < 1.0)
    except psutil.NoSuchProcess:
        return False


def discard(study: Study, trial: Trial | FrozenTrial, reason: str) -> None:
    """Fail a trial that is not to count; one that has finished meanwhile stays as it is."""
    import optuna

    try:
        study._storage.set_trial_user_attr(trial._trial_id, NOT_COUNTED, reason)
    except optuna.exceptions.UpdateFinishedTrialError:
        return
    study.tell(trial.number, state=optuna.trial.TrialState.FAIL, skip_if_finished=True)


class Worker:
    """A process as a worker of a study, inside a `with` block; a thread writes its heartbeat.

    Args:
        study: Optuna's.
        timeout: seconds without a heartbeat after which workers on other hosts take it for dead.
    """

    def __init__(self, study: Study, timeout: float) -> None:
        import psutil

        started = psutil.Process().create_time()
        # The last word tells two calls of one process apart: trials that the first left running are dead.
        self.name = f"{socket.gethostname()} {os.getpid()} {started} {secrets.token_hex(4)}"
        self._study, self._timeout = study, timeout
        self._ended = threading.Event()
        self._last = time.monotonic()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._unsigned_since: dict[int, float] = {}

    def __enter__(self) -> Self:
        self._write_heartbeat(time.time())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        _ENDED.add(self.name)
        self._write_heartbeat(0)

    def sign(self, trial: Trial) -> None:
        """Enter this worker as the owner of a trial."""
        trial.set_user_attr(OWNER, self.name)

    def reap_dead_trials(self) -> None:
        """Fail the trials whose worker is dead, so that they do not count.

        A trial without an owner belongs to a worker that was killed before it signed, or is about to sign:
        while other workers are alive it has the timeout to do so.

        Raises:
            BakeoffError: this worker could not write a heartbeat for so long that others take it for dead.
        """
        import optuna

        silent = time.monotonic() - self._last
        if silent > self._timeout:
            raise BakeoffError(f"no heartbeat could be written to the study for {silent:.0f} s")
        heartbeats = self._study.user_attrs
        names = [k.removeprefix(_WORKER) for k in heartbeats if k.startswith(_WORKER)]
        living = {name for name in names if is_alive(name, heartbeats, self._timeout)} | {self.name}
        for trial in self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            owner = trial.user_attrs.get(OWNER)
            if owner in living:
                continue
            if owner is None and living != {self.name}:
                seen = self._unsigned_since.setdefault(trial.number, time.monotonic())
                if time.monotonic() - seen < self._timeout:
                    continue
            discard(self._study, trial, "killed")

    def enqueue(self) -> int:
        """Queue for the final fit and return the place.

        A place is the number of a trial that does not count: every storage gives each number once.
        """
        import optuna

        marks = {NOT_COUNTED: _FINAL, OWNER: self.name}
        running = optuna.trial.TrialState.RUNNING
        self._study.add_trial(optuna.trial.create_trial(state=running, user_attrs=marks))
        return next(int(t.number) for t in self._claims() if t.user_attrs.get(OWNER) == self.name)

    def is_first(self, ticket: int) -> bool:
        """Return whether no worker that is alive is before a place."""
        self.reap_dead_trials()
        return all(t.number >= ticket for t in self._claims())

    def release(self, ticket: int) -> None:
        """Give up a place."""
        for trial in self._claims():
            if trial.number == ticket:
                discard(self._study, trial, _FINAL)

    def _claims(self) -> list[FrozenTrial]:
        import optuna

        running = self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
        return [t for t in running if t.user_attrs.get(NOT_COUNTED) == _FINAL]

    def _write_heartbeat(self, when: float) -> None:
        self._study.set_user_attr(_WORKER + self.name, when)

    def _beat(self) -> None:
        """Write heartbeats until the block ends; `reap_dead_trials` raises if all fail for the timeout."""
        while not self._ended.wait(self._timeout / _HEARTBEATS):
            try:
                self._write_heartbeat(time.time())
            except Exception:  # of any storage, such as a locked database
                continue
            self._last = time.monotonic()
        self._study._storage.remove_session()
