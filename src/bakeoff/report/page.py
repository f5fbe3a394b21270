"""The content of the HTML page: the document, the details of each row, and the data of its script."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.data.describe import Description
from bakeoff.evaluation.catalogue import LEADING_K, OVERVIEW, PROMINENT
from bakeoff.evaluation.metric import Metric
from bakeoff.hashing import canonical_json
from bakeoff.queries.comparison import Column, Row, Table, leading_column
from bakeoff.queries.select import Result
from bakeoff.report.charts import ChartSection
from bakeoff.report.charts.frame import table_labels
from bakeoff.report.charts.vega import short
from bakeoff.report.document import Document, definition
from bakeoff.report.view import (
    BEST,
    NOTHING,
    TIED,
    Entry,
    Grid,
    Head,
    decimals,
    labels,
    legend,
    pairs_text,
    reason_texts,
    seconds_entry,
    shared_note,
    value_entry,
    value_text,
    visible,
)
from bakeoff.run.cell import Cell
from bakeoff.run.naming import dataset_label
from bakeoff.storage.record import TuningRecord

BESIDE_N = 4
"""Number of metrics of OVERVIEW beside the chosen one."""

OPEN_SECTIONS = ("leaders", "tradeoffs")
"""Sections of charts that are open at first; the others open on demand, so that the page stays short."""

_FILE = re.compile(r'(?<=File ")[^"]+(?=")')

Describe = Callable[[Cell], Description | str]
"""Returns the description of a cell's data set, or the reason why there is none."""


def unknown(cell: Cell) -> str:
    """Return the reason for every data set where there is no store."""
    return "the data are not at hand"


@dataclass(frozen=True)
class FailureDetail:
    """Why runs have no numbers: which runs, the reason, and the traceback of a failure."""

    runs: str
    reason: str
    traceback: str


