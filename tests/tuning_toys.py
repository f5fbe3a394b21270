"""A model to tune: it looks for the best `first`, in three epochs, and may fail, wait or keep a log."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bakeoff.data.interactions import Interactions
from bakeoff.errors import Unsupported


@dataclass
class StartsAt:
    """Recommends unseen items from code `first` up, then the others."""

    stochastic: ClassVar[bool] = False
    folds_in: ClassVar[bool] = True
    first: int = 0
    noise: int = 0
    fails_at: int = -1
    wait: float = 0.0
    log: str = ""

    def fit(self, train: Interactions, *, seed: int, on_epoch: Any = None) -> None:
        if self.first == self.fails_at:
            raise ValueError("diverged")
        time.sleep(self.wait)
        if self.log:
            with Path(self.log).open("a") as file:  # a short line is appended whole
                file.write(f"{len(train.users)} {self.first}\n")
        self._order = np.roll(np.arange(train.n_items), -self.first)
        for epoch in (1, 2, 3):
            if on_epoch is not None:
                on_epoch(epoch, None)

    def recommend(self, users: Any, history: Any, k: int) -> tuple[Any, Any]:
        items = np.full((len(users), k), -1, dtype=np.int32)
        scores = np.full((len(users), k), -np.inf, dtype=np.float32)
        for row in range(len(users)):
            unseen = self._order[~np.isin(self._order, history[row].indices)][:k]
            items[row, : len(unseen)] = unseen
            scores[row, : len(unseen)] = -np.arange(len(unseen))
        return items, scores


@dataclass
class Shares(StartsAt):
    """The same, with work in common for all `first` of one `noise`."""

    shared_over: ClassVar[tuple[str, ...]] = ("first",)
    prepared_with: ClassVar[list[tuple[int, int, int]]] = []
    handed: ClassVar[list[Any]] = []
    too_large: bool = False

    def prepare(self, train: Interactions, fits: int) -> Any:
        if self.too_large:
            raise Unsupported("there is no room for it")
        self.prepared_with.append((self.noise, self.first, fits))
        return np.arange(train.n_items)

    def fit(self, train: Interactions, *, seed: int, on_epoch: Any = None, prepared: Any = None) -> None:
        self.handed.append(prepared)
        super().fit(train, seed=seed, on_epoch=on_epoch)


@dataclass
class Counts(StartsAt):
    """Moves on by one item an epoch; fails, or falls behind for good, where it is told to."""

    epochs_in: ClassVar[str] = "epochs"
    ran: ClassVar[list[tuple[int, int]]] = []
    epochs: int = 3
    breaks_after: int = 99
    falls_after: int = 99
    silent: bool = False

    def fit(self, train: Interactions, *, seed: int, on_epoch: Any = None) -> None:
        self.ran.append((self.noise, self.epochs))
        items = np.arange(train.n_items)
        for epoch in range(1, self.epochs + 1):
            time.sleep(self.wait)
            if epoch > self.breaks_after:
                raise ValueError("diverged")
            self._order = np.roll(items, 6 * self.noise - epoch)
            if epoch > self.falls_after and self.noise:
                self._order = self._order[-1:]
            if on_epoch is not None and not self.silent:
                on_epoch(epoch, None)
