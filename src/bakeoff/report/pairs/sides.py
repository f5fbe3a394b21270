"""What `compare A B` is about: two cells, two models of an experiment, or two experiments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bakeoff.errors import UsageError, nearest
from bakeoff.queries.select import Result
from bakeoff.report.pairs.samples import Place, keys_by_split, ratio
from bakeoff.report.tables import Part, Row, Table
from bakeoff.report.wording import title
from bakeoff.run.cell import Cell
from bakeoff.run.naming import instance_label, label


@dataclass(frozen=True, eq=False)
class Match:
    """A candidate against a baseline on one data set and split.

    Args:
        title: data set and split, for people.
        candidate, baseline: what the two are called.
        places: splits that both were made on; keys of the candidate, the baseline, then others of the family.
        results: of the candidate and of the baseline, done ones alone.
        family: matches of one family have their p-values corrected together; all pairs of `places` are in it.
    """

    title: str
    candidate: str
    baseline: str
    places: tuple[Place, ...]
    results: tuple[tuple[Result, ...], tuple[Result, ...]]
    family: str

    def cell(self, place: Place) -> Cell:
        """A cell of the candidate on one of the splits."""
        wanted = place.fingerprint
        return next(r.asked.cell for r in self.results[0] if r.record.split_fingerprint == wanted)

    @property
    def same(self) -> tuple[str, ...]:
        """The cells, where both sides are the same ones on every split: there is nothing to compare then."""
        sides = [[key for place in self.places for key in sorted(place.keys[side])] for side in (0, 1)]
        return tuple(dict.fromkeys(sides[0])) if sides[0] == sides[1] else ()


def of_cells(a: Result, b: Result) -> list[Match]:
    """Two cells, each with the key it is known by.

    Raises:
        UsageError: one is not done, or they were made on different splits.
    """
    for asked, record in (a, b):
        if not record.done:
            raise UsageError(f"cell {asked.key}: nothing to compare ({record.status}: {record.reason})")
    one, other = a.record.split_fingerprint, b.record.split_fingerprint
    places = [instance_label(r.asked.cell) for r in (a, b)]
    if one != other:
        raise UsageError(
            f"cell {a.asked.key} was made on split {one} ({places[0]}), cell {b.asked.key} on "
            f"{other} ({places[1]}): expected one; cells.csv names each cell's split_fingerprint"
        )
    record = a.record
    part = Part(one, (), record.n_users, record.counts)
    place = Place(one, ratio(part), ((a.asked.key,), (b.asked.key,)))
    names = [label(r.asked.cell.model_name, extra=r.asked.key) for r in (a, b)]
    return [Match(places[0], names[0], names[1], (place,), ((a,), (b,)), one)]


def of_models(a: str, b: str, tables: Sequence[Table], name: str) -> list[Match]:
    """Two models of one experiment, in each of its tables that holds results of both.

    The family is all pairs of models of the table: who compares two of them has seen the others.

    Raises:
        UsageError: no table holds both; a name that several rows bear.
    """
    known = {row.label: row for table in tables for row in table.rows if row.done}
    for wanted in (a, b):
        if wanted not in known and all(wanted != row.model for row in known.values()):
            raise UsageError(f"model {wanted!r} of experiment {name!r}: {nearest(wanted, known)}")
    found = []
    for table in tables:
        pair = [_named(wanted, table) for wanted in (a, b)]
        candidate, baseline = pair
        if candidate is None or baseline is None:
            continue
        others = [r for r in table.rows if r.done and r is not candidate and r is not baseline]
        places = _shared(table.parts, candidate, baseline, others)
        if places:
            found.append(_match(table, candidate, baseline, places, candidate.label, baseline.label))
    if not found:
        raise UsageError(f"experiment {name!r} has no split with results of both {a!r} and {b!r}")
    return found


def of_experiments(a: Sequence[Table], b: Sequence[Table], names: tuple[str, str]) -> list[Match]:
    """The models of two experiments, matched by data set, split and name.

    A model that is the same cells in both is left out, unless all are. The family is all matched models of a
    data set and split.

    Raises:
        UsageError: nothing matches, or a matched split holds other rows.
    """
    found: list[Match] = []
    for mine in a:
        for theirs in b:
            if title(mine) != title(theirs):
                continue
            _refuse_other_splits(mine, theirs, names)
            for candidate, baseline in _matched(mine.rows, theirs.rows):
                places = _shared(mine.parts, candidate, baseline, [])
                if places:
                    called = [f"{names[0]}: {candidate.label}", f"{names[1]}: {baseline.label}"]
                    found.append(_match(mine, candidate, baseline, places, called[0], called[1]))
    if not found:
        held = [", ".join(sorted({title(t) for t in tables})) or "nothing" for tables in (a, b)]
        raise UsageError(
            f"experiments {names[0]!r} ({held[0]}) and {names[1]!r} ({held[1]}): no data set, split and "
            "model in common"
        )
    changed = [m for m in found if any(p.keys[0] != p.keys[1] for p in m.places)]
    return changed or found


def _named(wanted: str, table: Table) -> Row | None:
    """The row of a label, or of a model's name where one row alone bears it."""
    done = [row for row in table.rows if row.done]
    exact = [row for row in done if row.label == wanted]
    found = exact or [row for row in done if row.model == wanted]
    if len(found) > 1:
        raise UsageError(
            f"model {wanted!r}: several of {title(table)} bear this name; give one as "
            + ", ".join(repr(row.label) for row in found)
        )
    return found[0] if found else None


