"""A candidate beside a baseline, on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bakeoff.evaluation.significance import TestConfig
from bakeoff.queries.compare import Answer, Comparison, MetricComparison
from bakeoff.report.render.console import say
from bakeoff.report.render.fitted import print_table
from bakeoff.report.render.splits import outcomes, print_splits
from bakeoff.report.wording import CORRECTIONS, NOTHING, TESTS, p_text, visible

if TYPE_CHECKING:
    from rich.console import Console

SAME_SHOWN = 4
"""So many keys are named where both sides are the same cells."""

_SPARE = ("d_z", "p", "better", "baseline", "candidate")


def print_comparison(
    one: Comparison, rules: TestConfig, gate: str | None, tolerance: float, console: Console | None = None
) -> None:
    """Print metrics, segments, users, and the answer of a gate; text from data is never markup."""
    console = _console(console)
    match, leading = one.match, one.leading
    say(console, f"{match.title}: {match.candidate} against {match.baseline}", style="bold")
    if match.same:
        _print_same(one, console)
    else:
        say(console, _how_tested(one, rules))
        _print_metrics(one, rules, console)
    if leading is not None:
        print_splits(match, leading, one.splits, rules, console)
        if one.answer is not None and gate is not None:
            say(console, _gate_line(one.answer, leading, rules, tolerance), style="bold")
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


def _print_same(one: Comparison, console: Console) -> None:
    """That there is nothing to compare, and what both have."""
    keys = one.match.same
    some = ", ".join(keys[:SAME_SHOWN]) + (", ..." if len(keys) > SAME_SHOWN else "")
    are = f"the same cell, {some}" if len(keys) == 1 else f"the same {len(keys)} cells ({some})"
    say(console, f"Both are {are}: there is nothing to compare, every difference is 0.")
    rows = [(visible(metric.column.name), f"{metric.candidate:.4f}") for metric in one.metrics]
    print_table(console, ("metric", "both"), rows)


def _how_tested(one: Comparison, rules: TestConfig) -> str:
    """How the numbers were made, in two sentences."""
    if all(metric.tested is None for metric in one.metrics):
        return "Differences are candidate less baseline; none has a test."
    if one.n_splits > 1:
        test = f"corrected resampled t-test over {one.n_splits} splits"
    else:
        drawn = f", {rules.resamples:,} resamples" if rules.test == "randomization" else ""
        test = f"{TESTS[rules.test]}{drawn}; intervals by bootstrap over users"
    seeds = ""
    if max(one.n_seeds) > 1:
        seeds = f" Model seeds, averaged by user: {one.n_seeds[0]} and {one.n_seeds[1]}."
    family = f"{CORRECTIONS[rules.correction]} over {one.family_size} pairs of models for each metric and k"
    corrected = f" p corrected by {family}." if one.family_size > 1 else " One pair: p needs no correction."
    return f"Differences are candidate less baseline: {test}.{corrected}{seeds}"


def _print_metrics(one: Comparison, rules: TestConfig, console: Console) -> None:
    heads = (
        *("metric", "candidate", "baseline", "difference", f"{100 * rules.confidence:.3g} % interval"),
        *("p", "p corr.", "d_z", "win / tie / loss", "better"),
    )
    print_table(console, heads, [_metric(metric, rules) for metric in one.metrics], spare=_SPARE)
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
    if rules.test == "randomization" and one.n_splits == 1:
        least = one.family_size / (1 + rules.resamples)
        if rules.correction == "holm" and least > rules.level:
            say(
                console,
                f"{rules.resamples:,} resamples cannot reach a corrected p below {min(least, 1):.2g}: ask "
                "for statistics.resamples=... or statistics.test=t.",
            )


def _metric(metric: MetricComparison, rules: TestConfig) -> tuple[str, ...]:
    places = 4
    name = visible(metric.column.name)
    means = f"{metric.candidate:.{places}f}", f"{metric.baseline:.{places}f}"
    tested = metric.tested
    if tested is None:
        return (name, *means, f"{metric.candidate - metric.baseline:+.{places}f}", *[NOTHING] * 6)
    better = "not apart"
    if tested.corrected <= rules.level:
        better = NOTHING if metric.worse is None else "baseline" if metric.worse else "candidate"
    return (
        *(name, *means, f"{tested.difference:+.{places}f}"),
        f"{tested.low:+.{places}f} to {tested.high:+.{places}f}",
        *(p_text(tested.p), p_text(tested.corrected), f"{tested.effect:+.2f}"),
        outcomes(tested.wins, tested.ties, tested.losses),
        better,
    )


def _gate_line(answer: Answer, metric: MetricComparison, rules: TestConfig, tolerance: float) -> str:
    tested = metric.tested
    if tested is None:  # a cell beside itself is compared by nothing
        return f"{answer}: {metric.column.name} {metric.candidate - metric.baseline:+.4f}, the same cells"
    turned = "" if metric.higher_is_better else ", lower is better"
    return (
        f"{answer}: {metric.column.name} {tested.difference:+.4f}, {100 * rules.confidence:.3g} % "
        f"interval {tested.low:+.4f} to {tested.high:+.4f}, tolerance {tolerance:g}{turned}"
    )
