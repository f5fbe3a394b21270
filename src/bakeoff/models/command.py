"""Any program or container as a model: it reads train from files and writes lists."""

from __future__ import annotations

import fcntl
import json
import os
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from bakeoff.arrays import CSR, Codes, Floats
from bakeoff.data.download import sha256
from bakeoff.data.interactions import Features, Ids, Interactions
from bakeoff.data.serialization import row_columns, write_table
from bakeoff.errors import ConfigError, DataError, ModelError, Unsupported, nearest
from bakeoff.models.base import OnEpoch, State
from bakeoff.models.external import External, Seen
from bakeoff.parameters import Count, check_parameters

Scalar = None | bool | int | float | str

_FEATURES = ("user_features", "item_features")
_PLACEHOLDERS = ("train", "users", "out", "folder", "params", "seed", "length", *_FEATURES)
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_EPOCH = re.compile(rb"epoch=(\d{1,9})(?: loss=(\S+))?(?: score=(\S+))?\s*")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_TAIL_BYTES, _LINE_BYTES = 4096, 4096
"""What is kept of standard error, and of a line of standard output."""
_PREFIX, _STALE_SECONDS = "bakeoff-command.", 60


class Command:
    """Run a program that fits a model and writes a list for each user; the program is given train alone.

    Each `{name}` of the command is replaced: `train`, `users`, `user_features`, `item_features` and `params`
    (hyperparameters, seed and length as JSON) are paths of files to read, `out` is that of the file to
    write, `folder` holds them all; `seed`, `length` and the hyperparameters are values. There is no shell.
    A line `epoch=3 loss=0.2 score=0.4` on standard output (loss and score may be left out) reports an epoch.

    Args:
        run: the command.
        length: length of the lists.
        files: format of the files, parquet or csv.
        seen: what becomes of listed items that the user has in train, refuse (an error) or drop.
        num_threads: threads that the program's libraries are told to use.
        **hyperparameters: by the names that the command has in braces.

    Attributes:
        validation_score: what the program printed last, or None.
    """

    folds_in: ClassVar[bool] = False

    def __init__(
        self,
        run: str,
        length: Count = 100,
        files: Literal["parquet", "csv"] = "parquet",
        seen: Seen = "refuse",
        num_threads: Count = 1,
        **hyperparameters: Scalar,
    ) -> None:
        self.run, self.length, self.files, self.seen, self.num_threads = run, length, files, seen, num_threads
        self.hyperparameters = hyperparameters
        check_parameters(self, "model.build")
        self.validation_score: float | None = None
        self._words = _split(run)
        self._names = {name for word in self._words for name in _PLACEHOLDER.findall(word)}
        self._check_names()

    def _check_names(self) -> None:
        known = {*_PLACEHOLDERS, *self.hyperparameters}
        if unknown := sorted(self._names - known):
            name = unknown[0]
            raise ConfigError(
                f"model.run: {{{name}}} is neither a file nor a hyperparameter; {nearest(name, known)}; "
                f"a hyperparameter is set by +model.build.{name}=..."
            )
        if missing := [n for n in ("train", "out") if not self._names & {n, "folder"}]:
            raise ConfigError(
                f"model.run={self.run!r}: no {{{missing[0]}}}; the program must be told that file"
            )
        for name, value in self.hyperparameters.items():
            where = f"model.build.{name}"
            if name in _PLACEHOLDERS:
                raise ConfigError(f"{where}: the name of a file or value that bakeoff gives; choose another")
            if not isinstance(value, Scalar):
                raise ConfigError(f"{where}={value!r}: expected a number, a text, true, false or null")
            if not self._names & {name, "params", "folder"}:
                raise ConfigError(
                    f"{where}: the command has no {{{name}}}; write it into model.run, or {{params}}"
                )

    @property
    def stochastic(self) -> bool:
        """Whether the program is given the seed."""
        return bool(self._names & {"seed", "params", "folder"})

    @property
    def needs(self) -> tuple[str, ...]:
        """The side features that the command names."""
        return tuple(name for name in _FEATURES if name in self._names)

    @property
    def serves_new(self) -> tuple[str, ...]:
        """Items, whose ids it reads with their features."""
        return ("items",) if self._names & {"item_features", "folder"} else ()

    def identity(self) -> dict[str, Any]:
        """Return the command, its settings, and the hash of each file that it names, as JSON.

        Raises:
            ConfigError: there is no such program.
        """
        program = self._words[0]
        if not _PLACEHOLDER.search(program) and shutil.which(program) is None:
            raise ConfigError(
                f"model.run: there is no program {program!r}; expected one on PATH, or its path"
            )
        # A program by its absolute path, such as an interpreter, is part of the machine.
        words = self._words[Path(program).is_absolute() :]
        paths = {word.rpartition("=")[2] for word in words}
        settings = {n: getattr(self, n) for n in ("run", "length", "files", "seen", "num_threads")}
        hashes = {path: sha256(Path(path)) for path in sorted(paths) if Path(path).is_file()}
        return {**settings, "sha256": hashes, "hyperparameters": self.hyperparameters}

    def fit(self, train: Interactions, *, seed: int, on_epoch: OnEpoch | None = None) -> None:
        """Run the program and read its lists.

        Raises:
            ModelError: it ended with an error, or its lists break a rule.
            Unsupported: the command names features that the data do not have.
        """
        self.validation_score = None
        with _folder() as folder:
            values = self._write(train, seed, folder)
            self._execute([_PLACEHOLDER.sub(lambda m: values[m[1]], word) for word in self._words], on_epoch)
            out = Path(values["out"])
            if out.is_symlink() or not out.is_file():
                raise ModelError(f"the command wrote no file {out.name} ({{out}}); expected its lists there")
            lists = External(str(out), seen=self.seen)
            try:
                lists.fit(train, seed=seed)
            except (DataError, Unsupported) as error:
                raise ModelError(str(error).replace(f"{folder}{os.sep}", "the command's ")) from error
            if lists.remarks:
                raise ModelError(f"the command's {lists.remarks[0]}; expected ids of the files it is given")
        self._lists = lists

    def recommend(self, users: Codes, history: CSR, k: int) -> tuple[Codes, Floats]:
        """Return the program's lists of users, cut at k; a user without a list gets only padding."""
        return self._lists.recommend(users, history, k)

    def state(self) -> State:
        """Return the lists."""
        return self._lists.state()

    def restore(self, state: State) -> None:
        """Load the lists; the program is not needed again."""
        self._lists = External("")
        self._lists.restore(state)

    def _write(self, train: Interactions, seed: int, folder: Path) -> dict[str, str]:
        """Write the files for the program and return what the placeholders stand for."""
        tables: dict[str, Mapping[str, Any]] = {
            "train": row_columns(train),
            "users": {"user": train.user_ids.values},
        }
        for name, ids in zip(_FEATURES, (train.user_ids, train.item_ids), strict=True):
            features = getattr(train, name)
            if features is not None and self._names & {name, "folder"}:
                tables[name] = _feature_columns(name.partition("_")[0], ids, features)
            elif name in self._names:
                raise Unsupported(f"the command reads {{{name}}}; the data set has none")
        paths = {name: str(folder / f"{name}.{self.files}") for name in tables}
        for name, columns in tables.items():
            write_table(Path(paths[name]), columns)
        numbers = {"seed": seed, "length": min(self.length, train.n_items)}
        params = folder / "params.json"
        params.write_text(json.dumps({**self.hyperparameters, **numbers}), encoding="utf-8")
        values = {name: _text(value) for name, value in {**self.hyperparameters, **numbers}.items()}
        out = str(folder / f"lists.{self.files}")
        return {**values, **paths, "out": out, "folder": str(folder), "params": str(params)}

    def _execute(self, words: list[str], on_epoch: OnEpoch | None) -> None:
        """Run the program to its end; whatever ends this call ends the program's whole process group."""
        environment = {**os.environ, **dict.fromkeys(_THREADS, str(self.num_threads))}
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                env=environment,
            )
        except OSError as error:
            raise ModelError(f"the command cannot be started: {error}") from error
        with process:
            try:
                errors = self._watch(process, on_epoch)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        if process.returncode:
            last = next((line for line in reversed(errors.splitlines()) if line.strip()), "")
            code = process.returncode
            end = f"exit code {code}" if code > 0 else f"signal {signal.Signals(-code).name}"
            raise ModelError(f"the command ended with {end}{f': {last.strip()[:200]}' if last else ''}")

    def _watch(self, process: subprocess.Popen[bytes], on_epoch: OnEpoch | None) -> str:
        """Read what the program prints until it ends; return the end of its standard error."""
        errors, line, epoch = b"", b"", 0
        assert process.stdout is not None and process.stderr is not None
        with selectors.DefaultSelector() as streams:
            streams.register(process.stdout, selectors.EVENT_READ)
            streams.register(process.stderr, selectors.EVENT_READ)
            while streams.get_map():
                for key, _ in streams.select(timeout=0.1):
                    content = os.read(key.fd, 2**16)
                    if not content:
                        streams.unregister(key.fileobj)
                    elif key.fileobj is process.stderr:
                        errors = (errors + content)[-_TAIL_BYTES:]
                    else:
                        *lines, line = (line + content).split(b"\n")
                        line = line[-_LINE_BYTES:]
                        for complete in lines:
                            epoch = self._report(complete, epoch, on_epoch)
                if _ended(process.pid):  # processes that it left would hold the pipes open
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
        while not _ended(process.pid):  # it may close its output and work on
            time.sleep(0.01)
        return errors.decode(errors="replace")

    def _report(self, line: bytes, before: int, on_epoch: OnEpoch | None) -> int:
        """Report the epoch of a line, if it is one and later than the epoch before; return the last epoch."""
        match = _EPOCH.fullmatch(line)
        if match is None or int(match[1]) <= before:
            return before
        try:
            loss, score = (None if field is None else float(field) for field in match.groups()[1:])
        except ValueError:
            return before
        self.validation_score = score
        if on_epoch is not None:
            on_epoch(int(match[1]), loss)
        return int(match[1])


def _split(run: str) -> list[str]:
    try:
        words = shlex.split(run)
    except ValueError as error:
        raise ConfigError(f"model.run={run!r}: {error}") from error
    if not words:
        raise ConfigError(f"model.run={run!r}: expected a command")
    return words


def _text(value: Scalar) -> str:
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def _feature_columns(side: str, ids: Ids, features: Features) -> dict[str, Any]:
    matrix = features.matrix
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    names = np.array(features.names, dtype=object)
    return {side: ids.values[rows], "feature": names[matrix.indices], "value": matrix.data}


def _ended(pid: int) -> bool:
    """Return whether a child has ended, and leave it waitable: its id, also its group's, stays taken."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder that is removed at the end, and remove those that killed processes left behind."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS and not _in_use(left):
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as made:
        lock = os.open(made, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Path(made)
        finally:
            os.close(lock)


def _in_use(folder: Path) -> bool:
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
