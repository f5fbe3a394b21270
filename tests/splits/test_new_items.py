from __future__ import annotations

import numpy as np
import pytest

from bakeoff.errors import ConfigError
from bakeoff.models.baselines import Popularity, Random
from bakeoff.models.lightfm import LightFM
from bakeoff.models.neighbours import ItemKNN
from bakeoff.run.cell import Cell
from bakeoff.run.runner import cold_start_reason
from bakeoff.splits.new_items import NewItems
from toys import blocks

DATA = blocks(60, 40, seed=3)
CELL = Cell({"name": "toy"}, {"name": "new_items"}, {"name": "mine"})


def test_no_row_of_an_item_under_test_is_in_train_and_no_row_is_lost() -> None:
    cut = NewItems(share=0.3).split(DATA, 5)
    tested = np.unique(cut.test.indices)
    assert cut.new_items and cut.info["items_held_out"] == len(tested) > 5
    assert not set(tested) & set(cut.train.items)
    assert len(cut.train) + cut.test.nnz == len(DATA)
    assert cut.train.n_items == DATA.n_items


def test_the_inner_split_holds_out_other_items_of_train() -> None:
    splitter = NewItems(share=0.3)
    cut = splitter.split(DATA, 5)
    inner = splitter.inner(cut, 7)
    ids = {
        name: set(part.train.item_ids.values[np.unique(part.test.indices)])
        for name, part in (("outer", cut), ("inner", inner))
    }
    assert ids["inner"] and not ids["inner"] & ids["outer"]


def test_dropping_the_tested_items_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"split\.cold_items"):
        NewItems(cold_items="drop")


def test_models_without_a_way_to_score_new_items_or_users_are_skipped() -> None:
    def reason(model: object, **out: bool) -> str:
        return cold_start_reason(model, CELL, **{"users": False, "items": False, **out})  # type: ignore[arg-type]

    for model in (Popularity(), Random(), LightFM(item_features=True)):
        assert not reason(model, items=True)
    assert "items" in reason(ItemKNN(), items=True) and "items" in reason(LightFM(), items=True)
    assert not reason(ItemKNN(), users=True) and not reason(LightFM(user_features=True), users=True)
    assert "users" in reason(LightFM(item_features=True), users=True)
