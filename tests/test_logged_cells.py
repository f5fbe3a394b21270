"""What MLflow is told of a cell."""

from __future__ import annotations

from msgspec.structs import replace

from bakeoff import tracking
from bakeoff.run.cell import Cell
from bakeoff.storage.record import CellRequest, Measurement, Record

CELL = Cell(
    dataset={"_target_": "toys.Blocks", "name": "blöcke"},
    split={"_target_": "bakeoff.splits.per_user.Random", "name": "random"},
    model={"name": "als", "build": {"_target_": "toys.ByItem"}},
)
RECORD = Record(
    key="c0",
    status="done",
    reason="",
    cell=CELL,
    parameters={"factors": 8, "weights": "none", "wide@": [1, 2]},
    metrics={
        "ndcg": {"5": Measurement(0.25, 0.01), "10": Measurement(0.5, None)},
        "auc": {"": Measurement(0.75, 0.02)},
        "my@metric": {"5": Measurement(1.0, None)},
    },
    seconds={"fit": 1.5},
    peak_mb=12.0,
    training_loss=(0.5, 0.25),
    started="2024-01-02T03:04:05+00:00",
)


def test_metrics_have_a_name_for_each_cutoff_and_steps() -> None:
    logged = {(name, step): value for name, value, step in tracking.metrics(RECORD)}
    assert logged[("ndcg_at_5", 5)] == 0.25 and logged[("ndcg_at_10", 10)] == 0.5
    assert logged[("ndcg_at_5_stderr", 5)] == 0.01 and ("ndcg_at_10_stderr", 10) not in logged
    assert logged[("auc", 0)] == 0.75 and logged[("fit_seconds", 0)] == 1.5 and logged[("peak_mb", 0)] == 12.0
    assert (logged[("training_loss", 1)], logged[("training_loss", 2)]) == (0.5, 0.25)
    assert logged[("my_metric_at_5", 5)] == 1.0  # an @ is no letter of MLflow's


def test_parameters_are_coordinates_and_hyperparameters() -> None:
    logged = dict(tracking.params(CellRequest("c0", CELL), RECORD))
    assert (logged["dataset"], logged["model"], logged["seed"]) == ("blöcke", "als", "1")
    assert (logged["model.factors"], logged["model.wide_"]) == ("8", "[1, 2]")
    assert "variant" not in logged and "fold" not in logged
    long = replace(RECORD, parameters={"x": "y" * 10_000})
    assert len(dict(tracking.params(CellRequest("c0", CELL), long))["model.x"]) == 5000
