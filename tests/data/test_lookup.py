"""Ids that people type."""

from __future__ import annotations

import pytest

from bakeoff.data.ids import Ids
from bakeoff.data.lookup import find
from bakeoff.errors import UsageError


@pytest.mark.parametrize(
    ("text", "nearest"), [("u00", "u00[0-9]"), ("U003", "u003"), ("u0031", "u003"), ("", "u000")]
)
def test_an_unknown_text_names_the_nearest(text: str, nearest: str) -> None:
    known = Ids.of([f"u{i:03d}" for i in range(1000)])
    with pytest.raises(
        UsageError, match=rf"user '{text}': not known to train of x; the nearest is '{nearest}'"
    ):
        find(known, text, "user", "x")


@pytest.mark.parametrize(("text", "nearest"), [("7", "8"), ("99", "20"), ("-5", "2"), ("8x", "8")])
def test_an_unknown_number_names_the_nearest(text: str, nearest: str) -> None:
    with pytest.raises(UsageError, match=f"the nearest is '{nearest}'"):
        find(Ids.of([2, 8, 20]), text, "item", "x")


def test_every_known_id_is_found_under_its_code() -> None:
    for known in (Ids.of([2, 8, 20, -3]), Ids.of(["b", "a | c", "é", "", "7"])):
        texts = [str(v) for v in known.values.tolist()]
        assert [find(known, t, "item", "x") for t in texts] == list(range(len(texts)))
