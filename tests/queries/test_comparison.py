from __future__ import annotations

import msgspec
import pytest

from bakeoff.errors import UsageError
from bakeoff.queries.comparison import Column, Run, comparison
from bakeoff.queries.select import Result
from bakeoff.storage.record import CellRequest

NDCG = Column("ndcg", 10)


def ndcg(mean: float, error: float | None = 0.01) -> dict[str, dict[str, tuple[float, float | None]]]:
    return {"ndcg": {"10": (mean, error)}}


def test_each_data_set_and_split_has_its_own_table(make, metrics) -> None:
    results = [make(m, ndcg(0.1), dataset=d, split=s) for m in "ab" for d in "xy" for s in "pq"]
    tables = comparison(results, (10,), metrics)
    assert [(t.dataset, t.split) for t in tables] == [("x", "p"), ("x", "q"), ("y", "p"), ("y", "q")]
    assert [[row.model for row in t.rows] for t in tables] == [["a", "b"]] * 4


def test_seeds_split_seeds_and_folds_are_runs_of_one_row(make, metrics) -> None:
    runs = [(p, f, s) for p in (0, 1) for f in (0, 1) for s in (1, 2)]
    results = [make("als", ndcg(0.1 * i), split_seed=p, fold=f, seed=s) for i, (p, f, s) in enumerate(runs)]
    (table,) = comparison(results, (10,), metrics)
    assert table.runs == tuple(Run(*run) for run in runs)
    (row,) = table.rows
    assert (row.done, row.fits) == (8, 8)
    assert row.values[NDCG].mean == pytest.approx(0.35)
    assert [part.instances for part in table.parts] == [((0, 0),), ((0, 1),), ((1, 0),), ((1, 1),)]


def test_a_stored_record_that_stands_for_several_seeds_counts_once(make, metrics) -> None:
    results = [
        make("ease", ndcg(p / 10), key=f"c{p}", split_seed=p, seed=s) for p in (1, 2) for s in (1, 2, 3)
    ]
    (table,) = comparison(results, (10,), metrics)
    (row,) = table.rows
    assert (row.done, row.fits) == (6, 2)
    assert (row.values[NDCG].mean, row.values[NDCG].fits) == (pytest.approx(0.15), 2)


def test_the_best_is_marked_by_direction_and_equals_share_it(make, metrics) -> None:
    numbers = {"a": (0.2, 0.9, 5.0, 0.5), "b": (0.3, 0.1, 9.0, 0.5), "c": (0.3, 0.1, 1.0, 0.4)}
    results = [
        make(
            m,
            {
                "ndcg": {"10": (n, 0.01)},
                "gini": {"10": (g, None)},
                "mean_popularity": {"10": (p, 0.1)},
                "auc": {"": (a, 0.1)},
            },
        )
        for m, (n, g, p, a) in numbers.items()
    ]
    (table,) = comparison(results, (10,), metrics)
    assert table.columns == (NDCG, Column("gini", 10), Column("mean_popularity", 10), Column("auc", None))
    best = {c.metric: sorted(row.model for row in table.rows if row.values[c].best) for c in table.columns}
    assert best == {"ndcg": ["b", "c"], "gini": ["b", "c"], "mean_popularity": [], "auc": ["a", "b"]}


def test_a_model_that_lacks_runs_is_never_best(make, metrics) -> None:
    results = [make("good", ndcg(0.9), seed=1), make("good", seed=2, status="failed", reason="broke")]
    results += [make(m, ndcg(v), seed=s) for m, v in (("fair", 0.5), ("poor", 0.1)) for s in (1, 2)]
    (table,) = comparison(results, (10,), metrics)
    rows = {row.model: row for row in table.rows}
    assert [m for m, row in rows.items() if row.values[NDCG].best] == ["fair"]
    good = rows["good"]
    assert (good.done, good.status, good.values[NDCG].mean) == (1, "failed", 0.9)
    assert [(r.status, r.reason, r.runs) for r in good.reasons] == [("failed", "broke", (Run(42, None, 2),))]


def test_a_model_without_chance_has_every_seed_that_others_were_asked_for(make, metrics) -> None:
    plain = "bakeoff.models.baselines.Popularity"
    (request, record) = make("pop", ndcg(0.9), target=plain, seed=1)
    results = [
        Result(
            CellRequest(request.cell.key, request.cell), msgspec.structs.replace(record, key=request.cell.key)
        )
    ]
    results += [make("als", ndcg(0.5), target="toys.Shuffled", seed=s) for s in (1, 2)]
    (table,) = comparison(results, (10,), metrics)
    rows = {row.model: row for row in table.rows}
    assert (rows["pop"].done, rows["pop"].fits) == (2, 1)
    assert rows["pop"].values[NDCG].best


def test_a_model_with_a_metric_in_some_of_its_fits_only_is_not_best_in_it(make, metrics) -> None:
    results = [make("a", ndcg(0.9), seed=1), make("a", {}, seed=2)]
    results += [make(m, ndcg(v), seed=s) for m, v in (("b", 0.5), ("c", 0.1)) for s in (1, 2)]
    (table,) = comparison(results, (10,), metrics)
    assert {row.model: row.values[NDCG].best for row in table.rows} == {"a": False, "b": True, "c": False}


def test_a_lone_model_is_not_called_best(make, metrics) -> None:
    (table,) = comparison([make("als", ndcg(0.9)), make("warp", status="skipped")], (10,), metrics)
    assert not any(v.best for row in table.rows for v in row.values.values())


