"""A candidate beside a baseline, on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from bakeoff.evaluation.significance import Rules
from bakeoff.report.pairs.changes import Change, Recommended
from bakeoff.report.pairs.flips import Segment
from bakeoff.report.pairs.samples import column_name
from bakeoff.report.pairs.versus import Answer, Line, Versus
from bakeoff.report.render.console import say
from bakeoff.report.wording import CORRECTIONS, NOTHING, TESTS, visible

if TYPE_CHECKING:
    from rich.console import Console

FLIPS_SHOWN = 10
"""So many segments whose sign flips are shown, the most certain first."""

HIT = "*"

ITEM_WIDTH = 40

_WORDS_AT_LEAST = 24

_SPARE = ("d_z", "p", "better", "baseline", "candidate")


class Told(Protocol):
    """What is printed of one match."""

    @property
    def versus(self) -> Versus: ...
    @property
    def by(self) -> Line | None: ...
    @property
    def segments(self) -> Sequence[Segment]: ...
    @property
    def gains(self) -> Sequence[Change]: ...
    @property
    def losses(self) -> Sequence[Change]: ...
    @property
    def answer(self) -> Answer | None: ...


def print_comparison(
    told: Told, rules: Rules, gate: str | None, tolerance: float, console: Console | None = None
) -> None:
    """Print metrics, segments, users, and the answer of a gate; text from data is never markup."""
    console = _console(console)
    match = told.versus.match
    say(console, f"{match.title}: {match.candidate} against {match.baseline}", style="bold")
    say(console, _how(told.versus, rules))
    _print_metrics(told.versus, rules, console)
    if told.by is not None and told.by.tested is not None:
        name = column_name(told.by.column)
        _print_segments(told, name, rules, console)
        _print_changes(told, name, console)
    if told.answer is not None and gate is not None and told.by is not None:
        say(console, _verdict(told.answer, told.by, rules, tolerance), style="bold")
    console.print()


def print_answer(
    gate: str, answer: Answer, answers: Sequence[Answer], console: Console | None = None
) -> None:
    """The answer for all matches together."""
    counts = ", ".join(f"{answers.count(a)} {a}" for a in dict.fromkeys(answers))
    say(_console(console), f"{answer}: {gate} over {len(answers)} comparisons ({counts})", style="bold")


def _console(console: Console | None) -> Console:
    if console is not None:
        return console
    from rich.console import Console as Terminal

    return Terminal()


def _how(found: Versus, rules: Rules) -> str:
    """How the numbers were made, in two sentences."""
    if found.n_splits > 1:
        test = f"corrected resampled t-test over {found.n_splits} splits"
    else:
        drawn = f", {rules.resamples:,} resamples" if rules.test == "randomization" else ""
        test = f"{TESTS[rules.test]}{drawn}; intervals by bootstrap over users"
    seeds = ""
    if max(found.n_seeds) > 1:
        seeds = f" Model seeds, averaged by user: {found.n_seeds[0]} and {found.n_seeds[1]}."
    family = f"{CORRECTIONS[rules.correction]} over {found.family_size} pairs of models for each metric and k"
    corrected = f" p corrected by {family}." if found.family_size > 1 else " One pair: p needs no correction."
    return f"Differences are candidate less baseline: {test}.{corrected}{seeds}"


def _print_metrics(found: Versus, rules: Rules, console: Console) -> None:
    heads = (
        *("metric", "candidate", "baseline", "difference", f"{100 * rules.confidence:.3g} % interval"),
        *("p", "p corr.", "d_z", "win / tie / loss", "better"),
    )
    _table(console, heads, [_metric(line, rules) for line in found.lines], spare=_SPARE)
    reasons: dict[str, dict[str, None]] = {}
    for line in found.lines:
        if line.tested is None:
            reasons.setdefault(line.untested, {})[line.column.metric] = None
    for why, names in reasons.items():
        say(console, f"No test: {', '.join(names)} ({why}).")
    say(
        console,
        "d_z: mean difference / standard deviation over users. Wins: users better off with the candidate.",
    )
    if found.lines and rules.test == "randomization" and found.n_splits == 1:
        least = found.family_size / (1 + rules.resamples)
        if rules.correction == "holm" and least > rules.level:
            say(
                console,
                f"{rules.resamples:,} resamples cannot reach a corrected p below {min(least, 1):.2g}: ask "
                "for statistics.resamples=... or statistics.test=t.",
            )


def _metric(line: Line, rules: Rules) -> tuple[str, ...]:
    places = 4
    name = visible(column_name(line.column))
    means = f"{line.candidate:.{places}f}", f"{line.baseline:.{places}f}"
    found = line.tested
    if found is None:
        return (name, *means, f"{line.candidate - line.baseline:+.{places}f}", *[NOTHING] * 6)
    better = "not apart"
    if found.corrected <= rules.level:
        better = NOTHING if line.worse is None else "baseline" if line.worse else "candidate"
    return (
        *(name, *means, f"{found.difference:+.{places}f}"),
        f"{found.low:+.{places}f} to {found.high:+.{places}f}",
        *(p_text(found.p), p_text(found.corrected), f"{found.effect:+.2f}"),
        f"{found.wins:,} / {found.ties:,} / {found.losses:,}",
        better,
    )


def p_text(p: float) -> str:
    """A p-value, which is never 0.

    >>> p_text(1e-9), p_text(0.0312)
    ('<0.0001', '0.0312')
    """
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"


def _print_segments(told: Told, name: str, rules: Rules, console: Console) -> None:
    found = told.segments
    if not found:
        return
    flips = sorted((s for s in found if s.flips), key=lambda s: (s.p, -s.n_users))
    certain = sum(s.p <= rules.level for s in flips)
    console.print()
    say(console, f"Segments of users in {name}", style="bold")
    shown = [s for s in found if s.kind == "history"]
    shown += [s for s in flips if s.kind != "history"][:FLIPS_SHOWN]
    heads = ("segment", "users", "difference", "interval", "p corr.", "larger / smaller", "sign")
    _table(console, heads, [_segment(s) for s in shown], spare=("larger / smaller",))
    corrected = f"p corrected by {CORRECTIONS[rules.correction]} over all {len(found)} segments"
    if flips:
        say(
            console,
            f"The sign flips in {len(flips)} of {len(found)} segments, significantly in {certain} "
            f"({corrected}).",
        )
    else:
        say(console, f"The sign flips in none of {len(found)} segments ({corrected}).")
    if told.versus.n_splits > 1:
        say(console, "Segments and users are those of the first split.")


def _segment(found: Segment) -> tuple[str, ...]:
    return (
        visible(f"{found.kind}: {found.name}"),
        *(f"{found.n_users:,}", f"{found.difference:+.4f}", f"{found.low:+.4f} to {found.high:+.4f}"),
        *(p_text(found.p), f"{found.larger:,} / {found.smaller:,}", "flips" if found.flips else ""),
    )


def _print_changes(told: Told, name: str, console: Console) -> None:
    match = told.versus.match
    for title, changes in (("gain", told.gains), ("lose", told.losses)):
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
            _table(console, ("", match.candidate, match.baseline), rows, words=3)


def _item(items: Sequence[Recommended], rank: int) -> str:
    if rank >= len(items):
        return ""
    found = items[rank]
    text = f"{found.item} {found.name}" if found.name and found.name != found.item else found.item
    text = visible(text)
    cut = text if len(text) <= ITEM_WIDTH else text[: ITEM_WIDTH - 1] + "…"
    return f"{HIT if found.hit else ' '} {cut}"


def _verdict(answer: Answer, line: Line, rules: Rules, tolerance: float) -> str:
    found = line.tested
    assert found is not None
    turned = "" if line.higher_is_better else ", lower is better"
    return (
        f"{answer}: {column_name(line.column)} {found.difference:+.4f}, {100 * rules.confidence:.3g} % "
        f"interval {found.low:+.4f} to {found.high:+.4f}, tolerance {tolerance:g}{turned}"
    )


def _table(
    console: Console,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    words: int = 1,
    spare: Sequence[str] = (),
) -> None:
    """Draw text; the first columns hold words, the others figures, which are never cut.

    spare: heads of columns that a narrow terminal does without, the first to go first; they are named.
    """
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    widths = {head: max(map(cell_len, (head, *column))) for head, column in _columns(heads, rows)}
    for head in heads[:words]:
        widths[head] = min(widths[head], _WORDS_AT_LEAST)
    shown, dropped = list(heads), []
    for head in spare:
        if sum(widths[h] + 2 for h in shown) <= console.width:
            break
        shown.remove(head)
        dropped.append(head)
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1))
    for head in shown:
        left = head in heads[:words]
        drawn.add_column(
            Text(head),
            justify="left" if left else "right",
            overflow="fold",
            no_wrap=not left,
            min_width=widths[head],
        )
    for row in rows:
        drawn.add_row(*(Text(field) for head, field in zip(heads, row, strict=True) if head in shown))
    console.print(drawn)
    if dropped:
        say(console, f"On a wider terminal: {', '.join(dropped)}.")


def _columns(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[tuple[str, tuple[str, ...]]]:
    return ((head, tuple(row[at] for row in rows)) for at, head in enumerate(heads))
