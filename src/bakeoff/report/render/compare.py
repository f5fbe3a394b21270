"""A candidate beside a baseline, on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bakeoff.evaluation.significance import TestConfig
from bakeoff.queries.compare import (
    CompareRequest,
    Comparison,
    Decision,
    Match,
    MetricComparison,
    SmallerDifference,
    SplitBreakdown,
)
from bakeoff.queries.recommend import ListedItem
from bakeoff.queries.segments import Segment
from bakeoff.report.render.console import print_table, say
from bakeoff.report.view import CORRECTIONS, HIT, NOTHING, TESTS, needed_text, p_text, random_effects, visible

if TYPE_CHECKING:
    from rich.console import Console

SAME_SHOWN = 4
"""So many keys are named where both sides are the same cells."""

FLIPS_SHOWN = 10
"""So many segments whose sign flips are shown, the most certain first."""

ITEM_WIDTH = 40

_SPARE = ("d_z", "p", "better", "baseline", "candidate")


_QUESTIONS = {
    "algorithms": "the algorithms, trained again on another split with another seed",
    "models": "these fitted models, on users like these",
}


def print_comparison(one: Comparison, request: CompareRequest, console: Console | None = None) -> None:
    """Print metrics, segments and users; text from data is never markup."""
    console, test_config = _console(console), request.test_config
    match, leading = one.match, one.leading
    say(console, f"{match.title}: {match.candidate} against {match.baseline}", style="bold")
    if match.same:
        _print_same(one, console)
    else:
        say(console, _how_tested(one, test_config))
        _print_metrics(one, test_config, console)
    if leading is not None:
        _print_splits(match, leading, one.splits, test_config, console)
        _print_smaller(one.smaller, leading.column.name, console)
    console.print()


def print_decision(
    decision: Decision,
    comparisons: Sequence[Comparison],
    request: CompareRequest,
    console: Console | None = None,
) -> None:
    """Print the answer of a gate, after those of each comparison by itself if there are several."""
    console = _console(console)
    leading = comparisons[0].leading
    if decision.difference is None or decision.low is None or decision.high is None or leading is None:
        say(console, f"{decision.answer}: {request.gate} +0.0000, the same cells", style="bold")
        return
    if len(comparisons) > 1:
        say(console, f"Each by itself, in {request.gate}:")
    for one in comparisons if len(comparisons) > 1 else ():
        if one.leading is not None and one.leading.tested is not None:
            own = one.leading.tested
            interval = f"{own.difference:+.4f}, interval {own.low:+.4f} to {own.high:+.4f}"
            say(console, f"  {one.match.title}: {one.match.candidate} {interval}, {one.answer}")
    rule = (
        f"tolerance {request.tolerance:g}"
        if request.non_inferior is None
        else f"no worse by more than {request.non_inferior:g}"
    )
    turned = ", lower is better" if leading.higher_is_better is False else ""
    mean = f", mean of {decision.n_matches} comparisons" if decision.n_matches > 1 else ""
    say(
        console,
        f"{decision.answer}: {request.gate} {decision.difference:+.4f}, "
        f"{100 * request.test_config.confidence:.3g} % interval {decision.low:+.4f} to {decision.high:+.4f}, "
        f"{rule}{turned}{mean}",
        style="bold",
    )
    if decision.contradicted_by:
        say(console, f"The interval of the mean contradicts that of {'; '.join(decision.contradicted_by)}.")
    _print_smaller(decision.smaller, f"{leading.column.name}, mean of all comparisons,", console)


def _print_smaller(smaller: SmallerDifference | None, name: str, console: Console) -> None:
    if smaller is not None:
        say(
            console,
            f"To tell {smaller.difference:+.4f} in {name} from {smaller.bound:g} would "
            f"take about {needed_text(smaller.needed)}.",
        )


def _console(console: Console | None) -> Console:
    if console is not None:
        return console
    from rich.console import Console as Terminal

    return Terminal()


def _print_same(one: Comparison, console: Console) -> None:
    """Print that there is nothing to compare, and what both have."""
    keys = one.match.same
    some = ", ".join(keys[:SAME_SHOWN]) + (", ..." if len(keys) > SAME_SHOWN else "")
    are = f"the same cell, {some}" if len(keys) == 1 else f"the same {len(keys)} cells ({some})"
    say(console, f"Both are {are}: there is nothing to compare, every difference is 0.")
    rows = [(visible(metric.column.name), f"{metric.candidate:.4f}") for metric in one.metrics]
    print_table(console, ("metric", "both"), rows)


def _how_tested(one: Comparison, test_config: TestConfig) -> str:
    """Return how the numbers were computed, in two sentences."""
    if all(metric.tested is None for metric in one.metrics):
        return "Differences are candidate less baseline; none has a test."
    test = random_effects(test_config, one.n_splits, max(one.n_seeds))
    if not test:
        drawn = f", {test_config.resamples:,} resamples" if test_config.test == "randomization" else ""
        bootstrap = "" if test_config.test == "t" else "; intervals by bootstrap over users"
        test = f"{TESTS[test_config.test]}{drawn}{bootstrap}"
    seeds = ""
    if max(one.n_seeds) > 1:
        seeds = f" Fits on a split: {one.n_seeds[0]} and {one.n_seeds[1]}."
    family = (
        f"{CORRECTIONS[test_config.correction]} over {one.family_size} pairs of models for each metric and k"
    )
    corrected = f" p corrected by {family}." if one.family_size > 1 else " One pair: p needs no correction."
    about = f" About {_QUESTIONS[one.question(test_config)]}."
    return f"Differences are candidate less baseline: {test}.{about}{corrected}{seeds}"


def _print_metrics(one: Comparison, test_config: TestConfig, console: Console) -> None:
    heads = (
        *("metric", "candidate", "baseline", "difference", f"{100 * test_config.confidence:.3g} % interval"),
        *("p", "p corr.", "d_z", "win / tie / loss", "better"),
    )
    print_table(console, heads, [_metric(metric, test_config) for metric in one.metrics], spare=_SPARE)
    reasons: dict[str, dict[str, None]] = {}
    for metric in one.metrics:
        if metric.tested is None:
            reasons.setdefault(metric.untested, {})[metric.column.metric] = None
    for why, names in reasons.items():
        say(console, f"No test: {', '.join(names)} ({why}).")
    if all(metric.tested is None for metric in one.metrics):
        return
    say(
        console,
        "d_z: mean difference / standard deviation over users. Wins: users better off with the candidate.",
    )
    if test_config.test == "randomization" and one.n_splits == 1:
        least = one.family_size / (1 + test_config.resamples)
        if test_config.correction == "holm" and least > test_config.level:
            say(
                console,
                f"{test_config.resamples:,} resamples cannot reach a corrected p below {min(least, 1):.2g}: "
                "ask for statistics.resamples=... or statistics.test=t.",
            )


def _metric(metric: MetricComparison, test_config: TestConfig) -> tuple[str, ...]:
    places = 4
    name = visible(metric.column.name)
    means = f"{metric.candidate:.{places}f}", f"{metric.baseline:.{places}f}"
    tested = metric.tested
    if tested is None:
        return (name, *means, f"{metric.candidate - metric.baseline:+.{places}f}", *[NOTHING] * 6)
    better = "not apart"
    if tested.corrected <= test_config.level:
        better = NOTHING if metric.worse is None else "baseline" if metric.worse else "candidate"
    return (
        *(name, *means, f"{tested.difference:+.{places}f}"),
        f"{tested.low:+.{places}f} to {tested.high:+.{places}f}",
        *(p_text(tested.p), p_text(tested.corrected), f"{tested.effect:+.2f}"),
        outcomes(tested.wins, tested.ties, tested.losses),
        better,
    )


# -- splits, segments and users ------------------------------------------------------------------------


def _print_splits(
    match: Match,
    leading: MetricComparison,
    splits: Sequence[SplitBreakdown],
    test_config: TestConfig,
    console: Console,
) -> None:
    """Print the splits beside each other where there are several, then the segments and users of each."""
    name = leading.column.name
    if len(splits) > 1:
        _print_split_table(splits, name, test_config, console)
    for split in splits:
        where = f"{name}, {split.name}" if len(splits) > 1 else name
        if split.absent:
            say(console, f"No segments and no users in {where}: {split.absent}.")
        _print_segments(split.segments, where, leading.higher_is_better, test_config, console)
        _print_changes(split, where, match, console)


def _print_split_table(
    splits: Sequence[SplitBreakdown], name: str, test_config: TestConfig, console: Console
) -> None:
    console.print()
    say(console, f"Each split alone, in {name}", style="bold")
    interval = f"{100 * test_config.confidence:.3g} % interval"
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
    segments: Sequence[Segment], name: str, higher: bool | None, test_config: TestConfig, console: Console
) -> None:
    if not segments:
        return
    flips = sorted((s for s in segments if s.flips), key=lambda s: (s.p, -s.n_users))
    certain = sum(s.p <= test_config.level for s in flips)
    console.print()
    say(console, f"Segments of users in {name}", style="bold")
    shown = [s for s in segments if s.kind == "history"]
    shown += [s for s in flips if s.kind != "history"][:FLIPS_SHOWN]
    heads = ("segment", "users", "difference", "interval", "p corr.", "win / tie / loss", "sign")
    print_table(console, heads, [_segment(s, higher) for s in shown], spare=("win / tie / loss",))
    corrected = f"p corrected by {CORRECTIONS[test_config.correction]} over all {len(segments)} segments"
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
    """Return the numbers of users who are better off with the candidate, equally well off, and worse off.

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
