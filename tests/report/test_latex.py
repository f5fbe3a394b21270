"""The tables go through a real LaTeX: nothing in a name stops it, and no table is wider than the text."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bakeoff.queries.comparison import comparison
from bakeoff.report.document import document
from bakeoff.report.render import latex

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


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["pdflatex", "lualatex"])
def test_a_report_compiles_whatever_its_names_hold(engine, make, metrics, tmp_path: Path) -> None:
    program = shutil.which(engine)
    booktabs = (
        shutil.which("kpsewhich") and subprocess.run(["kpsewhich", "booktabs.sty"], check=False).returncode
    )
    if program is None or booktabs != 0:
        pytest.skip(f"{engine} with booktabs is not installed (Debian: texlive-latex-recommended)")
    numbers = {m: {"10": (0.123456, 0.01)} for m in ("ndcg", "gini", "mean_popularity")} | {
        "auc": {"": (0.5, None)}
    }
    results = [make(t, numbers, key=f"c{n}", build={"weights": t}) for n, t in enumerate(TEXTS)]
    results += [make(t, key=f"f{n}", status="failed", reason=t, split="other") for n, t in enumerate(TEXTS)]
    results += [make("als", numbers, key="best", dataset=t) for t in TEXTS[-3:-1]]
    many = {**metrics, "distributional_coverage": metrics["ndcg"]}
    tables = comparison(results, (10,), many)
    text = latex.render(document("x", results, tables, many, [], per_grid=latex.COLUMNS))
    (tmp_path / "report.tex").write_text(text, encoding="utf-8")
    (tmp_path / "page.tex").write_text(PAGE, encoding="utf-8")
    command = [program, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "page.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    log = (tmp_path / "page.log").read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, log[-3000:]
    places = re.findall(r"^Overfull .* at lines (\d+)--(\d+)", log, flags=re.MULTILINE)
    wide = [place for place in places if place[0] != place[1]]  # else a long word in a field
    assert not wide, wide
    assert text.count(r"\begin{table}") > 4
