"""A description on a terminal: all numbers are there, and text from the data is only text."""

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from bakeoff.data.describe import Description, describe
from bakeoff.data.interactions import Ids, Interactions
from bakeoff.data.source import Dataset
from bakeoff.data.synthetic import Simulated
from bakeoff.report.render.describe import render
from bakeoff.splits.temporal import Temporal

SMALL = Simulated(n_users=150, n_items=400, n_rows=4000, n_genres=8, n_countries=4)


@pytest.fixture(scope="module")
def description() -> Description:
    dataset, splitter = SMALL.load(), Temporal()
    split = splitter.split(dataset.interactions, 0)
    return describe(dataset, [("temporal", split), ("temporal, inner", splitter.inner(split, 0))])


def _drawn(description: Description, width: int = 100, encoding: str = "utf-8") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    render(description, Console(file=file, width=width, color_system=None, legacy_windows=False))
    file.seek(0)
    return file.read()


def _fields(text: str, label: str) -> list[str]:
    """What stands behind a label at the start of a line."""
    line = next(line for line in text.splitlines() if line.strip().startswith(label))
    return line.strip().removeprefix(label).split()


def test_the_numbers_of_the_data_are_shown(description: Description) -> None:
    text = _drawn(description)
    assert text.startswith("Data set simulated\n150 users, 400 items, ")
    assert f"{description.pairs:,} pairs; {description.density:.3%} of all possible pairs" in text
    assert f"Gini {description.long_tail.gini:.3f}" in text
    assert "User features: country (4), activeness (3); 150 of 150 have any, 2.0 each." in text
    assert _fields(text, "simulate")[:3] == [f"{description.rows:,}", "150", "400"]
    assert description.values is not None
    spreads = (description.histories, description.popularity, description.values)
    assert _fields(text, "least") == [f"{s.quantiles[0]:g}" for s in spreads]
    assert _fields(text, "top 10% of the items")[-1] == f"{description.long_tail.tops[2]:.1%}"


def test_every_split_has_a_column_and_every_count_that_is_not_zero_a_row(description: Description) -> None:
    text = _drawn(description)
    one, two = description.splits
    assert _fields(text, "fingerprint") == [one.fingerprint, two.fingerprint]
    assert _fields(text, "users evaluated") == [str(one.test_users), str(two.test_users)]
    assert _fields(text, "cut") == [one.info["cut"], two.info["cut"]]
    assert "dropped cold items" in text
    assert "kept cold items" not in text


def test_splits_that_do_not_fit_beside_each_other_follow_each_other(description: Description) -> None:
    text = _drawn(description, width=60)
    assert text.count("fingerprint") == 2
    assert _fields(text, "fingerprint") == [description.splits[0].fingerprint]


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(description: Description, width: int) -> None:
    assert max(len(line) for line in _drawn(description, width=width).splitlines()) <= width


def test_the_longest_bar_is_full_and_others_are_in_proportion(description: Description) -> None:
    lines = _drawn(description, width=120).splitlines()
    start = lines.index(next(line for line in lines if line.startswith("Items a user")))
    bars = {
        line.count("█"): line.split()[-2]
        for line in lines[start + 3 : start + 3 + len(description.histories.bins)]
    }
    counts = [count for _, _, count in description.histories.bins]
    assert bars[40] == f"{max(counts)}"
    assert all(abs(cells - 40 * int(count) / max(counts)) <= 1 for cells, count in bars.items())


def test_a_terminal_without_block_characters_gets_plain_ones(description: Description) -> None:
    text = _drawn(description, encoding="ascii")
    assert text.isascii()
    assert "####" in text


def test_text_from_the_data_is_never_markup_nor_control(description: Description) -> None:
    (step,) = description.steps
    nasty = replace(
        description,
        name="[red]a[/red]\x1b[2J",
        steps=(replace(step, name="where [bold]x", note="a note: [/] :smile:"),),
        splits=tuple(replace(s, name=f"[link=x]{s.name}") for s in description.splits),
    )
    text = _drawn(nasty)
    assert text.startswith("Data set [red]a[/red]\\x1b[2J\n")
    assert "where [bold]x" in text
    assert "a note: [/] :smile:" in text
    assert "[link=x]temporal" in text
    assert "\x1b" not in text


def test_data_without_values_times_or_features_say_so() -> None:
    rows = np.arange(3, dtype=np.int32)
    data = Interactions.of(rows, rows, None, None, Ids.of(range(3)), Ids.of(range(3)))
    text = _drawn(describe(Dataset("bare", data)))
    assert "No times: splits by time cannot be made." in text
    assert "User features: none.\nItem features: none.\n" in text
    assert "values" not in text
    assert "Splits (" not in text


def test_events_are_told_from_pairs() -> None:
    rows = np.zeros(2, dtype=np.int32)
    data = Interactions.of(rows, rows, None, np.array([5, 9]), Ids.of(["u"]), Ids.of(["i"]))
    text = _drawn(describe(Dataset("events", data)))
    assert "1 users, 1 items, 1 pairs in 2 rows; 100.000% of all possible pairs" in text
    assert "1970-01-01 00:00 UTC to 1970-01-01 00:00 UTC: 0.0 days, at most 2 rows a hour" in text


def test_times_beyond_the_calendar_are_shown_as_seconds() -> None:
    rows = np.arange(2, dtype=np.int32)
    data = Interactions.of(rows, rows, None, np.array([10**12, 10**12]), Ids.of(range(2)), Ids.of(range(2)))
    assert "1,000,000,000,000 s to 1,000,000,000,000 s" in _drawn(describe(Dataset("far", data)))
