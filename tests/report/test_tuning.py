from __future__ import annotations

import pytest

from bakeoff.queries.comparison import comparison
from bakeoff.report.tuning import grids, lines, notes, tuned
from bakeoff.report.view import NOTHING
from bakeoff.storage.record import Budget
from tuned_records import FAILED, PRUNED, SPACE, TUNE, trial, tuning

NDCG = {"ndcg": {"10": (0.25, 0.01)}}


@pytest.fixture
def one(make):
    """A tuned result."""

    def of(values=(0.1, 0.2), model="als", seed=1, tune=TUNE, variant="", build=None, **more):
        key = f"t-{model}-{variant}-{seed}"
        cell = {"seed": seed, "variant": variant, "build": build, "space": SPACE, "tune": tune, "key": key}
        return make(model, NDCG, tuning=tuning(values, **more), **cell)

    return of


@pytest.fixture
def tables(metrics):
    """The tables of results by the first word of their caption, as texts, with the heads first."""

    def of(*results, per_grid=None):
        (table,) = comparison(results, (10,), metrics)
        return {
            " ".join(g.caption.replace(",", "").split()[:2]): [
                [h.text for h in g.heads],
                *([e.text for e in row] for row in g.rows),
            ]
            for g in grids(table, tuned(table), per_grid)
        }

    return of


@pytest.fixture
def notes_of(metrics):
    def of(*results):
        (table,) = comparison(results, (10,), metrics)
        return notes(table, tuned(table))

    return of


def test_without_tuning_nothing_is_said_of_it(make, tables, notes_of, metrics) -> None:
    plain = make("als", NDCG, space=SPACE), make("popularity", NDCG, target="toys.Popularity")
    assert tables(*plain) == {}
    assert notes_of(*plain) == ()
    (table,) = comparison(plain, (10,), metrics)
    assert lines(table, tuned(table)) == ()


def test_the_winner_stands_with_what_it_gave_and_a_model_without_space_is_marked(make, one, tables) -> None:
    plain = make("als", {"ndcg": {"10": (0.2, 0.02)}}, space=SPACE)
    assert tables(make("popularity", NDCG, target="toys.Popularity"), plain, one([0.1, 0.1234567]))[
        "Tuning of"
    ] == [
        [
            *("model", "metric", "validation, defaults", "validation, best", "test, untuned", "test, tuned"),
            "best hyperparameters",
        ],
        ["als", "ndcg@10", "0.1000", "0.1235", "0.2000 ± 0.0402", "0.2500 ± 0.0201", "reg=1.5, weights=none"],
    ]


def test_every_grid_is_rectangular_and_runs_are_named_where_there_are_several(make, one, tables) -> None:
    results = [one(seed=s, model=m) for m in ("als", "bpr") for s in (1, 2)]
    result = tables(*results, make("popularity", NDCG, target="toys.Popularity"))
    for rows in result.values():
        assert {len(row) for row in rows} == {len(rows[0])}
    assert result["Tuning of"][0][:2] == ["model", "seed"]
    assert [row[:2] for row in result["Budget of"][1:]] == [[m, s] for m in ("als", "bpr") for s in "12"]
    assert [row[0] for row in result["Best validation"][1:]] == ["als", "bpr"]


def test_settings_are_shown_where_the_name_is_not_enough(one, tables) -> None:
    assert "settings" not in tables(one())["Tuning of"][0]
    other = one(variant="factors=8", build={"factors": 8})
    rows = tables(one(), other)["Tuning of"]
    assert [row[:2] for row in rows] == [
        ["model", "settings"],
        ["als", ""],
        ["als", "factors=8"],
    ]


def test_the_budget_says_what_was_allowed_and_what_was_used(one, tables) -> None:
    result = one([0.1, PRUNED, 0.3, FAILED], from_memory=(3,), budget=Budget(9, 2.5))
    (row,) = tables(result)["Budget of"][1:]
    assert row == [
        *("als", "1", "random, pruner pace", "9 trials or 2.5 seconds"),
        *("4", "2", "1", "1", "1", "4.00", "2"),
    ]


def test_hyperparameters_stand_with_their_space(one, tables) -> None:
    rows = tables(one(seed=1), one([0.1, 0.2, 0.3], seed=2))["Hyperparameters plays"]
    assert rows[1:] == [
        ["als", "reg", "0.001 to 10 (log)", "0.5", "1.5 to 2.5"],
        ["als", "weights", "none, log1p", "none", "none"],
    ]


def curves(metrics, *results, per_grid=None):
    (table,) = comparison(results, (10,), metrics)
    result = grids(table, tuned(table), per_grid)
    return {
        word: [[h.text for h in g.heads], *([e.text for e in r] for r in g.rows)]
        for g in result
        for word in ("by trials", "by seconds")
        if word in g.caption and g.caption.startswith("Best")
    }


def test_the_best_so_far_stands_at_round_budgets_and_at_the_last(one, metrics) -> None:
    long, short = [n / 100 for n in range(1, 13)], [0.2, 0.1, 0.3]
    result = curves(metrics, one(long), one(short, model="bpr"))
    assert result["by trials"] == [
        ["model", "1", "2", "5", "10", "12"],
        ["als", "0.0100", "0.0200", "0.0500", "0.1000", "0.1200"],
        ["bpr", "0.2000", "0.2000", NOTHING, NOTHING, NOTHING],
    ]
    assert result["by seconds"] == [
        ["model", "1 s", "2 s", "5 s", "10 s", "20 s"],
        ["als", "0.0100", "0.0200", "0.0500", "0.1000", "0.1200"],
        ["bpr", "0.2000", "0.2000", "0.3000", NOTHING, NOTHING],
    ]


