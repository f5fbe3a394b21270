"""How one comparison is put into words and figures, the same in every output. All of it is plain text."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bakeoff.evaluation.significance import TestConfig
from bakeoff.queries.tables import Column, Marks, Row, Run, Table
from bakeoff.run.naming import escape_control_chars, settings

NOTHING = "–"  # noqa: RUF001 - an en dash stands for a number that is not there

NO_POPULARITY = "This comparison holds no result of a popularity baseline."

TIED = "†"
"""Marks what is not distinguishable from the best."""

RUNS_BY_NAME = 4
"""So many runs are named where they failed; more are counted."""

TESTS = {
    "t": "paired t-test over users",
    "randomization": "randomisation test over users",
    "wilcoxon": "Wilcoxon's signed ranks over users",
}
CORRECTIONS = {"holm": "Holm", "bh": "Benjamini-Hochberg"}


@dataclass(frozen=True)
class Entry:
    """One field of a grid; `number` sorts it where it is one."""

    text: str
    bold: bool = False
    number: float | None = None


visible = escape_control_chars


def title(table: Table) -> str:
    return table.title


def settings_text(row: Row, *, weights: bool = True) -> str:
    """Return the parameters that differ from the YAML, the use of values, and the tuning."""
    parameters = ",".join(part for part in (row.variant, row.differs) if part)
    if weights and row.weights and not any(k.startswith("weights=") for k in parameters.split(",")):
        parameters = ",".join(part for part in (parameters, f"weights={row.weights}") if part)
    return settings(parameters, row.tune)


def runs_text(row: Row, table: Table) -> str:
    """Return '<completed runs> (<distinct fits>)'; the second part only if the two differ."""
    runs = f"{row.done} of {len(table.runs)}" if row.done < len(table.runs) else str(row.done)
    return runs if row.fits == row.done else f"{runs} ({row.fits} {'fit' if row.fits == 1 else 'fits'})"


def decimals(table: Table, column: Column) -> int:
    """Return the decimals that give the largest mean of a column four figures."""
    largest = max((abs(row.values[column].mean) for row in table.rows if column in row.values), default=0.0)
    return min(max(3 - math.floor(math.log10(largest)), 0), 9) if 0 < largest < math.inf else 4


def value_entry(row: Row, column: Column, places: int) -> Entry:
    """Return `mean ± half of its interval`, with a remark if the row has more fits."""
    value = row.values.get(column)
    if value is None:
        return Entry(NOTHING)
    text = f"{value.mean:.{places}f}"
    if value.half is not None:
        text += f" ± {value.half:.{places}f}"
    text += TIED if value.tied else ""
    if value.fits < row.fits:
        text += f", {value.fits} of {row.fits} fits"
    return Entry(text, bold=value.best, number=value.mean)


def seconds_entry(seconds: float | None) -> Entry:
    if seconds is None:
        return Entry(NOTHING)
    places = 2 if seconds < 10 else 1 if seconds < 100 else 0
    return Entry(f"{seconds:,.{places}f}", number=seconds)


def status_text(row: Row, table: Table) -> str:
    complete = row.status == "done" or not row.done
    return row.status if complete else f"{row.status}, {row.done} of {len(table.runs)} done"


def reason_texts(row: Row, table: Table) -> list[str]:
    """Return why runs of a row have no numbers, and which runs if others have them."""
    return [
        visible(f"{status}{_which(runs, table)}: {reason or 'no reason given'}")
        for status, reason, runs in row.reasons
    ]


def _which(runs: tuple[Run, ...], table: Table) -> str:
    if len(runs) == len(table.runs):
        return ""
    if len(runs) > RUNS_BY_NAME:
        return f" ({len(runs)} runs)"
    return f" ({'; '.join(_run_text(run) for run in runs)})"


def _run_text(run: Run) -> str:
    fold = "" if run.fold is None else f", fold {run.fold}"
    return f"split seed {run.split_seed}{fold}, seed {run.seed}"


def notes(table: Table) -> tuple[str, ...]:
    """Return the notes on the numbers of a table."""
    texts = [legend(table)] if legend(table) else []
    texts += _question(table)
    texts += _folds(table)
    if any(row.fits < row.done for row in table.rows):
        texts.append(
            "A model without chance has one fit for all seeds, which counts once; likewise a split without "
            "chance for all split seeds."
        )
    if any(0 < row.done < len(table.runs) for row in table.rows):
        texts.append("A model that lacks runs which others have is never marked best.")
    if not table.has_popularity:
        texts.append(NO_POPULARITY)
    texts += [visible(f"{table.dataset}: {note}.") for note in table.of_data]
    return (*texts, *_untested(table), *_absent(table), *_row_notes(table))


def _question(table: Table) -> list[str]:
    """Say what intervals and marks are about, and what would answer the other question."""
    if table.marks is None:
        return []
    if not any(row.fits > 1 for row in table.rows):
        return [
            "One fit of each model: intervals and marks are about these fitted models, on users like these. "
            "Several seeds and splits (seed=1,2,3 split_seed=1,2,3) would tell about the algorithms."
        ]
    if table.marks.test_config.question == "models":
        return ["Intervals and marks are about these fitted models, on users like these."]
    note = (
        "Intervals and marks are about the algorithms, trained again with another seed on another split: "
        "users, splits and fits vary together (docs/statistics.md)."
    )
    few = len(table.parts) == 2 or (len(table.parts) == 1 and table.marks.n_fits == 2)
    more = " With two splits or seeds they are up to twice as wide as with many." if few else ""
    single = sorted(row.label for row in table.rows if row.done == row.fits == 1 and len(table.runs) > 1)
    fixed = f" Of one fit alone, which is taken as it is: {', '.join(single)}." if single else ""
    return [note + more + visible(fixed)]


def _folds(table: Table) -> list[str]:
    """Return which folds of a cross-validation the numbers are from, if some are missing."""
    folds = sorted({run.fold for run in table.runs if run.fold is not None})
    cells = (result.request.cell for row in table.rows for result in row.results)
    n = next((cell.split["n_folds"] for cell in cells if "n_folds" in cell.split), 0)
    if not folds or len(folds) >= n:
        return []
    which = ", ".join(map(str, folds))
    every = ",".join(map(str, range(n)))
    return [
        f"{'Fold' if len(folds) == 1 else 'Folds'} {which} of {n} alone; all of them: split.fold={every}."
    ]


def legend(table: Table) -> str:
    """Return how to read the figures; "" if there is nothing to explain."""
    values = [value for row in table.rows for value in row.values.values()]
    several = any(v.fits > 1 for v in values)
    parts = []
    if any(v.best for v in values):
        parts.append("Bold: best of its column (ties are all bold)")
    if table.marks is not None and any(v.best for v in values) and _has_tests(table, table.marks):
        parts.append(f"{TIED}: not distinguishable from the best ({how_tested(table.marks)})")
    if any(v.half is not None for v in values):
        confidence = table.marks.test_config.confidence if table.marks is not None else 0.95
        parts.append(
            f"±: half of the {100 * confidence:.3g} % interval over {_random_effects(table, several)}"
        )
    return "; ".join(parts) + "." if parts else ""


def _random_effects(table: Table, several: bool) -> str:
    if not several or (table.marks is not None and table.marks.test_config.question == "models"):
        return "users"
    return "users, splits and fits" if len(table.parts) > 1 else "users and fits"


def _has_tests(table: Table, marks: Marks) -> bool:
    """Return whether any column with a best value was tested, so that a missing mark has a meaning."""
    return any(
        c not in marks.untested and any(c in r.values and r.values[c].best for r in table.rows)
        for c in table.columns
    )


def how_tested(marks: Marks) -> str:
    """Return how models were compared: `paired t-test over users, Holm over all pairs, level 5 %`."""
    test_config = marks.test_config
    test = random_effects(test_config, marks.n_splits, marks.n_fits) or TESTS[test_config.test]
    return (
        f"{test}, {CORRECTIONS[test_config.correction]} over all pairs, level {100 * test_config.level:.3g} %"
    )


def random_effects(test_config: TestConfig, n_splits: int, n_fits: int) -> str:
    """Return what the variance model takes as random, as `users and fits as random effects`.

    It is empty where the configured test over users is used.
    """
    if test_config.question == "models":
        return "users as random effects" if n_splits > 1 else ""
    if n_splits > 1:
        return f"users, {n_splits} splits and fits as random effects"
    return "users and fits as random effects" if n_fits > 1 else ""


def _untested(table: Table) -> list[str]:
    """Return why metrics have no marks, one line for each reason, and whether any mark is impossible."""
    if table.marks is None:
        return []
    metrics: dict[str, dict[str, None]] = {}
    for column, why in table.marks.untested.items():
        metrics.setdefault(why, {})[column.metric] = None
    lines = [visible(f"Not tested: {', '.join(names)} ({why}).") for why, names in metrics.items()]
    if table.marks.finest > table.marks.test_config.level:
        lines.append(
            f"{table.marks.test_config.resamples:,} resamples cannot reach a corrected p below "
            f"{table.marks.finest:.2g}, so nothing is told apart: ask for more of them, or for "
            "statistics.test=t."
        )
    return lines


def _absent(table: Table) -> list[str]:
    """Return the metrics that models do not have, one line for each reason and set of models."""
    models: dict[tuple[str, str], list[str]] = {}
    for row in table.rows:
        for metric, why in row.absent.items():
            models.setdefault((metric, why), []).append(row.model)
    lines: dict[tuple[str, str], list[str]] = {}
    for (metric, why), names in models.items():
        lines.setdefault((why, ", ".join(dict.fromkeys(names))), []).append(metric)
    return [visible(f"Not measured: {', '.join(m)} of {names} ({why}).") for (why, names), m in lines.items()]


def _row_notes(table: Table) -> list[str]:
    models_by_note: dict[str, list[str]] = {}
    for row in table.rows:
        for note in row.notes:
            models_by_note.setdefault(note, []).append(row.model)
    return [
        visible(f"{', '.join(dict.fromkeys(models))}: {note}.") for note, models in models_by_note.items()
    ]


def p_text(p: float) -> str:
    """Return a p-value as text, never as 0.

    >>> p_text(1e-9), p_text(0.0312)
    ('<0.0001', '0.0312')
    """
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"
