"""Print what libraries would have printed: a row for each name or formula, a column for each model."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from bakeoff.queries.conventions import TOY_K, TOY_LISTS, TOY_TRUTH, ConventionTable, FormulaRow
from bakeoff.report.render import html, latex, markdown
from bakeoff.report.view import Entry, Grid, Head, decimals_of, entry, visible

FORMS: Mapping[str, Callable[[Grid], str]] = {
    "latex": latex.paper_tables,
    "markdown": markdown.table,
    "html": html.table,
}


def print_conventions(table: ConventionTable, form: str = "table") -> None:
    """Print the table in its form: for a terminal, as Markdown, LaTeX or HTML."""
    grid = _grid(table)
    if form != "table":
        sys.stdout.write(FORMS[form](grid) + "\n")
        return
    from rich.console import Console

    from bakeoff.report.render.console import print_table, say

    console = Console()
    if grid.caption:
        say(console, grid.caption, style="bold")
    n_words = sum(head.kind != "figure" for head in grid.heads)
    heads, rows = [h.text for h in grid.heads], [[e.text for e in row] for row in grid.rows]
    print_table(console, heads, rows, words=n_words, spare=heads[n_words - 1 : 0 : -1])
    for note in grid.notes:
        say(console, note)


def _grid(table: ConventionTable) -> Grid:
    has_toy = any(row.toy is not None for row in table.rows)
    figures = (["toy"] if has_toy else []) + list(table.models)
    places = decimals_of(value for row in table.rows for value in _figures(row, figures) if value is not None)
    rows = tuple(
        (
            Entry(", ".join(row.names)),
            Entry(row.metric),
            Entry(row.formula),
            *(entry(value, f".{places}f") for value in _figures(row, figures)),
        )
        for row in table.rows
    )
    heads = (Head("printed as"), Head("here"), Head("formula", "text"))
    spread = [
        f"{visible(name)} {low:.{places}f} to {high:.{places}f}" for name, (low, high) in table.spread.items()
    ]
    notes = [f"Spread: {'; '.join(spread)}."] if spread else []
    if has_toy:
        users = "; ".join(
            f"{{{', '.join(map(str, truth))}}} / {list(listed)}"
            for truth, listed in zip(TOY_TRUTH, TOY_LISTS, strict=True)
        )
        notes.append(f"Toy, test items / list of each user, k = {TOY_K}: {users}.")
    by_rule: dict[tuple[str, str], list[str]] = {}
    for title, rule in table.libraries.items():
        by_rule.setdefault(rule, []).append(title)
    notes += [f"{', '.join(same)}: mean over {'; '.join(rule)}." for rule, same in by_rule.items()]
    return Grid(table.title, (*heads, *(Head(visible(f), "figure") for f in figures)), rows, tuple(notes))


def _figures(row: FormulaRow, figures: list[str]) -> list[float | None]:
    return [row.toy if name == "toy" else row.values.get(name) for name in figures]
