"""Train and test that somebody else has parted, and lists made elsewhere: files in, the same numbers out."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from bakeoff import cli
from conftest import HERE

COLUMNS = "'dataset.columns=[user,item,value,time]'"


def run(*words: str) -> int:
    return cli.main(["run", f"--config-dir={HERE / 'conf'}", *words])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def values(name: str, model: str) -> dict[tuple[str, str], float]:
    metric_rows = rows(Path("results") / name / "metrics.csv")
    return {(m["metric"], m["k"]): float(m["value"]) for m in metric_rows if m["model"] == model}


def as_csv(parquet: Path, to: str) -> None:
    import pandas as pd

    pd.read_parquet(parquet).drop(columns="time", errors="ignore").to_csv(to, index=False)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_was_exported_is_measured_alike_when_it_comes_back_as_files(here: Path) -> None:
    assert run("dataset=blocks", "model=by_item", "k=[3,5]", "baselines=[popularity]", "name=ours") == 0
    assert cli.main(["export", "ours", "--to", "plain"]) == 0
    keys = {c["model"]: c["key"] for c in rows(here / "results/ours/cells.csv")}
    for table in ("train", "test", "lists"):
        as_csv(here / "plain" / keys["by_item"] / f"{table}.parquet", f"{table}.csv")
    words = ("dataset=csv", "dataset.path=train.csv", "dataset.value=value", "split=predefined")
    words = (
        *words,
        "split.test=test.csv",
        "k=[3,5]",
        "name=theirs",
        "model=external",
        "model.path=lists.csv",
    )
    assert run(*words, "baselines=[popularity]") == 0
    from_model, from_lists = values("ours", "by_item"), values("theirs", "external")
    assert from_lists.keys() <= from_model.keys() and ("ndcg", "3") in from_lists
    assert from_lists == pytest.approx({column: from_model[column] for column in from_lists})
    assert values("theirs", "popularity") == pytest.approx(values("ours", "popularity"))


def parted(folder: Path) -> tuple[str, ...]:
    """MovieLens's layout in small: no header, tabs; every fifth row is test."""
    lines = [
        f"{u}\t{i}\t{1 + (u * i) % 5}\t{1000 * u + i}" for u in range(1, 31) for i in range(u % 3, 40, 2)
    ]
    for name, part in (("u1.base", 1), ("u1.test", 0)):
        lines_of_part = [line for at, line in enumerate(lines) if bool(at % 5) == bool(part)]
        (folder / name).write_text("\n".join(lines_of_part) + "\n")
    return ("dataset=csv", "dataset.path=u1.base", "split=predefined", "split.test=u1.test", "k=[3]")


def test_a_file_without_a_header_is_told_what_to_write(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = parted(here)
    tabs = "dataset.separator='\\t'"
    for more, message in (((), tabs), ((tabs,), "'dataset.columns=[user,item,...]'")):
        assert run(*words, *more) == 2
        assert message in capsys.readouterr().err
    assert run(*words, tabs, COLUMNS.strip("'"), "dataset.value=value", "dataset.time=time") == 0
    assert len(list(here.glob("results/*/metrics.csv"))) == 1


def test_a_parameter_of_one_split_is_refused_by_the_others_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "split=random", "split.test=x.csv"]) == 2
    assert "split.test: there is no such option of split 'random'" in capsys.readouterr().err


def test_a_test_part_that_changed_under_a_stored_split_is_named(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (*parted(here), "dataset.separator='\\t'", COLUMNS.strip("'"), "name=e", "baselines=[]")
    assert run(*words, "model=by_item") == 0
    (here / "u1.test").write_text((here / "u1.test").read_text().rpartition("\n30\t")[0] + "\n")
    assert run(*words, "model=shuffled") == 2
    message = capsys.readouterr().err
    assert "the files of split 'predefined' (u1.test) changed after experiment 'e' stored" in message


@pytest.mark.parametrize("header", ["who,item,rank", "user,item,place"])
def test_a_file_of_lists_without_a_column_is_told_what_it_needs(
    here: Path, capsys: pytest.CaptureFixture[str], header: str
) -> None:
    (here / "lists.csv").write_text(f"{header}\nu000,i000,1\n")
    assert run("dataset=blocks", "model=external", "model.path=lists.csv") == 2
    assert "which a file of lists (user, item, and rank or score) needs" in capsys.readouterr().err


@pytest.mark.slow
def test_movielens_own_parts_give_the_popularity_that_counting_gives(here: Path, real_data: Path) -> None:
    words = ("dataset=ml_100k", "dataset.path=u1.base", "split=predefined", "split.test=u1.test", "k=[10]")
    assert run(*words, "model=popularity", "baselines=[]", "name=u1") == 0

    def pairs(name: str) -> list[tuple[int, int]]:
        lines = (real_data / "ml-100k" / name).read_text().splitlines()
        return [(int(u), int(i)) for u, i, *_ in (line.split("\t") for line in lines)]

    train, test = pairs("u1.base"), pairs("u1.test")
    counts = Counter(item for _, item in train)
    order = sorted(counts, key=lambda item: (-counts[item], item))
    seen: dict[int, set[int]] = {}
    for user, item in train:
        seen.setdefault(user, set()).add(item)
    sought: dict[int, set[int]] = {}
    for user, item in test:
        if item in counts:
            sought.setdefault(user, set()).add(item)
    lists = {u: [i for i in order if i not in seen.get(u, set())][:10] for u in sought}
    precision = sum(len(sought[u].intersection(lists[u])) / 10 for u in sought) / len(sought)
    assert values("u1", "popularity")["precision", "10"] == pytest.approx(precision, abs=1e-4)
