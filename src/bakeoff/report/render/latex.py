"""A report as LaTeX tables (booktabs), to be taken into a paper with \\input."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bakeoff.report.document import Document
from bakeoff.report.layout import Grid
from bakeoff.report.wording import Entry

COLUMNS = 4
"""Metric columns of one table: more do not fit on a page."""

_HEAD = r"""% Tables for \input; the preamble needs \usepackage{booktabs}.
% Letters beyond Latin need LuaLaTeX or XeLaTeX with a font that has them."""

_SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "$": r"\$",
        "&": r"\&",
        "%": r"\%",
        "#": r"\#",
        "_": r"\_",
        "^": r"\textasciicircum{}",
        "~": r"\textasciitilde{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
        "`": r"\textasciigrave{}",
        "'": r"\textquotesingle{}",
        "[": "{[}",  # after \\ a bracket would be read as an argument
        "]": "{]}",
        "±": r"$\pm$",
        "–": r"\textendash{}",  # noqa: RUF001
    }
)


_ALIGNED = {"word": "l", "text": r"p{0.3\textwidth}", "figure": "r"}


def render(document: Document) -> str:
    """The whole file, ending with a line end."""
    grids: list[tuple[Grid, tuple[str, ...]]] = []
    for section in document.sections:
        grids += [*((grid, ()) for grid in section.metrics), (section.costs, section.notes)]
    tables = [_table(grid, notes, number) for number, (grid, notes) in enumerate(grids, 1)]
    return "\n\n".join([_HEAD, *tables]) + "\n"


def escape(text: str) -> str:
    """Plain text in which nothing is a command.

    >>> escape("50 %_{a}")
    '50 \\\\%\\\\_\\\\{a\\\\}'
    """
    return re.sub("-(?=-)", "-{}", text.translate(_SPECIAL))  # or two hyphens would become a dash


def _table(grid: Grid, notes: tuple[str, ...], number: int) -> str:
    columns = "".join(_ALIGNED[head.kind] for head in grid.heads)
    lines = [
        r"\begin{table}",
        r"\centering\footnotesize",
        rf"\caption{{{escape(grid.caption)}}}",
        rf"\label{{tab:bakeoff-{number}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _line(escape(head.text) for head in grid.heads),
        r"\midrule",
        *(_line(_field(entry) for entry in row) for row in grid.rows),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par {escape(note)}" for note in notes),
        r"\end{table}",
    ]
    return "\n".join(lines)


def _line(fields: Iterable[str]) -> str:
    return " & ".join(fields) + r" \\"


def _field(entry: Entry) -> str:
    return rf"\textbf{{{escape(entry.text)}}}" if entry.bold else escape(entry.text)
