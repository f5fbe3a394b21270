"""The shipped configuration, read as files."""

from __future__ import annotations

from bakeoff import config_files


def test_a_group_that_people_choose_from_has_options() -> None:
    assert {"dataset", "split", "model", "tune", "metrics", "experiment"} <= set(config_files.groups())
    assert all(config_files.options(group) for group in config_files.groups())
