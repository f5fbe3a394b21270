"""The verdict in plain sentences, the same in every output."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bakeoff.queries.tables import Agreement, Contender, Lead, Table, Verdict
from bakeoff.report.wording import seconds_entry, visible

NAMED = 4
"""Models that are named in one sentence; more are counted."""


def paragraphs(tables: Sequence[Table]) -> tuple[tuple[str, str], ...]:
    """Return title and text of each verdict; first that over all where there are several."""
    verdicts = [table.verdict for table in tables if table.verdict is not None]
    over_all = [("Over all", overall(verdicts))] if len(verdicts) > 1 else []
    return tuple(
        (visible(title), text) for title, text in [*over_all, *((v.title, text_of(v)) for v in verdicts)]
    )


def text_of(verdict: Verdict) -> str:
    """Return a verdict as one paragraph."""
    return visible(" ".join(sentences(verdict)))


def overall(verdicts: Sequence[Verdict]) -> str:
    """Return how often each model leads, and where it cannot be told from others."""
    leads: dict[str, list[bool]] = {}
    for verdict in verdicts:
        if verdict.leader is not None:
            leads.setdefault(verdict.leader.label, []).append(not verdict.ties and verdict.tested)
    if not leads:
        return "Nothing was measured."
    ranked = sorted(leads.items(), key=lambda item: (-len(item[1]), item[0]))
    parts = [
        f"{label} leads in {len(alone)} of {len(verdicts)} comparisons (clearly in {sum(alone)})"
        for label, alone in ranked[:NAMED]
    ]
    more = f"; {len(ranked) - NAMED} more models lead elsewhere" if len(ranked) > NAMED else ""
    return f"{'; '.join(parts)}{more}."


def sentences(verdict: Verdict) -> list[str]:
    """Return the sentences of a verdict."""
    if verdict.column is None:
        return ["Nothing was measured.", *_not_done(verdict)]
    name = verdict.column.name
    if verdict.leader is None:
        return [f"No model can be called the best in {name}.", *_popularity(verdict), *_not_done(verdict)]
    digits = _digits(verdict)
    return [
        *_leader(verdict, digits),
        *_ties(verdict, digits),
        *_agreements(verdict),
        *_popularity(verdict),
        *_not_done(verdict),
        *_needed(verdict),
        *_about(verdict),
    ]


def _digits(verdict: Verdict) -> int:
    """Return the decimals that give the leader's mean four figures."""
    assert verdict.leader is not None
    size = abs(verdict.leader.mean)
    return min(max(3 - math.floor(math.log10(size)), 0), 9) if 0 < size < math.inf else 4


def _leader(verdict: Verdict, digits: int) -> list[str]:
    leader, column, behind = verdict.leader, verdict.column, verdict.behind
    assert leader is not None and column is not None
    shown = _value(leader, digits)
    if verdict.tested and not verdict.ties and behind is not None:
        return [f"{leader.label} leads in {column.name} with {shown}, {_ahead(behind, verdict, digits)}."]
    first = f"{leader.label} has the best {column.name}, {shown}"
    if not verdict.tested:
        reason = f" ({verdict.untested})" if verdict.untested else ""
        return [f"{first}; the models were not tested against each other{reason}."]
    return [f"{first}."]


def _ahead(lead: Lead, verdict: Verdict, digits: int) -> str:
    sign = -1 if verdict.higher_is_better is False else 1
    low, high = sorted((sign * lead.low, sign * lead.high))
    return (
        f"ahead of {lead.other} by {sign * lead.difference:.{digits}f} "
        f"({100 * lead.confidence:.3g} % interval {low:.{digits}f} to {high:.{digits}f})"
    )


def _value(contender: Contender, digits: int) -> str:
    half = f" ± {contender.half_width:.{digits}f}" if contender.half_width is not None else ""
    return f"{contender.mean:.{digits}f}{half}"


