"""What two names on the command line stand for."""

from __future__ import annotations

import pytest

from bakeoff.errors import UsageError
from bakeoff.queries.compare import match_cells, match_experiments, match_models
from bakeoff.queries.comparison import comparison

NDCG = {"ndcg": {"10": (0.1, 0.01)}}
COUNTS = {"train_pairs": 400, "test_pairs": 100}


def tables_of(results, metrics):
    return comparison(results, (10,), metrics)


def test_two_cells_of_one_split_are_one_match(make) -> None:
    a, b = make("als", NDCG, key="c1", counts=COUNTS), make("warp", NDCG, key="c2", counts=COUNTS)
    (match,) = match_cells(a, b)
    assert (match.candidate, match.baseline) == ("als (c1)", "warp (c2)")
    (split,) = match.splits
    assert split.keys == (("c1",), ("c2",))
    assert match.cells(split)[0] is a.request.cell
    assert match.same == ()


def test_a_cell_beside_itself_is_known_for_the_same(make) -> None:
    a = make("als", NDCG, key="c1", counts=COUNTS)
    (match,) = match_cells(a, a)
    assert match.same == ("c1",)


def test_a_model_beside_itself_is_the_same_cells_on_every_split(make, metrics) -> None:
    results = [make(m, NDCG, split_seed=at, seed=s) for m in "ab" for at in (1, 2) for s in (1, 2)]
    (match,) = match_models("a", "a", tables_of(results, metrics))
    assert len(match.same) == 4
    (match,) = match_models("a", "b", tables_of(results, metrics))
    assert match.same == ()


def test_cells_of_other_splits_are_refused_in_one_line(make) -> None:
    with pytest.raises(UsageError, match=r"c1 was made on split s1 .*c2 on s2") as error:
        match_cells(make("a", NDCG, key="c1", split_seed=1), make("a", NDCG, key="c2", split_seed=2))
    assert "\n" not in str(error.value)


def test_a_cell_that_failed_has_nothing_to_compare(make) -> None:
    with pytest.raises(UsageError, match="failed: broke"):
        match_cells(make("a", NDCG), make("b", status="failed", reason="broke"))


def test_models_are_matched_in_every_table_that_has_both(make, metrics) -> None:
    results = [make(m, NDCG, dataset=d, seed=s) for m in ("a", "b", "c") for d in "xy" for s in (1, 2)]
    results += [make("b", NDCG, dataset="z"), make("c", NDCG, dataset="z")]
    matches = match_models("a", "b", tables_of(results, metrics))
    assert [m.title for m in matches] == ["x, split random", "y, split random"]
    keys = matches[0].splits[0].keys
    assert (
        [len(k) for k in keys] == [2, 2, 2] and keys[0][0].startswith("c-a") and keys[1][0].startswith("c-b")
    )


def test_a_model_against_itself_is_one_match(make, metrics) -> None:
    results = [make(m, NDCG) for m in ("a", "b")]
    (match,) = match_models("a", "a", tables_of(results, metrics))
    assert match.splits[0].keys[0] == match.splits[0].keys[1]


def test_a_name_that_several_rows_bear_asks_for_the_label(make, metrics) -> None:
    results = [make("als", NDCG, key=f"c{f}", variant=f"factors={f}") for f in (8, 16)]
    results.append(make("warp", NDCG))
    tables = tables_of(results, metrics)
    with pytest.raises(UsageError, match=r"'als \(factors=16\)', 'als \(factors=8\)'"):
        match_models("als", "warp", tables)
    (match,) = match_models("als (factors=8)", "warp", tables)
    assert match.splits[0].keys[0] == ("c8",)
    assert {row.label for row in tables[0].rows} == {"als (factors=8)", "als (factors=16)", "warp"}


def test_an_unknown_model_is_told_the_nearest(make, metrics) -> None:
    tables = tables_of([make("als", NDCG), make("warp", NDCG)], metrics)
    with pytest.raises(UsageError, match="model 'wrap': did you mean 'warp'"):
        match_models("als", "wrap", tables)


def test_models_that_never_meet_are_refused(make, metrics) -> None:
    tables = tables_of([make("als", NDCG, dataset="x"), make("warp", NDCG, dataset="y")], metrics)
    with pytest.raises(UsageError, match="has results of both"):
        match_models("als", "warp", tables)


def test_only_splits_that_both_have_are_shared(make, metrics) -> None:
    results = [make("a", NDCG, split_seed=s) for s in (1, 2, 3)]
    results += [make("b", NDCG, split_seed=s) for s in (2, 3)]
    results += [make("c", NDCG, split_seed=3)]
    (match,) = match_models("a", "b", tables_of(results, metrics))
    assert [p.fingerprint for p in match.splits] == ["s2", "s3"]
    assert [len(p.keys) for p in match.splits] == [2, 2]  # c lacks a split: no part of the family
    assert {r.request.cell.split_seed for r in match.results[0]} == {2, 3}


def test_experiments_are_matched_by_data_split_and_model(make, metrics) -> None:
    new = [make(m, NDCG, key=f"new-{m}", variant="factors=9") for m in ("a", "b")]
    new += [make("popularity", NDCG, key="shared")]
    old = [make(m, NDCG, key=f"old-{m}") for m in ("a", "b")] + [make("popularity", NDCG, key="shared")]
    matches = match_experiments(tables_of(new, metrics), tables_of(old, metrics), ("new", "old"))
    assert [(m.candidate, m.baseline) for m in matches] == [
        ("new: a (factors=9)", "old: a"),
        ("new: b (factors=9)", "old: b"),
    ]
    assert len({m.family for m in matches}) == 1


def test_equal_settings_go_before_equal_names(make, metrics) -> None:
    new = [make("a", NDCG, key=f"n{v}", variant=v) for v in ("f=1", "f=2")]
    old = [make("a", NDCG, key=f"o{v}", variant=v) for v in ("f=2", "f=3")]
    matches = match_experiments(tables_of(new, metrics), tables_of(old, metrics), ("new", "old"))
    assert [(m.candidate, m.baseline) for m in matches] == [
        ("new: a (f=2)", "old: a (f=2)"),
        ("new: a (f=1)", "old: a (f=3)"),
    ]


def test_an_experiment_against_itself_keeps_its_cells(make, metrics) -> None:
    tables = tables_of([make(m, NDCG) for m in ("a", "b")], metrics)
    assert len(match_experiments(tables, tables, ("x", "x"))) == 2


def test_experiments_on_other_rows_are_refused(make, metrics) -> None:
    tables = [tables_of([make("a", NDCG, key=f, fingerprint=f)], metrics) for f in ("s-one", "s-two")]
    with pytest.raises(UsageError, match=r"split_seed 42: experiment 'new' .*s-one.*s-two"):
        match_experiments(tables[0], tables[1], ("new", "old"))


def test_experiments_without_anything_in_common_are_refused(make, metrics) -> None:
    tables = [tables_of([make("a", NDCG, dataset=d)], metrics) for d in "xy"]
    with pytest.raises(UsageError, match=r"x, split random.*y, split random.*in common"):
        match_experiments(tables[0], tables[1], ("new", "old"))
