from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bakeoff import config_files
from bakeoff.data.readers import Table
from bakeoff.data.source import ItemTitles
from bakeoff.errors import ConfigError, DataError
from bakeoff.run.cell import build_source

PLAYS = "user,track,artist,n\na,t1,Blur,1\nb,t2,Muse,2\nc,t1,Muse,1\n"


@pytest.fixture
def side(tmp_path):
    """Features of the users of three plays, from a side table of this text."""

    def make(text, role="users", suffix="csv", **parameters):
        (tmp_path / "plays.csv").write_text(PLAYS)
        (tmp_path / f"side.{suffix}").write_text(text)
        table = {"path": str(tmp_path / f"side.{suffix}"), **parameters}
        item = ["track", "artist"] if role == "items" else "track"
        dataset = Table(path=str(tmp_path / "plays.csv"), item=item, value="n", **{role: table}).load()
        features = getattr(dataset.interactions, f"{role[:-1]}_features")
        frame = pd.DataFrame(features.matrix.toarray(), columns=features.names)
        return frame, dataset.steps[-1]

    return make


def test_categories_have_a_column_each(side):
    frame, step = side("user,country\na,UK\nb,IE\nc,UK\n", categorical=["country"])
    assert frame.to_dict("list") == {"country=IE": [0, 1, 0], "country=UK": [1, 0, 1]}
    assert step.name == "user features"
    assert step.note == "2 features, 3 of 3 users have any"


def test_users_that_the_table_lacks_have_none_and_strangers_are_left_out(side):
    frame, step = side("user,country\na,UK\nz,FR\nb,\n", categorical=["country"])
    assert frame.to_dict("list") == {"country=UK": [1, 0, 0]}
    assert step.note == "1 features, 1 of 3 users have any"


def test_a_key_in_several_rows_has_all_their_categories_once(side):
    frame, _ = side("user,tag\na,rock\na,pop\na,rock\n", categorical=["tag"])
    assert frame.to_dict("list") == {"tag=pop": [1, 0, 0], "tag=rock": [1, 0, 0]}


def test_several_values_in_a_field_are_cut_at_the_separator(side):
    frame, _ = side("user,genres\na,rock|pop\nb,pop| folk |\n", multi={"genres": "|"})
    assert frame.to_dict("list") == {
        "genres=folk": [0, 1, 0],
        "genres=pop": [1, 1, 0],
        "genres=rock": [1, 0, 0],
    }


def test_whole_numbers_are_listed_by_size(side):
    frame, _ = side("user,zone\na,10\nb,9\nc,x\n", categorical=["zone"])
    assert list(frame) == ["zone=9", "zone=10", "zone=x"]


def test_numbers_are_standardised_over_those_that_have_one(side):
    frame, _ = side("user,age\na,20\nb,40\n", numeric={"age": "standardise"})
    assert frame["age"].tolist() == [-1, 1, 0]


def test_a_number_that_all_share_is_no_feature(side):
    frame, _ = side("user,age,c\na,20,x\nb,20,y\n", numeric={"age": "standardise"}, categorical=["c"])
    assert list(frame) == ["c=x", "c=y"]


def test_the_mean_is_taken_of_a_keys_numbers(side):
    frame, _ = side("user,age\na,10\na,30\nb,40\n", numeric={"age": [25]})
    assert frame.to_dict("list") == {"age=<25": [1, 0, 0], "age=>=25": [0, 1, 0]}


def test_bins_hold_their_lower_edge(side):
    frame, _ = side("user,age\na,17.9\nb,18\nc,30\n", numeric={"age": [18, 30, 50]})
    assert frame.to_dict("list") == {"age=<18": [1, 0, 0], "age=18-30": [0, 1, 0], "age=30-50": [0, 0, 1]}


