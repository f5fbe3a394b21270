"""`bakeoff compare` on a small store, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bakeoff import cli
from bakeoff.errors import ConfigError
from bakeoff.evaluation.catalogue import metric_paths
from bakeoff.queries.compare import CompareRequest, compare
from bakeoff.run.cell import Cell
from bakeoff.run.runner import EvaluationSpec, Workspace, run_cell
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.record import CellRequest
from bakeoff.storage.store import Store

METRICS = metric_paths(("ndcg", "recall", "gini", "mean_popularity", "rmse"))
EASE = {"_target_": "bakeoff.models.linear.EASE", "l2": 5.0}
POPULARITY = {"_target_": "bakeoff.models.baselines.Popularity"}
NAMES = ("ease", "popularity", "by_item", "shuffled")
BUILDS = (EASE, POPULARITY, {"_target_": "toys.ByItem"}, {"_target_": "toys.Shuffled"})


def cells(split_seeds=(1,), seeds=(1, 2), n_users=60, **builds):
    chosen = dict(zip(NAMES, BUILDS, strict=True)) | builds
    for model, build in chosen.items():
        for split_seed in split_seeds:
            for seed in seeds:
                yield Cell(
                    dataset={"_target_": "toys.Blocks", "name": "blocks", "n_users": n_users, "n_items": 40},
                    split={"_target_": "bakeoff.splits.per_user.Random", "name": "random"},
                    model={"name": model, "build": build},
                    seed=seed,
                    split_seed=split_seed,
                )


def experiment(results: Path, name: str, made, ks=(5, 10)) -> dict[str, str]:
    """Run cells under a name; the key of each model's first cell."""
    workspace, keys = Workspace(Store(results / "store")), {}
    for cell in made:
        if not workspace.store.done(cell.key):
            run_cell(cell, workspace, EvaluationSpec(ks, METRICS), debug=True)
        keys.setdefault(str(cell.model["name"]), cell.key)
    requests = [CellRequest(c.key, c) for c in made]
    Experiment(name).with_cells(requests, "bakeoff run").write(results / name)
    return keys


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare") / "results"
    experiment(folder, "one", list(cells()))
    experiment(folder, "three", list(cells(split_seeds=(1, 2, 3), seeds=(1,))))
    experiment(folder, "worse", list(cells(ease=BUILDS[2])))
    experiment(folder, "other", list(cells(n_users=50)))
    experiment(folder, "other_models", list(cells(ease=BUILDS[2], by_item=POPULARITY)))
    return folder


@pytest.fixture
def run_compare(results, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str) -> tuple[int, str, str]:
        code = cli.main(["compare", *words, f"results_dir={results}", "statistics.resamples=999"])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def test_two_models_are_compared_with_segments_and_users(run_compare) -> None:
    code, out, err = run_compare("ease", "popularity", "name=one", "users=1")
    assert (code, err) == (0, "")
    assert "blocks, split random: ease against popularity" in out
    assert "p corrected by Holm over 6 pairs" in out
    (line,) = [row for row in out.splitlines() if row.startswith("ndcg@10")]
    assert line.split()[-1] == "candidate" and " / " in line
    assert "No test: gini (one number for the whole set of lists, no value for each user)." in out
    assert "Segments of users in ndcg@10" in out and "history: " in out
    assert "Users who gain most in ndcg@10" in out and "user u0" in out and "* i0" in out


def test_the_fits_of_both_are_counted(run_compare) -> None:
    assert "Fits on a split: 2 and 1." in run_compare("shuffled", "ease", "name=one")[1]


@pytest.mark.parametrize(
    ("a", "b", "code", "answer"),
    [
        ("ease", "popularity", 0, "PROMOTED"),
        ("popularity", "ease", 3, "REJECTED"),
        ("ease", "ease", 4, "UNDECIDED"),
    ],
)
def test_a_gate_answers_by_exit_code(run_compare, a, b, code, answer) -> None:
    exit_code, out, _ = run_compare(a, b, "name=one", "--gate", "ndcg@10", "--tolerance=0.002")
    assert exit_code == code
    assert out.rstrip().splitlines()[-1].startswith(f"{answer}: ndcg@10 ")


def test_a_worse_candidate_within_the_margin_is_promoted(run_compare) -> None:
    words = ("popularity", "ease", "name=one", "--gate=ndcg@10")
    assert run_compare(*words, "--non-inferior", "0.99")[0] == 0
    assert run_compare(*words, "non_inferior=0.0001")[0] == 3


