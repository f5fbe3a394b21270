"""Hostile configurations, command lines and stored files: each is answered by its line in the golden file.

`python tests/config/test_bad_configurations.py` writes the lines anew, for you to read in the diff.
"""

from __future__ import annotations

import copy
import json
import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the script
import commands
from bakeoff import config_files
from bakeoff.config import compose
from bakeoff.config.hydra_errors import explain
from bakeoff.config.overrides import CommandLine
from bakeoff.config.settings import Settings
from bakeoff.errors import ConfigError, UsageError
from bakeoff.run.naming import escape_control_chars

ANSWERS = Path(__file__).with_name("bad_configurations.txt")
SECONDS = 10
PLAYS = "user,item,plays\na,x,3\nb,x,1\na,y,2\n"
OWN = "name: own\nbuild:\n  _target_: bakeoff.models.implicit.ALS\n"
SIMULATED = "name: own\n_target_: bakeoff.data.synthetic.Simulated\n"
TABLE = "name: own\n_target_: bakeoff.data.readers.Table\npath: plays.csv\n"
CSV = "run baselines=[] dataset=csv dataset.path=plays.csv"
ESC, LONG = "\x1b[31m", "x" * 5000
ACCENTS = "\u00e9" * 100
LAB = (
    *("model=popularity", "baselines=[random]", "name=lab", "k=[5]", "depth=10", "metrics=accuracy", "-q"),
    *("dataset.n_users=40", "dataset.n_items=60", "dataset.n_rows=600"),
)

Make = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """The words of a command, and the files that it meets: content, or what makes them at their path."""

    words: str
    files: Mapping[str, str | bytes | Make] = field(default_factory=dict)
    last: str = ""

    @property
    def argv(self) -> list[str]:
        return [*shlex.split(self.words), *([self.last] if self.last else [])]


def plan(words: str, last: str = "", **files: str | bytes | Make) -> Case:
    return Case(f"plan baselines=[] {words}", files, last)


def own(group: str, content: str | bytes | Make, words: str = "") -> Case:
    """Return a case of an option of one's own."""
    line = f"plan --config-dir mine baselines=[] {group}=own {words}"
    return Case(line, {f"mine/{group}/own.yaml": content})


def model(content: str | bytes | Make) -> Case:
    return own("model", content)


def space(content: str) -> Case:
    return own("model", f"{OWN}space: {content}\n", "tune=optuna")


def preset(content: str) -> Case:
    return own("experiment", f"# @package _global_\n{content}\n")


def bins(edge: str) -> Case:
    users = f"{{path: plays.csv, key: user, numeric: {{plays: [1, {edge}]}}}}"
    return Case(f"{CSV} dataset.value=plays", {"plays.csv": PLAYS}, f"dataset.users={users}")


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def link(target: str) -> Make:
    return lambda path: path.symlink_to(target)


def edited(key: str, value: Any) -> Make:
    """Return what sets the value behind a key, as in `cells.0.seed`, of a stored file."""

    def edit(path: Path) -> None:
        content = inner = json.loads(path.read_text())
        *names, last = [int(name) if name.isdigit() else name for name in key.split(".")]
        for name in names:
            inner = inner[name]
        inner[last] = value
        path.write_text(json.dumps(content))

    return edit


def bomb(entry: str = "", indent: str = "") -> str:
    """Return YAML in which each of nine anchors has ten aliases of the one before."""
    lines = [f"{indent}a0: &a0 {entry or '[1]'}"]
    for n in range(1, 10):
        aliases = ", ".join([f"*a{n - 1}"] * 10)
        lines.append(
            f"{indent}a{n}: &a{n} {{<<: [{aliases}]}}" if entry else f"{indent}a{n}: &a{n} [{aliases}]"
        )
    return "\n".join(lines) + "\n"