@pytest.mark.parametrize(("no", "yes"), [("0", "1"), ("False", "True"), ("0.0", "1.0"), ("", "y")])
def test_flags_named_or_by_pattern_are_columns_of_their_group(side, no, yes):
    text = f"user,is_low,is_high,other\na,{yes},{no},1\nb,{no},{yes},1\n"
    for patterns in (["is_low", "is_high"], ["is_*"]):
        frame, _ = side(text, flags={"activity": patterns})
        assert frame.to_dict("list") == {"activity=is_low": [1, 0, 0], "activity=is_high": [0, 1, 0]}


def test_codes_are_called_by_their_labels(side, tmp_path):
    (tmp_path / "tags.tsv").write_text("id\tname\n1\tmétal\n2\tpop\n", encoding="latin1")
    labels = {"tag": {"path": str(tmp_path / "tags.tsv"), "key": "id", "label": "name", "encoding": "latin1"}}
    frame, _ = side("user,tag\na,1\nb,2\nc,3\n", categorical=["tag"], labels=labels)
    assert list(frame) == ["tag=3", "tag=métal", "tag=pop"]


def test_a_key_of_several_columns_is_found(side):
    text = "track,artist,year\nt1,Blur,1994\nt1,Muse,2003\nt2,Muse,2006\n"
    frame, step = side(text, role="items", categorical=["year"])
    assert frame.to_numpy().tolist() == np.eye(3).tolist()
    assert step.name == "item features"


def test_the_interactions_own_file_can_be_the_side_table(tmp_path):
    path = tmp_path / "plays.tsv"
    path.write_text("who\ttrack\tcountry\na\tx\tUK\na\ty\tUK\nb\tx\tIE\n")
    data = (
        Table(path=str(path), user="who", item="track", users={"categorical": ["country"]})
        .load()
        .interactions
    )
    assert data.user_features.names == ("country=IE", "country=UK")
    assert data.user_features.matrix.toarray().tolist() == [[0, 1], [1, 0]]


def test_numeric_ids_are_found_whatever_type_the_side_table_gives_them(tmp_path):
    (tmp_path / "plays.csv").write_text("user,item\n1,x\n20,y\n")
    pd.DataFrame({"user": [20.0, 1.0, None], "c": ["p", "q", "r"]}).to_parquet(tmp_path / "side.parquet")
    users = {"path": str(tmp_path / "side.parquet"), "categorical": ["c"]}
    features = Table(path=str(tmp_path / "plays.csv"), users=users).load().interactions.user_features
    assert features.matrix.toarray().tolist() == [[0, 1], [1, 0]]
    (tmp_path / "side.csv").write_text("user,c\n20,p\n1,q\nx,r\n")
    users["path"] = str(tmp_path / "side.csv")
    features = Table(path=str(tmp_path / "plays.csv"), users=users).load().interactions.user_features
    assert features.matrix.toarray().tolist() == [[0, 1], [1, 0]]


def test_a_missing_column_is_named(side):
    with pytest.raises(
        DataError, match=r"side\.csv: no column 'land', which dataset\.users names; .*country"
    ):
        side("user,country\na,UK\n", categorical=["land"])


def test_a_text_where_a_number_is_due_is_named(side):
    with pytest.raises(DataError, match=r"side\.csv: row 3, column 'age': found 'old', expected a number"):
        side("user,age\na,20\nb,old\n", numeric={"age": [18]})


def test_an_infinite_number_is_named(side):
    with pytest.raises(DataError, match=r"side\.csv: row 3, column 'age'"):
        side("user,age\na,20\nb,inf\n", numeric={"age": [18]})


def test_an_empty_side_table_is_an_error(side):
    with pytest.raises(DataError, match=r"side\.csv: no rows"):
        side("user,country\n", categorical=["country"])


def test_a_column_is_a_number_or_a_category(side):
    with pytest.raises(ConfigError, match="'age' is a key, a category or a flag already"):
        side("user,age\na,20\n", numeric={"age": [18]}, categorical=["age"])