def test_several_models_are_one_decision_in_the_document(run_compare) -> None:
    code, out, _ = run_compare("one", "other_models", "--gate=ndcg@10", "--format", "json")
    document = json.loads(out)
    each = [line for one in document["comparisons"] for line in one["metrics"] if line["k"] == 10]
    differences = [line["difference"] for line in each if line["metric"] == "ndcg"]
    decision = document["decision"]
    assert len(differences) == decision["n_matches"] == 2
    assert decision["difference"] == pytest.approx(sum(differences) / 2)
    assert decision["low"] < decision["difference"] < decision["high"]
    assert {"PROMOTED": 0, "REJECTED": 3, "UNDECIDED": 4}[document["answer"]] == code
    assert [one["question"] for one in document["comparisons"]] == ["models", "models"]
    assert all(one["n_splits"] == 1 and one["n_fits"] == [1, 1] for one in document["comparisons"])
    assert all("smaller" in one for one in document["comparisons"])


def test_a_tolerance_beyond_the_interval_leaves_it_undecided(run_compare) -> None:
    assert run_compare("ease", "popularity", "name=one", "--gate", "ndcg@10", "--tolerance", "0.99")[0] == 4


def test_several_splits_are_combined(run_compare) -> None:
    code, out, _ = run_compare("ease", "popularity", "name=three", "--gate=ndcg@5")
    assert "users, 3 splits and fits as random effects" in out
    assert code == 0
    assert "Each split alone, in ndcg@5" in out
    for split_seed in (1, 2, 3):
        assert f"Segments of users in ndcg@5, split_seed {split_seed}" in out
        assert f"Users who gain most in ndcg@5, split_seed {split_seed} (" in out


def test_a_model_or_a_cell_beside_itself_is_said_to_be_the_same(run_compare, results) -> None:
    key = next(c.key for c in cells(seeds=(1,)) if c.model["name"] == "ease")
    message = f"Both are the same cell, {key}: there is nothing to compare, every difference is 0."
    for words in ((key, key), ("ease", "ease", "name=one")):
        code, out, err = run_compare(*words, "--gate", "ndcg@10")
        assert (code, err) == (4, "")
        assert message in out
        assert "Segments" not in out and "No test" not in out
        assert out.rstrip().splitlines()[-1].startswith("UNDECIDED: ndcg@10 +0.0000")
    assert run_compare(key, key)[0] == 0
    out = run_compare("ease", "ease", "name=three", "--gate", "ndcg@10")[1]
    assert "Both are the same 3 cells (" in out
    out = run_compare("one", "one")[1]
    assert out.count("there is nothing to compare") == 4


def test_each_split_is_told_as_if_it_were_alone(results) -> None:
    (comparison,) = compare(
        CompareRequest("ease", "popularity", results, name="three", gate="ndcg@10", users=2)
    )
    assert [s.name for s in comparison.splits] == ["split_seed 1", "split_seed 2", "split_seed 3"]
    made = list(cells(split_seeds=(1, 2, 3), seeds=(1,)))
    for at, split in enumerate(comparison.splits, 1):
        a, b = (
            next(c.key for c in made if c.split_seed == at and c.model["name"] == m)
            for m in ("ease", "popularity")
        )
        ((alone,),) = [one.splits for one in compare(CompareRequest(a, b, results, gate="ndcg@10", users=2))]
        assert alone.alone == split.alone
        assert alone.segments == split.segments and split.segments
        assert alone.gains == split.gains and split.gains
    mean = sum(s.alone.difference for s in comparison.splits) / 3
    assert comparison.leading is not None and comparison.leading.tested is not None
    assert mean == pytest.approx(comparison.leading.tested.difference)


def test_a_split_that_the_store_has_lost_is_named(results, tmp_path) -> None:
    import shutil

    shutil.copytree(results, tmp_path / "results")
    cell = next(c for c in cells(split_seeds=(2,)) if c.model["name"] == "ease")
    shutil.rmtree(Store(tmp_path / "results" / "store").split_folder(cell.split_key))
    (comparison,) = compare(CompareRequest("ease", "popularity", tmp_path / "results", name="three"))
    assert [bool(s.absent) for s in comparison.splits] == [False, True, False]
    assert "holds no split" in comparison.splits[1].absent and not comparison.splits[1].segments


