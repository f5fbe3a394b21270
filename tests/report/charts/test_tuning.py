"""Charts of a search that is written down by hand."""

from __future__ import annotations

from typing import Any

import pytest

from bakeoff.queries.comparison import comparison
from bakeoff.report.charts import charts
from bakeoff.report.charts.tuning import position

VALUES = (0.2, 0.1, 0.4, None, 0.3, 0.5, 0.5)


@pytest.fixture
def tuned(make: Any, metrics: Any) -> dict[str, Any]:
    import dataclasses

    trials = [
        {
            "number": n,
            "parameters": {"factors": 2**n, "kind": "a"},
            "state": "failed" if value is None else "complete",
            "value": value,
            "by_epoch": {2: {1: 0.4}, 5: {1: 0.3, 2: 0.5}}.get(n, {}),
            "seconds": 1.0,
            "from_memory": False,
            "reason": "",
        }
        for n, value in enumerate(VALUES)
    ]
    record = {"metric": "ndcg@10", "direction": "maximize", "sampler": "random", "pruner": "none"}
    record |= {"budget": {"trials": len(trials)}, "trials": trials}
    record |= {"best": {"number": 5, "value": 0.5}, "edges": ["factors=32 lies at the high end of its space"]}
    space = {
        "factors": {"_target_": "optuna.distributions.IntDistribution", "low": 1, "high": 32, "log": True},
        "kind": {"_target_": "optuna.distributions.CategoricalDistribution", "choices": ["a", "b"]},
    }
    result = make("als", {"ndcg": {"10": (0.4, 0.01)}}, tune={"name": "optuna"}, tuning=record)
    cell = dataclasses.replace(result.request.cell, model={**result.request.cell.model, "space": space})
    result = result._replace(request=dataclasses.replace(result.request, cell=cell))
    results = [result, make("als", {"ndcg": {"10": (0.3, 0.01)}})]
    sections = charts(comparison(results, [10], metrics), metrics, None)
    shown = [c for s in sections if s.id in ("tuning", "learning") for c in s.charts]
    return {c.id: next(iter(c.spec["datasets"].values())) for c in shown}


def test_the_best_so_far_is_told_where_it_changes_and_at_the_end(tuned: Any) -> None:
    (row,) = tuned["best-by-trial"]
    assert row["model"] == "als (tune=optuna)"
    assert list(zip(row["at"], row["best"], strict=True)) == [(1, 0.2), (3, 0.4), (6, 0.5), (7, 0.5)]
    (row,) = tuned["best-by-second"]
    assert (row["at"], row["best"]) == ([1, 3, 6, 7], [0.2, 0.4, 0.5, 0.5])


def test_the_best_on_an_edge_of_its_space_is_marked(tuned: Any) -> None:
    (row,) = tuned["spaces"]
    assert row["parameter"] == "als (tune=optuna): factors"
    assert row["at"] == [0, 0.2, 0.4, 0.6, 0.8, 1, 1.2]
    assert row["best"] == [0, 0, 0, 0, 0, 2, 0]


def test_what_was_recorded_by_epoch_is_drawn_as_the_mean_over_the_fits(make: Any, metrics: Any) -> None:
    losses = ((8.0, 4.0, 2.0), (4.0, 1.0))  # the second fit ended earlier
    results = [
        make("als", {"ndcg": {"10": (0.3, 0.01)}}, seed=seed, key=f"c{seed}", training_loss=loss)
        for seed, loss in enumerate(losses)
    ]
    results.append(make("ease", {"ndcg": {"10": (0.2, 0.01)}}))
    sections = {s.id: s for s in charts(comparison(results, [10], metrics), metrics, None)}
    (chart,) = sections["learning"].charts
    ((row,),) = chart.spec["datasets"].values()
    assert (row["model"], row["at"], row["best"]) == ("als", [1, 2], [1, pytest.approx((0.5 + 0.25) / 2)])
    silent = {s.id for s in charts(comparison(results[2:], [10], metrics), metrics, None)}
    assert "learning" not in silent


def test_every_trial_shows_its_scores_by_epoch_and_the_best_a_wide_line(tuned: Any) -> None:
    rows = tuned["score-by-epoch"]
    assert [(row["trial"], row["at"], row["best"]) for row in rows] == [
        ("1.2", [1], [0.4]),
        ("1.5", [1, 2], [0.3, 0.5]),
    ]
    assert rows[1]["line"] > rows[0]["line"]


def test_a_place_in_a_space_is_taken_on_its_own_scale() -> None:
    assert position(0.1, 0.01, 1.0, True) == pytest.approx(0.5)
    assert position(5, 0, 10, False) == 0.5