CASES: dict[str, Case] = {
    # Commands and words
    "an empty command": Case("''"),
    "a command of control characters": Case("", {}, f"{ESC}run\n"),
    "a command of 5,000 letters": Case(LONG),
    "an option of the group": Case("--results-dir x run"),
    "an unknown option": Case("plan --nope"),
    "an option of 5,000 letters": Case(f"plan --{LONG}"),
    "an option without its value": Case("plan --model"),
    "an empty word": plan("''"),
    "an equals sign": plan("="),
    "a word without a key": plan("=als"),
    "a key without a value": plan("model="),
    "a key of spaces": plan("' =als'"),
    "a key of 5,000 letters": plan(f"{LONG}=1"),
    "a key of 300 parts": plan(".".join("a" * 300) + "=1"),
    "a key that begins with a dot": plan(".model=als"),
    "a key that ends with a dot": plan("model.=als"),
    "a key with two dots": plan("model..build=1"),
    "a key with a line end": plan("", "mo\ndel=als"),
    "a value with a colour": plan("", f"name=a{ESC}b"),
    "a value with a line end": plan("", "name='a\nb'"),
    "a value with an unpaired surrogate": plan("", "name='a\udc80b'"),
    "a word with an unpaired surrogate": plan("", "a\udc80b"),
    "a value of 5,000 letters": plan(f"name={LONG}"),
    "an open bracket": plan("'k=[5'"),
    "an open brace": plan("'dataset.where={a'"),
    "an open quote": plan("", "name='a"),
    "1,000 brackets": plan("k=" + "[" * 1000 + "]" * 1000),
    "100,000 brackets": plan("", "k=" + "[" * 100_000 + "]" * 100_000),
    "a list of 100,000 numbers": plan("", "k=[" + ",".join(["1"] * 100_000) + "x]"),
    "a sweep of a billion seeds": plan("'seed=range(0,1000000000)'"),
    "a sweep of no end": plan("'seed=range(0,inf)'"),
    "a sweep of a million cells": plan(
        " ".join(f"dataset.n_{k}=" + ",".join(map(str, range(1, 101))) for k in ("users", "items", "rows"))
    ),
    "a sweep without a step": plan("'seed=range(0,10,0)'"),
    "a sweep of nothing": plan("'seed=range(5,5)'"),
    "an interval": plan("'seed=interval(0,1)'"),
    "an unknown function": plan("'seed=nope(1)'"),
    "a glob that matches nothing": plan("'model=glob(nope*)'"),
    "a deletion of a group": plan("~model"),
    "a deletion of a setting": plan("~depth"),
    "a deletion of nothing": plan("~nope"),
    "an addition that is there": plan("+seed=1"),
    "an addition of a key": plan("+nope=1"),
    "an addition below a group": plan("+model.nope=1"),
    "an addition below a number": plan("+seed.nope=1"),
    "an addition to a build": plan("+model.build.nope=1"),
    "a group in a package": plan("model@nope=als"),
    "a group in its build": plan("model@model.build=als"),
    "Hydra's sweeper": plan("hydra/sweeper=nope"),
    "Hydra's launcher": plan("hydra/launcher=nope"),
    "Hydra's sweeper as a number": plan("hydra.sweeper=5"),
    "Hydra's launcher as a number": plan("hydra.launcher=5"),
    "Hydra's job as a text": plan("hydra.job=x"),
    "a key that Hydra lacks": plan("hydra.nope=1"),
    "a callback": plan("+hydra.callbacks.x._target_=nope.Nope"),
    "a search path that is not there": plan("'hydra.searchpath=[file:///nope]' model=nope"),
    "a search path as a number": plan("hydra.searchpath=5"),
    "another primary configuration": plan("--config-name nope"),
    "a primary configuration outside": plan("--config-name ../../nope"),
    "an empty primary configuration": plan("--config-name ''"),
    "a primary configuration that is an option": plan("--config-name model/als"),
    "a folder of options that is a file": Case("plan --config-dir plays.csv", {"plays.csv": PLAYS}),
    "an unknown part": plan("--cfg nope"),
    "a package that is not there": plan("--cfg job --package nope.nope"),
    "a package of dots": plan("--cfg job --package ..."),
    "an interpolation that cannot be resolved": plan("--cfg job --resolve 'name=${nope}'"),
    **{
        f"{group} = {value}": plan("", f"{group}={value}")
        for group, values in {
            "model": ("5", "null", "[als]", "/etc/passwd", "als/als", "a b", "${nope}"),
            "split": ("nope", "null"),
            "dataset": ("nope", "''"),
            "metrics": (
                "nope",
                "[]",
                "5",
                "os.sep",
                "nope.nope",
                "bakeoff.evaluation.ranking",
                "{ndcg: 5}",
                "a..b",
            ),
        }.items()
        for value in values
    },
    # Files that data sets and models name
    "a table that is a folder": plan("dataset=csv dataset.path=plays", plays=folder),
    "a table that is a pipe": Case(CSV, {"plays.csv": pipe}),
    "a table that is a device": Case("run baselines=[] dataset=csv dataset.path=/dev/zero"),
    "a table that cannot be read": Case("run baselines=[] dataset=csv dataset.path=/proc/self/mem"),
    "a table that links to itself": Case(CSV, {"plays.csv": link("plays.csv")}),
    "a table of 5,000 letters": plan(f"dataset=csv dataset.path={LONG}"),
    "a table that is a number": plan("dataset=csv dataset.path=5"),
    "a table that is a list": plan("dataset=csv 'dataset.path=[a,b]'"),
    "no table": plan("dataset=csv"),
    "lists that are a pipe": plan("model=external model.path=lists.csv", **{"lists.csv": pipe}),
    "lists that are a folder": plan("model=external model.path=lists", lists=folder),
    "lists that are not there": plan("model=external model.path=nope.csv"),
    "a test part that is a pipe": plan("split=predefined split.test=test.csv", **{"test.csv": pipe}),
    "a test part that is a folder": plan("split=predefined split.test=test", test=folder),
    "a side table that is a number": Case(CSV + " dataset.value=plays dataset.users=5", {"plays.csv": PLAYS}),
    "a side table without a key": Case(
        CSV + " dataset.value=plays 'dataset.users={path: plays.csv}'", {"plays.csv": PLAYS}
    ),
    "an edge of a bin that is NaN": bins("nan"),
    "an edge of a bin that is infinite": bins("inf"),
    "results that are a file": Case("run baselines=[] results_dir=plays.csv", {"plays.csv": PLAYS}),
    "results below a file": Case("run baselines=[] results_dir=plays.csv/x", {"plays.csv": PLAYS}),
    "results that are a pipe": Case("run baselines=[] results_dir=pipe", {"pipe": pipe}),
    "results with a zero byte": preset('results_dir: "a\\0b"'),
    "results of 5,000 letters": Case(f"run baselines=[] results_dir={LONG}"),
    "results that link to themselves": Case("run baselines=[] results_dir=r", {"r": link("r")}),
    "a log that is a folder": Case("list models --log logs", {"logs": folder}),
    "a log below a file": Case("list models --log plays.csv/x", {"plays.csv": PLAYS}),
    # YAML files of one's own
    "YAML that does not parse": model("name: [\n"),
    "YAML with a tab": model("name: own\n\tbuild: 1\n"),
    "YAML with a control character": model("name: \x01\n"),
    "YAML with a zero byte": model(b"name: a\0b\n"),
    "YAML in UTF-16": model("name: own\n".encode("utf-16")),
    "YAML in Latin-1": model("name: caf\u00e9\n".encode("latin1")),
    "YAML that is empty": model(""),
    "YAML of a comment alone": model("# nothing\n"),
    "YAML of a list": model("[1, 2]\n"),
    "YAML of a number": model("5\n"),
    "YAML of a text": model("own\n"),
    "YAML of two documents": model("name: a\n---\nname: b\n"),
    "YAML of 2,000 brackets": model("name: " + "[" * 2000 + "]" * 2000 + "\n"),
    "YAML of 1,000 mappings": model("name: " + "{a: " * 1000 + "1" + "}" * 1000 + "\n"),
    "YAML of one line of 2 MB": model("name: " + "x" * 2_000_000 + "\nbuild: {_target_: nope.Nope}\n"),
    "YAML with an unknown anchor": model("name: *nope\n"),
    "YAML with an anchor in itself": model("name: &a [*a]\n"),
    "YAML with a key twice": model("name: a\nname: b\n"),
    "YAML with a mapping as a key": model("? {a: 1}\n: 2\n"),
    "YAML with a list as a key": model("? [a]\n: 2\n"),
    "YAML with an object of Python": model("name: !!python/object/apply:os.system [true]\n"),
    "YAML with an unknown tag": model("name: !nope x\n"),
    "YAML with a date": model(f"{OWN}  factors: 2020-01-01\n"),
    "YAML with binary data": model(f"{OWN}  factors: !!binary aGVsbG8=\n"),
    "YAML with a set": model(f"{OWN}  factors: !!set {{a, b}}\n"),
    "YAML with an alias bomb": model(bomb()),
    "YAML with an alias bomb in a hyperparameter": model(OWN + bomb(indent="  ")),
    "YAML with an alias bomb of merges": model(bomb("{x: 1}")),
    "a bomb in a preset": preset(bomb()),
    "YAML with a number of 10,000 digits": model(f"{OWN}  factors: {'9' * 10_000}\n"),
    "an option that is a folder": model(folder),
    "an option that is a pipe": model(pipe),
    "an option that is a device": model(link("/dev/zero")),
    "an option that links to nothing": model(link("nope")),
    "an option that links to itself": model(link("own.yaml")),
    "an option that cannot be read": model(link("/proc/self/mem")),
    # Keys and values of models, splits and data sets
    "integers as keys": model("1: 2\n3: 4\n"),
    "an integer beside the keys of a model": model(f"{OWN}1: 2\n"),
    "an integer as a hyperparameter": model(f"{OWN}  1: 2\n"),
    "null as a hyperparameter": model(f"{OWN}  null: 2\n"),
    "a flag as a hyperparameter": model(f"{OWN}  true: 2\n"),
    "a number as a hyperparameter": model(f"{OWN}  1.5: 2\n"),
    "a hyperparameter that is infinite": model(f"{OWN}  regularization: .inf\n"),
    "a hyperparameter that holds NaN": model(f"{OWN}  alpha: [.nan]\n"),
    "a model without a name": model(OWN.partition("\n")[2]),
    "a model with a list as its name": model(OWN.replace("own", "[a]", 1)),
    "a model with a line end in its name": model(OWN.replace("own", '"a\\nb"', 1)),
    "a model with 5,000 letters in its name": model(OWN.replace("own", LONG, 1)),
    "a model without a build": model("name: own\n"),
    "a model with a build of nothing": model("name: own\nbuild:\n"),
    "a model with a build of a number": model("name: own\nbuild: 5\n"),
    "a model without a target": model("name: own\nbuild: {factors: 5}\n"),
    "a model that is no model": model("name: own\nbuild: {_target_: bakeoff.splits.base.Split}\n"),
    "a model with a key more": model(f"{OWN}nope: 1\n"),
    "a space of a number": space("5"),
    "a space of numbers": space("{factors: 5}"),
    "a space of an unknown hyperparameter": space(
        "{nope: {_target_: optuna.distributions.IntDistribution, low: 1, high: 2}}"
    ),
    "a space of no distribution": space("{factors: {_target_: os.getcwd}}"),
    "a space that is empty": space(
        "{factors: {_target_: optuna.distributions.IntDistribution, low: 5, high: 2}}"
    ),
    "a space without an end": space(
        "{alpha: {_target_: optuna.distributions.FloatDistribution, low: 1, high: .inf}}"
    ),
    "a space of no choice": space(
        "{weights: {_target_: optuna.distributions.CategoricalDistribution, choices: []}}"
    ),
    "a space with an integer as a key": space(
        "{1: {_target_: optuna.distributions.IntDistribution, low: 1, high: 2}}"
    ),
    "a split that is empty": own("split", "name: own\n"),
    "a split of a number": own("split", "5\n"),
    "a split with an integer as a key": own(
        "split", "name: own\n_target_: bakeoff.splits.per_user.Random\n1: 2\n"
    ),
    "a data set that is empty": own("dataset", "name: own\n"),
    "a data set with an integer as a key": own("dataset", f"{SIMULATED}1: 2\n"),
    "a data set with NaN in a condition": own(
        "dataset",
        TABLE + "where: [{column: plays, min: .nan}]\n",
    ),
    "a tuner of a number": own("tune", "5\n"),
    "metrics of numbers": own("metrics", "ndcg: 5\n"),
    "metrics with an integer as a key": own("metrics", "1: bakeoff.evaluation.ranking.ndcg\n"),
    "metrics of a list": own("metrics", "[ndcg]\n"),
    "metrics of nothing": own("metrics", ""),
    "metrics that are no metrics": own("metrics", "x: os.sep\n"),
    # Presets
    "a preset that includes itself": preset("defaults:\n  - own\n"),
    "a preset that includes itself by its group": preset("defaults:\n  - /experiment: own\n"),
    "presets that include each other": Case(
        "plan --config-dir mine baselines=[] experiment=a",
        {f"mine/experiment/{a}.yaml": f"# @package _global_\ndefaults:\n  - {b}\n" for a, b in ("ab", "ba")},
    ),
    "defaults of a number": preset("defaults: 5\n"),
    "defaults of numbers": preset("defaults: [5]\n"),
    "defaults of a number as an option": preset("defaults:\n  - override /model: 5\n"),
    "defaults of an unknown option": preset("defaults:\n  - override /model: nope\n"),
    "defaults of an unknown group": preset("defaults:\n  - /nope: nope\n"),
    "defaults of lists of lists": preset("defaults:\n  - override /model: [[als]]\n"),
    "defaults with an interpolation": preset("defaults:\n  - override /model: ${nope}\n"),
    "a preset without its first line": own("experiment", "seed: 3\n"),
    "a preset with an integer as a key": preset("1: 2\n"),
    "a preset with an unknown key": preset("nope: 2\n"),
    "a preset with a wrong seed": preset("seed: [1, 2]\n"),
    "a preset with a group as a key": preset("model: bpr\n"),
    "a preset with axes of a number": preset("hydra: {sweeper: {params: 5}}\n"),
    "a preset with axes of a list": preset("hydra: {sweeper: {params: [1]}}\n"),
    "a preset with an axis of a mapping": preset("hydra: {sweeper: {params: {model: {a: 1}}}}\n"),
    "a preset with an integer as an axis": preset("hydra: {sweeper: {params: {1: 2}}}\n"),
    "a preset with null as an axis": preset("hydra: {sweeper: {params: {model: null}}}\n"),
    "a preset of statistics with an integer as a key": preset("statistics: {1: 2}\n"),
    "a preset with Hydra as a number": preset("hydra: 5\n"),
    "a preset with a sweeper as a number": preset("hydra: {sweeper: 5}\n"),
}

