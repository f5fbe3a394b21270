"""What every output shows of a comparison: tables of text, notes and verdicts, all of it plain text.

The renderers lay it out and escape it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from bakeoff.evaluation.significance import TestConfig
from bakeoff.evaluation.variance import Needed
from bakeoff.hashing import canonical_json
from bakeoff.queries.comparison import Agreement, Column, Contender, Lead, Marks, Row, Run, Table, Verdict
from bakeoff.run.naming import escape_control_chars, settings

NOTHING = "–"  # noqa: RUF001 - an en dash stands for a number that is not there

NO_POPULARITY = "This comparison holds no result of a popularity baseline."

BEST, TIED = "★", "†"
"""Stand behind the best of a column, since a pipe or a copy loses bold type, and behind what is not
distinguishable from it."""

HIT = "*"
"""Marks an item of a list that was held out of the user's history."""

RUNS_BY_NAME = 4
"""So many runs are named where they failed; more are counted."""

TESTS = {
    "t": "paired t-test over users",
    "randomization": "randomisation test over users",
    "wilcoxon": "Wilcoxon's signed ranks over users",
}
CORRECTIONS = {"holm": "Holm", "bh": "Benjamini-Hochberg"}

Kind = Literal["word", "text", "figure"]

visible = escape_control_chars


# -- tables of text -----------------------------------------------------------------------------------


class Head(NamedTuple):
    """The top of a column: of words, of text that may be long, or of figures, which stand on the right.

    Columns side by side with the same group share a head above theirs.
    """

    text: str
    kind: Kind = "word"
    group: str = ""

    @property
    def name(self) -> str:
        """The head behind its group, for a place without a line above the heads."""
        return f"{self.group}: {self.text}" if self.group else self.text


@dataclass(frozen=True)
class Entry:
    """One field of a grid; `number` sorts it where it is one. Bold is the best of its column."""

    text: str
    bold: bool = False
    number: float | None = None
    second: bool = False


@dataclass(frozen=True)
class Grid:
    """A table of text; each row has an entry for each head. Notes stand below."""

    caption: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Entry, ...], ...]
    notes: tuple[str, ...] = ()

    def without_constants(self) -> Grid:
        """Return the grid with a note in place of columns that are the same in every row; the first stays."""
        if len(self.rows) < 2:
            return self
        columns = list(zip(*self.rows, strict=True))
        same = {at for at, column in enumerate(columns) if at and len({e.text for e in column}) == 1}
        facts = [
            f"{self.heads[at].name} {columns[at][0].text.rstrip(BEST)}"
            for at in sorted(same)
            if columns[at][0].text
        ]
        note = (f"The same in every row: {', '.join(facts)}.",) if facts else ()
        shown = [at for at in range(len(columns)) if at not in same]
        return replace(
            self,
            heads=tuple(self.heads[at] for at in shown),
            rows=tuple(tuple(row[at] for at in shown) for row in self.rows),
            notes=(*self.notes, *note),
        )


def entry(value: float | None, form: str = ",") -> Entry:
    """Return a number in a format of Python's, or the sign for none."""
    return Entry(NOTHING) if value is None else Entry(format(value, form), number=value)


def labels(
    rows: Sequence[Row], *, weights: bool = True
) -> tuple[tuple[Head, ...], dict[str, tuple[Entry, ...]]]:
    """Return the heads of the columns that name a row, and by the label of each row its entries in them.

    The columns are the model and, where any row has some that are not shared by all, its settings.
    """
    hidden = {*shared_settings(rows), *(() if weights else ("weights",))}
    texts = {row.label: settings_text(row, hidden) for row in rows}
    settings = any(texts.values())
    return (Head("model"), Head("settings"))[: 1 + settings], {
        row.label: (Entry(visible(row.model)), Entry(texts[row.label]))[: 1 + settings] for row in rows
    }


def shared_settings(rows: Sequence[Row]) -> dict[str, str]:
    """Return the tuning if all rows have the same, and the use of values if all that have one do."""
    weights, tune = {row.weights for row in rows} - {""}, {row.tune for row in rows}
    shared = {"weights": weights} | ({} if "none" in tune else {"tune": tune})
    return {name: values.pop() for name, values in shared.items() if len(values) == 1}


def shared_note(table: Table) -> str:
    """Return the settings that stand in no row because all rows share them; "" without any."""
    shared = ", ".join(f"{name}={value}" for name, value in shared_settings(table.rows).items())
    return visible(f"Every model that has the setting: {shared}.") if shared else ""


