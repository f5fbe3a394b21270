"""The tables go through a real LaTeX: nothing in a name stops it, and no table is wider than the text."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bakeoff.evaluation.catalogue import default_paths, resolve
from bakeoff.queries.comparison import comparison
from bakeoff.report import readback
from bakeoff.report.document import document
from bakeoff.report.render import latex
from bakeoff.report.render.paper import paper_table, render
from bakeoff.storage.experiment import Experiment

LATIN_AND_SIGNS = "".join(chr(c) for c in (*range(0x20, 0x7F), *range(0xA1, 0x180))) + "–—‘’‚“”„…€™•†‡‰‹›"  # noqa: RUF001
TEXTS = [
    LATIN_AND_SIGNS[at : at + 40] for at in range(0, len(LATIN_AND_SIGNS), 40)
] + [
    "\\input{/etc/passwd} \\end{table} $x^2$ % & # _ { } ~",
    "-- --- ,, << >> !` ?` '' ``",
    "[a] * \\\\ [b]",
    "שלום עربى 日本語 🎵",
    "a" * 300 + " " + "b c " * 100,
]  # fmt: skip

PAGE = r"""\documentclass{article}
\usepackage{booktabs,graphicx}
\usepackage[T1]{fontenc}
\begin{document}
\input{report}
\end{document}
"""


def compile_with(engine: str, text: str, folder: Path) -> str:
    """Return the log of LaTeX on a page that inputs the report."""
    program = shutil.which(engine)
    booktabs = (
        shutil.which("kpsewhich") and subprocess.run(["kpsewhich", "booktabs.sty"], check=False).returncode
    )
    if program is None or booktabs != 0:
        pytest.skip(f"{engine} with booktabs is not installed (Debian: texlive-latex-recommended)")
    (folder / "report.tex").write_text(text, encoding="utf-8")
    (folder / "page.tex").write_text(PAGE, encoding="utf-8")
    command = [program, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "page.tex"]
    run = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    log = (folder / "page.log").read_text(encoding="utf-8", errors="replace")
    assert run.returncode == 0, log[-3000:]
    return log


def overfull(log: str) -> list[str]:
    """Return the lines of a log that tell of a table beyond the text; a long word in a field is none."""
    lines = re.findall(r"^Overfull \\hbox.*$", log, flags=re.MULTILINE)
    return [line for line in lines if not ((at := re.search(r"lines (\d+)--(\d+)", line)) and at[1] == at[2])]


def long_report(make, metrics, n_data_sets: int, n_models: int) -> str:
    numbers = {"ndcg": {"10": (0.123456, 0.01)}}
    results = [
        make(f"m{m:03}", numbers, key=f"c{d}-{m}", dataset=f"d{d:03}")
        for d in range(n_data_sets)
        for m in range(n_models)
    ]
    tables = comparison(results, (10,), metrics)
    return latex.render(document("x", results, tables, metrics, [], per_grid=latex.COLUMNS))


def test_no_table_floats_and_none_is_higher_than_a_page(make, metrics) -> None:
    text = long_report(make, metrics, n_data_sets=2, n_models=100)
    assert r"\begin{table}" not in text  # LaTeX stops at the nineteenth float that it cannot place
    tables = re.findall(r"\\midrule\n(.*?)\\bottomrule", text, flags=re.DOTALL)
    assert max(table.count(r" \\") for table in tables) <= latex.MAX_LINES
    assert sum(table.count(r" \\") for table in tables) == 2 * 2 * 100  # metrics and costs of each model
    assert len(re.findall(r"\\label\{", text)) == 4


@pytest.mark.slow
def test_any_number_of_tables_compiles(make, metrics, tmp_path: Path) -> None:
    log = compile_with("pdflatex", long_report(make, metrics, n_data_sets=60, n_models=50), tmp_path)
    assert "Overfull" not in log


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["pdflatex", "lualatex"])
def test_a_report_compiles_whatever_its_names_hold(engine, make, metrics, tmp_path: Path) -> None:
    numbers = {m: {"10": (0.123456, 0.01)} for m in ("ndcg", "gini", "mean_popularity")} | {
        "auc": {"": (0.5, None)}
    }
    results = [make(t, numbers, key=f"c{n}", build={"weights": t}) for n, t in enumerate(TEXTS)]
    results += [make(t, key=f"f{n}", status="failed", reason=t, split="other") for n, t in enumerate(TEXTS)]
    results += [make("als", numbers, key="best", dataset=t) for t in TEXTS[-3:-1]]
    many = {**metrics, "distributional_coverage": metrics["ndcg"]}
    tables = comparison(results, (10,), many)
    text = latex.render(document("x", results, tables, many, [], per_grid=latex.COLUMNS))
    log = compile_with(engine, text, tmp_path)
    assert overfull(log) == []
    assert text.count(r"\bakeoffcaption{") > 4


@pytest.mark.slow
@pytest.mark.parametrize("intervals", [False, True])
def test_a_table_of_five_data_sets_six_models_and_two_metrics_fits_the_text(
    intervals, make, metrics, tmp_path: Path
) -> None:
    names = ("ndcg", "mean_popularity")
    results = [
        make(
            f"a_model_{m}",
            {name: {"10": (0.123456 + m, 0.01)} for name in names},
            dataset=f"data_set_{d} & co",
            key=f"c{d}-{m}",
        )
        for d in range(5)
        for m in range(6)
    ]
    tables = comparison(results, (10,), {name: metrics[name] for name in names})
    text = render(paper_table(tables, metrics, intervals=intervals), "latex")
    assert text.count(r"\multicolumn{2}{c}{data\_set") == 5  # whole groups, each once
    assert overfull(compile_with("pdflatex", text, tmp_path)) == []


COMMITTED = sorted((Path(__file__).parents[3] / "results").glob("*/experiment.json"))


@pytest.mark.slow
@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.parent.name)
def test_committed_reports_compile_and_what_is_rendered_now_fits_the_text(path: Path, tmp_path) -> None:
    folder = path.parent
    (tmp_path / "now").mkdir()
    log = compile_with("pdflatex", (folder / "report.tex").read_text(encoding="utf-8"), tmp_path)
    assert overfull(log) == []
    experiment = Experiment.read(folder, folder.name)
    results = readback.results(folder, experiment)
    metrics = resolve(default_paths())
    tables = comparison(results, (5, 10, 20, 30), metrics)
    text = latex.render(document("x", results, tables, metrics, [], per_grid=latex.COLUMNS))
    assert overfull(compile_with("pdflatex", text, tmp_path / "now")) == []
