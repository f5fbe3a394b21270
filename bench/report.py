"""What the page of a large grid costs: 100 cells on 10,000 users.

    python bench/report.py
    python bench/report.py --results /tmp/grid          # keeps the grid; runs only what is missing

The grid is run first, by the command, and is not timed: 10 models, 2 splits, 5 seeds. Then the reports are
made as `bakeoff report` makes them, part by part, in CPU seconds of this process. Seven of the models are
without chance and have one fit for all seeds: 100 cells as they were asked for are 44 fits.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bakeoff.data.describe import describe
from bakeoff.evaluation.catalogue import default_paths, resolve
from bakeoff.evaluation.significance import TestConfig
from bakeoff.queries.comparison import comparison
from bakeoff.queries.pairs import with_uncertainty
from bakeoff.queries.select import Result
from bakeoff.report.charts import charts
from bakeoff.report.charts.static import drawings
from bakeoff.report.document import document
from bakeoff.report.page import page
from bakeoff.report.render import html
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.store import Store

GRID = (
    "dataset=simulated",
    "dataset.n_users=10000",
    "dataset.n_items=4000",
    "dataset.n_rows=400000",
    "split=random,chronological",
    "seed=1,2,3,4,5",
    "model=popularity,random,biases,als,bpr,itemknn_cosine,itemknn_tfidf,itemknn_bm25,sar,ease",
)
KS = (5, 10, 20, 30)


def timed(what: str, work: Callable[[], Any]) -> Any:
    start = time.process_time()
    found = work()
    print(f"{what:<44} {time.process_time() - start:6.1f} s")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--results", type=Path, default=None)
    given = parser.parse_args().results
    with tempfile.TemporaryDirectory() as temporary:
        results = given or Path(temporary)
        command = [sys.executable, "-m", "bakeoff", "run", *GRID, f"results_dir={results}", "name=grid"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        report(results)


def report(results: Path) -> None:
    store = Store(results / "store")
    experiment = Experiment.read(results / "grid", "grid")
    cells = [Result(asked, store.record(asked.key)) for asked in experiment.requests]  # type: ignore[arg-type]
    metrics = resolve(default_paths())
    print(f"{len(cells)} cells, {len({r.request.key for r in cells})} fits")
    tables = timed("tables", lambda: comparison(cells, KS, metrics))
    tables = timed("tests of every pair", lambda: with_uncertainty(tables, metrics, store, TestConfig()))
    sections = timed("charts", lambda: charts(tables, metrics, store))
    words = timed("words", lambda: document("grid", cells, tables, metrics, experiment.commands))
    look = lambda cell: describe(store.data(cell.data_key))  # noqa: E731
    shown = timed(
        "page, with the data sets described", lambda: page(words, cells, tables, metrics, sections, look)
    )
    timed("script of the charts", html.bundle)
    text = timed("HTML", lambda: html.render(shown))
    drawn = timed("SVG beside the Markdown report", lambda: drawings(sections, tables))
    n_charts = sum(len(section.charts) for section in sections)
    print(f"report.html {len(text.encode()) / 1e6:.2f} MB: script {len(html.bundle()) / 1e6:.2f}, ")
    print(f"  data {len(shown.data.encode()) / 1e6:.2f} with {n_charts} charts; {len(drawn)} SVG files")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} MB")


if __name__ == "__main__":
    main()
