from __future__ import annotations

import pytest

from bakeoff.queries.comparison import comparison
from bakeoff.report.page.detail import budget_text, detail, portable
from bakeoff.storage.record import Budget

NUMBERS = {"ndcg": {"10": (0.25, 0.01)}}


def of(results, metrics):
    (table,) = comparison(results, (10,), metrics)
    return detail(table.rows[0])


def trial(number, value, **more):
    return {"number": number, "value": value, "state": "complete", "seconds": 1.5, **more}


def tuning(trials, **more):
    best = {"number": 1, "value": 0.5, "parameters": {"factors": 64}}
    about = {"budget": {"trials": 2, "seconds": None}, "metric": "ndcg@10", "direction": "maximize"}
    return {**about, "sampler": "tpe", "pruner": "none", "best": best, "trials": trials, **more}


def test_runs_with_other_parameters_stand_apart(make, metrics) -> None:
    results = [
        make("a", NUMBERS, seed=s, parameters={"factors": f, "weights": "none"})
        for s, f in ((1, 64), (2, 32), (3, 64))
    ]
    assert of(results, metrics).parameters == (
        ("split seed 42, seed 1 and 3", (("factors", "64"), ("weights", "none"))),
        ("split seed 42, seed 2", (("factors", "32"), ("weights", "none"))),
    )


def test_what_was_not_fitted_shows_what_was_configured(make, metrics) -> None:
    failed = make("a", status="failed", reason="broke", build={"factors": 8}, traceback="")
    assert of([failed], metrics).parameters == (("", (("factors", "8"),)),)


def test_runs_that_share_a_fit_share_a_line(make, metrics) -> None:
    results = [make("a", NUMBERS, key="c1", seed=s) for s in (1, 2)] + [make("a", NUMBERS, key="c2", seed=3)]
    rows = of(results, metrics).runs.rows
    assert [[entry.text for entry in row[:3]] for row in rows] == [
        ["c1", "split seed 42, seed 1 and 2", "done"],
        ["c2", "split seed 42, seed 3", "done"],
    ]


def test_trials_show_what_was_tried_and_mark_the_best(make, metrics) -> None:
    trials = [trial(0, 0.25, parameters={"factors": 16}), trial(1, 0.5, parameters={"factors": 64})]
    detail = tuning(trials, edges=["factors=64 lies at the high end"])
    (tuned,) = of([make("a", NUMBERS, tune={"name": "optuna"}, tuning=detail)], metrics).tuned
    assert tuned.text == (
        "split seed 42, seed 1: 2 trials by ndcg@10 (tpe), 2 complete. Best 0.5 in trial 1, defaults 0.25."
    )
    assert tuned.warnings == ("factors=64 lies at the high end",)
    assert [head.text for head in tuned.trials.heads] == ["trial", "state", "ndcg@10", "factors", "seconds"]
    assert [[e.text for e in row] for row in tuned.trials.rows] == [
        ["0", "complete", "0.25", "16", "1.5"],
        ["1", "complete", "0.5", "64", "1.5"],
    ]
    assert [row[2].bold for row in tuned.trials.rows] == [False, True]


def test_several_objectives_have_a_column_each_and_failures_their_reason(make, metrics) -> None:
    values = {"ndcg@10": 0.5, "novelty@10": 7.0}
    trials = [
        trial(0, 0.5, values=values, parameters={}),
        {"number": 1, "value": None, "state": "failed", "seconds": 0.1, "reason": "ValueError: no"},
    ]
    detail = tuning(trials, objectives=list(values), directions=["maximize"] * 2)
    detail["best"] = None
    (tuned,) = of([make("a", NUMBERS, tune={"name": "optuna"}, tuning=detail)], metrics).tuned
    heads = ["trial", "state", "ndcg@10", "novelty@10", "seconds", "reason"]
    assert [head.text for head in tuned.trials.heads] == heads
    assert [e.text for e in tuned.trials.rows[0]] == ["0", "complete", "0.5", "7", "1.5", ""]
    assert [e.text for e in tuned.trials.rows[1]] == ["1", "failed", "–", "–", "0.1", "ValueError: no"]  # noqa: RUF001


def test_each_reason_stands_once_with_its_traceback(make, metrics) -> None:
    results = [
        make("a", status="failed", reason=why, traceback=f"at {why}", seed=s)
        for s, why in enumerate(("x", "y", "x"), 1)
    ]
    assert [(b.runs, b.reason, b.traceback) for b in of(results, metrics).failures] == [
        ("failed: split seed 42, seed 1 and 3", "x", "at x"),
        ("failed: split seed 42, seed 2", "y", "at y"),
    ]


@pytest.mark.parametrize(
    ("path", "portable_path"),
    [
        ("/anywhere/.venv/lib/python3.11/site-packages/implicit/cpu/als.py", "implicit/cpu/als.py"),
        ("/anywhere/work/src/bakeoff/runner.py", "bakeoff/runner.py"),
        ("/anywhere/mine/models.py", "mine/models.py"),
        ("C:\\Users\\me\\mine\\models.py", "mine/models.py"),
        ("models.py", "models.py"),
        ("<frozen runpy>", "<frozen runpy>"),
    ],
)
def test_a_traceback_names_no_folder_of_the_machine(path, portable_path) -> None:
    assert portable(f'  File "{path}", line 3, in x') == f'  File "{portable_path}", line 3, in x'


def test_control_characters_of_a_traceback_are_shown(make, metrics) -> None:
    failed = make("a", status="failed", reason="x", traceback="one\x1b[31m\ntwo\u202e")
    assert of([failed], metrics).failures[0].traceback == "one\\x1b[31m\ntwo\\u202e"


def test_budgets_in_words() -> None:
    assert budget_text(Budget(50)) == "50 trials"
    assert budget_text(Budget(50, 600.0)) == "50 trials or 600 seconds"
    assert budget_text(Budget()) == "no limit"
