from __future__ import annotations

from bakeoff.queries.comparison import comparison
from bakeoff.report.document import definition, document
from bakeoff.report.view import NOTHING


def written(results, metrics, ks=(5, 10), commands=(), per_grid=None):
    return document("first", results, comparison(results, ks, metrics), metrics, commands, per_grid=per_grid)


def numbers(mean=0.5):
    return {
        "ndcg": {"5": (mean, 0.01), "10": (mean, 0.01)},
        "gini": {"5": (mean, None), "10": (mean, None)},
        "mean_popularity": {"5": (mean, 0.1), "10": (mean, 0.1)},
        "auc": {"": (mean, 0.1)},
    }


def test_there_is_a_grid_for_each_k_and_one_without(make, metrics) -> None:
    (section,) = written([make("als", numbers())], metrics).sections
    assert [g.caption for g in section.metrics] == [
        "plays, split random, k = 5",
        "plays, split random, k = 10",
        "plays, split random, without cutoff",
    ]
    assert [h.text for h in section.metrics[0].heads] == ["model", "ndcg", "gini", "mean_popularity"]
    assert [h.text for h in section.metrics[2].heads] == ["model", "auc"]


def test_wide_grids_are_parted_evenly(make, metrics) -> None:
    (section,) = written([make("als", numbers())], metrics, per_grid=2).sections
    assert [g.caption.partition("random, ")[2] for g in section.metrics] == [
        "k = 5 (1 of 2)",
        "k = 5 (2 of 2)",
        "k = 10 (1 of 2)",
        "k = 10 (2 of 2)",
        "without cutoff",
    ]
    assert [len(g.heads) for g in section.metrics] == [2, 3, 2, 3, 2]


def test_every_grid_of_a_section_has_every_row(make, metrics) -> None:
    results = [make("als", numbers()), make("ease", status="skipped", reason="needs 90 GB")]
    (section,) = written(results, metrics).sections
    for grid in (*section.metrics, section.costs):
        assert [row[0].text for row in grid.rows] == ["als", "ease"]
        assert {len(row) for row in grid.rows} == {len(grid.heads)}
    assert [entry.text for entry in section.costs.rows[1]] == [
        *("ease", NOTHING, NOTHING, NOTHING, "skipped"),
        "skipped: needs 90 GB",
    ]


def test_a_section_says_what_was_split(make, metrics) -> None:
    counts = {"test_pairs": 1234, "train_pairs": 9, "catalogue": 7, "test_users": 50}
    counts |= {"train_last": "2020-01-01T00:00:00Z", "dropped_cold_users": 3, "dropped_cold_items": 0}
    results = [make("als", numbers(), split_seed=s, counts=counts) for s in (1, 2)]
    (section,) = written(results, metrics).sections
    assert [h.text for h in section.splits.heads] == ["split seed", "fingerprint"]
    assert [[entry.text for entry in row] for row in section.splits.rows] == [
        [s, f"s{s}"] for s in ("1", "2")
    ]
    assert section.splits.notes == (
        "The same in every row: users evaluated 50, catalogue 7, train pairs 9, test pairs 1,234, "
        "other counts dropped cold users 3; train last 2020-01-01T00:00:00Z.",
    )


def test_folds_stand_with_their_split_seed(make, metrics) -> None:
    (section,) = written([make("als", numbers(), fold=f) for f in (0, 1)], metrics).sections
    assert [row[0].text for row in section.splits.rows] == ["42, fold 0", "42, fold 1"]


def test_the_seconds_of_tuning_are_shown_where_there_was_any(make, metrics) -> None:
    plain, tuned = (
        make("als", numbers()),
        make("warp", numbers(), tune={"name": "optuna"}, seconds={"tune": 90.0}),
    )
    heads = [[h.text for h in written(r, metrics).sections[0].costs.heads] for r in ([plain], [plain, tuned])]
    assert "tune (s)" not in heads[0]
    assert "tune (s)" in heads[1]


def test_the_summary_counts_cells_as_asked(make, metrics) -> None:
    results = [make("a", numbers(), key="c", seed=s) for s in (1, 2)] + [
        make("b", status="failed", reason="x")
    ]
    assert written(results, metrics).summary == (
        "3 cells (data set, split, model, seeds): 2 done, 0 skipped, 1 failed."
    )


def test_a_definition_is_the_first_sentence_and_the_direction(metrics) -> None:
    assert definition(metrics["ndcg"]) == "dcg / ideal over min(k, R) (higher is better)"
    assert definition(metrics["gini"]) == "Gini index of the lists (lower is better)"
    assert definition(metrics["mean_popularity"]) == "Mean users of an item (neither end is better)"


def test_environments_are_those_of_the_numbers_whatever_the_order_of_keys(make, metrics) -> None:
    here = {"bakeoff": "0.1", "python": "3.11", "platform": "Linux", "cpu": "x", "cores": 2, "git": None}
    here["libraries"] = {"numpy": "numpy 2.0", "lightfm": "rectools-lightfm 1.17"}
    there = dict(reversed(here.items()))
    results = [
        make("a", numbers(), environment=here),
        make("b", numbers(), environment=there),
        make("c", status="failed", reason="x", environment={"bakeoff": "0.2"}),
    ]
    line = "bakeoff 0.1, python 3.11, Linux, x, 2 cores, lightfm (rectools-lightfm 1.17), numpy 2.0"
    assert written(results, metrics).environments == (line,)
    elsewhere = make("d", numbers(), environment={"bakeoff": "0.2"})
    assert written([*results, elsewhere], metrics).environments == (
        f"2 cells: {line}",
        "1 cells: bakeoff 0.2",
    )
