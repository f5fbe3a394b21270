"""A report as LaTeX tables (booktabs), to be taken into a paper with \\input."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from bakeoff.report.document import Document, digest_line, sealed
from bakeoff.report.view import Entry, Grid, Head

COLUMNS = 4
"""Metric columns of one table: more do not fit on a page."""

LONG_HEAD = 10
"""Letters of a column's name that stand in one line."""

MAX_LINES = 40
"""Lines of one piece of a table: a table does not break across pages, so a longer one is cut into pieces."""

MAX_WIDTH, GROUP_COLUMNS = 110, 10
"""Letters and columns of a paper's table: more would be too small to read once it is as wide as the text."""

_LINE_OF_TEXT = 30
"""Letters in a line of a column of running text."""

_HEAD = r"""% Tables for \input. The preamble needs \usepackage{booktabs,graphicx},
% for pdfLaTeX also \usepackage[T1]{fontenc}.
% Letters beyond Latin need LuaLaTeX or XeLaTeX with a font that has them; pdfLaTeX shows their code points.
\providecommand{\bakeoffletters}[2]{\ifdefined\directlua#2\else\ifdefined\XeTeXrevision#2\else[#1]\fi\fi}
% Tables stand where they are read: LaTeX holds 18 floats at most before it stops with an error.
\makeatletter
\providecommand{\bakeoffcaption}[1]{\def\@captype{table}\caption{#1}}
\makeatother
% A table that is wider than the text is made narrower.
\providecommand{\bakeofffit}{%
  \ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi}"""

_FOREIGN = re.compile(
    r"[^ -~\u00a0-\u0125\u0128-\u0137\u0139-\u013e\u0141-\u0148\u014a-\u0165\u0168-\u017e"
    r"\u2013\u2014\u2018-\u201a\u201c-\u201e\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122]+"
)
"""What pdfLaTeX stops at; the others it knows by itself, in the encoding T1."""

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
        '"': r"\char34{}",  # \textquotedbl is an error in the encoding OT1
        "`": r"\textasciigrave{}",
        "'": r"\textquotesingle{}",
        "[": "{[}",  # after \\ a bracket would be read as an argument
        "]": "{]}",
        "±": r"$\pm$",
        "★": r"$^{\star}$",
        "†": r"$^{\dagger}$",
        "–": r"\textendash{}",  # noqa: RUF001
    }
)


_BREAK = r"\\"

_ALIGNED = {"word": "l", "text": r"p{0.3\textwidth}", "figure": "r"}


def render(document: Document) -> str:
    """Return the whole file, ending with a line end. No table floats, so any number of them compiles."""
    grids: list[tuple[Grid, tuple[str, ...]]] = []
    for section in document.sections:
        grids += [*((grid, ()) for grid in section.metrics), (section.costs, section.notes)]
        grids += [(section.ledger, ())] if section.ledger.rows else []
        last = len(section.tuning) - 1
        grids += [(g, section.tuning_notes if n == last else ()) for n, g in enumerate(section.tuning)]
    tables = [_table(grid, notes, number) for number, (grid, notes) in enumerate(grids, 1)]
    made_by = "".join(c if c.isprintable() else " " for c in document.proof.caption)
    return sealed("\n\n".join([_HEAD, *tables, f"% {made_by}\n% {digest_line()}"]) + "\n")


def escape(text: str) -> str:
    """Plain text in which nothing is a command.

    >>> escape("50 %_{a}")
    '50 \\\\%\\\\_\\\\{a\\\\}'
    """
    lines = re.sub(r"([-,])(?=\1)", r"\1{}", text.translate(_SPECIAL))  # or two would become one other sign
    return _FOREIGN.sub(_letters, lines)


def _letters(match: re.Match[str]) -> str:
    codes = " ".join(f"U+{ord(c):04X}" for c in match[0])
    return rf"\bakeoffletters{{{codes}}}{{{match[0]}}}"


def paper_tables(grid: Grid) -> str:
    """Return a grid as tables that are no wider than the text; they need booktabs and graphicx.

    Groups of columns stand side by side as far as they fit; the others follow in the next table.
    """
    parts = _parts(grid)
    last = len(parts) - 1
    return "\n\n".join(
        [_HEAD, *(_table(part, grid.notes if n == last else (), n + 1) for n, part in enumerate(parts))]
    )


