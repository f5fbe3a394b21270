from __future__ import annotations

import re

import pytest

from bakeoff.queries.comparison import comparison
from bakeoff.report.charts import charts
from bakeoff.report.charts.static import drawings


def numbers(mean):
    return {"ndcg": {"5": (mean / 2, 0.01), "10": (mean, 0.01)}}


@pytest.fixture
def drawn(make, metrics):
    results = [
        make(m, numbers(v), dataset="a/b <x>", split=split)
        for split, scale in (("random", 1.0), ("temporal", 0.5))
        for m, v in (("als", 0.5 * scale), ("</text><b>", 0.25 * scale))
    ]
    tables = comparison(results, (5, 10), metrics)
    sections = charts(tables, metrics, None)
    return lambda: drawings(sections, tables)


def test_each_comparison_has_its_own_drawings_with_plain_names(drawn) -> None:
    files = [drawing.file for drawing in drawn()]
    assert "charts/1-a-b-x-random-leader-board.svg" in files
    assert "charts/2-a-b-x-temporal-curves.svg" in files
    assert len(files) == len(set(files))
    assert all(re.fullmatch(r"charts/[a-z0-9_-]+\.svg", file) for file in files)


def test_a_drawing_is_of_its_own_comparison(drawn) -> None:
    by_file = {drawing.file: drawing.svg for drawing in drawn()}
    assert ">0.5000<" in by_file["charts/1-a-b-x-random-leader-board.svg"]
    assert ">0.2500<" in by_file["charts/2-a-b-x-temporal-leader-board.svg"]
    assert ">0.5000<" not in by_file["charts/2-a-b-x-temporal-leader-board.svg"]


def test_names_are_text_in_a_drawing(drawn) -> None:
    for drawing in drawn():
        assert "<b>" not in drawing.svg
        assert "&lt;/text&gt;" in drawing.svg


def test_drawings_are_the_same_every_time_and_ask_for_nothing(drawn) -> None:
    first, second = drawn(), drawn()
    assert first == second
    addresses = {a for d in first for a in re.findall(r"https?://[^\"]+", d.svg)}
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
