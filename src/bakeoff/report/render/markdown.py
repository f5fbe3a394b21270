"""A report as Markdown, with tables as GitHub reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bakeoff.report.charts.static import Drawing
from bakeoff.report.document import DEFINITIONS, Document, Section, digest_line, sealed
from bakeoff.report.view import Entry, Grid

COLUMNS = 9
"""Metric columns of one table: more do not fit on a page."""

_MARKUP = re.compile(r"[\\`*{}\[\]<>#|~&$]|(?<![^\W_])_|_(?![^\W_])")


def render(document: Document, drawings: Sequence[Drawing] = ()) -> str:
    """Return the whole file, ending with a line end; drawings come first in their section."""
    blocks = [f"# {escape(document.title)}", escape(document.summary)]
    if document.verdict:
        blocks.append("## Verdict")
        several = len(document.verdict) > 1
        blocks += [
            f"**{escape(title)}.** {escape(text)}" if several else escape(text)
            for title, text in document.verdict
        ]
    for place, section in enumerate(document.sections):
        blocks += _section(section, [d for d in drawings if d.section == place])
    blocks.append("## Metrics")
    blocks.append(_bullets(f"**{escape(n)}**: {escape(text)}" for n, text in document.definitions))
    blocks.append(escape(DEFINITIONS))
    if document.environments:
        blocks += ["## Environment", _bullets(escape(line) for line in document.environments)]
    if document.commands:
        blocks += ["## Run it again", code("\n".join(document.commands))]
    summary = f"<details><summary>{escape(document.proof.caption)}</summary>"
    blocks += ["## Proof", summary, table(document.proof), "</details>", digest_line()]
    return sealed("\n\n".join(block for block in blocks if block) + "\n")


def escape(text: str) -> str:
    """Plain text whose markup shows as it is; an underscore inside a word is none.

    >>> escape("hit_rate of <b>|_x_")
    'hit_rate of \\\\<b\\\\>\\\\|\\\\_x\\\\_'
    """
    return _MARKUP.sub(lambda match: "\\" + match[0], text)


def code(text: str) -> str:
    """Return a block of code, fenced by more backticks than it holds in a row."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sh\n{text}\n{fence}"


def _section(section: Section, drawings: Iterable[Drawing]) -> list[str]:
    blocks = [f"## {escape(section.title)}"]
    blocks += [f"![{escape(drawing.alt)}]({drawing.file})" for drawing in drawings]
    if section.splits.rows:
        blocks.append(table(section.splits))
    for grid in section.metrics:
        blocks += [f"### {escape(grid.caption)}", table(grid)]
    blocks += [f"### {escape(section.costs.caption)}", table(section.costs)]
    blocks.append(_bullets(escape(note) for note in section.notes))
    if section.ledger.rows:
        blocks += [f"### {escape(section.ledger.caption)}", table(section.ledger)]
    for grid in section.tuning:
        blocks += [f"### {escape(grid.caption)}", table(grid)]
    return [*blocks, _bullets(escape(note) for note in section.tuning_notes)]


def table(grid: Grid) -> str:
    """Return a grid as a table, with its notes below."""
    alignment = ["---:" if head.kind == "figure" else "---" for head in grid.heads]
    heads = [escape(head.name) for head in grid.heads]
    lines = [heads, alignment, *([_field(entry) for entry in row] for row in grid.rows)]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n\n".join([text, *map(escape, grid.notes)])


def _field(entry: Entry) -> str:
    text = f"<u>{escape(entry.text)}</u>" if entry.second else escape(entry.text)
    return f"**{text}**" if entry.bold else text


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
