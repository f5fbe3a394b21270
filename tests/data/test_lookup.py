"""Ids that people type."""

from __future__ import annotations

import pytest

from bakeoff.data.ids import Ids
from bakeoff.data.lookup import find
from bakeoff.errors import UsageError


@pytest.mark.parametrize(
    ("text", "nearest"), [("u00", "u00[0-9]"), ("U003", "u003"), ("u0031", "u003"), ("u00a", "u00[0-9]")]
)
def test_a_slip_in_a_text_is_answered_with_the_nearest(text: str, nearest: str) -> None:
    known = Ids.of([f"u{i:03d}" for i in range(1000)])
    with pytest.raises(
        UsageError, match=rf"user '{text}': not known to train of x; did you mean '{nearest}'\?"
    ):
        find(known, text, "user", "x")


@pytest.mark.parametrize("text", ["", "3", "0031", "v", "beatles"])
def test_nothing_is_suggested_for_a_text_that_is_like_none(text: str) -> None:
    known = Ids.of([f"u{i:03d}" for i in range(1000)])
    with pytest.raises(UsageError, match=r"; its 1,000 ids are texts from 'u000' to 'u999'$"):
        find(known, text, "user", "x")


@pytest.mark.parametrize("text", ["7", "99", "-5", "8x", "08"])
def test_no_number_is_taken_for_a_slip_of_another(text: str) -> None:
    with pytest.raises(UsageError, match=r"; its ids are 3 whole numbers from 2 to 20$"):
        find(Ids.of([2, 8, 20]), text, "item", "x")


def test_an_item_asked_for_by_its_name_is_answered_with_its_id() -> None:
    with pytest.raises(UsageError, match=r"did you mean '8' \(Abbey Road\)\?$"):
        find(Ids.of([2, 8, 20]), "abbey road", "item", "x", {"8": "Abbey Road "})


def test_every_known_id_is_found_under_its_code() -> None:
    for known in (Ids.of([2, 8, 20, -3]), Ids.of(["b", "a | c", "é", "", "7"])):
        texts = [str(v) for v in known.values.tolist()]
        assert [find(known, t, "item", "x") for t in texts] == list(range(len(texts)))