IN_CONFIG: dict[str, tuple[str, ...]] = {
    "k": (
        "null",
        "text",
        "[]",
        "[0]",
        "[-1]",
        "[1.5]",
        "[[1]]",
        "[null]",
        "{a: 1}",
        "true",
        "nan",
        "1e3",
        "9" * 30,
    ),
    "depth": ("0", "1.5", "null", "[]", "text"),
    "seed": ("-1", "4294967296", "1.5", "null", "[1]", "text", "inf", "true", "???", "${seed}"),
    "split_seed": ("-1", "text", "{}"),
    "params_from": ("nope", "../../etc/passwd", "5", "[]", "''"),
    "workers": ("0", "257", "1.5", "text", "null", "9" * 30),
    "time_limit": ("0", "-1", "nan", "inf", "text", "[]", "true"),
    "memory_limit": ("0", "nan", "text"),
    "save_model": ("1", "null", "text", "[]"),
    "fresh": ("maybe",),
    "rerun": ("5",),
    "isolate": ("null",),
    "debug": ("{}",),
    "name": (
        *(
            "''",
            ".",
            "..",
            "a/b",
            "store",
            "con",
            "[a]",
            "{a: b}",
            ".hidden",
            "'a\\b'",
            f"'{ACCENTS}'",
        ),
        *("${nope}", "${", "${name}", "${nope:1}", "${oc.env:BAKEOFF_NOPE}", "${hydra:nope}", "???"),
    ),
    "results_dir": ("''", "null", "[]"),
    "mlflow": ("nope", "5", "[]", "''", "http://"),
    "statistics.test": ("z", "null", "[t]"),
    "statistics.resamples": ("0", "1e3", "text", "9" * 30),
    "statistics.seed": ("-1", "text"),
    "statistics.confidence": ("0", "1", "2", "nan", "text"),
    "statistics.nope": ("1",),
    "model.name": ("null", "[]", "''"),
    "model.build": ("5", "null", "[]"),
    "model.space": ("5", "[1]"),
    "model.build._target_": (
        *("5", "null", "os", "os.sep", "os.nope", ".", "..", "a..b", "nope.Nope", "os.getcwd", "sys.exit"),
        *("builtins.int", "[]"),
    ),
    "model.build.factors": (
        "0",
        "1.5",
        "text",
        "null",
        "[8]",
        "{a: 1}",
        "inf",
        "true",
        "${model.build}",
        "???",
    ),
    "model.build.regularization": ("inf", "-inf", "nan", "-1", "text", "[]", "true", "1e400"),
    "model.build.weights": ("nope", "5", "null"),
    "model.build.use_cg": ("5", "null"),
    "model.build.num_threads": ("0", "nan"),
    "split._target_": ("5", "os.sep", "null", "os.getcwd", "bakeoff.models.implicit.ALS"),
    "split.ratio": ("0", "1", "2", "nan", "text", "null", "[]", "inf"),
    "split.cold_users": ("nope", "5", "[]"),
    "dataset._target_": ("5", "os.sep", "os.getcwd"),
    "dataset.n_users": ("0", "1.5", "text", "[]", "inf", "null"),
    "dataset.name": ("a/b", "..", "''", "${dataset}"),
    "dataset.drift": ("inf", "-1", "text"),
    "tune.trials": ("0", "1.5", "text", "null", "inf"),
    "tune.seconds": ("0", "nan", "text"),
    "tune.metric": ("ndcg", "ndcg@0", "ndcg@x", "@10", "nope@10", "5", "null", "os.sep@5", "ndcg@1000"),
    "tune.objectives": ("[ndcg@10]", "5", "[5, 6]", "[nope@1, ndcg@10]", "text"),
    "tune.pareto_selection": ("5", "null"),
    "tune.pareto_selection.rule": ("nope",),
    "tune.pareto_selection.tolerance": ("-1", "text"),
    "tune.sampler": ("nope", "5", "os.sep", "null", "os.getcwd"),
    "tune.pruner": ("nope", "5"),
    "tune.repeats": ("0", "text"),
    "tune.storage": ("nope", "5", "nope://x", "[]"),
    "tune.heartbeat_timeout": ("0", "nan"),
}
VALUES = [f"{key}={value}" for key, values in IN_CONFIG.items() for value in values]
"""Values of a composed configuration, so that Hydra composes once for all of them."""

