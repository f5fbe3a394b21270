"""The code of an id that somebody typed, and the nearest one where there is none."""

from __future__ import annotations

import bisect
import difflib
from collections.abc import Mapping, Sequence

from bakeoff.data.ids import Ids
from bakeoff.errors import UsageError

_NEIGHBOURS = 200  # ids beside an unknown one among which the nearest is looked for


def find(ids: Ids, text: str, what: str, where: str, names: Mapping[str, str] | None = None) -> int:
    """The code of an id given as text.

    Raises:
        UsageError: it is not among them; the message names the nearest.
    """
    known = list(map(str, ids.values.tolist())) if ids.integers is None else ids.values.tolist()
    wanted: str | int = text
    if ids.integers is not None:
        wanted = int(text) if text.lstrip("-").isdecimal() and str(int(text)) == text else text
    if isinstance(wanted, str) == (ids.integers is None):
        at = bisect.bisect_left(known, wanted)
        if at < len(known) and known[at] == wanted:
            return at
    called = next((i for i, name in (names or {}).items() if name.casefold() == text.casefold()), None)
    hint = called if called is not None else _nearest(known, wanted)
    called_so = f" ({(names or {})[hint].strip()})" if hint in (names or {}) else ""
    raise UsageError(f"{what} {text!r}: not known to train of {where}; the nearest is {hint!r}{called_so}")


def _nearest(known: Sequence[str | int], wanted: str | int) -> str:
    """The id most like an unknown one, looked for beside it in their order and among those that hold it."""
    if known and isinstance(wanted, int):
        return str(min(known, key=lambda i: abs(int(i) - wanted)))
    texts, text = list(map(str, known)), str(wanted)
    at = bisect.bisect_left(texts, text) if isinstance(known[0], str) else 0
    beside = texts[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS]
    holding = [t for t in texts if text.casefold() in t.casefold()][:_NEIGHBOURS]

    def likeness(other: str) -> tuple[float, int]:
        return difflib.SequenceMatcher(None, text, other).ratio(), _common(text, other)

    return max([*holding, *beside], key=likeness)


def _common(one: str, other: str) -> int:
    """How many first characters two texts share."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
