"""A search by several processes at once says that it cannot be repeated."""

from __future__ import annotations

import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from bakeoff.tuning.space import Space
from bakeoff.tuning.spec import TuningSpec
from bakeoff.tuning.storage import OWNER
from bakeoff.tuning.summary import tuning_record, workers_at_once


def trial(owner: str, start: int, end: int, value: float = 0.5) -> Any:
    moments = [datetime.datetime(2020, 1, 1) + datetime.timedelta(seconds=s) for s in (start, end)]
    return SimpleNamespace(
        user_attrs={OWNER: owner, "parameters": {"x": value}},
        state=SimpleNamespace(name="COMPLETE"),
        values=[value],
        intermediate_values={},
        datetime_start=moments[0],
        datetime_complete=moments[1],
    )


TURNS = [trial("a", 0, 2), trial("a", 2, 4), trial("b", 5, 6), trial("b", 6, 9)]
AT_ONCE = [trial("a", 0, 3), trial("b", 2, 4), trial("c", 10, 12)]


def test_processes_that_take_turns_are_one_and_those_that_overlap_are_several() -> None:
    assert workers_at_once(TURNS) == 1
    assert workers_at_once(AT_ONCE) == 2
    assert workers_at_once([trial("a", 0, 9), trial("b", 1, 3), trial("c", 4, 6)]) == 3


def notes(trials: list[Any], **spec: Any) -> tuple[str, ...]:
    return tuning_record(trials, Space((), {}), TuningSpec(**spec), ["maximize"], 1).notes


def test_a_search_by_several_processes_has_a_note_and_a_number() -> None:
    record = tuning_record(AT_ONCE, Space((), {}), TuningSpec(), ["maximize"], 1)
    assert record.workers == 2
    assert [note for note in record.notes if note.startswith("not repeatable: 2 processes")]
    assert not notes(TURNS)


@pytest.mark.parametrize(
    ("spec", "noted"),
    [
        ({"sampler": "random", "pruner": "none"}, False),
        ({"sampler": "grid", "repeats": 2}, False),
        ({"sampler": "random", "pruner": "median"}, True),
        ({"sampler": "tpe", "pruner": "none"}, True),
    ],
)
def test_trials_that_do_not_depend_on_each_other_can_be_shared_and_repeated(
    spec: dict[str, Any], noted: bool
) -> None:
    assert bool(notes(AT_ONCE, **spec)) == noted