NOT_JSON = {
    "empty": "",
    "null": "null",
    "a list": "[]",
    "a number": "5",
    "no JSON": "{",
    "NaN": "NaN",
    "100,000 brackets": "[" * 100_000,
    "zero bytes": b"\0" * 100,
    "no UTF-8": b'{"\xff": 1}',
    "a number of 10,000 digits": "9" * 10_000,
    "a folder": folder,
    "a pipe": pipe,
    "a link to nothing": link("nope"),
    "a link to itself": link("experiment.json"),
    "a device": link("/dev/zero"),
    "unreadable": link("/proc/self/mem"),
}
WRONG = {
    "cells": (5, {}, [5], [{}], "text"),
    "name": (5, []),
    "commands": (5, [5]),
    "report": (5,),
    "cells.0.key": (5, "../x", "c" * 5000, ""),
    "cells.0.dataset": (5,),
    "cells.0.model": (5, {}),
    "cells.0.seed": ("x", 1.5, 10**30),
    "cells.0.depth": ("x",),
    "report.ks": (["x"], 5),
    "report.metrics": (5,),
}
STORED: dict[str, Case] = {
    **{
        f"{verb} of {label}": Case(f"{verb} {shlex.quote(name)} {more}")
        for verb, more in {
            "report": "",
            "verify": "",
            "export": "to=out",
            "show experiment": "",
            "recommend": "user=user_0001",
        }.items()
        for label, name in {
            "a path": "../lab",
            "the store": "store",
            "a dot": ".",
            "nothing": "",
            "a colour": ESC,
            "5,000 letters": LONG,
            "a surrogate": "a\udc80",
        }.items()
    },
    **{
        f"{verb} of an experiment.json, {label}": Case(verb, {"results/lab/experiment.json": content})
        for verb in ("report lab", "recommend lab user=user_0001")
        for label, content in (
            *NOT_JSON.items(),
            *((f"{k} = {str(v)[:9]}", edited(k, v)) for k, values in WRONG.items() for v in values),
        )
    },
    **{
        words: Case(words)
        for words in (
            *(
                "report lab k=0",
                "report lab k=1.5",
                "report lab k=5,x",
                "report lab k=11",
                "report lab metrics=",
            ),
            *("report lab metrics=os.sep", "report lab statistics.confidence=nan", "report lab fold=x"),
            *("report lab statistics.resamples=-5", "report lab --format latex", "report lab models=nope"),
            *(
                "report lab split_seed=99999999999999999999",
                "report lab dataset=nope",
                "report lab tune=nope",
            ),
            *(
                f"compare popularity random name=lab {w}"
                for w in ("gate=nope", "gate=ndcg@0", "gate=@", "k=0")
            ),
            *(
                f"compare popularity random name=lab gate=ndcg@5 {w}"
                for w in ("tolerance=nan", "tolerance=-1")
            ),
            *(
                f"compare popularity random name=lab {w}"
                for w in ("gate=ndcg@5 non_inferior=inf", "users=-1")
            ),
            *("compare popularity popularity name=nope", "compare popularity nope name=lab"),
            *(
                "compare c0123456789abcde cfedcba987654321",
                "verify lab references=nope",
                "verify lab refit=-1",
            ),
            *(
                "verify lab refit=1 time_limit=0",
                "verify lab refit=1 time_limit=nan",
                "recommend lab user=nope",
            ),
            *(
                "recommend lab items=nope",
                "recommend lab similar_to=nope",
                "recommend lab user=user_0001 k=0",
            ),
            *("recommend lab user=user_0001 to=x.pkl", "recommend lab user=user_0001 to=results"),
            *("recommend lab user=user_0001 items=item_0001", "export lab preset=x.yaml", "export lab"),
            *("export lab/popularity preset=x.txt", "export lab/nope preset=mine/model/x.yaml"),
            *("export c0123456789abcde to=out", "list nope", "show nope nope", "show model ../../etc/passwd"),
            *("show model ''", "show metric os.sep", "show preset ../demo", "completion nope"),
        )
    },
}


