"""The result of a verification on a terminal."""

from __future__ import annotations

import io

from rich.cells import cell_len
from rich.console import Console

from bakeoff.report.render.verify import FAULTS, print_verification
from bakeoff.verify.check import Fault, MetricCheck, Verification


def printed(result: Verification, unavailable: tuple[str, ...] = (), width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_verification("first [x]", result, unavailable, console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def verification(**changes: object) -> Verification:
    metrics = {
        "ndcg": MetricCheck(20, 18_860, 3.3e-16, "recommenders", 20, 1.1e-16),
        "reciprocal_rank_lightfm": MetricCheck(5, 4_715, 0.0),
        "gini": MetricCheck(20, 0, 0.0, "ranx", 15, 2e-12),
    }
    fields = {
        "n_cells": 5,
        "n_rows": 365,
        "n_lists": 4715,
        "splits": {"s1": "a"},
        "metrics": metrics,
        **changes,
    }
    return Verification(**fields)  # type: ignore[arg-type]


def test_agreement_is_said_with_the_largest_difference_of_each_metric() -> None:
    text = printed(verification(libraries=["ranx 0.3.21"]), ("recommenders is not installed: pip ...",))
    assert "Experiment first [x]: 365 numbers in metrics.csv, 5 cells, 4,715 lists, 1 split" in text
    assert "ndcg                        20   18,860    3.3e-16  recommenders     1.1e-16" in text
    assert "ranx (15)" in text and "2e-12" in text
    assert "Means recomputed with ranx 0.3.21." in text
    assert "recommenders is not installed" in text
    assert "All numbers agree to 1e-9 (relative above 1)." in text
    table = [line for line in text.splitlines() if line.startswith(("metric", "─", "ndcg", "gini", "recip"))]
    assert len(table) == 5 and max(map(cell_len, table)) <= 80 and "…" not in text


def test_every_difference_is_told_with_its_cell() -> None:
    faults = [Fault("c1", "als ([b])", "ndcg@10: metrics.csv says 0.5, recomputed 0.25\x1b")]
    text = printed(verification(faults=faults))
    assert "Cell c1, als ([b]):\n  ndcg@10: metrics.csv says 0.5, recomputed 0.25\\x1b\n" in text
    assert "1 difference in 1 cell." in text
    assert "agree" not in text


def test_many_of_one_cell_are_counted_and_hide_no_other() -> None:
    faults = [*(Fault("c1", "m", f"fault {i}") for i in range(FAULTS + 5)), Fault("c2", "m", "another")]
    text = printed(verification(faults=faults))
    assert text.count("fault ") == FAULTS and "and 5 more" in text
    assert "Cell c2, m:\n  another" in text


def test_what_was_not_verified_is_named() -> None:
    text = printed(
        verification(
            unverified={"mine": "there is no second formula for it"}, without_numbers=["warp: failed: x"]
        )
    )
    assert "Not verified: mine (there is no second formula for it)." in text
    assert "No numbers: warp: failed: x." in text
    assert "All numbers but those named above agree" in text
