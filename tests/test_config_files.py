"""The shipped configuration, read as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakeoff import config_files


def test_a_group_that_people_choose_from_has_options() -> None:
    assert {"dataset", "split", "model", "tune", "metrics", "experiment"} <= set(config_files.groups())
    assert all(config_files.options(group) for group in config_files.groups())


def test_the_shipped_folder_is_searched_once_also_inside_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = config_files.folder()
    monkeypatch.chdir(shipped.parent)
    assert [path.resolve() for path in config_files.search_path()] == [shipped.resolve()]
    monkeypatch.chdir(tmp_path)
    assert config_files.search_path() == (shipped,)
    (tmp_path / "conf").mkdir(), (tmp_path / "mine").mkdir()
    assert config_files.search_path(["mine"]) == (Path("mine"), Path("conf"), shipped)