def test_failed_and_skipped_models_stay_as_rows(make, metrics) -> None:
    results = [
        make("als", ndcg(0.9)),
        make("ease", status="skipped", reason="needs 90 GB"),
        make("warp", status="failed", reason="broke", fingerprint=""),
    ]
    (table,) = comparison(results, (10,), metrics)
    assert [(r.model, r.status, r.done, r.peak_mb) for r in table.rows] == [
        ("als", "done", 1, 200.0),
        ("ease", "skipped", 0, None),
        ("warp", "failed", 0, None),
    ]


def test_a_cell_that_failed_before_its_split_stands_with_the_others(make, metrics) -> None:
    lost = make(
        "warp", target="toys.ByItem", status="failed", reason="broke", fingerprint="", split_family=""
    )
    other = make("als", ndcg(0.9), target="toys.ByItem", split_family=lost.request.cell.split_family)
    (table,) = comparison([lost, other], (10,), metrics)
    assert [row.model for row in table.rows] == ["als", "warp"]


def test_two_fingerprints_in_one_place_are_refused_and_named(make, metrics) -> None:
    results = [make("als", ndcg(0.1), fingerprint="s-one"), make("warp", ndcg(0.2), fingerprint="s-two")]
    with pytest.raises(UsageError, match=r"'plays', split 'random', split_seed 42.*s-one.*s-two"):
        comparison(results, (10,), metrics)


def test_splits_of_other_seeds_and_folds_have_their_own_fingerprints(make, metrics) -> None:
    results = [make("als", ndcg(0.1), split_seed=p, fold=f) for p in (1, 2) for f in (0, 1)]
    (table,) = comparison(results, (10,), metrics)
    assert [part.fingerprint for part in table.parts] == ["s1-0", "s1-1", "s2-0", "s2-1"]


def test_a_split_without_chance_is_one_part_for_all_split_seeds(make, metrics) -> None:
    results = [make("als", ndcg(0.1), key="c", split_seed=p, fingerprint="s") for p in (1, 2)]
    (table,) = comparison(results, (10,), metrics)
    assert [part.instances for part in table.parts] == [((1, None), (2, None))]
    assert table.rows[0].fits == 1


def test_one_run_under_two_keys_is_refused(make, metrics) -> None:
    results = [make("als", ndcg(0.1), key="c-old"), make("als", ndcg(0.2), key="c-new")]
    with pytest.raises(UsageError, match=r"c-new.*c-old|c-old.*c-new"):
        comparison(results, (10,), metrics)


def test_rows_of_one_name_tell_what_they_differ_in(make, metrics) -> None:
    results = [
        make("als", ndcg(0.1), key="c1", build={"factors": 8, "alpha": 1}),
        make("als", ndcg(0.2), key="c2", build={"factors": 16, "alpha": 1}),
        make("als", ndcg(0.2), key="c3", build={"factors": 16, "alpha": 1}, depth=20),
        make("warp", ndcg(0.2), key="c4", build={"factors": 16, "alpha": 1}),
    ]
    (table,) = comparison(results, (10,), metrics)
    assert {(row.model, row.differs) for row in table.rows} == {
        ("als", "depth=100,factors=8"),
        ("als", "depth=100,factors=16"),
        ("als", "depth=20,factors=16"),
        ("warp", ""),
    }


def test_tuned_and_untuned_are_two_rows(make, metrics) -> None:
    results = [
        make("als", ndcg(0.1), key="c1"),
        make("als", ndcg(0.2), key="c2", tune={"_target_": "x.Optuna", "name": "optuna"}),
    ]
    (table,) = comparison(results, (10,), metrics)
    assert [(row.tune, row.differs) for row in table.rows] == [("optuna", ""), ("none", "")]


def test_weights_are_those_that_were_fitted(make, metrics) -> None:
    results = [
        make("a", ndcg(0.1), build={"weights": "raw"}, parameters={"weights": "log1p"}),
        make("b", status="failed", build={"weights": "raw"}),
        make("c", ndcg(0.1)),
    ]
    (table,) = comparison(results, (10,), metrics)
    assert {row.model: row.weights for row in table.rows} == {"a": "log1p", "b": "raw", "c": ""}


def test_popularity_is_known_by_its_class_and_only_where_it_has_results(make, metrics) -> None:
    path = "bakeoff.models.baselines.Popularity"
    named = make("popularity", ndcg(0.1), target="toys.Model")
    real = make("p", ndcg(0.1), target=path)
    failed = make("p", target=path, status="failed")
    has_popularity = [comparison([r], (10,), metrics)[0].has_popularity for r in (named, real, failed)]
    assert has_popularity == [False, True, False]


def test_seconds_are_means_over_fits_and_memory_the_highest(make, metrics) -> None:
    results = [
        make("a", ndcg(0.1), seed=s, seconds={"fit": t}, peak_mb=m)
        for s, t, m in ((1, 1.0, 10.0), (2, 3.0, 7.0))
    ]
    (row,) = comparison(results, (10,), metrics)[0].rows
    assert (row.seconds["fit"], row.seconds["recommend"], row.peak_mb) == (2.0, 0.0, 10.0)


def test_what_was_not_asked_for_is_not_told(make, metrics) -> None:
    result = make("a", {"ndcg": {"5": (0.1, 0.1), "10": (0.2, 0.1)}, "rmse": {"": (1.0, None)}})
    result.record.absent["mae"] = "no values"  # type: ignore[index]
    result.record.absent["auc"] = "no ranks"  # type: ignore[index]
    (table,) = comparison([result], (10,), metrics)
    assert table.columns == (NDCG,)
    assert table.rows[0].absent == {"auc": "no ranks"}
