"""The page as text: what it holds reads back, and nothing from data is markup.

tests/browser looks at it drawn.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import vl_convert

from bakeoff.queries.comparison import comparison
from bakeoff.report.charts import Chart, ChartSection
from bakeoff.report.document import document
from bakeoff.report.page import page
from bakeoff.report.render import html

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "<!-- --> ]]> {{ page }} {% raw %}",
    "&lt; &amp; \"quoted\" 'single' `tick`",
    "🎵 👩‍👩‍👧 :smile:",
    "שלום عربى",
    "javascript:alert(3)",
]

PARTS = set(
    "html head meta title link style script body a header div p h1 h2 h3 h4 bdi button span nav ul li "
    "form label select input b main section table caption thead tbody tr th td small details summary dl dt "
    "dd pre figure figcaption noscript".split()
)


class Read(HTMLParser):
    """Tags with their attributes, the text of each script, and all other text in pieces."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.texts, self.inside = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts[-1] += data
        elif self.inside != "style":
            self.texts.append(data)

    @property
    def data(self):
        return json.loads(self.inflated("data"))

    def inflated(self, name):
        """What the script of the page reads from an element."""
        scripts = [attrs for tag, attrs in self.tags if tag == "script"]
        at = next(n for n, attrs in enumerate(scripts) if attrs.get("id") == name)
        return zlib.decompress(base64.b64decode(self.scripts[at])).decode()


def drawn(spec):
    """A section with one chart."""
    return (ChartSection("who", "Who leads", "What it shows.", (Chart("c1", "T", "How.", spec),)),)


def rendered(results, metrics, sections=(), commands=("bakeoff run",)):
    tables = comparison(results, (5, 10), metrics)
    doc = document(HOSTILE[0], results, tables, metrics, commands)
    return html.render(page(doc, results, tables, metrics, sections))


def numbers(mean):
    return {
        "ndcg": {"5": (mean / 2, 0.01), "10": (mean, 0.01)},
        "gini": {"10": (mean, None)},
        "auc": {"": (mean, 0.02)},
    }


def tuning(text):
    """What `bakeoff.tuning.summary` says of a search of one trial."""
    trial = {"number": 0, "parameters": {text: text}, "state": "complete", "value": 0.5, "by_epoch": {}}
    trial |= {"seconds": 1.0, "from_memory": False, "reason": text}
    about = {"metric": "ndcg@10", "direction": "maximize", "sampler": text, "pruner": "none"}
    return {"budget": {"trials": 1}, "best": trial, "edges": [text], "trials": [trial], **about}


@pytest.fixture
def hostile(make):
    where = {"dataset": HOSTILE[0], "split": HOSTILE[1]}
    results = []
    for n, text in enumerate(HOSTILE):
        if n % 2:
            texts = {
                "parameters": {text: text},
                "notes": (text,),
                "tuning": tuning(text),
                "tune": {"name": text},
            }
            results.append(make(text, numbers(0.1 * n), key=f"c{n}", variant=text, **where, **texts))
        else:
            results.append(make(text, key=f"c{n}", status="failed", reason=text, traceback=text, **where))
    return results


def test_text_from_data_is_text_and_never_markup(hostile, metrics) -> None:
    page = Read(rendered(hostile, metrics, drawn({"title": HOSTILE[1]}), HOSTILE))
    assert {tag for tag, _ in page.tags} <= PARTS
    pieces = [text.strip() for text in page.texts]
    for text in HOSTILE:
        assert pieces.count(text) >= 3  # in the leader board and in the tables
    assert not [a for _, attrs in page.tags for a in attrs if a.startswith("on")]


def test_the_page_names_no_address_outside_itself(hostile, metrics) -> None:
    text = rendered(hostile, metrics, drawn({}))
    page = Read(text)
    addresses = [attrs[a] for _, attrs in page.tags for a in ("src", "href", "action") if a in attrs]
    assert all(address.startswith("#") or address == "data:," for address in addresses)
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    policy = [attrs["content"] for tag, attrs in page.tags if "http-equiv" in attrs]
    assert policy[0].startswith("default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'")
    assert "http" not in policy[0]


