from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bakeoff.errors import BakeoffError
from bakeoff.run.cell import Cell
from bakeoff.storage.record import Record
from bakeoff.storage.store import Store
from bakeoff.tuning import storage
from bakeoff.tuning.space import parse
from bakeoff.tuning.spec import TuningSpec, goals
from bakeoff.tuning.storage import NOT_COUNTED, OWNER, Worker, counted, discard, is_alive
from bakeoff.tuning.tune import Search, final_fit

STALE = 60.0
ELSEWHERE = "another-host 4711 1.0 abcd"


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Any]:
    with storage.quiet(), storage.open_study("c1", tmp_path, None, ["maximize"]) as study:
        yield study


def entered(study: Any, name: str, ago: float) -> str:
    study.set_user_attr(f"worker {name}", time.time() - ago)
    return name


def signed(study: Any, name: str | None) -> Any:
    trial = study.ask()
    if name is not None:
        trial.set_user_attr(OWNER, name)
    return trial


def states(study: Any) -> list[str]:
    return [t.user_attrs.get(NOT_COUNTED, t.state.name) for t in study.get_trials(deepcopy=False)]


def test_a_trial_of_another_host_is_buried_once_its_worker_is_silent_for_long(study: Any) -> None:
    signed(study, entered(study, "a 1 1.0 x", ago=STALE - 5))
    signed(study, entered(study, "b 1 1.0 y", ago=STALE + 5))
    with Worker(study, STALE) as worker:
        worker.reap_dead_trials()
    assert states(study) == ["RUNNING", "killed"]


def test_a_heartbeat_far_in_the_future_is_of_a_clock_that_jumped(study: Any) -> None:
    signed(study, entered(study, "a 1 1.0 x", ago=5 - STALE))
    signed(study, entered(study, "b 1 1.0 y", ago=-10 * 86400))
    with Worker(study, STALE) as worker:
        worker.reap_dead_trials()
    assert states(study) == ["RUNNING", "killed"]


def test_of_this_host_the_process_itself_is_looked_for(study: Any) -> None:
    import psutil

    host, started = socket.gethostname(), psutil.Process().create_time()
    here = entered(study, f"{host} {os.getpid()} {started} x", ago=9 * STALE)
    used_again = entered(study, f"{host} {os.getpid()} {started - 100} x", ago=0)
    gone = entered(study, f"{host} {2**22 + 1} {started} x", ago=0)
    assert [is_alive(name, study.user_attrs, STALE) for name in (here, used_again, gone)] == [
        True,
        False,
        False,
    ]


def test_who_has_left_is_dead_though_its_process_lives(study: Any) -> None:
    with Worker(study, STALE) as first:
        signed(study, first.name)
    with Worker(study, STALE) as second:
        assert second.name != first.name
        second.reap_dead_trials()
    assert states(study) == ["killed"]


def test_who_could_not_write_that_it_left_is_dead_for_its_own_process(
    study: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: float) -> None:
        raise OSError("No space left on device")

    with (
        monkeypatch.context() as patch,
        pytest.raises(OSError, match="No space"),
        Worker(study, STALE) as first,
    ):
        signed(study, first.name)
        patch.setattr(first, "_write_heartbeat", full)
    with Worker(study, STALE) as second:
        second.reap_dead_trials()
    assert states(study) == ["killed"]


def test_a_worker_writes_heartbeats(study: Any) -> None:
    with Worker(study, 0.3) as worker:
        first = study.user_attrs[f"worker {worker.name}"]
        until = time.monotonic() + 10
        while study.user_attrs[f"worker {worker.name}"] == first:
            assert time.monotonic() < until
            time.sleep(0.02)
    assert not worker._thread.is_alive()


def test_one_that_cannot_write_heartbeats_says_so_before_it_works_on(
    study: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Worker(study, 0.2) as worker:

        def locked(_: float) -> None:
            raise OSError("database is locked")

        with monkeypatch.context() as patch:
            patch.setattr(worker, "_write_heartbeat", locked)
            time.sleep(0.3)
            with pytest.raises(BakeoffError, match="no heartbeat"):
                worker.reap_dead_trials()


def test_a_trial_without_a_signature_is_given_time_while_others_live(study: Any) -> None:
    entered(study, ELSEWHERE, ago=0)
    signed(study, None)
    with Worker(study, 1.0) as worker:
        worker.reap_dead_trials()
        assert states(study) == ["RUNNING"]
        time.sleep(0.6)
        entered(study, ELSEWHERE, ago=0)
        time.sleep(0.6)
        worker.reap_dead_trials()
    assert states(study) == ["killed"]


def test_a_trial_without_a_signature_is_nobodys_where_nobody_else_lives(study: Any) -> None:
    signed(study, None)
    with Worker(study, STALE) as worker:
        worker.reap_dead_trials()
    assert states(study) == ["killed"]


def test_the_final_fit_goes_to_the_first_that_lives(study: Any) -> None:
    with Worker(study, STALE) as gone:
        gone.enqueue()
    with Worker(study, STALE) as first, Worker(study, STALE) as second:
        tickets = first.enqueue(), second.enqueue()
        assert (first.is_first(tickets[0]), second.is_first(tickets[1])) == (True, False)
        first.release(tickets[0])
        assert second.is_first(tickets[1])
        second.release(tickets[1])
    assert counted(study.get_trials(deepcopy=False)) == []
    assert all(t.state.is_finished() for t in study.get_trials(deepcopy=False))


def test_who_waited_gets_the_record_that_was_written_meanwhile(cell: Cell, tmp_path: Path) -> None:
    store = Store(tmp_path)
    records: list[Any] = []

    def wait() -> None:
        with final_fit(cell, store, None) as stored:
            records.append(stored)

    with final_fit(cell, store, None) as stored:
        assert stored is None
        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.7)
        assert not records
        record = Record(key=cell.key, status="done", reason="", cell=cell)
        store.write_record(record)
    waiting.join(timeout=10)
    assert records == [record]


def test_what_was_stored_before_is_no_reason_not_to_fit(cell: Cell, tmp_path: Path) -> None:
    store = Store(tmp_path)
    before = Record(key=cell.key, status="failed", reason="broke", cell=cell)
    store.write_record(before)
    with final_fit(cell, store, before) as stored:
        assert stored is None


def test_a_trial_that_others_buried_is_dropped_and_run_again(cell: Cell, study: Any) -> None:
    """As after a machine slept: others took this process for dead while it fitted."""
    import optuna

    tuning = TuningSpec(trials=3, metric="ndcg@5", pruner="none")
    study.sampler = optuna.samplers.RandomSampler(seed=1)
    wide = {"first": {**cell.model["space"]["first"], "high": 1_000_000}}  # so that none is met twice
    space = parse({**cell.model, "space": wide})

    class Worth:
        goals = goals(tuning, 10)
        longest = None
        calls = 0

        def __call__(self, chosen: Any, trial: Any, prune: bool) -> tuple[float, ...]:
            self.calls += 1
            if self.calls == 2:
                discard(study, study.get_trials(deepcopy=False)[-1], "killed")
            return (float(chosen["first"]),)

    with Worker(study, STALE) as worker:
        worth: Any = Worth()
        trials = Search(study, worker, space, worth, tuning, 3).run()
    assert len(trials) == 3 and worth.calls == 4
    assert states(study).count("killed") == 1
