"""What the charts take from the store, and what is to be said where it is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bakeoff.report.charts.frame import Frame, Place
from bakeoff.report.figures.material import Fits, fits, missing
from bakeoff.storage.store import Store


@dataclass(frozen=True, eq=False)
class Stored:
    """The places of a report whose splits, lists and values by user are in the store.

    Args:
        places: each with its splits.
        absent: why others are left out, as sentences; "" where none is.
    """

    places: tuple[tuple[Place, Sequence[Fits]], ...]
    absent: str

    def text(self, words: str) -> str:
        """What a section says: its own words where there is anything, and what is left out."""
        return " ".join(part for part in (words if self.places else "", self.absent) if part)


def stored(frame: Frame, store: Store | None) -> Stored:
    """Look at the store once for all charts."""
    if store is None:
        return Stored((), "Left out: it needs the store with the lists and the values by user.")
    found, absent = [], []
    for place in frame.places:
        why = missing(place.table, store)
        if why:
            absent.append(f"{place.dataset}, {place.split} is left out: {why}.")
        else:
            found.append((place, list(fits(place.table, store))))
    return Stored(tuple(found), " ".join(absent))
