"""A table of text, in no format: the renderers lay it out and escape it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from bakeoff.report.wording import Entry

Kind = Literal["word", "text", "figure"]


class Head(NamedTuple):
    """The top of a column: of words, of text that may be long, or of figures, which stand on the right."""

    text: str
    kind: Kind = "word"


@dataclass(frozen=True)
class Grid:
    """A table of text; each row has an entry for each head."""

    caption: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Entry, ...], ...]
