"""What a report says, in words and figures but in no format: the renderers only lay it out and escape it."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bakeoff.evaluation.metric import Metric
from bakeoff.hashing import canonical_json
from bakeoff.report.tables import Column, Part, Result, Row, Run, Table, Value

NOTHING = "–"  # noqa: RUF001 - an en dash stands for a number that is not there
NO_POPULARITY = "There is no popularity baseline in this comparison."

_MAIN_COUNTS = ("catalogue", "train_pairs", "test_pairs")
_REVERSING = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C])


@dataclass(frozen=True)
class Entry:
    """One field of a grid; `number` sorts it where it is one."""

    text: str
    bold: bool = False
    number: float | None = None


class Head(NamedTuple):
    """The top of a column; `figures` says that it holds numbers, which stand right-aligned."""

    text: str
    figures: bool = False


@dataclass(frozen=True)
class Grid:
    """A table of text; each row has an entry for each head."""

    caption: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Entry, ...], ...]


@dataclass(frozen=True)
class Section:
    """One comparison: what was split, the metrics, what it cost, and what a reader must know."""

    title: str
    splits: Grid
    metrics: tuple[Grid, ...]
    costs: Grid
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """A whole report. Every text is plain: nothing in it is markup."""

    title: str
    summary: str
    sections: tuple[Section, ...]
    definitions: tuple[tuple[str, str], ...]
    environments: tuple[str, ...]
    commands: tuple[str, ...]


def document(
    name: str,
    results: Sequence[Result],
    tables: Iterable[Table],
    metrics: Mapping[str, Metric],
    commands: Sequence[str],
    *,
    per_grid: int | None = None,
) -> Document:
    """Put the tables into words.

    Args:
        per_grid: metric columns a grid may have; more are spread evenly over several. None for no limit.
    """
    states = Counter(r.record.status for r in results)
    counted = ", ".join(f"{states[s]} {s}" for s in ("done", "skipped", "failed"))
    return Document(
        title=f"Experiment {visible(name)}",
        summary=f"{len(results)} cells (data set, split, model, seeds): {counted}.",
        sections=tuple(_section(table, per_grid) for table in tables),
        definitions=tuple((visible(n), definition(m)) for n, m in metrics.items()),
        environments=_environments(results),
        commands=tuple(visible(c) for c in commands),
    )


def visible(text: str) -> str:
    """Text from data as one line that shows all it holds: control and direction characters as escapes.

    >>> visible("a\\tb\\u202ec")
    'a\\\\tb\\\\u202ec'
    """
    return "".join(_escape(c) if _hidden(c) else c for c in text)


def _hidden(char: str) -> bool:
    return ord(char) in _REVERSING or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode()


def definition(metric: Metric) -> str:
    """The first line of a metric's docstring, and its direction."""
    lines = (metric.__doc__ or "").strip().splitlines() or ["no definition given"]
    direction = {True: "higher is better", False: "lower is better", None: "neither end is better"}
    return f"{visible(lines[0].rstrip('.'))} ({direction[metric.higher_is_better]})"


def title(table: Table) -> str:
    return f"{_with(table.dataset, table.dataset_variant)}, split {_with(table.split, table.split_variant)}"


def _with(name: str, variant: str) -> str:
    return visible(f"{name} ({variant})" if variant else name)


# -- sections ------------------------------------------------------------------------------------


def _section(table: Table, per_grid: int | None) -> Section:
    return Section(title(table), _splits(table), tuple(_grids(table, per_grid)), _costs(table), notes(table))


def _splits(table: Table) -> Grid:
    figures = ("users evaluated", *(_words(c) for c in _MAIN_COUNTS))
    heads = (Head("split seed"), Head("fingerprint"), *(Head(f, True) for f in figures), Head("counts"))
    rows = [
        (
            Entry("; ".join(_place_text(*place) for place in part.places)),
            Entry(part.fingerprint),
            _count(part.n_users),
            *(_count(part.counts.get(c)) for c in _MAIN_COUNTS),
            Entry(_other_counts(part)),
        )
        for part in table.parts
    ]
    return Grid(f"Splits of {title(table)}", heads, tuple(rows))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _place_text(split_seed: int, fold: int | None) -> str:
    return str(split_seed) if fold is None else f"{split_seed}, fold {fold}"


def _count(value: object) -> Entry:
    return Entry(f"{value:,}", number=value) if isinstance(value, int) else Entry(NOTHING)