def metric_grid(table: Table, columns: Sequence[Column], caption: str, *, figures: int = 4) -> Grid:
    """Return the means of some columns, with their intervals and marks.

    Args:
        figures: significant figures of the largest mean of a column.
    """
    heads, names = labels(table.rows)
    several = len(table.runs) > 1 and figures > 3
    places = {c: max(decimals(table, c) + figures - 4, 0) for c in columns}
    rows = (
        (
            *names[row.label],
            *((Entry(runs_text(row, table), number=row.done),) if several else ()),
            *(value_entry(row, c, places[c]) for c in columns),
        )
        for row in table.rows
    )
    runs = (Head("runs", "figure"),) if several else ()
    heads = (*heads, *runs, *(Head(visible(c.metric), "figure") for c in columns))
    return Grid(caption, heads, tuple(rows)).without_constants()


def settings_text(row: Row, hidden: Collection[str] = ()) -> str:
    """Return the parameters that differ from the YAML, the use of values, and the tuning.

    Args:
        hidden: "weights" or "tune", which are left out.
    """
    parameters = ",".join(part for part in (row.variant, row.differs) if part)
    named = "weights" in hidden or any(k.startswith("weights=") for k in parameters.split(","))
    weights = f"weights={row.weights}" if row.weights and not named else ""
    parameters = ",".join(part for part in (parameters, weights) if part)
    return settings(parameters, "none" if "tune" in hidden else row.tune)


def runs_text(row: Row, table: Table) -> str:
    """Return '<completed runs> (<distinct fits>)'; the second part only if the two differ."""
    runs = f"{row.done} of {len(table.runs)}" if row.done < len(table.runs) else str(row.done)
    return runs if row.fits == row.done else f"{runs} ({row.fits} {'fit' if row.fits == 1 else 'fits'})"


def decimals(table: Table, column: Column) -> int:
    """Return the decimals that give the largest mean of a column four figures."""
    return decimals_of(row.values[column].mean for row in table.rows if column in row.values)


def decimals_of(values: Iterable[float]) -> int:
    """Return the decimals that give the largest value four figures."""
    largest = max((abs(v) for v in values if math.isfinite(v)), default=0.0)
    return min(max(3 - math.floor(math.log10(largest)), 0), 9) if largest > 0 else 4


def mean_text(mean: float, half: float | None, places: int) -> str:
    """Return `mean ± half of its interval`."""
    return f"{mean:.{places}f}" + (f" ± {half:.{places}f}" if half is not None else "")


def value_entry(row: Row, column: Column, places: int) -> Entry:
    """Return a mean with its interval and mark, with a remark if the row has more fits."""
    value = row.values.get(column)
    if value is None:
        return Entry(NOTHING)
    text = mean_text(value.mean, value.half, places) + BEST * value.best + TIED * value.tied
    if value.fits < row.fits:
        text += f", {value.fits} of {row.fits} fits"
    return Entry(text, bold=value.best, number=value.mean)


def seconds_entry(seconds: float | None) -> Entry:
    """Return seconds with as many decimals as they deserve."""
    size = seconds or 0.0
    return entry(seconds, ",.2f" if size < 10 else ",.1f" if size < 100 else ",.0f")


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
    return f" ({'; '.join(run.name for run in runs)})"


def notes(table: Table) -> tuple[str, ...]:
    """Return the notes on the numbers of a table."""
    texts = [text for text in (legend(table), shared_note(table)) if text]
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
        parts.append(f"{BEST}: best of its column (ties are all marked)")
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


def needed_text(needed: Needed) -> str:
    """Return numbers of which any one, with all else as it is, is expected to be enough; "" without any.

    >>> needed_text(Needed(splits=5, users=12000))
    '5 splits or 12,000 users'
    """
    numbers = {"seeds": needed.fits, "splits": needed.splits, "users": needed.users}
    return " or ".join(f"{n:,} {unit}" for unit, n in numbers.items() if n is not None)


def p_text(p: float) -> str:
    """Return a p-value as text, never as 0.

    >>> p_text(1e-9), p_text(0.0312)
    ('<0.0001', '0.0312')
    """
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"


def value_text(value: Any) -> str:
    """Return numbers with five significant figures; cells.csv has the best values in full.

    >>> value_text(115.31686426088254), value_text("log1p"), value_text(None)
    ('115.32', 'log1p', 'null')
    """
    if isinstance(value, float):
        return f"{value:.5g}"
    return visible(value if isinstance(value, str) else canonical_json(value))


