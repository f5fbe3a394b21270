from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bakeoff.data.interactions import Ids, Interactions
from bakeoff.splits.base import Split

Log = Callable[..., Interactions]


def log_of(
    rows: Iterable[tuple[Any, ...]], *, values: bool = False, times: bool = True, **rest: Any
) -> Interactions:
    """Interactions from rows (user, item[, value][, time]) in any order, with ids as they stand."""
    columns = [list(c) for c in zip(*rows, strict=True)]
    user_ids, item_ids = Ids.of(columns[0]), Ids.of(columns[1])
    at = 2 + values
    return Interactions.of(
        user_ids.codes(np.array(columns[0], dtype=object)),
        item_ids.codes(np.array(columns[1], dtype=object)),
        np.array(columns[2], dtype=np.float32) if values else None,
        np.array(columns[at], dtype=np.int64) if times else None,
        user_ids,
        item_ids,
        **rest,
    )


@pytest.fixture
def log() -> Log:
    return log_of


def named(matrix: Any, split: Split) -> dict[tuple[Any, Any], float]:
    """The stored pairs of a split's matrix with their values, in the user's own ids."""
    coo = matrix.tocoo()
    users, items = split.train.user_ids.values, split.train.item_ids.values
    return {(users[u], items[i]): float(v) for u, i, v in zip(coo.row, coo.col, coo.data, strict=True)}


@pytest.fixture
def train_of() -> Callable[[Split], set[tuple[Any, Any]]]:
    return lambda split: set(named(split.train.matrix(), split))


@pytest.fixture
def test_of() -> Callable[[Split], set[tuple[Any, Any]]]:
    return lambda split: set(named(split.test, split))


@pytest.fixture
def history_of() -> Callable[[Split], set[tuple[Any, Any]]]:
    return lambda split: set(named(split.history, split))


@pytest.fixture(scope="session")
def ml_100k() -> Path:
    """The folder of MovieLens 100K, or a skip."""
    import os

    root = os.environ.get("BAKEOFF_DATA")
    if not root:
        pytest.skip("BAKEOFF_DATA is not set: no folder with the public data sets")
    return Path(root) / "ml-100k"
