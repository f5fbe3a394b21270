"""What the shell is offered."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from bakeoff import cli, config_files
from bakeoff.completion import answer, candidates
from bakeoff.errors import ConfigError


def test_every_command_is_offered() -> None:
    assert sorted(candidates("bakeoff ")) == sorted(cli.VERBS)


def test_names_of_a_group_are_offered() -> None:
    assert candidates("bakeoff run model=") == [f"model={n}" for n in config_files.options("model")]


def test_in_a_list_the_last_name_is_completed() -> None:
    assert candidates("bakeoff run split=random,leave") == ["split=random,leave_last_out"]


def test_groups_and_scalars_are_offered() -> None:
    assert {"seed=", "split="} <= set(candidates("bakeoff plan s"))


def test_another_shell_is_refused() -> None:
    with pytest.raises(ConfigError, match="completion bash"):
        answer(["tcsh"])


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_accepts_the_script() -> None:
    done = subprocess.run(["bash", "-n"], input=answer(["bash"]), capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr == ""
