"""What a reader must know of tuning: warnings, how figures were made, and why some are not there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bakeoff.evaluation.expected_best import FEWEST_SEARCHES
from bakeoff.queries.tables import Table
from bakeoff.report.tuned.hyperparameters import pairs_text
from bakeoff.report.tuned.searches import Study, without_space
from bakeoff.report.tuned.words import NO_SPACE, Tuned, decimals
from bakeoff.report.wording import visible

_HOW = {
    "draws": "as the expected maximum of independent draws (Dodge et al. 2019, with the defaults as a first "
    f"trial that is certain); an interval needs {FEWEST_SEARCHES} searches: seed=1,2,3",
    "repeats": "as the mean over searches of the best so far; in brackets: 95 % t interval over searches, "
    f"from {FEWEST_SEARCHES} on, for these validation users",
}


def notes(table: Table, tuned: Sequence[Tuned]) -> tuple[str, ...]:
    """Return lines of plain text; none if nothing was tuned.

    Args:
        found: `tuned(table)`.
    """
    if not tuned:
        return ()
    return (
        *warnings(tuned),
        *_without_space(table),
        *_untested(tuned),
        *_curves(tuned),
        *_expected(tuned),
        *_importance(tuned),
        *_pareto(tuned),
    )


def lines(table: Table, tuned: Sequence[Tuned]) -> tuple[str, ...]:
    """Return one line for each tuned row, then the warnings, for a terminal."""
    if not tuned:
        return ()
    texts = [f"{name}: {_summary(study)}" for name, study in _named(tuned) if study.record.best is not None]
    return (*texts, *warnings(tuned), *_without_space(table))


def warnings(tuned: Sequence[Tuned]) -> list[str]:
    """Best values that lie at an end of their space."""
    return [
        visible(f"Warning, {name}: {edge}.") for name, study in _named(tuned) for edge in study.record.edges
    ]


def _summary(study: Study) -> str:
    record = study.record
    scores = [v for v in (record.default, study.record.best_value) if v is not None]
    scores += [score.mean for score in (study.before, study.after) if score is not None]
    places = decimals(scores)
    validation = _change(record.default, record.best_value, places)
    text = f"{visible(study.objectives[0])} {validation} on validation"
    if study.after is not None:
        before = study.before.mean if study.before is not None else None
        text += f", {_change(before, study.after.mean, places)} on test"
    text += f"; {len(record.trials)} trials, {record.seconds:,.1f} s"
    return f"{text}; {pairs_text(study.record.best_parameters)}"


def _change(before: float | None, after: float | None, places: int) -> str:
    return f"{after:.{places}f}" if before is None else f"{before:.{places}f} to {after:.{places}f}"


def _named(tuned: Sequence[Tuned]) -> Iterable[tuple[str, Study]]:
    """Yield each study with a name that distinguishes it from the others."""
    for row, search in tuned:
        for study in search.studies:
            fold = "" if study.run.fold is None else f", fold {study.run.fold}"
            run = f", split seed {study.run.split_seed}{fold}, seed {study.run.seed}"
            yield row.label + (run if len(search.studies) > 1 else ""), study


def _without_space(table: Table) -> list[str]:
    names = dict.fromkeys(visible(row.model) for row in table.rows if without_space(row))
    return [f"{', '.join(names)}: {NO_SPACE}, as configured."] if names else []


def _by_reason(reasons: Iterable[tuple[str, str]], start: str) -> list[str]:
    """Return one line for each reason, with the models that it applies to."""
    models: dict[str, dict[str, None]] = {}
    for model, why in reasons:
        if why:
            models.setdefault(why, {})[visible(model)] = None
    return [f"{start} of {', '.join(names)}: {visible(why)}." for why, names in models.items()]


def _untested(tuned: Sequence[Tuned]) -> list[str]:
    pairs = [(row.model, study.untested) for row, search in tuned for study in search.studies]
    return _by_reason(pairs, "Test scores before and after tuning")


def _curves(tuned: Sequence[Tuned]) -> list[str]:
    if not any(study.curve for _, search in tuned for study in search.studies):
        return []
    texts = [
        "By seconds: those of trials, added up over all processes. A search that ended has no later columns."
    ]
    if any(len(search.studies) > 1 for _, search in tuned):
        texts.append("Best so far: the mean over searches, ± half of its 95 % t interval.")
    return texts


def _expected(tuned: Sequence[Tuned]) -> list[str]:
    how: dict[str, dict[str, None]] = {}
    for row, search in tuned:
        if search.expected.points:
            how.setdefault(search.expected.how, {})[visible(row.model)] = None
    texts = [f"Expected best of {', '.join(names)}: {_HOW[kind]}." for kind, names in how.items()]
    censored = any(
        search.expected.how == "draws" and study.record.count("pruned") + study.record.count("failed")
        for _, search in tuned
        for study in search.studies
    )
    if censored:
        texts.append(
            "A pruned or failed trial counts as a draw that is never the best: small budgets look worse."
        )
    return texts + _by_reason(((r.model, s.expected.absent) for r, s in tuned), "No expected best")


def _importance(tuned: Sequence[Tuned]) -> list[str]:
    from bakeoff.tuning.importance import METHOD

    every = [(row.model, study.importance) for row, search in tuned for study in search.studies]
    texts = []
    if any(importance.shares for _, importance in every):
        texts.append(
            f"Importance: {METHOD}, what sets the best tenth of the trials (five at least) apart from all "
            "of them, pruned ones counted among the worst; shares of the whole, rough with few trials."
        )
    texts += _by_reason(((model, i.absent) for model, i in every), "No importance")
    remarks = ((model, remark) for model, i in every for remark in i.remarks)
    return texts + _by_reason(remarks, "Importance")


def _pareto(tuned: Sequence[Tuned]) -> list[str]:
    rules = dict.fromkeys(
        pairs_text(study.record.pareto_selection or {})
        for _, s in tuned
        for study in s.studies
        if len(study.objectives) > 1
    )
    return [f"Bold in a Pareto set: the trial that tune.pareto_selection takes ({rule})." for rule in rules]