def test_of_too_many_budgets_the_largest_are_kept(one, metrics) -> None:
    result = curves(metrics, one([0.1] * 60), per_grid=3)
    assert result["by trials"][0] == ["model", "20", "50", "60"]
    assert result["by seconds"][0] == ["model", "20 s", "50 s", "100 s"]


def test_the_expected_best_has_its_interval_and_its_reason(one, tables, notes_of) -> None:
    random, tpe = one([0.2, 0.1, 0.5, 0.3, PRUNED, 0.4]), one(sampler="tpe", model="bpr")
    rows = tables(random, tpe)["Expected best"]
    assert rows[0] == ["model", "1", "2", "5", "6"]
    assert [row[:2] for row in rows[1:]] == [["als", "0.2000"]]
    assert rows[1][2] == "0.3200"  # mean of 0.2, 0.5, 0.3, 0.2, 0.4
    text = "\n".join(notes_of(random, tpe))
    assert "Expected best of als: as the expected maximum of independent draws (Dodge et al. 2019" in text
    assert "small budgets look worse" in text
    assert "No expected best of bpr: one search by tpe" in text


def pareto_of(one):
    objectives = {"ndcg@10": [0.1, 0.3, 0.2], "novelty@10": [9.0, 1.0, 5.0]}
    rule = {"rule": "tolerance", "tolerance": 0.4}
    best = trial(2, 0.2, parameters={"reg": 2.5, "weights": "none"})
    more = {"pareto": (0, 1, 2), "best": best, "pareto_selection": rule}
    return one([0.1, 0.3, 0.2], objectives=objectives, **more)


def test_the_pareto_set_is_shown_with_the_picked_one_marked(one, tables, notes_of) -> None:
    result = tables(pareto_of(one))
    assert result["Pareto set"] == [
        ["model", "trial", "ndcg@10", "novelty@10", "picked", "hyperparameters"],
        ["als", "1", "0.3", "1", "no", "reg=1.5, weights=none"],
        ["als", "2", "0.2", "5", "yes", "reg=2.5, weights=none"],
        ["als", "0", "0.1", "9", "no", "reg=0.5, weights=none"],
    ]
    assert "Best validation" not in result
    text = "\n".join(notes_of(pareto_of(one)))
    assert "the trial that tune.pareto_selection takes (rule=tolerance, tolerance=0.4)" in text
    assert "No expected best of als: with several objectives" in text


def test_only_the_picked_one_is_bold(one, metrics) -> None:
    (table,) = comparison([pareto_of(one)], (10,), metrics)
    (grid,) = (g for g in grids(table, tuned(table)) if g.caption.startswith("Pareto"))
    assert [any(e.bold for e in row) for row in grid.rows] == [False, True, False]


def test_what_lies_at_an_end_of_its_space_is_a_warning_and_comes_first(one, notes_of) -> None:
    results = [one(seed=s, edges=[f"reg={s} lies at the low end of its space: widen it"]) for s in (1, 2)]
    assert notes_of(*results)[:2] == tuple(
        f"Warning, als (tune=optuna), split seed 42, seed {s}: reg={s} lies at the low end of its space: "
        "widen it."
        for s in (1, 2)
    )


def test_notes_name_each_reason_once(make, one, notes_of) -> None:
    results = [one(seed=s, model=m) for m in ("als", "bpr") for s in (1, 2)]
    lines = notes_of(*results, make("popularity", NDCG, target="toys.Popularity"), make("random", NDCG))
    assert "No search space, so as configured: popularity, random." in lines
    assert sum("No importance of als, bpr: 1 trial beside" in note for note in lines) == 1
    assert sum("Test scores before and after tuning of als, bpr: the untuned" in note for note in lines) == 1


def test_a_terminal_has_a_row_height_search(make, one, metrics) -> None:
    plain = make("als", {"ndcg": {"10": (0.2, 0.02)}}, space=SPACE)
    results = (
        plain,
        one(edges=["reg=1.5 lies at the high end of its space: widen it"]),
        make("popularity", NDCG, target="toys.Popularity"),
    )
    (table,) = comparison(results, (10,), metrics)
    assert lines(table, tuned(table)) == (
        "als (tune=optuna): ndcg@10 0.1000 to 0.2000 on validation, 0.2000 to 0.2500 on test; 2 trials, "
        "2.0 s; reg=1.5, weights=none",
        "Warning, als (tune=optuna): reg=1.5 lies at the high end of its space: widen it.",
        "No search space, so as configured: popularity.",
    )


def test_where_the_defaults_failed_or_nothing_is_known_on_test_the_line_leaves_it_out(one, metrics) -> None:
    (table,) = comparison([one([FAILED, 0.2], metric="recall@10")], (10,), metrics)
    assert lines(table, tuned(table))[0] == (
        "als (tune=optuna): recall@10 0.2000 on validation; 2 trials, 2.0 s; reg=1.5, weights=none"
    )