@dataclass(frozen=True)
class Detail:
    """What a row of a leader board opens to.

    Args:
        title: the model and its class.
        grids: hyperparameters, if they differ between runs, and the runs.
        trials: those of each tuned fit.
        notes: hyperparameters that all runs share, warnings of tuning, notes of the records.
    """

    title: str
    failures: tuple[FailureDetail, ...]
    grids: tuple[Grid, ...]
    trials: tuple[Grid, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class BoardRow:
    """One model: its label, its settings, why it lacks runs, its entries under the heads, its details."""

    model: str
    settings: str
    status: str
    reason: str
    entries: tuple[Entry, ...]
    detail: Detail


@dataclass(frozen=True)
class Board:
    """The leader board of one comparison, with the columns that are shown before any is chosen.

    Args:
        dataset, split: as the selectors and the charts name them.
        heads: the first 1 + BESIDE_N are metrics ("" in place of one that was not measured).
        notes: how to read the figures, and what all rows share.
    """

    title: str
    dataset: str
    split: str
    heads: tuple[Head, ...]
    rows: tuple[BoardRow, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """What the template lays out: the document, and what only a page has.

    Args:
        subjects: what was compared, in a sentence or two.
        compared: tables of data sets and splits; empty ones are left out.
        boards: one for each comparison, in the order of the leading metric.
        sections: charts; those of OPEN_SECTIONS are open at first.
        data: what the script needs, as JSON.
    """

    document: Document
    subjects: str
    compared: tuple[Grid, ...]
    boards: tuple[Board, ...]
    sections: tuple[ChartSection, ...]
    data: str


def page(
    document: Document,
    results: Sequence[Result],
    tables: Sequence[Table],
    metrics: Mapping[str, Metric],
    sections: Sequence[ChartSection] = (),
    describe: Describe = unknown,
) -> Page:
    """Return the page of a report.

    Args:
        describe: returns the description of a cell's data set, or the reason why there is none.
    """
    labels = table_labels(tables)
    datasets = dataset_grid(results, describe)
    grids = (datasets, *(section.splits for section in document.sections))
    specs, packs = packed({chart.id: chart.spec for section in sections for chart in section.charts})
    data = {
        "boards": [_board_data(*both) for both in zip(tables, labels, strict=True)],
        "metrics": {n: [definition(m), m.higher_is_better] for n, m in metrics.items()},
        "usual": PROMINENT,
        "beside": OVERVIEW,
        "besideN": BESIDE_N,
        "usualK": LEADING_K,
        "marks": BEST + TIED,
        "charts": specs,
        "tables": packs,
    }
    return Page(
        document=document,
        subjects=_subjects(datasets, tables),
        compared=tuple(grid for grid in grids if grid.rows),
        boards=tuple(
            _board(table, *label, section.costs)
            for table, label, section in zip(tables, labels, document.sections, strict=True)
        ),
        sections=tuple(sections),
        data=json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")),
    )


# -- leader boards -----------------------------------------------------------------------------------


def _board(table: Table, dataset: str, split: str, costs: Grid) -> Board:
    """Return the board of a table, whose rows are those of its costs in the document."""
    columns, (names, labels_of) = shown_columns(table), labels(table.rows)
    right = [at for at, head in enumerate(costs.heads) if at >= len(names) and head.kind != "text"]
    rows = tuple(
        BoardRow(
            model=visible(row.model),
            settings="".join(entry.text for entry in labels_of[row.label][1:]),
            status=row.status,
            reason=" ".join(reason_texts(row, table)),
            entries=(
                *(value_entry(row, c, decimals(table, c)) if c else Entry(NOTHING) for c in columns),
                *(of_costs[at] for at in right),
            ),
            detail=detail(row),
        )
        for row, of_costs in zip(table.rows, costs.rows, strict=True)
    )
    heads = (
        *(Head(visible(column.name) if column else "", "figure") for column in columns),
        *(costs.heads[at] for at in right),
    )
    notes = (legend(table), shared_note(table), *costs.notes)
    return Board(table.title, dataset, split, heads, rows, tuple(note for note in notes if note))


def shown_columns(table: Table) -> tuple[Column | None, ...]:
    """Return the columns that a board shows before one is chosen: the leading one, then BESIDE_N others."""
    main = leading_column(table.columns)
    if main is None:
        return (None,) * (1 + BESIDE_N)
    at_k = [Column(other, k) for other in OVERVIEW if other != main.metric for k in (main.k, None)]
    beside = [column for column in at_k if column in table.columns][:BESIDE_N]
    return (main, *beside, *(None,) * (BESIDE_N - len(beside)))


def _board_data(table: Table, label: tuple[str, str]) -> dict[str, Any]:
    """Return for each row and column its text, its mean and whether it is best; 0 for no number."""

    def value(row: Row, column: Column, places: int) -> list[Any] | int:
        of_row = row.values.get(column)
        if of_row is None or not math.isfinite(of_row.mean):
            return 0
        text = value_entry(row, column, places).text
        return [text, short(of_row.mean, 7), int(of_row.best)]

    places = [decimals(table, column) for column in table.columns]
    return {
        "dataset": label[0],
        "split": label[1],
        "columns": [list(column) for column in table.columns],
        "rows": [
            [value(row, c, digits) for c, digits in zip(table.columns, places, strict=True)]
            for row in table.rows
        ],
    }


# -- details of a row --------------------------------------------------------------------------------


def detail(row: Row) -> Detail:
    """Return the details of one model on one data set and split."""
    by_key: dict[str, list[Result]] = {}
    by_parameters: dict[str, list[Result]] = {}
    for result in row.results:
        by_key.setdefault(result.request.key, []).append(result)
        by_parameters.setdefault(canonical_json(_parameters(result)), []).append(result)
    tunings = [(results[0].record.tuning, _runs(results)) for results in by_key.values()]
    build = row.results[0].request.cell.model_build if row.results else {}
    edges = [f"{runs}: {edge}" for tuning, runs in tunings if tuning for edge in tuning.edges]
    fitted = [(_parameters(results[0]), _runs(results)) for results in by_parameters.values()]
    trials = (_trials(tuning, runs) for tuning, runs in tunings if tuning)
    shared = [
        f"Hyperparameters: {pairs_text(values)}." for values, _ in fitted if len(fitted) == 1 and values
    ]
    return Detail(
        title=visible(f"{row.model}, {build['_target_']}" if "_target_" in build else row.model),
        failures=tuple(_failures(row.results)),
        grids=(*([_parameter_grid(fitted)] if len(fitted) > 1 else []), _run_grid(by_key)),
        trials=tuple(trials),
        notes=tuple(visible(note) for note in (*shared, *edges, *row.notes)),
    )


def _parameters(result: Result) -> dict[str, Any]:
    """Return hyperparameters as fitted, or as configured where nothing was fitted."""
    values = result.record.parameters or result.request.cell.model_build
    return {name: values[name] for name in sorted(values) if not name.startswith("_")}


def _parameter_grid(fitted: Sequence[tuple[Mapping[str, Any], str]]) -> Grid:
    names = list(dict.fromkeys(name for values, _ in fitted for name in values))
    columns = [_column([values.get(name) for values, _ in fitted]) for name in names]
    rows = zip((runs for _, runs in fitted), *columns, strict=True)
    heads = (Head("runs"), *(Head(visible(name), "figure") for name in names))
    entries = tuple(tuple(map(Entry, row)) for row in rows)
    return Grid("Hyperparameters", heads, entries).without_constants()


def _runs(results: Sequence[Result]) -> str:
    """Return the runs that share a result: `split seed 42, seed 1 and 3`."""
    cells = [r.request.cell for r in results]
    parts = [
        ("split seed", dict.fromkeys(c.split_seed for c in cells)),
        ("fold", dict.fromkeys(c.fold for c in cells if c.fold is not None)),
        ("seed", dict.fromkeys(c.seed for c in cells)),
    ]
    return ", ".join(f"{name} {' and '.join(map(str, values))}" for name, values in parts if values)


def _failures(results: Sequence[Result]) -> Iterable[FailureDetail]:
    """Yield one entry for each distinct reason, with the traceback of its first run."""
    by_reason: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        if not result.record.done:
            by_reason.setdefault((result.record.status, result.record.reason), []).append(result)
    for (status, reason), of_reason in by_reason.items():
        lines = portable(of_reason[0].record.traceback).splitlines()
        traceback = "\n".join(visible(line) for line in lines)
        yield FailureDetail(f"{status}: {_runs(of_reason)}", visible(reason or "no reason given"), traceback)


def portable(traceback: str) -> str:
    """Return a traceback without the folders of the machine on which it was made.

    >>> portable('File "/anywhere/x/src/bakeoff/runner.py", line 3')
    'File "bakeoff/runner.py", line 3'
    """
    return _FILE.sub(lambda match: _inside(match[0]), traceback)


def _inside(path: str) -> str:
    """Return a path below the folder of packages or sources; of others the last two parts."""
    parts = re.split(r"[/\\\\]", path)
    at = max((n for n, part in enumerate(parts) if part in ("site-packages", "src")), default=len(parts) - 3)
    return "/".join(parts[max(at + 1, 0) :])


def _run_grid(by_key: Mapping[str, Sequence[Result]]) -> Grid:
    phases = ("fit", "recommend", "evaluate")
    heads = (
        *(Head("cell"), Head("runs"), Head("status")),
        *(Head(f"{phase} (s)", "figure") for phase in phases),
        *(Head("peak memory (MB)", "figure"), Head("split fingerprint")),
    )
    rows = []
    for key, results in by_key.items():
        record = results[0].record
        peak = Entry(f"{record.peak_mb:,.0f}", number=record.peak_mb) if record.done else Entry(NOTHING)
        texts = (visible(key), _runs(results), record.status)
        seconds = (seconds_entry(record.seconds.get(phase)) for phase in phases)
        fingerprint = Entry(visible(record.split_fingerprint) or NOTHING)
        rows.append((*map(Entry, texts), *seconds, peak, fingerprint))
    return Grid("Runs", heads, tuple(rows)).without_constants()


def _trials(tuning: TuningRecord, runs: str) -> Grid:
    """Return a row for each trial; the numbers of a column have the same decimals."""
    names = list(dict.fromkeys(name for trial in tuning.trials for name in trial.parameters))
    reasons = any(trial.reason for trial in tuning.trials)
    heads = (
        *(Head("trial", "figure"), Head("state")),
        *(Head(visible(aim), "figure") for aim in tuning.targets),
        *(Head(visible(name), "figure") for name in names),
        *(Head("seconds", "figure"), *((Head("reason", "text"),) if reasons else ())),
    )
    values = [t.values or {tuning.targets[0]: t.value} for t in tuning.trials]
    aims = [_column([of_trial.get(aim) for of_trial in values]) for aim in tuning.targets]
    chosen = [_column([trial.parameters.get(name) for trial in tuning.trials]) for name in names]
    chosen.append(_column([trial.seconds for trial in tuning.trials]))
    rows = []
    for at, trial in enumerate(tuning.trials):
        best = trial.number == tuning.best_number
        state = f"{trial.state}{', from memory' if trial.from_memory else ''}"
        rows.append(
            (
                *(Entry(str(trial.number) + BEST * best, best), Entry(state)),
                *(Entry(texts[at], best) for texts in aims),
                *(Entry(texts[at]) for texts in chosen),
                *((Entry(visible(trial.reason)),) if reasons else ()),
            )
        )
    return Grid(visible(f"Trials of {runs} ({tuning.sampler})"), heads, tuple(rows)).without_constants()


def _column(values: Sequence[Any]) -> list[str]:
    """Return a column as texts: numbers of one size with the same decimals, others with four figures.

    >>> _column([0.25, 0.5]), _column([1e-6, 10.0]), _column([1, "a"])
    (['0.2500', '0.5000'], ['1e-06', '10'], ['1', 'a'])
    """
    sizes = [abs(v) for v in values if isinstance(v, float) and v and math.isfinite(v)]
    alike = sizes and max(sizes) < 1e4 * min(sizes) and max(sizes) < 1e6
    digits = min(max(3 - math.floor(math.log10(max(sizes))), 0), 9) if alike else None
    pattern = ".4g" if digits is None else f".{digits}f"
    texts = (f"{v:{pattern}}" if isinstance(v, float) else value_text(v) for v in values)
    return [NOTHING if value is None else text for value, text in zip(values, texts, strict=True)]


# -- what was compared -------------------------------------------------------------------------------


def dataset_grid(results: Sequence[Result], describe: Describe) -> Grid:
    """Return a row for each data set: size, density and long tail."""
    cells = {dataset_label(r.request.cell): r.request.cell for r in reversed(results)}
    figures = ("users", "items", "interactions", "density", "median history")
    tail = ("Gini of items", "top 1 % of items hold", "top 10 % hold")
    heads = (
        Head("data set"),
        *(Head(f, "figure") for f in (*figures, *tail)),
        *(Head("first"), Head("last"), Head("prepared", "text")),
    )
    return Grid("Data sets", heads, tuple(_dataset(name, describe(cells[name])) for name in sorted(cells)))


def _dataset(name: str, description: Description | str) -> tuple[Entry, ...]:
    if isinstance(description, str):
        return (Entry(name), *[Entry(NOTHING)] * 10, Entry(visible(description)))
    tail, times = description.long_tail, description.times
    counts = (description.users, description.items, description.pairs)
    steps = (f"{s.name}{f' ({s.note})' if s.note else ''}: {s.rows:,} rows" for s in description.steps)
    return (
        Entry(name),
        *(Entry(f"{n:,}", number=n) for n in counts),
        _share(description.density),
        Entry(f"{description.histories.quantiles[3]:,.0f}", number=description.histories.quantiles[3]),
        Entry(f"{tail.gini:.3f}", number=tail.gini),
        *(_share(share) for share in (tail.tops[0], tail.tops[2])),
        *(Entry(_day(when)) for when in ((times.first, times.last) if times else (None, None))),
        Entry(visible("; ".join(steps))),
    )


def _day(second: int | None) -> str:
    """Return the day of unix seconds, in UTC."""
    import numpy as np

    return NOTHING if second is None else str(np.datetime64(second, "s").astype("datetime64[D]"))


def _share(value: float) -> Entry:
    return Entry(f"{100 * value:.3g} %", number=value)


def _subjects(datasets: Grid, tables: Sequence[Table]) -> str:
    """Return in a sentence which models were compared on which data sets and splits."""
    sizes = []
    for name, users, items, pairs, density, *_ in datasets.rows:
        size = f"{users.text} users, {items.text} items, {pairs.text} interactions, density {density.text}"
        sizes.append(f"{name.text} ({size})" if users.number is not None else name.text)
    models = len({row.label for table in tables for row in table.rows})
    splits = sorted({table.split_label for table in tables})
    return (
        f"{models} model{'s' * (models != 1)} on {', '.join(sizes)}; "
        f"split{'s' * (len(splits) != 1)} {', '.join(splits)}."
    )


# -- data of charts ----------------------------------------------------------------------------------


Rows = Sequence[Mapping[str, Any]]
"""Rows of a chart; packed by columns, with texts as indices."""


def packed(specs: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Take the named `datasets` out of specifications.

    Returns the specifications with the names of their data sets alone, and the data sets by name: by columns
    where every row has the same keys, else as they were. The script of the page puts them back.

    Raises:
        ValueError: two specifications mean different data by one name.
    """
    result: dict[str, Any] = {}
    tables: dict[str, Rows] = {}
    for id_, spec in specs.items():
        named: Mapping[str, Rows] = spec.get("datasets", {})
        for name, rows in named.items():
            if tables.setdefault(name, rows) != rows:
                raise ValueError(f"chart {id_!r}: data set {name!r} has other rows than in another chart")
        result[id_] = {**spec, "datasets": list(named)} if named else spec
    return result, {name: columns(rows) if _is_even(rows) else rows for name, rows in tables.items()}


def _is_even(rows: Rows) -> bool:
    """Return whether every row has the same keys, at least one, in the same order."""
    if not rows or not isinstance(rows[0], Mapping) or not rows[0]:
        return False
    keys = list(rows[0])
    return all(isinstance(row, Mapping) and list(row) == keys for row in rows)


def columns(rows: Rows) -> dict[str, Any]:
    """Return a table by columns: values as they are, or `{"of": distinct texts, "at": numbers of them}`.

    >>> columns([{"m": "als", "k": 5}, {"m": "als", "k": 10}])
    {'m': {'of': ['als'], 'at': [0, 0]}, 'k': [5, 10]}
    """
    return {key: _packed([row[key] for row in rows]) for key in rows[0]}


def _packed(values: Sequence[Any]) -> Any:
    if not all(isinstance(value, str) for value in values):
        return list(values)
    distinct = {text: number for number, text in enumerate(dict.fromkeys(values))}
    return {"of": list(distinct), "at": [distinct[text] for text in values]}
