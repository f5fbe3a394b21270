"""What a report says, in words and figures but in no format: the renderers only lay it out and escape it."""

from __future__ import annotations

import math
import platform
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from bakeoff._version import __version__
from bakeoff.evaluation.metric import Metric
from bakeoff.hashing import canonical_json, content_hash, file_hash
from bakeoff.queries.comparison import Part, Run, Table
from bakeoff.queries.select import Result
from bakeoff.report.tuning import grids as tuning_grids
from bakeoff.report.tuning import notes as tuning_notes
from bakeoff.report.tuning import tuned
from bakeoff.report.view import (
    NOTHING,
    Entry,
    Grid,
    Head,
    entry,
    labels,
    metric_grid,
    notes,
    paragraphs,
    reason_texts,
    runs_text,
    seconds_entry,
    status_text,
    visible,
)
from bakeoff.run.naming import cell_label
from bakeoff.storage.record import STORED, Environment
from bakeoff.verify.chain import LINKS, chain

DEFINITIONS = (
    "In the formulas k is the cutoff, H the number of hits in the first k places and R that of the user's "
    "test items. Ranges, sources and all other symbols: docs/metrics.md of bakeoff."
)

_MAIN_COUNTS = ("catalogue", "train_pairs", "test_pairs")


@dataclass(frozen=True)
class Section:
    """One comparison: what was split and prepared how, the metrics, their cost, what tuning found, what a
    reader must know.
    """

    title: str
    splits: Grid
    ledger: Grid
    metrics: tuple[Grid, ...]
    costs: Grid
    notes: tuple[str, ...]
    tuning: tuple[Grid, ...] = ()
    tuning_notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Document:
    """A whole report. Every text is plain: nothing in it is markup."""

    title: str
    summary: str
    sections: tuple[Section, ...]
    definitions: tuple[tuple[str, str], ...]
    environments: tuple[str, ...]
    commands: tuple[str, ...]
    proof: Grid
    verdict: tuple[tuple[str, str], ...] = ()


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
    statuses = (*STORED, *(s for s in states if s not in STORED))
    counted = ", ".join(f"{states[s]} {s}" for s in statuses)
    tables = list(tables)
    return Document(
        title=f"Experiment {visible(name)}",
        summary=f"{len(results)} cells (data set, split, model, seeds): {counted}.",
        sections=tuple(_section(table, per_grid) for table in tables),
        definitions=tuple((visible(n), definition(m)) for n, m in metrics.items()),
        environments=_environments(results),
        commands=tuple(visible(c) for c in commands),
        proof=_proof(results, {c.k for t in tables for c in t.columns if c.k is not None}, metrics),
        verdict=paragraphs(tables),
    )


def definition(metric: Metric) -> str:
    """Return a metric's formula and direction."""
    return f"{visible(metric.formula) or 'no definition given'} ({metric.direction})"


def _section(table: Table, per_grid: int | None) -> Section:
    searches = tuned(table)
    return Section(
        table.title,
        split_grid(table),
        _ledger(table),
        tuple(_grids(table, per_grid)),
        _costs(table),
        notes(table),
        tuning=tuning_grids(table, searches, per_grid),
        tuning_notes=tuning_notes(table, searches),
    )


def split_grid(table: Table) -> Grid:
    """Return a row for each content of a split: seeds, sizes and the other counts."""
    figures = ("users evaluated", *(_words(c) for c in _MAIN_COUNTS))
    heads = (
        Head("split seed"),
        Head("fingerprint"),
        *(Head(f, "figure") for f in figures),
        Head("other counts", "text"),
    )
    rows = [
        (
            Entry("; ".join(Run(*instance, seed=0).split for instance in part.instances)),
            Entry(part.fingerprint),
            entry(part.n_users),
            *(entry(part.counts.get(c)) for c in _MAIN_COUNTS),
            Entry(other_counts(part, {*_MAIN_COUNTS, "test_users"})),
        )
        for part in table.parts
    ]
    return Grid(f"Splits of {table.title}", heads, tuple(rows)).without_constants()


def _ledger(table: Table) -> Grid:
    """Return a row for each step of the preparation: what is left after it."""
    heads = (
        Head("part"),
        Head("step", "text"),
        *(Head(f, "figure") for f in ("left", "users", "items", "sum of values")),
    )
    rows = [
        (
            Entry(visible(step.part) or "data set"),
            Entry(visible(step.name)),
            *(entry(n) for n in (step.rows, step.users, step.items)),
            entry(step.total, ",.6g"),
        )
        for step in table.ledger
    ]
    several = " and of the first split" if len(table.parts) > 1 else ""
    return Grid(f"Preparation of {table.title}{several}", heads, tuple(rows))


def _words(name: str) -> str:
    return name.replace("_", " ")


def other_counts(part: Part, shown: Collection[str]) -> str:
    """Return the counts of a split that have no column of their own, without zeros."""
    others = {k: v for k, v in part.counts.items() if k not in shown and v not in (0, None, "")}
    return "; ".join(f"{visible(_words(k))} {_plain(others[k])}" for k in sorted(others))