def _parts(grid: Grid) -> list[Grid]:
    """Return grids with the first column and as many of the others, in whole groups, as fit side by side."""
    widths = [
        2 + max(len(e.text) for e in column)
        for column in zip(*([Entry(h.text) for h in grid.heads], *grid.rows), strict=True)
    ]
    groups = [
        [at for at, _ in of_group]
        for _, of_group in groupby(enumerate(grid.heads[1:], 1), lambda pair: pair[1].group)
    ]
    chunks = [g[at : at + GROUP_COLUMNS] for g in groups for at in range(0, len(g), GROUP_COLUMNS)]
    parts: list[list[int]] = [[]]
    for chunk in chunks:
        together = [0, *parts[-1], *chunk]
        if parts[-1] and sum(widths[at] for at in together) > MAX_WIDTH:
            parts.append([])
        parts[-1] += chunk
    return [
        replace(
            grid,
            heads=tuple(grid.heads[at] for at in (0, *part)),
            rows=tuple(tuple(row[at] for at in (0, *part)) for row in grid.rows),
            notes=(),
        )
        for part in parts
    ]


def _table(grid: Grid, notes: tuple[str, ...], number: int) -> str:
    """Return the pieces of a table under one number, the notes below the last."""
    lines: list[str] = []
    for n, rows in enumerate(_pieces(grid)):
        caption = (
            rf"\bakeoffcaption{{{escape(grid.caption)}}}\label{{tab:bakeoff-{number}}}"
            if n == 0
            else rf"Table~\ref{{tab:bakeoff-{number}}}, continued\par\smallskip"
        )
        lines += [
            r"\par\bigskip\noindent\begin{minipage}{\linewidth}",
            r"\centering\footnotesize\setlength{\tabcolsep}{4pt}",
            caption,
            rf"\sbox0{{\begin{{tabular}}{{@{{}}{''.join(_ALIGNED[h.kind] for h in grid.heads)}@{{}}}}",
            r"\toprule",
            *_groups(grid.heads),
            _line(map(_head, grid.heads)),
            r"\midrule",
            *(_line(_field(entry) for entry in row) for row in rows),
            r"\bottomrule",
            r"\end{tabular}}\bakeofffit",
            r"\end{minipage}\par",
        ]
    if below := (*grid.notes, *notes):
        lines += [r"\smallskip{\footnotesize", *(rf"\noindent {escape(note)}\par" for note in below), "}"]
    return "\n".join(lines)


def _groups(heads: Sequence[Head]) -> list[str]:
    """Return the line above the heads that names their groups; none where there are none."""
    if not any(head.group for head in heads):
        return []
    spans, rules, start = [], "", 1
    for group, of_group in groupby(heads, lambda head: head.group):
        n = len(list(of_group))
        spans.append(rf"\multicolumn{{{n}}}{{c}}{{{escape(group)}}}" if group else " & " * (n - 1))
        rules += rf"\cmidrule(lr){{{start}-{start + n - 1}}}" if group else ""
        start += n
    return [_line(spans), rules]


def _pieces(grid: Grid) -> list[list[tuple[Entry, ...]]]:
    """Return the rows of a table, in pieces of at most MAX_LINES lines each."""
    pieces: list[list[tuple[Entry, ...]]] = [[]]
    height = 0
    for row in grid.rows:
        texts = (e.text for head, e in zip(grid.heads, row, strict=True) if head.kind == "text")
        lines = max((1 + len(text) // _LINE_OF_TEXT for text in texts), default=1)
        if pieces[-1] and height + lines > MAX_LINES:
            pieces.append([])
            height = 0
        pieces[-1].append(row)
        height += lines
    return pieces


def _line(fields: Iterable[str]) -> str:
    return " & ".join(fields) + r" \\"


def _head(head: Head) -> str:
    """Return a long name broken into lines, so that a column is as wide as its figures."""
    words = [escape(word) for word in head.text.replace("_", "_ ").split(" ")]
    if len(words) == 1 or len(head.text) <= LONG_HEAD:
        return escape(head.text)
    return rf"\shortstack[{'r' if head.kind == 'figure' else 'l'}]{{{_BREAK.join(words)}}}"


def _field(entry: Entry) -> str:
    text = rf"\underline{{{escape(entry.text)}}}" if entry.second else escape(entry.text)
    return rf"\textbf{{{text}}}" if entry.bold else text
