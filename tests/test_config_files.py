"""The shipped configuration, read as files."""

from __future__ import annotations

from bakeoff import config_files
from bakeoff.commands import named_metrics


def test_a_group_that_people_choose_from_has_options() -> None:
    assert {"dataset", "split", "model", "tune", "metrics", "experiment"} <= set(config_files.groups())
    assert all(config_files.options(group) for group in config_files.groups())


def test_the_metrics_of_other_libraries_are_known_by_name_but_not_measured_unless_asked() -> None:
    assert "ndcg_rectools" not in config_files.metrics()
    assert config_files.known_metrics()["ndcg_rectools"] == "bakeoff.evaluation.conventions.ndcg_rectools"
    assert config_files.metrics().items() <= config_files.known_metrics().items()


def test_a_report_can_ask_for_any_shipped_metric_by_name() -> None:
    assert named_metrics(["ndcg", "map_elliot"]) == {
        "ndcg": "bakeoff.evaluation.ranking.ndcg",
        "map_elliot": "bakeoff.evaluation.conventions.map_elliot",
    }
