"""What is drawn can be read: nothing is cut off, nothing lies on another, and little data break nothing."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from browser.conftest import Open, Opened
from browser.test_page import chart_texts, number, pick

pytestmark = pytest.mark.slow

TEXTS = r"""() => [...document.querySelectorAll(".chart svg")].map(svg => {
  const seen = t => t.textContent.trim() && t.getAttribute("opacity") !== "0";
  const turned = t => /rotate\([^0]/.test(t.getAttribute("transform"));
  const texts = [...svg.querySelectorAll("text")].filter(seen);
  const told = t => [t.textContent, t.getBoundingClientRect(), turned(t)];
  return [svg.closest(".chart").dataset.chart, svg.getBoundingClientRect(), texts.map(told)];
})"""


def unreadable(view: Opened) -> list[tuple[str, ...]]:
    """Texts of charts that reach out of their drawing, or lie on another (slanted ones have no plain box)."""
    bad = []
    for chart, frame, texts in view.page.evaluate(TEXTS):
        for text, box, _ in texts:
            over = max(frame["left"] - box["left"], box["right"] - frame["right"])
            over = max(over, frame["top"] - box["top"], box["bottom"] - frame["bottom"])
            if over > 1:
                bad.append((chart, text))
        level = [(text, box) for text, box, turned in texts if not turned]
        for (one, a), (other, b) in combinations(level, 2):
            wide = min(a["right"], b["right"]) - max(a["left"], b["left"])
            high = min(a["bottom"], b["bottom"]) - max(a["top"], b["top"])
            if wide > 1.5 and high > 4:  # the box of a line is higher than its letters
                bad.append((chart, one, other))
    return bad


@pytest.mark.parametrize("width", [390, 1280])
def test_no_text_of_a_chart_is_cut_off_or_lies_on_another(opened: Open, width: int) -> None:
    with opened(width, charts=True) as view:
        assert unreadable(view) == []
        for choice in ({"metric": "mean_popularity"}, {"metric": "recall", "k": "3", "split": "temporal"}):
            pick(view.page, **choice)
            view.page.locator("[data-chart=leader-board] svg").get_by_text(choice["metric"]).wait_for()
            view.page.wait_for_timeout(300)
            assert unreadable(view) == []
        assert view.complaints == []


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["broken", "skipped", "single", "alone"])
def test_a_page_with_next_to_nothing_in_it_holds(
    opened: Open, bare: dict[str, Path], name: str, width: int
) -> None:
    with opened(width, charts=True, path=bare[name]) as view:
        assert view.complaints == []
        assert unreadable(view) == []
        assert len(view.rows()) == {"broken": 2, "skipped": 1, "single": 1, "alone": 3}[name]
        measured = name in ("single", "alone")
        assert (view.page.locator(".chart svg").count() > 0) == measured
        assert view.page.is_visible("#metric") == measured
        head = view.page.locator(".board:not([hidden]) > .wide > table > thead button").first
        for _ in range(2):
            head.click()
        view.page.click(".board:not([hidden]) .open >> nth=0")
        assert view.page.locator(".board:not([hidden]) tr.detail").first.is_visible()
        assert view.page.evaluate("document.documentElement.scrollWidth") <= width
        assert view.complaints == []


def test_a_metric_of_the_whole_set_has_a_number_and_no_interval(opened: Open) -> None:
    with opened(charts=True) as view:
        pick(view.page, metric="catalog_coverage")
        heads = view.heads()
        assert heads[1].startswith("catalog_coverage@")
        rows = [row for row in view.rows() if row[1] != "–"]  # noqa: RUF001
        assert rows
        assert all(0 < number(row[1]) <= 1 and "†" not in row[1] for row in rows)
        assert all("±" not in row[1] for row in rows)
        board = view.page.locator("[data-chart=leader-board] svg")
        board.get_by_text("catalog_coverage@").wait_for()
        # what has no value for each user is not among the charts of users: they show their own first metric
        assert "catalog_coverage" not in chart_texts(view.page, "distribution")
        assert view.complaints == []
