"""A real headless Chromium, and the page of an experiment whose names all try to be more than names."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import commands

HERE = Path(__file__).parent
LOUD = ("error", "warning", "assert")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

SCRIPT = "</script><script>window.pwned=1</script>"
IMAGE = "<img src=x onerror=window.pwned=2>"
QUOTES = "\"quoted\" 'single' `tick` &lt; \\ {{ x }}"
RTL = "שלום 🎵"
HOSTILE = (SCRIPT, IMAGE, QUOTES, RTL)
DATASET = "plays <b>&amp;</b> more"

YAML = """name: {name}
build:
  _target_: {target}
"""

DATA = f"""_target_: bakeoff.data.readers.Table
name: {DATASET}
path: plays.csv
time: time
"""


@dataclass
class Opened:
    """A page in the browser, and what it did while it was open."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def rows(self) -> list[list[str]]:
        """Texts of the visible leader board, row by row, without what its rows open to."""
        return self.page.evaluate(
            """() => [...document.querySelectorAll(".board:not([hidden]) tbody[data-row]")].map(body =>
                [...body.rows[0].cells].filter(cell => !cell.hidden).map(cell => cell.innerText.trim()))"""
        )

    def heads(self) -> list[str]:
        return self.page.evaluate(
            """() => [...document.querySelectorAll(".board:not([hidden]) > .wide > table > thead th")]
                .filter(head => !head.hidden).map(head => head.innerText.trim())"""
        )


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser; without one, or without its driver, the tests are skipped."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on the PATH")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """report.html of a small grid with a tuned, a failing and a skipped model, made by the real commands."""
    folder = tmp_path_factory.mktemp("page")
    rows = [
        {
            "user": f"{HOSTILE[u % 4]}{u}",
            "item": f"{HOSTILE[i % 4]}{i}",
            "time": (31 * u + 17 * i) % 97 * 1000,
        }
        for u in range(40)
        for i in range(30)
        if (u * 7 + i * 3) % 5 < 2 or i % 10 == u % 10
    ]
    with (folder / "plays.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["user", "item", "time"])
        writer.writeheader()
        writer.writerows(rows)
    models = folder / "conf" / "model"
    models.mkdir(parents=True)
    for file, name, target in (
        ("script", SCRIPT, "bakeoff.models.baselines.Popularity"),
        ("image", IMAGE, "bakeoff.models.linear.EASE"),
        ("quotes", QUOTES, "toys.Breaks\n  offset: 0"),
        ("rtl", RTL, "toys.Refuses\n  offset: 0"),
    ):
        quoted = "'" + name.replace("'", "''") + "'"
        (models / f"{file}.yaml").write_text(YAML.format(name=quoted, target=target), encoding="utf-8")
    datasets = folder / "conf" / "dataset"
    datasets.mkdir()
    (datasets / "evil.yaml").write_text(DATA, encoding="utf-8")
    words = ["dataset=evil", "results_dir=results", "name=evil", "k=[3,5]", "depth=10", "--config-dir=conf"]
    run_bakeoff(folder, "run", *words, "model=script,image,quotes,rtl", "split=random,temporal")
    run_bakeoff(folder, "run", *words, "model=als", "split=random", "tune=optuna", "tune.trials=3")
    return folder / "results" / "evil" / "report.html"


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """report.html of grids that hold next to nothing, by name."""
    folder = tmp_path_factory.mktemp("bare")
    names = {"broken": "breaks,refuses", "skipped": "refuses", "single": "by_item"}
    toys = [f"--config-dir={HERE.parent / 'conf'}", "dataset=blocks", "baselines=[]", "k=[5]"]
    for name, models in names.items():
        run_bakeoff(folder, "run", *toys, f"model={models}", f"name={name}")
    # u0 is the only one with enough rows to hold some out
    rows = [f"{user},i{i}" for i in range(6) for user in ("u0", f"u{i + 1}")]
    (folder / "log.csv").write_text("\n".join(["user,item", *rows, ""]), encoding="utf-8")
    log = ["dataset=csv", "dataset.path=log.csv", "dataset.user=user", "dataset.item=item"]
    run_bakeoff(folder, "run", *log, "model=ease", "k=[1]", "depth=2", "name=alone")
    return {name: folder / "results" / name / "report.html" for name in (*names, "alone")}


def run_bakeoff(folder: Path, *words: str) -> None:
    done = commands.run(words, folder)
    assert done.returncode in (0, 1), done.stderr  # 1: the cells that are made to fail


Open = Callable[..., Any]


@pytest.fixture
def opened(chromium: Any, report: Path) -> Open:
    """Open the report; with `charts`, unfold all sections and wait until their charts are drawn."""

    @contextmanager
    def go(
        width: int = 1280,
        height: int = 900,
        *,
        charts: bool = False,
        script: bool = True,
        path: Path = report,
        fragment: str = "",
        **context: Any,
    ) -> Iterator[Opened]:
        inside = chromium.new_context(
            viewport={"width": width, "height": height}, java_script_enabled=script, **context
        )
        inside.set_default_timeout(120_000)  # a busy machine is slow, not wrong
        view = Opened(inside.new_page())
        view.page.on("console", lambda m: view.complaints.append(m.text) if m.type in LOUD else None)
        view.page.on("pageerror", lambda error: view.complaints.append(str(error)))
        view.page.on("dialog", lambda dialog: view.complaints.append(dialog.message))
        view.page.on("request", lambda request: view.requests.append(request.url))
        view.page.goto(path.as_uri() + (f"#{fragment}" if fragment else ""))
        if script:
            view.page.wait_for_selector("#theme:not([hidden])")  # the script has ended
        if charts:
            view.page.evaluate(
                "document.querySelectorAll('details:has(.chart)').forEach(d => { d.open = true; })"
            )
            view.page.wait_for_timeout(50)  # the event of opening comes later
            drawn = "document.documentElement.dataset.charts === 'drawn'"
            view.page.wait_for_function(drawn, polling=100)  # not by frames: a busy machine may draw none
        yield view
        inside.close()

    return go