def pairs_text(values: Mapping[str, Any]) -> str:
    """Return all values as `name=value`.

    >>> pairs_text({"K": 11, "weights": "none"})
    'K=11, weights=none'
    """
    return ", ".join(f"{visible(str(n))}={value_text(v)}" for n, v in values.items()) or NOTHING


def space_text(spec: Mapping[str, Any]) -> str:
    """Return a search space in words; one that is no range and no choice as its parameters.

    >>> space_text({"low": 8, "high": 512, "log": True, "when": {"weights": "none"}})
    '8 to 512 (log), when weights=none'
    """
    if "choices" in spec:
        text = ", ".join(map(value_text, spec["choices"]))
    elif {"low", "high"} <= set(spec):
        step = f" by {value_text(spec['step'])}" if spec.get("step") else ""
        text = (
            f"{value_text(spec['low'])} to {value_text(spec['high'])}{step}{' (log)' * bool(spec.get('log'))}"
        )
    else:
        text = pairs_text(spec)
    return f"{text}, when {pairs_text(spec['when'])}" if spec.get("when") else text


# -- the verdict in sentences ------------------------------------------------------------------------

NAMED = 4
"""Models that are named in one sentence; more are counted."""


def paragraphs(tables: Sequence[Table]) -> tuple[tuple[str, str], ...]:
    """Return title and text of each verdict; first that over all where there are several."""
    verdicts = [table.verdict for table in tables if table.verdict is not None]
    over_all = [("Over all", overall(verdicts))] if len(verdicts) > 1 else []
    return tuple(
        (visible(title), text) for title, text in [*over_all, *((v.title, text_of(v)) for v in verdicts)]
    )


def text_of(verdict: Verdict) -> str:
    """Return a verdict as one paragraph."""
    return visible(" ".join(sentences(verdict)))


def overall(verdicts: Sequence[Verdict]) -> str:
    """Return how often each model has the best mean, and how often no other is like it."""
    best: dict[str, list[bool]] = {}
    for verdict in verdicts:
        if verdict.leader is not None:
            best.setdefault(verdict.leader.label, []).append(verdict.tested and not verdict.ties)
    if not best:
        return "Nothing was measured."
    ranked = sorted(best.items(), key=lambda item: (-len(item[1]), item[0]))
    tested = any(verdict.tested for verdict in verdicts)
    parts = [
        f"{label} has the best mean in {len(alone)} of {len(verdicts)} comparisons"
        + f" and is distinguishable from every other model in {sum(alone) or 'none'}" * tested
        for label, alone in ranked[:NAMED]
    ]
    more = f"; {len(ranked) - NAMED} more models have it elsewhere" if len(ranked) > NAMED else ""
    return f"{'; '.join(parts)}{more}."


def sentences(verdict: Verdict) -> list[str]:
    """Return the sentences of a verdict."""
    if verdict.column is None:
        return ["Nothing was measured.", *_not_done(verdict)]
    name = verdict.column.name
    if verdict.leader is None:
        return [f"No model can be called the best in {name}.", *_popularity(verdict), *_not_done(verdict)]
    digits = decimals_of([verdict.leader.mean])
    return [
        *_leader(verdict, digits),
        *_agreements(verdict),
        *_popularity(verdict),
        *_not_done(verdict),
        *_needed(verdict),
        *_about(verdict),
    ]


def _leader(verdict: Verdict, digits: int) -> list[str]:
    leader, column, behind = verdict.leader, verdict.column, verdict.behind
    assert leader is not None and column is not None
    shown = mean_text(leader.mean, leader.half_width, digits)
    if verdict.tested and not verdict.ties and behind is not None:
        return [f"{leader.label} leads in {column.name} with {shown}, {_ahead(behind, verdict, digits)}."]
    first = f"{leader.label} has the best {column.name}, {shown}"
    if not verdict.tested:
        reason = f" ({verdict.untested})" if verdict.untested else ""
        return [f"{first}; the models were not tested against each other{reason}."]
    if not verdict.ties:
        return [f"{first}."]
    ties = [f"{c.label} ({mean_text(c.mean, c.half_width, digits)}{_cost(c, '; ')})" for c in verdict.ties]
    first += f"{_cost(leader, ' (')})" if _cost(leader) else ""
    if behind is None:
        return [f"{first}, but no other model is distinguishable from it: {_listed(ties)}."]
    return [
        f"{first}, but is not distinguishable from {_listed(ties)}.",
        f"It is {_ahead(behind, verdict, digits)}.",
    ]