def test_labels_need_a_table(side):
    with pytest.raises(ConfigError, match=r"dataset\.users\.labels\.tag: expected path, key and label"):
        side("user,tag\na,1\n", categorical=["tag"], labels={"tag": {"path": "x"}})


def test_the_identity_holds_every_file(tmp_path, side):
    side("user,tag\na,1\n", categorical=["tag"])
    (tmp_path / "tags.csv").write_text("id,name\n1,pop\n")
    labels = {"tag": {"path": str(tmp_path / "tags.csv"), "key": "id", "label": "name"}}
    users = {"path": str(tmp_path / "side.csv"), "categorical": ["tag"], "labels": labels}
    source = Table(path=str(tmp_path / "plays.csv"), item="track", users=users)
    assert set(source.identity()["files"]) == {"rows", "users", "users.labels.tag"}
    before = source.identity()
    (tmp_path / "tags.csv").write_text("id,name\n1,rock\n")
    assert source.identity() != before


Make = Callable[..., Table]


@pytest.fixture
def table(tmp_path: Path) -> Make:
    def make(**parameters: Any) -> Table:
        (tmp_path / "plays.csv").write_text(
            "user,item,by,title\na,1,x,One\na,2,x,Two\nb,1,y,Uno\nb,3,x,\n", encoding="utf-8"
        )
        (tmp_path / "items.tsv").write_text("id\tname\n1\tEins | <b>\n2\t\n3\tDrei\n", encoding="latin1")
        return Table(path=str(tmp_path / "plays.csv"), **parameters)

    return make


def test_names_come_from_a_table_of_their_own(table: Make, tmp_path: Path) -> None:
    items = {"path": str(tmp_path / "items.tsv"), "key": "id", "label": "name", "encoding": "latin1"}
    made = table(item_names=items)
    assert isinstance(made, ItemTitles)
    assert made.names_of_items() == {"1": "Eins | <b>", "3": "Drei"}


def test_or_from_the_rows_where_the_first_counts(table: Make) -> None:
    assert table(item_names={"label": "title"}).names_of_items() == {"1": "One", "2": "Two"}


def test_a_key_of_several_columns_is_written_as_the_ids_are(table: Make) -> None:
    made = table(item=["item", "by"], item_names={"label": "title"})
    item_ids = {str(i) for i in made.load().interactions.item_ids.values.tolist()}
    assert made.names_of_items() == {"1 | x": "One", "2 | x": "Two", "1 | y": "Uno"}
    assert set(made.names_of_items()) <= item_ids


def test_without_a_table_there_are_none(table: Make) -> None:
    assert table().names_of_items() == {}


def test_names_are_no_part_of_the_identity(table: Make) -> None:
    assert table().identity() == table(item_names={"label": "title"}).identity()


def test_a_wrong_parameter_or_column_is_told(table: Make) -> None:
    with pytest.raises(
        ConfigError, match=r"dataset\.item_names\.lable: no such parameter; did you mean 'label'"
    ):
        table(item_names={"lable": "title"})
    with pytest.raises(DataError, match=r"no column 'titel', which dataset\.item_names names"):
        table(item_names={"label": "titel"}).names_of_items()


def test_nothing_is_downloaded_for_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAKEOFF_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    source = build_source(config_files.read(config_files.folder() / "dataset" / "ml_100k.yaml"))
    assert isinstance(source, ItemTitles)
    with pytest.raises(DataError, match=r"u\.item of ml-100k is not here"):
        source.names_of_items()


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "item", "called"),
    [
        ("ml_100k", "50", "Star Wars (1977)"),
        ("ml_latest_small", "1", "Toy Story (1995)"),
        ("hetrec_lastfm", "1", "MALICE MIZER"),
    ],
)
def test_public_data_sets_name_their_items(real_data: Path, name: str, item: str, called: str) -> None:
    source = build_source(config_files.read(config_files.folder() / "dataset" / f"{name}.yaml"))
    assert isinstance(source, ItemTitles)
    assert source.names_of_items()[item] == called
