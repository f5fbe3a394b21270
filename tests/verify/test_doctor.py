"""`bakeoff doctor` names what is wrong with a store, and its commands mend it."""

from __future__ import annotations

import json
import shlex
from importlib import metadata
from pathlib import Path

import pytest

import commands
from bakeoff.verify import doctor
from conftest import Bakeoff

RUN = ("run", "dataset=blocks", "model=by_item", "k=[2]", "depth=4", "name=lab", "baselines=[]")


def diagnosis(bakeoff: Bakeoff, code: int) -> dict[str, object]:
    answer = bakeoff("doctor", "--format", "json")
    assert answer.returncode == code, answer
    return dict(json.loads(answer.stdout))


def test_damage_and_leftovers_are_named_and_the_commands_mend_them(bakeoff: Bakeoff, tmp_path: Path) -> None:
    assert bakeoff(*RUN).returncode == 0
    sound = diagnosis(bakeoff, 0)
    assert sound["complaints"] == [] and "1 cells, 1 splits, 1 data" in str(sound["facts"])
    (items,) = tmp_path.glob("results/store/cells/*/items.npy")
    values = min(tmp_path.glob("results/store/splits/*/test*.npy"))
    for path in (items, values):
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    (items.parent / ".above.npy.99999999.tmp").write_bytes(b"")
    complaints = diagnosis(bakeoff, 1)["complaints"]
    assert isinstance(complaints, list)
    assert [Path(c["found"].partition(": ")[0]).name for c in complaints] == [
        *(values.name, "items.npy", ".above.npy.99999999.tmp")
    ]
    again = shlex.split(complaints[0]["mend"])
    assert commands.run(again[1:], tmp_path).returncode == 0
    (quarantine,) = diagnosis(bakeoff, 1)["complaints"]  # type: ignore[misc]
    assert commands.run_line(quarantine["mend"], tmp_path).returncode == 0
    assert diagnosis(bakeoff, 0)["complaints"] == []


def test_an_empty_folder_is_sound(bakeoff: Bakeoff, tmp_path: Path) -> None:
    answer = bakeoff("doctor")
    assert answer.returncode == 0 and "nothing is stored" in answer.stdout and not list(tmp_path.iterdir())


def test_two_distributions_of_one_module_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    both = {"lightfm": ["rectools-lightfm", "lightfm-next"]}
    monkeypatch.setattr(metadata, "packages_distributions", lambda: both)
    (complaint,) = doctor._distributions()
    assert complaint.found == "lightfm: supplied by lightfm-next and rectools-lightfm"
