"""Print recommendations side by side on a terminal, or write them as CSV or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bakeoff.errors import check_choice
from bakeoff.queries.recommend import Item, ListedItem, ModelList, Recommendations, as_dict, overlap
from bakeoff.report.render.console import new_table, say
from bakeoff.report.rows import csv_text
from bakeoff.report.view import HIT, visible
from bakeoff.splits.base import iso
from bakeoff.storage.store import write_text

if TYPE_CHECKING:
    from rich.console import Console

LIST_WIDTH = 24
"""Least width of a long list in character cells; as many lists stand side by side as fit."""

COLUMNS = ("model", "key", "rank", "item", "name", "score", "hit", "source", "reason")


def form_of(form: str | None, to: Path | None) -> str:
    """Return table, csv or json: the requested form, else that of the file's suffix, else a table.

    Raises:
        ConfigError: there is no such form, or a table is to be written to a file.
    """
    output = form or (to.suffix.removeprefix(".") if to is not None else "table")
    check_choice("format", output, ("csv", "json") if to is not None else ("table", "csv", "json"))
    return output


def deliver(answer: Recommendations, form: str, to: Path | None) -> None:
    """Print an answer, or write it to a file whole."""
    if form == "table":
        print_answer(answer)
        return
    text = as_csv(answer) if form == "csv" else as_json(answer)
    if to is None:
        sys.stdout.write(text)
    else:
        write_text(to, text)


def print_answer(answer: Recommendations, console: Console | None = None) -> None:
    """Print the history, the lists side by side, their overlap, and who has none and why."""
    if console is None:
        from rich.console import Console

        console = Console()
    say(console, f"{answer.split_label}: {_asked(answer)}", style="bold")
    _print_history(answer, console)
    served = [m for m in answer.models if m.listed]
    for side_by_side in _fitting(served, answer, console.width):
        _print_lists(answer, side_by_side, console)
    if answer.n_held_out and served:
        say(console, f"{HIT} a hit: one of the {answer.n_held_out} items held out of the user's history.")
    if len(served) > 1:
        _print_overlap(served, console)
    for model in answer.models:
        if model.reason:
            say(console, f"{model.model}: no list; {model.reason}")
    for text in answer.notes:
        say(console, text)


def as_csv(answer: Recommendations) -> str:
    """Return a row for each item of each list, and one with the reason for a model without a list."""
    rows: list[tuple[Any, ...]] = []
    for m in answer.models:
        rows += [
            (m.model, m.key, rank, e.item.id, e.item.name, e.score, str(e.hit).lower(), m.source, "")
            for rank, e in enumerate(m.listed, 1)
        ]
        if not m.listed:
            rows.append((m.model, m.key, None, None, None, None, None, None, m.reason))
    return csv_text(COLUMNS, rows)


def as_json(answer: Recommendations) -> str:
    """Return everything about the recommendations as one JSON document."""
    return json.dumps(as_dict(answer), indent=1, ensure_ascii=False) + "\n"


def _asked(answer: Recommendations) -> str:
    request = answer.request
    if request.user is not None:
        return f"user {request.user}, k = {request.k}"
    if request.items is not None:
        return f"a new user who had {answer.n_history} items, k = {request.k}"
    return f"items like {_text(answer.history[0])}, k = {request.k}"


def _text(item: Item) -> str:
    return visible(f"{item.id}  {item.name}" if item.name else item.id)


def _print_history(answer: Recommendations, console: Console) -> None:
    if answer.request.similar_to is not None:
        return
    shown, n_items = len(answer.history), answer.n_history
    order = {"time": "the last ", "value": "the largest "}.get(answer.ordered_by, "") if shown else ""
    some = f"{order}{shown} of {n_items} items" if shown < n_items else f"{shown} items"
    held_out = f", and {answer.n_held_out} held out" if answer.n_held_out else ""
    say(console, f"History: {some}{held_out}")
    for item in answer.history:
        parts = [
            "" if item.time is None else iso(item.time)[:10],
            "" if item.value is None else f"{item.value:g}".rjust(6),
            _text(item),
        ]
        _cut(console, "  " + "  ".join(p for p in parts if p))
    console.print()


def _cut(console: Console, text: str) -> None:
    from rich.text import Text

    console.print(Text(text), no_wrap=True, overflow="ellipsis", highlight=False)


def _fitting(models: Sequence[ModelList], answer: Recommendations, width: int) -> Iterator[list[ModelList]]:
    """Return the lists in groups that fit beside each other."""
    group: list[ModelList] = []
    left = width - 3
    for model in models:
        needed = min(_natural_width(model, answer), LIST_WIDTH) + 2
        if group and needed > left:
            yield group
            group, left = [], width - 3
        group.append(model)
        left -= needed
    if group:
        yield group


def _natural_width(model: ModelList, answer: Recommendations) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, [visible(model.model), *(_marked(e, answer) for e in model.listed)]))


def _marked(entry: ListedItem, answer: Recommendations) -> str:
    mark = (f"{HIT} " if entry.hit else "  ") if answer.n_held_out else ""
    return mark + _text(entry.item)


def _print_lists(answer: Recommendations, models: Sequence[ModelList], console: Console) -> None:
    from rich.text import Text

    drawn = new_table()
    natural, room = [_natural_width(m, answer) for m in models], console.width - 3 - 2 * len(models)
    widths = range(max(natural), 8, -1)  # long lists are cut to one width, short ones are left whole
    width = next((w for w in widths if sum(min(n, w) for n in natural) <= room), 8)
    drawn.add_column("", justify="right", width=len(str(answer.request.k)))
    for model in models:
        name = Text(visible(model.model), no_wrap=True, overflow="ellipsis")
        drawn.add_column(name, no_wrap=True, overflow="ellipsis", max_width=width)
    for at in range(max(len(m.listed) for m in models)):
        drawn.add_row(str(at + 1), *(_entry(m, at, answer) for m in models))
    if answer.n_held_out:
        hits = [sum(e.hit for e in m.listed) for m in models]
        drawn.add_section()
        drawn.add_row("", *(Text(f"{n} hits" if n != 1 else "1 hit") for n in hits))
    console.print(drawn)
    console.print()


def _entry(model: ModelList, at: int, answer: Recommendations) -> Any:
    from rich.text import Text

    if at >= len(model.listed):
        return Text("")
    entry = model.listed[at]
    return Text(_marked(entry, answer), style="bold" if entry.hit else "")


def _print_overlap(models: Sequence[ModelList], console: Console) -> None:
    """Print the pairwise overlap matrix, wrapping columns to the terminal width."""
    from rich.text import Text

    say(console, "Overlap of the lists: shared items, and their share of the items of both (Jaccard)")
    longest = min(max(len(visible(m.model)) for m in models), max(console.width // 3, 8))
    each = max(1, (console.width - longest - 5) // 10)
    for start in range(0, len(models), each):
        drawn = new_table()
        drawn.add_column("", justify="right")
        drawn.add_column("", no_wrap=True, overflow="ellipsis", max_width=longest)
        part = range(start, min(start + each, len(models)))
        for at in part:
            drawn.add_column(str(at + 1), justify="right", no_wrap=True, min_width=8)
        for at, one in enumerate(models):
            row = (_shared(one, models[other]) if other != at else "" for other in part)
            drawn.add_row(str(at + 1), Text(visible(one.model)), *row)
        console.print(drawn)
    shared = list(_in_all(models))
    everywhere = f"In every list: {'; '.join(map(_text, shared))}." if shared else "No item is in every list."
    say(console, everywhere)


def _shared(one: ModelList, other: ModelList) -> str:
    count, jaccard = overlap(one, other)
    return f"{count}  {jaccard:.2f}"


def _in_all(models: Sequence[ModelList]) -> Iterator[Item]:
    for entry in models[0].listed:
        if all(any(e.item.id == entry.item.id for e in m.listed) for m in models):
            yield entry.item