def test_two_experiments_are_matched_by_model(run_compare) -> None:
    code, out, _ = run_compare("one", "worse", "--gate", "ndcg@10")
    assert "one: ease" in out and ": popularity" not in out  # the same cells in both say nothing
    assert code == 0
    assert run_compare("worse", "one", "--gate", "ndcg@10")[0] == 3
    assert run_compare("one", "one", "--gate", "ndcg@10")[0] == 4


def test_two_cells_are_compared_by_their_keys(run_compare, results) -> None:
    keys = {str(c.model["name"]): c.key for c in cells(seeds=(1,))}
    code, out, _ = run_compare(keys["ease"], keys["popularity"], "--gate", "recall@5")
    assert code == 0 and "One pair: p needs no correction." in out


def test_a_metric_of_the_whole_set_is_compared_by_its_number_alone(run_compare) -> None:
    code, out, err = run_compare("ease", "popularity", "name=one", "metrics=[gini]")
    assert (code, err) == (0, "")
    assert "Differences are candidate less baseline; none has a test." in out
    (row,) = [row.split() for row in out.splitlines() if row.startswith("gini@10")]
    assert float(row[1]) - float(row[2]) == pytest.approx(float(row[3]), abs=1.1e-4)
    assert set(row[4:]) == {"–"}  # noqa: RUF001
    assert "Segments" not in out and "Users who" not in out and "p corrected" not in out
    assert "No test: gini (one number for the whole set of lists, no value for each user)." in out


def test_segments_are_told_by_a_metric_of_users_where_one_of_the_whole_set_comes_first(run_compare) -> None:
    out = run_compare("ease", "popularity", "name=one", "metrics=[gini,recall]")[1]
    assert "Segments of users in recall@10" in out


def test_a_cell_beside_itself_is_undecided_even_where_the_metric_has_no_interval(run_compare) -> None:
    code, out, _ = run_compare("ease", "ease", "name=one", "--gate", "gini@10")
    assert code == 4
    assert out.rstrip().splitlines()[-1] == "UNDECIDED: gini@10 +0.0000, the same cells"


def test_any_cutoff_up_to_the_depth_can_be_asked_for(run_compare) -> None:
    code, out, _ = run_compare("ease", "popularity", "name=one", "--gate", "ndcg@7", "metrics=[ndcg]")
    assert code == 0 and "ndcg@7" in out and "recall" not in out


