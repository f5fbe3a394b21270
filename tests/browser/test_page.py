"""The page of a report as people meet it: in a real browser, with mouse, keyboard, phone and paper."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from browser.conftest import DATASET, HOSTILE, IMAGE, QUOTES, RTL, SCRIPT, Open, Opened, run_bakeoff

pytestmark = pytest.mark.slow

BAD = (QUOTES, "failed")


def number(text: str) -> float:
    match = re.match(r"[\d.,]+", text)
    return float(match[0].replace(",", "")) if match else float("nan")


def pick(page: Any, **choices: str) -> None:
    for name, value in choices.items():
        page.select_option(f"#{name}", label=value)


def chart_texts(page: Any, name: str) -> str:
    return page.locator(f"[data-chart={name}] svg").first.text_content()


def test_the_page_loads_without_a_complaint_and_asks_for_nothing(opened: Open, report: Path) -> None:
    with opened(charts=True) as view:
        assert view.complaints == []
        assert {url.split(",")[0] for url in view.requests} <= {report.as_uri(), "data:"}
        visible = "all => all.filter(c => !c.closest('figure').hidden).map(c => c.dataset.state)"
        states = view.page.eval_on_selector_all(".chart", visible)
        assert states
        assert set(states) == {"drawn"}
        assert view.page.locator(".chart svg").count() == len(states)


def test_names_are_shown_and_never_run(opened: Open) -> None:
    with opened(charts=True) as view:
        shown = "\n".join(cell for row in view.rows() for cell in row)
        for name in HOSTILE:
            assert name in shown
        assert view.page.evaluate("window.pwned") is None
        assert view.page.locator("img, iframe, object").count() == 0
        for _ in range(2):
            for board in ("random", "temporal"):
                pick(view.page, split=board)
        view.page.hover("[data-chart=leader-board] svg [aria-roledescription=point] >> nth=0", force=True)
        assert view.page.evaluate("window.pwned") is None
        assert view.complaints == []


def test_the_selectors_change_the_board(opened: Open) -> None:
    with opened() as view:
        before = view.rows()
        assert view.heads()[1] == "ndcg@5"
        pick(view.page, metric="recall", k="3")
        assert view.heads()[1] == "recall@3"
        assert [row[1] for row in view.rows()] != [row[1] for row in before]
        assert "H / R" in view.page.inner_text("#definition")
        pick(view.page, split="temporal")
        assert view.page.inner_text(".board:not([hidden]) h3") == f"{DATASET}, split temporal"
        assert view.heads()[1] == "recall@3"
        pick(view.page, metric="auc")
        assert view.heads()[1] == "auc"
        assert view.page.is_disabled("#k")


def test_the_selectors_change_the_charts(opened: Open) -> None:
    with opened(charts=True) as view:
        assert "ndcg@5" in chart_texts(view.page, "leader-board")
        pick(view.page, metric="recall", k="3", split="temporal")
        board = view.page.locator("[data-chart=leader-board] svg")
        board.get_by_text("recall@3").wait_for()
        board.filter(has_text=f"{DATASET}, temporal").wait_for()
        view.page.locator("[data-chart=curves] svg").get_by_text("recall,").wait_for()


def test_the_address_holds_what_is_chosen(opened: Open, report: Path) -> None:
    with opened() as view:
        pick(view.page, split="temporal", metric="recall", k="3")
        address = view.page.url
    assert address.startswith(report.as_uri() + "#")
    assert {"split=temporal", "metric=recall", "k=3"} <= set(address.partition("#")[2].split("&"))
    with opened(fragment="metric=recall&k=3&split=temporal") as view:
        assert view.heads()[1] == "recall@3"
        assert view.page.inner_text(".board:not([hidden]) h3") == f"{DATASET}, split temporal"
        # the link to a folded section opens it
        view.page.click("nav a[href='#agreement']")
        view.page.locator("#agreement svg").first.wait_for()
        assert view.complaints == []


def test_a_chart_without_data_for_what_is_chosen_is_hidden(opened: Open) -> None:
    with opened(charts=True) as view:
        tuned = view.page.locator("figure", has=view.page.locator("[data-chart=best-by-trial]"))
        assert tuned.is_visible()
        pick(view.page, split="temporal")  # nothing was tuned on it
        tuned.wait_for(state="hidden")
        pick(view.page, split="random")
        tuned.wait_for(state="visible")
        assert view.complaints == []


def test_the_goal_of_the_trade_off_can_be_chosen(opened: Open) -> None:
    with opened(charts=True) as view:
        chart = view.page.locator("[data-chart=tradeoff]")
        assert "against coverage" in chart.locator("svg").text_content()
        chart.locator("select").select_option(label="peak memory")
        chart.locator("svg").get_by_text("against peak memory").wait_for()
        assert view.complaints == []


def test_the_board_and_its_chart_hold_the_same_numbers(opened: Open) -> None:
    with opened(charts=True) as view:
        means = {number(row[1]) for row in view.rows() if row[1] != "–"}  # noqa: RUF001
        labels = view.page.eval_on_selector_all(
            "[data-chart=leader-board] svg .mark-text:not(.role-axis-label) text",
            "all => all.map(t => t.textContent)",
        )
        drawn = {float(label) for label in labels if re.fullmatch(r"[\d.]+", label)}
        assert all(any(abs(mean - d) < 6e-4 for d in drawn) for mean in means), (means, drawn)


def test_a_click_sorts_and_another_turns_the_order(opened: Open) -> None:
    with opened() as view:
        head = view.page.locator(
            ".board:not([hidden]) > .wide > table > thead th", has_text="peak memory (MB)"
        )
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == "descending"
        at = view.heads().index("peak memory (MB)")
        values = [row[at] for row in view.rows()]
        figures = [number(v) for v in values if v != "–"]  # noqa: RUF001
        assert figures == sorted(figures, reverse=True)
        assert values[: len(figures)] != values[-len(figures) :]  # those without a number come last
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == "ascending"
        again = [row[at] for row in view.rows()]
        assert [number(v) for v in again[: len(figures)]] == sorted(figures)


def test_the_board_starts_with_the_best_and_keeps_a_chosen_order(opened: Open) -> None:
    with opened() as view:
        values = [number(row[1]) for row in view.rows() if row[1] != "–"]  # noqa: RUF001
        assert values == sorted(values, reverse=True)
        view.page.click(".board:not([hidden]) thead button >> nth=0")
        names = [row[0] for row in view.rows()]
        pick(view.page, metric="recall")
        assert [row[0] for row in view.rows()] == names
        pick(view.page, split="temporal")
        pick(view.page, metric="gini")  # lower is better, so the lowest stands on top
        values = [number(row[1]) for row in view.rows() if row[1] != "–"]  # noqa: RUF001
        assert values == sorted(values)


def test_everything_works_from_the_keyboard(opened: Open) -> None:
    with opened() as view:
        view.page.keyboard.press("Tab")
        assert view.page.evaluate("document.activeElement.className") == "skip"
        head = view.page.locator(".board:not([hidden]) thead button").first
        head.focus()
        view.page.keyboard.press("Enter")
        assert (
            view.page.locator(".board:not([hidden]) thead th").first.get_attribute("aria-sort") == "ascending"
        )
        row = view.page.locator(".board:not([hidden]) .open", has_text="als")
        row.focus()
        view.page.keyboard.press("Space")
        assert row.get_attribute("aria-expanded") == "true"
        detail = view.page.locator(f"[id='{row.get_attribute('aria-controls')}']")
        assert detail.is_visible()
        view.page.keyboard.press("Space")
        assert not detail.is_visible()
        nameless = "e => e.filter(b => !b.textContent.trim() && !b.labels?.length).map(b => b.outerHTML)"
        assert view.page.eval_on_selector_all("button, select", nameless) == []


def test_a_row_opens_to_its_hyperparameters_and_trials(opened: Open) -> None:
    with opened() as view:
        row = view.page.locator(".board:not([hidden]) .open", has_text="als")
        row.click()
        text = view.page.locator(f"[id='{row.get_attribute('aria-controls')}']").inner_text()
        assert "factors" in text
        assert "Trials of split seed" in text
        trials = view.page.locator(f"[id='{row.get_attribute('aria-controls')}'] table").last
        assert trials.locator("tbody tr").count() == 3


def test_the_error_of_a_failed_cell_can_be_read(opened: Open) -> None:
    with opened() as view:
        name, status = BAD
        row = view.page.locator(".board:not([hidden]) tbody", has_text=name)
        assert status in row.locator("td.word").first.inner_text()
        row.locator(".open").click()
        trace = row.locator("pre")
        assert trace.is_visible()
        assert "Traceback (most recent call last)" in trace.inner_text()
        assert str(Path.home()) not in trace.inner_text()  # no folder of the machine
        assert row.get_by_text(re.compile("^failed: ")).first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (375, 812)])
def test_the_page_fits_and_can_be_read(
    opened: Open, width: int, height: int, scheme: str, tmp_path: Path
) -> None:
    with opened(width, height, charts=True, color_scheme=scheme) as view:
        view.page.click(".board:not([hidden]) .open >> nth=0")
        view.page.screenshot(path=tmp_path / "page.png", full_page=True)
        assert (tmp_path / "page.png").stat().st_size > 20_000
        assert view.page.evaluate("document.documentElement.scrollWidth") <= width
        for name in ("dataset", "split", "metric", "k"):
            assert view.page.is_visible(f"#{name}")
        assert contrasts(view) >= 4.5  # WCAG 2.2, level AA


def contrasts(view: Opened) -> float:
    """The least contrast of a text of the page with what lies behind it, by the formula of WCAG."""
    return view.page.evaluate(
        r"""() => {
          const light = rgb => {
            const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
            const [r, g, b] = rgb.map(v => linear(v / 255));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const parse = text => text.match(/[\d.]+/g).map(Number);
          const behind = element => {
            for (let e = element; e; e = e.parentElement) {
              const colour = parse(getComputedStyle(e).backgroundColor);
              if (colour.length < 4 || colour[3] > 0) return colour;
            }
            return parse(getComputedStyle(document.body).backgroundColor);
          };
          const texts = "h1, h2, h3, p, td, th, li, a, dt, dd, small, caption, figcaption, label, pre";
          return Math.min(...[...document.querySelectorAll(texts)].filter(e => e.offsetParent).map(e => {
            const [a, b] = [parse(getComputedStyle(e).color), behind(e)].map(light).sort((x, y) => y - x);
            return (a + 0.05) / (b + 0.05);
          }));
        }"""
    )


def test_the_theme_follows_the_system_until_it_is_chosen(opened: Open) -> None:
    with opened(color_scheme="dark") as view:
        paper = "getComputedStyle(document.body).backgroundColor"
        dark = view.page.evaluate(paper)
        view.page.click("#theme")
        assert "light" in view.page.inner_text("#theme")
        assert view.page.evaluate(paper) == "rgb(255, 255, 255)" != dark
        view.page.reload()
        assert view.page.evaluate(paper) == "rgb(255, 255, 255)"


def test_paper_shows_everything_in_black_on_white(opened: Open) -> None:
    with opened(charts=True, color_scheme="dark") as view:
        view.page.emulate_media(media="print")
        assert view.page.evaluate("getComputedStyle(document.body).color") == "rgb(26, 31, 38)"
        assert not view.page.is_visible("#controls")
        boards = view.page.locator(".board")
        assert all(boards.nth(n).is_visible() for n in range(boards.count()))
        details = view.page.locator("tr.detail")
        assert all(details.nth(n).is_visible() for n in range(details.count()))
        view.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert view.page.locator("details.fold:not([open])").count() == 0
        assert len(view.page.pdf(format="A4")) > 50_000
        view.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert view.page.locator("details.fold:not([open])").count() > 0


def test_a_chart_that_was_never_opened_is_not_on_paper(opened: Open) -> None:
    with opened() as view:
        view.page.wait_for_function("document.documentElement.dataset.charts === 'drawn'", polling=100)
        view.page.emulate_media(media="print")
        view.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        visible = (
            "all => all.filter(f => f.getClientRects().length).map(f => f.querySelector('svg') !== null)"
        )
        on_paper = view.page.eval_on_selector_all("figure", visible)
        assert on_paper
        assert all(on_paper)
        assert not view.page.locator("#agreement summary").is_visible()
        assert view.page.locator("#numbers table").first.is_visible()


def test_everything_is_printed_with_charts_that_were_never_opened(opened: Open) -> None:
    with opened() as view:
        charts = (
            "[...document.querySelectorAll('figure:not([hidden]) .chart')].map(e => !!e.querySelector('svg'))"
        )
        view.page.evaluate(f"window.print = () => {{ window.printed = {charts}; }}; 0")
        view.page.keyboard.press("Control+p")
        view.page.wait_for_function("window.printed", polling=100)
        drawn = view.page.evaluate("window.printed")
        assert len(drawn) > 10 and all(drawn)
        assert view.complaints == []


@pytest.mark.parametrize("width", [1280, 390])
def test_the_board_fits_and_shows_the_other_columns_on_demand(opened: Open, width: int) -> None:
    with opened(width, 900) as view:
        wide, button = (
            view.page.locator(".board:not([hidden]) > .wide"),
            view.page.locator(".board:not([hidden]) .columns"),
        )
        sizes = "e => [e.scrollWidth, e.clientWidth, document.documentElement.scrollWidth]"
        content, shown, page = wide.evaluate(sizes)
        assert content <= shown and page <= width
        left_out = button.inner_text().removeprefix("Show ").split(", ") if button.is_visible() else []
        heads = view.page.locator(".board:not([hidden]) > .wide > table > thead th:visible")
        before = heads.count()
        if width == 390:
            assert {"fit (s)", "peak memory (MB)"} <= set(left_out)
        if left_out:
            button.click()
            assert heads.count() == before + len(left_out)
        assert view.complaints == []


def test_one_legend_serves_all_charts_and_highlights_in_each(opened: Open) -> None:
    with opened(charts=True) as view:
        legend = view.page.locator("#legend button")
        names = legend.all_inner_texts()
        assert {SCRIPT, IMAGE} <= set(names)
        titles = view.page.eval_on_selector_all(
            ".chart svg .role-legend-label text", "all => all.map(t => t.textContent)"
        )
        assert not set(titles) & set(names)
        faint = ".chart[data-chart=curves] svg [opacity='0.12']"
        assert view.page.locator(faint).count() == 0
        legend.first.click()
        view.page.locator(faint).first.wait_for(state="attached")
        assert legend.first.get_attribute("aria-pressed") == "true"
        assert view.complaints == []


def test_rows_are_filtered_by_a_text(opened: Open) -> None:
    with opened() as view:
        view.page.fill("#filter", "ALS")
        shown = [row[0] for row in view.rows()]
        boards = view.page.locator(".board:not([hidden]) tbody[data-row]:visible")
        assert boards.count() == 1 < len(shown)
        assert boards.first.inner_text().startswith("als")
        view.page.fill("#filter", "")
        assert view.page.locator(".board:not([hidden]) tbody[data-row]:visible").count() == len(shown)


def test_a_table_is_saved_as_it_is_shown(opened: Open) -> None:
    import csv
    import io

    with opened() as view:
        pick(view.page, metric="recall", k="3")
        with view.page.expect_download() as download:
            view.page.locator(".board:not([hidden]) > div > .tools button").first.click()
        text = Path(download.value.path()).read_text(encoding="utf-8-sig")
        head, *rows = list(csv.reader(io.StringIO(text)))
        assert head == view.heads()
        assert [row[1] for row in rows] == [row[1] for row in view.rows()]
        assert any(row[0].startswith(SCRIPT) for row in rows)
        assert view.complaints == []


@pytest.mark.parametrize("kind", ["SVG", "PNG"])
def test_a_chart_is_saved_with_its_legend_and_no_colour_of_the_page(opened: Open, kind: str) -> None:
    with opened(charts=True) as view:
        figure = view.page.locator("figure", has=view.page.locator("[data-chart=curves]"))
        with view.page.expect_download() as download:
            figure.get_by_text(f"Download {kind}").click()
        content = Path(download.value.path()).read_bytes()
        if kind == "PNG":
            assert content.startswith(b"\x89PNG")
        else:
            text = content.decode()
            assert "&lt;/script&gt;" in text
            assert "role-legend" in text
            assert "var(--" not in text
        assert download.value.suggested_filename == f"curves.{kind.lower()}"
        assert view.complaints == []


def test_without_a_script_the_tables_still_read(opened: Open) -> None:
    with opened(script=False) as view:
        text = view.page.inner_text("main")
        assert SCRIPT in text
        assert IMAGE in text
        assert RTL in text
        assert "ndcg@5" in text
        assert f"{DATASET}, split temporal" in text
        assert not view.page.is_visible("#controls")
        summary = view.page.locator("tr.detail summary").first
        assert summary.is_visible()
        summary.click()
        assert view.page.locator("tr.detail .inside").first.is_visible()


@pytest.mark.real_data
def test_the_page_of_three_models_opens_short(opened: Open, real_data: Path, tmp_path: Path) -> None:
    models = "model=als,itemknn_cosine,ease"
    run_bakeoff(tmp_path, "run", "dataset=ml_100k", models, "name=three", f"results_dir={tmp_path}")
    with opened(1280, 800, path=tmp_path / "three" / "report.html") as view:
        view.page.wait_for_function("document.documentElement.dataset.charts === 'drawn'", polling=100)
        assert view.page.evaluate("document.documentElement.scrollHeight") <= 3600
        assert view.complaints == []
