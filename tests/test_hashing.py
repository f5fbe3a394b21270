import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.hashing import (
    canonical_json,
    combine,
    digest_rows,
    hash_numbers,
    hash_text,
    hash_texts,
    identity,
    mix,
)

MASK = 2**64 - 1
unsigned = st.integers(0, MASK)


def splitmix(state: int) -> int:
    """SplitMix64's next output after `state`, in plain integers."""
    z = (state + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


@given(unsigned)
def test_mix_is_the_step_of_splitmix64(state: int) -> None:
    assert int(mix(np.uint64(state))[0]) == splitmix(state)


def test_mix_gives_the_published_first_output_of_seed_0() -> None:
    assert int(mix(np.uint64(0))[0]) == 0xE220A8397B1DCDAF


@given(st.lists(unsigned, min_size=1, max_size=4))
def test_combine_hashes_one_column_after_the_other(parts: list[int]) -> None:
    state = 0
    for part in parts:
        state = splitmix(state ^ splitmix(part))
    assert int(combine(*(np.uint64(p) for p in parts))[0]) == state


def test_combine_gives_each_row_its_own_hash_however_many_rows_there_are() -> None:
    rows = np.arange(70_000, dtype=np.uint64)  # more than are hashed at a time
    seed = hash_text("seed")
    together = combine(seed, rows, rows[::-1])
    for row in (0, 32_767, 32_768, 69_999):
        assert together[row] == combine(seed, rows[row], rows[::-1][row])[0]


def test_combine_depends_on_the_order_of_the_columns() -> None:
    a, b = np.uint64(1), np.uint64(2)
    assert combine(a, b)[0] != combine(b, a)[0]


def test_combine_of_empty_columns_is_empty() -> None:
    empty = np.zeros(0, dtype=np.uint64)
    assert combine(empty, empty).shape == (0,)


def test_combine_does_not_change_its_columns() -> None:
    column = np.arange(5, dtype=np.uint64)
    combine(column, column)
    assert column.tolist() == [0, 1, 2, 3, 4]


@given(st.lists(st.text(max_size=5), max_size=5))
def test_texts_are_hashed_by_blake2b_of_their_utf8(texts: list[str]) -> None:
    expected = [int.from_bytes(hashlib.blake2b(t.encode(), digest_size=8).digest(), "little") for t in texts]
    assert hash_texts(texts).tolist() == expected
    assert hash_texts(texts).dtype == np.uint64


def test_equal_numbers_hash_alike_whatever_their_dtype() -> None:
    floats = np.array([0.0, 1.5, -3.0])
    assert hash_numbers(floats).tolist() == hash_numbers(floats.astype(np.float32)).tolist()
    whole = np.array([0, 7, -1])
    assert hash_numbers(whole).tolist() == hash_numbers(whole.astype(np.int32)).tolist()


def test_the_two_zeros_of_floating_point_are_one_number() -> None:
    zeros = hash_numbers(np.array([0.0, -0.0], dtype=np.float32))
    assert zeros[0] == zeros[1]


@given(st.lists(st.tuples(unsigned, unsigned), max_size=8), st.randoms())
def test_a_digest_does_not_depend_on_the_order_of_the_rows(rows: list[tuple[int, int]], random) -> None:
    def digest(of: list[tuple[int, int]]) -> str:
        table = np.array(of, dtype=np.uint64).reshape(-1, 2)
        return digest_rows(table[:, 0], table[:, 1])

    shuffled = rows.copy()
    random.shuffle(shuffled)
    assert digest(rows) == digest(shuffled)


def test_a_digest_counts_how_often_a_row_stands() -> None:
    once, twice = np.array([1, 2], dtype=np.uint64), np.array([1, 2, 2], dtype=np.uint64)
    assert digest_rows(once) != digest_rows(twice)


def test_a_digest_tells_which_value_belongs_to_which_row() -> None:
    a, b = np.array([1, 2], dtype=np.uint64), np.array([3, 4], dtype=np.uint64)
    assert digest_rows(a, b) != digest_rows(a, b[::-1])


def test_an_empty_table_has_a_digest() -> None:
    empty = np.zeros(0, dtype=np.uint64)
    assert digest_rows(empty, empty) == hashlib.sha256(b"").hexdigest()


def test_canonical_json_sorts_keys_and_keeps_letters() -> None:
    assert canonical_json({"b": 1, "a": ["é", None]}) == '{"a":["é",null],"b":1}'


def test_canonical_json_refuses_what_is_not_a_number() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


def test_an_identity_is_a_letter_and_15_hex_digits_of_the_canonical_json() -> None:
    value = {"ratio": 0.8, "name": "random"}
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    assert identity("c", value) == "c" + hashlib.sha256(text.encode()).hexdigest()[:15]


def test_the_hashes_that_stored_results_rest_on_do_not_move() -> None:
    """Golden values: a change here gives every stored split another fingerprint."""
    assert int(hash_text("ann")) == 0xA5F323BF6ADF3A8D
    assert int(combine(hash_text("split 42 0"), hash_text("7"))[0]) == 0x27EBC4C7894A171F
    assert int(hash_numbers(np.array([1.5], dtype=np.float32))[0]) == 0x3FF8000000000000
