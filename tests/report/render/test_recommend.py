"""Lists side by side: readable at every width, and data stay data."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from bakeoff.errors import ConfigError
from bakeoff.queries.recommend import Item, ListedItem, ModelList, Recommendations, RecommendRequest
from bakeoff.report.render.recommend import COLUMNS, as_csv, as_json, deliver, form_of, print_answer

NAMES = ["[bold]x[/bold]", "<script>", "שלום", "🎬 emoji", "a\tb\x1b[31m", "\u202eevil", "plain, with comma"]


def entries(*items: str, hit: str = "") -> tuple[ListedItem, ...]:
    return tuple(ListedItem(Item(i, NAMES[int(i) % len(NAMES)]), 1.0 / (int(i) + 1), i == hit) for i in items)


def an_answer(n_models: int = 3) -> Recommendations:
    models = [
        ModelList(f"model{i}", f"c{i}", entries("0", str(i + 1), hit="0"), "saved model")
        for i in range(n_models)
    ]
    return Recommendations(
        RecommendRequest(user="u[1]", k=2),
        "plays, split random",
        (Item("7", "An old favourite " * 9, 3.0, 86_400), Item("8", "", 1.5, 0)),
        (*models, ModelList("warp", "cw", reason="its model was not kept; [red]run[/red] again")),
        n_history=5,
        n_held_out=1,
        ordered_by="time",
        notes=("seed=1 of 1, 2; seed= takes another",),
    )


def printed(answer: Recommendations, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    print_answer(answer, console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_terminal_tells_history_lists_hits_overlap_and_reasons() -> None:
    text = printed(an_answer())
    assert "plays, split random: user u[1], k = 2" in text
    assert "History: the last 2 of 5 items, and 1 held out" in text
    assert "1970-01-02       3  7  An old favourite" in text and "1970-01-01     1.5  8" in text
    assert "* 0  [bold]x[/bold]" in text and "1 hit" in text
    assert "warp: no list; its model was not kept; [red]run[/red] again" in text
    assert "1  0.33" in text  # of lists of two items that share one
    assert "In every list: 0  [bold]x[/bold]." in text
    assert "seed=1 of 1, 2; seed= takes another" in text


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("n_models", [1, 3, 9])
def test_tables_keep_to_the_width_and_leave_no_model_out(width: int, n_models: int) -> None:
    text = printed(an_answer(n_models), width)
    tables = [line for line in text.splitlines() if not line.startswith(("In every", "Overlap", "warp"))]
    assert max(map(cell_len, tables)) <= width
    assert all(f"model{i}" in text for i in range(n_models))


def test_control_characters_are_shown_not_obeyed() -> None:
    text = printed(an_answer(6), 160)
    assert "a\\tb\\x1b[31m" in text and "\\u202eevil" in text
    assert "\x1b" not in text and "\u202e" not in text


def test_csv_has_a_row_for_each_item_and_each_reason() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(an_answer(1)))))
    assert tuple(rows[0]) == COLUMNS
    assert [(r["model"], r["rank"], r["item"], r["hit"]) for r in rows] == [
        ("model0", "1", "0", "true"),
        ("model0", "2", "1", "false"),
        ("warp", "", "", ""),
    ]
    assert float(rows[1]["score"]) == 0.5 and rows[2]["reason"].startswith("its model was not kept")


def test_json_holds_everything() -> None:
    document = json.loads(as_json(an_answer(1)))
    assert document["request"] == {"user": "u[1]", "k": 2}
    assert document["history"][0]["time"] == 86_400 and document["n_history"] == 5
    assert document["models"][0]["items"][0] == {"id": "0", "name": NAMES[0], "score": 1.0, "hit": True}


def test_the_form_follows_the_file(tmp_path: Path) -> None:
    assert form_of(None, None) == "table" and form_of("csv", None) == "csv"
    assert form_of(None, Path("a.json")) == "json" and form_of("csv", Path("a.txt")) == "csv"
    with pytest.raises(ConfigError, match="format='txt'"):
        form_of(None, Path("a.txt"))
    with pytest.raises(ConfigError, match="format='table'"):
        form_of("table", Path("a.csv"))
    deliver(an_answer(1), "csv", tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == as_csv(an_answer(1))
