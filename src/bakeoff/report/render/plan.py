"""What a command would do, printed."""

from __future__ import annotations

from bakeoff.grid import Estimate, Plan, seconds_text


def print_plan(name: str, planned: Plan, estimate: Estimate, workers: int) -> None:
    """One row a cell: what it is, whether it is stored, and how long it would take."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(f"experiment {name}"), title_justify="left")
    for column in ("data set", "split", "split seed", "model", "seed", "key", "state", "estimate"):
        table.add_column(column, overflow="fold")
    stored = {a.key for a in planned.stored}
    for asked in planned.asked:
        cell = asked.cell
        seconds = None if asked.key in stored else estimate.cell(cell)
        table.add_row(
            *(escape(str(v)) for v in (cell.dataset.get("name"), _with(cell.split, cell.split_variant))),
            str(cell.split_seed),
            escape(_with(cell.model, cell.variant)),
            str(cell.seed),
            asked.key,
            _state(asked.key, planned, stored),
            "" if asked.key in stored else seconds_text(seconds),
        )
    console = Console()
    console.print(table)
    total = seconds_text(estimate.total(planned.missing, workers))
    console.print(
        f"{len(planned.asked)} cells asked for, {len(planned.stored)} stored, {len(planned.missing)} to run "
        f"(rows that share a key run once). Estimated time: {total}.",
        highlight=False,
    )


def _state(key: str, planned: Plan, stored: set[str]) -> str:
    if key in planned.refitted:
        return "refit: no model"
    return "stored" if key in stored else "to run"


def _with(config: object, variant: str) -> str:
    name = str(config.get("name")) if isinstance(config, dict) else str(config)
    return f"{name} ({variant})" if variant else name