def test_every_link_leads_to_a_place_on_the_page(hostile, metrics) -> None:
    page = Read(rendered(hostile, metrics, drawn({})))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = {attrs["href"][1:] for tag, attrs in page.tags if tag == "a"}
    assert targets <= set(ids)
    assert {"board", "who", "compared", "numbers", "definitions", "again"} <= targets
    assert {attrs["aria-controls"] for _, attrs in page.tags if "aria-controls" in attrs} <= set(ids)


def test_the_script_gets_what_the_tables_hold(make, metrics) -> None:
    results = [make("a", numbers(0.25)), make("b", numbers(0.5)), make("c", status="skipped", reason="no")]
    data = Read(rendered(results, metrics)).data
    (board,) = data["boards"]
    assert (board["dataset"], board["split"]) == ("plays", "random")
    at = board["columns"].index(["ndcg", 10])
    first, second, none = (row[at] for row in board["rows"])
    assert first[1:] == [0.5, 1]  # the best
    assert second[1:] == [0.25, 0]
    assert none == 0  # no number
    # Student's t with 49 degrees of freedom, from a printed table: 2.0096
    assert second[0] == f"0.2500 ± {2.0096 * 0.01:.4f}"
    assert first[0].endswith("★")
    assert data["metrics"]["gini"][1] is False


def test_the_board_reads_without_a_script(make, metrics) -> None:
    results = [make("a", numbers(0.25)), make("b", numbers(0.5))]
    texts = [t.strip() for t in Read(rendered(results, metrics)).texts if t.strip()]
    assert texts.index("b") < texts.index("a")  # the best one first
    assert "0.5000 ± 0.0201" in texts
    assert "ndcg@10" in texts


def test_charts_bring_their_script_and_are_named_without_it(make, metrics) -> None:
    results = [make("a", numbers(0.25))]
    with_chart = rendered(results, metrics, drawn({"mark": "point"}))
    assert Read(with_chart).data["charts"] == {"c1": {"mark": "point"}}
    assert "window.vegaEmbed" in Read(with_chart).inflated("bundle")
    assert "<noscript>" in with_chart
    assert Read(rendered(results, metrics)).inflated("bundle") == ""


def test_the_same_results_give_the_same_page(make, metrics) -> None:
    results = [make(m, numbers(0.25), seed=s) for m in ("a", "b") for s in (1, 2)]
    assert rendered(results, metrics) == rendered(results[::-1], metrics)


def test_a_report_without_results_is_a_page_still(make, metrics) -> None:
    page = Read(rendered([make("a", status="failed", reason="broke", fingerprint="")], metrics))
    assert "failed: broke" in [t.strip() for t in page.texts]


# -- the script of the charts: made once, and never a reason to fail ---------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder of the test's own, and nothing remembered."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    html.bundle.cache_clear()
    yield tmp_path / "cache"
    html.bundle.cache_clear()


def test_the_script_defines_the_function_that_the_page_calls_and_takes_half_a_megabyte(cache: Path) -> None:
    assert "window.vegaEmbed" in html.bundle()
    assert len(html.deflated(html.bundle())) < 500_000


def test_another_process_reads_the_script_that_was_made(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = html.bundle()
    html.bundle.cache_clear()
    monkeypatch.delattr(vl_convert, "javascript_bundle")
    assert html.bundle() == made


def test_another_version_makes_a_script_of_its_own(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    html.bundle()
    html.bundle.cache_clear()
    monkeypatch.setattr(html, "version", lambda name: "0.0.0")
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda call: f"of version 0; {call}")
    assert html.bundle().startswith("of version 0")
    assert len(list(cache.rglob("*.js"))) == 2


def test_a_cache_that_cannot_be_written_costs_time_alone(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("a file where the folder would be")
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda call: call)
    assert html.bundle() == "window.vegaEmbed = vegaEmbed;"
