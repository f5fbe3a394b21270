from __future__ import annotations

from typing import Any

import pytest

from bakeoff.run.cell import Cell

INT = "optuna.distributions.IntDistribution"


@pytest.fixture
def cell() -> Cell:
    """A toy whose lists start at an item: the score falls with it."""
    return tuned()


def tuned(space: Any = None, **tune: Any) -> Cell:
    return Cell(
        dataset={"_target_": "toys.Blocks", "name": "blocks"},
        split={"_target_": "bakeoff.splits.per_user.Random", "name": "random"},
        model={
            "name": "from",
            "build": {"_target_": "tuning_toys.StartsAt", "first": 9, "noise": 0},
            "space": space or {"first": {"_target_": INT, "low": 0, "high": 12}},
        },
        tune={"trials": 8, "metric": "ndcg@5", **tune},
        depth=10,
    )
