"""A comparison on a terminal: text from data is data."""

# ruff: noqa: RUF001 - the dash of an empty field

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from bakeoff.evaluation.significance import TestConfig
from bakeoff.evaluation.variance import Needed
from bakeoff.queries.compare import (
    CompareRequest,
    Comparison,
    Decision,
    Difference,
    Match,
    MetricComparison,
    SmallerDifference,
    SplitBreakdown,
)
from bakeoff.queries.comparison import Column
from bakeoff.queries.pairs import SplitCells
from bakeoff.queries.recommend import Item, ListedItem
from bakeoff.queries.segments import Segment, UserChange
from bakeoff.report.render.compare import print_comparison, print_decision
from bakeoff.report.view import p_text

HOSTILE = "[bold]x[/bold] <b>\x1b[31m\u202e:smile:"
SHOWN = "[bold]x[/bold] <b>\\x1b[31m\\u202e:smile:"


def line(metric="ndcg", corrected=0.01, higher=True, d=0.1):
    tested = Difference(d, d - 0.05, d + 0.05, 0.004, corrected, 0.3, 7, 2, 1, 10)
    return MetricComparison(Column(metric, 10), higher, 0.5, 0.4, tested)


def comparison_of(*lines, n_splits=1, family_size=3, seeds=(1, 1), **more):
    keys = tuple(tuple(f"{side}{n}" for n in range(count)) for side, count in zip("ab", seeds, strict=True))
    splits = tuple(SplitCells(f"s{n}", 10, keys) for n in range(n_splits))
    match = Match("plays, split random", "als", "warp", splits, ((), ()), "f")
    return Comparison(match, lines, family_size, **more)


def of_split(segments=(), gains=(), losses=(), name="split_seed 1", absent=""):
    alone = Difference(0.1, 0.05, 0.15, 0.004, 0.004, 0.3, 7, 2, 1, 10)
    return SplitBreakdown(name, alone, segments, gains, losses, absent)


def printed(one, config=None, **options):
    out = io.StringIO()
    console = Console(file=out, width=180, no_color=True)
    print_comparison(one, asked(config, **options), console)
    return out.getvalue()


def asked(config=None, **options):
    return CompareRequest("a", "b", Path("none"), test_config=config or TestConfig(), **options)


def decided(decision, *comparisons, **options):
    out = io.StringIO()
    console = Console(file=out, width=180, no_color=True)
    print_decision(decision, comparisons, asked(gate="ndcg@10", **options), console)
    return out.getvalue()


def test_who_is_better_stands_where_the_corrected_p_allows_it() -> None:
    lines = (
        *(line("a"), line("b", d=-0.1), line("c", corrected=0.2)),
        *(line("d", higher=False), line("e", higher=None)),
    )
    rows = [
        r.split()
        for r in printed(comparison_of(*lines)).splitlines()
        if r[:4] in {f"{m}@10" for m in "abcde"}
    ]
    assert [" ".join(r[15:]) for r in rows] == ["candidate", "baseline", "not apart", "baseline", "–"]


def test_text_from_data_is_never_markup() -> None:
    item = ListedItem(Item(HOSTILE[:20], HOSTILE), 1.0, True)
    change = UserChange(HOSTILE, 0.5, 0.25, 3, ((item,), ()))
    segment = Segment(HOSTILE, HOSTILE, 20, -0.1, -0.2, -0.01, 0.01, 3, 9, True)
    out = printed(comparison_of(line(), leading=line(), splits=(of_split((segment,), (change,)),)))
    assert f"user {SHOWN}" in out and f"{SHOWN}: {SHOWN}" in out
    assert "\x1b[31m" not in out and "\u202e" not in out
    assert "* [bold]x[/bold]" in out


def test_untested_metrics_are_listed_once_by_reason() -> None:
    lines = [
        MetricComparison(Column("gini", k), False, 0.5, 0.4, None, "no value for each user") for k in (5, 10)
    ]
    out = printed(comparison_of(*lines))
    assert out.count("No test: gini (no value for each user).") == 1


def test_a_gate_shows_difference_interval_and_rule() -> None:
    one = comparison_of(line(), leading=line(), answer="PROMOTED")
    decision = Decision("PROMOTED", 0.1, 0.05, 0.15, 1)
    out = decided(decision, one, tolerance=0.002)
    assert out == "PROMOTED: ndcg@10 +0.1000, 95 % interval +0.0500 to +0.1500, tolerance 0.002\n"
    assert "no worse by more than 0.01" in decided(decision, one, non_inferior=0.01)
    falls = line(higher=False)
    one = comparison_of(falls, leading=falls, answer="REJECTED")
    assert "tolerance 0.002, lower is better" in decided(decision, one, tolerance=0.002)