def _matched(mine: Sequence[Row], theirs: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Rows of one model with the same settings; then, of what is left, those alone in bearing a name."""
    left = [[r for r in rows if r.done] for rows in (mine, theirs)]
    pairs: list[tuple[Row, Row]] = []
    for key in (lambda r: (r.model, r.variant, r.tune), lambda r: (r.model, "", "")):
        for row in list(left[0]):
            same = [[r for r in rows if key(r) == key(row)] for rows in left]
            if len(same[0]) == len(same[1]) == 1:
                pairs.append((row, same[1][0]))
                left[0].remove(row)
                left[1].remove(same[1][0])
    return pairs


def _shared(parts: Sequence[Part], candidate: Row, baseline: Row, others: Sequence[Row]) -> tuple[Place, ...]:
    """Splits that both have, with the cells of all that have every one of them."""
    keys = [keys_by_split(row.results) for row in (candidate, baseline)]
    both = [p for p in parts if all(p.fingerprint in k for k in keys)]
    rest = [keys_by_split(row.results) for row in others]
    keys += [k for k in rest if all(p.fingerprint in k for p in both)]
    return tuple(Place(p.fingerprint, ratio(p), tuple(tuple(k[p.fingerprint]) for k in keys)) for p in both)


def _match(
    table: Table, candidate: Row, baseline: Row, places: tuple[Place, ...], first: str, second: str
) -> Match:
    shared = {p.fingerprint for p in places}
    done = [
        tuple(r for r in row.results if r.record.done and r.record.split_fingerprint in shared)
        for row in (candidate, baseline)
    ]
    return Match(title(table), first, second, places, (done[0], done[1]), title(table))


def _refuse_other_splits(mine: Table, theirs: Table, names: tuple[str, str]) -> None:
    """The same data set, split, split seed and fold must mean the same rows in both experiments."""
    other = {place: part.fingerprint for part in theirs.parts for place in part.places}
    for part in mine.parts:
        for place in part.places:
            if other.get(place, part.fingerprint) != part.fingerprint:
                fold = "" if place[1] is None else f", fold {place[1]}"
                raise UsageError(
                    f"{title(mine)}, split_seed {place[0]}{fold}: experiment {names[0]!r} was made on split "
                    f"{part.fingerprint}, {names[1]!r} on {other[place]}: the data are not the same"
                )
