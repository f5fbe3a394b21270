"""Several objectives: what is sought, what the record holds of it, what is taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bakeoff.errors import ConfigError
from bakeoff.run.cell import Cell, build_source, build_splitter
from bakeoff.storage.store import Store
from bakeoff.tuning import check, tune
from bakeoff.tuning.objective import Objective
from bakeoff.tuning.pareto import front, picked
from bakeoff.tuning.spec import Tuning
from tuning_studies import told

TWO = ["ndcg@5", "novelty@3"]


def run(cell: Cell, root: Path) -> dict[str, Any]:
    split = build_splitter(cell.split).split(build_source(cell.dataset).load().interactions, cell.split_seed)
    return dict(tune(cell, split, Store(root)).record)


@pytest.fixture
def found(cell: Cell, tmp_path: Path) -> dict[str, Any]:
    return run(told(cell, objectives=TWO, trials=12), tmp_path)


def test_the_record_holds_the_values_of_all_and_the_pareto_set(found: dict[str, Any]) -> None:
    json.dumps(found, allow_nan=False)
    values = [tuple(t["values"].values()) for t in found["trials"]]
    assert found["objectives"] == TWO and found["directions"] == ["maximize", "maximize"]
    assert all(list(t["values"]) == TWO and t["value"] == t["values"]["ndcg@5"] for t in found["trials"])
    assert found["pareto"] == front(values, ("maximize", "maximize"))
    assert found["best"]["number"] == picked(values, ("maximize", "maximize"), found["pick"])
    assert found["best"]["values"] == found["trials"][found["best"]["number"]]["values"]


def test_the_values_are_those_of_each_objective_alone(cell: Cell, found: dict[str, Any]) -> None:
    split = build_splitter(cell.split).split(build_source(cell.dataset).load().interactions, cell.split_seed)
    for name in TWO:
        alone = Objective(cell, split, Tuning(metric=name))
        for trial in found["trials"][:4]:
            assert alone(trial["parameters"]) == (trial["values"][name],)


def test_nothing_is_pruned_and_the_record_says_so(found: dict[str, Any]) -> None:
    assert found["pruned"] == 0 and found["pruner"] == "none"
    assert found["notes"] == ["tune.pruner=pace has no effect: with several objectives nothing is pruned"]


def test_another_rule_may_pick_another_trial(cell: Cell, tmp_path: Path) -> None:
    rules = [{"rule": "tolerance", "tolerance": 0}, {"rule": "weights", "weights": [0, 1]}]
    cells = [told(cell, objectives=TWO, trials=12, pick=rule) for rule in rules]
    first, second = [run(c, tmp_path) for c in cells]
    values = [t["values"] for t in first["trials"]]
    assert first["best"]["values"]["ndcg@5"] == max(v["ndcg@5"] for v in values)
    assert second["best"]["values"]["novelty@3"] == max(t["values"]["novelty@3"] for t in second["trials"])


@pytest.mark.parametrize(
    ("tune", "expected"),
    [
        ({"objectives": ["ndcg@5", "ndgc@5"]}, r"tune\.objectives='ndgc@5': .*did you mean 'ndcg'"),
        ({"objectives": ["ndcg@5", "mean_popularity@5"]}, r"neither end of 'mean_popularity' is the goal"),
        ({"objectives": ["ndcg@5", "novelty"]}, r"tune\.objectives='novelty': expected a cutoff"),
        ({"objectives": ["ndcg@5"]}, r"one alone is tune\.metric=ndcg@5"),
        ({"objectives": ["ndcg@5", "ndcg@5"]}, r"expected each once"),
        ({"objectives": "ndcg@5"}, r"expected a list"),
        ({"pick": {"rule": "best"}}, r"tune\.pick\.rule='best'"),
        ({"pick": {"rule": "tolerance", "tolerance": -1}}, r"tune\.pick\.tolerance=-1"),
        ({"pick": {"rule": "tolerance"}}, r"tune\.pick\.tolerance=None: expected a number"),
        ({"pick": {"rule": "weights", "wieghts": [1, 1]}}, r"'wieghts': did you mean 'weights'"),
        ({"objectives": TWO, "pick": {"rule": "weights", "weights": [1]}}, r"expected one for each of"),
        ({"objectives": TWO, "pick": {"rule": "weights", "weights": [0, 0]}}, r"expected one above 0"),
        ({"objectives": TWO, "pick": {"rule": "weights", "weights": [-1, 0]}}, r"tune\.pick\.weights=-1"),
    ],
)
def test_wrong_objectives_and_rules_are_refused(cell: Cell, tune: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        check(told(cell, **tune))
    assert "\n" not in str(caught.value)


def test_the_key_knows_of_objectives_only_where_there_are_some(cell: Cell) -> None:
    rule = {"rule": "tolerance", "tolerance": 0.01, "weights": None}
    assert told(cell, objectives=[], pick=rule).key == cell.key
    two = told(cell, objectives=TWO, pick=rule)
    assert two.key != cell.key
    assert told(two, pruner="none", metric="auc", pick={**rule, "weights": [1, 2]}).key == two.key
    assert told(two, pick={**rule, "tolerance": 0.02}).key != two.key
    assert told(two, objectives=TWO[::-1]).key != two.key