def test_the_test_can_be_chosen(run_compare) -> None:
    out = run_compare(
        "ease", "popularity", "name=one", "statistics.test=wilcoxon", "statistics.correction=bh"
    )[1]
    assert "Wilcoxon's signed ranks" in out and "Benjamini-Hochberg over 6 pairs" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("ease",), "expected two names, got 1"),
        (("ease", "popularity"), "neither two cells nor two experiments"),
        (("ease", "poplarity", "name=one"), "did you mean 'popularity'"),
        (("ease", "popularity", "name=ones"), "did you mean 'one'"),
        (("ease", "popularity", "name=one", "split=radom"), "experiment 'one': split 'radom'"),
        (("ease", "popularity", "name=one", "k=101"), "k=101 is larger than depth=100"),
        (("ease", "popularity", "name=one", "k=0"), "k=0"),
        (("ease", "popularity", "name=one", "--gate", "ndcg"), "ndcg needs a cutoff"),
        (("ease", "popularity", "name=one", "--gate", "ndcg@ten"), "expected a metric and its cutoff"),
        (("ease", "popularity", "name=one", "--gate", "nope@10"), "metrics=nope"),
        (("ease", "popularity", "name=one", "--gate", "gini@10"), "no interval"),
        (("ease", "popularity", "name=one", "--gate", "mean_popularity@10"), "no better end"),
        (("ease", "popularity", "name=one", "--gate", "rmse"), "gate=rmse: not measured"),
        (("ease", "popularity", "name=one", "--gate", "ndcg@10", "--tolerance", "-1"), "tolerance=-1.0"),
        (("ease", "popularity", "name=one", "--gate", "ndcg@10", "--tolerance", "nan"), "tolerance='nan'"),
        (("ease", "popularity", "name=one", "--gate", "ndcg@10", "--tolerance", "x"), "expected a number"),
        (("ease", "popularity", "name=one", "--tolerance", "0.1"), "give one as --gate"),
        (("ease", "popularity", "name=one", "--non-inferior", "0.1"), "give one as --gate"),
        (("ease", "popularity", "name=one", "--gate=ndcg@10", "--non-inferior=0"), "non_inferior=0.0"),
        (
            ("ease", "popularity", "name=one", "--gate=ndcg@10", "--non-inferior=1", "tolerance=1"),
            "two rules of a gate",
        ),
        (("ease", "popularity", "name=one", "statistics.test=u"), "statistics.test='u'"),
        (("ease", "popularity", "name=one", "statistics.seed=x"), "expected a whole number"),
        (("one", "other"), "the data are not the same"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(run_compare, words, message) -> None:
    code, out, err = run_compare(*words)
    assert code == 2 and out == "" and message in err and err.count("\n") == 1


def test_cells_of_two_splits_are_refused(run_compare) -> None:
    keys = [c.key for c in cells(split_seeds=(1, 2), seeds=(1,)) if c.model["name"] == "ease"]
    code, _, err = run_compare(*keys)
    assert code == 2 and "was made on split" in err and err.count("\n") == 1


def test_the_same_question_has_the_same_answer(run_compare) -> None:
    assert run_compare("ease", "shuffled", "name=one") == run_compare("ease", "shuffled", "name=one")


def test_from_python_the_numbers_come_as_they_are(results) -> None:
    (comparison,) = compare(CompareRequest("ease", "popularity", results, name="one", gate="ndcg@10"))
    assert comparison.answer == "PROMOTED" and comparison.leading is not None
    assert comparison.leading.tested is not None and comparison.leading.tested.low > 0
    assert comparison.family_size == 6


def test_a_question_is_checked_when_it_is_asked(results) -> None:
    with pytest.raises(ConfigError, match="users=-1"):
        CompareRequest("a", "b", results, users=-1)


def test_cells_without_a_number_are_refused_in_one_line(run_compare, results) -> None:
    breaks = list(cells(ease={"_target_": "toys.Breaks"}, popularity={"_target_": "toys.Refuses"}))
    workspace = Workspace(Store(results / "store"))
    for cell in breaks[:4]:
        run_cell(cell, workspace, EvaluationSpec((5,), METRICS))
    requests = [CellRequest(c.key, c) for c in breaks[:4]]
    Experiment("broken").with_cells(requests, "bakeoff run").write(results / "broken")
    code, out, err = run_compare("ease", "popularity", "name=broken")
    assert (code, out) == (2, "") and "no finished cell" in err and err.count("\n") == 1
    code, out, err = run_compare(requests[0].key, requests[2].key)
    assert (code, out) == (2, "") and "nothing to compare (failed: " in err and err.count("\n") == 1


def test_one_user_is_no_ground_for_a_test(tmp_path, capsys) -> None:
    """Others have a row each, too few to hold one out."""
    rows = [(u, f"i{i}") for i in range(6) for u in ("u0", f"u{i + 1}")]
    (tmp_path / "log.csv").write_text("user,item\n" + "".join(f"{u},{i}\n" for u, i in rows))
    made = [
        Cell(
            dataset={
                "_target_": "bakeoff.data.readers.Table",
                "name": "log",
                "path": str(tmp_path / "log.csv"),
                "user": "user",
                "item": "item",
            },
            split={"_target_": "bakeoff.splits.per_user.Random", "name": "random"},
            model={"name": model, "build": build},
            depth=2,
        )
        for model, build in (("ease", EASE), ("popularity", POPULARITY))
    ]
    experiment(tmp_path, "one", made, ks=(1,))
    words = ["compare", "ease", "popularity", f"results_dir={tmp_path}", "k=[1]"]
    assert cli.main(words) == 0
    out = capsys.readouterr().out
    assert "(fewer than two users have a value under every model)" in out and "Segments" not in out
    assert cli.main([*words, "--gate", "ndcg@1"]) == 2
    assert "it has no interval (fewer than two users" in capsys.readouterr().err


def test_a_store_without_the_cells_says_so(tmp_path) -> None:
    Experiment("one").with_cells([CellRequest(c.key, c) for c in cells()], "bakeoff run").write(
        tmp_path / "one"
    )
    from bakeoff.errors import UsageError

    with pytest.raises(UsageError, match="holds no finished cell"):
        compare(CompareRequest("ease", "popularity", tmp_path, name="one"))
