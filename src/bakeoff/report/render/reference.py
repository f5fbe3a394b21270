"""Lists of what there is and the reference of one entry: aligned on a terminal, a line each on a pipe."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bakeoff.queries.reference import Entry, ParameterEntry, Reference
from bakeoff.report.render.console import say
from bakeoff.report.view import space_text, visible

if TYPE_CHECKING:
    from rich.console import Console


def print_entries(entries: Sequence[Entry], console: Console | None = None) -> None:
    """Print a line for each entry, its name first."""
    _print_rows([(entry.name, entry.description) for entry in entries], console or _console())


def print_reference(reference: Reference, console: Console | None = None) -> None:
    """Print what is known of an entry, last its keys, each with default, range, search space and meaning."""
    console = console or _console()
    say(console, f"{reference.name}: {reference.description}".removesuffix(": "), style="bold")
    for name, value in reference.facts.items():
        if isinstance(value, list) and len(value) > 1:
            for line in (f"{name}:", *(f"  {entry}" for entry in value)):
                say(console, line)
        else:
            say(console, f"{name}: {yaml_text(value[0] if isinstance(value, list) and value else value)}")
    for paragraph in filter(None, reference.text.split("\n\n")):
        say(console, "")
        say(console, " ".join(paragraph.split()))
    if reference.parameters:
        say(console, "")
        fields = _wide if console.is_terminal else _fields
        _print_rows([fields(parameter) for parameter in reference.parameters], console)
    if reference.example:
        say(console, "")
        say(console, reference.example)


def as_json(reference: Reference) -> dict[str, Any]:
    """Return a reference as a JSON document."""
    return {
        "kind": reference.kind,
        "name": reference.name,
        "description": reference.description,
        **{key.replace(" ", "_"): value for key, value in reference.facts.items()},
        "text": reference.text,
        "parameters": list(reference.parameters),
    }


def _console() -> Console:
    from rich.console import Console

    return Console(file=sys.stdout)


def _print_rows(rows: Sequence[tuple[str, ...]], console: Console) -> None:
    """Print columns on a terminal; elsewhere a line for each row, with a tab between its fields."""
    from rich.table import Table
    from rich.text import Text

    if not console.is_terminal:
        for row in rows:
            console.file.write("\t".join(map(visible, row)).rstrip("\t") + "\n")
        return
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(overflow="fold", max_width=console.width // 2)
    for name, *fields in rows:
        grid.add_row(Text(visible(name), style="bold"), *(Text(visible(field)) for field in fields))
    console.print(grid)


def _fields(parameter: ParameterEntry) -> tuple[str, ...]:
    """Return key, default, range or type, search space and meaning."""
    searched = f"tuned: {space_text(parameter.space)}" if parameter.space else ""
    return (
        parameter.key,
        yaml_text(parameter.default),
        parameter.range or parameter.type,
        searched,
        parameter.meaning,
    )


def _wide(parameter: ParameterEntry) -> tuple[str, ...]:
    """Return `key=default`, and the rest in one text: the columns of a terminal."""
    key, default, allowed, searched, meaning = _fields(parameter)
    return f"{key}={default}", "; ".join(filter(None, (meaning.rstrip("."), allowed, searched)))


def yaml_text(value: Any) -> str:
    """Return a value as it is written in YAML and in an override."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {yaml_text(entry)}' for key, entry in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(yaml_text, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
