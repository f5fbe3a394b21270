"""The code of an id that somebody typed, and the nearest one where there is none."""

from __future__ import annotations

import bisect
import difflib
from collections.abc import Mapping, Sequence

from bakeoff.data.ids import Ids
from bakeoff.errors import UsageError

_NEIGHBOURS = 200  # ids beside an unknown one among which the nearest is looked for
_ALIKE = 0.6  # likeness from which a text is taken for a slip of another, as difflib has it


def find(ids: Ids, text: str, what: str, where: str, names: Mapping[str, str] | None = None) -> int:
    """The code of an id given as text.

    Raises:
        UsageError: it is not among them; the message names the nearest text, or says what ids there are.
    """
    known = list(map(str, ids.values.tolist())) if ids.integers is None else ids.values.tolist()
    wanted: str | int = text
    if ids.integers is not None:
        wanted = int(text) if text.lstrip("-").isdecimal() and str(int(text)) == text else text
    if isinstance(wanted, str) == (ids.integers is None):
        at = bisect.bisect_left(known, wanted)
        if at < len(known) and known[at] == wanted:
            return at
    wished = text.strip().casefold()
    called = next((i for i, name in (names or {}).items() if name.strip().casefold() == wished), None)
    raise UsageError(
        f"{what} {text!r}: not known to train of {where}; {_hint(known, text, called, names or {})}"
    )


def _hint(known: Sequence[str | int], text: str, called: str | None, names: Mapping[str, str]) -> str:
    """What was meant, where that can be told; else what ids look like."""
    meant = called if called is not None else _nearest(known, text)
    if meant is not None:
        return f"did you mean {meant!r}{f' ({names[meant].strip()})' if meant in names else ''}?"
    if not known:
        return "it has none"
    first, last = known[0], known[-1]
    if isinstance(first, int):
        return f"its ids are {len(known):,} whole numbers from {first} to {last}"
    return f"its {len(known):,} ids are texts from {first!r} to {last!r}"


def _nearest(known: Sequence[str | int], text: str) -> str | None:
    """The text id most like an unknown one, looked for beside it in their order and among those that hold it.

    None where none is much like it, and of numbers always: of those that lie near, none is more likely meant.
    """
    texts = [i for i in known if isinstance(i, str)]
    if not texts or not any(c.isalpha() for c in text):
        return None
    at = bisect.bisect_left(texts, text)
    beside = texts[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS]
    holding = [t for t in texts if text.casefold() in t.casefold()][:_NEIGHBOURS]

    def likeness(other: str) -> tuple[float, int]:
        return difflib.SequenceMatcher(None, text.casefold(), other.casefold()).ratio(), _common(text, other)

    best = max([*holding, *beside], key=likeness)
    return best if likeness(best)[0] >= _ALIKE else None


def _common(one: str, other: str) -> int:
    """How many first characters two texts share."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