def _other_counts(part: Part) -> str:
    """All that the split counted beside the main figures; zeros say nothing and are left out."""
    others = {k: v for k, v in part.counts.items() if k not in _MAIN_COUNTS and v not in (0, None, "")}
    others.pop("test_users", None)
    return "; ".join(f"{visible(_words(k))} {_plain(v)}" for k, v in others.items())


def _plain(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return visible(value if isinstance(value, str) else canonical_json(value))


def _grids(table: Table, per_grid: int | None) -> Iterable[Grid]:
    """A grid for each k, then one for the metrics without; wide ones in parts."""
    ks = sorted({c.k for c in table.columns if c.k is not None})
    for k in [*ks, None]:
        columns = [c for c in table.columns if c.k == k]
        n_parts = math.ceil(len(columns) / per_grid) if per_grid else min(len(columns), 1)
        for part in range(n_parts):
            some = columns[part * len(columns) // n_parts : (part + 1) * len(columns) // n_parts]
            at = "without cutoff" if k is None else f"k = {k}"
            caption = f"{title(table)}, {at}" + (f" ({part + 1} of {n_parts})" if n_parts > 1 else "")
            yield _metric_grid(table, some, caption)


def _metric_grid(table: Table, columns: Sequence[Column], caption: str) -> Grid:
    several = len(table.runs) > 1
    settings = any(settings_text(row) for row in table.rows)
    places = {c: decimals(table, c) for c in columns}
    rows = [
        (
            *_labels(row, settings),
            *((Entry(runs_text(row, table), number=row.done),) if several else ()),
            *(value_entry(row.values.get(c), places[c]) for c in columns),
        )
        for row in table.rows
    ]
    heads = (
        *_label_heads(settings),
        *((Head("runs", True),) if several else ()),
        *(Head(visible(c.metric), True) for c in columns),
    )
    return Grid(caption, heads, tuple(rows))


def _labels(row: Row, settings: bool) -> tuple[Entry, ...]:
    return (Entry(visible(row.model)), *((Entry(settings_text(row)),) if settings else ()))


def _label_heads(settings: bool) -> tuple[Head, ...]:
    return (Head("model"), Head("settings")) if settings else (Head("model"),)


def settings_text(row: Row, *, weights: bool = True) -> str:
    """Knobs that differ from the YAML, how values are used, and the tuning."""
    parts = [p for p in (row.variant, row.differs) if p]
    if weights and row.weights and not any(k.startswith("weights=") for p in parts for k in p.split(",")):
        parts.append(f"weights={row.weights}")
    if row.tune != "none":
        parts.append(f"tune={row.tune}")
    return visible(", ".join(parts))


def runs_text(row: Row, table: Table) -> str:
    """How many runs have numbers, and how many fits they are where that is fewer."""
    runs = f"{row.done} of {len(table.runs)}" if row.done < len(table.runs) else str(row.done)
    return runs if row.fits == row.done else f"{runs} ({row.fits} {'fit' if row.fits == 1 else 'fits'})"


def decimals(table: Table, column: Column) -> int:
    """Places that give the largest mean of a column four figures, for all of its rows."""
    largest = max((abs(row.values[column].mean) for row in table.rows if column in row.values), default=0.0)
    return min(max(3 - math.floor(math.log10(largest)), 0), 9) if 0 < largest < math.inf else 4


def value_entry(value: Value | None, places: int) -> Entry:
    """`mean ± interval` of several fits, or `mean (standard error)` of one."""
    if value is None:
        return Entry(NOTHING)
    text = f"{value.mean:.{places}f}"
    if value.spread is not None:
        spread = f"{value.spread:.{places}f}"
        text += f" ± {spread}" if value.fits > 1 else f" ({spread})"
    return Entry(text, bold=value.best, number=value.mean)


def _costs(table: Table) -> Grid:
    settings = any(settings_text(row) for row in table.rows)
    phases = [
        p for p in ("tune", "fit", "recommend") if p != "tune" or any(r.tune != "none" for r in table.rows)
    ]
    rows = [
        (
            *_labels(row, settings),
            Entry(status_text(row, table)),
            *(seconds_entry(row.seconds.get(p)) for p in phases),
            Entry(NOTHING) if row.peak_mb is None else Entry(f"{row.peak_mb:,.0f}", number=row.peak_mb),
            Entry("; ".join(reason_texts(row, table))),
        )
        for row in table.rows
    ]
    heads = (
        *(*_label_heads(settings), Head("status")),
        *(Head(f"{p} (s)", True) for p in phases),
        *(Head("peak memory (MB)", True), Head("reason")),
    )
    return Grid(f"Cost and status of {title(table)}", heads, tuple(rows))


def seconds_entry(seconds: float | None) -> Entry:
    if seconds is None:
        return Entry(NOTHING)
    places = 2 if seconds < 10 else 1 if seconds < 100 else 0
    return Entry(f"{seconds:,.{places}f}", number=seconds)


def status_text(row: Row, table: Table) -> str:
    complete = row.status == "done" or not row.done
    return row.status if complete else f"{row.status}, {row.done} of {len(table.runs)} done"


def reason_texts(row: Row, table: Table) -> list[str]:
    """Why runs of a row have no numbers; which runs, where others have."""
    found = []
    for status, reason, runs in row.reasons:
        which = "" if len(runs) == len(table.runs) else f" ({'; '.join(_run_text(r) for r in runs)})"
        found.append(visible(f"{status}{which}: {reason}"))
    return found


def _run_text(run: Run) -> str:
    fold = "" if run.fold is None else f", fold {run.fold}"
    return f"split seed {run.split_seed}{fold}, seed {run.seed}"


# -- notes ---------------------------------------------------------------------------------------


def notes(table: Table) -> tuple[str, ...]:
    """What a reader of the numbers must know."""
    found = [legend(table)]
    if any(v.fits > 1 for row in table.rows for v in row.values.values()):
        found.append(
            "Fits differ in split seed, fold or model seed. They share users and data and are not "
            "independent: the true interval is wider."
        )
    if any(row.fits < row.done for row in table.rows):
        found.append(
            "A model without chance has one fit for all seeds, which counts once; likewise a split without "
            "chance for all split seeds."
        )
    if any(0 < row.done < len(table.runs) for row in table.rows):
        found.append("A model that lacks runs which others have is never marked best.")
    if not table.has_popularity:
        found.append(NO_POPULARITY)
    return (*found, *_absent(table), *_row_notes(table))


def legend(table: Table) -> str:
    """How to read the figures."""
    spreads = {v.fits for row in table.rows for v in row.values.values() if v.spread is not None}
    parts = ["Bold: best of its column, equals share it"]
    if spreads - {1}:
        parts.append("±: half of the 95 % t interval over fits")
    if 1 in spreads:
        parts.append("in brackets: standard error over users, of one fit")
    return "; ".join(parts) + "."


def _absent(table: Table) -> list[str]:
    """Metrics that models do not have, those with one reason and the same models in one line."""
    models: dict[tuple[str, str], list[str]] = {}
    for row in table.rows:
        for metric, why in row.absent.items():
            models.setdefault((metric, why), []).append(row.model)
    lines: dict[tuple[str, str], list[str]] = {}
    for (metric, why), names in models.items():
        lines.setdefault((why, ", ".join(dict.fromkeys(names))), []).append(metric)
    return [visible(f"Not measured: {', '.join(m)} of {names} ({why}).") for (why, names), m in lines.items()]


def _row_notes(table: Table) -> list[str]:
    said: dict[str, list[str]] = {}
    for row in table.rows:
        for note in row.notes:
            said.setdefault(note, []).append(row.model)
    return [visible(f"{', '.join(dict.fromkeys(models))}: {note}.") for note, models in said.items()]


def _environments(results: Iterable[Result]) -> tuple[str, ...]:
    """Where the results were made, one line for each place, the most frequent first."""
    lines = Counter(_environment(r.record.environment) for r in results if r.record.environment)
    ordered = sorted(lines.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(line if len(ordered) == 1 else f"{n} cells: {line}" for line, n in ordered)


def _environment(found: Mapping[str, object]) -> str:
    libraries = found.get("libraries")
    words = [f"{k} {v}" for k, v in found.items() if k in ("bakeoff", "python") and v]
    words += [str(v) for k, v in found.items() if k in ("platform", "cpu") and v]
    words += [f"{found['cores']} cores"] if found.get("cores") else []
    words += [f"commit {found['git']}"] if found.get("git") else []
    if isinstance(libraries, Mapping):
        words += sorted(
            f"{m} ({v})" if not str(v).startswith(f"{m} ") else str(v) for m, v in libraries.items()
        )
    return visible(", ".join(words))
