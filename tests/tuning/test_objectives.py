"""Several objectives: what is sought, what the record holds of it, what is taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bakeoff.errors import ConfigError
from bakeoff.run.cell import Cell, build_source, build_splitter
from bakeoff.storage.record import TuningRecord
from bakeoff.storage.store import Store
from bakeoff.tuning.objective import Objective
from bakeoff.tuning.spec import TuningSpec
from bakeoff.tuning.summary import front, select
from bakeoff.tuning.tune import check, tune
from tuning_studies import with_tuning

TWO = ["ndcg@5", "novelty@3"]


def run(cell: Cell, root: Path) -> TuningRecord:
    split = build_splitter(cell.split).split(build_source(cell.dataset).load().interactions, cell.split_seed)
    return tune(cell, split, Store(root))


@pytest.fixture
def record(cell: Cell, tmp_path: Path) -> TuningRecord:
    return run(with_tuning(cell, objectives=TWO, trials=12), tmp_path)


def test_the_record_holds_the_values_of_all_and_the_pareto_set(record: TuningRecord) -> None:
    json.dumps(msgspec.to_builtins(record), allow_nan=False)
    values = [tuple(t.values.values()) for t in record.trials]
    assert record.objectives == tuple(TWO) and record.directions == ("maximize", "maximize")
    assert all(list(t.values) == TWO and t.value == t.values["ndcg@5"] for t in record.trials)
    assert list(record.pareto) == front(values, ("maximize", "maximize"))
    assert record.best.number == select(values, ("maximize", "maximize"), record.pareto_selection)
    assert record.best.values == record.trials[record.best.number].values


def test_the_values_are_those_of_each_objective_alone(cell: Cell, record: TuningRecord) -> None:
    split = build_splitter(cell.split).split(build_source(cell.dataset).load().interactions, cell.split_seed)
    for name in TWO:
        alone = Objective(cell, split, TuningSpec(metric=name))
        for trial in record.trials[:4]:
            assert alone(trial.parameters) == (trial.values[name],)


def test_nothing_is_pruned_and_the_record_says_so(record: TuningRecord) -> None:
    assert record.count("pruned") == 0 and record.pruner == "none"
    assert record.notes == ("tune.pruner=pace has no effect: with several objectives nothing is pruned",)


def test_another_rule_may_pick_another_trial(cell: Cell, tmp_path: Path) -> None:
    rules = [{"rule": "tolerance", "tolerance": 0}, {"rule": "weights", "weights": [0, 1]}]
    cells = [with_tuning(cell, objectives=TWO, trials=12, pareto_selection=rule) for rule in rules]
    first, second = [run(c, tmp_path) for c in cells]
    values = [t.values for t in first.trials]
    assert first.best.values["ndcg@5"] == max(v["ndcg@5"] for v in values)
    assert second.best.values["novelty@3"] == max(t.values["novelty@3"] for t in second.trials)


def rule(name: str, **options: Any) -> dict[str, Any]:
    return {"pareto_selection": {"rule": name, **options}}


@pytest.mark.parametrize(
    ("tune", "expected"),
    [
        ({"objectives": ["ndcg@5", "ndgc@5"]}, r"tune\.objectives='ndgc@5': .*did you mean 'ndcg'"),
        ({"objectives": ["ndcg@5", "mean_popularity@5"]}, r"neither end of 'mean_popularity' is the goal"),
        ({"objectives": ["ndcg@5", "novelty"]}, r"tune\.objectives='novelty': expected a cutoff"),
        ({"objectives": ["ndcg@5"]}, r"write tune\.metric=ndcg@5"),
        ({"objectives": ["ndcg@5", "ndcg@5"]}, r"expected each once"),
        ({"objectives": "ndcg@5"}, r"expected a list"),
        (rule("best"), r"tune\.pareto_selection\.rule='best'"),
        (rule("tolerance", tolerance=-1), r"tune\.pareto_selection\.tolerance=-1"),
        (rule("tolerance"), r"tune\.pareto_selection\.tolerance=None: expected a number"),
        (rule("weights", wieghts=[1, 1]), r"'wieghts': did you mean 'weights'"),
        ({"objectives": TWO, **rule("weights", weights=[1])}, r"expected one for each of"),
        ({"objectives": TWO, **rule("weights", weights=[0, 0])}, r"expected one above 0"),
        ({"objectives": TWO, **rule("weights", weights=[-1, 0])}, r"tune\.pareto_selection\.weights=-1"),
    ],
)
def test_wrong_objectives_and_rules_are_refused(cell: Cell, tune: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        check(with_tuning(cell, **tune))
    assert "\n" not in str(caught.value)


def test_the_key_knows_of_objectives_only_where_there_are_some(cell: Cell) -> None:
    first_best = {"rule": "tolerance", "tolerance": 0.01, "weights": None}
    assert with_tuning(cell, objectives=[], pareto_selection=first_best).key == cell.key
    two = with_tuning(cell, objectives=TWO, pareto_selection=first_best)
    assert two.key != cell.key
    silent = {"pruner": "none", "metric": "auc", "pareto_selection": {**first_best, "weights": [1, 2]}}
    assert with_tuning(two, **silent).key == two.key
    assert with_tuning(two, pareto_selection={**first_best, "tolerance": 0.02}).key != two.key
    assert with_tuning(two, objectives=TWO[::-1]).key != two.key


def test_renamed_options_keep_the_key_of_stored_cells_and_are_refused_in_a_command(cell: Cell) -> None:
    new = {"pruning_users": 9, "heartbeat_timeout": 5, **rule("weights", weights=[1, 1])}
    old = {"users": 9, "stale": 5, "pick": new["pareto_selection"]}
    for objectives in ([], TWO):
        assert (
            with_tuning(cell, objectives=objectives, **old).key
            == with_tuning(cell, objectives=objectives, **new).key
        )
    assert with_tuning(cell, users=9).tune == with_tuning(cell, pruning_users=9).tune
    assert with_tuning(cell, pruning_users=9).key != cell.key
    for key, expected in zip(old, new, strict=True):
        with pytest.raises(ConfigError, match=rf"^tune\.{key}: .*tune\.{expected}$"):
            TuningSpec.of({key: old[key]})
