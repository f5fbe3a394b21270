import numpy as np
import pytest

from bakeoff.arrays import frozen


def test_a_frozen_array_is_read_only_and_the_original_stays_writable() -> None:
    own = np.arange(3, dtype=np.int32)
    view = frozen("users", own, np.int32)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 9
    own[0] = 9
    assert view.tolist() == [9, 1, 2]  # a view, not a copy


def test_a_frozen_array_is_contiguous() -> None:
    view = frozen("items", np.arange(6, dtype=np.int32)[::2], np.int32)
    assert view.flags.c_contiguous
    assert view.tolist() == [0, 2, 4]


def test_another_dtype_is_refused_with_what_was_found() -> None:
    with pytest.raises(TypeError, match=r"^users: expected a 1-d array of int32, got int64, 1-d$"):
        frozen("users", np.arange(3), np.int32)


def test_another_number_of_dimensions_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^scores: expected a 2-d array of float32, got float32, 1-d$"):
        frozen("scores", np.zeros(3, dtype=np.float32), np.float32, 2)


def test_what_is_no_array_is_refused_by_its_type() -> None:
    with pytest.raises(TypeError, match=r"^users: expected a 1-d array of int32, got list$"):
        frozen("users", [1, 2], np.int32)  # type: ignore[arg-type]
