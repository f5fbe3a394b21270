"""What a report compared: data sets, splits, models with their budgets, and the cells without numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bakeoff.data.describe import Description
from bakeoff.queries.comparison import Part, Run, Table
from bakeoff.queries.select import Result
from bakeoff.report.document import other_counts
from bakeoff.report.page.detail import budget_text
from bakeoff.report.view import NOTHING, Entry, Grid, Head, entry, reason_texts, settings_text, visible
from bakeoff.run.cell import Cell
from bakeoff.run.naming import dataset_label
from bakeoff.storage.record import STORED, Budget

Describe = Callable[[Cell], Description | str]
"""Returns the description of a cell's data set, or the reason why there is none."""


def unknown(cell: Cell) -> str:
    """Return the reason for every data set where there is no store."""
    return "the data are not at hand"


_COLD = ("dropped_cold_users", "dropped_cold_items")
_DATES = ("train_first", "train_last", "test_first", "test_last")
_SHOWN = ("catalogue", "train_pairs", "test_pairs")


def subjects(datasets: Grid, tables: Sequence[Table]) -> str:
    """Return in a sentence which models were compared on which data sets and splits."""
    sizes = []
    for name, users, items, pairs, density, *_ in datasets.rows:
        size = f"{users.text} users, {items.text} items, {pairs.text} interactions, density {density.text}"
        sizes.append(f"{name.text} ({size})" if users.number is not None else name.text)
    models = len({(row.model, settings_text(row)) for table in tables for row in table.rows})
    splits = sorted({table.split_label for table in tables})
    return (
        f"{models} model{'s' * (models != 1)} on {', '.join(sizes)}; "
        f"split{'s' * (len(splits) != 1)} {', '.join(splits)}."
    )


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
    steps = "; ".join(
        f"{s.name}{f' ({s.note})' if s.note else ''}: {s.rows:,} rows" for s in description.steps
    )
    return (
        Entry(name),
        *(entry(n) for n in (description.users, description.items, description.pairs)),
        _share(description.density),
        entry(round(description.histories.quantiles[3])),
        Entry(f"{tail.gini:.3f}", number=tail.gini),
        *(_share(share) for share in (tail.tops[0], tail.tops[2])),
        *(
            Entry(_day(when) if times else NOTHING)
            for when in ((times.first, times.last) if times else (0, 0))
        ),
        Entry(visible(steps)),
    )


def _day(second: int | None) -> str:
    """Return the day of unix seconds, in UTC."""
    import numpy as np

    if second is None:
        return NOTHING
    return str(np.datetime64(second, "s").astype("datetime64[D]"))


def _share(value: float) -> Entry:
    return Entry(f"{100 * value:.3g} %", number=value)


def split_grid(tables: Iterable[Table]) -> Grid:
    """Return a row for each content of a split: sizes, dates, cold users and items, fingerprint."""
    pairs = [(table, part) for table in tables for part in table.parts]
    dated = any(d in part.counts for _, part in pairs for d in _DATES)
    heads = (
        *(Head("data set, split"), Head("split seed")),
        *(Head(f, "figure") for f in ("users evaluated", "catalogue", "train pairs", "test pairs")),
        *(Head(f"cold {what} dropped", "figure") for what in ("users", "items")),
        *((Head("train"), Head("test")) if dated else ()),
        *(Head("other counts", "text"), Head("fingerprint")),
    )
    return Grid("Splits", heads, tuple(_split(table, part, dated) for table, part in pairs))


def _split(table: Table, part: Part, dated: bool) -> tuple[Entry, ...]:
    spans = [
        " to ".join(str(part.counts[f"{side}_{end}"])[:10] for end in ("first", "last"))
        if f"{side}_first" in part.counts
        else NOTHING
        for side in ("train", "test")
    ]
    seeds = (Run(*instance, seed=0).split for instance in part.instances)
    return (
        Entry(table.title),
        Entry("; ".join(seeds)),
        entry(part.n_users),
        *(entry(part.counts.get(c)) for c in (*_SHOWN, *_COLD)),
        *((Entry(visible(span)) for span in spans) if dated else ()),
        Entry(other_counts(part, {*_SHOWN, *_COLD, *_DATES, "test_users"})),
        Entry(visible(part.fingerprint)),
    )


def model_grid(tables: Iterable[Table]) -> Grid:
    """Return a row for each model with its settings: class, tuning budget, number of cells by status."""
    by_model: dict[tuple[str, str], list[Result]] = {}
    for table in tables:
        for row in table.rows:
            by_model.setdefault((visible(row.model), settings_text(row)), []).extend(row.results)
    all_states = {r.record.status for results in by_model.values() for r in results}
    statuses = (*STORED, *(s for s in all_states if s not in STORED))
    heads = (
        *(Head("model"), Head("settings"), Head("class"), Head("tuning budget", "text")),
        *(Head(status, "figure") for status in statuses),
    )
    rows = []
    for (model, settings), results in sorted(by_model.items()):
        states = Counter(r.record.status for r in results)
        cell = results[0].request.cell
        rows.append(
            (
                *(Entry(model), Entry(settings)),
                Entry(visible(str(cell.model_build.get("_target_", "")))),
                Entry(_budget(cell.tune)),
                *(Entry(str(states[s]), number=states[s]) for s in statuses),
            )
        )
    return Grid("Models and budgets", heads, tuple(rows))


def _budget(tune: Mapping[str, Any] | None) -> str:
    if tune is None:
        return "none: as configured"
    budget = Budget(tune.get("trials"), tune.get("seconds"))
    aims = tune.get("objectives") or tune.get("metric")
    aim = ", ".join(map(str, aims)) if isinstance(aims, list | tuple) else aims
    return visible(f"{budget_text(budget)} by {aim} ({tune.get('sampler')}), inside train")


def missing_grid(tables: Sequence[Table]) -> Grid:
    """Return a row for each model that lacks runs, with the reasons."""
    heads = (Head("data set, split"), Head("model"), Head("settings"), Head("status"), Head("reason", "text"))
    rows = [
        (
            *(Entry(table.title), Entry(visible(row.model)), Entry(settings_text(row)), Entry(row.status)),
            Entry("; ".join(reason_texts(row, table))),
        )
        for table in tables
        for row in table.rows
        if row.reasons
    ]
    missing = any(row.status == "missing" for table in tables for row in table.rows)
    return Grid("Skipped, failed and missing" if missing else "Skipped and failed", heads, tuple(rows))