def test_several_comparisons_stand_above_their_one_decision() -> None:
    ones = [
        comparison_of(line(d=d), leading=line(d=d), answer=a)
        for d, a in ((0.1, "PROMOTED"), (0.01, "UNDECIDED"))
    ]
    out = decided(Decision("PROMOTED", 0.055, 0.02, 0.09, 2, ("plays: als",)), *ones)
    rows = out.splitlines()
    assert [row.split()[-1] for row in rows[1:3]] == ["PROMOTED", "UNDECIDED"]
    assert rows[3].startswith("PROMOTED: ndcg@10 +0.0550") and rows[3].endswith("mean of 2 comparisons")
    assert "plays: als" in rows[4]


def test_what_a_smaller_difference_needs_is_said() -> None:
    smaller = SmallerDifference(0.01, -0.002, Needed(splits=7, users=1200))
    out = printed(comparison_of(line(), leading=line(), smaller=smaller))
    assert "+0.0100" in out and "-0.002" in out and "7 splits or 1,200 users" in out
    ones = [comparison_of(line(), leading=line(), answer="UNDECIDED")] * 2
    decision = Decision("UNDECIDED", 0.02, -0.01, 0.05, 2, smaller=replace(smaller, needed=Needed(users=99)))
    assert "+0.0100" in decided(decision, *ones).splitlines()[-1] and "99 users" in decided(decision, *ones)


def test_how_it_was_tested_is_said() -> None:
    out = printed(comparison_of(line(), n_splits=3, seeds=(2, 1)))
    assert "users, 3 splits and fits as random effects" in out and "Fits on a split: 2 and 1" in out
    out = printed(comparison_of(line(), family_size=1), TestConfig(test="randomization"))
    assert "10,000 resamples" in out and "One pair" in out


def test_flips_that_cannot_reach_the_level_are_said() -> None:
    config = TestConfig(test="randomization", resamples=100)
    out = printed(comparison_of(line(), family_size=50), config)
    assert "100 resamples cannot reach a corrected p below 0.5" in out


def test_segments_without_a_flip_say_so() -> None:
    segment = Segment("history", "1 to 5", 20, 0.1, 0.01, 0.2, 0.01, 12, 3, False)
    out = printed(comparison_of(line(), leading=line(), splits=(of_split((segment,)),)))
    assert "The sign flips in none of 1 segments" in out and "history: 1 to 5" in out


def test_several_splits_have_a_section_each_and_a_table_beside_each_other() -> None:
    segments = [Segment("history", "1 to 5", 20, at / 10, 0, 1, 0.01, 12, 3, at == 2) for at in (1, 2)]
    item = ListedItem(Item("i1"), 1.0, True)
    change = UserChange("u9", 0.5, 0.25, 3, ((item,), ()))
    splits = (
        of_split((segments[0],), name="split_seed 1"),
        of_split((segments[1],), (change,), name="split_seed 2, fold 1"),
        of_split(name="split_seed 3", absent="the store holds no split s3"),
    )
    out = printed(comparison_of(line(), n_splits=3, leading=line(), splits=splits))
    assert "Each split alone, in ndcg@10" in out
    (row,) = [r for r in out.splitlines() if r.startswith("split_seed 2, fold 1")]
    assert row.split()[-3:] == ["1", "of", "1"] and "7 / 2 / 1" in row
    assert "Segments of users in ndcg@10, split_seed 1\n" in out
    assert "Users who gain most in ndcg@10, split_seed 2, fold 1 (" in out
    assert "No segments and no users in ndcg@10, split_seed 3: the store holds no split s3." in out


@pytest.mark.parametrize(("higher", "expected"), [(True, "12 / 5 / 3"), (False, "3 / 5 / 12")])
def test_segments_count_users_who_are_better_off(higher, expected) -> None:
    segment = Segment("history", "1 to 5", 20, 0.1, 0.01, 0.2, 0.01, 12, 3, False)
    by = line(higher=higher)
    (row,) = [
        r
        for r in printed(comparison_of(by, leading=by, splits=(of_split((segment,)),))).splitlines()
        if r.startswith("history: 1 to 5")
    ]
    assert expected in row


@pytest.mark.parametrize(("p", "text"), [(1e-300, "<0.0001"), (0.0001, "0.0001"), (1.0, "1.0000")])
def test_p_is_never_shown_as_0(p, text) -> None:
    assert p_text(p) == text


def test_a_narrow_terminal_leaves_columns_out_and_names_them_rather_than_cutting_figures() -> None:
    out = io.StringIO()
    one = comparison_of(line("long_tail_share"))
    print_comparison(one, asked(), Console(file=out, width=80, no_color=True))
    drawn = out.getvalue().splitlines()
    assert any("long_tail_share@10" in r and "+0.1000" in r and "7 / 2 / 1" in r for r in drawn)
    assert "On a wider terminal: candidate, baseline, p, d_z, better." in drawn
    assert all(len(r) <= 80 for r in drawn if r.startswith(("metric", "long_tail")))
