from __future__ import annotations

from dataclasses import replace

import pytest

from bakeoff.queries.comparison import comparison
from bakeoff.report.view import (
    NO_POPULARITY,
    NOTHING,
    decimals,
    labels,
    notes,
    reason_texts,
    runs_text,
    seconds_entry,
    settings_text,
    status_text,
    value_entry,
    visible,
)


def table_of(results, metrics):
    (table,) = comparison(results, (10,), metrics)
    return table


def ndcg(mean, error=0.012345):
    return {"ndcg": {"10": (mean, error)}}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain_name été 🎵 👩‍👩‍👧 עברית", "plain_name été 🎵 👩‍👩‍👧 עברית"),
        ("a\nb\r\tc\x1b[31m\x00", r"a\nb\r\tc\x1b[31m\x00"),
        ("a\u2028b\u202ec\u2066d\ud800", r"a\u2028b\u202ec\u2066d\ud800"),
    ],
)
def test_hidden_characters_are_shown_and_all_others_kept(text, shown) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown


@pytest.mark.parametrize(
    ("largest", "places"),
    [
        (0.5, 4),
        (1.0, 3),
        (0.99, 4),
        (0.0123, 5),
        (12.3, 2),
        (209.0, 1),
        (4821.0, 0),
        (1e9, 0),
        (0.0, 4),
        (1e-12, 9),
    ],
)
def test_a_column_has_four_figures_of_its_largest_mean(make, metrics, largest, places) -> None:
    table = table_of([make("a", ndcg(largest / 3)), make("b", ndcg(largest))], metrics)
    assert decimals(table, table.columns[0]) == places


def test_a_single_fit_shows_the_interval_over_its_users(make, metrics) -> None:
    table = table_of([make("a", ndcg(0.5)), make("b", {"ndcg": {"10": (0.25, None)}})], metrics)
    texts = [value_entry(row, table.columns[0], 4).text for row in table.rows]
    assert texts == ["0.5000 ± 0.0248★", "0.2500"]  # 50 users: t(0.975, 49) = 2.009575, times 0.012345
    assert notes(table)[0].endswith("95 % interval over users.")


def test_several_fits_show_their_interval(make, metrics) -> None:
    table = table_of([make("a", ndcg(m), seed=s) for s, m in ((1, 0.4), (2, 0.5), (3, 0.6))], metrics)
    (row,), (column,) = table.rows, table.columns
    row = replace(row, values={column: replace(row.values[column], half=0.02)})
    assert value_entry(row, column, 4).text == "0.5000 ± 0.0200"
    assert "interval over users and fits" in notes(replace(table, rows=(row,)))[0]


def test_a_metric_of_some_fits_only_says_so(make, metrics) -> None:
    table = table_of([make("a", ndcg(0.5), seed=1), make("a", {}, seed=2)], metrics)
    assert value_entry(table.rows[0], table.columns[0], 4).text == "0.5000 ± 0.0248, 1 of 2 fits"


def test_runs_and_fits_are_told_apart(make, metrics) -> None:
    results = [make("ease", ndcg(0.1), key="c1", seed=s) for s in (1, 2, 3)]
    results += [make("warp", ndcg(0.1 * s), seed=s) for s in (1, 2)]
    results += [make("warp", seed=3, status="failed", reason="broke")]
    results += [make("als", ndcg(0.1 * s), seed=s) for s in (1, 2, 3)]
    table = table_of(results, metrics)
    assert [runs_text(row, table) for row in table.rows] == ["3", "3 (1 fit)", "2 of 3"]
    assert [status_text(row, table) for row in table.rows] == ["done", "done", "failed, 2 of 3 done"]
    assert reason_texts(table.rows[2], table) == ["failed (split seed 42, seed 3): broke"]
    assert any("counts once" in note for note in notes(table))


def test_a_reason_of_many_runs_counts_them(make, metrics) -> None:
    results = [make("a", seed=s, status="failed", reason="broke") for s in range(5)] + [make("a", seed=9)]
    table = table_of(results, metrics)
    assert reason_texts(table.rows[0], table) == ["failed (5 runs): broke"]


def test_settings_name_the_parameters_the_weights_and_the_tuning(make, metrics) -> None:
    results = [
        make("a", ndcg(0.1), variant="factors=8", build={"weights": "log1p"}, tune={"name": "optuna"}),
        make("b", ndcg(0.1), variant="factors=8,weights=raw", build={"weights": "raw"}),
        make("c", ndcg(0.1)),
    ]
    assert [settings_text(row) for row in table_of(results, metrics).rows] == [
        "factors=8,weights=log1p, tune=optuna",
        "factors=8,weights=raw",
        "",
    ]


def test_settings_that_all_rows_share_are_told_once(make, metrics) -> None:
    def labelled(*weights: str | None) -> tuple[list[str], list[str]]:
        builds = ({} if w is None else {"weights": w} for w in weights)
        table = table_of([make(f"m{n}", ndcg(0.1), build=b) for n, b in enumerate(builds)], metrics)
        _, names = labels(table.rows)
        told = [note for note in notes(table) if "weights=" in note]
        return [", ".join(e.text for e in names[row.label][1:]) for row in table.rows], told

    assert labelled("none", None, "none") == ([""] * 3, ["Every model that has the setting: weights=none."])
    assert labelled("none", "log1p") == (["weights=none", "weights=log1p"], [])


def test_a_comparison_without_popularity_says_so(make, metrics) -> None:
    path = "bakeoff.models.baselines.Popularity"
    assert NO_POPULARITY in notes(table_of([make("a", ndcg(0.1))], metrics))
    assert NO_POPULARITY not in notes(table_of([make("a", ndcg(0.1), target=path)], metrics))


def test_what_could_not_be_measured_is_told_once_for_the_same_models(make, metrics) -> None:
    why = {"auc": "no ranks", "gini": "no ranks"}
    table = table_of([make(m, ndcg(0.1), absent=why) for m in ("a", "b")], metrics)
    assert "Not measured: auc, gini of a, b (no ranks)." in notes(table)


def test_notes_of_records_are_told_with_their_models(make, metrics) -> None:
    table = table_of([make(m, ndcg(0.1), notes=("not repeatable: two threads",)) for m in "ab"], metrics)
    assert "a, b: not repeatable: two threads." in notes(table)


def test_titles_name_variants(make, metrics) -> None:
    table = table_of([make("a", ndcg(0.1))], metrics)
    assert table.title == "plays, split random"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0.00"), (1.234, "1.23"), (12.34, "12.3"), (1234.5, "1,234"), (None, NOTHING)]
)
def test_seconds_have_about_three_figures(seconds, text) -> None:
    assert seconds_entry(seconds).text == text


def test_folds_that_were_not_asked_for_are_told(make, metrics) -> None:
    def notes_for(*folds: int | None) -> list[str]:
        results = [make("a", ndcg(0.5), fold=f) for f in folds]
        for result in results:
            result.request.cell.split.update({"n_folds": 3} if result.request.cell.fold is not None else {})
        return [note for note in notes(table_of(results, metrics)) if "split.fold=" in note]

    assert notes_for(0) == ["Fold 0 of 3 alone; all of them: split.fold=0,1,2."]
    assert notes_for(0, 2) == ["Folds 0, 2 of 3 alone; all of them: split.fold=0,1,2."]
    assert notes_for(0, 1, 2) == notes_for(None) == []


def test_what_is_worth_saying_of_the_data_is_said(make, metrics) -> None:
    table = replace(table_of([make("a", ndcg(0.5))], metrics), of_data=("a test part alone",))
    assert "plays: a test part alone." in notes(table)