def _ties(verdict: Verdict, digits: int) -> list[str]:
    if not verdict.ties:
        return []
    assert verdict.leader is not None
    named = [f"{c.label} ({_value(c, digits)}{_cost(c)})" for c in verdict.ties[:NAMED]]
    more = f" and {len(verdict.ties) - NAMED} more" if len(verdict.ties) > NAMED else ""
    cost = _cost(verdict.leader).lstrip(", ")
    beside = f"; {verdict.leader.label} takes {cost}" if cost else ""
    lines = [f"It cannot be told from {', '.join(named)}{more}{beside}."]
    if verdict.behind is not None:
        lines.append(f"It is {_ahead(verdict.behind, verdict, digits)}.")
    return lines


def _cost(contender: Contender) -> str:
    parts = []
    if contender.fit_seconds is not None:
        parts.append(f"{seconds_entry(contender.fit_seconds).text} s to fit")
    if contender.recommend_seconds is not None:
        parts.append(f"{seconds_entry(contender.recommend_seconds).text} s to recommend")
    if contender.peak_mb is not None:
        parts.append(f"{contender.peak_mb:,.0f} MB")
    return f", {', '.join(parts)}" if parts else ""


def _agreements(verdict: Verdict) -> list[str]:
    parts = [
        _agreement(verdict.cutoffs, "at", "other cutoffs"),
        _agreement(verdict.metrics, "in", "other accuracy metrics"),
        _agreement(verdict.runs, "in", "runs"),
    ]
    return [part for part in parts if part]


def _agreement(agreement: Agreement | None, preposition: str, views: str) -> str:
    if agreement is None:
        return ""
    total = len(agreement.led) + len(agreement.others)
    if not agreement.others:
        every = _listed(agreement.led) if total <= NAMED and views != "runs" else f"all {total} {views}"
        return f"It also leads {preposition} {every}." if views != "runs" else f"It leads in {every}."
    by_leaders: dict[tuple[str, ...], list[str]] = {}
    for view, labels in agreement.others.items():
        by_leaders.setdefault(labels[:NAMED], []).append(view)
    elsewhere = ", ".join(
        f"{' and '.join(labels)} {preposition} {_listed(at)}" for labels, at in by_leaders.items()
    )
    return f"It leads {preposition} {len(agreement.led)} of {total} {views}; elsewhere {elsewhere}."


def _listed(views: Sequence[str]) -> str:
    more = f" and {len(views) - NAMED} more" if len(views) > NAMED else ""
    return ", ".join(views[:NAMED]) + more


def _popularity(verdict: Verdict) -> list[str]:
    if verdict.popularity is None or verdict.leader is None:
        return []
    return [f"The popularity baseline scores {verdict.popularity:.{_digits(verdict)}f}."]


def _not_done(verdict: Verdict) -> list[str]:
    return [
        f"{status.capitalize()}: {', '.join(labels[:NAMED])}"
        f"{f' and {len(labels) - NAMED} more' if len(labels) > NAMED else ''}."
        for status, labels in (verdict.not_done or {}).items()
    ]


def _needed(verdict: Verdict) -> list[str]:
    """Say what would be expected to tell the leader from the first of the ties."""
    if verdict.needed is None or verdict.leader is None or not verdict.ties:
        return []
    needed = verdict.needed
    ways = [f"{needed.fits} seeds"] if needed.fits is not None else []
    ways += [f"{needed.splits} splits"] if needed.splits is not None else []
    ways += [f"{needed.users:,} users"] if needed.users is not None else []
    pair = f"{verdict.leader.label} from {verdict.ties[0].label}"
    if ways:
        return [f"To tell {pair} would take about {' or '.join(ways)}, if the difference is what it seems."]
    return []


def _about(verdict: Verdict) -> list[str]:
    if verdict.single and verdict.tested:
        return ["One fit of each model: this is about these fitted models, not yet about the algorithms."]
    return []
