from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from bakeoff.data.interactions import Features, Ids, Interactions
from bakeoff.data.serialization import (
    load_dataset,
    load_interactions,
    load_matrix,
    save_dataset,
    save_interactions,
    save_matrix,
)
from bakeoff.data.source import Dataset, Step


def interactions(ids: Ids, values: bool = True, times: bool = True, features: bool = True) -> Interactions:
    rows = np.arange(3, dtype=np.int32)
    named = Features(sparse.csr_matrix(np.eye(3, dtype=np.float32)), ("a", "é", "c"))
    return Interactions.of(
        rows,
        rows[::-1].copy(),
        np.float32([1, 2.5, 3]) if values else None,
        np.array([-5, 0, 2**40]) if times else None,
        ids,
        Ids.of([10, 20, 30]),
        merge="max",
        user_features=named if features else None,
        item_features=None,
    )


IDS = [Ids.of([3, 1, 2]), Ids.of(["é", "", "日本"])]


@pytest.mark.parametrize("ids", IDS, ids=["numbers", "texts"])
@pytest.mark.parametrize("given", [True, False])
def test_what_is_loaded_is_what_was_saved(tmp_path: Path, ids: Ids, given: bool) -> None:
    data = interactions(ids, values=given, times=given, features=given)
    save_interactions(data, tmp_path)
    back = load_interactions(tmp_path)
    for name in ("users", "items", "values", "times"):
        before, after = getattr(data, name), getattr(back, name)
        assert (before is None) == (after is None)
        if before is not None:
            assert before.tolist() == after.tolist()
            assert before.dtype == after.dtype
            assert not after.flags.writeable
    assert back.user_ids.values.tolist() == data.user_ids.values.tolist()
    assert (back.n_users, back.n_items, back.merge) == (3, 3, "max")
    assert back.fingerprint == data.fingerprint
    if data.user_features is not None:
        assert back.user_features is not None
        assert back.user_features.names == data.user_features.names
        assert (back.user_features.matrix != data.user_features.matrix).nnz == 0
    assert back.item_features is None


def test_loaded_interactions_can_be_taken_apart_and_merged(tmp_path: Path) -> None:
    save_interactions(interactions(IDS[1]), tmp_path)
    back = load_interactions(tmp_path)
    assert back.take(np.array([True, False, True])).items.tolist() == [2, 0]
    assert back.with_items(np.array([True, False, True])).item_ids.values.tolist() == [10, 30]
    assert back.merged().matrix().nnz == 3


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        save_interactions(interactions(IDS[1]), tmp_path / name)
    one, two = ({f.name: f.read_bytes() for f in (tmp_path / n).iterdir()} for n in ("one", "two"))
    assert one == two


def test_two_parts_fit_in_one_folder_under_two_prefixes(tmp_path: Path) -> None:
    save_interactions(interactions(IDS[0]), tmp_path, "a.")
    save_interactions(interactions(IDS[1], values=False), tmp_path, "b.")
    assert load_interactions(tmp_path, "a.").values is not None
    assert load_interactions(tmp_path, "b.").values is None


def test_a_data_set_keeps_its_story(tmp_path: Path) -> None:
    steps = (Step("read", 3, 3, 3), Step("merge (max)", 3, 3, 3, "nothing"))
    save_dataset(Dataset("plays", interactions(IDS[0]), steps), tmp_path)
    back = load_dataset(tmp_path)
    assert (back.name, back.steps) == ("plays", steps)
    assert back.interactions.fingerprint == interactions(IDS[0]).fingerprint


def test_an_empty_matrix_can_be_stored(tmp_path: Path) -> None:
    save_matrix(sparse.csr_matrix((2, 3), dtype=np.float32), tmp_path, "none")
    back = load_matrix(tmp_path, "none", (2, 3))
    assert (back.shape, back.nnz, back.dtype) == ((2, 3), 0, np.float32)


def test_a_matrix_is_stored_with_sorted_indices_and_stays_as_it_was(tmp_path: Path) -> None:
    untidy = sparse.csr_matrix((np.float32([1, 2]), np.int32([2, 0]), np.int32([0, 2])), shape=(1, 3))
    save_matrix(untidy, tmp_path, "m")
    assert load_matrix(tmp_path, "m", (1, 3)).indices.tolist() == [0, 2]
    assert untidy.indices.tolist() == [2, 0]