def _ahead(lead: Lead, verdict: Verdict, digits: int) -> str:
    sign = -1 if verdict.higher_is_better is False else 1
    low, high = sorted((sign * lead.low, sign * lead.high))
    return (
        f"ahead of {lead.other} by {sign * lead.difference:.{digits}f} "
        f"({100 * lead.confidence:.3g} % interval {low:.{digits}f} to {high:.{digits}f})"
    )


def _cost(contender: Contender, before: str = "") -> str:
    """Return what a model costs, behind some signs; "" where nothing is known of it."""
    parts = []
    if contender.fit_seconds is not None:
        parts.append(f"{seconds_entry(contender.fit_seconds).text} s to fit")
    if contender.recommend_seconds is not None:
        parts.append(f"{seconds_entry(contender.recommend_seconds).text} s to recommend")
    if contender.peak_mb is not None:
        parts.append(f"{contender.peak_mb:,.0f} MB")
    return f"{before}{', '.join(parts)}" if parts else ""


def _agreements(verdict: Verdict) -> list[str]:
    """Say where else the leader has the best mean, and which models have it elsewhere."""
    parts = [
        _agreement(verdict.cutoffs, "at", "other cutoffs"),
        _agreement(verdict.metrics, "in", "other accuracy metrics"),
        _agreement(verdict.runs, "in", "runs"),
    ]
    return [part for part in parts if part]


def _agreement(agreement: Agreement | None, preposition: str, views: str) -> str:
    if agreement is None:
        return ""
    runs, total = views == "runs", len(agreement.led) + len(agreement.others)
    if not agreement.others:
        every = f"all {total} {views}" if runs or total > NAMED else _listed(agreement.led)
        return f"It {'' if runs else 'also '}has the best mean {preposition} {every}."
    by_leaders: dict[tuple[str, ...], list[str]] = {}
    for view, labels in agreement.others.items():
        by_leaders.setdefault(labels[:NAMED], []).append(view)
    others = [
        (labels, f"{preposition} {len(at) if runs else _listed(at)}") for labels, at in by_leaders.items()
    ]
    (first, where), *rest = others
    has = f"{_listed(first)} {'has' if len(first) == 1 else 'have'} it {where}"
    elsewhere = ", ".join([has, *(f"{_listed(labels)} {where}" for labels, where in rest)])
    led = f"{len(agreement.led) or 'none'} of {total} {views}"
    return f"It has the best mean {preposition} {led}; {elsewhere}."


def _listed(words: Sequence[str]) -> str:
    """Return up to NAMED words, the others counted.

    >>> _listed(["k = 5"]), _listed(["a", "b", "c"]), _listed(["a", "b", "c", "d", "e", "f"])
    ('k = 5', 'a, b and c', 'a, b, c, d and 2 more')
    """
    named = [*words[:NAMED], *([f"{len(words) - NAMED} more"] if len(words) > NAMED else [])]
    return " and ".join(part for part in (", ".join(named[:-1]), named[-1]) if part)


def _popularity(verdict: Verdict) -> list[str]:
    if verdict.popularity is None or verdict.leader is None:
        return []
    digits = decimals_of([verdict.leader.mean])
    line = f"The popularity baseline scores {verdict.popularity:.{digits}f}."
    if not (below := verdict.below_popularity):
        return [line]
    more = f" and {len(below) - NAMED} more" if len(below) > NAMED else ""
    return [
        f"{line} Below it: {', '.join(below[:NAMED])}{more}; what usually helps is a search (tune=optuna), "
        "more regularisation, and leaving out users and items with few rows."
    ]


def _not_done(verdict: Verdict) -> list[str]:
    return [
        f"{status.capitalize()}: {_listed(labels)}." for status, labels in (verdict.not_done or {}).items()
    ]


def _needed(verdict: Verdict) -> list[str]:
    """Say what would be expected to tell the leader from the first of the ties."""
    if verdict.needed is None or verdict.leader is None or not verdict.ties:
        return []
    pair, needed = f"{verdict.leader.label} from {verdict.ties[0].label}", needed_text(verdict.needed)
    if needed:
        return [
            f"To tell {pair} would take about {needed} in all, if the true difference is the measured one."
        ]
    return []


def _about(verdict: Verdict) -> list[str]:
    if verdict.single and verdict.tested:
        return ["One fit of each model: the verdict is about these fitted models, not about the algorithms."]
    return []
