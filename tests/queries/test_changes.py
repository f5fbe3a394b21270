"""The users with the largest changes, and their lists."""

from __future__ import annotations

import numpy as np
import pytest

import toys
from bakeoff.evaluation.significance import Sample
from bakeoff.queries.compare import match_cells, pair_samples
from bakeoff.queries.comparison import Column
from bakeoff.queries.segments import largest_changes
from bakeoff.queries.select import Result
from bakeoff.run.cell import Cell
from bakeoff.run.runner import EvaluationSpec, Workspace, run_cell
from bakeoff.storage.record import CellRequest
from bakeoff.storage.store import Store


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    workspace = Workspace(Store(tmp_path_factory.mktemp("changes")))
    results = []
    for target in ("toys.ByItem", "bakeoff.models.baselines.Popularity"):
        cell = Cell(
            dataset={"_target_": "toys.Blocks", "name": "blocks"},
            split={"_target_": "bakeoff.splits.per_user.Random", "name": "random"},
            model={"name": target.rpartition(".")[2], "build": {"_target_": target}},
        )
        record = run_cell(
            cell, workspace, EvaluationSpec((5,), {"ndcg": "bakeoff.evaluation.ranking.ndcg"}), debug=True
        )
        results.append(Result(CellRequest(cell.key, cell), record))
    (match,) = match_cells(*results)
    return workspace, match


def changes(match, sample, workspace, **options):
    (split,) = match.splits
    return largest_changes(split, match.cells(split)[0], sample, workspace, **options)


def test_users_are_ordered_by_their_change_and_lists_marked(made) -> None:
    workspace, match = made
    (sample,) = pair_samples(match, Column("ndcg", 5), workspace.store)
    gains, losses = changes(match, sample, workspace, k=5, n=2, higher_is_better=True)
    difference = sample.values[0, 0] - sample.values[0, 1]
    assert [g.candidate - g.baseline for g in gains] == sorted(difference.tolist(), reverse=True)[
        : len(gains)
    ]
    assert [g.candidate - g.baseline for g in losses] == sorted(difference.tolist())[: len(losses)]
    split = workspace.split(match.cells(match.splits[0])[0])
    ids = split.train.item_ids.values
    for change in (*gains, *losses):
        code = int(np.flatnonzero(split.train.user_ids.values == change.user)[0])
        relevant = {str(ids[i]) for i in split.test[[code]].indices}
        assert change.n_relevant == len(relevant)
        at = int(np.searchsorted(split.users, code))
        for side, shown in enumerate(change.lists):
            stored = workspace.store.lists(match.splits[0].keys[side][0]).items[at, :5]
            assert [r.item.id for r in shown] == [str(ids[i]) for i in stored if i >= 0]
            assert [r.hit for r in shown] == [r.item.id in relevant for r in shown]


def test_where_lower_is_better_gains_are_the_lower_ones(made) -> None:
    workspace, match = made
    (sample,) = pair_samples(match, Column("ndcg", 5), workspace.store)
    up = changes(match, sample, workspace, k=5, n=1, higher_is_better=True)
    down = changes(match, sample, workspace, k=5, n=1, higher_is_better=False)
    assert [g.candidate - g.baseline for g in up[1]] == [g.candidate - g.baseline for g in down[0]]


def test_users_who_do_not_change_are_no_gains(made) -> None:
    workspace, match = made
    (sample,) = pair_samples(match, Column("ndcg", 5), workspace.store)
    same = Sample(sample.users, np.repeat(sample.values[:, :1], 2, axis=1))
    assert changes(match, same, workspace, k=5, n=3, higher_is_better=True) == ([], [])


def test_names_come_from_the_source_that_knows_them(made, monkeypatch) -> None:
    workspace, match = made
    monkeypatch.setattr(toys.Blocks, "names_of_items", lambda self: {"i001": " One "}, raising=False)
    (sample,) = pair_samples(match, Column("ndcg", 5), workspace.store)
    gains, losses = changes(match, sample, workspace, k=16, n=20, higher_is_better=True)
    named = {
        r.item.name for c in (*gains, *losses) for items in c.lists for r in items if r.item.id == "i001"
    }
    assert named == {"One"}
