"""What items are called: read beside the data, and no part of what they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bakeoff import config_files
from bakeoff.data.readers import Table
from bakeoff.data.source import NamesItems
from bakeoff.errors import ConfigError, DataError
from bakeoff.run.cell import build_source

Make = Callable[..., Table]


@pytest.fixture
def table(tmp_path: Path) -> Make:
    def make(**knobs: Any) -> Table:
        (tmp_path / "plays.csv").write_text(
            "user,item,by,title\na,1,x,One\na,2,x,Two\nb,1,y,Uno\nb,3,x,\n", encoding="utf-8"
        )
        (tmp_path / "items.tsv").write_text("id\tname\n1\tEins | <b>\n2\t\n3\tDrei\n", encoding="latin1")
        return Table(path=str(tmp_path / "plays.csv"), **knobs)

    return make


def test_names_come_from_a_table_of_their_own(table: Make, tmp_path: Path) -> None:
    items = {"path": str(tmp_path / "items.tsv"), "key": "id", "label": "name", "encoding": "latin1"}
    made = table(item_names=items)
    assert isinstance(made, NamesItems)
    assert made.names_of_items() == {"1": "Eins | <b>", "3": "Drei"}


def test_or_from_the_rows_where_the_first_counts(table: Make) -> None:
    assert table(item_names={"label": "title"}).names_of_items() == {"1": "One", "2": "Two"}


def test_a_key_of_several_columns_is_written_as_the_ids_are(table: Make) -> None:
    made = table(item=["item", "by"], item_names={"label": "title"})
    known = {str(i) for i in made.load().interactions.item_ids.values.tolist()}
    assert made.names_of_items() == {"1 | x": "One", "2 | x": "Two", "1 | y": "Uno"}
    assert set(made.names_of_items()) <= known


def test_without_a_table_there_are_none(table: Make) -> None:
    assert table().names_of_items() == {}


def test_names_are_no_part_of_the_identity(table: Make) -> None:
    assert table().identity() == table(item_names={"label": "title"}).identity()


def test_a_wrong_knob_or_column_is_told(table: Make) -> None:
    with pytest.raises(ConfigError, match=r"dataset\.item_names\.lable: no such knob; did you mean 'label'"):
        table(item_names={"lable": "title"})
    with pytest.raises(DataError, match=r"no column 'titel', which dataset\.item_names names"):
        table(item_names={"label": "titel"}).names_of_items()


def test_nothing_is_downloaded_for_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAKEOFF_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    source = build_source(config_files.read(config_files.folder() / "dataset" / "ml_100k.yaml"))
    assert isinstance(source, NamesItems)
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
    assert isinstance(source, NamesItems)
    assert source.names_of_items()[item] == called
