"""What models recommend, against lists that can be worked out by hand."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bakeoff.errors import ConfigError, UsageError
from bakeoff.queries.recommend import (
    Item,
    ListedItem,
    ModelList,
    Recommendations,
    RecommendRequest,
    answer,
    overlap,
    recommend,
)
from bakeoff.queries.select import CellFilter, Selection, one_split
from bakeoff.run.cell import Cell, with_content_hashes
from bakeoff.run.runner import EvaluationSpec, Workspace, run_cell
from bakeoff.storage.experiment import Experiment
from bakeoff.storage.record import CellRequest
from bakeoff.storage.store import Store
from toys import Blocks

METRICS = {"ndcg": "bakeoff.evaluation.ranking.ndcg"}
MODELS = {
    "als": ("bakeoff.models.implicit.ALS", {"factors": 4, "iterations": 5}),
    "bpr": ("bakeoff.models.implicit.BPR", {"factors": 4, "iterations": 5}),
    "ease": ("bakeoff.models.linear.EASE", {"l2": 5.0}),
    "popularity": ("bakeoff.models.baselines.Popularity", {}),
    "by_item": ("toys.ByItem", {}),
}


@dataclass(frozen=True)
class Named(Blocks):
    """Blocks whose items have names."""

    def names_of_items(self) -> dict[str, str]:
        return {f"i{i:03d}": f"Item <{i}> " for i in range(15)}


def cell(model: str, split: dict[str, Any] | None = None, **rest: Any) -> Cell:
    target, parameters = MODELS[model]
    return with_content_hashes(
        Cell(
            dataset={"_target_": "toys.Blocks", "name": "blocks"},
            split=split or {"_target_": "bakeoff.splits.per_user.Random", "name": "random", "ratio": 0.7},
            model={"name": model, "build": {"_target_": target, **parameters}},
            depth=8,
            **rest,
        )
    )


def run(folder: Path, *cells: Cell, save_model: bool = True) -> tuple[Experiment, Store]:
    store = Store(folder)
    workspace = Workspace(store)
    for one in cells:
        run_cell(one, workspace, EvaluationSpec((5,), METRICS, save_model), debug=True)
    return Experiment("e", tuple(CellRequest(c.key, c) for c in cells)), store


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Experiment, Store]:
    return run(tmp_path_factory.mktemp("kept"), *(cell(m) for m in MODELS))


def ask(saved: tuple[Experiment, Store], which: CellFilter | None = None, **question: Any) -> Recommendations:
    experiment, store = saved
    return recommend(
        RecommendRequest(**{"k": 4, **question}), one_split(experiment, which or CellFilter()), store
    )


def of(answer: Recommendations, model: str) -> ModelList:
    return next(m for m in answer.models if m.model == model)


def ids(model: ModelList) -> list[str]:
    return [entry.item.id for entry in model.listed]


class TestAUser:
    def test_gets_the_stored_lists_with_hits_marked(self, saved: tuple[Experiment, Store]) -> None:
        answer = ask(saved, user="u004")
        store = saved[1]
        split = store.split(cell("als").split_key)
        row = split.users.tolist().index(4)
        test = {f"i{i:03d}" for i in split.test[[4]].indices}
        assert answer.n_held_out == len(test) and answer.n_history == split.history[[4]].nnz
        for model in answer.models:
            stored = store.lists(model.key)
            assert ids(model) == [f"i{i:03d}" for i in stored.items[row, :4]]
            assert [e.score for e in model.listed] == stored.scores[row, :4].tolist()
            assert [e.hit for e in model.listed] == [i in test for i in ids(model)]
            assert model.source == "stored lists"

    def test_has_the_last_items_of_the_history_told_with_values_and_times(
        self, saved: tuple[Experiment, Store]
    ) -> None:
        answer = ask(saved, user="u004")
        times = [item.time for item in answer.history]
        assert answer.ordered_by == "time" and times == sorted(times, reverse=True)  # type: ignore[type-var]
        assert all(item.value in range(1, 9) for item in answer.history)

    def test_without_times_the_largest_values_come_first(self, tmp_path: Path) -> None:
        timeless = cell("popularity")
        timeless = replace(timeless, dataset={**timeless.dataset, "with_times": False})
        answer = ask(run(tmp_path, timeless), user="u004")
        values = [item.value for item in answer.history]
        assert answer.ordered_by == "value" and values == sorted(values, reverse=True)  # type: ignore[type-var]

    def test_of_whom_nothing_was_held_out_is_served_by_kept_models(self, tmp_path: Path) -> None:
        split = {
            "_target_": "bakeoff.splits.temporal.Temporal",
            "name": "temporal",
            "ratio": 0.93,
        }
        saved = run(tmp_path, *(cell(m, split) for m in ("als", "bpr", "by_item")))
        stored = saved[1].split(cell("als", split).split_key)
        user = next(u for u in range(24) if u not in stored.users)
        answer = ask(saved, user=f"u{user:03d}")
        assert of(answer, "als").source == "saved model" and len(of(answer, "als").listed) == 4
        seen = {f"i{i:03d}" for i in stored.history[[user]].indices}
        assert not seen & set(ids(of(answer, "als")))
        assert "nothing of this user was held out" in of(answer, "by_item").reason
        assert "ByItem has no state() and restore()" in of(answer, "by_item").reason

    def test_cannot_be_asked_for_more_than_the_stored_lists_hold(self, saved: Any) -> None:
        with pytest.raises(ConfigError, match="k=9 is larger than depth=8"):
            ask(saved, user="u004", k=9)


class TestANewcomer:
    def test_gets_what_a_model_makes_of_the_items(self, saved: tuple[Experiment, Store]) -> None:
        answer = ask(saved, items=("i002", "i004", "i002"))
        assert [i.id for i in answer.history] == ["i002", "i004"]
        assert all(int(i[1:]) % 2 == 0 for m in ("als", "ease") for i in ids(of(answer, m))[:3])
        assert not {"i002", "i004"} & {i for m in answer.models for i in ids(m)}
        assert not any(e.hit for m in answer.models for e in m.listed)

    def test_is_told_who_cannot_and_why(self, saved: tuple[Experiment, Store]) -> None:
        answer = ask(saved, items=("i002",))
        assert of(answer, "bpr").reason == "it cannot serve users it was not fitted on"
        assert of(answer, "by_item").reason.startswith("its model could not be saved")

    def test_needs_models_that_were_kept(self, tmp_path: Path) -> None:
        answer = ask(run(tmp_path, cell("ease"), save_model=False), items=("i002",))
        assert "save_model=true" in of(answer, "ease").reason and not of(answer, "ease").listed


class TestAnItem:
    def test_has_items_of_its_kind_beside_it_and_not_itself(self, saved: tuple[Experiment, Store]) -> None:
        answer = ask(saved, similar_to="i003")
        for model in ("als", "bpr", "ease"):
            assert "i003" not in ids(of(answer, model)) and of(answer, model).listed
        assert all(int(i[1:]) % 2 for i in ids(of(answer, "ease"))[:4])
        assert all(e.score > 0 for m in answer.models for e in m.listed)

    def test_models_without_a_notion_of_it_say_so(self, saved: tuple[Experiment, Store]) -> None:
        answer = ask(saved, similar_to="i003")
        assert of(answer, "popularity").reason == "it defines no similarity between items"


def test_a_model_that_breaks_leaves_the_others_alone(
    saved: tuple[Experiment, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bakeoff.models.linear.EASE.similar", lambda self, item: [][item])
    answer = ask(saved, similar_to="i003")
    assert of(answer, "ease").reason == "IndexError: list index out of range"
    assert of(answer, "als").listed


def test_items_go_by_their_names_where_the_source_knows_them(tmp_path: Path) -> None:
    named = cell("popularity")
    named = replace(named, dataset={"_target_": "test_recommend.Named", "name": "blocks"})
    sys.modules["test_recommend"] = sys.modules[__name__]
    saved = run(tmp_path, named)
    assert ask(saved, similar_to="i003").history == (Item("i003", "Item <3>"),)
    with pytest.raises(UsageError, match=r"did you mean 'i003' \(Item <3>\)\?"):
        ask(saved, similar_to="item <3> ")


def test_a_cell_that_did_not_run_is_named(tmp_path: Path) -> None:
    experiment, store = run(tmp_path, cell("popularity"))
    more = Experiment("e", (*experiment.requests, CellRequest(cell("ease").key, cell("ease"))))
    assert of(ask((more, store), user="u004"), "ease").reason == "has not run"


def test_overlap_is_the_share_of_the_items_of_both() -> None:
    one, other = (
        ModelList(n, n, tuple(ListedItem(Item(i), 0.0) for i in items))
        for n, items in (("a", "pqr"), ("b", "qrst"))
    )
    assert overlap(one, other) == (2, 2 / 5)
    assert overlap(ModelList("a", "a"), ModelList("b", "b")) == (0, 0.0)


class TestWhich:
    def cells(self, *cells: Cell) -> Experiment:
        return Experiment("e", tuple(CellRequest(c.key, c) for c in cells))

    def chosen(self, experiment: Experiment, **which: Any) -> Selection:
        return one_split(experiment, CellFilter(**which))

    def test_several_splits_must_be_chosen_from(self) -> None:
        last = {"_target_": "bakeoff.splits.leave_last_out.LeaveLastOut", "name": "last"}
        experiment = self.cells(cell("ease"), cell("ease", last), cell("als", last))
        with pytest.raises(UsageError, match="holds 'blocks, split random', 'blocks, split last': choose"):
            self.chosen(experiment)
        assert self.chosen(experiment, split="last").labels == ("ease", "als")
        with pytest.raises(UsageError, match="split 'lst': did you mean 'last'"):
            self.chosen(experiment, split="lst")

    @pytest.mark.parametrize(
        ("question", "says"),
        [
            (RecommendRequest(user="u999"), "user 'u999': not in the train part of blocks, split random"),
            (RecommendRequest(items=("i001", "i999")), "item 'i999': not in the train part"),
            (RecommendRequest(similar_to="Item <3>"), r"item 'Item <3>': .* did you mean 'i003'"),
            (RecommendRequest(user="u004"), "holds .*: choose one"),
        ],
    )
    def test_an_id_that_no_split_knows_is_told_before_a_split_is_to_be_chosen(
        self, tmp_path: Path, question: RecommendRequest, says: str
    ) -> None:
        last = {"_target_": "bakeoff.splits.leave_last_out.LeaveLastOut", "name": "last"}
        both = [cell("popularity"), cell("popularity", last)]
        named = {"_target_": f"{__name__}.Named", "name": "blocks"}
        experiment, store = run(tmp_path, *(replace(c, dataset=named) for c in both))
        with pytest.raises(UsageError, match=says):
            answer(question, experiment, CellFilter(), store)

    def test_of_several_seeds_the_first_is_taken_and_said(self) -> None:
        cells = [cell(m, seed=s, split_seed=p) for p in (42, 43) for s in (1, 2) for m in ("als", "ease")]
        selection = self.chosen(self.cells(*cells))
        assert selection.labels == ("als", "ease")
        assert {(a.cell.seed, a.cell.split_seed) for a in selection.requests} == {(1, 42)}
        assert selection.notes == (
            "split_seed=42 of 42, 43; choose another with split_seed=",
            "seed=1 of 1, 2; choose another with seed=",
        )
        other = self.chosen(self.cells(*cells), seed=2, split_seed=43)
        assert other.notes == ()
        assert [(a.cell.model["name"], a.cell.seed) for a in other.requests] == [("als", 2), ("ease", 1)]
        with pytest.raises(UsageError, match="split_seed 7: choose one of: 42, 43"):
            self.chosen(self.cells(*cells), split_seed=7)

    def test_variants_of_a_model_are_told_apart(self) -> None:
        wide = replace(cell("als"), variant="factors=9")
        wide = replace(wide, model={**wide.model, "build": {**wide.model["build"], "factors": 9}})
        experiment = self.cells(cell("als"), wide, cell("ease"))
        assert self.chosen(experiment).labels == ("als", "als (factors=9)", "ease")
        assert self.chosen(experiment, models=("als (factors=9)",)).labels == ("als (factors=9)",)
        assert self.chosen(experiment, models=("ease", "als")).labels == ("ease", "als", "als (factors=9)")
        with pytest.raises(UsageError, match="model 'easy': did you mean 'ease'"):
            self.chosen(experiment, models=("easy",))
