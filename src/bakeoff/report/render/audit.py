"""Print the result of an audit: faults, cautions, and how far the order of models holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bakeoff.queries.audit import Finding
from bakeoff.queries.robustness import Agreement, Robustness
from bakeoff.report.render.console import print_table, say
from bakeoff.report.view import NOTHING

if TYPE_CHECKING:
    from rich.console import Console


def print_audit(
    findings: Sequence[Finding], orders: Sequence[Robustness], console: Console | None = None
) -> None:
    """Print a line for each fault and caution, then a table of settings for each data set."""
    if console is None:
        from rich.console import Console

        console = Console()
    for level, title in (("fault", "Faults"), ("caution", "Cautions")):
        of_level = [finding for finding in findings if finding.level == level]
        say(console, f"{title}: {len(of_level) or 'none'}", style="bold")
        for finding in of_level:
            say(console, f"  {finding.check}: {finding.where}: {finding.message}.")
    for order in orders:
        console.print()
        say(console, f"{order.title}: {order.base} has the order {', '.join(order.models)}", style="bold")
        if order.agreements:
            rows = [_row(agreement) for agreement in order.agreements]
            print_table(console, ("setting", "flips", "Kendall's tau", "95 % interval"), rows, words=2)
        for sentence in order.sentences:
            say(console, sentence)


def _row(agreement: Agreement) -> tuple[str, ...]:
    flips = "; ".join(f"{a} / {b}" for a, b in agreement.flips) or NOTHING
    interval = NOTHING if agreement.low is None else f"{agreement.low:.2f} to {agreement.high:.2f}"
    return agreement.setting, flips, f"{agreement.tau:.2f}", interval
