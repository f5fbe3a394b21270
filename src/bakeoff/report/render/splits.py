"""A comparison split by split on a terminal: segments of users, and the users that change most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bakeoff.evaluation.significance import TestConfig
from bakeoff.queries.compare import Match, MetricComparison, SplitBreakdown
from bakeoff.queries.recommend import ListedItem
from bakeoff.queries.segments import Segment
from bakeoff.report.render.console import say
from bakeoff.report.render.fitted import print_table
from bakeoff.report.wording import CORRECTIONS, p_text, visible

if TYPE_CHECKING:
    from rich.console import Console

FLIPS_SHOWN = 10
"""So many segments whose sign flips are shown, the most certain first."""

HIT = "*"

ITEM_WIDTH = 40


def print_splits(
    match: Match,
    leading: MetricComparison,
    splits: Sequence[SplitBreakdown],
    rules: TestConfig,
    console: Console,
) -> None:
    """Print the splits beside each other where there are several, then the segments and users of each."""
    name = leading.column.name
    if len(splits) > 1:
        _print_split_table(splits, name, rules, console)
    for split in splits:
        where = f"{name}, {split.name}" if len(splits) > 1 else name
        if split.absent:
            say(console, f"No segments and no users in {where}: {split.absent}.")
        _print_segments(split.segments, where, leading.higher_is_better, rules, console)
        _print_changes(split, where, match, console)


def _print_split_table(
    splits: Sequence[SplitBreakdown], name: str, rules: TestConfig, console: Console
) -> None:
    console.print()
    say(console, f"Each split alone, in {name}", style="bold")
    interval = f"{100 * rules.confidence:.3g} % interval"
    heads = ("split", "users", "difference", interval, "win / tie / loss", "segments that flip")
    rows = [
        (
            *(split.name, f"{split.alone.n_users:,}", f"{split.alone.difference:+.4f}"),
            f"{split.alone.low:+.4f} to {split.alone.high:+.4f}",
            outcomes(split.alone.wins, split.alone.ties, split.alone.losses),
            f"{sum(s.flips for s in split.segments)} of {len(split.segments)}",
        )
        for split in splits
    ]
    print_table(console, heads, rows, spare=("segments that flip", "users"))
    say(console, "Intervals are over the users of a split; the test above is over the splits.")


def _print_segments(
    segments: Sequence[Segment], name: str, higher: bool | None, rules: TestConfig, console: Console
) -> None:
    if not segments:
        return
    flips = sorted((s for s in segments if s.flips), key=lambda s: (s.p, -s.n_users))
    certain = sum(s.p <= rules.level for s in flips)
    console.print()
    say(console, f"Segments of users in {name}", style="bold")
    shown = [s for s in segments if s.kind == "history"]
    shown += [s for s in flips if s.kind != "history"][:FLIPS_SHOWN]
    heads = ("segment", "users", "difference", "interval", "p corr.", "win / tie / loss", "sign")
    print_table(console, heads, [_segment(s, higher) for s in shown], spare=("win / tie / loss",))
    corrected = f"p corrected by {CORRECTIONS[rules.correction]} over all {len(segments)} segments"
    if flips:
        say(
            console,
            f"The sign flips in {len(flips)} of {len(segments)} segments, significantly in {certain} "
            f"({corrected}).",
        )
    else:
        say(console, f"The sign flips in none of {len(segments)} segments ({corrected}).")


def _segment(segment: Segment, higher: bool | None) -> tuple[str, ...]:
    wins, losses = (segment.smaller, segment.larger) if higher is False else (segment.larger, segment.smaller)
    return (
        visible(f"{segment.kind}: {segment.name}"),
        *(f"{segment.n_users:,}", f"{segment.difference:+.4f}", f"{segment.low:+.4f} to {segment.high:+.4f}"),
        p_text(segment.p),
        outcomes(wins, segment.n_users - wins - losses, losses),
        "flips" if segment.flips else "",
    )


def outcomes(wins: int, ties: int, losses: int) -> str:
    """Users better off with the candidate, as well off, worse off.

    >>> outcomes(1200, 3, 40)
    '1,200 / 3 / 40'
    """
    return f"{wins:,} / {ties:,} / {losses:,}"


def _print_changes(split: SplitBreakdown, name: str, match: Match, console: Console) -> None:
    for title, changes in (("gain", split.gains), ("lose", split.losses)):
        if not changes:
            continue
        console.print()
        say(console, f"Users who {title} most in {name} ({HIT}: an item that was held out)", style="bold")
        for change in changes:
            say(
                console,
                f"user {change.user}: candidate {change.candidate:.4f}, baseline {change.baseline:.4f}, "
                f"{change.n_relevant} held out",
            )
            rows = []
            for rank in range(max(len(items) for items in change.lists)):
                rows.append((str(rank + 1), *(_item(items, rank) for items in change.lists)))
            print_table(console, ("", match.candidate, match.baseline), rows, words=3)


def _item(items: Sequence[ListedItem], rank: int) -> str:
    if rank >= len(items):
        return ""
    entry = items[rank]
    item, name = entry.item.id, entry.item.name
    text = f"{item} {name}" if name and name != item else item
    text = visible(text)
    cut = text if len(text) <= ITEM_WIDTH else text[: ITEM_WIDTH - 1] + "…"
    return f"{HIT if entry.hit else ' '} {cut}"
