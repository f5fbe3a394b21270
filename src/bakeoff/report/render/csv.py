"""Rows as CSV: numbers as Python writes them back, `\\n` line ends, one line a row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from bakeoff.report.rows import CsvRow
from bakeoff.report.wording import visible


def render(header: Sequence[str], rows: Iterable[CsvRow]) -> str:
    """Return the whole file; None is an empty field, control characters are escaped."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_field(value) for value in row] for row in rows)
    return text.getvalue()


def _field(value: str | int | float | None) -> str:
    if value is None:
        return ""
    return visible(value) if isinstance(value, str) else repr(value)
