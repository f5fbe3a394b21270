"""One table for a paper: models as rows, data sets as groups of columns, as LaTeX, Markdown, HTML or data."""

from __future__ import annotations

import html
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bakeoff.evaluation.metric import Metric
from bakeoff.queries.comparison import Column, Row, Table, Value, complete
from bakeoff.report.render import latex, markdown
from bakeoff.report.view import NOTHING, TIED, decimals, how_tested, visible

PaperForm = Literal["latex", "markdown", "html", "json"]

BEST, SECOND = "best", "second"


@dataclass(frozen=True)
class Figure:
    """One number: its text, and whether it is the best or the second best of its column."""

    text: str
    rank: str = ""
    value: Value | None = None


@dataclass(frozen=True)
class PaperTable:
    """Models by metrics of several data sets and splits.

    Args:
        groups: title of each comparison and its columns.
        rows: label of each model and its figures, one for each column of each group.
        notes: how to read it.
    """

    groups: tuple[tuple[str, tuple[Column, ...]], ...]
    rows: tuple[tuple[str, tuple[Figure, ...]], ...]
    notes: tuple[str, ...]


def paper_table(
    tables: Sequence[Table],
    metrics: Mapping[str, Metric],
    models: Sequence[str] = (),
    *,
    intervals: bool = False,
) -> PaperTable:
    """Return one table of all comparisons.

    Args:
        tables: with intervals and marks; their columns are those of the table.
        models: labels in the order of the rows; none sorts by the mean rank over all columns, best first.
        intervals: whether figures show half of their interval.
    """
    labels = list(models) or _by_mean_rank(tables, metrics)
    rows = []
    for label in labels:
        figures = [
            _figure(table, column, label, metrics, intervals) for table in tables for column in table.columns
        ]
        rows.append((visible(label), tuple(figures)))
    groups = tuple((visible(table.title), table.columns) for table in tables)
    return PaperTable(groups, tuple(rows), _notes(tables, intervals))


def _by_mean_rank(tables: Sequence[Table], metrics: Mapping[str, Metric]) -> list[str]:
    ranks: dict[str, list[float]] = {row.label: [] for table in tables for row in table.rows}
    for table in tables:
        for column in table.columns:
            for at, row in enumerate(_ranked(table, column, metrics)):
                ranks[row.label].append(at)
    return sorted(ranks, key=lambda label: (statistics.fmean(ranks[label] or [len(ranks)]), label))


def _ranked(table: Table, column: Column, metrics: Mapping[str, Metric]) -> list[Row]:
    """Return the rows that have all their runs, best first; none where no end is better."""
    higher = metrics[column.metric].higher_is_better
    if higher is None:
        return []
    rows = [row for row in table.rows if complete(row, column, len(table.runs))]
    return sorted(rows, key=lambda row: row.values[column].mean, reverse=higher)


def _figure(
    table: Table, column: Column, label: str, metrics: Mapping[str, Metric], intervals: bool
) -> Figure:
    row = next((row for row in table.rows if row.label == label), None)
    value = row.values.get(column) if row is not None else None
    if row is None or value is None:
        return Figure(NOTHING)
    places = decimals(table, column)
    half = f" ± {value.half:.{places}f}" if intervals and value.half is not None else ""
    mark = TIED if value.tied else ""
    others = [r for r in _ranked(table, column, metrics) if not r.values[column].best]
    second = bool(others) and others[0] is row and not value.best
    rank = BEST if value.best else SECOND if second else ""
    return Figure(f"{value.mean:.{places}f}{half}{mark}", rank, value)


def _notes(tables: Sequence[Table], intervals: bool) -> tuple[str, ...]:
    notes = ["Bold: best of its column. Underlined: second best."]
    tests = {how_tested(table.marks) for table in tables if table.marks is not None}
    if tests:
        notes.append(f"{TIED}: not distinguishable from the best ({'; '.join(sorted(tests))}).")
    if intervals:
        notes.append("±: half of the 95 % interval.")
    runs = {len(table.runs) for table in tables}
    notes.append(
        f"Means over {' or '.join(map(str, sorted(runs)))} runs." if runs != {1} else "One run each."
    )
    return tuple(notes)


