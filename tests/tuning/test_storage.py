"""Journals of studies that are damaged, or are no files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.trial import create_trial

from bakeoff.tuning.storage import open_study


def malformed(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"op_code"', b'"op_\xff]de"', 1))


def of_other_json(path: Path) -> None:
    path.write_bytes(b"[1]\n" + path.read_bytes())


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_link(path: Path) -> None:
    path.rename(path.parents[1] / "elsewhere")
    path.symlink_to(path.parents[1] / "elsewhere")


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("damage", [malformed, of_other_json, a_folder, a_link, a_pipe])
def test_a_damaged_journal_is_set_aside_and_named(
    damage: Callable[[Path], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    studies = tmp_path / "store" / "studies"
    with open_study("c0", studies, None, ["maximize"]) as study:
        study.add_trial(create_trial(value=1.0))
    damage(studies / "c0.log")
    with open_study("c0", studies, None, ["maximize"]) as study:
        assert study.trials == []
        study.add_trial(create_trial(value=2.0))
    with open_study("c0", studies, None, ["maximize"]) as study:
        assert [trial.value for trial in study.trials] == [2.0]
    assert len(list((tmp_path / "store" / "quarantine" / "studies").iterdir())) == 1
    assert str(studies / "c0.log") in caplog.text
