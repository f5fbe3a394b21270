"""A candidate beside a baseline, on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from bakeoff.evaluation.significance import TestConfig
from bakeoff.report.pairs.by_split import OfSplit
from bakeoff.report.pairs.samples import column_name
from bakeoff.report.pairs.versus import Answer, Line, Versus
from bakeoff.report.render.console import say
from bakeoff.report.render.fitted import print_table
from bakeoff.report.render.splits import outcomes, print_splits
from bakeoff.report.wording import CORRECTIONS, NOTHING, TESTS, p_text, visible

if TYPE_CHECKING:
    from rich.console import Console

SAME_SHOWN = 4
"""So many keys are named where both sides are the same cells."""

_SPARE = ("d_z", "p", "better", "baseline", "candidate")


class Told(Protocol):
    """What is printed of one match."""

    @property
    def versus(self) -> Versus: ...
    @property
    def by(self) -> Line | None: ...
    @property
    def splits(self) -> Sequence[OfSplit]: ...
    @property
    def answer(self) -> Answer | None: ...


def print_comparison(
    told: Told, rules: TestConfig, gate: str | None, tolerance: float, console: Console | None = None
) -> None:
    """Print metrics, segments, users, and the answer of a gate; text from data is never markup."""
    console = _console(console)
    match = told.versus.match
    say(console, f"{match.title}: {match.candidate} against {match.baseline}", style="bold")
    if match.same:
        _print_same(told.versus, console)
    else:
        say(console, _how(told.versus, rules))
        _print_metrics(told.versus, rules, console)
    if told.by is not None:
        print_splits(match, told.by, told.splits, rules, console)
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


def _print_same(found: Versus, console: Console) -> None:
    """That there is nothing to compare, and what both have."""
    keys = found.match.same
    some = ", ".join(keys[:SAME_SHOWN]) + (", ..." if len(keys) > SAME_SHOWN else "")
    are = f"the same cell, {some}" if len(keys) == 1 else f"the same {len(keys)} cells ({some})"
    say(console, f"Both are {are}: there is nothing to compare, every difference is 0.")
    rows = [(visible(column_name(line.column)), f"{line.candidate:.4f}") for line in found.lines]
    print_table(console, ("metric", "both"), rows)


def _how(found: Versus, rules: TestConfig) -> str:
    """How the numbers were made, in two sentences."""
    if all(line.tested is None for line in found.lines):
        return "Differences are candidate less baseline; none has a test."
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


def _print_metrics(found: Versus, rules: TestConfig, console: Console) -> None:
    heads = (
        *("metric", "candidate", "baseline", "difference", f"{100 * rules.confidence:.3g} % interval"),
        *("p", "p corr.", "d_z", "win / tie / loss", "better"),
    )
    print_table(console, heads, [_metric(line, rules) for line in found.lines], spare=_SPARE)
    reasons: dict[str, dict[str, None]] = {}
    for line in found.lines:
        if line.tested is None:
            reasons.setdefault(line.untested, {})[line.column.metric] = None
    for why, names in reasons.items():
        say(console, f"No test: {', '.join(names)} ({why}).")
    if all(line.tested is None for line in found.lines):
        return
    say(
        console,
        "d_z: mean difference / standard deviation over users. Wins: users better off with the candidate.",
    )
    if rules.test == "randomization" and found.n_splits == 1:
        least = found.family_size / (1 + rules.resamples)
        if rules.correction == "holm" and least > rules.level:
            say(
                console,
                f"{rules.resamples:,} resamples cannot reach a corrected p below {min(least, 1):.2g}: ask "
                "for statistics.resamples=... or statistics.test=t.",
            )


def _metric(line: Line, rules: TestConfig) -> tuple[str, ...]:
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
        outcomes(found.wins, found.ties, found.losses),
        better,
    )


def _verdict(answer: Answer, line: Line, rules: TestConfig, tolerance: float) -> str:
    found = line.tested
    if found is None:  # a cell beside itself is compared by nothing
        return f"{answer}: {column_name(line.column)} {line.candidate - line.baseline:+.4f}, the same cells"
    turned = "" if line.higher_is_better else ", lower is better"
    return (
        f"{answer}: {column_name(line.column)} {found.difference:+.4f}, {100 * rules.confidence:.3g} % "
        f"interval {found.low:+.4f} to {found.high:+.4f}, tolerance {tolerance:g}{turned}"
    )