def render(table: PaperTable, form: PaperForm) -> str:
    """Return the table in one of its forms, ending with a line end; not for json (see `as_document`)."""
    forms: Mapping[str, Callable[[PaperTable], str]] = {
        "latex": _latex,
        "markdown": _markdown,
        "html": _html,
    }
    return forms[form](table)


def as_document(table: PaperTable) -> dict[str, Any]:
    """Return the table as plain data: a row for each model, data set with split, metric and k."""
    columns = [(title, column) for title, columns in table.groups for column in columns]
    return {
        "rows": [
            {
                "model": label,
                "split": title,
                "metric": column.metric,
                "k": column.k,
                "value": figure.value.mean if figure.value is not None else None,
                "ci_half_width": figure.value.half if figure.value is not None else None,
                "rank": figure.rank,
                "tied": figure.value.tied if figure.value is not None else False,
            }
            for label, figures in table.rows
            for (title, column), figure in zip(columns, figures, strict=True)
        ],
        "notes": list(table.notes),
    }


def _latex(table: PaperTable) -> str:
    """Return a LaTeX table that needs only booktabs and graphicx."""
    n = sum(len(columns) for _, columns in table.groups)
    spans, rules, start = [], [], 2
    for title, columns in table.groups:
        spans.append(rf"\multicolumn{{{len(columns)}}}{{c}}{{{latex.escape(title)}}}")
        rules.append(rf"\cmidrule(lr){{{start}-{start + len(columns) - 1}}}")
        start += len(columns)
    styles = {BEST: r"\textbf{%s}", SECOND: r"\underline{%s}", "": "%s"}
    body = [
        " & ".join([latex.escape(label), *(styles[f.rank] % latex.escape(f.text) for f in figures)]) + r" \\"
        for label, figures in table.rows
    ]
    heads = [latex.escape(column.name) for _, columns in table.groups for column in columns]
    return "\n".join(
        [
            r"% needs \usepackage{booktabs,graphicx}",
            r"\begin{table}\centering\footnotesize",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{@{{}}l{'r' * n}@{{}}}}",
            r"\toprule",
            " & ".join(["", *spans]) + r" \\",
            "".join(rules),
            " & ".join(["model", *heads]) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}}",
            rf"\caption{{{latex.escape(' '.join(table.notes))}}}",
            r"\end{table}",
            "",
        ]
    )


def _markdown(table: PaperTable) -> str:
    styles = {BEST: "**{}**", SECOND: "<u>{}</u>", "": "{}"}
    several = len(table.groups) > 1
    heads = [
        markdown.escape(f"{title}: {column.name}" if several else column.name)
        for title, columns in table.groups
        for column in columns
    ]
    lines = [["model", *heads], ["---", *("---:" for _ in heads)]]
    lines += [
        [markdown.escape(label), *(styles[f.rank].format(markdown.escape(f.text)) for f in figures)]
        for label, figures in table.rows
    ]
    notes = " ".join(markdown.escape(note) for note in table.notes)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{notes}\n"


def _html(table: PaperTable) -> str:
    styles = {BEST: "<b>{}</b>", SECOND: "<u>{}</u>", "": "{}"}
    groups = "".join(
        f'<th colspan="{len(columns)}">{html.escape(title)}</th>' for title, columns in table.groups
    )
    heads = [column.name for _, columns in table.groups for column in columns]
    lines = [
        "<table>",
        f"<caption>{html.escape(' '.join(table.notes))}</caption>",
        f'<thead><tr><th rowspan="2">model</th>{groups}</tr>',
        f"<tr>{_cells('th', map(html.escape, heads))}</tr></thead>",
        "<tbody>",
        *(
            f"<tr><th>{html.escape(label)}</th>"
            f"{_cells('td', (styles[f.rank].format(html.escape(f.text)) for f in figures))}</tr>"
            for label, figures in table.rows
        ),
        "</tbody></table>",
        "",
    ]
    return "\n".join(lines)


def _cells(tag: str, texts: Iterable[str]) -> str:
    return "".join(f"<{tag}>{text}</{tag}>" for text in texts)
