"""Which processes work on a study, which of them still live, and which trials count.

Optuna's journal knows no heartbeat. So every worker enters its name in the study, with the time of its last
sign of life. Of one on this host the process itself is looked for; one on another host is taken for dead when
its sign is older than a declared number of seconds, by this host's clock.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any, Self

from bakeoff.errors import BakeoffError

NOT_COUNTED = "not counted"
"""User attribute of a trial that the budget does not know, with the reason: killed, over budget, ..."""

OWNER = "owner"
"""User attribute of a trial: the name of its worker."""

_FINAL = "final fit"
_WORKER = "worker "
_SIGNS = 6
"""Signs of life before a worker would be taken for dead: one may be late."""


def counted(trials: list[Any]) -> list[Any]:
    """The trials that the budget knows, in order; those that run are among them."""
    return [t for t in trials if NOT_COUNTED not in t.user_attrs]


def alive(name: str, signs: Mapping[str, Any], stale: float) -> bool:
    """Whether the worker of a name lives.

    Args:
        signs: user attributes of the study.
        stale: seconds after which the last sign of a worker on another host is too old.
    """
    import psutil

    sign = signs.get(_WORKER + name)
    if not sign:  # it has left
        return False
    host, pid, started, _ = name.split(" ")
    if host != socket.gethostname():
        return time.time() - float(sign) < stale
    try:
        return bool(abs(psutil.Process(int(pid)).create_time() - float(started)) < 1.0)
    except psutil.NoSuchProcess:
        return False


def discard(study: Any, trial: Any, reason: str) -> None:
    """Fail a trial and leave it out of the count; one that has finished meanwhile stays as it is."""
    import optuna

    try:
        study._storage.set_trial_user_attr(trial._trial_id, NOT_COUNTED, reason)
    except optuna.exceptions.UpdateFinishedTrialError:
        return
    study.tell(trial.number, state=optuna.trial.TrialState.FAIL, skip_if_finished=True)


class Worker:
    """This process among the workers of a study, inside a `with` block; a thread gives its signs of life.

    Args:
        study: Optuna's.
        stale: seconds without a sign after which it is dead to workers on other hosts.
    """

    def __init__(self, study: Any, stale: float) -> None:
        import psutil

        started = psutil.Process().create_time()
        # The last word tells two calls of one process apart: what the first left behind is nobody's.
        self.name = f"{socket.gethostname()} {os.getpid()} {started} {secrets.token_hex(4)}"
        self._study, self._stale = study, stale
        self._left = threading.Event()
        self._last = time.monotonic()
        self._thread = threading.Thread(target=self._signs, daemon=True)
        self._unsigned: dict[int, float] = {}

    def __enter__(self) -> Self:
        self._sign(time.time())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()
        self._sign(0)

    def own(self, trial: Any) -> None:
        """Sign a trial."""
        trial.set_user_attr(OWNER, self.name)

    def bury(self) -> None:
        """Tell trials whose worker is dead as failed, and do not count them.

        One without a signature is of a worker that was killed before it signed, or is about to sign: while
        others live it is given `stale` seconds.

        Raises:
            BakeoffError: this worker could not give a sign for so long that others take it for dead.
        """
        import optuna

        silent = time.monotonic() - self._last
        if silent > self._stale:
            raise BakeoffError(f"no sign of life could be written to the study for {silent:.0f} s")
        signs = self._study.user_attrs
        names = [k.removeprefix(_WORKER) for k in signs if k.startswith(_WORKER)]
        living = {name for name in names if alive(name, signs, self._stale)} | {self.name}
        for trial in self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            owner = trial.user_attrs.get(OWNER)
            if owner in living:
                continue
            if owner is None and living != {self.name}:
                seen = self._unsigned.setdefault(trial.number, time.monotonic())
                if time.monotonic() - seen < self._stale:
                    continue
            discard(self._study, trial, "killed")

    def claim(self) -> int:
        """Queue for the final fit; gives the place.

        A place is the number of a trial that does not count: every storage gives each number once.
        """
        import optuna

        marks = {NOT_COUNTED: _FINAL, OWNER: self.name}
        running = optuna.trial.TrialState.RUNNING
        self._study.add_trial(optuna.trial.create_trial(state=running, user_attrs=marks))
        return next(int(t.number) for t in self._claims() if t.user_attrs.get(OWNER) == self.name)

    def first(self, place: int) -> bool:
        """Whether no living worker is before a place."""
        self.bury()
        return all(t.number >= place for t in self._claims())

    def leave(self, place: int) -> None:
        """Give up a place."""
        for trial in self._claims():
            if trial.number == place:
                discard(self._study, trial, _FINAL)

    def _claims(self) -> list[Any]:
        import optuna

        running = self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
        return [t for t in running if t.user_attrs.get(NOT_COUNTED) == _FINAL]

    def _sign(self, when: float) -> None:
        self._study.set_user_attr(_WORKER + self.name, when)

    def _signs(self) -> None:
        """Until the block is left. A write may fail (a locked database); `bury` speaks where many do."""
        while not self._left.wait(self._stale / _SIGNS):
            try:
                self._sign(time.time())
            except Exception:  # of any storage; what counts is how long ago one went well
                continue
            self._last = time.monotonic()
        self._study._storage.remove_session()
