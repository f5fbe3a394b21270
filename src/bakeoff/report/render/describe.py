"""What a data set looks like, drawn on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bakeoff.data.describe import (
    SHARES,
    TOPS,
    Description,
    Distribution,
    FeatureSummary,
    LongTail,
    SplitSummary,
    TimeSpan,
)
from bakeoff.data.source import Step
from bakeoff.report.view import visible

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 40  # cells of the longest bar
LABELS, COLUMN = 27, 23  # cells of the labels of the table of splits, and of one split in it
SHOWN = {  # counts of a split that have a row of their own above the others
    "train_pairs",
    "test_pairs",
    "test_users",
    "catalogue",
    "train_first",
    "train_last",
    "test_first",
    "test_last",
}
PERIODS = {"h": "hour", "D": "day", "M": "month", "Y": "year"}

Row = Sequence[str]


def render(description: Description, console: Console) -> None:
    """Print a description as tables, bars and curves; text from the data is never read as markup."""
    writer = TextWriter(console)
    d = description
    writer.line(f"Data set {d.name}", bold=True)
    writer.line(
        f"{d.users:,} users, {d.items:,} items, {d.pairs:,} pairs"
        + (f" in {d.rows:,} rows" if d.rows != d.pairs else "")
        + f"; {d.density:.3%} of all possible pairs"
    )
    _ledger(writer, "Preparation", d.steps)
    _quantiles(writer, d)
    _histogram(writer, "Items a user", d.histories)
    _histogram(writer, "Users an item", d.popularity)
    _long_tail(writer, d.long_tail)
    if d.values is not None:
        _histogram(writer, "Values", d.values)
    if d.times is not None:
        _times(writer, d.times)
    else:
        writer.line("No times: splits by time cannot be made.")
    _features(writer, d)
    if d.splits:
        _splits(writer, d.splits)


def _ledger(writer: TextWriter, title: str, steps: Sequence[Step]) -> None:
    if steps:
        heads = ("step", "left", "users", "items", "sum of values", "note")
        rows = [
            (
                ": ".join(filter(None, (s.part, s.name))),
                *(f"{n:,}" for n in (s.rows, s.users, s.items)),
                "" if s.total is None else f"{s.total:,.6g}",
                s.note,
            )
            for s in steps
        ]
        writer.table(title, heads, rows, range(1, 5))


def _quantiles(writer: TextWriter, d: Description) -> None:
    of = {"items a user": d.histories, "users an item": d.popularity, "values": d.values}
    spreads = {name: spread for name, spread in of.items() if spread is not None}
    names = ["least", *("median" if s == 0.5 else f"{s:.0%}" for s in SHARES[1:-1]), "most"]
    rows = [
        (name, *(_number(round(spread.quantiles[at], 1)) for spread in spreads.values()))
        for at, name in enumerate(names)
    ]
    rows.append(("mean", *(_number(round(spread.mean, 1)) for spread in spreads.values())))
    writer.table("Quantiles", ("", *spreads), rows, range(1, len(spreads) + 1))


def _histogram(writer: TextWriter, title: str, spread: Distribution) -> None:
    most = max(count for _, _, count in spread.bins)
    rows = [
        (
            _number(low) if low == high else f"{_number(low)} to {_number(high)}",
            count / most,
            (f"{count:,}", f"{count / spread.n:.1%}"),
        )
        for low, high, count in spread.bins
    ]
    writer.bars(title, ("count", "share"), rows)


def _long_tail(writer: TextWriter, tail: LongTail) -> None:
    rows = [
        (f"top {share:.0%} of the items", held, (f"{held:.1%}",))
        for share, held in zip(TOPS, tail.tops, strict=True)
    ]
    writer.bars("Long tail: share of the pairs held by", ("pairs",), rows)
    writer.line(
        f"Half of the pairs are of {tail.half:.1%} of the items; {tail.single:.1%} of the items have one "
        f"user; {tail.most:.1%} of the users have the most popular item; Gini {tail.gini:.3f}."
    )
    writer.curve("Users of an item, by rank (log scale)", tail.curve, log=True)


def _times(writer: TextWriter, span: TimeSpan) -> None:
    writer.curve(f"Rows a {PERIODS[span.unit]}, from {span.start}", span.counts)
    days = (span.last - span.first) / 86_400
    most = max(span.counts)
    writer.line(
        f"{_moment(span.first)} to {_moment(span.last)}: {days:,.1f} days, at most {most:,} rows a "
        f"{PERIODS[span.unit]}; {span.tied:.1%} of the rows share user and second with another."
    )


def _moment(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:,} s"


def _features(writer: TextWriter, d: Description) -> None:
    for role, features in (("User", d.user_features), ("Item", d.item_features)):
        writer.line(f"{role} features: {'none' if features is None else _feature_text(features)}.")


def _feature_text(features: FeatureSummary) -> str:
    groups = ", ".join(f"{name} ({n:,})" for name, n in features.groups.items())
    return f"{groups}; {features.n_with:,} of {features.total:,} have any, {features.mean:.1f} each"


def _splits(writer: TextWriter, cuts: Sequence[SplitSummary]) -> None:
    """Print a column for each split; a row that is 0 in all of them is left out."""
    facts: dict[str, Callable[[SplitSummary], str]] = {
        "train pairs": lambda c: f"{c.train_pairs:,}",
        "test pairs": lambda c: f"{c.test_pairs:,}",
        "test share of pairs": lambda c: f"{c.test_pairs / (c.train_pairs + c.test_pairs):.1%}",
        "train users": lambda c: f"{c.train_users:,}",
        "users evaluated": lambda c: f"{c.test_users:,}" + (" (held out)" if c.held_out else ""),
        "catalogue": lambda c: f"{c.catalogue:,}",
        "distinct test items": lambda c: f"{c.test_items:,}",
        "items known of a user": lambda c: _middle(c.history_sizes),
        "items sought of a user": lambda c: _middle(c.test_sizes),
        "sought in the top 10 %": lambda c: f"{c.share_of_top_items:.1%}",
        "train from": lambda c: _fact(c.info, "train_first"),
        "train to": lambda c: _fact(c.info, "train_last"),
        "test from": lambda c: _fact(c.info, "test_first"),
        "test to": lambda c: _fact(c.info, "test_last"),
    }
    others = [k for k in dict.fromkeys(k for c in cuts for k in c.info) if k not in SHOWN]
    across = max(1, (writer.width - LABELS) // COLUMN)
    for at in range(0, len(cuts), across):
        part = cuts[at : at + across]
        rows: list[Row] = [(name, *(fact(c) for c in part)) for name, fact in facts.items()]
        rows += [(k.replace("_", " "), *(_fact(c.info, k) for c in part)) for k in others]
        rows = [r for r in rows if any(entry not in ("", "0", "0.0%") for entry in r[1:])]
        rows.append(("fingerprint", *(c.fingerprint for c in part)))
        title = "Splits (items of a user: least / median / most)"
        writer.table(title, ("", *(c.name for c in part)), rows, range(1, len(part) + 1))
    for cut in cuts:
        _ledger(writer, f"Parts of {cut.name}", cut.steps)


def _middle(spread: Distribution) -> str:
    low, middle, high = (spread.quantiles[SHARES.index(s)] for s in (0.0, 0.5, 1.0))
    return f"{_number(low)} / {_number(middle)} / {_number(high)}"


def _fact(info: Mapping[str, Any], name: str) -> str:
    value = info.get(name, "")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    return f"{value:.1%}" if isinstance(value, float) and name.startswith("share") else _number(value)


def _number(value: float) -> str:
    """Return a whole number in full, another to four digits."""
    return f"{int(value):,}" if value == int(value) else f"{value:,.4g}"


class TextWriter:
    """Writes lines, tables, bars and curves to a console, in block characters where it can show them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._blocks = not console.options.ascii_only
        self.width = console.width

    def line(self, text: str, *, bold: bool = False) -> None:
        from rich.text import Text

        self._console.print(Text(visible(text), style="bold" if bold else ""), highlight=False)

    def table(self, title: str, heads: Row, rows: Sequence[Row], figures: Sequence[int]) -> None:
        """Print a table; the columns whose positions are in `figures` are right-aligned."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        drawn = Table(
            title=Text(visible(title)) if title else None,
            title_justify="left",
            box=box.SIMPLE if self._blocks else box.ASCII,
            show_edge=False,
        )
        for at, head in enumerate(heads):
            drawn.add_column(
                Text(visible(head)), justify="right" if at in figures else "left", overflow="fold"
            )
        for row in rows:
            drawn.add_row(*(Text(visible(entry)) for entry in row))
        self._console.print()
        self._console.print(drawn, highlight=False)

    def bars(self, title: str, heads: Row, rows: Sequence[tuple[str, float, Row]]) -> None:
        """Print a bar for each row of (label, share in [0, 1], figures)."""
        texts = [(label, *figures) for label, _, figures in rows]
        taken = sum(max(len(t[at]) for t in texts) for at in range(len(texts[0])))
        room = min(WIDTH, self.width - taken - 3 * (len(texts[0]) + 2))
        drawn = [(label, self._bar(share, max(room, 1)), *figures) for label, share, figures in rows]
        self.table(title, ("", "", *heads), drawn, (0, *range(2, len(heads) + 2)))

    def _bar(self, share: float, room: int) -> str:
        """Return a bar, exact to an eighth of a character; any share above 0 is visible."""
        if not self._blocks:
            return "#" * max(round(share * room), int(share > 0))
        eighths = max(round(share * room * 8), int(share > 0))
        return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()

    def curve(self, title: str, numbers: Sequence[int], *, log: bool = False) -> None:
        """Print a character for each number, its height relative to the largest; 0 is a blank."""
        from math import ceil, log1p

        steps = "▁▂▃▄▅▆▇█" if self._blocks else "123456789"
        width = max(self.width - 4, 8)
        together = ceil(len(numbers) / width)
        parts = [numbers[i : i + together] for i in range(0, len(numbers), together)]
        heights = [log1p(max(p)) if log else float(sum(p)) for p in parts]
        top = max(heights)
        drawn = "".join(
            " " if not h else steps[min(int(h / top * len(steps)), len(steps) - 1)] for h in heights
        )
        self._console.print()
        self.line(title)
        self._console.print(f"  {drawn}", markup=False, highlight=False, no_wrap=True)