class _Slow(BaseException):
    """A command has not ended in SECONDS."""


@contextmanager
def limited() -> Iterator[None]:
    """End what takes longer than SECONDS."""

    def stop(*_: object) -> None:
        raise _Slow

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def answer(case: Case, place: Path) -> str:
    """Return what a command prints in a folder: one line, and nothing is written."""
    for name, content in case.files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            if path.exists() and "edit" not in content.__name__:
                path.unlink()
            content(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    before = tree(place)
    with limited():
        done = commands.run(case.argv, place)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
    assert tree(place) == before
    return done.stderr.rstrip("\n").replace(f"{place}/", "").replace(str(place), "FOLDER")


def tree(place: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.lstat().st_mtime_ns) for path in place.rglob("*") if not path.is_dir())


@cache
def composed() -> Any:
    """Return the composed configuration of a tuned ALS."""
    seen = []

    def keep(
        preset: object, overrides: Sequence[Any], compose: Callable[[Sequence[str]], Any], _: object
    ) -> int:
        seen.append(compose([override.input_line for override in overrides]))
        return 0

    with patch.object(compose, "execute", keep):
        commands.run(["plan", "tune=optuna"], ANSWERS.parent)
    return seen[0]


def answer_of_edge(word: str) -> str:
    """Return the message for an override of a composed configuration."""

    def change(config: Any) -> None:
        overrides = OverridesParser.create().parse_overrides([word])
        ConfigLoaderImpl._apply_overrides_to_config(overrides, config)

    return answer_of_values(change, word)