def _plain(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return visible(value if isinstance(value, str) else canonical_json(value))


def _grids(table: Table, per_grid: int | None) -> Iterable[Grid]:
    """Return a grid for each k, then one for metrics without k; wide grids are divided."""
    ks = sorted({c.k for c in table.columns if c.k is not None})
    for k in [*ks, None]:
        columns = [c for c in table.columns if c.k == k]
        n_parts = math.ceil(len(columns) / per_grid) if per_grid else min(len(columns), 1)
        for part in range(n_parts):
            some = columns[part * len(columns) // n_parts : (part + 1) * len(columns) // n_parts]
            at = "without cutoff" if k is None else f"k = {k}"
            caption = f"{table.title}, {at}" + (f" ({part + 1} of {n_parts})" if n_parts > 1 else "")
            yield metric_grid(table, some, caption)


def _costs(table: Table) -> Grid:
    heads, names = labels(table.rows)
    tuned = any(row.tune != "none" for row in table.rows)
    phases = (*(("tune",) if tuned else ()), "fit", "recommend")
    several, incomplete = len(table.runs) > 1, any(row.status != "done" for row in table.rows)
    rows = [
        (
            *names[row.label],
            *[Entry(runs_text(row, table), number=row.done)] * several,
            *(seconds_entry(row.seconds.get(p)) for p in phases),
            entry(row.peak_mb, ",.0f"),
            *[Entry(status_text(row, table))] * incomplete,
            Entry("; ".join(reason_texts(row, table))),
        )
        for row in table.rows
    ]
    heads = (
        *(*heads, *[Head("runs", "figure")] * several),
        *(Head(f"{p} (s)", "figure") for p in phases),
        *(Head("peak memory (MB)", "figure"), *[Head("status")] * incomplete, Head("reason", "text")),
    )
    return Grid(f"Cost and status of {table.title}", heads, tuple(rows)).without_constants()


def _environments(results: Iterable[Result]) -> tuple[str, ...]:
    """Return a line for each environment in which cells ran, the most frequent first."""
    lines = Counter(_environment(r.record.environment) for r in results if r.record.done)
    ordered = sorted((-n, line) for line, n in lines.items() if line)
    return tuple(line if len(ordered) == 1 else f"{-n} cells: {line}" for n, line in ordered)


def _environment(environment: Environment) -> str:
    versions = (("bakeoff", environment.bakeoff), ("python", environment.python))
    words = [f"{name} {version}" for name, version in versions if version]
    words += [text for text in (environment.platform, environment.cpu) if text]
    words += [f"{environment.cores} cores"] if environment.cores else []
    words += [f"commit {environment.git}"] if environment.git else []
    for module, supplied in sorted(environment.libraries.items()):
        words.append(supplied if supplied.startswith(f"{module} ") else f"{module} ({supplied})")
    return visible(", ".join(words))


# -- the proof of a report ---------------------------------------------------------------------------

_DIGEST = "BLAKE2b of this file, with zeros in its place: "
_ZEROS = "0" * 32


@cache
def writer() -> str:
    """Return what decides the bytes of a report beside its numbers: versions, code, and platform."""
    folder = Path(__file__).parents[1]
    code = (p for p in sorted(folder.rglob("*")) if p.suffix in (".py", ".css", ".js", ".j2"))
    hashes = [[p.relative_to(folder).as_posix(), file_hash(p)] for p in code]
    own = f"bakeoff {__version__} (code {content_hash(canonical_json(hashes).encode())[:12]})"
    drawn = f"vl-convert-python {version('vl-convert-python')}, zlib {zlib.ZLIB_RUNTIME_VERSION}"
    return f"{own}, {drawn}, {platform.system()} {platform.machine()}"


def digest_line() -> str:
    """Return the text that stands once, last, in a report before `sealed` fills in its digest."""
    return f"{_DIGEST}{_ZEROS}"


def sealed(text: str) -> str:
    """Return a report with its digest."""
    before, line, after = text.rpartition(digest_line())
    return f"{before}{line[: -len(_ZEROS)]}{content_hash(text.encode())}{after}"


def is_sealed(text: str) -> bool:
    """Return whether a report has the digest of its own text."""
    before, line, after = text.rpartition(_DIGEST)
    digest, rest = after[: len(_ZEROS)], after[len(_ZEROS) :]
    return digest == content_hash(f"{before}{line}{_ZEROS}{rest}".encode())


def _proof(results: Sequence[Result], ks: Collection[int], metrics: Collection[str]) -> Grid:
    """Return a row for each done cell: the hashes of what its numbers follow from."""
    labels = {r.request.key: cell_label(r.request.cell) for r in reversed(results)}
    rows = [
        (Entry(visible(labels[key])), Entry(key), *(Entry(link or NOTHING) for link in links))
        for key, links in chain(results, ks, metrics).items()
    ]
    return Grid(
        f"Made by {writer()}", tuple(map(Head, ("cell", "key", *LINKS))), tuple(rows)
    ).without_constants()