def answer_of_values(change: Callable[[Any], None], word: str = "") -> str:
    """Return the message for a composed configuration that is changed."""
    config = copy.deepcopy(composed())
    try:
        change(config)
        Settings.of(compose._plain(config))
        compose.experiment_name(config, compose.to_cell(config))
    except UsageError as error:
        return f"bakeoff: {error}"
    except Exception as error:
        message = explain(error, CommandLine(overrides=(word,)))
        assert message is not None, error
        return f"bakeoff: {message}"
    return "accepted"


def answers() -> dict[str, str]:
    lines = ANSWERS.read_text(encoding="utf-8").splitlines()
    return dict(zip(lines[::2], lines[1::2], strict=True))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a stored experiment, `lab`."""
    folder = tmp_path_factory.mktemp("lab")
    assert commands.run(["run", *LAB], folder).returncode == 0
    return folder


AT_ONCE = re.compile("YAML|preset|defaults|an option|bomb|an? (key|value|word|open|command|sweep)")
"""The cases that end before Hydra has composed everything twice."""


def cases() -> Iterator[Any]:
    """Yield the names of all cases; of those that take long, `make test` runs one in three."""
    late = 0
    for name in CASES:
        if AT_ONCE.search(name):
            yield name
        else:
            late += 1
            yield pytest.param(name, marks=pytest.mark.long if late % 3 else pytest.mark.slow)


def shown(text: str) -> str:
    """Return a text as it stands in the golden file: in one line, without hashes and lists of options."""
    line = re.sub("choose one of: .*", "choose one of: ...", escape_control_chars(text))
    line = re.sub("BLAKE2b '.*', found '.*'", "BLAKE2b 'A', found 'B'", line)
    return line if len(line) <= 300 else f"{line[:300]}..."


@pytest.mark.parametrize("name", [*cases()])
def test_a_bad_configuration_is_answered_in_one_line(name: str, tmp_path: Path) -> None:
    line = answer(CASES[name], tmp_path)
    assert shown(line) == answers()[f"# {shown(name)}"]
    assert len(line) < 1500


@pytest.mark.parametrize("name", STORED)
def test_bad_words_about_stored_results_and_bad_files_of_theirs_are(
    name: str, lab: Path, tmp_path: Path
) -> None:
    shutil.copytree(lab / "results", tmp_path / "results")
    line = answer(STORED[name], tmp_path)
    assert shown(line) == answers()[f"# {shown(name)}"]
    assert len(line) < 1500


@pytest.mark.parametrize("word", VALUES)
def test_a_bad_value_is(word: str) -> None:
    assert shown(answer_of_edge(word)) == answers()[f"# {shown(word)}"]


def test_every_answer_has_its_case() -> None:
    assert [*answers()] == [f"# {shown(name)}" for name in (*CASES, *STORED, *VALUES)]


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20) | st.text(
    "a:[]{}&*!|>-?,'\"#%@.$\n\t0", max_size=40
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary(max_size=5)
KEYS = TEXTS | st.integers() | st.booleans() | st.floats()
VALUE_TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_value_of_any_key_is_taken_or_answered_in_one_line(data: st.DataObject) -> None:
    plain = compose._plain(composed(), resolve=False)
    key = data.draw(st.sampled_from([key for key, _ in config_files.flat(plain)]))
    value = data.draw(VALUE_TREES)
    assert answer_of_values(lambda config: OmegaConf.update(config, key, value, merge=False))


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=50) | TEXTS.map(str.encode))
def test_any_file_is_read_as_yaml_or_answered_in_one_line(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "own.yaml"
        path.write_bytes(content)
        try:
            assert isinstance(config_files.read(path), dict)
        except ConfigError as error:
            assert str(error).startswith(str(path))


@settings(max_examples=60, deadline=None)
@given(
    verb=st.sampled_from(["report", "compare", "verify", "export", "recommend", "show", "run", "plan", ""]),
    words=st.lists(TEXTS | st.builds("{}={}".format, st.sampled_from(["k", "name", "x"]), TEXTS), max_size=3),
)
def test_any_words_that_are_no_command_are_answered_in_one_line(verb: str, words: list[str]) -> None:
    with tempfile.TemporaryDirectory() as place, limited():
        done = commands.run([verb, "no=1", *words], Path(place))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) or "Usage: " in done.stdout


def write() -> None:
    """Write the answers of all cases anew."""
    lines = {}
    with tempfile.TemporaryDirectory() as stored:
        commands.run(["run", *LAB], Path(stored))
        for cases in (CASES, STORED):
            for name, case in cases.items():
                with tempfile.TemporaryDirectory() as place:
                    if cases is STORED:
                        shutil.copytree(Path(stored) / "results", Path(place) / "results")
                    try:
                        lines[name] = answer(case, Path(place))
                    except BaseException as error:
                        lines[name] = f"NO ANSWER {error!r}"
    lines |= {word: answer_of_edge(word) for word in VALUES}
    text = "".join(f"# {shown(name)}\n{shown(line)}\n" for name, line in lines.items())
    ANSWERS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(write())
